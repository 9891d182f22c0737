"""Small made-up datasets in the native formats of real ones, all from one tiny world."""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from zlib import crc32

import numpy as np

from impromptu.files import read_json, require_writable, write_json
from impromptu.miniature import (
    argoverse2,
    idd,
    kitti,
    mapillary_sls,
    navsim,
    nuscenes,
    once,
    scenery,
    stories,
    waymo,
)
from impromptu.miniature.files import Drive, Pictures
from impromptu.miniature.render import WEATHERS, Studio, Weather
from impromptu.miniature.world import World

_Writer = Callable[[Path, Iterable[Drive], Pictures], None]
WRITERS: dict[str, _Writer] = {
    "nuscenes": nuscenes.write,
    "kitti": kitti.write,
    "argoverse2": argoverse2.write,
    "navsim": navsim.write,
    "once": once.write,
    "idd": idd.write,
    "mapillary_sls": mapillary_sls.write,
    "waymo": waymo.write,
}
DATASETS = tuple(WRITERS)

_RECORD = "miniature.json"


@dataclass(frozen=True, slots=True)
class _Order:
    """What a miniature was asked to be; ``edition`` counts changes of what is then written."""

    seed: int
    logs: int
    duration_s: float
    images: bool
    edition: int = 2


def write(
    out: Path,
    *,
    datasets: Sequence[str] = DATASETS,
    seed: int = 0,
    logs: int = 4,
    duration_s: float = 20.0,
    images: bool = True,
) -> list[Path]:
    """Write miniature datasets, each under its own name in ``out``; return their folders.

    The same arguments give the same bytes. A folder that already holds what is asked for is left
    as it is; each new one appears under its name only when complete.

    Args:
        out: Their parent folder; made where it does not exist.
        datasets: Which ones.
        seed: Differs in streets, crowds, timing and calibrations' noise.
        logs: Drives in each dataset; about half go to its second split (val, test).
        duration_s: Length of each drive.
        images: False puts one picture under every image's name, quickly.

    Raises:
        FileExistsError: A folder holds something else.
        ValueError: An argument is out of range; or a dataset's official names are too few.
    """
    unknown = [name for name in datasets if name not in WRITERS]
    if unknown:
        raise ValueError(f"no miniature of {unknown[0]!r}; there are {', '.join(DATASETS)}")
    if logs < 1 or not 1 <= duration_s <= stories.LONGEST_S:
        raise ValueError(
            f"expected at least 1 log, of 1 to {stories.LONGEST_S:g} s; "
            f"got {logs} of {duration_s:g} s"
        )
    order = _Order(seed, logs, float(duration_s), images)
    for name in datasets:
        _write_one(out / name, name, order)
    return [out / name for name in datasets]


def _write_one(folder: Path, name: str, order: _Order) -> None:
    """Write one dataset beside its final place, and move it there."""
    if _already(folder, order):
        return
    require_writable(folder.parent)
    temporary = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=folder.parent))
    try:
        made = drives(name, order.seed, order.logs, order.duration_s)
        WRITERS[name](temporary, made, Pictures(order.images))
        write_json(temporary / _RECORD, asdict(order))
        temporary.chmod(0o755)
        try:
            temporary.rename(folder)
        except OSError:  # somebody else was quicker
            if not _already(folder, order):
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _already(folder: Path, order: _Order) -> bool:
    """Tell whether a folder holds just this miniature."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    if (folder / _RECORD).is_file() and read_json(folder / _RECORD) == asdict(order):
        return True
    raise FileExistsError(
        f"{folder}: expected no folder, or this very miniature ({_RECORD} with {asdict(order)}); "
        "it holds something else. Remove it or choose another folder"
    )


def drives(name: str, seed: int, logs: int, duration_s: float) -> Iterator[Drive]:
    """Yield a dataset's drives; each depends on the seed and its own number alone."""
    for index in range(logs):
        street, jitter = (_rng(name, seed, index, use) for use in (1, 2))
        world, weather = scene(name, seed, index)
        yield Drive(index, logs, Studio(world, scenery.build(street), weather), duration_s, jitter)


def scene(name: str, seed: int, index: int) -> tuple[World, Weather]:
    """Return what happens in one of a dataset's drives, and in which weather."""
    weather = WEATHERS[(index + crc32(name.encode())) % len(WEATHERS)]
    return stories.tell(index, _rng(name, seed, index, 0)), weather


def _rng(name: str, seed: int, index: int, use: int) -> np.random.Generator:
    return np.random.default_rng([seed, crc32(name.encode()), index, use])
