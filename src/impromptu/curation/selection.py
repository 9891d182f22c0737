"""From labelled keyframes to the clips that are kept, and what became of every keyframe."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from impromptu.arrays import Floats, Ints
from impromptu.curation import label_table, taxonomy
from impromptu.curation.duplicates import same_image, same_place, within_quotas
from impromptu.curation.packs import FATE, FATES, judge
from impromptu.curation.recipe import CurationRecipe
from impromptu.files import atomic_bytes, atomic_writer

FATE_SCHEMA = pa.schema(
    [
        *(
            pa.field(name, pa.string(), nullable=False)
            for name in ("id", "dataset", "split", "log")
        ),
        pa.field("pack", pa.int32(), nullable=False),
        pa.field("fate", pa.string(), nullable=False),
        pa.field("instead", pa.string()),
        pa.field("categories", pa.list_(pa.string()), nullable=False),
        pa.field("agreement", pa.float64(), nullable=False),
    ]
)
"""``instead`` is the clip that stands for this one: that of its pack, or the one it repeats."""

_POSE = "world_x_m", "world_y_m", "world_yaw_rad"


@dataclass(slots=True)
class Selected:
    """What became of n keyframes, in the order of the rows of their files.

    Attributes:
        fate: (n,) places in ``packs.FATES``.
        pack: (n,) number in its log.
        named: (n,) categories as bits.
        agreement: (n,)
        instead: (n,) row of the keyframe that stands for it, else -1.
        ids: By row, of all keyframes that stand for their pack.
    """

    fate: Ints
    pack: Ints
    named: Ints
    agreement: Floats
    instead: Ints
    ids: Mapping[int, str]


def select(paths: Sequence[Path], recipe: CurationRecipe) -> Selected:
    """Judge every keyframe of some label tables.

    Raises:
        FileNotFoundError, ValueError: As ``label_table.logs_of`` and ``packs.judge`` say.
    """
    parts, best = list[tuple[Any, ...]](), list[pa.Table]()
    rows_before, logs_before = 0, 0
    for rows in label_table.logs_of(paths):
        judged = judge(rows, recipe)
        standing = np.flatnonzero(judged.fate == FATE["kept"])
        log = np.searchsorted(label_table.log_starts(rows), standing, side="right")
        kept = rows.select(["id", "dataset", *_POSE, "image_hash"]).take(standing)
        kept = kept.append_column("row", pa.array(standing + rows_before))
        best.append(kept.append_column("log", pa.array(log + logs_before)))
        instead = np.where(judged.stands_in < 0, -1, judged.stands_in + rows_before)
        named = taxonomy.bits(judged.named).astype(np.int8)
        kinds = np.int8, np.int32, np.int8, np.float32, np.int32
        values = judged.fate, judged.pack, named, judged.agreement, instead
        parts.append(tuple(one.astype(kind) for one, kind in zip(values, kinds, strict=True)))
        rows_before, logs_before = (
            rows_before + rows.num_rows,
            logs_before + len(label_table.log_starts(rows)),
        )
    if not rows_before:
        raise ValueError(f"{', '.join(map(str, paths)) or 'no table'}: no keyframes to select from")
    columns = [np.concatenate(one) for one in zip(*parts, strict=True)]
    candidates = pa.concat_tables(best).combine_chunks()
    row = candidates["row"].to_numpy()
    ids = dict(zip(row.tolist(), candidates["id"].to_pylist(), strict=True))
    fate, pack, named, agreement, instead = columns
    selected = Selected(fate, pack, named, agreement, instead, ids)
    _settle(selected, candidates, recipe)
    return selected


def _settle(selected: Selected, candidates: pa.Table, recipe: CurationRecipe) -> None:
    """Drop duplicates, and what is beyond the quotas, of the clips that stand for their packs.

    They are gone through from the most agreed on to the least; a number drawn by seed and id
    tells equals apart, so that the order of files and logs changes nothing.
    """
    row = candidates["row"].to_numpy()
    draw = np.array([drawn(name, recipe.seed) for name in candidates["id"].to_pylist()], np.uint64)
    agreed = np.rint(selected.agreement[row].astype(np.float64) * 1e6)
    candidates = candidates.take(np.lexsort((draw, -agreed)))
    names = candidates["dataset"].unique().to_pylist()
    candidates = _drop_images(selected, candidates, recipe)
    candidates = _drop_places(selected, candidates, recipe)
    row = candidates["row"].to_numpy()
    dataset = np.array([names.index(one) for one in candidates["dataset"].to_pylist()], np.int64)
    most = [[recipe.quota_of(name, one) for one in taxonomy.CATEGORIES] for name in names]
    limits = np.array([[np.inf if one is None else one for one in of] for of in most], float)
    named = (selected.named[row].astype(np.int64)[:, None] >> np.arange(len(taxonomy.NAMES))) & 1
    wanted = within_quotas(named.astype(bool), dataset, limits.reshape(-1, len(taxonomy.NAMES)))
    selected.fate[row[~wanted]] = FATE["over_quota"]


def drawn(name: str, seed: int) -> int:
    """Return a number below 2^64 for an id, as good as drawn."""
    return int.from_bytes(hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest())


def _drop_images(selected: Selected, candidates: pa.Table, recipe: CurationRecipe) -> pa.Table:
    if recipe.image_bits is None:
        return candidates
    known = np.flatnonzero(candidates["image_hash"].is_valid().to_numpy())
    hashed = candidates.take(known)
    hashes = hashed["image_hash"].to_numpy().astype(np.uint64).view(np.int64)
    repeats = same_image(label_table.codes(hashed["dataset"]), hashes, recipe.image_bits)
    return _without(selected, candidates, known, repeats, "same_image")


def _drop_places(selected: Selected, candidates: pa.Table, recipe: CurationRecipe) -> pa.Table:
    if recipe.near_m is None:
        return candidates
    pose = label_table.numbers(candidates, _POSE)
    known = np.flatnonzero(np.isfinite(pose).all(axis=1))
    log = np.unique(candidates["log"].to_numpy()[known], return_inverse=True)[1]
    repeats = same_place(log, pose[known], recipe.near_m, np.deg2rad(recipe.near_deg))
    return _without(selected, candidates, known, repeats, "same_place")


def _without(
    selected: Selected, candidates: pa.Table, known: Ints, repeats: Ints, fate: str
) -> pa.Table:
    """Note which of the known candidates repeat another of them; return the other candidates."""
    row, again = candidates["row"].to_numpy(), np.flatnonzero(repeats >= 0)
    selected.fate[row[known[again]]] = FATE[fate]
    selected.instead[row[known[again]]] = row[known[repeats[again]]]
    return candidates.take(np.setdiff1d(np.arange(len(row)), known[again]))


Counts = dict[tuple[str, str, int], int]
"""Keyframes by dataset, fate and categories as bits."""


def write_fates(
    path: Path, tables: Sequence[Path], selected: Selected, kept: Path, media_dir: Path | None
) -> Counts:
    """Write what became of every keyframe, a row group at a time, and the list of those kept.

    Args:
        path: The Parquet file of all keyframes.
        tables: The label tables that were selected from.
        selected: What came of it.
        kept: The JSON lines of the clips that are kept, by id; `impromptu review` reads them too.
        media_dir: Folder that the tables' images start from; None leaves images out of the list.
    """
    counts, lines, begin = Counts(), list[tuple[str, str]](), 0
    sets = [taxonomy.names(number) for number in range(1 << len(taxonomy.NAMES))]
    with atomic_bytes(path) as file, pq.ParquetWriter(file, FATE_SCHEMA, compression="zstd") as to:
        for rows in label_table.logs_of(tables):
            part = slice(begin, begin := begin + rows.num_rows)
            made = _fate_rows(rows, selected, part, sets)
            to.write_table(made)
            _count(counts, rows, selected, part)
            chosen = np.flatnonzero(selected.fate[part] == FATE["kept"])
            images = rows.column("image").take(chosen).to_pylist()
            for one, image in zip(made.take(chosen).to_pylist(), images, strict=True):
                shown = [os.path.relpath(media_dir / image, kept.parent)] if media_dir else None
                lines.append((one["id"], _line(one, shown)))
    with atomic_writer(kept) as text:
        text.writelines(line for _, line in sorted(lines))
    return counts


def _line(row: Mapping[str, Any], images: list[str] | None) -> str:
    wanted = {"id": row["id"]} | ({"images": images} if images else {})
    wanted |= {name: row[name] for name in ("categories", "agreement")}
    return json.dumps(wanted, ensure_ascii=False) + "\n"


def _fate_rows(
    rows: pa.Table, selected: Selected, part: slice, sets: Sequence[list[str]]
) -> pa.Table:
    of = [selected.ids.get(row) for row in selected.instead[part].tolist()]
    return pa.table(
        [
            *(rows[name] for name in ("id", "dataset", "split", "log")),
            pa.array(selected.pack[part]),
            pa.array(FATES).take(pa.array(selected.fate[part])),
            pa.array(of, pa.string()),
            pa.array(sets).take(pa.array(selected.named[part])),
            pa.array(np.round(selected.agreement[part].astype(np.float64), 6)),
        ],
        schema=FATE_SCHEMA,
    )


def _count(counts: Counts, rows: pa.Table, selected: Selected, part: slice) -> None:
    encoded = rows["dataset"].combine_chunks().dictionary_encode()
    keys = np.stack([encoded.indices.to_numpy(), selected.fate[part], selected.named[part]])
    for (dataset, fate, named), many in zip(*_tallied(keys), strict=True):
        key = encoded.dictionary[dataset].as_py(), FATES[fate], named
        counts[key] = counts.get(key, 0) + many


def _tallied(keys: Ints) -> tuple[list[list[int]], list[int]]:
    found, many = np.unique(keys, axis=1, return_counts=True)
    return found.T.tolist(), many.tolist()
