"""Measure the explorer: how long until a first page, the whole index, each kind of page; memory.

python benchmarks/view.py [--samples 200000] [--work build/benchmark]

The samples are made up, with the prompts' usual length: a quarter each of q2, q6, q7 and planning,
and one run's predictions for the last two. Each page is asked for three times; the slowest counts.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from impromptu.conversation import Sample, registry_entry
from impromptu.files import write_json, write_json_list

TASKS = {"q2": 0, "q6": 0, "q7": 10, "planning": 6}
PAGES = {
    "first page": "",
    "last page": "?page=999999999",
    "filter": "?dataset=made&question=q6&speed=KEEP&path=STRAIGHT",
    "search": "?text=scene-0123+crossing",
    "clips": "?by=clip",
    "worst errors": "?run=predictions&order=error",
    "a sample": "sample/{middle}",
    "a sample by error": "sample/{last}?run=predictions&order=error",
}


def main() -> None:
    """Write the samples, start the explorer twice, and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=200_000)
    parser.add_argument("--work", type=Path, default=Path("build/benchmark"))
    args = parser.parse_args()
    data = args.work / f"view_{args.samples}"
    if not data.exists():
        _write(data, args.samples)
    cache = args.work / "view_cache"
    shutil.rmtree(cache, ignore_errors=True)
    size_mb = sum(path.stat().st_size for path in data.rglob("*.json*")) / 1e6
    print(f"{args.samples:,} samples, {size_mb:.0f} MB\n\n| | s |\n|---|---|")
    cold, address = _start(data, cache)
    try:
        began_s = time.monotonic()
        _tell(
            "first page, nothing indexed yet (from the command on)", cold.waited_s + _get(address)
        )
        while "so far" in _read(address):
            time.sleep(0.2)
        _tell("whole index", time.monotonic() - began_s)
    finally:
        cold.stop()
    warm, address = _start(data, cache)
    try:
        _tell("first page of a later start (from the command on)", warm.waited_s + _get(address))
        places = {"middle": args.samples // 2, "last": args.samples - 10}
        for name, page in PAGES.items():
            _tell(name, max(_get(address + page.format(**places)) for _ in range(3)))
        print(f"\npeak MB: {cold.peak_mb:.0f} indexing, {warm.memory_mb():.0f} browsing")
        index_mb = sum(path.stat().st_size for path in cache.iterdir()) / 1e6
        print(f"index MB: {index_mb:.0f}")
    finally:
        warm.stop()


class _Explorer:
    """A running ``impromptu view``."""

    def __init__(self, data: Path, cache: Path) -> None:
        began_s = time.monotonic()
        command = [sys.executable, "-m", "impromptu", "view", str(data / "samples")]
        command += ["--predictions", str(data / "predictions"), "--cache", str(cache)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603
        self.address = (self.process.stdout or sys.stdin).readline().strip()
        self.waited_s = time.monotonic() - began_s
        self.peak_mb = 0.0

    def memory_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return float(status.partition("VmHWM:")[2].split()[0]) / 1024

    def stop(self) -> None:
        self.peak_mb = self.memory_mb()
        self.process.terminate()
        self.process.wait()


def _start(data: Path, cache: Path) -> tuple[_Explorer, str]:
    explorer = _Explorer(data, cache)
    return explorer, explorer.address


def _read(address: str) -> str:
    with urlopen(address) as page:  # noqa: S310 - our own server
        return str(page.read().decode())


def _get(address: str) -> float:
    began_s = time.monotonic()
    _read(address)
    return time.monotonic() - began_s


def _tell(what: str, seconds: float) -> None:
    print(f"| {what} | {seconds:.2f} |", flush=True)


def _write(data: Path, samples: int) -> None:
    chance = random.Random(0)  # noqa: S311 - made-up data
    registry = {}
    for task, waypoints in TASKS.items():
        rows = [sample.to_sharegpt() for sample in _samples(task, waypoints, samples // 4, chance)]
        write_json_list(data / "samples" / "made" / f"{task}_val.json", rows)
        registry[f"made_{task}_val"] = registry_entry(f"made/{task}_val.json")
        if waypoints:
            said = [
                {"id": row["id"], "predict": _path(waypoints, chance), "label": ""} for row in rows
            ]
            _write_lines(data / "predictions" / f"{task}.jsonl", said)
    write_json(data / "samples" / "dataset_info.json", registry)


def _write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def _samples(task: str, waypoints: int, count: int, chance: random.Random) -> Iterator[Sample]:
    words = "car crossing cyclist bus parked ahead left right slowly light green crane".split()
    for number in range(count):
        clip = f"made/scene-{number // 40:04d}/{number:08x}"
        told = " ".join(chance.choices(words, k=130)) + f" at {chance.random() * 15:.2f} m/s"
        answer = _path(waypoints, chance) if waypoints else _action(task, chance)
        images = tuple(f"../raw/{clip}/{view}.jpg" for view in range(3))
        yield Sample(f"{clip}/{task}", images, "<image>\n" * 3 + told, answer)


def _path(count: int, chance: random.Random) -> str:
    speed_mps = chance.random() * 15
    points = [(speed_mps * k / 2, chance.random()) for k in range(1, count + 1)]
    return f"<PLANNING>{', '.join(f'[{x:.2f}, {y:.2f}]' for x, y in points)}</PLANNING>"


def _action(task: str, chance: random.Random) -> str:
    speed = chance.choice(("KEEP", "ACCELERATE", "DECELERATE", "STOP"))
    path = chance.choice(("STRAIGHT", "LEFT_TURN", "RIGHT_TURN"))
    if task == "q6":
        return f"<SPEED PATH PLAN>{speed},{path}</SPEED PATH PLAN>"
    return f"Object 1: {speed}, {path}"


if __name__ == "__main__":
    main()
