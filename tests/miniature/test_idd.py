from pathlib import Path

import numpy as np
import pytest

from impromptu.miniature.idd import JUMP_M

DAY_S = 86_400


@pytest.fixture(scope="module")
def root(small: Path) -> Path:
    return small / "idd"


def rows(path: Path) -> list[list[str]]:
    return [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()]


def seconds(times: list[str]) -> list[float]:
    """Return times of day; after midnight they go on past 86,400."""
    found = [
        sum(float(v) * u for v, u in zip(t.split("-"), (3600, 60, 1, 1e-6), strict=True))
        for t in times
    ]
    return [value + DAY_S * (value < found[0]) for value in found]


def test_files_have_the_columns_of_the_real_ones(root: Path) -> None:
    assert rows(root / "primary/d0/train.csv")[0] == [
        *("timestamp", "image_idx", "latitude", "longitude", "altitude")
    ]
    assert rows(root / "primary/d0/test.csv")[0] == ["timestamp", "image_idx"]
    assert rows(root / "supplement/obd/d0/obd.csv")[0] == [
        *("timestamp", "speed", "rpm", "gear", "clv", "throttle_position")
    ]


def test_stamps_are_ragged_pass_midnight_and_leave_a_gap(root: Path) -> None:
    """Rows come at 15 Hz; twelve of them, 0.8 s, went to the test file."""
    times = [row[0] for row in rows(root / "primary/d0/train.csv")[1:]]
    assert times[0].startswith("23-59-55-")
    assert times[-1].startswith("00-00-00-")
    step_s = np.sort(np.diff(seconds(times)))
    assert step_s[-1] == pytest.approx(13 / 15, abs=0.007)
    assert (np.abs(step_s[:-1] - 1 / 15) < 0.007).all()
    assert np.ptp(step_s[:-1]) > 0.004
    numbers = {row[1] for row in rows(root / "primary/d0/train.csv")[1:]}
    away = {row[1] for row in rows(root / "primary/d0/test.csv")[1:13]}
    assert len(away) == 12
    assert numbers | away == {f"{k:07d}" for k in range(90)}
    assert not numbers & away


def test_one_position_is_far_off(root: Path) -> None:
    place = np.array([row[2:4] for row in rows(root / "primary/d0/train.csv")[1:]], np.float64)
    east_m = np.diff(place[:, 1]) * 111_320 * np.cos(np.radians(17.45))
    assert sorted(np.flatnonzero(np.abs(east_m) > JUMP_M - 20)) == [72, 73]
    assert np.median(np.abs(east_m)) < 1


def test_the_cars_own_clock_is_utc(root: Path) -> None:
    """It is 5 h 30 min behind, and begins a second later."""
    first = rows(root / "supplement/obd/d0/obd.csv")[1]
    assert first[0] == "18-29-56-000000"


def test_pictures_are_pairs_and_some_are_missing(root: Path) -> None:
    left, right = (
        sorted(path.name for path in (root / folder).glob("*.jpg"))
        for folder in ("primary/d0/leftCamImgs", "secondary/d0/rightCamImgs")
    )
    assert left == right
    assert len(left) == 180 - 16
    assert "0000045.jpg" not in left
