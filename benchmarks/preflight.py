"""Measures `impromptu preflight`'s reading: CPU time a sample, on one core, and memory by size.

python benchmarks/preflight.py [--small 10000] [--large 100000] [--work build/benchmark_preflight]

Samples are made up: as long as q1 to q7 on average, each with two images of eight hundred. CPU time
and memory are of a process that examines all of it by itself, LLaMA-Factory's parser left out.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from impromptu import tiny_model
from impromptu.conversation import registry_entry
from impromptu.files import write_json, write_json_list

IMAGES = 800
MEASURE = """
import resource, sys, time
from pathlib import Path
from impromptu.preflight.examine import Job
from impromptu.preflight.model import read_rules
from impromptu.preflight.plan import read_plan
from impromptu.preflight.reading import Reading
from impromptu.preflight.sources import find_sources
plan = read_plan(Path(sys.argv[1]))
rules = read_rules(plan, Path(plan.model_name_or_path))
reading = Reading(plan, find_sources(plan, None).datasets)
began = resource.getrusage(resource.RUSAGE_SELF)
reading.read(Job(rules, str(plan.images_from)), 1)
[list(check.findings()) for check in reading.checks.values()]
ended = resource.getrusage(resource.RUSAGE_SELF)
spent_s = ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime
print(len(reading.kept), spent_s, began.ru_maxrss / 1024, ended.ru_maxrss / 1024)
"""


def main() -> None:
    """Write the samples, run, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--large", type=int, default=100_000)
    parser.add_argument("--work", type=Path, default=Path("build/benchmark_preflight"))
    args = parser.parse_args()
    model = tiny_model.build(args.work / "model")
    _images(args.work / "images")
    print("| samples | MB | CPU, s | samples/s of CPU | MB before | peak MB |")
    print("|---|---|---|---|---|---|")
    for count in (args.small, args.large):
        path = _training(args.work, model, count)
        command = [sys.executable, "-c", MEASURE, str(path)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
        samples, spent_s, before_mb, peak_mb = map(float, done.stdout.split())
        size_mb = (args.work / f"{count}_train.json").stat().st_size / 1e6
        print(
            f"| {samples:,.0f} | {size_mb:,.0f} | {spent_s:.1f} | {samples / spent_s:,.0f} | "
            f"{before_mb:,.0f} | {peak_mb:,.0f} |"
        )


def _images(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(IMAGES):
        Image.new("RGB", (1_600, 900), (number % 256, 80, 80)).save(folder / f"{number}.jpg")


def _training(work: Path, model: Path, count: int) -> Path:
    entries = {}
    for split, rows in (("train", count), ("val", count // 20)):
        name = f"{count}_{split}"
        write_json_list(work / f"{name}.json", _samples(split, rows))
        entries[name] = registry_entry(f"{name}.json")
    write_json(work / "dataset_info.json", entries)
    plan: dict[str, Any] = {"model_name_or_path": str(model), "dataset": f"{count}_train"}
    plan |= {"dataset_dir": str(work), "template": "qwen2_vl", "image_max_pixels": 262_144}
    path = work / f"{count}.yaml"
    path.write_text(json.dumps(plan), encoding="utf-8")
    return path


def _samples(split: str, count: int) -> Iterator[dict[str, Any]]:
    words = "The car ahead is at [12.34, -1.20] m and moves at 7.5 m/s. " * 10
    for number in range(count):
        images = [f"images/{(2 * number + k) % IMAGES}.jpg" for k in range(2)]
        path = ", ".join(f"[{k * (1 + number % 9)}.25, {number % 7}.50]" for k in range(10))
        yield {
            "id": f"made_up/{split}_{number // 40}/{number}/q7",
            "images": images,
            "messages": [
                {"role": "user", "content": f"<image>\n<image>\n{words}Clip {number}."},
                {"role": "assistant", "content": f"<PLANNING>{path}</PLANNING>"},
            ],
        }


if __name__ == "__main__":
    main()
