"""Scores as text for a terminal: figures, then policies side by side, then groups."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from impromptu import metrics, plugins
from impromptu.metrics import Metric

_SHOWN = 3
_COUNTS = ("asked", "answered", "missing", "read", "unreadable")
Result = Mapping[str, Any]


def lines(result: Result) -> Iterator[str]:
    """Yield the lines about one pair of files."""
    yield f"{result['task']}  {result['question']}: {result['pred']}"
    yield from _losses(result)
    if result["note"]:
        yield f"  {result['note']}"
    yield from _figures(result)
    yield from _policies(result)
    yield from _groups(result)
    for remark in result["remarks"]:
        yield f"  {remark}"


def number(value: float | None, unit: str) -> str:
    """Write a figure to four decimals, a count as an integer."""
    if value is None:
        return "none (0 / 0)"
    return f"{value:.0f}" if unit == "count" else f"{value:.4f}"


def _losses(result: Result) -> Iterator[str]:
    if result["preset"]:
        yield f"  true answers and prompts of the {result['preset']} preset"
    by_order = result["joined_by"] != "id"
    yield (
        "  "
        + ", ".join(f"{result[name]} {name}" for name in _COUNTS)
        + ("; joined by order, the predictions have no ids" if by_order else "")
    )
    if result["masks"]:
        masks = ", ".join(f"{count} {name}" for name, count in result["masks"].items())
        yield f"  of the split: {masks}"
    for name, what in (("extra", "nobody asked for"), ("repeated", "given more than once")):
        if result[name]:
            yield f"  {result[name]} predictions {what}"
    if result["missing_ids"]:
        yield f"  missing, first: {', '.join(result['missing_ids'])}"
    if result["unreadable_reasons"]:
        reasons = (f"{count} {reason}" for reason, count in result["unreadable_reasons"].items())
        yield f"  unreadable: {', '.join(reasons)}"
    for example in result["unreadable_examples"][:_SHOWN]:
        yield f"  unreadable: {example['id']}: {example['why']}"


def _figures(result: Result) -> Iterator[str]:
    bootstrap = result["bootstrap"]
    if any(metric["intervals"] for metric in result["metrics"].values()):
        yield (
            f"  [low, high]: {bootstrap['level']:.0%} intervals over {bootstrap['clusters']} logs, "
            f"{bootstrap['resamples']} draws, seed {bootstrap['seed']}"
        )
    for name, metric in result["metrics"].items():
        yield f"  {name}  ({metric['convention']})"
        for figure, value in metric["figures"].items():
            unit, ends = metric["units"][figure], metric["intervals"].get(figure)
            interval = f"  [{ends[0]:.4f}, {ends[1]:.4f}]" if ends else ""
            yield f"    {figure:<28} {number(value, unit):>12} {unit}{interval}".rstrip()


def _policies(result: Result) -> Iterator[str]:
    """Show what becomes of each metric's one figure; nothing where no answer was lost."""
    policies = result["policies"]
    if not policies or not (result["unreadable"] or result["missing"]):
        return
    names = list(dict.fromkeys(name for one in policies.values() for name in one["figures"]))
    headlines = {name: plugins.load(metrics, name, Metric).headline for name in names}
    yield "  answers that could not be read, by policy"
    rows = [
        [policy, str(one["samples"]), *(_cell(one["figures"].get(n), headlines[n]) for n in names)]
        for policy, one in policies.items()
    ]
    yield from _table(["policy", "samples", *(f"{n}.{headlines[n]}" for n in names)], rows)
    for policy, one in policies.items():
        yield f"    {policy}: {one['convention']}"


def _groups(result: Result) -> Iterator[str]:
    names = list(result["metrics"])
    headlines = {name: result["metrics"][name]["headline"] for name in names}
    for dimension, groups in result["breakdown"].items():
        rows = [
            [group, str(one["samples"]), *(_cell(one["figures"][n], headlines[n]) for n in names)]
            for group, one in groups.items()
        ]
        yield f"  by {dimension}"
        yield from _table([dimension, "samples", *(f"{n}.{headlines[n]}" for n in names)], rows)


def _cell(figures: Mapping[str, float | None] | None, figure: str) -> str:
    value = (figures or {}).get(figure)
    return "-" if value is None else f"{value:.4f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield lines of columns, the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        first, *others = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        yield "    " + "  ".join([first.strip().ljust(widths[0]), *others])
