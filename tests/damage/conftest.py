"""Damage at random: to bytes, links and folders, and to what text, JSON, pickles and tables say."""

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from impromptu import miniature
from impromptu.datasets._waymo_record import read_record
from impromptu.datasets._waymo_segment import WAYMO_SE3_CAMERA
from impromptu.miniature.wire import content, whole
from impromptu.poses import Poses
from impromptu.tfrecord import framed, spans

Damage = Callable[[Random, Path], None]

FIELDS = ("", "x", "nan", "-inf", "1e308", "9" * 25, "-1", "0", "a/b", "../../a", '"', "é", "True")
VALUES = (None, True, 0, -1, 2**40, 2**62, 2**70, 1e-300, 1e9, 1e300, float("nan"), float("inf"))
TREES: tuple[Any, ...] = ("", "x", "a/b", "../../a", "9" * 400, [], {}, [[1]], [0.0] * 7, {"x": 1})
ARRAYS = (np.zeros((0, 7)), np.ones((4, 4)), np.array(["a"]), np.array([None, {}]), np.float32(3))


def cut(rng: Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def flip(rng: Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8) if data else 0):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def overwrite(rng: Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    noise = rng.choice([b"\0", b"\xff", b"7", b"\n", b","]) * rng.choice([1, 40, 4096])
    return data[:at] + noise + data[at + len(noise) :]


def insert(rng: Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice([b"\0\0", b"\xef\xbb\xbf", b"\r\n", b"[", b"\x80"]) + data[at:]


BYTES = (cut, flip, overwrite, insert)


def rows(rng: Random, listed: list[Any]) -> None:
    """Take out, repeat, swap, turn round or copy over some elements."""
    if not listed:
        return
    at, to = rng.randrange(len(listed)), rng.randrange(len(listed))
    match rng.randrange(6):
        case 0:
            del listed[at]
        case 1:
            listed.insert(to, listed[at])
        case 2:
            listed[at], listed[to] = listed[to], listed[at]
        case 3:
            del listed[min(at, to) : max(at, to)]
        case 4:
            listed.reverse()
        case 5:
            listed[at] = listed[to]


def text(rng: Random, data: bytes) -> bytes:
    """Damage lines, or one field in one line or in all."""
    lines = data.decode().splitlines() or [""]
    mark = "," if "," in lines[0] else " "
    if rng.random() < 0.4:
        rows(rng, lines)
        return "\n".join(lines).encode()
    table = [line.split(mark) for line in lines]
    column, field = rng.randrange(len(table[0])), rng.choice(FIELDS)
    some = table if rng.random() < 0.2 else [rng.choice(table)]
    drop, other = rng.random() < 0.2, rng.choice(table)
    field = other[column % len(other)] if rng.random() < 0.3 else field
    for line in some:
        if drop:
            del line[column : column + 1]
        elif line:
            line[column % len(line)] = field
    return "\n".join(mark.join(line) for line in table).encode()


def tree(rng: Random, root: Any, extra: tuple[Any, ...] = ()) -> None:
    """Go down at random, and put another value there, or take it out, or damage its list."""
    keys = list(root) if isinstance(root, dict) else list(range(len(root)))
    if not keys:
        return
    key = rng.choice(keys)
    below = root[key]
    if isinstance(below, dict | list) and below and rng.random() < 0.85:
        tree(rng, below, extra)
    elif isinstance(root, list) and rng.random() < 0.6:
        rows(rng, root)
    elif rng.random() < 0.25:
        del root[key]
    elif isinstance(below, np.ndarray) and below.size and rng.random() < 0.6:
        root[key] = array(rng, below)
    else:
        root[key] = rng.choice((*VALUES, *TREES, *extra))


def array(rng: Random, values: Any) -> Any:
    changed = np.array(values)
    match rng.randrange(4):
        case 0 if changed.dtype.kind == "f":
            changed.flat[rng.randrange(changed.size)] = rng.choice([np.nan, np.inf, 1e300, 0, -1])
        case 1:
            return changed.ravel()
        case 2:
            return changed[:-1]
        case 3:
            return changed.astype(
                rng.choice(["U", "O", "f4" if changed.dtype.kind == "f" else "O"])
            )
    return changed


def as_json(rng: Random, data: bytes) -> bytes:
    root = json.loads(data)
    tree(rng, root)
    return json.dumps(root).encode()


def as_pickle(rng: Random, data: bytes) -> bytes:
    root = pickle.loads(data)  # noqa: S301 - our own
    tree(rng, root, ARRAYS)
    return pickle.dumps(root, rng.choice([2, 4, 5]))


def as_table(rng: Random, table: pa.Table) -> pa.Table:
    """Damage rows or one column of a table, or one value in it."""
    columns = {name: table[name].to_pylist() for name in table.column_names}
    name = rng.choice(list(columns))
    match rng.randrange(6):
        case 0:
            del columns[name]
        case 1:
            order = list(range(table.num_rows))
            rows(rng, order)
            columns = {name: [values[row] for row in order] for name, values in columns.items()}
        case 2:
            columns[name] = [str(value) for value in columns[name]]
        case _ if columns[name]:
            values, kind = columns[name], table[name].type
            row, other = rng.randrange(len(values)), rng.choice(values)
            value = rng.choice([None, *VALUES, "", "a/b", [], [float("nan")] * 16, other, other])
            try:
                new = pa.array([value], kind)
            except (pa.ArrowException, TypeError, ValueError, OverflowError):
                new = pa.array([None], kind)
            values[row] = new[0].as_py()
    arrays = {}
    for name, values in columns.items():
        kind = table[name].type if not (values and isinstance(values[0], str)) else pa.string()
        arrays[name] = pa.array(values, kind)
    return pa.table(arrays)


def as_feather(rng: Random, path: Path) -> None:
    table = as_table(rng, feather.read_table(path, memory_map=False))
    path.unlink()
    feather.write_feather(table, path, compression=rng.choice(["uncompressed", "lz4"]))


def as_parquet(rng: Random, path: Path) -> None:
    table = as_table(rng, parquet.ParquetFile(path).read())
    path.unlink()
    parquet.write_table(table, path, row_group_size=rng.choice([3, 100]))


def as_records(rng: Random, data: bytes) -> bytes:
    """Damage records, or the bytes of one, framed anew with right checksums."""
    frames = [data[start:end] for start, end in spans(data)]
    if rng.random() < 0.4:
        rows(rng, frames)
    else:
        at, strange = rng.randrange(len(frames)), content(4000, b"new") + whole(5000, 2**40)
        # Most of a frame is pictures and noise: its labels come last, its context first.
        start = rng.choice([0, 300, 900, max(0, len(frames[at]) - 1500)])
        tail = rng.choice(BYTES)(rng, frames[at][start : start + 1500])
        kept = frames[at][:start] + tail + frames[at][start + 1500 :]
        frames[at] = rng.choice([strange + frames[at], kept, kept, kept])
    return b"".join(map(framed, frames))


def place(rng: Random, path: Path) -> None:
    """Put something else in the place of a file or folder, or nothing."""
    away = path.with_name(path.name + "~")
    path.rename(away)
    match rng.randrange(7):
        case 0:
            path.mkdir()
        case 1:
            path.symlink_to(path.parent / "nowhere")
        case 2:
            path.symlink_to(path.name)
        case 3:
            path.symlink_to(".." if rng.random() < 0.5 else ".")
        case 4:
            path.write_bytes(b"")
        case 5:
            os.mkfifo(path)
    shutil.rmtree(away) if away.is_dir() else away.unlink()


def again(rng: Random, path: Path) -> None:
    """Have the file there twice, under another name beside it."""
    name = rng.choice([f"{path.stem}x{path.suffix}", f"0{path.name}", f"{path.stem}{path.suffix}0"])
    if not (path.parent / name).exists():
        shutil.copyfile(path, path.parent / name)


STRUCTURED: dict[str, Callable[[Random, bytes], bytes]] = {
    ".txt": text,
    ".csv": text,
    ".json": as_json,
    ".pkl": as_pickle,
    ".tfrecord": as_records,
}


def damage(rng: Random, path: Path) -> None:
    """Damage a whole file or folder; what is linked to it elsewhere stays as it is."""
    chance = rng.random()
    if path.is_dir() or chance < 0.12:
        place(rng, path)
    elif chance < 0.15:
        again(rng, path)
    elif path.suffix in (".feather", ".parquet") and chance < 0.8:
        (as_feather if path.suffix == ".feather" else as_parquet)(rng, path)
    else:
        change = STRUCTURED.get(path.suffix) if chance < 0.8 else None
        data = (change or rng.choice(BYTES))(rng, path.read_bytes())
        path.unlink()
        path.write_bytes(data)


def as_tables(record: Path) -> None:
    """Put tables of Waymo's second release in the place of a record."""
    segment, name = read_record(record), record.stem[len("segment-") : -len("_with_camera_labels")]
    labels, lenses = segment.labels, list(segment.calibrations.items())
    stamps_ns = np.unique(segment.stamps_ns)
    images = [
        (t, camera, one)
        for t, shown in zip(stamps_ns.tolist(), segment.images(stamps_ns), strict=True)
        for camera, one in shown.items()
    ]
    box, lens = "[LiDARBoxComponent].", "[CameraCalibrationComponent]."
    sides = ("center.x", "center.y", "center.z", "size.x", "size.y", "size.z", "heading")
    inner = {"f_u": (0, 0), "f_v": (1, 1), "c_u": (0, 2), "c_v": (1, 2)}
    stamp, camera = "key.frame_timestamp_micros", "key.camera_name"
    tables: dict[str, dict[str, Any]] = {
        "vehicle_pose": {
            stamp: segment.stamps_ns // 1000,
            "[VehiclePoseComponent].world_from_vehicle.transform": matrices(segment.world_SE3_ego),
        },
        "lidar_box": {
            stamp: labels.stamps_ns // 1000,
            "key.laser_object_id": list(labels.ids),
            f"{box}type": labels.types,
            f"{box}num_lidar_points_in_box": labels.points,
            **{f"{box}box.{side}": labels.boxes[:, row] for row, side in enumerate(sides)},
        },
        "camera_calibration": {
            camera: [number for number, _ in lenses],
            f"{lens}extrinsic.transform": [
                matrices((one.ego_SE3_camera @ CAMERA_SE3_WAYMO)[None])[0] for _, one in lenses
            ],
            f"{lens}width": [one.size_px[0] for _, one in lenses],
            f"{lens}height": [one.size_px[1] for _, one in lenses],
            **{
                f"{lens}intrinsic.{key}": [float(one.intrinsics_px[at]) for _, one in lenses]
                for key, at in inner.items()
            },
        },
        "camera_image": {
            stamp: [t // 1000 for t, _, _ in images],
            camera: [number for _, number, _ in images],
            "[CameraImageComponent].image": [one.packed.content() for _, _, one in images],
            "[CameraImageComponent].pose.transform": [
                matrices(one.world_SE3_ego[None])[0] for _, _, one in images
            ],
        },
    }
    for component, columns in tables.items():
        path = record.parent / component / f"{name}.parquet"
        path.parent.mkdir(exist_ok=True)
        parquet.write_table(pa.table(columns), path, row_group_size=30)
    record.unlink()


def matrices(poses: Poses) -> list[list[float]]:
    found = np.zeros((len(poses.valid), 4, 4))
    found[:, :3, :3], found[:, :3, 3], found[:, 3, 3] = poses.rotations, poses.translations_m, 1
    rows: list[list[float]] = found.reshape(-1, 16).tolist()
    return rows


_BACK = WAYMO_SE3_CAMERA.inverse()
CAMERA_SE3_WAYMO = Poses(_BACK.rotation, _BACK.translation_m, np.array(True))


@pytest.fixture(scope="session")
def damaging() -> Damage:
    return damage


@pytest.fixture(scope="session", params=(*miniature.DATASETS, "waymo_v2"))
def shipped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset's folder, with two logs of 6 s."""
    name: str = request.param.removesuffix("_v2")
    out = tmp_path_factory.mktemp(request.param)
    miniature.write(out, datasets=[name], logs=2, duration_s=6.0, images=False)
    (out / name / "miniature.json").unlink()
    for record in (out / name).rglob("*.tfrecord") if request.param == "waymo_v2" else ():
        as_tables(record)
    return out / name
