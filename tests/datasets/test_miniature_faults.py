"""Faults that miniatures have as real datasets do: what each costs, counted by hand.

Two logs of 6 s, one a split: 13 half seconds, the first of them at the start.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from impromptu import miniature
from impromptu.generation import generate
from impromptu.part import Recipe

RECIPE = Recipe(("scene_description", "trajectory"))


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("raw")
    names = ("argoverse2", "kitti", "navsim", "once")
    miniature.write(out, datasets=names, logs=2, duration_s=6.0, images=False)
    return out


def told(raw: Path, out: Path, dataset: str) -> Mapping[str, Any]:
    generate(raw, out, [dataset], None, RECIPE, workers=1)
    found: Mapping[str, Any] = json.loads((out / "manifest.json").read_text())
    entries: Mapping[str, Any] = found["datasets"][dataset]
    return entries


def test_kitti_lacks_an_image(raw: Path, tmp_path: Path) -> None:
    """Row 5, the second present, of 13. It has no 1.5 s of past, which q7 says first."""
    for entry in told(raw, tmp_path, "kitti").values():
        assert (entry["clips"], entry["keyframes_dropped"]) == (13, {})
        q5, q7 = entry["questions"]["q5"], entry["questions"]["q7"]
        assert (q5["samples"], q5["dropped"]) == (12, {"missing_image": 1})
        assert q7["asked"] == 13 and "missing_image" not in q7["dropped"]


def test_argoverse2_lacks_an_image_of_one_camera(raw: Path, tmp_path: Path) -> None:
    """Its images are listed, not named: one that is gone is a view that is not there."""
    for entry in told(raw, tmp_path, "argoverse2").values():
        q5 = entry["questions"]["q5"]
        assert entry["keyframes_dropped"] == {}
        assert q5["asked"] == 7 * entry["clips"]
        assert (q5["samples"], q5["dropped"]) == (7 * entry["clips"] - 1, {"no_side_left_view": 1})


@pytest.mark.parametrize(("dataset", "cameras"), [("navsim", 8), ("once", 1)])
def test_a_lost_pose_is_a_lost_keyframe(
    raw: Path, tmp_path: Path, dataset: str, cameras: int
) -> None:
    """A zero quaternion in the first log, at row 10 of 13; in the other log frames are missing.

    An image of the second frame is missing in both; the past of row 12 begins after the lost pose.
    """
    splits = dict(told(raw, tmp_path, dataset))
    first, (second,) = splits.pop("train"), splits.values()
    assert first["keyframes_dropped"] == {"no_ego_pose": 1}
    assert second["keyframes_dropped"] == {}
    assert (first["clips"], second["clips"]) == (12, 11 if dataset == "navsim" else 10)
    for entry in (first, second):
        q5 = entry["questions"]["q5"]
        assert q5["asked"] == cameras * entry["clips"]
        assert (q5["samples"], q5["dropped"]) == (q5["asked"] - 1, {"missing_image": 1})
