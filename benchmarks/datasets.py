"""Measure each dataset's reading: clips a second, bytes read and needed, peak memory.

python benchmarks/datasets.py [--datasets NAME ...] [--data_raw DIR] [--work build/benchmark]

Miniatures of one log, of eight for memory and of forty for speed, so that what a run takes besides
its logs hardly counts; or real data, whatever is there of it. They are written once. Each
measurement is a process of its own, which does its work once to warm up and then three times: the
fastest counts, in seconds of that process on a core. Linux only: bytes and memory are as /proc
tells them.
"""

import argparse
import contextlib
import io
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from impromptu import cli, datasets, miniature, plugins
from impromptu.clip import Clip
from impromptu.datasets import Dataset, Log, LogError
from impromptu.datasets._waymo_record import read_record

LOGS = 1, 8, 40
REPEATS = 3
HZ = 2.0
"""Of Mapillary SLS, which has no time: else it would give no futures."""
HEAD = (
    "| dataset | clips | agents a clip | adapter alone, clips/s | MB/s read | read, MB | of its "
    "files, MB | read / needed | all questions, clips/s | samples/s | peak MB, 1 log | "
    "peak MB, 8 logs |"
)


def main() -> None:
    """Measure each dataset in processes of its own, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", nargs="+", default=miniature.DATASETS)
    parser.add_argument("--data_raw", type=Path, help="real data; miniatures without it")
    parser.add_argument("--work", type=Path, default=Path("build/benchmark"))
    parser.add_argument("--child", choices=CHILDREN, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(CHILDREN[args.child](args.data_raw, args.datasets[0], args.work)))
        return
    base = _child("nothing", Path(), "waymo", args.work)["peak_mb"]
    print(f"A process that has imported the package and done nothing: {base:.0f} MB.\n\n{HEAD}")
    print("|---" * HEAD.count(" |") + "|")
    for name in args.datasets:
        one, eight, many = [args.data_raw] * 3
        if args.data_raw is None:
            one, eight, many = (_miniature(args.work, name, logs) for logs in LOGS)
        read, asked = (_child(what, many, name, args.work) for what in ("read", "ask"))
        peaks_mb = [
            (asked if few == many else _child("ask", few, name, args.work))["peak_mb"]
            for few in (one, eight)
        ]
        _row(name, read, asked, peaks_mb)


def _row(name: str, read: dict[str, Any], asked: dict[str, Any], peaks_mb: Sequence[float]) -> None:
    cells = (
        name,
        f"{read['clips']:,}",
        f"{read['agents'] / max(1, read['clips']):.1f}",
        f"{read['clips'] / read['seconds']:,.0f}",
        f"{read['read'] / read['seconds'] / 1e6:,.0f}",
        f"{read['read'] / 1e6:,.1f}",
        f"{read['files'] / 1e6:,.1f}",
        f"{read['read'] / read['needed']:.2f}",
        f"{asked['clips'] / asked['seconds']:,.0f}",
        f"{asked['samples'] / asked['seconds']:,.0f}",
        *(f"{peak_mb:.0f}" for peak_mb in peaks_mb),
    )
    print(f"| {' | '.join(cells)} |", flush=True)


def _miniature(work: Path, name: str, logs: int) -> Path:
    data_raw = work / f"{logs}_logs"
    if not (data_raw / name).exists():
        miniature.write(data_raw, datasets=(name,), logs=logs, images=False)
    return data_raw


def _child(what: str, data_raw: Path, name: str, work: Path) -> dict[str, Any]:
    """Measure in a fresh process: a forked one would inherit this one's peak."""
    flags = ["--child", what, "--data_raw", data_raw, "--datasets", name, "--work", work]
    command = [sys.executable, __file__, *map(str, flags)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own code
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _nothing(data_raw: Path, name: str, work: Path) -> dict[str, Any]:
    return {"peak_mb": _peak_mb()}


def _read(data_raw: Path, name: str, work: Path) -> dict[str, Any]:
    """Make all clips of a dataset and ask nothing."""
    dataset, scratch = plugins.load(datasets, name, Dataset), work / "scratch"
    counts: dict[str, Any] = {}

    def once() -> None:
        shutil.rmtree(scratch, ignore_errors=True)
        began = _bytes_read()
        logs = dataset.logs(data_raw / dataset.home, scratch)
        clips = [clip for log in logs for clip in _agents_of(dataset, log)]
        counts.update(clips=len(clips), agents=sum(clips), read=_bytes_read() - began)
        counts.update(_sizes(logs))

    counts["seconds"] = _fastest(once)
    return counts | {"peak_mb": _peak_mb()}


def _agents_of(dataset: Dataset, log: Log) -> list[int]:
    """Return how many agents each clip has; none of a log that cannot be read."""
    with contextlib.suppress(LogError):
        made = dataset.clips(replace(log, frames_hz=HZ))
        return [len(clip.observation.agents) for clip in made if isinstance(clip, Clip)]
    return []


def _sizes(logs: Any) -> dict[str, int]:
    """Return the bytes of the logs' files, images apart, and how many of them clips need.

    Of formats that are read whole that is all of it; of a Waymo record it is what stamps, poses,
    boxes and tracks' names take up.
    """
    sizes = {path: path.stat().st_size for log in logs for path in log.inputs if path.is_file()}
    records = [path for path in sizes if path.suffix == ".tfrecord"]
    kept = sum(map(_kept, records)) - sum(sizes[path] for path in records)
    files = sum(sizes.values())
    return {"files": files, "needed": files + kept}


def _kept(record: Path) -> int:
    segment = read_record(record)
    frames, labels = len(segment.stamps_ns), segment.labels
    names = sum(len(name.encode()) for name in labels.ids)
    return frames * (8 + 16 * 8) + names + labels.boxes.nbytes + 2 * len(labels.ids)


def _ask(data_raw: Path, name: str, work: Path) -> dict[str, Any]:
    """Generate all questions of a dataset."""
    out = work / "out"
    flags = f"generate --data_raw {data_raw} --out {out} --datasets {name} --workers 1"
    flags += f" --missing_images keep --mapillary_hz {HZ}"

    def once() -> None:
        shutil.rmtree(out, ignore_errors=True)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            cli.main(flags.split())

    seconds = _fastest(once)
    splits = list(json.loads((out / "manifest.json").read_text())["datasets"][name].values())
    clips = sum(split["clips"] for split in splits)
    samples = sum(sum(split["files"].values()) for split in splits)
    return {"seconds": seconds, "clips": clips, "samples": samples, "peak_mb": _peak_mb()}


def _fastest(work: Callable[[], None]) -> float:
    work()
    seconds = []
    for _ in range(REPEATS):
        began_s = time.process_time()
        work()
        seconds.append(time.process_time() - began_s)
    return min(seconds)


def _bytes_read() -> int:
    """Return the bytes that this process has asked the kernel for."""
    return int(Path("/proc/self/io").read_text().split()[1])


def _peak_mb() -> float:
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) / 1024


CHILDREN: dict[str, Callable[[Path, str, Path], dict[str, Any]]] = {
    "nothing": _nothing,
    "read": _read,
    "ask": _ask,
}

if __name__ == "__main__":
    main()
