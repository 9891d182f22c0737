"""Selects from the labels that there are, and writes what became of every keyframe."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from impromptu.curation import funnel, running
from impromptu.curation.recipe import CurationRecipe
from impromptu.curation.selection import select, write_fates
from impromptu.files import atomic_writer, write_json

FATES, KEPT, FUNNEL = "fates.parquet", "kept.jsonl", "funnel.json"


def choose(
    samples: Path | None, out: Path, recipe: CurationRecipe, made: Mapping[str, Any]
) -> dict[str, Any]:
    """Write the fates, the clips kept, and the funnel as JSON and as a page; return the funnel.

    Args:
        samples: Where images are relative to; None leaves them out of the list of clips.
        out: Holds the label table.
        recipe: Its rules.
        made: What else the funnel tells: who was asked, and what was lost.

    Raises:
        FileNotFoundError, ValueError: As ``selection.select`` says.
    """
    tables = [out / running.LABELS]
    counts = write_fates(out / FATES, tables, select(tables, recipe), out / KEPT, samples)
    told = {**made, "steps": funnel.steps(counts), "kept": funnel.kept(counts)}
    write_json(out / FUNNEL, told)
    with atomic_writer((out / FUNNEL).with_suffix(".md")) as file:
        file.write(funnel.markdown(told["steps"], told["kept"]))
    return told
