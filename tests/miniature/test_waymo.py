"""The Waymo miniature, as an adapter reads it and as its pictures show it."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impromptu.arrays import Floats
from impromptu.clip import Camera, Clip
from impromptu.datasets import waymo
from impromptu.datasets._waymo_record import read_record
from impromptu.datasets._waymo_segment import Segment
from impromptu.miniature.waymo import LOST_FRAME
from impromptu.tfrecord import masked_crc32c, spans


@pytest.fixture(params=("training", "validation"))
def record(request: pytest.FixtureRequest, small: Path) -> Path:
    [path] = (small / "waymo" / str(request.param)).iterdir()
    return path


def read(record: Path) -> tuple[Segment, list[int]]:
    """Return a segment, and how many images each frame has."""
    segment = read_record(record)
    return segment, list(map(len, segment.images(segment.stamps_ns)))


def test_names_and_checksums_are_as_published(record: Path) -> None:
    segment = record.name.removeprefix("segment-").removesuffix("_with_camera_labels.tfrecord")
    assert all(part.isdecimal() for part in segment.split("_"))
    assert len(segment.split("_")) == 5
    data = record.read_bytes()
    for start, end in spans(data):
        assert masked_crc32c(data[start:end]) == int.from_bytes(data[end : end + 4], "little")


def test_frames_come_ten_times_a_second_and_one_is_lost(record: Path) -> None:
    segment, images = read(record)
    steps = np.round(np.diff(segment.stamps_ns) / 1e6)
    assert np.flatnonzero(steps == 200).tolist() == [LOST_FRAME - 1]
    assert set(steps) <= {100, 200}
    assert set(images[:11]) == {0, 5}
    assert segment.world_SE3_ego.valid.all()


def test_boxes_stand_on_the_ground_and_parked_ones_stay(record: Path) -> None:
    labels = read(record)[0].labels
    assert set(labels.types.tolist()) <= {1, 2, 4}
    assert {1, 2} <= set(labels.types.tolist())
    assert (labels.points > 0).all()
    assert np.abs(labels.boxes[:, 2] - labels.boxes[:, 5] / 2).max() < 3
    (log,) = (log for log in waymo.logs(record.parents[1], record) if log.source == record)
    clip = [item for item in waymo.clips(log) if isinstance(item, Clip)][1]
    speeds = [
        np.linalg.norm(agent.velocity_mps)
        for agent in clip.observation.agents
        if agent.velocity_mps is not None
    ]
    assert sum(speed < 1e-3 for speed in speeds) > 5
    assert sum(speed > 1 for speed in speeds) >= 1


def pixel(camera: Camera, point_m: Floats) -> tuple[float, float, float]:
    """Return u, v, and the distance ahead of the camera."""
    assert camera.ego_SE3_camera is not None and camera.intrinsics_px is not None
    u, v, depth = camera.intrinsics_px @ camera.ego_SE3_camera.inverse().transform(point_m)
    return u / depth, v / depth, depth


def test_pictures_show_what_the_boxes_say(small: Path) -> None:
    """Those on foot wear vivid colours: at the pixel of a near box's middle."""
    vivid = []
    for log in waymo.logs(small / "waymo", small):
        for clip in waymo.clips(log):
            assert isinstance(clip, Clip)
            for camera in clip.observation.cameras:
                assert camera.packed
                with Image.open(BytesIO(camera.packed.content())) as opened:
                    assert opened.size == camera.size_px
                    image = np.asarray(opened, dtype=np.float64)
                for agent in clip.observation.agents:
                    u, v, depth = pixel(camera, agent.center_m)
                    inside = 0 <= u < image.shape[1] and 0 <= v < image.shape[0]
                    if agent.kind == "pedestrian" and 2 < depth < 20 and inside:
                        colour = image[int(v), int(u)]
                        vivid.append(np.ptp(colour) / colour.max() > 0.3)
    assert len(vivid) > 5
    assert np.mean(vivid) > 0.75
