"""The figures of a report for other programs: one long table as CSV, and all of it as JSON."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impromptu.files import atomic_writer, write_json
from impromptu.report.runs import SampleFile

if TYPE_CHECKING:
    from impromptu.report import Section

_FIELDS = (
    "file", "question", "run", "role", "metric", "figure", "unit", "higher_is_better", "value",
    "low", "high", "asked", "read",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def write_csv(path: Path, sections: Sequence["Section"]) -> None:
    """Write a row for each run and figure; a figure that is 0 / 0 is empty.

    Text that a spreadsheet would take for a formula begins with an apostrophe.
    """
    with atomic_writer(path) as file:
        writer = csv.DictWriter(file, _FIELDS, lineterminator="\n")
        writer.writeheader()
        for section in sections:
            writer.writerows(_rows(section.file))


def _rows(file: SampleFile) -> Iterator[dict[str, Any]]:
    for entry in file.entries:
        of_run = {
            "file": _plain(file.name),
            "question": entry.result["question"],
            "run": _plain(entry.run.name),
            "role": entry.run.role,
            "asked": entry.result["asked"],
            "read": entry.result["read"],
        }
        for name, metric in entry.result["metrics"].items():
            for figure, value in metric["figures"].items():
                low, high = metric["intervals"].get(figure, (None, None))
                yield of_run | {
                    "metric": name,
                    "figure": figure,
                    "unit": metric["units"][figure],
                    "higher_is_better": str(metric["higher_is_better"]).lower(),
                    "value": value,
                    "low": low,
                    "high": high,
                }


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def write_json_tables(path: Path, sections: Sequence["Section"]) -> None:
    """Write what ``evaluation`` says of every run, verdicts, differences and published rows.

    Paths are told as names: of the file of samples as the report calls it.
    """
    write_json(path, {"files": [_section(section) for section in sections]})


def _section(section: "Section") -> dict[str, Any]:
    return {
        "file": section.file.name,
        "question": section.table.question,
        "runs": [
            {"run": entry.run.name, "role": entry.run.role, "about": entry.run.about}
            | _without_paths(entry.result)
            for entry in section.file.entries
        ],
        "verdicts": list(section.table.verdicts),
        "differences": [asdict(one) for one in section.differences],
        "published": [asdict(block) for block in section.published],
        "published_not_comparable": section.not_comparable,
    }


def _without_paths(result: Any) -> dict[str, Any]:
    kept = {key: value for key, value in result.items() if key not in ("gt", "pred")}
    return kept | {"clips": Path(result["clips"]).name if result["clips"] else None}
