"""Measure a Waymo record of real size: reading against parsing, extraction against copying.

python benchmarks/waymo.py [--record FILE] [--work build/benchmark]

Without a record one of 198 frames is made up: 2.2 MB of images, 2.5 MB of lidar and 75 boxes each.
Its frames are parsed whole where the messages are installed, beside protobuf:
pip install protobuf && pip install --no-deps waymo-open-dataset-tf-2-12-0==1.6.7
Each runs in a process of its own, on a file that the kernel holds in memory, and on one that it
has to fetch. Linux only: bytes are as /proc tells them.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from impromptu.arrays import Floats
from impromptu.clip import Camera
from impromptu.datasets._waymo_record import read_record
from impromptu.datasets._waymo_segment import Image
from impromptu.extraction import ShownImages
from impromptu.miniature.wire import content, doubles, whole
from impromptu.tfrecord import framed

FRAMES, IMAGES, LASERS, LABELS = 198, 5, 5, 75
IMAGE_BYTES, LASER_BYTES = 440_000, 500_000
PRESENT_EVERY = 5
REPEATS = 15
READING = (
    "poses and labels",
    "reading all bytes",
    "parsing frames",
    "parsing frames, taking the same",
)
WRITING = "extracting images", "copying images", "copying out of the record"


def main() -> None:
    """Measure each in a process of its own, and print times and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", type=Path, help="a perception v1 record")
    parser.add_argument("--work", type=Path, default=Path("build/benchmark"))
    parser.add_argument("--child", choices=(*READING, *WRITING), help=argparse.SUPPRESS)
    parser.add_argument("--fetched", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    record = args.record or _made_up(args.work / "waymo.tfrecord")
    if args.child:
        print(json.dumps(_seconds(args.child, record, args.work, args.fetched)))
        return
    began = _bytes_read()
    read_record(record)
    read, size = _bytes_read() - began, record.stat().st_size
    print(f"poses and labels: {read / 1e6:.1f} of {size / 1e6:.0f} MB, {read / size:.2%}")
    names = READING if find_spec("waymo_open_dataset") else READING[:2]
    _tell("in memory", names, record, args.work)
    _tell("fetched", names, record, args.work, "--fetched")
    _tell("200 images of 0.44 MB", WRITING, record, args.work)


def _tell(title: str, names: tuple[str, ...], record: Path, work: Path, *flags: str) -> None:
    print(f"\n| {title} | fastest, ms | median, ms | fastest / ours | median / ours |")
    print("|---|---|---|---|---|")
    ours: tuple[float, float] | None = None
    for name in names:
        command = [sys.executable, __file__, "--child", name, "--record", str(record)]
        command += ["--work", str(work), *flags]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE)  # noqa: S603 - our own
        seconds = json.loads(done.stdout)
        fastest, median = min(seconds), statistics.median(seconds)
        ours = ours or (fastest, median)
        times = f"{fastest / ours[0]:.1f} | {median / ours[1]:.1f}"
        print(f"| {name} | {fastest * 1e3:.0f} | {median * 1e3:.0f} | {times} |", flush=True)


def _seconds(name: str, record: Path, work: Path, fetched: bool) -> list[float]:
    """Return how long each of many runs took, after one that does not count."""
    run, seconds = _work(name, record, work), list[float]()
    for _ in range(REPEATS + 1):
        if fetched:
            _forget(record)
        began_s = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began_s)
    return seconds[1:]


def _work(name: str, record: Path, work: Path) -> Callable[[], object]:
    match name:
        case "poses and labels":
            return lambda: read_record(record)
        case "reading all bytes":
            return lambda: sum(map(len, _payloads(record)))
        case "parsing frames":
            return lambda: _parsed(record, take=False)
        case "parsing frames, taking the same":
            return lambda: _parsed(record, take=True)
    images, folder = _images(record), work / "images"
    if name == "extracting images":
        return lambda: _extract(images, _empty(work / "extracted"))
    if name == "copying out of the record":
        return lambda: _copy_out(images, _empty(work / "copied"))
    _extract(images, _empty(folder))
    return lambda: _copy(folder, _empty(work / "copied"))


def _forget(path: Path) -> None:
    """Have the kernel drop what it holds of a file."""
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _payloads(record: Path) -> Iterator[bytes]:
    """Yield each record whole, in the plainest way; checksums are not looked at."""
    with record.open("rb") as file:
        while head := file.read(12):
            yield file.read(int.from_bytes(head[:8], "little"))
            file.read(4)


def _parsed(record: Path, take: bool) -> tuple[Floats, ...]:
    """Parse each frame, and take stamps, poses and boxes, as ``read_record`` does."""
    messages: Any = import_module("waymo_open_dataset.dataset_pb2")
    poses, labels, names = [], [], []
    for payload in _payloads(record):
        frame = messages.Frame()
        frame.ParseFromString(payload)
        if not take:
            continue
        poses.append([frame.timestamp_micros, *frame.pose.transform])
        for label in frame.laser_labels:
            box = label.box
            place = box.center_x, box.center_y, box.center_z, box.length, box.width, box.height
            labels.append((*place, box.heading, label.type, label.num_lidar_points_in_box))
            names.append(label.id)
    return np.array(poses), np.array(labels), np.array(names, dtype=object)


def _images(record: Path) -> list[Image]:
    """Return the images that generation shows: those of every half second."""
    segment = read_record(record)
    presents_ns = np.unique(segment.stamps_ns)[::PRESENT_EVERY]
    return [image for found in segment.images(presents_ns) for image in found.values()]


def _extract(images: list[Image], folder: Path) -> None:
    for number, image in enumerate(images):
        camera = Camera("FRONT", folder / f"{number}.jpg", packed=image.packed)
        ShownImages(keep=False).fault(camera)


def _copy(source: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    for path in source.iterdir():
        shutil.copyfile(path, folder / path.name)


def _copy_out(images: list[Image], folder: Path) -> None:
    """Write the same bytes from where extraction has them, in the plainest way."""
    folder.mkdir(parents=True)
    for number, image in enumerate(images):
        (folder / f"{number}.jpg").write_bytes(image.packed.content())


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def _bytes_read() -> int:
    """Return the bytes that this process has asked the kernel for."""
    return int(Path("/proc/self/io").read_text().split()[1])


def _made_up(path: Path) -> Path:
    """Write a record with frames of real size, once."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        rng, part = np.random.default_rng(0), path.with_suffix(".part")
        with part.open("wb") as file:
            for number in range(FRAMES):
                file.write(framed(_frame(number, rng)))
        part.rename(path)
    return path


def _frame(number: int, rng: np.random.Generator) -> bytes:
    """Return a frame's fields in the order of their numbers, as the real ones are."""
    pose = content(3, _pose(10.0 * number / FRAMES))
    return b"".join(
        (
            content(1, content(1, b"made up") + b"".join(map(_camera, range(1, IMAGES + 1)))),
            whole(2, 1_553_735_853_462_203 + 100_000 * number),
            pose,
            *(
                content(4, whole(1, i) + content(2, _jpeg(rng)) + pose)
                for i in range(1, IMAGES + 1)
            ),
            *(content(5, whole(1, i) + content(2, _ranges(rng))) for i in range(1, LASERS + 1)),
            *(content(6, _label(i, number)) for i in range(LABELS)),
            *(content(8, _labels(i, 8)) for i in range(1, IMAGES + 1)),
            *(content(9, _labels(i, 11)) for i in range(1, IMAGES + 1)),
        )
    )


def _pose(x_m: float) -> bytes:
    return doubles(1, [1, 0, 0, x_m, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1])


def _camera(name: int) -> bytes:
    lens = doubles(2, [2000, 2000, 960, 640, 0, 0, 0, 0, 0])
    sizes = whole(4, 1920) + whole(5, 1280)
    return content(2, whole(1, name) + lens + content(3, _pose(1.5)) + sizes)


def _jpeg(rng: np.random.Generator) -> bytes:
    return b"\xff\xd8\xff" + rng.bytes(IMAGE_BYTES) + b"\xff\xd9"


def _ranges(rng: np.random.Generator) -> bytes:
    """Return a range image: its compressed ranges, whatever they say."""
    return content(2, rng.bytes(LASER_BYTES))


def _labels(camera: int, count: int) -> bytes:
    """Return boxes in an image, which nothing here reads."""
    return whole(1, camera) + b"".join(content(2, _label(i, 0)) for i in range(count))


def _label(track: int, number: int) -> bytes:
    box = [track + 0.1 * number, 5.0 * track, 1.0, 2.0, 4.5, 1.6, 0.01 * track]
    values = b"".join(doubles(field, [value]) for field, value in enumerate(box, start=1))
    motion = b"".join(doubles(field, [0.5]) for field in range(1, 5))
    points = whole(7, 3 * track + number)
    name = f"made-up-track-{track:08d}".encode()
    return content(1, values) + content(2, motion) + whole(3, 1) + content(4, name) + points


if __name__ == "__main__":
    main()
