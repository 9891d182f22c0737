"""Measure a review: how long until the first page, and from a decision to the next item; memory.

python benchmarks/review.py [--labels 80000] [--decisions 100] [--work build/benchmark_review]

Labels of made-up clips that share a hundred images of 1600 x 900. A reviewer looks at each item
for a while, as people do; what counts is from sending a decision until the next page and its image
are here. The browser's own share is in the test that `docs/performance.md` names.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import Request, urlopen

from PIL import Image

from impromptu.taxonomy import NAMES

IMAGES = 100
LOOKS_S = 0.3


def main() -> None:
    """Write labels and images, review some, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labels", type=int, default=80_000)
    parser.add_argument("--decisions", type=int, default=100)
    parser.add_argument("--work", type=Path, default=Path("build/benchmark_review"))
    args = parser.parse_args()
    data = args.work / f"labels_{args.labels}"
    if not data.exists():
        _write(data, args.labels)
    shutil.rmtree(data / "review", ignore_errors=True)
    first_s, again_s = _start_s(data), _start_s(data)
    waits_ms, peak_mb = _review(data, args.decisions)
    waits_ms.sort()
    middle, late = waits_ms[len(waits_ms) // 2], waits_ms[int(len(waits_ms) * 0.95)]
    print("| labels | first start, s | next start, s | next item, ms: median | 95 % | most | MB |")
    print("|---|---|---|---|---|---|---|")
    row = f"| {args.labels:,} | {first_s:.1f} | {again_s:.1f} | {middle:.0f} | {late:.0f} "
    print(f"{row}| {waits_ms[-1]:.0f} | {peak_mb:.0f} |")


def _write(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    for number in range(IMAGES):
        Image.effect_noise((1600, 900), 40).convert("RGB").save(folder / f"{number}.jpg")
    drawn = random.Random(0)  # noqa: S311 - made-up data
    with (folder / "labels.jsonl").open("w") as file:
        for number in range(count):
            told = [name for name in NAMES if drawn.random() < 0.2]
            name = f"made/scene-{number // 40:04d}/{number:08d}"
            row = {"id": name, "images": [f"{number % IMAGES}.jpg"], "categories": told}
            file.write(json.dumps(row) + "\n")


def _serve(folder: Path) -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, "-m", "impromptu", "review", "--dir", str(folder)]
    server = subprocess.Popen(  # noqa: S603 - our own command
        [*command, "--reviewer", "Ada"], stdout=subprocess.PIPE, text=True
    )
    return server, (server.stdout or sys.stdin).readline().strip()


def _start_s(folder: Path) -> float:
    began_s = time.perf_counter()
    server, address = _serve(folder)
    _get(address)
    server.kill()
    server.wait()
    return time.perf_counter() - began_s


def _review(folder: Path, decisions: int) -> tuple[list[float], float]:
    server, address = _serve(folder)
    _get(address)
    origin, waits_ms = "/".join(address.split("/")[:3]), list[float]()
    for number in range(1, decisions + 1):
        time.sleep(LOOKS_S)
        began_s = time.perf_counter()
        sent = Request(f"{address}item/{number}", b"do=skip", {"Origin": origin})  # noqa: S310
        with urlopen(sent) as page:  # noqa: S310 - our own server
            page.read()
        _get(f"{address}view/{number + 1}/0")
        waits_ms.append(1000 * (time.perf_counter() - began_s))
    lines = Path(f"/proc/{server.pid}/status").read_text().splitlines()
    peak_mb = next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
    server.kill()
    server.wait()
    return waits_ms, peak_mb


def _get(address: str) -> None:
    with urlopen(address) as reply:  # noqa: S310 - our own server
        reply.read()


if __name__ == "__main__":
    main()
