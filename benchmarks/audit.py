"""Measure the audit: samples a second on one core, against plain json.load, and is memory flat?

python benchmarks/audit.py [--small 20000] [--large 200000] [--work build/benchmark_audit]

The samples are those of a miniature, repeated under other ids, with other numbers and images that
exist. Each run is a process of its own, made three times; the fastest counts.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from impromptu import miniature
from impromptu.cli import main as impromptu
from impromptu.files import write_json_list

REPEATS = 3
DATASETS = ("nuscenes", "kitti", "waymo")
AUDIT = "from impromptu.auditing import audit; from pathlib import Path; audit([Path(sys.argv[1])])"
LOAD = "import json; json.load(open(sys.argv[1], encoding='utf-8'))"
PEAK = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"


def main() -> None:
    """Write the samples, run, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", type=int, default=20_000)
    parser.add_argument("--large", type=int, default=200_000)
    parser.add_argument("--work", type=Path, default=Path("build/benchmark_audit"))
    args = parser.parse_args()
    samples = _samples(args.work)
    print("| samples | MB | audit, s | samples/s | peak MB | json.load, s | peak MB | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    for count in (args.small, args.large):
        path = args.work / f"{count}.json"
        if not path.exists():
            write_json_list(path, _repeated(samples, count))
        audit_s, audit_mb = min(_run(AUDIT, path) for _ in range(REPEATS))
        load_s, load_mb = min(_run(LOAD, path) for _ in range(REPEATS))
        print(
            f"| {count:,} | {path.stat().st_size / 1e6:,.0f} | {audit_s:.1f} | "
            f"{count / audit_s:,.0f} | {audit_mb:,.0f} | {load_s:.2f} | {load_mb:,.0f} | "
            f"{audit_s / load_s:.1f} |"
        )


def _samples(work: Path) -> list[dict[str, Any]]:
    """Return the answered samples of a miniature, their images from the work folder on."""
    raw, out = work / "miniature", work / "samples"
    if not raw.exists():
        miniature.write(raw, datasets=DATASETS, logs=4)
    if not out.exists():
        impromptu(["generate", "--data_raw", str(raw), "--out", str(out), "--workers", "1"])
    samples = [s for path in sorted(out.glob("*/q*.json")) for s in json.loads(path.read_text())]
    for sample in samples:
        sample["images"] = [str(Path(image).relative_to("..")) for image in sample["images"]]
    return samples


def _repeated(samples: list[dict[str, Any]], count: int) -> Iterator[dict[str, Any]]:
    """Yield samples again and again, each time of other logs and prompts."""
    for number in range(count):
        sample, again = samples[number % len(samples)], number // len(samples)
        user, assistant = (message["content"] for message in sample["messages"])
        yield {
            "id": re.sub(r"/", f"/{again}_", sample["id"], count=1),
            "images": sample["images"],
            "messages": [
                {"role": "user", "content": f"{user}\nClip {again}."},
                {"role": "assistant", "content": assistant},
            ],
        }


def _run(code: str, path: Path) -> tuple[float, float]:
    """Return seconds and peak MB of a process, the start of Python and imports included."""
    command = [sys.executable, "-c", f"import sys; {code}; {PEAK}", str(path)]
    began_s = time.monotonic()
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    return time.monotonic() - began_s, int(done.stdout.split()[-1]) / 1024


if __name__ == "__main__":
    main()
