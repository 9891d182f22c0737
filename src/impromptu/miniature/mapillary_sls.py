"""Write drives as Mapillary SLS does: keys, frame numbers, UTM positions and images, no times.

Each drive gives a sound sequence, at two frames a second, and in the other subset a faulty one: a
frame number is left out, keys are missing from a table, a position lies 400 m off, a camera looks
sideways, and one is a panorama. An image of either is missing, and a test city has no positions.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from impromptu.arrays import Floats
from impromptu.geometry import SE3
from impromptu.miniature.canvas import Lens
from impromptu.miniature.files import Drive, Pictures, camera_axes, token

RATE_HZ = 2.0
JUMP_M = 400.0
_LENS = Lens((240, 180), np.array([[160.0, 0.0, 120.0], [0.0, 160.0, 86.0], [0.0, 0.0, 1.0]]))
_CAMERA = SE3(camera_axes(0.0, 2.0), np.array([1.3, 0.0, 1.4]))
_CITIES = {True: ("amman", (767_000.0, 3_542_000.0)), False: ("sf", (551_000.0, -4_178_000.0))}
_SUBSETS = "query", "database"


@dataclass(frozen=True, slots=True, eq=False)
class _Sequence:
    """A sequence's (n,) frames, and which of them have which fault."""

    name: str
    keys: Sequence[str]
    xy_m: Floats
    compass_deg: Floats
    faults: Mapping[str, int] = field(default_factory=dict)

    def tables(self) -> dict[str, list[str]]:
        """Return the rows of each table, without their running numbers."""
        rows: dict[str, list[str]] = {"seq_info": [], "postprocessed": [], "raw": []}
        for frame, (key, (x, y)) in enumerate(zip(self.keys, self.xy_m.tolist(), strict=True)):
            look = "Left" if frame == self.faults.get("sideways") else "Forward"
            pano, angle = frame == self.faults.get("panorama"), self.compass_deg[frame]
            # Degrees are here to be looked at: positions are read from eastings and northings.
            lon_lat = f"{x / 111_000:.7f},{y / 111_000:.7f}"
            rows["seq_info"].append(f"{key},{self.name},{frame}")
            rows["postprocessed"].append(f"{key},{x!r},{y!r},{frame},False,False,{look}")
            rows["raw"].append(f"{key},{lon_lat},{angle:.4f},2018-01-01,{pano}")
        for table in rows:
            if table in self.faults:
                del rows[table][self.faults[table]]
        return rows


_HEADERS = {
    "seq_info": "key,sequence_key,frame_number",
    "postprocessed": "key,easting,northing,unique_cluster,control_panel,night,view_direction",
    "raw": "key,lon,lat,ca,captured_at,pano",
}
_FAULTS = {
    "seq_info": 0.2,
    "postprocessed": 0.35,
    "raw": 0.5,
    "jump": 0.65,
    "sideways": 0.8,
    "panorama": 0.95,
}
"""Where in a faulty sequence each fault is, as a share of its frames."""


def write(root: Path, drives: Iterable[Drive], pictures: Pictures) -> None:
    """Write two cities' folders, one for each split, and one of the test split."""
    for drive in drives:
        city, origin_m = _CITIES[drive.first_split]
        for sound in (True, False):
            subset = _SUBSETS[(drive.index + (not sound)) % 2]
            folder = root / "train_val" / city / subset
            sequence = _sequence(drive, np.array(origin_m), subset, sound)
            for table, rows in sequence.tables().items():
                _append(folder / f"{table}.csv", _HEADERS[table], rows)
            _write_pictures(folder, drive, sequence.keys, pictures)
        if drive.index == 0:
            keys = _keys(drive, "test", 3)
            _write_pictures(root / "test/miami/query", drive, keys, pictures)


def _keys(drive: Drive, subset: str, count: int) -> list[str]:
    return [token("mapillary", subset, drive.index, drive.count, i)[:22] for i in range(count)]


def _sequence(drive: Drive, origin_m: Floats, subset: str, sound: bool) -> _Sequence:
    t_s = np.arange(0.0, drive.duration_s + 1e-9, 1 / RATE_HZ)
    rotations, ego_m = drive.world.ego_poses(t_s)
    xy_m = origin_m + (ego_m + rotations @ _CAMERA.translation_m)[:, :2]
    compass_deg = np.degrees(np.arctan2(rotations[:, 0, 0], rotations[:, 1, 0])) % 360
    faults = {} if sound else {name: int(share * len(t_s)) for name, share in _FAULTS.items()}
    if not sound:
        xy_m[faults["jump"] :, 0] += JUMP_M
    name = token("sequence", subset, drive.index, drive.count)[:22]
    return _Sequence(name, _keys(drive, subset, len(t_s)), xy_m, compass_deg, faults)


def _append(path: Path, header: str, rows: Sequence[str]) -> None:
    """Append rows to a table, each after its running number as the dataset has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else [f",{header}"]
    lines += [f"{number},{row}" for number, row in enumerate(rows, start=len(lines) - 1)]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _write_pictures(folder: Path, drive: Drive, keys: Sequence[str], pictures: Pictures) -> None:
    """Write the pictures of frames, but for one."""
    kept = [frame for frame in range(len(keys)) if frame != int(0.4 * len(keys))]
    film = drive.studio.film(_LENS, _CAMERA, np.array(kept) / RATE_HZ)
    pictures.save_all([folder / "images" / f"{keys[frame]}.jpg" for frame in kept], film)
