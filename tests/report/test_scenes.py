"""Which samples are shown, and in which frame they are drawn."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impromptu.answer_files import join
from impromptu.answer_pairs import Pair
from impromptu.clip import Clip, Trajectory
from impromptu.conversation import Sample
from impromptu.evaluation import evaluate
from impromptu.files import write_json_list
from impromptu.geometry import SE2
from impromptu.preset import STRICT
from impromptu.questions import nuscenes_planning
from impromptu.questions.trajectory import QUESTION
from impromptu.report import Run, Scene, choose, sample_files
from impromptu.report.runs import Entry
from impromptu.report.scenes import view, wide_picture
from impromptu.wording import load_wording


def _entries(runs: Sequence[Run]) -> Sequence[Entry]:
    return sample_files(runs)[0].entries


def test_samples_are_chosen_by_rule(
    samples: list[Sample], make_run: Callable[[str, Mapping[str, str]], Run]
) -> None:
    # Both swing off their chords more than the arc does; only the second stays in view.
    samples[1:3] = [_sample("a", 40, 21), _sample("b", 40, 19)]
    told = {one.id: one.answer for one in samples}
    told |= {"a": "?", "b": "?", samples[4].id: samples[2].answer, samples[5].id: ""}
    (file,) = sample_files([make_run("short", told)])
    chosen = choose(file, evenly=2)
    assert [(samples.index(sample), why) for sample, why in chosen] == [
        (0, "evenly spaced"),
        (1, "first unreadable of short"),
        (2, "widest bend in view"),
        (4, "worst of short"),
        (5, "evenly spaced"),
    ]


def _sample(name: str, ahead_m: float, left_m: float) -> Sample:
    share = np.arange(1, 11) / 10
    points = np.column_stack([ahead_m * share, left_m * share**2])
    path = Trajectory(0.5 * np.arange(1, 11), points)
    return Sample(name, (), "", QUESTION.write(path, load_wording(None, STRICT)))


def test_the_worst_come_by_how_bad_they_are_and_a_seed_draws_the_same(
    samples: Sequence[Sample], runs: Sequence[Run]
) -> None:
    (file,) = sample_files(runs)
    # short is 0, 1, -, 3 and 4 m short; at the last sample it has no answer.
    worst = choose(file, evenly=0, worst=2)
    assert [(samples.index(sample), why) for sample, why in worst] == [
        (2, "first unreadable of short"),
        (3, "worst of short"),
        (4, "worst of short"),
    ]
    drawn = choose(file, evenly=0, random=3, worst=0, seed=5)
    assert drawn == choose(file, evenly=0, random=3, worst=0, seed=5)
    assert [why for _, why in drawn].count("at random") >= 2
    assert len(choose(file, evenly=99, random=99, worst=99)) == len(samples)


def test_a_baseline_shows_one_fault_and_the_truth_none(
    samples: Sequence[Sample], runs: Sequence[Run]
) -> None:
    (file,) = sample_files([replace(runs[0], role="baseline")])
    assert [why for _, why in choose(file, 1, 0, 3)].count("worst of short") == 1
    (file,) = sample_files([replace(runs[0], role="truth")])
    assert not any("short" in why for _, why in choose(file, 1, 0, 3))


def test_an_image_is_shown_as_it_is_without_a_clip_and_what_is_around(
    samples: Sequence[Sample], clips: Sequence[Clip], runs: Sequence[Run], tmp_path: Path
) -> None:
    scene = Scene(samples[3], None, "w", tmp_path / "front.png", lack="no --data_raw")
    shown = view(scene, QUESTION, _entries(runs))
    assert shown.lack == "no --data_raw"
    assert shown.front and Image.open(BytesIO(shown.front)).size == (800, 450)
    # The past is what the prompt tells, to a hundredth: all of it, these made-up ones tell 3 s.
    assert shown.paths is not None
    past_m = clips[3].observation.past.xy_m
    np.testing.assert_allclose(shown.paths.past.xy_m, past_m, atol=0.006)
    nobody = view(replace(scene, around=()), QUESTION, _entries(runs)).above
    somebody = clips[3].observation.agents
    assert (
        somebody and view(replace(scene, around=somebody), QUESTION, _entries(runs)).above != nobody
    )


@pytest.mark.parametrize("content", [None, b"", b"no image"])
def test_an_image_that_is_not_there_or_broken_is_told(
    samples: Sequence[Sample], runs: Sequence[Run], tmp_path: Path, content: bytes | None
) -> None:
    image = tmp_path / "other.jpg"
    if content is not None:
        image.write_bytes(content)
    shown = view(Scene(samples[3], None, "w", image), QUESTION, _entries(runs))
    assert shown.front is None
    assert shown.lack == "The image front.png is not there or cannot be read."
    assert shown.above


def test_an_answer_beyond_all_bounds_is_drawn_no_further(
    samples: Sequence[Sample], make_run: Callable[[str, Mapping[str, str]], Run]
) -> None:
    wild = ", ".join(["[9e307, 9e307]"] * 10)
    run = make_run("wild", {samples[0].id: f"<PLANNING>{wild}</PLANNING>"})
    shown = view(Scene(samples[0], None, ""), QUESTION, _entries([run]))
    assert shown.paths is not None
    path = shown.paths.predicted["wild"]
    assert path is not None and path.xy_m.max() == 1e5


def test_errors_are_the_distances_and_faults_are_told(
    scenes: Sequence[Scene], runs: Sequence[Run]
) -> None:
    short, echo = view(scenes[0], QUESTION, _entries(runs)).answers
    assert (short.run, echo.run) == ("short", "echo")
    assert short.mean_m == pytest.approx(1.0)
    assert short.final_m == pytest.approx(1.0)
    assert echo.mean_m == echo.final_m == 0
    mute, _ = view(scenes[1], QUESTION, _entries(runs)).answers
    assert (mute.mean_m, mute.final_m, mute.path) == (None, None, None)
    assert mute.fault.startswith("unreadable: expected 10 waypoints, found 0")


def test_the_final_error_is_the_last_one(
    scenes: Sequence[Scene], make_run: Callable[[str, Mapping[str, str]], Run]
) -> None:
    true = QUESTION.read(scenes[0].sample.answer)
    drift_m = np.arange(1.0, 11.0)[:, None] * [0.3, 0.4]
    path = Trajectory(true.t_s, true.xy_m + drift_m)
    text = QUESTION.write(path, load_wording(None, STRICT))
    run = make_run("drifting", {scenes[0].sample.id: text})
    (answer,) = view(scenes[0], QUESTION, _entries([run])).answers
    # 0.5 m more at each of ten points.
    assert answer.mean_m == pytest.approx(2.75)
    assert answer.final_m == pytest.approx(5.0)


def test_a_sample_nobody_answered_is_no_zero(
    scenes: Sequence[Scene], runs: Sequence[Run], samples: Sequence[Sample]
) -> None:
    gone, _ = view(replace(scenes[0], sample=samples[5]), QUESTION, _entries(runs)).answers
    answer = gone
    assert (answer.fault, answer.mean_m) == ("no prediction", None)


def test_planning_is_drawn_where_the_tracked_frame_goes(
    clips: Sequence[Clip], tmp_path: Path
) -> None:
    # The tracked frame is 0.94 m ahead of the ego's origin and turned by 90 degrees, so that its
    # x axis is the ego's y axis: (2, 1) in it is (0.94 - 1, 2) in the ego frame.
    observation = replace(
        clips[3].observation, ego_SE2_planning=SE2(np.pi / 2, np.array([0.94, 0.0]))
    )
    clip = replace(clips[3], observation=observation)
    path = Trajectory(0.5 * np.arange(1, 7), np.arange(1.0, 7.0)[:, None] * [2.0, 1.0])
    text = nuscenes_planning.write(path, load_wording(None, STRICT))
    sample = Sample("a/planning", (), "", text)
    write_json_list(tmp_path / "planning.json", [sample.to_sharegpt()])
    (tmp_path / "a.jsonl").write_text(json.dumps({"id": sample.id, "predict": text}))
    pair = Pair("planning", tmp_path / "planning.json", tmp_path / "a.jsonl")
    run = Run("a", "", [evaluate(join(pair))])
    shown = view(Scene(sample, clip, ""), nuscenes_planning.QUESTION, _entries([run]))
    assert shown.paths is not None
    expected_m = np.arange(1.0, 7.0)[:, None] * [-1.0, 2.0] + [0.94, 0]
    np.testing.assert_allclose(shown.paths.truth.xy_m, expected_m, atol=1e-9)
    predicted = shown.paths.predicted["a"]
    assert predicted is not None
    np.testing.assert_allclose(predicted.xy_m, expected_m, atol=1e-9)
    np.testing.assert_allclose(shown.paths.past.xy_m[-1], [0.94, 0], atol=1e-9)
    # Half a second ago the ego, on an arc, was 4 m back; so was the sensor, less its lever.
    ego_m, yaw_rad = clip.observation.past.xy_m[-2], -0.05
    lever_m = 0.94 * np.array([np.cos(yaw_rad), np.sin(yaw_rad)])
    np.testing.assert_allclose(shown.paths.past.xy_m[-2], ego_m + lever_m, atol=1e-9)


def test_the_wide_picture_is_of_the_widest_bend(
    scenes: Sequence[Scene],
    runs: Sequence[Run],
    make_run: Callable[[str, Mapping[str, str]], Run],
) -> None:
    straight = replace(
        scenes[1],
        sample=replace(
            scenes[1].sample, answer="".join(f"[{4.0 * k}, 0.0], " for k in range(1, 11))
        ),
    )
    left = view(scenes[0], QUESTION, _entries(runs))
    assert wide_picture([view(straight, QUESTION, _entries(runs)), left]) == wide_picture([left])
    assert wide_picture([]) is None
