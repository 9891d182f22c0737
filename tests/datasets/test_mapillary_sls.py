"""Mapillary SLS: clips with and without a stated rate, splits, faults, and the real sample."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from impromptu.clip import Clip
from impromptu.datasets import Dropped, Log, LogError, mapillary_sls

STEP_M = 4.0


def write(root: Path, frames: int, folder: str = "train_val/amman/query", view: str = "") -> Path:
    """Write a sequence that goes north, a frame every 4 m; ``view`` is that of its frame 2."""
    place = root / folder
    place.mkdir(parents=True, exist_ok=True)
    tables = {
        "seq_info": [",key,sequence_key,frame_number"],
        "postprocessed": [",key,easting,northing,view_direction"],
        "raw": [",key,pano"],
    }
    for i in range(frames):
        tables["seq_info"].append(f"{i},k{i:03d},s,{i}")
        look = view if view and i == 2 else "Forward"
        tables["postprocessed"].append(f"{i},k{i:03d},7e5,{-4e6 + STEP_M * i!r},{look}")
        tables["raw"].append(f"{i},k{i:03d},False")
    for name, lines in tables.items():
        (place / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def items(root: Path, rate_hz: float | None = None) -> list[Clip | Dropped]:
    logs = mapillary_sls.logs(root, root)
    return [item for log in logs for item in mapillary_sls.clips(replace(log, frames_hz=rate_hz))]


def read(root: Path, rate_hz: float | None = None) -> list[Clip]:
    return [item for item in items(root, rate_hz) if isinstance(item, Clip)]


def test_without_a_rate_each_frame_is_a_present_without_past_or_future(tmp_path: Path) -> None:
    clips = read(write(tmp_path, 20))
    assert [clip.id for clip in clips[:2]] == [
        "mapillary_sls/amman_query_s-0/k000",
        "mapillary_sls/amman_query_s-0/k001",
    ]
    assert len(clips) == 20
    for clip in clips:
        assert (len(clip.observation.past), len(clip.future)) == (1, 0)
        assert clip.observation.statuses == (None,)
        assert not clip.observation.annotated
        (camera,) = clip.observation.cameras
        assert camera.view == "FRONT"
        key = clip.id.rpartition("/")[2]
        assert camera.image == tmp_path / f"train_val/amman/query/images/{key}.jpg"


def test_at_two_frames_a_second_a_frame_is_a_step(tmp_path: Path) -> None:
    clips = read(write(tmp_path, 20), 2.0)
    assert len(clips) == 20
    np.testing.assert_allclose(
        clips[8].future.xy_m, [[STEP_M * k, 0] for k in range(1, 11)], atol=1e-6
    )
    past_m = [[STEP_M * k, 0] for k in range(-6, 1)]
    np.testing.assert_allclose(clips[8].observation.past.xy_m, past_m, atol=1e-6)
    status = clips[8].observation.status
    assert status is not None
    np.testing.assert_allclose(status.velocity_mps, [8, 0], atol=1e-6)
    assert clips[8].timestamp_ns == 4_000_000_000


@pytest.mark.parametrize(("rate_hz", "presents", "step_m"), [(1.0, 40, 2.0), (10.0, 8, 20.0)])
def test_at_another_rate_the_same_way_takes_another_time(
    tmp_path: Path, rate_hz: float, presents: int, step_m: float
) -> None:
    clips = read(write(tmp_path, 40), rate_hz)
    assert len(clips) == presents
    np.testing.assert_allclose(
        clips[2].future.xy_m[:3], [[step_m * k, 0] for k in (1, 2, 3)], atol=1e-9
    )


def test_the_first_frame_has_no_course_yet(tmp_path: Path) -> None:
    first, second, *_ = read(write(tmp_path, 20), 2.0)
    assert (len(first.observation.past), len(first.future)) == (1, 0)
    assert (len(second.observation.past), len(second.future)) == (1, 10)


def test_a_frame_that_looks_aside_gives_no_clip_but_cuts_nothing(tmp_path: Path) -> None:
    found = items(write(tmp_path, 20, view="Left"), 2.0)
    assert found[2] == Dropped("mapillary_sls/amman_query_s-0/k002", "not_forward")
    assert isinstance(found[1], Clip)
    assert len(found[1].future) == 10


def test_both_subsets_of_every_city_are_read_into_their_split(tmp_path: Path) -> None:
    for folder in ("sf/query", "amman/database", "cph/database", "amman/query"):
        write(tmp_path, 2, f"train_val/{folder}")
    logs = mapillary_sls.logs(tmp_path, tmp_path)
    assert [(log.id, log.split) for log in logs] == [
        ("amman_database_s-0", "train"),
        ("amman_query_s-0", "train"),
        ("cph_database_s-0", "val"),
        ("sf_query_s-0", "val"),
    ]
    assert all(len(log.inputs) == 3 for log in logs)


def test_images_of_the_test_split_are_told_to_have_no_position(tmp_path: Path) -> None:
    write(tmp_path, 1)
    images = tmp_path / "test/miami/query/images"
    images.mkdir(parents=True)
    (images / "abc.jpg").touch()
    assert items(tmp_path)[1:] == [Dropped("mapillary_sls/test_miami_query/abc", "no_position")]
    assert mapillary_sls.logs(tmp_path, tmp_path)[1].split == "test"


def test_a_damaged_folder_does_not_hide_the_others(tmp_path: Path) -> None:
    write(tmp_path, 2)
    (write(tmp_path, 2, "train_val/sf/query") / "train_val/sf/query/raw.csv").unlink()
    good, bad = mapillary_sls.logs(tmp_path, tmp_path)
    assert len(list(mapillary_sls.clips(good))) == 2
    assert (bad.id, bad.split) == ("sf_query", "val")
    with pytest.raises(LogError, match="sf/query/raw.csv: missing"):
        list(mapillary_sls.clips(bad))


def test_a_folder_without_positions_is_answered_with_what_to_download(tmp_path: Path) -> None:
    (tmp_path / "test/miami/query").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="no train_val/<city>/query or database is here"):
        mapillary_sls.logs(tmp_path, tmp_path)


def tally(logs: Sequence[Log], rate_hz: float | None) -> tuple[Counter[str], Counter[int]]:
    """Return the reasons of losses, and how many clips have how many future points."""
    reasons, futures = Counter[str](), Counter[int]()
    for log in logs:
        for item in mapillary_sls.clips(replace(log, frames_hz=rate_hz)):
            if isinstance(item, Dropped):
                reasons[item.reason] += 1
            else:
                futures[len(item.future)] += 1
    return reasons, futures


def test_the_miniature_has_every_fault_and_each_is_told(miniatures: Path) -> None:
    """Two drives of 19 frames, in a sound sequence and in one that lacks a frame number."""
    logs = mapillary_sls.logs(miniatures / "mapillary_sls", miniatures)
    reasons, futures = tally(logs, 2.0)
    assert reasons == {
        "not_in_postprocessed": 2,
        "not_in_raw": 2,
        "not_forward": 2,
        "panorama": 2,
        "no_position": 2,
    }
    assert futures.total() + reasons.total() == 2 * (19 + 18) + 2
    assert futures[10] > 10
    assert len(logs) == 2 * (1 + 5) + 1


def test_the_real_sample_keeps_every_frame(samples: Path) -> None:
    logs = mapillary_sls.logs(samples / "mapillary_sls", samples)
    assert len(logs) == 224
    assert tally(logs, None) == ({}, {0: 11_235})
    reasons, futures = tally(logs, 2.0)
    assert (reasons.total(), futures.total()) == (0, 11_235)
    assert futures[10] == 8_994


def test_no_real_step_is_a_jump(samples: Path) -> None:
    for log in mapillary_sls.logs(samples / "mapillary_sls", samples):
        for clip in mapillary_sls.clips(replace(log, frames_hz=2.0)):
            if isinstance(clip, Clip) and len(clip.future):
                assert np.linalg.norm(clip.future.xy_m[0]) <= 50
