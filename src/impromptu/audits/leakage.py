"""Does the prompt hold its own answer? Inertia foretells a little; a leak is exact.

The velocity of a car tells its next half second to a few decimetres, and honestly so. What tells a
leak from that is how it fails: the error of inertia grows with every change of the motion, the
error of a leak stays at the rounding of the print. So all is judged on samples whose motion
changes suddenly: constant velocity, constant acceleration and the waypoints' own smoothness all
miss the first waypoint by several times the rounding.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from impromptu.arrays import Bools, Floats
from impromptu.audits import SHOWN, Audit, Finding, Record, Tally, one_line, percent
from impromptu.audits._exact import Formula, Hits, find, hits
from impromptu.audits._keys import first_numbers
from impromptu.audits._numbers import NUMBER, Layout, Numbers
from impromptu.audits._probe import probe

_LEAST, _LEAST_SHARE = 8, 0.05
_OVER_CHANCE = 3
"""A leak is exact this many times as often as it is nearly exact; chance, half as often."""
_FEW, _NEARLY_ALL = 5, 0.9
"""So few samples are enough if nearly all of them are exact."""
_SMALL = 40
_TRIED = 3
"""Waypoints whose coordinates are searched for."""
_SHOWN_SHARE = 90
_COPIED = 30
_POINT = re.compile(r"\[\s*[-+.\d]")
_AXES = ("x", "y")


@dataclass(frozen=True, slots=True)
class _Leak:
    """A formula that gives one coordinate of one waypoint."""

    waypoint: int
    axis: int
    formula: Formula
    hits: Hits
    sudden: Bools


class _Leakage:
    def __init__(self) -> None:
        self.numbers, self.tally = Numbers(), Tally()
        self.before = dict[tuple[str, str], str]()

    def see(self, record: Record) -> None:
        self.tally.seen += 1
        self.numbers.see(record)
        body, key = _body(record.answer), (record.source.name, record.task)
        # What the prompt before says too is an example of how to answer, not this answer.
        if len(body) >= _COPIED and body in record.prompt:
            if body not in self.before.get(key, ""):
                self.tally.add("answer_in_prompt", record, body)
        self.before[key] = record.prompt

    def findings(self) -> Iterator[Finding]:
        text = "{n} prompts ({share}) hold their whole answer, letter by letter."
        yield from self.tally.finding("error", "answer_in_prompt", text)
        undecided, asked = 0, 0
        for layout in self.numbers.layouts():
            if not len(layout.columns):
                continue
            leaks = list(_search(layout))
            asked += len(layout.rows)
            undecided += 0 if leaks or _judged(layout) >= _LEAST else len(layout.rows)
            yield from _exact_findings(layout, leaks)
            yield from _probe_findings(layout, leaks)
        if undecided:
            yield Finding("note", "undecided", _UNDECIDED, undecided, asked)


_UNDECIDED = (
    f"For some prompts no verdict is possible: fewer than {_LEAST} samples of their kind change "
    "their motion so suddenly that a leak could be told from inertia."
)


def _body(answer: str) -> str:
    """Return an answer without its tags and without the words before its first point."""
    text = re.sub(r"^\s*<[^<>]{1,40}>|</[^<>]{1,40}>\s*$", "", answer).strip()
    point = _POINT.search(text)
    return text[point.start() :].strip() if point else text


def _judged(layout: Layout) -> int:
    surprises_m, _ = layout.surprises_m()
    return int((surprises_m.max(axis=1) >= layout.sudden_m).sum())


def _search(layout: Layout) -> Iterator[_Leak]:
    """Yield a formula for each coordinate of the first waypoints that has one."""
    surprises_m, known = layout.surprises_m()
    for waypoint in range(min(_TRIED, layout.path_m.shape[1])):
        for axis in (0, 1):
            sudden = surprises_m[:, axis] >= layout.sudden_m
            if leak := _leak(layout, waypoint, axis, sudden, bool(known[sudden].all())):
                yield leak


def _leak(
    layout: Layout, waypoint: int, axis: int, sudden: Bools, past_known: bool
) -> _Leak | None:
    if (count := int(sudden.sum())) < _FEW:
        return None
    fitted = sudden & (layout.half == 0) if count > _SMALL else sudden
    judged = sudden & (layout.half == 1) if count > _SMALL else sudden
    target_m = layout.path_m[:, waypoint, axis]
    formula = find(
        layout.told[fitted],
        layout.rounding,
        target_m[fitted],
        layout.path_rounding_m,
        layout.sudden_m / 4,
        seed=2 * waypoint + axis,
    )
    if formula is None:
        return None
    found = hits(formula, layout.told[judged], target_m[judged])
    if not _too_good(found, past_known):
        return None
    return _Leak(waypoint, axis, formula, found, sudden)


def _too_good(found: Hits, past_known: bool) -> bool:
    """Tell whether so many exact samples are more than inertia and chance can give.

    Where the prompt does not tell the past, a car between two fixes of its position may go on
    at constant velocity to the digit; then nearly all samples must be exact.
    """
    if found.exact >= _FEW and found.exact >= _NEARLY_ALL * found.of and not found.near:
        return True
    if not past_known:
        return found.exact >= max(_LEAST, _NEARLY_ALL * found.of)
    enough = found.exact >= max(_LEAST, _LEAST_SHARE * found.of)
    return enough and found.exact >= _OVER_CHANCE * found.near


def _exact_findings(layout: Layout, leaks: Sequence[_Leak]) -> Iterator[Finding]:
    if not leaks:
        return
    first = leaks[0]
    miss_m = np.stack([_miss_m(layout, leak) for leak in leaks])
    exact = (miss_m[0] <= first.formula.exact) & first.sudden
    inertia_m = np.abs(layout.path_m[:, 0] + layout.past_m[:, 0])[first.sudden, first.axis]
    formulas = "; ".join(_told(layout, leak) for leak in leaks)
    text = (
        f"LABEL LEAK: waypoints can be computed from the prompt. {formulas}. Of {first.sudden.sum():,} "
        f"samples whose motion changes suddenly, {exact.sum():,} "
        f"({percent(exact.sum(), first.sudden.sum())}) are exact to the printed digit"
    )
    if np.isfinite(inertia_m).any():
        text += f", where constant velocity misses by {np.nanmedian(inertia_m):.2f} m"
    rows = [row for row, hit in zip(layout.rows, exact, strict=True) if hit]
    figures = {
        "formulas": [_figures(layout, leak) for leak in leaks],
        "exact": int(exact.sum()),
        "sudden": int(first.sudden.sum()),
        "by_file": _by_file(layout, first, exact),
    }
    text += f". By file: {_told_by_file(figures['by_file'])}."
    yield Finding(
        "error",
        "exact_leak",
        text,
        int(exact.sum()),
        int(first.sudden.sum()),
        first_numbers([row.number for row in rows], SHOWN),
        _leak_table(layout, leaks, miss_m),
        figures,
    )


def _miss_m(layout: Layout, leak: _Leak) -> Floats:
    return leak.formula.miss_m(layout.told, layout.path_m[:, leak.waypoint, leak.axis])


def _told(layout: Layout, leak: _Leak) -> str:
    """Write a formula in words, with the prompt's words around each of its numbers."""
    terms = [
        f"{weight:.3g} * {_around(layout.rows[0].prompt, int(layout.columns[column]))}"
        for column, weight in zip(leak.formula.columns, leak.formula.weights, strict=True)
    ]
    return f"{_AXES[leak.axis]} at {0.5 * (leak.waypoint + 1):g} s = {' + '.join(terms)}"


def _around(prompt: str, column: int) -> str:
    """Return the number at a place of a prompt, in its words: ``'s^2, Velocity: X [9.86]'``."""
    for place, found in enumerate(NUMBER.finditer(prompt)):
        if place == column:
            before = prompt[max(0, found.start() - 24) : found.start()]
            return f"number {column + 1} ('{one_line(before, 24)} [{found[0]}]')"
    return f"number {column + 1}"


def _figures(layout: Layout, leak: _Leak) -> dict[str, object]:
    miss_m = _miss_m(layout, leak)
    return {
        "waypoint": leak.waypoint + 1,
        "axis": _AXES[leak.axis],
        "numbers": [int(layout.columns[column]) + 1 for column in leak.formula.columns],
        "weights": [round(weight, 4) for weight in leak.formula.weights],
        "median_m": float(np.median(miss_m)),
        "p99_m": float(np.quantile(miss_m, 0.99)),
    }


def _by_file(layout: Layout, leak: _Leak, exact: Bools) -> dict[str, list[int]]:
    sources = [row.source for row in layout.rows]
    of = Counter(s for s, judged in zip(sources, leak.sudden, strict=True) if judged)
    hit = Counter(s for s, one in zip(sources, exact, strict=True) if one)
    return {name: [hit[name], of[name]] for name in sorted(of)}


def _told_by_file(by_file: dict[str, list[int]]) -> str:
    told = [f"{name} {hit:,} of {of:,}" for name, (hit, of) in list(by_file.items())[:12]]
    return ", ".join(told) + (f" and {len(by_file) - 12} more" if len(by_file) > 12 else "")


def _leak_table(
    layout: Layout, leaks: Sequence[_Leak], miss_m: Floats
) -> tuple[tuple[str, ...], ...]:
    head = ("waypoint", "numbers of the prompt", "median error", "99th percentile", "exact")
    rows = [
        (
            f"{_AXES[leak.axis]} at {0.5 * (leak.waypoint + 1):g} s",
            ", ".join(str(int(layout.columns[column]) + 1) for column in leak.formula.columns),
            f"{np.median(miss):.3f} m",
            f"{np.quantile(miss, 0.99):.3f} m",
            percent(int((miss <= leak.formula.exact).sum()), len(miss)),
        )
        for leak, miss in zip(leaks, miss_m, strict=True)
    ]
    return (head, *rows)


def _probe_findings(layout: Layout, leaks: Sequence[_Leak]) -> Iterator[Finding]:
    errors = probe(layout.told, layout.path_m, layout.half == 0, seed=0)
    if errors is None:
        return
    surprises_m, _ = layout.surprises_m()
    sudden = (surprises_m.max(axis=1) >= layout.sudden_m)[errors.held]
    inertia_m = _constant_velocity_m(layout)[errors.held]
    table = _probe_table(errors.probe_m, inertia_m, errors.shuffled_m, sudden)
    limit_m = layout.sudden_m / 3
    told = 0
    if sudden.sum() >= 2 * _LEAST:
        spread_m = np.quantile(errors.probe_m[sudden], 0.9, axis=0)
        told = int((np.r_[spread_m, np.inf] > limit_m).argmax())
    median_m = np.median(errors.probe_m, axis=0)
    text = (
        f"A linear probe from the {len(layout.columns)} varying numbers of the prompt to the waypoints, "
        f"fitted on one half of the logs, misses the first waypoint by {median_m[0]:.3f} m "
        f"(median of {len(errors.probe_m):,} samples of the other half)"
    )
    figures = {"median_m": median_m.tolist(), "sudden": int(sudden.sum()), "exact_waypoints": told}
    if told:
        text = (
            f"LABEL LEAK: {text}; on the {sudden.sum():,} samples whose motion changes suddenly 90 % "
            f"of its errors stay within {limit_m:.3f} m up to waypoint {told}. Inertia cannot do that."
        )
        yield Finding(
            "error", "probe_leak", text, int(sudden.sum()), len(sudden), (), table, figures
        )
        return
    text += ". The error grows with the motion, as inertia's does." if not leaks else "."
    yield Finding("note", "probe", text, int(sudden.sum()), len(sudden), (), table, figures)


def _constant_velocity_m(layout: Layout) -> Floats:
    """Return (n, waypoints) errors of going on as in the last step; NaN where that is unknown."""
    steps = np.arange(1, layout.path_m.shape[1] + 1)[:, None]
    errors: Floats = np.linalg.norm(layout.path_m + steps * layout.past_m[:, :1], axis=2)
    return errors


def _probe_table(
    probe_m: Floats, inertia_m: Floats, shuffled_m: Floats, sudden: Bools
) -> tuple[tuple[str, ...], ...]:
    head = (
        "at",
        "probe, median",
        "probe, sudden motion, 90th percentile",
        "constant velocity, median",
        "shuffled prompts, median",
    )
    rows = []
    for place in range(probe_m.shape[1]):
        known_m = inertia_m[:, place][np.isfinite(inertia_m[:, place])]
        hard_m = probe_m[sudden, place]
        rows.append(
            (
                f"{0.5 * (place + 1):g} s",
                f"{np.median(probe_m[:, place]):.3f} m",
                f"{np.quantile(hard_m, _SHOWN_SHARE / 100):.3f} m" if len(hard_m) else "-",
                f"{np.median(known_m):.3f} m" if len(known_m) else "-",
                f"{np.median(shuffled_m[:, place]):.3f} m",
            )
        )
    return (head, *rows)


AUDIT = Audit("Does the prompt hold its own answer?", _Leakage)
