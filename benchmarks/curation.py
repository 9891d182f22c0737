"""How fast two million keyframes are selected from, and how well curation finds what is planted.

python benchmarks/curation.py [--keyframes N ...]
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Mapping
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from impromptu import clip_table, miniature
from impromptu.chat_server import served
from impromptu.cli import main as impromptu
from impromptu.curation import label_table
from impromptu.curation.packs import FATE, judge
from impromptu.curation.recipe import CurationRecipe
from impromptu.curation.selection import select, write_fates
from impromptu.miniature.teacher import MODEL, Teacher
from impromptu.miniature.unusual import Curator, plant
from impromptu.taxonomy import NAMES

_LOG, _GROUP = 400, 40_000


def made_up(path: Path, count: int) -> None:
    """Write labels of drives of 200 s: a scene every 50 s, and a teacher that errs."""
    rng = np.random.default_rng(0)
    with pq.ParquetWriter(path, label_table.SCHEMA, compression="zstd") as to:
        for begin in range(0, count, _GROUP):
            to.write_table(_rows(rng, np.arange(begin, min(begin + _GROUP, count))))


def _rows(rng: np.random.Generator, row: Any) -> Any:
    log, place = row // _LOG, row % _LOG
    scene, kind = place // 20 % 5 == 0, row // 20 % 4
    drawn = rng.choice(
        ["labelled", "conventional", "no_image", "not_labelled"], len(row), p=_SHARES
    )
    state = np.where(scene & (drawn == "conventional"), "labelled", drawn)
    labelled = state == "labelled"
    named = rng.binomial(3, np.where(scene, 0.85, 0.1)) * labelled
    hashes = rng.integers(0, 2**63, len(row)) >> (rng.random(len(row)) < 0.1) * 40
    columns = [
        [f"d{one % 8}/{one:05d}/{k:08d}" for one, k in zip(log, row, strict=True)],
        [f"d{one % 8}" for one in log],
        ["train"] * len(row),
        [f"{one:05d}" for one in log],
        place * 500_000_000,
        place * 4.0,
        rng.normal(size=len(row)),
        np.zeros(len(row)),
        ["front.jpg"] * len(row),
        state,
        (3 * labelled).astype(np.int32),
        *(np.where(kind == k, named, 0).astype(np.int32) for k in range(4)),
        pa.array(hashes.astype(np.uint64), mask=named == 0),
    ]
    return pa.table(columns, schema=label_table.SCHEMA)


_SHARES = (0.15, 0.84, 0.005, 0.005)


def select_one(count: int, folder: Path) -> None:
    """Select, and print seconds and megabytes."""
    path = folder / f"{count}.parquet"
    began_s = time.perf_counter()
    selected = select([path], CurationRecipe(quota=2000))
    selected_s = time.perf_counter() - began_s
    counts = write_fates(folder / "fates.parquet", [path], selected, folder / "kept.jsonl", folder)
    kept = sum(many for (_, fate, _), many in counts.items() if fate == "kept")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps([kept, selected_s, time.perf_counter() - began_s, peak_mb]))


def speed(counts: Collection[int]) -> None:
    """Print a table."""
    print("| keyframes | clips | selecting, s | with every fate written, s | peak MB |")
    print("|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        for count in counts:
            made_up(Path(folder, f"{count}.parquet"), count)
            command = [sys.executable, __file__, "--one", str(count), "--folder", folder]
            told = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
            kept, selected_s, whole_s, peak_mb = json.loads(told.stdout)
            print(f"| {count:,} | {kept:,} | {selected_s:.1f} | {whole_s:.1f} | {peak_mb:.0f} |")


def quality(mistaken: Collection[float]) -> None:
    """Print precision and recall of labels on miniatures, step by step, for some error rates."""
    names = ("nuscenes", "kitti", "argoverse2", "once", "idd", "waymo")
    print("\n| teacher's errors | | one label | labels agree | neighbours agree | clips kept |")
    print("|---:|---|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        miniature.write(folder / "raw", datasets=names, logs=6, images=False)
        samples = folder / "samples"
        _quietly("generate", "--data_raw", folder / "raw", "--out", samples, "--questions", "q4")
        tables = sorted((samples / "clips").glob("*.parquet"))
        truth = plant(one for table in tables for one in clip_table.read(table).ids)
        (folder / "r.yaml").write_text("image_bits: null\nnear_m: null\n")  # all one picture
        for share in mistaken:
            _print_quality(samples, folder / f"{share}", folder / "r.yaml", truth, share)


def _print_quality(
    samples: Path, out: Path, recipe: Path, truth: Mapping[str, tuple[str, ...]], share: float
) -> None:
    with served(Teacher({}, faults={}, curator=Curator(truth, share))) as url:
        told = ["--samples", samples, "--out", out, "--recipe", recipe]
        stages = ["--stages", "describe", "identify", "label", "select"]
        _quietly("curate", *told, "--base_url", url, "--model", MODEL, *stages)
    rows = pq.read_table(out / "labels.parquet")
    ids = rows["id"].to_pylist()
    planted = np.array([[name in truth[one] for name in NAMES] for one in ids])
    votes = label_table.numbers(rows, label_table.VOTES)
    labels = np.maximum(rows["labels"].to_numpy(), 1)[:, None]
    loose = CurationRecipe(neighbour_share=0.0)
    one = np.random.default_rng(0).random(votes.shape) < votes / labels
    believed = [one]
    for rules in (loose, CurationRecipe()):
        judged = judge(rows.combine_chunks(), rules)
        believed.append(
            judged.named & (np.isin(judged.fate, (FATE["kept"], FATE["not_best_of_pack"])))[:, None]
        )
    kept = [json.loads(line) for line in (out / "kept.jsonl").read_text().splitlines()]
    figures = [_figures(planted, one) for one in believed]
    figures.append(_of_clips(kept, truth))
    for place, what in enumerate(("precision", "recall")):
        shown = " | ".join(f"{of[place]:.3f}" for of in figures)
        print(f"| {share:.0%} | {what} | {shown} |")


def _figures(planted: Any, found: Any) -> tuple[float, float]:
    right = (planted & found).sum()
    return right / max(found.sum(), 1), right / max(planted.sum(), 1)


def _of_clips(kept: Any, truth: Mapping[str, tuple[str, ...]]) -> tuple[float, float]:
    """Return which part of the clips' categories is right, and of scenes is in any clip."""
    named = [(one["id"], name) for one in kept for name in one["categories"]]
    right = [pair for pair in named if pair[1] in truth[pair[0]]]
    scenes = {(one.rpartition("/")[0], name) for one, seen in truth.items() for name in seen}
    found = {(one.rpartition("/")[0], name) for one, name in right}
    return len(right) / max(len(named), 1), len(found) / max(len(scenes), 1)


def _quietly(*told: Any) -> None:
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()) as said:
        code = impromptu([str(one) for one in told])
    if code:
        raise SystemExit(said.getvalue()[-2000:])


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keyframes", type=int, nargs="*", default=[20_000, 200_000, 2_000_000])
    parser.add_argument("--one", type=int, help="select from so many and no more")
    parser.add_argument("--folder", type=Path)
    args = parser.parse_args()
    if args.one:
        select_one(args.one, args.folder)
        return
    if args.keyframes:
        speed(args.keyframes)
    quality((0.05, 0.15, 0.3))


if __name__ == "__main__":
    main()
