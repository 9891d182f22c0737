from pathlib import Path

import pytest

from impromptu import miniature
from impromptu.clip_lookup import ClipReader
from impromptu.datasets import kitti


@pytest.fixture
def reader(tmp_path: Path) -> ClipReader:
    miniature.write(tmp_path / "raw", datasets=("kitti",), logs=2, images=False)
    return ClipReader(tmp_path / "raw", tmp_path / "scratch")


def test_a_clip_is_the_one_that_generation_saw(reader: ClipReader, tmp_path: Path) -> None:
    root = tmp_path / "raw" / kitti.DATASET.home
    for log in kitti.DATASET.logs(root.resolve(), tmp_path / "other"):
        for clip in kitti.DATASET.clips(log):
            again = reader.read(clip.id)
            assert (again.id, again.timestamp_ns) == (clip.id, getattr(clip, "timestamp_ns", None))
            break


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("kitti", "expected a clip id, <dataset>/<log>/<keyframe>"),
        ("kiti/0/1", "Did you mean 'kitti'"),
        ("kitti/none/000001", "has no log 'none'"),
    ],
)
def test_what_is_not_there_is_told(reader: ClipReader, name: str, message: str) -> None:
    with pytest.raises(LookupError, match=message):
        reader.read(name)
    assert reader.find(name) is None


def test_a_keyframe_that_gave_no_clip_is_told(reader: ClipReader) -> None:
    log = kitti.DATASET.logs((reader.data_raw / kitti.DATASET.home).resolve(), reader.scratch)[0]
    with pytest.raises(LookupError, match=f"the log has .*: kitti/{log.id}/"):
        reader.read(f"kitti/{log.id}/999999")
