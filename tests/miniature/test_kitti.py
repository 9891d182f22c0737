from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from impromptu.arrays import Floats
from impromptu.geometry import wrap_rad

NAMES = (
    *("lat", "lon", "alt", "roll", "pitch", "yaw", "vn", "ve", "vf", "vl", "vu"),
    *("ax", "ay", "az", "af", "al", "au", "wx", "wy", "wz", "wf", "wl", "wu"),
)


@pytest.fixture(scope="module")
def root(small: Path) -> Path:
    return small / "kitti"


def oxts(root: Path, split: str) -> dict[str, Floats]:
    table = np.loadtxt(root / f"data_tracking_oxts/{split}/oxts/0000.txt")
    assert table.shape == (61, 30)
    return dict(zip(NAMES, table.T, strict=False))


def east_north_up(row: dict[str, Floats]) -> Floats:
    """Return metres by Mercator, scaled by the cosine of the first latitude."""
    scale_m = 6_378_137.0 * np.cos(np.deg2rad(row["lat"][0]))
    east = scale_m * np.deg2rad(row["lon"])
    north = scale_m * np.arctanh(np.sin(np.deg2rad(row["lat"])))
    enu: Floats = np.column_stack([east, north, row["alt"]])
    return enu


def slope(values: Floats) -> Floats:
    steps: Floats = np.gradient(values, 0.1, axis=0, edge_order=2)
    return steps


@pytest.fixture(scope="module", params=("training", "testing"))
def row(request: pytest.FixtureRequest, root: Path) -> dict[str, Floats]:
    return oxts(root, request.param)


def test_velocities_are_the_slopes_of_positions(row: dict[str, Floats]) -> None:
    moved = slope(east_north_up(row))
    logged = np.column_stack([row["ve"], row["vn"], row["vu"]])
    np.testing.assert_allclose(moved[1:-1], logged[1:-1], atol=0.03)


def test_forward_and_left_are_turned_from_north_and_east(row: dict[str, Floats]) -> None:
    """Yaw 0 is east, counter-clockwise."""
    cos, sin = np.cos(row["yaw"]), np.sin(row["yaw"])
    np.testing.assert_allclose(row["vf"], cos * row["ve"] + sin * row["vn"], atol=1e-9)
    np.testing.assert_allclose(row["vl"], -sin * row["ve"] + cos * row["vn"], atol=1e-9)


def test_turning_rates_are_the_slopes_of_the_heading(row: dict[str, Floats]) -> None:
    rate = slope(np.unwrap(row["yaw"]))
    np.testing.assert_allclose(rate[1:-1], row["wu"][1:-1], atol=0.02)


def test_accelerations_hold_gravity_along_the_vertical(row: dict[str, Floats]) -> None:
    logged = np.column_stack([row["ve"], row["vn"], row["vu"]])
    pushed = slope(logged)[:, 2] + 9.81
    np.testing.assert_allclose(pushed[1:-1], row["au"][1:-1], atol=0.05)
    strength = [
        np.sqrt(sum(row[name] ** 2 for name in names))
        for names in (("ax", "ay", "az"), ("af", "al", "au"))
    ]
    np.testing.assert_allclose(strength[0], strength[1])


def test_testing_sequences_have_no_labels(root: Path) -> None:
    assert not (root / "data_tracking_label_2/testing").exists()
    for split in ("training", "testing"):
        folder = root / f"data_tracking_image_2/{split}/image_02/0000"
        images = {path.stem for path in folder.glob("*.png")}
        assert {f"{row:06d}" for row in range(61)} - images == {"000005"}


def calibration(root: Path) -> dict[str, Floats]:
    text = (root / "data_tracking_calib/training/calib/0000.txt").read_text(encoding="utf-8")
    rows = (line.split() for line in text.splitlines())
    return {name: np.array(values, dtype=np.float64).reshape(3, -1) for name, *values in rows}


def affine(matrix: Floats) -> Floats:
    """Fill up a 3 x 3 or 3 x 4 matrix to 4 x 4."""
    whole = np.eye(4)
    whole[:3, : matrix.shape[1]] = matrix
    return whole


def labels(root: Path) -> list[tuple[int, int, str, Floats]]:
    text = (root / "data_tracking_label_2/training/label_02/0000.txt").read_text(encoding="utf-8")
    rows = [line.split() for line in text.splitlines()]
    return [(int(r[0]), int(r[1]), r[2], np.array(r[3:], dtype=np.float64)) for r in rows]


def test_calibration_is_spelled_as_the_dataset_spells_it(root: Path) -> None:
    names = ["P0:", "P1:", "P2:", "P3:", "R_rect", "Tr_velo_cam", "Tr_imu_velo"]
    assert list(calibration(root)) == names


@pytest.fixture(scope="module")
def tracks(root: Path) -> dict[int, tuple[Floats, Floats]]:
    """Each track's (n, 2) places and directions in the world, all from files alone.

    From the label to the rectified camera, the lidar, the IMU and the world.
    """
    matrix, row = calibration(root), oxts(root, "training")
    imu_rect = np.linalg.inv(
        affine(matrix["R_rect"]) @ affine(matrix["Tr_velo_cam"]) @ affine(matrix["Tr_imu_velo"])
    )
    angles = np.column_stack([row["yaw"], row["pitch"], row["roll"]])
    turned, origin = Rotation.from_euler("ZYX", angles).as_matrix(), east_north_up(row)
    found: dict[int, list[tuple[Floats, Floats]]] = {}
    for frame, track, _, values in labels(root):
        place = turned[frame] @ (imu_rect @ np.append(values[10:13], 1.0))[:3] + origin[frame]
        ahead = np.array([np.cos(values[13]), 0.0, -np.sin(values[13])])
        direction = turned[frame] @ imu_rect[:3, :3] @ ahead
        found.setdefault(track, []).append((place[:2], direction[:2]))
    return {
        track: (np.array([place for place, _ in life]), np.array([way for _, way in life]))
        for track, life in found.items()
        if len(life) > 5
    }


def test_standing_things_stand_still_in_the_world(
    tracks: dict[int, tuple[Floats, Floats]],
) -> None:
    still = [way for place, way in tracks.values() if np.ptp(place, axis=0).max() < 1e-3]
    assert len(still) > 3
    for way in still:
        assert np.ptp(way, axis=0).max() < 0.01


def test_moving_things_move_the_way_they_point(tracks: dict[int, tuple[Floats, Floats]]) -> None:
    moving = [
        (np.diff(p, axis=0), way) for p, way in tracks.values() if np.ptp(p, axis=0).max() > 2
    ]
    assert len(moving) > 2
    for steps, way in moving:
        far = np.linalg.norm(steps, axis=1) > 0.05
        along = (steps * way[1:]).sum(axis=1) / np.linalg.norm(steps, axis=1)
        assert along[far].min() > 0.99


def test_boxes_project_into_their_rectangles(root: Path) -> None:
    projection, checked = calibration(root)["P2:"], 0
    for _, _, _, values in labels(root):
        truncated, hidden, _, left, top, right, bottom, height = values[:8]
        middle = values[10:13] - [0.0, height / 2, 0.0]
        u, v, depth = projection @ np.append(middle, 1.0)
        if not truncated:
            assert left < u / depth < right and top < v / depth < bottom
            checked += 1
        assert 0 <= left < right <= 309 and 0 <= top < bottom <= 93
        assert hidden in (0, 1, 2)
    assert checked > 50


def test_the_observation_angle_is_the_heading_seen_along_the_ray(root: Path) -> None:
    for _, _, _, values in labels(root):
        x, z = values[10], values[12]
        assert values[2] == pytest.approx(float(wrap_rad(values[13] - np.arctan2(x, z))), abs=1e-5)


def test_pictures_show_what_the_labels_say(root: Path) -> None:
    """Those on foot wear vivid colours, 15 cm to either side of their boxes' middles."""
    folder, vivid = root / "data_tracking_image_2/training/image_02/0000", []
    projection = calibration(root)["P2:"]
    for frame, _, kind, values in labels(root):
        if kind != "Pedestrian" or values[:2].any() or values[12] > 15:
            continue
        image = np.asarray(Image.open(folder / f"{frame:06d}.png"), dtype=np.float64)
        for side_m in (-0.15, 0.15):
            middle = values[10:13] + [side_m, -values[7] / 2, 0.0]
            u, v, depth = projection @ np.append(middle, 1.0)
            colour = image[int(v / depth), int(u / depth)]
            vivid.append(np.ptp(colour) / colour.max() > 0.3)
    assert len(vivid) > 10 and np.mean(vivid) > 0.9
