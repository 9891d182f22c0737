"""KITTI tracking: a hand-made sequence, its faults, and two independent derivations."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from impromptu.arrays import Floats
from impromptu.clip import Clip
from impromptu.datasets import LogError, kitti

# Made so that the camera looks along the IMU's x axis from 1 m ahead of it: camera x is -y.
CALIBRATION = """P0: 700 0 600 0 0 700 180 0 0 0 1 0
P2: 700 0 600 70 0 700 180 0 0 0 1 0
R_rect 1 0 0 0 1 0 0 0 1
Tr_velo_cam 0 -1 0 0 0 0 -1 0 1 0 0 0
Tr_imu_velo 1 0 0 -1 0 1 0 0 0 0 1 0
"""
DEGREES_PER_METRE = 180 / np.pi / kitti.EARTH_RADIUS_M


def oxts_row(east_m: float, yaw_rad: float = 0.0) -> list[float]:
    """Return a row at the equator, where the scale of the Mercator projection is one."""
    row = [0.0] * 30
    row[1], row[2], row[5] = east_m * DEGREES_PER_METRE, 50.0, yaw_rad
    row[6:11] = [77, 78, 8, 0.25, 79]
    row[11:17] = [71, 72, 73, 1.5, -0.5, 76]
    return row


def label(frame: int, track: str, word: str, ahead_m: float, left_m: float = 0.0) -> str:
    """Return a label of a box 4 m long, 2 wide, 1.5 high, on a plane 1.5 m below the camera.

    It points away from the camera, along its z axis: a turn of -90 degrees about y.
    """
    place = f"{-left_m} 1.5 {ahead_m - 1}"
    return f"{frame} {track} {word} 0 0 -10 0 0 10 10 1.5 2 4 {place} {-np.pi / 2}"


def write(root: Path, rows: list[list[float]], labels: list[str] | None = None) -> Path:
    files = {
        "data_tracking_oxts/training/oxts/0000.txt": [" ".join(map(repr, row)) for row in rows],
        "data_tracking_calib/training/calib/0000.txt": CALIBRATION.splitlines(),
        "data_tracking_label_2/training/label_02/0000.txt": labels,
    }
    for name, lines in files.items():
        if lines is not None:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text("".join(f"{line}\n" for line in lines))
    return root


def read(root: Path) -> list[Clip]:
    (log,) = kitti.logs(root, root / "scratch")
    return [clip for clip in kitti.clips(log) if isinstance(clip, Clip)]


def east(rows: int = 101) -> list[list[float]]:
    """Drive east at 10 m/s."""
    return [oxts_row(float(row)) for row in range(rows)]


def test_every_fifth_row_is_a_present(tmp_path: Path) -> None:
    clips = read(write(tmp_path, east(28)))
    assert [clip.id for clip in clips] == [f"kitti/training_0000/{k:06d}" for k in range(0, 28, 5)]
    assert [clip.timestamp_ns for clip in clips[:2]] == [0, 500_000_000]
    assert [len(clip.future) for clip in clips] == [5, 4, 3, 2, 1, 0]
    assert clips[0].split == "train"


def test_a_drive_east_goes_straight_ahead(tmp_path: Path) -> None:
    clip = read(write(tmp_path, east()))[8]
    np.testing.assert_allclose(clip.future.xy_m, [[5 * k, 0] for k in range(1, 11)], atol=1e-6)
    np.testing.assert_allclose(
        clip.observation.past.xy_m, [[5 * k, 0] for k in range(-6, 1)], atol=1e-6
    )


def test_a_drive_east_that_looks_north_goes_right(tmp_path: Path) -> None:
    rows = [oxts_row(float(row), np.pi / 2) for row in range(101)]
    np.testing.assert_allclose(read(write(tmp_path, rows))[0].future.xy_m[1], [0, -10], atol=1e-6)


def test_the_status_is_forward_and_left_as_logged(tmp_path: Path) -> None:
    rows = east()
    rows[35][8] = 3.25
    statuses = read(write(tmp_path, rows))[8].observation.statuses
    assert [status.velocity_mps[0] for status in statuses if status] == [8, 8, 8, 8, 8, 3.25, 8]
    for status in statuses:
        assert status is not None
        assert status.logged
        assert status.velocity_mps[1] == 0.25
        assert status.acceleration_mps2 is not None
        assert status.acceleration_mps2.tolist() == [1.5, -0.5]


def test_the_camera_is_the_left_colour_one(tmp_path: Path) -> None:
    """P2's fourth column, 70 px m, is 0.1 m at 700 px: it stands 0.1 m left of camera 0."""
    (camera,) = read(write(tmp_path, east()))[1].observation.cameras
    assert camera.view == "FRONT"
    assert camera.image == tmp_path / "data_tracking_image_2/training/image_02/0000/000005.png"
    assert camera.size_px is None
    assert camera.ego_SE3_camera is not None
    assert camera.intrinsics_px is not None
    assert camera.intrinsics_px.tolist() == [[700, 0, 600], [0, 700, 180], [0, 0, 1]]
    np.testing.assert_allclose(camera.ego_SE3_camera.translation_m, [1, 0.1, 0])
    np.testing.assert_allclose(camera.ego_SE3_camera.rotation, [[0, 0, 1], [-1, 0, 0], [0, -1, 0]])


def test_the_size_of_a_sequences_images_is_that_of_its_first(tmp_path: Path) -> None:
    folder = write(tmp_path, east()) / "data_tracking_image_2/training/image_02/0000"
    folder.mkdir(parents=True)
    Image.new("RGB", (124, 37)).save(folder / "000000.png")
    assert read(tmp_path)[1].observation.cameras[0].size_px == (124, 37)
    (folder / "000000.png").write_text("no image")
    assert read(tmp_path)[1].observation.cameras[0].size_px is None


def test_a_parked_car_stands_and_one_ahead_moves(tmp_path: Path) -> None:
    labels = [label(k, "0", "Car", 60.0 - k, 3.0) for k in range(51)]
    labels += [label(k, "7", "Cyclist", 12.0, -2.0) for k in range(51)]
    labels += [label(k, "-1", "DontCare", -1000.0) for k in range(51)]
    clip = read(write(tmp_path, east(51), labels))[2]
    rider, car = clip.observation.agents
    assert (rider.id, rider.category, rider.kind) == ("7", "cyclist", "cyclist")
    assert (car.id, car.category, car.kind) == ("0", "car", "vehicle")
    # The bottom is 1.5 m below the IMU's height and the box 1.5 m high.
    np.testing.assert_allclose(car.center_m, [50, 3, -0.75], atol=1e-6)
    assert car.size_m.tolist() == [4, 2, 1.5]
    assert car.yaw_rad == pytest.approx(0, abs=1e-9)
    assert car.velocity_mps is not None
    assert rider.velocity_mps is not None
    np.testing.assert_allclose(car.velocity_mps, [0, 0], atol=1e-6)
    np.testing.assert_allclose(rider.velocity_mps, [10, 0], atol=1e-6)
    np.testing.assert_allclose(clip.agent_futures["0"].xy_m, [[50, 3]] * 8, atol=1e-6)
    np.testing.assert_allclose(clip.agent_futures["7"].xy_m[1], [22, -2], atol=1e-6)


def test_a_box_turned_by_the_label_turns_against_the_camera(tmp_path: Path) -> None:
    """Labels count turns about the downward axis: 0 points right, 90 degrees towards us."""
    text = label(0, "0", "Car", 20).rsplit(" ", 1)[0]
    for turn, yaw in (0, -np.pi / 2), (np.pi / 2, -np.pi), (-np.pi, np.pi / 2):
        clip = read(write(tmp_path, east(2), [f"{text} {turn}"]))[0]
        found = clip.observation.agents[0].yaw_rad
        assert np.cos(found - yaw) == pytest.approx(1)


@pytest.mark.parametrize(("occluded", "observed"), [(0, True), (1, True), (2, False), (3, False)])
def test_observed_is_at_most_partly_occluded(tmp_path: Path, occluded: int, observed: bool) -> None:
    text = label(0, "0", "Car", 20).replace("Car 0 0", f"Car 0 {occluded}")
    clip = read(write(tmp_path, east(2), [text]))[0]
    assert clip.observation.agents[0].observed is observed


def test_a_repeated_label_is_one(tmp_path: Path) -> None:
    labels = [label(k, "0", "Car", 20.0) for k in (0, 0, 1, 1)]
    assert len(read(write(tmp_path, east(2), labels))[0].observation.agents) == 1


def test_a_speed_is_over_the_last_half_second_or_all_there_is(tmp_path: Path) -> None:
    """A parked car whose label jitters by 0.1 m at the presents, rows 5 and 10.

    At row 5 the track is 0.5 s old; the other begins at row 8 and moves 0.3 m in 0.2 s.
    """
    labels = [label(k, "0", "Car", 60.0 - k + 0.1 * (k % 5 == 0 and k > 0)) for k in range(16)]
    labels += [label(k, "1", "Van", 30.0 - k + 0.15 * (k - 8)) for k in range(8, 16)]
    clips = read(write(tmp_path, east(16), labels))
    assert clips[0].observation.agents[0].velocity_mps is None
    told = {
        (index, agent.id): agent.velocity_mps.tolist()
        for index, clip in enumerate(clips)
        for agent in clip.observation.agents
        if agent.velocity_mps is not None
    }
    assert told[1, "0"] == pytest.approx([0.2, 0], abs=1e-6)
    assert told[2, "0"] == pytest.approx([0, 0], abs=1e-6)
    assert told[2, "1"] == pytest.approx([1.5, 0], abs=1e-6)


def test_a_missing_label_is_bridged_and_two_are_a_gap(tmp_path: Path) -> None:
    labels = [label(k, "0", "Van", 30.0 - k) for k in range(31) if k not in (6, 7, 19)]
    clips = read(write(tmp_path, east(31), labels))
    assert "0" not in clips[1].agent_futures
    assert len(clips[2].agent_futures["0"]) == 4
    assert clips[4].observation.agents[0].velocity_mps is not None
    assert clips[2].agent_futures["0"].xy_m[1].tolist() == pytest.approx([20, 0])


def test_a_sequence_without_labels_or_calibration_is_not_annotated(tmp_path: Path) -> None:
    labels = [label(0, "0", "Car", 20)]
    assert not read(write(tmp_path / "a", east(2)))[0].observation.annotated
    root = write(tmp_path / "b", east(2), labels)
    assert read(root)[0].observation.annotated
    (root / "data_tracking_calib/training/calib/0000.txt").unlink()
    observation = read(root)[0].observation
    assert not observation.annotated
    assert observation.cameras[0].intrinsics_px is None


def test_both_folders_are_splits_whose_sequences_do_not_mix(tmp_path: Path) -> None:
    write(tmp_path, east(2))
    (tmp_path / "data_tracking_oxts/testing/oxts").mkdir(parents=True)
    (tmp_path / "data_tracking_oxts/testing/oxts/0000.txt").write_text(
        " ".join(map(str, oxts_row(0)))
    )
    logs = kitti.logs(tmp_path, tmp_path)
    assert [(log.id, log.split) for log in logs] == [
        ("training_0000", "train"),
        ("testing_0000", "test"),
    ]
    assert [len(log.inputs) for log in logs] == [2, 1]


def test_an_empty_folder_is_answered_with_what_to_download(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no oxts file is here; expected KITTI tracking"):
        kitti.logs(tmp_path, tmp_path)


OXTS = "data_tracking_oxts/training/oxts/0000.txt"
CALIB = "data_tracking_calib/training/calib/0000.txt"
LABELS = "data_tracking_label_2/training/label_02/0000.txt"
Spoil = Callable[[str], str]


@pytest.mark.parametrize(
    ("name", "spoil", "message"),
    [
        (OXTS, lambda text: text[:-20], r"0000.txt:3: expected 30 columns, got "),
        (OXTS, lambda text: text.replace("0.25", "nan", 1), r"0000.txt:1: column 10 is 'nan'"),
        (
            OXTS,
            lambda text: text.replace("-0.5", "x", 1),
            r"0000.txt:1: column 16 is 'x'; expected",
        ),
        (OXTS, lambda text: "", r"0000.txt: no rows"),
        (CALIB, lambda text: text.replace("R_rect", "R"), r"0000.txt:6: expected R_rect and 9 num"),
        (
            CALIB,
            lambda text: text.replace("70 ", ""),
            r"0000.txt:2: expected P2 and 12 numbers, got",
        ),
        (CALIB, lambda text: text.replace("-1", "inf"), r"0000.txt:4: column 3 is 'inf'"),
        (LABELS, lambda text: text + " 0.9", r"0000.txt:2: expected 17 columns, got 1"),
        (
            LABELS,
            lambda text: text.replace("Car", "Ufo"),
            r"0000.txt:1: type 'Ufo'; expected one of",
        ),
        (
            LABELS,
            lambda text: "9" + text,
            r"0000.txt:1: frame '90'; the oxts file has frames 0 to 2",
        ),
        (LABELS, lambda text: "9" * 5000 + text, r"label_02/0000.txt:1: frame '999"),
        (
            LABELS,
            lambda text: text.replace("1.5 2 4", "1.5 nan 4"),
            r"0000.txt:1: column 12 is 'nan'",
        ),
        (
            OXTS,
            lambda text: text.replace("8 0.25", "1e200 0.25", 1),
            r"0000.txt:1: column 9 is 1e\+200; expected a number between -150 and 150",
        ),
        (OXTS, lambda text: text.replace("1.5", "-1e200", 1), "0000.txt:1: column 15 is -1e"),
        (OXTS, lambda text: "1e200" + text[3:], r"0000.txt:1: column 1 is 1e\+200; expected"),
        (OXTS, lambda text: "89" + text[3:], r"0000.txt: from row 1 to row 2 the position jumps"),
        (
            CALIB,
            lambda text: text.replace("P2: 700 0 600 70 0 700 180 0 0 0 1", "P2:" + 11 * " 0"),
            r"0000.txt:2: P2 is no projection",
        ),
        (CALIB, lambda text: text.replace("P2: 700", "P2: -700"), "2: P2 is no projection"),
        (CALIB, lambda text: text.replace("P2: 700", "P2: 1e308"), "2: P2 holds 1e.308; expected"),
        (CALIB, lambda text: text.replace("R_rect 1", "R_rect 0"), "3: R_rect holds no rotation"),
        (CALIB, lambda text: text.replace("R_rect 1", "R_rect -1"), "3: R_rect holds no rotation"),
        (CALIB, lambda text: text.replace("velo 1 0", "velo 1e200 0"), "5: Tr_imu_velo holds 1e"),
        (LABELS, lambda text: text.replace("1.5 2 4", "0 2 4"), r"txt:1: column 11 is 0.0; exp"),
        (
            LABELS,
            lambda text: text.replace("1.5 2 4", "1.5 -2 4"),
            r"txt:1: column 12 is -2.0; exp",
        ),
        (LABELS, lambda text: text.replace("2 4", "2 -4"), r"txt:1: column 13 is -4.0; expected"),
        (LABELS, lambda text: text.replace("19", "1e300"), r"txt:1: column 16 is 1e\+300; exp"),
        (
            LABELS,
            lambda text: text + text.replace(" 19 ", " 18 "),
            r"0000.txt: row 1 and row 2: two different boxes of track 0 at 0 ns; expected one",
        ),
    ],
)
def test_a_fault_is_named_with_file_row_and_column(
    tmp_path: Path, name: str, spoil: Spoil, message: str
) -> None:
    path = write(tmp_path, east(3), [label(0, "0", "Car", 20)]) / name
    path.write_text(spoil(path.read_text()))
    with pytest.raises(LogError, match=message) as caught:
        read(tmp_path)
    assert str(path) in str(caught.value)


def test_keys_with_and_without_colons_are_the_same(tmp_path: Path) -> None:
    plain = read(write(tmp_path, east(2)))[0].observation.cameras[0].ego_SE3_camera
    path = tmp_path / CALIB
    lines = [line.replace(":", "").split(" ", 1) for line in path.read_text().splitlines()]
    path.write_text("\n".join(f"{key}: {rest}" for key, rest in lines))
    colons = read(tmp_path)[0].observation.cameras[0].ego_SE3_camera
    assert plain is not None
    assert colons is not None
    np.testing.assert_array_equal(plain.translation_m, colons.translation_m)


@pytest.fixture(params=["miniature", "real"])
def shipped(request: pytest.FixtureRequest) -> Path:
    """A folder made by somebody else: our miniature, and the real sample."""
    if request.param == "miniature":
        return Path(request.getfixturevalue("miniatures")) / "kitti"
    return Path(request.getfixturevalue("samples")) / "kitti"


def world_from_ego(row: Floats, latitude_0_deg: float) -> Floats:
    """Derive a pose another way: inverse hyperbolic sine for Mercator, one matrix a turn."""
    latitude, longitude, height, roll, pitch, yaw = row[:6]
    scale = np.cos(latitude_0_deg * np.pi / 180)
    north = 6378137 * scale * np.arcsinh(np.tan(latitude * np.pi / 180))
    cr, sr, cp, sp = np.cos(roll), np.sin(roll), np.cos(pitch), np.sin(pitch)
    about_x = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    about_y = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
    about_z = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    pose = np.eye(4)
    pose[:3, :3] = about_z @ about_y @ about_x
    pose[:3, 3] = 6378137 * scale * longitude * np.pi / 180, north, height
    return pose


def test_waypoints_agree_with_another_derivation(shipped: Path) -> None:
    log = kitti.logs(shipped, shipped)[0]
    rows = np.loadtxt(log.source)
    poses = [world_from_ego(row, rows[0, 0]) for row in rows]
    for clip in kitti.clips(log):
        assert isinstance(clip, Clip)
        now = round(clip.timestamp_ns / 1e8)
        for step, xy_m in enumerate(clip.future.xy_m, start=1):
            there = np.linalg.inv(poses[now]) @ poses[now + 5 * step]
            np.testing.assert_allclose(xy_m, there[:2, 3], atol=1e-6)


def test_the_real_boxes_project_onto_their_labels(samples: Path) -> None:
    """Corners of a box, seen through the camera, span the rectangle drawn by an annotator."""
    log = kitti.logs(samples / "kitti", samples)[0]
    drawn = {}
    for line in (samples / "kitti" / LABELS).read_text().splitlines():
        fields = line.split()
        if fields[3:5] == ["0", "0"]:
            drawn[f"{int(fields[0]):06d}", fields[1]] = np.array([float(v) for v in fields[6:10]])
    overlaps = []
    for clip in kitti.clips(log):
        assert isinstance(clip, Clip)
        (camera,) = clip.observation.cameras
        assert camera.ego_SE3_camera is not None
        assert camera.intrinsics_px is not None
        for agent in clip.observation.agents:
            key = clip.id.rpartition("/")[2], agent.id
            if key in drawn:
                turn = Rotation.from_euler("Z", agent.yaw_rad).as_matrix()
                signs = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, 8).T
                corners = agent.center_m + signs * agent.size_m / 2 @ turn.T
                seen = camera.ego_SE3_camera.inverse().transform(corners) @ camera.intrinsics_px.T
                pixels = seen[:, :2] / seen[:, 2:]
                overlaps.append(overlap(np.array([*pixels.min(0), *pixels.max(0)]), drawn[key]))
    assert len(overlaps) > 20
    assert np.median(overlaps) > 0.85
    assert min(overlaps) > 0.5


def overlap(a: Floats, b: Floats) -> float:
    """Return intersection over union of rectangles (left, top, right, bottom)."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    both = float(np.prod(np.maximum(sides, 0)))
    return both / float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - both)


def test_the_real_sequence_gives_31_clips_over_69_metres(samples: Path) -> None:
    (log,) = kitti.logs(samples / "kitti", samples)
    clips = [clip for clip in kitti.clips(log) if isinstance(clip, Clip)]
    assert len(clips) == 31
    # Another 1.5 m come in the last three rows, after the last present.
    steps_m = [np.linalg.norm(clip.future.xy_m[0]) for clip in clips if len(clip.future)]
    assert sum(steps_m) == pytest.approx(67.5, abs=1)
