"""What each dataset says of where and when, as far as its files hold it."""

from pathlib import Path

import numpy as np
import pytest

from impromptu import datasets, miniature, plugins
from impromptu.clip import Clip
from impromptu.datasets import Dataset, argoverse2
from impromptu.datasets._waymo_record import _told
from impromptu.miniature.wire import content
from impromptu.tfrecord import opened


@pytest.mark.parametrize(
    ("name", "tags"),
    [
        ("nuscenes", {"location": "boston-seaport", "time_of_day": "day", "weather": "dry"}),
        ("navsim", {"location": "us-nv-las-vegas-strip"}),
        ("once", {"weather": "sunny", "time_of_day": "morning"}),
        ("kitti", {}),
    ],
)
def test_miniatures_tell_what_their_formats_hold(
    name: str, tags: dict[str, str], tmp_path: Path
) -> None:
    miniature.write(tmp_path, datasets=(name,), logs=1, duration_s=3.0, images=False)
    dataset = plugins.load(datasets, name, Dataset)
    logs = dataset.logs(tmp_path / dataset.home, tmp_path / "scratch")
    clip = next(item for item in dataset.clips(logs[0]) if isinstance(item, Clip))
    assert clip.tags == tags


def test_a_mapillary_clip_is_where_its_folder_says(tmp_path: Path) -> None:
    miniature.write(tmp_path, datasets=("mapillary_sls",), logs=1, duration_s=3.0, images=False)
    dataset = plugins.load(datasets, "mapillary_sls", Dataset)
    for log in dataset.logs(tmp_path / dataset.home, tmp_path / "scratch"):
        for item in dataset.clips(log):
            if isinstance(item, Clip):
                assert item.tags == {"location": log.source.parent.name}


def test_an_argoverse_map_names_its_city(tmp_path: Path) -> None:
    (tmp_path / "map").mkdir()
    (tmp_path / "map/log_map_archive_adcf7d18-0510____PIT_city_34830.json").touch()
    assert argoverse2._tags(tmp_path) == {"location": "PIT"}
    assert argoverse2._tags(tmp_path / "elsewhere") == {}


@pytest.mark.parametrize("stats", [b"", b"Dawn/Dusk"])
def test_a_waymo_context_tells_place_hour_and_weather(stats: bytes, tmp_path: Path) -> None:
    told = content(2, stats) + content(3, b"location_sf") + content(4, b"rain") if stats else b""
    context = content(1, b"a name") + (content(4, told) if told else b"")
    (tmp_path / "context").write_bytes(context)
    with opened(tmp_path / "context") as file:
        name, tags = _told(file, np.array([[0, len(context)]]))
    known = {"time_of_day": "Dawn/Dusk", "location": "location_sf", "weather": "rain"}
    assert (name, tags) == ("a name", known if stats else {})
