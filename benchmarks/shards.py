"""Measure released shards -> training files, from unpacked folders and from tar files.

python benchmarks/shards.py [--samples 80000] [--tar_samples 2000] [--work build/benchmark_shards]

Every sample has 21 small files with texts as long as real ones, and six images. Images of folders
are one empty file linked under every name: they are never opened. Those of tar files have the size
of real ones. Beside it, on the same files: one Python process that opens each text with ``open``,
and ``tar -xf``. The machine may be busy, so both wall and CPU seconds are told.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

VIEWS = ("front", "front_right", "front_left", "back", "back_left", "back_right")
SHOWN = {"q1": 1, "q2": 1, "q3": 6, "q4": 1, "q5": 1, "q6": 6, "q7": 3}
DATASETS = 8
IN_A_SHARD = 500
IMAGE_BYTES = 150_000
STEPS = {
    "organize": ["data-organize", "--out"],
    "format": ["format", "--data_root"],
    "merge": ["merge-data", "--data_root"],
}


def main() -> None:
    """Write the shards, run, and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=80_000)
    parser.add_argument("--tar_samples", type=int, default=2_000)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--work", type=Path, default=Path("build/benchmark_shards"))
    args = parser.parse_args()
    _folders(args.work / "folders", args.samples)
    _measure_folders(args.work, args.samples, args.workers)
    tars = _tars(args.work / "tars", args.tar_samples)
    _measure_tars(args.work, tars, args.tar_samples)


def _measure_folders(work: Path, samples: int, workers: int) -> None:
    root, out = work / "folders", work / "data"
    print(f"| {samples:,} samples in folders | s | CPU s | samples/s | samples a CPU s | peak MB |")
    print("|---|---|---|---|---|---|")
    shutil.rmtree(out, ignore_errors=True)
    _row("`open` of every text, one process", samples, lambda: _open_all(root))
    began_s, began_cpu_s, peak_mb = time.monotonic(), _children_s(), 0.0
    for step, (command, flag) in STEPS.items():
        more = ["--data_root", str(root)] if step == "organize" else []
        argv = [command, *more, flag, str(out), "--split", "train", "--workers", str(workers)]
        peak_mb = max(peak_mb, _row(step, samples, lambda argv=argv: _impromptu(argv)))  # type: ignore[misc]
    _print("all three", samples, time.monotonic() - began_s, _children_s() - began_cpu_s, peak_mb)


def _measure_tars(work: Path, tars: list[Path], samples: int) -> None:
    size_mb = sum(path.stat().st_size for path in tars) / 1e6
    print(f"\n| {samples:,} samples in {len(tars)} tar files, {size_mb:,.0f} MB | s | CPU s |")
    print("|---|---|---|")
    for again in range(3):
        unpacked, out = work / "unpacked", work / "from_tar"
        for folder in (unpacked, out):
            shutil.rmtree(folder, ignore_errors=True)
        unpacked.mkdir(parents=True)
        subprocess.run(["sync"], check=True)  # noqa: S607
        _tar_row(f"`tar -xf`, {again + 1}", lambda folder=unpacked: _unpack(tars, folder))  # type: ignore[misc]
        subprocess.run(["sync"], check=True)  # noqa: S607
        argv = ["data-organize", "--data_root", str(work / "tars"), "--out", str(out)]
        argv += ["--split", "train", "--workers", "1"]
        _tar_row(f"organize, one worker, {again + 1}", lambda argv=argv: _impromptu(argv))  # type: ignore[misc]


def _row(name: str, samples: int, work: Callable[[], float]) -> float:
    began_s, began_cpu_s = time.monotonic(), _children_s()
    own_s = time.process_time()
    peak_mb = work()
    cpu_s = _children_s() - began_cpu_s + time.process_time() - own_s
    _print(name, samples, time.monotonic() - began_s, cpu_s, peak_mb)
    return peak_mb


def _print(name: str, samples: int, wall_s: float, cpu_s: float, peak_mb: float) -> None:
    rates = f"{samples / wall_s:,.0f} | {samples / cpu_s:,.0f}"
    print(f"| {name} | {wall_s:.1f} | {cpu_s:.1f} | {rates} | {peak_mb:,.0f} |", flush=True)


def _tar_row(name: str, work: Callable[[], object]) -> None:
    began_s, began_cpu_s = time.monotonic(), _children_s()
    work()
    print(f"| {name} | {time.monotonic() - began_s:.2f} | {_children_s() - began_cpu_s:.2f} |")


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _impromptu(argv: list[str]) -> float:
    """Run a command in a process of its own; return the largest process's peak in MB."""
    code = (
        "import resource, sys; from impromptu.cli import main; rc = main(sys.argv[1:]); "
        "both = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN; "
        "print(max(resource.getrusage(one).ru_maxrss for one in both)); sys.exit(rc)"
    )
    command = [sys.executable, "-c", code, *argv]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    return int(done.stdout.split()[-1]) / 1024


def _unpack(tars: list[Path], folder: Path) -> None:
    for path in tars:
        inside = folder / path.stem
        inside.mkdir()
        subprocess.run(["tar", "-xf", str(path), "-C", str(inside)], check=True)  # noqa: S603, S607


def _open_all(root: Path) -> float:
    """Read every text as a plain script would."""
    for folder in sorted(root.glob("*/*")):
        for idx in sorted({name.partition(".")[0] for name in os.listdir(folder)}):
            for task in SHOWN:
                with open(folder / f"{idx}.{task}_images.json", encoding="utf-8") as file:
                    json.load(file)
                for part in ("question", "answer"):
                    with open(folder / f"{idx}.{task}_{part}.txt", encoding="utf-8") as file:
                        file.read().strip()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _texts(idx: int) -> Iterator[tuple[str, str]]:
    """Yield names and contents of a sample's 21 texts, about as long as real ones."""
    points = ", ".join(f"[{idx % 7 + 2.5 * at:.2f}, {0.01 * at:.2f}]" for at in range(1, 11))
    answers = {
        "q1": "No, I don't see any vulnerable road users within 20 meters ahead of me.",
        "q2": "\n".join(f"Object {at}: KEEP, STRAIGHT" for at in range(1, 5)),
        "q3": "The lane ahead is free and the light is green, so the car keeps its speed." * 2,
        "q4": "None",
        "q5": "An urban street in daylight, dry road, cars parked to the right. " * 5,
        "q6": "KEEP,STRAIGHT",
        "q7": f"The car will be there. The output is formatted as [x, y]: {points}",
    }
    for task, count in SHOWN.items():
        headers = "".join(f"<{view.upper()} VIEW>:\n<image>\n" for view in VIEWS[:count])
        yield f"{task}_images.json", json.dumps(VIEWS[:count])
        yield f"{task}_question.txt", headers + f"What is there, in sample {idx}? " * 20
        yield f"{task}_answer.txt", answers[task]


def _shards(samples: int) -> Iterator[tuple[str, range]]:
    for number, first in enumerate(range(0, samples, IN_A_SHARD)):
        name = f"dataset{number % DATASETS}/shard_train_{number:06d}"
        yield name, range(first, min(first + IN_A_SHARD, samples))


def _folders(root: Path, samples: int) -> None:
    """Write unpacked shards, if they are not there."""
    if (root / "done").exists():
        return
    image = root / "image"
    root.mkdir(parents=True, exist_ok=True)
    for name, idxs in _shards(samples):
        image.unlink(missing_ok=True)  # a file takes 65,000 links at most
        image.touch()
        folder = root / name
        folder.mkdir(parents=True, exist_ok=True)
        for idx in idxs:
            for end, text in _texts(idx):
                (folder / f"{idx:08d}.{end}").write_text(text, encoding="utf-8")
            for view in VIEWS:
                os.link(image, folder / f"{idx:08d}.{view}.jpg")
    (root / "done").touch()


def _tars(root: Path, samples: int) -> list[Path]:
    """Write tar shards with images that do not compress, if they are not there."""
    noise = os.urandom(IMAGE_BYTES * 2)
    paths = []
    for name, idxs in _shards(samples):
        path = root / f"{name}.tar"
        paths.append(path)
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
            for idx in idxs:
                files = {end: text.encode() for end, text in _texts(idx)}
                files |= {
                    f"{view}.jpg": noise[(start := 97 * idx + at) : start + IMAGE_BYTES]
                    for at, view in enumerate(VIEWS)
                }
                for end, content in sorted(files.items()):
                    info = tarfile.TarInfo(f"{idx:08d}.{end}")
                    info.size = len(content)
                    archive.addfile(info, BytesIO(content))
    return paths


if __name__ == "__main__":
    main()
