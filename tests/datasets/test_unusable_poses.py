"""Poses between keyframes that cannot be used: they are counted, and motion told without them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import feather

from impromptu import miniature
from impromptu.generation import generate
from impromptu.part import Recipe


def counts(out: Path, dataset: str) -> dict[str, Any]:
    """Return what the manifest says of the only split."""
    (split,) = json.loads((out / "manifest.json").read_text())["datasets"][dataset].values()
    found: dict[str, Any] = split
    return found


def test_each_is_counted_and_costs_no_clip(tmp_path: Path) -> None:
    """Three of a log's poses get a zero quaternion: none is the first one, or at a present."""
    raw = tmp_path / "raw"
    miniature.write(raw, datasets=["argoverse2"], logs=1, duration_s=6.0, images=False)
    generate(raw, tmp_path / "whole", ["argoverse2"], None, Recipe(("trajectory",)), 1)
    (path,) = raw.rglob("city_SE3_egovehicle.feather")
    table = feather.read_table(path)
    columns = {name: table[name].to_numpy().copy() for name in table.column_names}
    front = {int(image.stem) for image in path.parent.rglob("ring_front_center/*.jpg")}
    between = [at for at, ns in enumerate(columns["timestamp_ns"].tolist()) if ns not in front]
    for name in ("qw", "qx", "qy", "qz"):
        columns[name][np.array(between)[[50, 51, 200]]] = 0.0
    feather.write_feather(pa.table(columns), path)
    generate(raw, tmp_path / "spoilt", ["argoverse2"], None, Recipe(("trajectory",)), 1)
    whole, spoilt = (counts(tmp_path / out, "argoverse2") for out in ("whole", "spoilt"))
    assert (whole["poses_unusable"], spoilt["poses_unusable"]) == (0, 3)
    for what in ("clips", "keyframes_dropped", "questions"):
        assert spoilt[what] == whole[what]


def test_the_pose_of_a_lost_keyframe_is_not_counted_twice(tmp_path: Path) -> None:
    """The miniature of navsim has a keyframe with a zero quaternion."""
    miniature.write(tmp_path, datasets=["navsim"], logs=1, duration_s=6.0, images=False)
    generate(tmp_path, tmp_path / "out", ["navsim"], None, Recipe(("trajectory",)), 1)
    split = counts(tmp_path / "out", "navsim")
    assert split["keyframes_dropped"] == {"no_ego_pose": 1}
    assert split["poses_unusable"] == 0
