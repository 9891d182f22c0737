"""Write drives as IDD multimodal does: GPS rows at 15 Hz, and a stereo pair of cameras.

With the faults of the real ones: stamps and positions are ragged, the first drive passes midnight,
rows between others went to the test file and took their positions along, a position lies 300 m off,
and images are missing.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from impromptu.arrays import Floats, Ints
from impromptu.geometry import SE3
from impromptu.miniature.canvas import Lens
from impromptu.miniature.files import Drive, Pictures, camera_axes

RATE_HZ = 15.0
JUMP_M = 300.0
NOISE_M = 0.02
START_DEG = 17.45, 78.41
_DRIVES = 3
_DAY_S = 86_400
_IST_S = 19_800
_EGO_ANTENNA_M = np.array([0.4, 0.0, 1.5])
_LENS = Lens((240, 160), np.array([[150.0, 0.0, 120.0], [0.0, 150.0, 76.0], [0.0, 0.0, 1.0]]))
_CAMERAS = {"primary/{}/leftCamImgs": 0.25, "secondary/{}/rightCamImgs": -0.25}


def write(root: Path, drives: Iterable[Drive], pictures: Pictures) -> None:
    """Write a folder of up to three drives' files; a fourth drive of a split goes on in d0's."""
    taken, written = Counter[str](), Counter[bool]()
    for drive in drives:
        folder = f"d{written[drive.first_split] % _DRIVES}"
        written[drive.first_split] += 1
        t_s = np.arange(0.0, drive.duration_s, 1 / RATE_HZ)
        t_s = t_s + drive.rng.uniform(-0.003, 0.003, len(t_s)) + 0.003
        numbers = taken[folder] + np.arange(len(t_s))
        taken[folder] += len(t_s)
        _write_rows(root / "primary" / folder, drive, t_s, numbers)
        _write_obd(root / "supplement/obd" / folder, drive)
        _write_pictures(root, folder, drive, pictures, t_s, numbers)


def stretch(rows: int, first: float, count: int) -> slice:
    """Return ``count`` rows from a share of all of them on: where a fault is."""
    return slice(int(rows * first), int(rows * first) + count)


def _write_rows(folder: Path, drive: Drive, t_s: Floats, numbers: Ints) -> None:
    times = [_time(_start_s(drive) + t) for t in t_s.tolist()]
    heads = [f"{time},{number:07d}" for time, number in zip(times, numbers.tolist(), strict=True)]
    places = [",".join(f"{v:.10f}" for v in place) for place in _places(drive, t_s).tolist()]
    posed = [f"{head},{place}" for head, place in zip(heads, places, strict=True)]
    away = stretch(len(t_s), 0.8, 12)
    header = "timestamp,image_idx"
    _append(folder / "test.csv", header, heads[away])
    split = "train" if drive.first_split else "val"
    del posed[away]
    _append(folder / f"{split}.csv", f"{header},latitude,longitude,altitude", posed)


def _append(path: Path, header: str, lines: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_text(f"{header}\n", encoding="utf-8")
    with path.open("a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)


def _start_s(drive: Drive) -> int:
    """Return the time of day a drive begins at: the first one 5 s before midnight."""
    return _DAY_S - 5 if drive.index == 0 else 9 * 3_600 + 60 * drive.index


def _time(day_s: float) -> str:
    """Write a time of day as the dataset does."""
    seconds, microseconds = divmod(round(day_s * 1e6), 1_000_000)
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60 % 24:02d}-{minutes % 60:02d}-{seconds:02d}-{microseconds:06d}"


def _places(drive: Drive, t_s: Floats) -> Floats:
    """Return (n, 3) latitude, longitude and altitude of the antenna."""
    rotations, position_m = drive.world.ego_poses(t_s)
    antenna_m = position_m + rotations @ _EGO_ANTENNA_M
    antenna_m[:, :2] += drive.rng.normal(0.0, NOISE_M, (len(t_s), 2))
    antenna_m[stretch(len(t_s), 0.95, 1), 0] += JUMP_M
    # Radii of curvature of the WGS84 ellipsoid where the street is.
    latitude, longitude = np.radians(START_DEG)
    across = np.sqrt(1 - 0.00669438 * np.sin(latitude) ** 2)
    north_m, east_m = 6_378_137 * 0.99330562 / across**3, 6_378_137 / across * np.cos(latitude)
    return np.column_stack(
        [
            np.degrees(latitude + antenna_m[:, 1] / north_m),
            np.degrees(longitude + antenna_m[:, 0] / east_m),
            485.0 + antenna_m[:, 2],
        ]
    )


def _write_obd(folder: Path, drive: Drive) -> None:
    """Write what the car says of itself, in UTC, every 1.5 s; the adapter has no use for it."""
    t_s = np.arange(1.0, drive.duration_s, 1.5)
    speeds_kmh = 3.6 * drive.world.ego.pace.speed_mps(t_s)
    start_s = _start_s(drive) + _DAY_S - _IST_S
    lines = [
        f"{_time(start_s + t)},{speed:.1f},{900 + 50 * speed:.2f},1.0,50.0,15.0"
        for t, speed in zip(t_s.tolist(), speeds_kmh.tolist(), strict=True)
    ]
    _append(folder / "obd.csv", "timestamp,speed,rpm,gear,clv,throttle_position", lines)


def _write_pictures(
    root: Path, folder: str, drive: Drive, pictures: Pictures, t_s: Floats, numbers: Ints
) -> None:
    """Write the pictures of both cameras, but for half a second of them."""
    kept = np.delete(np.arange(len(t_s)), np.r_[stretch(len(t_s), 0.5, 8)])
    for place, left_m in _CAMERAS.items():
        camera = SE3(camera_axes(0.0, 1.0), np.array([1.2, left_m, 1.4]))
        film = drive.studio.film(_LENS, camera, t_s[kept])
        names = [f"{number:07d}.jpg" for number in numbers[kept].tolist()]
        pictures.save_all([root / place.format(folder) / name for name in names], film)
