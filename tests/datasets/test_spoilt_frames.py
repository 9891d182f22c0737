"""Whatever one value of a navsim or ONCE log becomes: no frame is lost without a word."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impromptu.datasets import Dropped, LogError, navsim, once
from impromptu.files import read_json

VALUES = st.sampled_from(
    [None, 0, -1, 7, 2**70, 1e300, float("nan"), float("inf"), True, "", "x", "9" * 400, [], {}]
    + [[[1]], [0.0] * 7, {"x": 1}, np.zeros((0, 7)), np.ones((4, 4)), np.array(["a"])]
)


def spoil(data: st.DataObject, content: Any) -> None:
    """Put another value in the place of one that is found by going down at random."""
    while True:
        keys = list(content) if isinstance(content, dict) else list(range(len(content)))
        key = data.draw(st.sampled_from(keys))
        below = content[key]
        deeper = isinstance(below, dict | list) and len(below) and data.draw(st.integers(0, 9))
        if not deeper:
            content[key] = data.draw(VALUES)
            return
        content = below


def outcomes(found: Any, frames: int) -> None:
    """Read clips; all frames come out, or the log says what is wrong."""
    try:
        items = list(found)
    except LogError as error:
        assert len(str(error)) > 20
    else:
        assert len(items) == frames
        assert all(item.reason for item in items if isinstance(item, Dropped))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spoilt")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_navsim_frame_spoilt(miniatures: Path, folder: Path, data: st.DataObject) -> None:
    (path,) = (miniatures / "navsim" / "navsim_logs" / "test").iterdir()
    frames = pickle.loads(path.read_bytes())[:6]  # noqa: S301 - our own
    spoil(data, frames)
    spoilt = folder / "navsim_logs" / "test" / "a.pkl"
    spoilt.parent.mkdir(parents=True, exist_ok=True)
    spoilt.write_bytes(pickle.dumps(frames))
    outcomes(navsim.clips(navsim.logs(folder, folder)[0]), len(frames))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_once_frame_spoilt(miniatures: Path, folder: Path, data: st.DataObject) -> None:
    content = read_json(miniatures / "once" / "data" / "000000" / "000000.json")
    del content["frames"][6:]
    spoil(data, content)
    text = json.dumps(content, default=lambda array: array.tolist())
    path = folder / "data" / "000000" / "000000.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    for name in ("val", "test"):
        (folder / "ImageSets").mkdir(exist_ok=True)
        (folder / "ImageSets" / f"{name}.txt").touch()
    frames = content.get("frames")
    outcomes(
        once.clips(once.logs(folder, folder)[0]), len(frames) if isinstance(frames, list) else 0
    )
