"""The report on runs side by side: what was asked, the figures, what was lost, and pictures.

One self-contained HTML page, a Markdown page with its pictures beside it, and the tables alone as
Markdown, LaTeX, CSV and JSON. None holds a date or a machine's paths, so the same runs give the
same bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impromptu.files import atomic_bytes, atomic_writer
from impromptu.report import charts, confusion, export, published
from impromptu.report.accounts import Account
from impromptu.report.differences import Difference, differences
from impromptu.report.driven import COLUMNS, Driven
from impromptu.report.losses import losses
from impromptu.report.page import environment, script, security_policy
from impromptu.report.runs import Role, Run, SampleFile, sample_files
from impromptu.report.scenes import Scene, View, choose, question_of, view, wide_picture
from impromptu.report.tables import Table, table

__all__ = [
    "Account",
    "Driven",
    "Report",
    "Role",
    "Run",
    "SampleFile",
    "Scene",
    "build",
    "choose",
    "sample_files",
]


@dataclass(frozen=True, slots=True)
class Section:
    """All about one file of samples."""

    file: SampleFile
    table: Table
    differences: Sequence[Difference]
    charts: charts.Charts | None
    matrices: Sequence[confusion.Matrix]
    views: Sequence[View]
    published: Sequence[published.Block]
    not_comparable: str


@dataclass(frozen=True, slots=True)
class Report:
    """A report ready to be written in any of its forms.

    Attributes:
        facts: What the templates are given.
        pictures: Files that the Markdown page shows, by their path beside it.
    """

    facts: Mapping[str, Any]
    pictures: Mapping[str, bytes]

    def write_html(self, path: Path) -> None:
        """Write the page, self-contained."""
        self._render("report.html", path)

    def write_markdown(self, folder: Path) -> None:
        """Write ``report.md``, and ``pictures/`` that it shows.

        ``pictures/wide.png`` is of the scene with the widest bend in view.
        """
        for name, content in self.pictures.items():
            with atomic_bytes(folder / name) as file:
                file.write(content)
        self._render("report.md", folder / "report.md")

    def write_tables(self, folder: Path) -> list[Path]:
        """Write the tables alone: ``tables.md``, ``.tex``, ``.csv`` and ``.json``; return them."""
        for kind in ("md", "tex"):
            self._render(f"tables.{kind}", folder / f"tables.{kind}")
        export.write_csv(folder / "tables.csv", self.facts["sections"])
        export.write_json_tables(folder / "tables.json", self.facts["sections"])
        return [folder / f"tables.{kind}" for kind in ("md", "tex", "csv", "json")]

    def _render(self, template: str, path: Path) -> None:
        page = environment().get_template(f"{template}.jinja").render(self.facts)
        with atomic_writer(path) as file:
            file.write(page)


def build(
    title: str,
    runs: Sequence[Run],
    scenes: Mapping[Path, Sequence[Scene]],
    commands: Sequence[str] = (),
    manifest: Mapping[str, Any] | None = None,
    notes: Sequence[str] = (),
    driven: Driven | None = None,
    accounts: Sequence[Account] = (),
) -> Report:
    """Work out all that a report shows.

    Args:
        title: Heading.
        runs: Their order gives them their colours; those that are pictured come first.
        scenes: By file of samples, those of its samples that are shown in full.
        commands: What a reader would type to get the same.
        manifest: What ``generation`` writes; without it nothing is said of what was lost there.
        notes: What else a reader must know.
        driven: The closed loop; without it nothing is said of one.
        accounts: Further steps of the data engine, in their order.

    Raises:
        AnswerError: The true answer of a scene cannot be read.
    """
    sections = [
        _section(file, scenes.get(file.path, ()), f"f{number}")
        for number, file in enumerate(sample_files(runs), start=1)
    ]
    saved = _pictures([one for section in sections for one in section.views])
    facts = {
        "title": title,
        "commands": commands,
        "runs": runs,
        "drawn": frozenset(number for number, run in enumerate(runs) if run.pictured),
        "sections": sections,
        "notes": notes,
        "driven": driven,
        "driven_columns": list(COLUMNS.values()),
        "accounts": accounts,
        "losses": losses(manifest) if manifest else [],
        "recipe": manifest["recipe"] if manifest else None,
        "versions": manifest["versions"] if manifest else {},
        "pictures": saved,
        "security_policy": security_policy(),
        "script": script(),
    }
    return Report(facts, saved)


def _section(file: SampleFile, scenes: Sequence[Scene], salt: str) -> Section:
    question = question_of(file)
    why_not = published.not_comparable(file)
    return Section(
        file,
        table(file),
        differences(file),
        charts.charts(file, salt),
        confusion.matrices(file),
        [view(scene, question, file.entries) for scene in scenes],
        [] if why_not else published.blocks(file),
        why_not,
    )


def _pictures(views: Sequence[View]) -> dict[str, bytes]:
    """Return the pictures by their path in the report's folder."""
    saved = {}
    if (wide := wide_picture(views)) is not None:
        saved["pictures/wide.png"] = wide
    for number, one in enumerate(views, start=1):
        if one.front is not None:
            saved[f"pictures/{number:02d}_front.jpg"] = one.front
        if one.above is not None:
            saved[f"pictures/{number:02d}_above.png"] = one.above
    return saved
