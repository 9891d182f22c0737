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

import numpy as np

from impromptu.arrays import Bools, Floats
from impromptu.audits import SHOWN, Audit, Finding, Record, Severity, Tally, one_line, percent
from impromptu.audits._leaks import LEAST, ROUNDINGS, Leak, judged, search
from impromptu.audits._numbers import NUMBER, Layout, Numbers
from impromptu.audits._probe import Errors, probe
from impromptu.clip import STEP_S

_COPIED = 30
_POINT = re.compile(r"\[\s*[-+.\d]")
_AXES = ("x", "y")
_FILES_TOLD = 12
_SPREAD = 0.9
_ROUNDED = 2.4
"""Roundings of a waypoint that a sum of some rounded numbers may be off by."""


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
            if body not in self.before.get(key, body):
                self.tally.add("answer_in_prompt", record, body)
        self.before[key] = record.prompt

    def findings(self) -> Iterator[Finding]:
        text = "LABEL LEAK: {n} prompts ({share}) hold their whole answer, letter by letter."
        yield from self.tally.finding("error", "answer_in_prompt", text)
        undecided = asked = 0
        for layout in self.numbers.layouts():
            leaks = search(layout)
            asked += len(layout.rows)
            undecided += 0 if leaks or judged(layout) >= LEAST else len(layout.rows)
            if leaks:
                yield _exact_finding(layout, leaks)
            yield from _probe_findings(layout)
        if undecided:
            text = (
                f"For {undecided:,} of {asked:,} chosen samples no verdict is possible: fewer than "
                f"{LEAST} with as many numbers in their prompts change their motion so suddenly "
                "that a leak could be told from inertia."
            )
            yield Finding("note", "undecided", text, undecided, asked)


def _body(answer: str) -> str:
    """Return an answer without its tags and without the words before its first point."""
    text = re.sub(r"^\s*<[^<>]{1,40}>|</[^<>]{1,40}>\s*$", "", answer).strip()
    point = _POINT.search(text)
    return text[point.start() :].strip() if point else text


def _exact_finding(layout: Layout, leaks: Sequence[Leak]) -> Finding:
    misses_m = [leak.miss_m(layout) for leak in leaks]
    first = leaks[0]
    exact = (misses_m[0] <= first.formula.exact) & first.sudden
    count, of = int(exact.sum()), int(first.sudden.sum())
    by_file = _by_file(layout, first.sudden, exact)
    text = (
        f"LABEL LEAK: {', '.join(map(_where, leaks))} can be computed from the numbers of the "
        f"prompt: {_where(first)} = {_formula(layout, first)}, with a median error of "
        f"{np.median(misses_m[0]):.3f} m. Of {of:,} samples whose motion changes suddenly "
        f"{count:,} ({percent(count, of)}) are exact to the printed digit"
        f"{_inertia(layout, first)}. By file: {_told_by_file(by_file)}."
    )
    figures = {
        "formulas": [_figures(layout, *pair) for pair in zip(leaks, misses_m, strict=True)],
        "by_file": by_file,
    }
    rows = [row for row, hit in zip(layout.rows, exact, strict=True) if hit]
    examples = tuple((row.number,) for row in rows[:SHOWN])
    table = _leak_table(layout, leaks, misses_m)
    return Finding("error", "exact_leak", text, count, of, examples, table, figures)


def _inertia(layout: Layout, leak: Leak) -> str:
    """Say how far constant velocity misses, if the past is told."""
    miss_m = np.abs(layout.path_m[:, 0] + layout.past_m[:, 0])[leak.sudden, leak.axis]
    if leak.waypoint or not np.isfinite(miss_m).any():
        return ""
    return f", where constant velocity misses by {np.nanmedian(miss_m):.2f} m (median)"


def _formula(layout: Layout, leak: Leak) -> str:
    """Write a formula, with the prompt's words before each of its numbers."""
    terms = [
        f"{weight:.3g} * {_around(layout.rows[0].prompt, int(layout.columns[column]))}"
        for column, weight in zip(leak.formula.columns, leak.formula.weights, strict=True)
    ]
    return " + ".join(terms)


def _where(leak: Leak) -> str:
    return f"{_AXES[leak.axis]} at {STEP_S * (leak.waypoint + 1):g} s"


def _around(prompt: str, column: int) -> str:
    """Return a number of a prompt after its words: ``number 40 ('Velocity: X [9.86]')``."""
    for place, found in enumerate(NUMBER.finditer(prompt)):
        if place == column:
            before = prompt[max(0, found.start() - 24) : found.start()]
            return f"number {column + 1} ('{one_line(before, 24)} [{found[0]}]')"
    return f"number {column + 1}"


def _figures(layout: Layout, leak: Leak, miss_m: Floats) -> dict[str, object]:
    return {
        "waypoint": leak.waypoint + 1,
        "axis": _AXES[leak.axis],
        "numbers": [int(layout.columns[column]) + 1 for column in leak.formula.columns],
        "weights": [round(weight, 4) for weight in leak.formula.weights],
        "median_m": float(np.median(miss_m)),
        "p99_m": float(np.quantile(miss_m, 0.99)),
    }


def _by_file(layout: Layout, sudden: Bools, exact: Bools) -> dict[str, tuple[int, int]]:
    """Return how many samples of each file are exact, and of how many."""
    sources = np.array([row.source for row in layout.rows])
    of, hit = Counter(sources[sudden].tolist()), Counter(sources[exact].tolist())
    return {name: (hit[name], of[name]) for name in sorted(of)}


def _told_by_file(by_file: dict[str, tuple[int, int]]) -> str:
    told = [f"{name} {hit:,} of {of:,}" for name, (hit, of) in by_file.items()]
    more = len(told) - _FILES_TOLD
    return ", ".join(told[:_FILES_TOLD]) + (f" and {more} more" if more > 0 else "")


def _leak_table(
    layout: Layout, leaks: Sequence[Leak], misses_m: Sequence[Floats]
) -> tuple[tuple[str, ...], ...]:
    head = ("waypoint", "is", "median error", "99th percentile", "exact")
    rows = [
        (
            _where(leak),
            _formula(layout, leak),
            f"{np.median(miss_m):.3f} m",
            f"{np.quantile(miss_m, 0.99):.3f} m",
            percent(int((miss_m <= leak.formula.exact).sum()), len(miss_m)),
        )
        for leak, miss_m in zip(leaks, misses_m, strict=True)
    ]
    return (head, *rows)


def _probe_findings(layout: Layout) -> Iterator[Finding]:
    errors = probe(layout.told, layout.path_m, layout.half == 0, seed=0)
    if errors is None:
        return
    surprises_m, _ = layout.surprises_m(0)
    # With enough numbers of the past a linear fit foretells even motion well; so it is judged
    # where inertia misses by far more, and by what rounding alone leaves.
    sudden = (surprises_m >= 3 * layout.sudden_m(ROUNDINGS[0]))[errors.held]
    count, limit_m = int(sudden.any(axis=1).sum()), _ROUNDED * layout.path_rounding_m
    exact = max(_exact_waypoints(errors.probe_m[..., i], sudden[:, i], limit_m) for i in (0, 1))
    median_m = np.median(np.linalg.norm(errors.probe_m, axis=2), axis=0)
    text = (
        f"A linear probe from the {len(layout.columns)} varying numbers of the prompt to the "
        f"waypoints, fitted on one half of the logs, misses the first waypoint by "
        f"{median_m[0]:.3f} m (median of {len(errors.probe_m):,} samples of the other half)"
    )
    if exact:
        text = (
            f"LABEL LEAK: {text}; where the motion changes suddenly, 90 % of its errors along x or "
            f"along y stay within {limit_m:.3f} m up to waypoint {exact}. Inertia cannot do it."
        )
    elif (sudden.sum(axis=0) >= 2 * LEAST).any():
        text += ". Where the motion changes suddenly its error grows, as inertia's does."
    else:
        text += (
            f". That proves nothing: only {count} of them change their motion so suddenly that a "
            f"leak could be told from inertia; {2 * LEAST} along one axis are needed."
        )
    figures = {"median_m": median_m.tolist(), "sudden": count, "exact_waypoints": exact}
    table = _probe_table(layout, errors, sudden)
    severity: Severity = "error" if exact else "note"
    name = "probe_leak" if exact else "probe"
    yield Finding(severity, name, text, count, len(sudden), (), table, figures)


def _exact_waypoints(errors_m: Floats, sudden: Bools, limit_m: float) -> int:
    """Return up to which waypoint nine of ten errors on sudden motion stay within a limit."""
    if sudden.sum() < 2 * LEAST:
        return 0
    spread_m = np.quantile(errors_m[sudden], _SPREAD, axis=0)
    return int((np.r_[spread_m, np.inf] > limit_m).argmax())


def _probe_table(layout: Layout, errors: Errors, sudden: Bools) -> tuple[tuple[str, ...], ...]:
    head = (
        "at",
        "probe, median",
        "probe, sudden motion, 90th percentile",
        "constant velocity, median",
        "shuffled prompts, median",
    )
    inertia_m = _constant_velocity_m(layout)[errors.held]
    probe_m = np.linalg.norm(errors.probe_m, axis=2)
    shuffled_m = np.linalg.norm(errors.shuffled_m, axis=2)
    hard = sudden.any(axis=1)
    rows = [
        (
            f"{STEP_S * (place + 1):g} s",
            _metres(probe_m[:, place], 0.5),
            _metres(probe_m[hard, place], _SPREAD),
            _metres(inertia_m[:, place], 0.5),
            _metres(shuffled_m[:, place], 0.5),
        )
        for place in range(probe_m.shape[1])
    ]
    return (head, *rows)


def _metres(errors_m: Floats, quantile: float) -> str:
    known_m = errors_m[np.isfinite(errors_m)]
    return f"{np.quantile(known_m, quantile):.3f} m" if len(known_m) else "-"


def _constant_velocity_m(layout: Layout) -> Floats:
    """Return (n, waypoints) errors of going on as in the last step; NaN where that is unknown."""
    steps = np.arange(1, layout.path_m.shape[1] + 1)[:, None]
    errors: Floats = np.linalg.norm(layout.path_m + steps * layout.past_m[:, :1], axis=2)
    return errors


AUDIT = Audit("Does the prompt hold its own answer?", _Leakage)
