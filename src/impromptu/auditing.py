"""Audits samples: reads every file once, shows each record to every check, names what was found."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from impromptu import audits, plugins
from impromptu.audit_sources import File, count_batches, find_files, names_of, read
from impromptu.audits import SHOWN, Audit, Finding
from impromptu.progress import track

EXIT_CODES = {"error": 2, "warning": 1, "note": 0}
NOT_DONE = 3
"""The exit code where nothing was audited, so that a 2 means that an error was found."""

_ORDER = list(EXIT_CODES)
_FOREMOST = "leakage"


@dataclass(frozen=True, slots=True)
class Section:
    """What one audit found, the gravest first.

    Attributes:
        name: Of the audit.
        title: What it asks.
    """

    name: str
    title: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What all audits found, the gravest first.

    Attributes:
        files: Names of the files read.
        records: How many rows they have.
    """

    files: tuple[str, ...]
    records: int
    sections: tuple[Section, ...]

    def count(self, severity: str) -> int:
        """Return how many findings are of a severity."""
        return sum(f.severity == severity for s in self.sections for f in s.findings)

    @property
    def exit_code(self) -> int:
        """2 with an error, 1 with a warning, else 0."""
        codes = [EXIT_CODES[f.severity] for s in self.sections for f in s.findings]
        return max(codes, default=0)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        counts = {severity: self.count(severity) for severity in EXIT_CODES}
        return {
            "files": list(self.files),
            "records": self.records,
            "exit_code": self.exit_code,
            "counts": counts,
            "audits": {
                section.name: [asdict(finding) for finding in section.findings]
                for section in self.sections
            },
        }


def audit(
    inputs: Sequence[Path],
    names: Sequence[str] | None = None,
    media_dir: Path | None = None,
) -> Result:
    """Audit files of samples.

    Args:
        inputs: Files (JSON list, JSON lines, shard), or folders of them.
        names: Which audits; all of them by default.
        media_dir: Where image paths start; found by itself where it can be.

    Raises:
        FileNotFoundError: An input does not exist, or is a folder with nothing to read.
    """
    files = find_files(inputs)
    known = {name: plugins.load(audits, name, Audit) for name in names or plugins.names(audits)}
    checks = {name: (one, one.start()) for name, one in known.items()}
    sees = [(check.see, one.reads_all) for one, check in checks.values()]
    records, filled = 0, set[str]()
    for batch in track(read(files, media_dir), count_batches(files), "blocks", "audit"):
        records += len(batch)
        filled.update(record.source.name for record in batch[:1])
        for record in batch:
            for see, reads_all in sees:
                if record.readable or reads_all:
                    see(record)
    found = {name: list(check.findings()) for name, (_, check) in checks.items()}
    if "structure" in found:
        found["structure"] += _empty([name for name in names_of(files) if name not in filled])
    places = _places(files, media_dir, [f for findings in found.values() for f in findings])
    sections = [
        Section(name, known[name].title, _in_order(findings, places))
        for name, findings in found.items()
    ]
    sections.sort(key=lambda section: (_gravity(section), section.name != _FOREMOST))
    names_read = tuple(_printable(str(file.path)) for file in files)
    return Result(names_read, records, tuple(sections))


def _empty(names: Sequence[str]) -> list[Finding]:
    """Name the files without any record, which no check was shown."""
    if not names:
        return []
    text = f"{len(names):,} files hold no record, the first is {names[0]}."
    return [Finding("warning", "empty_file", text, len(names), examples=tuple(names[:SHOWN]))]


def named(
    findings: Sequence[Finding], files: Sequence[File], media_dir: Path | None = None
) -> tuple[Finding, ...]:
    """Return findings, the gravest first, with places for the numbers of their examples."""
    return _in_order(findings, _places(files, media_dir, findings))


def _gravity(section: Section) -> int:
    return min((_ORDER.index(finding.severity) for finding in section.findings), default=9)


def _in_order(findings: Sequence[Finding], places: Mapping[int, str]) -> tuple[Finding, ...]:
    named = [
        replace(
            finding,
            text=_printable(finding.text),
            examples=tuple(_printable(_place(one, places)) for one in finding.examples),
            table=tuple(tuple(map(_printable, row)) for row in finding.table),
        )
        for finding in findings
    ]
    return tuple(sorted(named, key=lambda finding: _ORDER.index(finding.severity)))


def _printable(text: str) -> str:
    """Return text that any file can hold: samples may hold halves of signs."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _place(example: str | tuple[int, ...], places: Mapping[int, str]) -> str:
    if isinstance(example, str):
        return example
    return " and ".join(places.get(number, f"record number {number}") for number in example)


def _places(
    files: Sequence[File], media_dir: Path | None, findings: Sequence[Finding]
) -> dict[int, str]:
    """Read the files once more, as far as needed, to name the records known by number only."""
    examples = [e for finding in findings for e in finding.examples if not isinstance(e, str)]
    wanted = {number for example in examples for number in example}
    places: dict[int, str] = {}
    if not wanted:
        return places
    for batch in read(files, media_dir):
        places |= {record.number: record.place for record in batch if record.number in wanted}
        if batch and batch[-1].number >= max(wanted):
            break
    return places
