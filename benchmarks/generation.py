"""Measure generation: is memory flat, is time linear, do two workers help?

python benchmarks/generation.py [--small 1000] [--large 10000] [--work build/benchmark]

Each run is a process of its own; its peak memory is that of its largest process. Every run is made
three times and the fastest counts. The miniatures are written once and kept in the work folder.

Beside other work seconds say little. What the main process does by itself, in seconds of CPU, says
how much faster two workers could be on cores of their own.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from impromptu import miniature

CLIPS_A_LOG = 40
REPEATS = 3


def main() -> None:
    """Write the miniatures, run, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", type=int, default=1_000)
    parser.add_argument("--large", type=int, default=10_000)
    parser.add_argument("--work", type=Path, default=Path("build/benchmark"))
    parser.add_argument("--dataset", default="nuscenes")
    args = parser.parse_args()
    rows = []
    for clips, workers in ((args.small, 1), (args.large, 1), (args.large, 2)):
        data_raw = args.work / f"{args.dataset}_{clips}"
        if not data_raw.exists():
            logs = clips // CLIPS_A_LOG
            miniature.write(data_raw, datasets=(args.dataset,), logs=logs, images=False)
        runs = [_run(data_raw, args.work / "out", workers) for _ in range(REPEATS)]
        rows.append((workers, *min(runs)))
    print("| workers | clips | s | clips/s | peak MB | CPU s, main | CPU s, workers |")
    print("|---" * 7 + "|")
    for workers, seconds, clips, peak_mb, main_s, workers_s in rows:
        rate = clips / seconds
        print(
            f"| {workers} | {clips:,} | {seconds:.1f} | {rate:,.0f} | {peak_mb:.0f} | "
            f"{main_s:.1f} | {workers_s:.1f} |"
        )
    small, large, two = rows
    per_clip = (large[1] / large[2]) / (small[1] / small[2])
    print(f"\nmemory, large / small: {large[3] / small[3]:.2f}")
    print(f"time a clip, large / small: {per_clip:.2f}")
    print(f"two workers / one: {large[1] / two[1]:.2f} times as fast")
    shared_s = two[4] + two[5] / 2
    print(f"by CPU time: {(large[4] + large[5]) / shared_s:.2f} times")


def _run(data_raw: Path, out: Path, workers: int) -> tuple[float, int, float, float, float]:
    """Return seconds, clips, peak MB, and seconds of CPU of the main process and its workers."""
    shutil.rmtree(out, ignore_errors=True)
    code = (
        "import resource, sys; from multiprocessing import forkserver;"
        "from impromptu.cli import main; code = main(sys.argv[1:]);"
        # Once the processes that the workers came out of has ended, it tells what they used.
        "forkserver._forkserver._stop();"
        "use = [resource.getrusage(who) for who in"
        " (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)];"
        "print(max(one.ru_maxrss for one in use),"
        " *(one.ru_utime + one.ru_stime for one in use)); sys.exit(code)"
    )
    command = [sys.executable, "-c", code, "generate", "--data_raw", str(data_raw)]
    command += ["--out", str(out), "--workers", str(workers)]
    began_s = time.monotonic()
    done = subprocess.run(  # noqa: S603 - our own code
        command, check=True, capture_output=True, text=True, env=os.environ
    )
    seconds = time.monotonic() - began_s
    peak_kb, main_s, workers_s = map(float, done.stdout.splitlines()[-1].split())
    manifest = json.loads((out / "manifest.json").read_text())
    splits = [split for dataset in manifest["datasets"].values() for split in dataset.values()]
    return seconds, sum(split["clips"] for split in splits), peak_kb / 1024, main_s, workers_s


if __name__ == "__main__":
    main()
