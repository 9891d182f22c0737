"""Audits: each module here looks for one kind of fault in samples, whoever made them."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from impromptu.arrays import Floats

Severity = Literal["error", "warning", "note"]
SHOWN = 5
"""Examples of a finding."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file of samples.

    Attributes:
        name: As told to people.
        split: ``train``, ``val`` or ``test`` if its name says so, else empty.
        media_dir: The folder that image paths start from.
    """

    name: str
    split: str
    media_dir: str


@dataclass(frozen=True, slots=True)
class Image:
    """What is read of an image: its size and its first, middle and last bytes."""

    size: int
    head: bytes
    middle: bytes
    tail: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """One sample as it is, faults included.

    Attributes:
        number: Its place among all records of this audit, from 0.
        row: Its place in its file, from 1.
        task: ``q1`` ... ``q7``, ``planning``, ``waypoints`` for other trajectories, or empty.
        told_task: The id or the file's name says so; otherwise the answer's form does.
        log, clip: What it belongs to, by our ids or else by its first image.
        log_told: The log is read from the id.
        images: As written.
        paths: The same, from the media folder on and normalised; unique among files.
        shard: The images that came with it in a tar file; None outside of one.
        path_m: (n, 2) waypoints of the answer; none unless it is a trajectory.
        past_m: (m, 2) points in brackets of such a sample's prompt, the present one left out.
        motion: Dataset, prompt and answer of a drive that speeds up, brakes or turns anew on its
            way, and so is not met twice to the centimetre; empty for steady ones.
        faults: (reason, text) of everything that is not as ShareGPT wants it.
        readable: It has a prompt and an answer.
    """

    number: int
    row: int
    source: Source
    id: str
    task: str = ""
    told_task: bool = False
    log: str = ""
    log_told: bool = False
    clip: str = ""
    images: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    shard: Mapping[str, Image] | None = None
    prompt: str = ""
    answer: str = ""
    path_m: Floats | None = None
    past_m: Floats | None = None
    motion: str = ""
    faults: tuple[tuple[str, str], ...] = ()
    readable: bool = True

    @property
    def place(self) -> str:
        """Where to look: file, row and id."""
        return f"{self.source.name}: record {self.row}" + (f", {self.id}" if self.id else "")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found.

    Attributes:
        name: A stable snake_case name.
        text: What it is and what it means, with numbers and units.
        count, of: How many samples (or what the text says), of how many looked at.
        examples: Where to look; numbers are of records, still to be named.
        table: Rows of cells, the first one the head.
        figures: The same for machines.
    """

    severity: Severity
    name: str
    text: str
    count: int = 0
    of: int = 0
    examples: tuple[str | tuple[int, ...], ...] = ()
    table: tuple[tuple[str, ...], ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)


class Check(Protocol):
    """An audit under way."""

    def see(self, record: Record) -> None:
        """Take one record in."""

    def findings(self) -> Iterable[Finding]:
        """Say what was found in all of them."""


@dataclass(frozen=True, slots=True)
class Audit:
    """A kind of fault to look for.

    Attributes:
        title: What is asked, as a heading.
        start: Begins one run.
        reads_all: It is shown records without a prompt and an answer too.
    """

    title: str
    start: Callable[[], Check]
    reads_all: bool = False


class Tally:
    """Counts by name, with the first examples of each."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = defaultdict(int)
        self.examples: dict[str, list[str]] = defaultdict(list)
        self.seen = 0

    def add(self, name: str, record: Record, detail: str = "") -> None:
        """Count one, in a record."""
        self.counts[name] += 1
        if len(examples := self.examples[name]) < SHOWN:
            examples.append(f"{record.place}: {one_line(detail)}" if detail else record.place)

    def finding(
        self, severity: Severity, name: str, text: str, of: int | None = None
    ) -> list[Finding]:
        """Return a finding if there was any; ``{n}`` and ``{share}`` in the text are filled."""
        count, total = self.counts.get(name, 0), self.seen if of is None else of
        if not count:
            return []
        told = text.replace("{n}", f"{count:,}").replace("{share}", percent(count, total))
        return [Finding(severity, name, told, count, total, tuple(self.examples[name]))]


def graded(count: float, of: float) -> Severity:
    """Call a fault an error where it is of many samples, a warning where it is of a few.

    Every real log has a few odd moments; over 2 % the data is made wrongly.
    """
    return "error" if count > 0.02 * of else "warning"


def percent(count: float, of: float) -> str:
    """Write a share, never 0 % of something nor 100 % of less than all."""
    share = 100 * count / max(of, 1)
    if 0 < share < 0.1:
        return "under 0.1 %"
    return "over 99.9 %" if 99.9 < share < 100 else f"{share:.1f}".removesuffix(".0") + " %"


def one_line(text: str, longest: int = 120) -> str:
    """Make text fit for one line."""
    text = re.sub(r"\s+", " ", text[: 4 * longest]).strip()
    return text if len(text) <= longest else text[: longest - 3] + "..."
