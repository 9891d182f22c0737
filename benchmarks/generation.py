"""Measure generation: is memory flat, is time linear, do two workers help?

python benchmarks/generation.py [--small 1000] [--large 10000] [--work build/benchmark]

Each run is a process of its own; its peak memory is that of its largest process. Every run is made
three times and the fastest counts. The miniatures are written once and kept in the work folder.
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
    print("| workers | clips | s | clips/s | peak MB |\n|---|---|---|---|---|")
    for workers, seconds, clips, peak_mb in rows:
        rate = clips / seconds
        print(f"| {workers} | {clips:,} | {seconds:.1f} | {rate:,.0f} | {peak_mb:.0f} |")
    small, large, two = rows
    per_clip = (large[1] / large[2]) / (small[1] / small[2])
    print(f"\nmemory, large / small: {large[3] / small[3]:.2f}")
    print(f"time a clip, large / small: {per_clip:.2f}")
    print(f"two workers / one: {large[1] / two[1]:.2f} times as fast")


def _run(data_raw: Path, out: Path, workers: int) -> tuple[float, int, float]:
    """Return seconds, clips and peak MB of one generation."""
    shutil.rmtree(out, ignore_errors=True)
    code = (
        "import resource, sys; from impromptu.cli import main; code = main(sys.argv[1:]);"
        "use = [resource.getrusage(who).ru_maxrss for who in"
        " (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)];"
        "print('peak', max(use)); sys.exit(code)"
    )
    command = [sys.executable, "-c", code, "generate", "--data_raw", str(data_raw)]
    command += ["--out", str(out), "--workers", str(workers)]
    began_s = time.monotonic()
    done = subprocess.run(  # noqa: S603 - our own code
        command, check=True, capture_output=True, text=True, env=os.environ
    )
    seconds = time.monotonic() - began_s
    peak_kb = int(done.stdout.splitlines()[-1].split()[1])
    manifest = json.loads((out / "manifest.json").read_text())
    splits = [split for dataset in manifest["datasets"].values() for split in dataset.values()]
    return seconds, sum(split["clips"] for split in splits), peak_kb / 1024


if __name__ == "__main__":
    main()
