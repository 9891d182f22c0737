"""The report on runs side by side: what was asked, the figures, what was lost, and pictures.

One self-contained HTML file, and a Markdown file with its pictures beside it. Neither holds a
date or a machine's paths, so the same runs give the same bytes.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from impromptu.files import atomic_writer
from impromptu.questions import Question
from impromptu.report import text
from impromptu.report.losses import losses
from impromptu.report.scenes import Role, Run, Scene, View, choose, view, wide_picture
from impromptu.report.tables import tables

__all__ = ["Role", "Run", "Scene", "choose", "write"]


def write(
    out: Path,
    title: str,
    commands: Sequence[str],
    runs: Sequence[Run],
    question: Question,
    scenes: Sequence[Scene],
    manifest: Mapping[str, Any],
) -> Path:
    """Write ``report.html``, and ``report.md`` with ``pictures/``; return the HTML file.

    ``pictures/wide.png`` is of the scene with the widest bend in view.

    Args:
        out: Folder to write into.
        title: Heading.
        commands: What a reader would type to get the same.
        runs: Their order gives them their colours; those that are pictured come first.
        question: What ``scenes`` are about; its answers are trajectories.
        scenes: Samples to show in full.
        manifest: What ``generation`` writes.

    Raises:
        AnswerError: The true answer of a scene cannot be read.
    """
    pictured = [run for run in runs if run.pictured]
    views = [view(scene, question, pictured) for scene in scenes]
    saved = _pictures(views)
    for name, content in saved.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(content)
    facts = {
        "title": title,
        "commands": commands,
        "runs": runs,
        "pictured": len(pictured),
        "tables": tables(runs),
        "losses": losses(manifest),
        "recipe": manifest["recipe"],
        "versions": manifest["versions"],
        "views": views,
        "pictures": saved,
    }
    environment = _environment()
    for name in ("report.md", "report.html"):
        with atomic_writer(out / name) as file:
            file.write(environment.get_template(f"{name}.jinja").render(facts))
    return out / "report.html"


def _pictures(views: Sequence[View]) -> dict[str, bytes]:
    """Return the pictures by their path in the report's folder."""
    saved = {}
    if (wide := wide_picture(views)) is not None:
        saved["pictures/wide.png"] = wide
    for number, one in enumerate(views, start=1):
        if one.front is not None:
            saved[f"pictures/{number:02d}_front.jpg"] = one.front
        saved[f"pictures/{number:02d}_above.png"] = one.above
    return saved


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("impromptu.report"),
        autoescape=select_autoescape(["html.jinja"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "cell": text.markdown_cell,
        "code": text.markdown_code,
        "fenced": text.fenced,
        "data_uri": text.data_uri,
        "metres": text.metres,
    }
    environment.globals["mark"] = text.mark
    return environment
