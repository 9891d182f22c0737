from pathlib import Path

import numpy as np
import pytest

HEADERS = {
    "seq_info": ["", "key", "sequence_key", "frame_number"],
    "postprocessed": [
        *("", "key", "easting", "northing", "unique_cluster"),
        *("control_panel", "night", "view_direction"),
    ],
    "raw": ["", "key", "lon", "lat", "ca", "captured_at", "pano"],
}


@pytest.fixture(scope="module")
def root(small: Path) -> Path:
    return small / "mapillary_sls"


def rows(folder: Path, table: str) -> list[list[str]]:
    lines = (folder / f"{table}.csv").read_text(encoding="utf-8").splitlines()
    found = [line.split(",") for line in lines]
    assert found[0] == HEADERS[table]
    assert [row[0] for row in found[1:]] == [str(i) for i in range(len(found) - 1)]
    return found[1:]


def places(folder: Path) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.array([row[2:4] for row in rows(folder, "postprocessed")], dtype=np.float64)


def test_a_sound_sequence_is_whole_but_for_an_image(root: Path) -> None:
    folder = root / "train_val/amman/query"
    keys = [row[1] for row in rows(folder, "seq_info")]
    assert len(keys) == 13
    assert [int(row[3]) for row in rows(folder, "seq_info")] == list(range(13))
    assert {row[1] for row in rows(folder, "raw")} == set(keys)
    assert np.linalg.norm(np.diff(places(folder), axis=0), axis=-1).max() < 10
    images = {path.stem for path in (folder / "images").glob("*.jpg")}
    assert set(keys) - images == {keys[5]}


def test_a_faulty_sequence_has_every_fault_once(root: Path) -> None:
    folder = root / "train_val/amman/database"
    numbers = [int(row[3]) for row in rows(folder, "seq_info")]
    assert set(range(13)) - set(numbers) == {2}
    posed, pictured = ({row[1] for row in rows(folder, t)} for t in ("postprocessed", "raw"))
    assert len(posed - pictured) == len(pictured - posed) == 1
    step_m = np.linalg.norm(np.diff(places(folder), axis=0), axis=-1)
    assert (step_m > 300).sum() == 1
    assert [row[-1] for row in rows(folder, "postprocessed")].count("Left") == 1
    assert [row[-1] for row in rows(folder, "raw")].count("True") == 1


def test_the_compass_points_along_the_way(root: Path) -> None:
    """Degrees from north, clockwise."""
    folder = root / "train_val/sf/database"
    assert places(folder)[:, 1].max() < 0
    angle = np.radians([float(row[4]) for row in rows(folder, "raw")])
    step_m = np.diff(places(folder), axis=0)
    ahead = np.stack([np.sin(angle), np.cos(angle)], axis=-1)[1:]
    far = np.linalg.norm(step_m, axis=-1) > 1
    along = (step_m * ahead).sum(axis=-1) / np.maximum(np.linalg.norm(step_m, axis=-1), 1e-9)
    assert far.any()
    assert along[far].min() > 0.95


def test_the_test_city_has_images_alone(root: Path) -> None:
    files = [path for path in (root / "test").rglob("*") if path.is_file()]
    assert len(files) == 2
    assert {path.suffix for path in files} == {".jpg"}
