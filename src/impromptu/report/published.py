"""Published figures of nuScenes planning, each in the convention it was computed in.

``published/nuscenes_l2.csv`` holds figures as printed, where they were first printed, and their
convention (docs/metrics.md says how it is known). One conversion is exact, and made: a row of
``l2_lightemma``, means within each second, gives that of ``l2_stp3``, means up to each second.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from impromptu.report.runs import Entry, SampleFile
from impromptu.report.text import number

COMPLETE, KEYFRAMES = 5_119, 6_019
"""nuScenes validation samples with a complete future of 3 s, and all of them."""
CONVENTIONS = ("l2_stp3", "l2_lightemma", "l2_openemma")
_FIGURES = ("1s", "2s", "3s", "avg")


@dataclass(frozen=True, slots=True)
class Printed:
    """A row of a published table.

    Attributes:
        values_m: At 1, 2, 3 s, and their average, as printed: to a hundredth.
        convention: A metric's name; ``unknown`` where the source does not tell.
    """

    method: str
    values_m: tuple[float, float, float, float]
    source: str
    convention: str


@dataclass(frozen=True, slots=True)
class Line:
    """A row to show: a run's (``source`` is empty), a printed one or a converted one.

    Attributes:
        samples: Of a run, over how many it is: a published row is over all, however answered.
    """

    method: str
    cells: Sequence[str]
    source: str = ""
    samples: str = ""
    converted_from: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """All rows of one convention, the runs' first."""

    convention: str
    lines: Sequence[Line]


def not_comparable(file: SampleFile) -> str:
    """Return why published rows cannot stand beside a file's figures; empty where they can."""
    asked = len(file.entries[0].evaluation.joined.answers)
    if file.task != "planning":
        return "the published figures are of the nuScenes planning set, this file is not"
    if asked not in (COMPLETE, KEYFRAMES):
        return (
            f"the published figures are over the {COMPLETE:,} validation samples of nuScenes with "
            f"complete futures (or all {KEYFRAMES:,}), this file has {asked:,}"
        )
    return ""


def blocks(file: SampleFile) -> list[Block]:
    """Return a block for each convention: the runs' figures in it, and what was printed in it."""
    others = sorted({row.convention for row in printed()} - set(CONVENTIONS))
    return [Block(name, list(_lines(file, name))) for name in (*CONVENTIONS, *others)]


def _lines(file: SampleFile, convention: str) -> Iterator[Line]:
    for entry in file.entries:
        if entry.run.role != "truth" and convention in entry.result["metrics"]:
            yield Line(entry.run.name, _cells(entry, convention), samples=_over(entry, convention))
    for row in printed():
        if row.convention == convention:
            yield Line(row.method, [f"{value:.2f}" for value in row.values_m], row.source)
    for row in printed() if convention == "l2_stp3" else ():
        if row.convention == "l2_lightemma":
            # Half a hundredth is rounded up, whichever way its nearest float lies.
            cells = [f"{value + 1e-9:.2f}" for value in to_stp3(row.values_m[:3])]
            yield Line(row.method, cells, row.source, converted_from=row.convention)


def _cells(entry: Entry, convention: str) -> list[str]:
    figures: Mapping[str, float | None] = entry.result["metrics"][convention]["figures"]
    return [number(figures.get(name), "m") for name in _FIGURES]


def _over(entry: Entry, convention: str) -> str:
    """Say over how many samples a run's figures are: those read, less what the rule leaves out."""
    figures: Mapping[str, float | None] = entry.result["metrics"][convention]["figures"]
    counted = entry.result["read"] - int(figures.get("left_out_count") or 0)
    return f"{counted:,} of {entry.result['asked']:,} samples"


def to_stp3(within_m: Sequence[float]) -> list[float]:
    """Turn means within seconds 1, 2, 3 into means up to 1, 2, 3 s, and the average of these."""
    up_to_m = [sum(within_m[:count]) / count for count in range(1, len(within_m) + 1)]
    return [*up_to_m, sum(up_to_m) / len(up_to_m)]


@cache
def printed() -> tuple[Printed, ...]:
    """Return the rows of the file, in its order."""
    text = files("impromptu.report").joinpath("published/nuscenes_l2.csv").read_text("utf-8")
    return tuple(_printed(row) for row in csv.DictReader(text.splitlines()))


def _printed(row: Mapping[str, str]) -> Printed:
    at_m = [float(row[f"l2_{name}_m"]) for name in _FIGURES]
    return Printed(
        row["method"], (at_m[0], at_m[1], at_m[2], at_m[3]), row["source"], row["convention"]
    )
