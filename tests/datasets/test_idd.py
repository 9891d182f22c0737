"""IDD multimodal: a hand-made drive, its faults, and a second derivation of waypoints."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from impromptu.arrays import Floats
from impromptu.clip import Clip
from impromptu.datasets import Dropped, LogError, idd

DEGREES_PER_METRE = 180 / np.pi / 6_378_137.0
"""Along the equator."""
HEADER = "timestamp,image_idx,latitude,longitude,altitude"


def stamp(seconds: float) -> str:
    microseconds = round(seconds * 1e6) % 86_400_000_000
    hours, rest = divmod(microseconds, 3_600_000_000)
    minutes, rest = divmod(rest, 60_000_000)
    return f"{hours:02d}-{minutes:02d}-{rest // 1_000_000:02d}-{rest % 1_000_000:06d}"


def row(number: int, east_m: float, seconds: float) -> str:
    return f"{stamp(seconds)},{number:07d},0.0,{78 + east_m * DEGREES_PER_METRE:.12f},480.0"


def east(rows: int = 151, start_s: float = 36_000.0) -> list[str]:
    """Drive east at 10 m/s, 15 rows a second."""
    return [row(k, k / 1.5, start_s + k / 15) for k in range(rows)]


def write(root: Path, rows: Sequence[str], name: str = "primary/d0/train.csv") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in (HEADER, *rows)), encoding="utf-8")
    return root


def items(root: Path) -> Iterator[Clip | Dropped]:
    (log,) = idd.logs(root, root)
    return idd.clips(log)


def read(root: Path) -> list[Clip]:
    return [clip for clip in items(root) if isinstance(clip, Clip)]


def test_the_first_row_of_each_half_second_is_a_present(tmp_path: Path) -> None:
    clips = read(write(tmp_path, east(31)))
    names = [0, 8, 15, 23, 30]
    assert [clip.id for clip in clips] == [f"idd/d0_train/{k:07d}" for k in names]
    assert [clip.split for clip in clips] == ["train"] * 5
    assert clips[2].timestamp_ns == 36_001_000_000_000


def test_a_drive_east_goes_straight_ahead_by_its_own_stamps(tmp_path: Path) -> None:
    """The present, row 68, is at 4.5333 s: no row is at its waypoints, they lie between two."""
    clip = next(c for c in read(write(tmp_path, east())) if c.id.endswith("68"))
    np.testing.assert_allclose(clip.future.xy_m, [[5 * k, 0] for k in range(1, 11)], atol=1e-4)
    past_m = [[5 * k, 0] for k in range(-6, 1)]
    np.testing.assert_allclose(clip.observation.past.xy_m, past_m, atol=1e-4)
    status = clip.observation.status
    assert status is not None
    assert not status.logged
    np.testing.assert_allclose(status.velocity_mps, [10, 0], atol=1e-4)


def test_before_a_course_is_known_there_is_the_present_alone(tmp_path: Path) -> None:
    first, second, *_ = read(write(tmp_path, east()))
    assert (len(first.observation.past), len(first.future)) == (1, 0)
    assert first.observation.statuses == (None,)
    assert (len(second.observation.past), len(second.future)) == (1, 10)


def test_the_pair_of_images_is_left_and_right(tmp_path: Path) -> None:
    write(tmp_path, east(2))
    left, right = read(tmp_path)[0].observation.cameras
    assert (left.view, right.view) == ("LEFT", "RIGHT") == idd.DATASET.surround
    assert left.image == tmp_path / "primary/d0/leftCamImgs/0000000.jpg"
    assert right.image == tmp_path / "secondary/d0/rightCamImgs/0000000.jpg"
    (tmp_path / "primary/d0/rightCamImgs").mkdir()
    right = read(tmp_path)[0].observation.cameras[1]
    assert right.image == tmp_path / "primary/d0/rightCamImgs/0000000.jpg"


def test_nobody_looked_for_agents(tmp_path: Path) -> None:
    assert not read(write(tmp_path, east(2)))[0].observation.annotated


def test_midnight_is_no_gap(tmp_path: Path) -> None:
    day = read(write(tmp_path / "day", east()))
    night = read(write(tmp_path / "night", east(start_s=86_395.0)))
    assert [clip.id for clip in night] == [clip.id for clip in day]
    for one, other in zip(day, night, strict=True):
        np.testing.assert_allclose(one.future.xy_m, other.future.xy_m, atol=1e-5)
    assert night[-1].timestamp_ns == 86_405_000_000_000


def test_rows_in_any_order_are_put_in_that_of_their_images(tmp_path: Path) -> None:
    rows = east(60)
    mixed = np.random.default_rng(0).permutation(rows).tolist()
    plain, shuffled = read(write(tmp_path / "a", rows)), read(write(tmp_path / "b", mixed))
    assert [clip.id for clip in shuffled] == [clip.id for clip in plain]
    np.testing.assert_array_equal(shuffled[3].future.xy_m, plain[3].future.xy_m)


@pytest.mark.parametrize(("missing", "points"), [(4, 10), (5, 2)])
def test_four_missing_rows_are_bridged_and_five_are_a_gap(
    tmp_path: Path, missing: int, points: int
) -> None:
    rows = east()
    del rows[76 : 76 + missing]
    clip = next(c for c in read(write(tmp_path, rows)) if c.id.endswith("60"))
    assert len(clip.future) == points


def test_half_seconds_are_counted_anew_after_a_gap(tmp_path: Path) -> None:
    rows = east(60)
    del rows[20:29]
    assert [
        clip.id[-2:] for clip in read(write(tmp_path, rows))
    ] == "00 08 15 29 37 44 52 59".split()


def test_a_jump_of_the_gps_cuts_the_drive(tmp_path: Path) -> None:
    rows = east()
    rows[100:] = [row(k, k / 1.5 + 300, 36_000 + k / 15) for k in range(100, 151)]
    clips = read(write(tmp_path, rows))
    reach_m = [np.abs(clip.future.xy_m).max() for clip in clips if len(clip.future)]
    assert max(reach_m) < 51
    assert len(next(c for c in clips if c.id.endswith("90")).future) == 1


def test_a_step_back_in_time_cuts_the_drive(tmp_path: Path) -> None:
    rows = [*east(75), *(row(k, k / 1.5, 35_990 + k / 15) for k in range(75, 151))]
    clips = read(write(tmp_path, rows))
    assert len(next(c for c in clips if c.id.endswith("60")).future) == 1
    assert len(clips) == 10 + 11


def test_a_stamp_listed_again_cuts_the_drive(tmp_path: Path) -> None:
    rows = east()
    rows[76] = rows[75].replace("0000075", "0000076")
    clips = read(write(tmp_path, rows))
    assert len(next(c for c in clips if c.id.endswith("60")).future) == 2


def test_a_row_without_a_position_or_listed_again_is_told(tmp_path: Path) -> None:
    rows = east(31)
    rows[3] = "10-00-00-200000,0000003,,78.0,480.0"
    rows[4] = "10-00-00-266667,0000004,97.0,78.0,480.0"
    found = list(items(write(tmp_path, [*rows, rows[20]])))
    dropped = {item.id[-2:]: item.reason for item in found if isinstance(item, Dropped)}
    assert dropped == {"03": "no_position", "04": "no_position", "20": "image_listed_twice"}
    assert [item.id[-2:] for item in found] == "00 03 04 08 15 20 23 30".split()


def test_the_test_split_has_no_positions(tmp_path: Path) -> None:
    path = write(tmp_path, (), "primary/d0/test.csv") / "primary/d0/test.csv"
    path.write_text("timestamp,image_idx\n10-00-00-000000,0000007\n")
    assert list(items(tmp_path)) == [Dropped("idd/d0_test/0000007", "no_position")]


def test_a_file_without_rows_gives_nothing(tmp_path: Path) -> None:
    assert list(items(write(tmp_path, ()))) == []


def test_each_file_of_each_drive_is_a_log(tmp_path: Path) -> None:
    for name in ("d0/val", "d0/train", "d1/train", "d1/notes"):
        write(tmp_path, east(2), f"idd_multimodal/primary/{name}.csv")
    logs = idd.logs(tmp_path, tmp_path)
    expected = [("d0_train", "train"), ("d0_val", "val"), ("d1_train", "train")]
    assert [(log.id, log.split) for log in logs] == expected
    assert all(log.inputs == (log.source,) for log in logs)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "25-00-00-000000,0000001,0,78,0",
            r"train.csv:3: timestamp is '25-00-00-000000'; expected",
        ),
        ("10:00:00,0000001,0,78,0", r"train.csv:3: timestamp is '10:00:00'; expected HH-MM-SS-mi"),
        ("10-00-00-000000,../../x,0,78,0", r"train.csv:3: image_idx is '../../x'; expected digits"),
        (f"10-00-00-000000,{'9' * 30},0,78,0", r"train.csv:3: image_idx is '999.*expected digits"),
        ("10-00-00-000000,0000001,north,78,0", r"train.csv.*Row #3.*'north'"),
        ("10-00-00-000000,0000001", r"train.csv.*Row #3: Expected 5 columns, got 2"),
    ],
)
def test_a_fault_is_named_with_file_and_row(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(LogError, match=message):
        list(items(write(tmp_path, [*east(1), line])))


def test_a_file_without_positions_names_the_column(tmp_path: Path) -> None:
    path = write(tmp_path, ()) / "primary/d0/train.csv"
    path.write_text("timestamp,image_idx\n10-00-00-000000,0000007\n")
    with pytest.raises(LogError, match=r"expected one column 'latitude'; it has timestamp, image"):
        list(items(tmp_path))


def test_folders_without_a_drive_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no CSV file of a drive is here; expected IDD mul"):
        idd.logs(tmp_path, tmp_path)
    (tmp_path / "IDD_Detection/Annotations").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="IDD detection kit, whose images have no poses"):
        idd.logs(tmp_path, tmp_path)


def places_m(rows: Sequence[str]) -> tuple[Floats, Floats]:
    """Derive times and metres another way: to earth-centred axes, then along east and north."""
    fields = [line.split(",") for line in rows]
    hms = np.array([[int(part) for part in line[0].split("-")] for line in fields])
    t_s = hms @ [3600, 60, 1, 1e-6]
    lat, lon = np.radians(np.array([line[2:4] for line in fields], dtype=np.float64)).T
    a_m, e2 = 6_378_137.0, 0.00669437999014
    n_m = a_m / np.sqrt(1 - e2 * np.sin(lat) ** 2)
    earth = np.stack(
        [
            n_m * np.cos(lat) * np.cos(lon),
            n_m * np.cos(lat) * np.sin(lon),
            n_m * (1 - e2) * np.sin(lat),
        ]
    )
    east = np.array([-np.sin(lon[0]), np.cos(lon[0]), 0])
    north = np.array(
        [-np.sin(lat[0]) * np.cos(lon[0]), -np.sin(lat[0]) * np.sin(lon[0]), np.cos(lat[0])]
    )
    return t_s, np.stack([east @ earth, north @ earth], axis=-1)


def test_distances_agree_with_another_derivation(miniatures: Path) -> None:
    log = next(log for log in idd.logs(miniatures / "idd", miniatures) if log.id == "d0_val")
    lines = log.source.read_text(encoding="utf-8").splitlines()[1:]
    t_s, xy_m = places_m(lines)
    compared = 0
    for clip in idd.clips(log):
        assert isinstance(clip, Clip)
        times = clip.timestamp_ns / 1e9 + np.append(0, clip.future.t_s)
        there = np.column_stack([np.interp(times, t_s, column) for column in xy_m.T])
        expected_m = np.linalg.norm(there[1:] - there[0], axis=-1)
        found_m = np.linalg.norm(clip.future.xy_m, axis=-1)
        np.testing.assert_allclose(found_m, expected_m, atol=2e-3)
        compared += len(found_m)
    assert compared > 50


def test_the_miniature_has_the_faults_of_the_real_one(miniatures: Path) -> None:
    logs = idd.logs(miniatures / "idd", miniatures)
    assert [log.id for log in logs] == ["d0_test", "d0_train", "d0_val"]
    for log in logs:
        found = list(idd.clips(log))
        reasons = Counter(item.reason for item in found if isinstance(item, Dropped))
        clips = [item for item in found if isinstance(item, Clip)]
        assert reasons == ({"no_position": 24} if log.split == "test" else {})
        if clips:
            assert max(len(clip.future) for clip in clips) == 10
            assert max(np.abs(c.future.xy_m).max() for c in clips if len(c.future)) < 120
            images = [clip.observation.cameras[0].image.is_file() for clip in clips]
            assert any(images)
            assert not all(images)


def test_the_real_rows_give_a_present_and_a_hint_of_motion(samples: Path) -> None:
    for log in idd.logs(samples / "idd", samples):
        found = list(idd.clips(log))
        if log.split == "test":
            assert [item.reason for item in found if isinstance(item, Dropped)] == [
                "no_position"
            ] * 5
        else:
            (clip,) = found
            assert isinstance(clip, Clip)
            assert clip.timestamp_ns == 32_431_289_685_000
            assert all(camera.image.is_file() for camera in clip.observation.cameras)
