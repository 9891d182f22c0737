"""Writes what a teacher said of keyframes drawn from all of them, for people to check.

Conventional scenes are among them: in the clips that are kept nobody could see what a teacher
overlooks, and its recall would be told of what it found.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from impromptu.curation import label_table, taxonomy
from impromptu.curation.label_table import VOTES
from impromptu.curation.recipe import CurationRecipe
from impromptu.curation.selection import drawn
from impromptu.files import atomic_writer

PLACE = Path("to_review/labels.jsonl")
"""In the folder of a curation."""

ABOUT = 20_000
"""Drawn of more; `impromptu review` draws some hundred of these, evenly over the categories."""
_JUDGED = pa.array(["labelled", "conventional"])


def write(path: Path, tables: Sequence[Path], recipe: CurationRecipe, samples: Path) -> int:
    """Write the labels of keyframes that the teacher judged as JSON lines; return their number.

    A category is the teacher's where enough of a keyframe's own labels name it (``repeat_share``);
    neighbours and packs have no say. Each keyframe is as likely to be drawn as any other, so that
    shares among them are those of all.

    Args:
        path: The file.
        tables: The label tables.
        recipe: Its share and its seed.
        samples: Folder that the tables' images start from.
    """
    judged = sum(len(_judged(rows)) for rows in label_table.logs_of(tables))
    limit = (ABOUT << 64) // max(judged, ABOUT)
    media, count = os.path.relpath(samples, path.parent), 0
    with atomic_writer(path) as file:
        for rows in map(_judged, label_table.logs_of(tables)):
            labels = np.maximum(rows["labels"].to_numpy(), 1)[:, None]
            votes = label_table.numbers(rows, VOTES)
            named = taxonomy.bits((votes > 0) & (votes / labels >= recipe.repeat_share))
            told = zip(rows["id"].to_pylist(), rows["image"].to_pylist(), named, strict=True)
            lines = [
                _line(name, os.path.normpath(f"{media}/{image}"), int(bits))
                for name, image, bits in told
                if drawn(name, recipe.seed) < limit
            ]
            file.writelines(lines)
            count += len(lines)
    return count


def _judged(rows: pa.Table) -> pa.Table:
    return rows.filter(pc.and_(pc.is_in(rows["state"], _JUDGED), rows["image"].is_valid()))


def _line(name: str, image: str, named: int) -> str:
    row = {"id": name, "images": [image], "categories": taxonomy.names(named)}
    return json.dumps(row, ensure_ascii=False) + "\n"
