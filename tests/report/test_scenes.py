"""Which samples are shown, and in which frame they are drawn."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from impromptu.clip import Clip, Trajectory
from impromptu.conversation import Sample
from impromptu.geometry import SE2
from impromptu.preset import STRICT
from impromptu.questions import nuscenes_planning
from impromptu.questions.trajectory import QUESTION
from impromptu.report import Run, Scene, choose
from impromptu.report.scenes import view, wide_picture
from impromptu.wording import load_wording


def test_samples_are_chosen_by_rule(samples: Sequence[Sample], runs: Sequence[Run]) -> None:
    # Both swing off their chords more than the arc does; only the second stays in view.
    samples = [samples[0], _sample("a", 40, 21), _sample("b", 40, 19), *samples[3:]]
    runs = [replace(run, predictions={**run.predictions, "a": "?", "b": "?"}) for run in runs]
    chosen = choose(samples, QUESTION, runs[:1], evenly=2)
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


def test_one_sample_is_chosen_once(samples: Sequence[Sample], runs: Sequence[Run]) -> None:
    chosen = choose(samples[4:5], QUESTION, runs)
    assert chosen == [(samples[4], "evenly spaced, widest bend in view, worst of short")]


def test_an_empty_file_has_nothing_to_choose() -> None:
    with pytest.raises(ValueError, match="no samples of q7"):
        choose([], QUESTION, [])


def test_errors_are_the_distances_and_faults_are_told(
    scenes: Sequence[Scene], runs: Sequence[Run]
) -> None:
    short, echo = view(scenes[0], QUESTION, runs).answers
    assert (short.run, echo.run) == ("short", "echo")
    assert short.mean_m == pytest.approx(1.0)
    assert short.final_m == pytest.approx(1.0)
    assert echo.mean_m == echo.final_m == 0
    mute, _ = view(scenes[1], QUESTION, runs).answers
    assert (mute.mean_m, mute.final_m, mute.path) == (None, None, None)
    assert mute.fault.startswith("expected 10 waypoints, found 0")


def test_the_final_error_is_the_last_one(scenes: Sequence[Scene]) -> None:
    true = QUESTION.read(scenes[0].sample.answer)
    drift_m = np.arange(1.0, 11.0)[:, None] * [0.3, 0.4]
    path = Trajectory(true.t_s, true.xy_m + drift_m)
    text = QUESTION.write(path, load_wording(None, STRICT))
    run = Run("drifting", "", [], {scenes[0].sample.id: text})
    (answer,) = view(scenes[0], QUESTION, [run]).answers
    # 0.5 m more at each of ten points.
    assert answer.mean_m == pytest.approx(2.75)
    assert answer.final_m == pytest.approx(5.0)


def test_a_sample_nobody_answered_is_no_zero(scenes: Sequence[Scene]) -> None:
    (answer,) = view(scenes[0], QUESTION, [Run("gone", "", [], {})]).answers
    assert (answer.fault, answer.mean_m) == ("no prediction", None)


def test_planning_is_drawn_where_the_tracked_frame_goes(clips: Sequence[Clip]) -> None:
    # The tracked frame is 0.94 m ahead of the ego's origin and turned by 90 degrees, so that its
    # x axis is the ego's y axis: (2, 1) in it is (0.94 - 1, 2) in the ego frame.
    observation = replace(
        clips[3].observation, ego_SE2_planning=SE2(np.pi / 2, np.array([0.94, 0.0]))
    )
    clip = replace(clips[3], observation=observation)
    path = Trajectory(0.5 * np.arange(1, 7), np.arange(1.0, 7.0)[:, None] * [2.0, 1.0])
    text = nuscenes_planning.write(path, load_wording(None, STRICT))
    sample = Sample("a/planning", (), "", text)
    shown = view(
        Scene(sample, clip, ""),
        nuscenes_planning.QUESTION,
        [Run("a", "", [], {"a/planning": text})],
    )
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
    left = view(scenes[0], QUESTION, runs)
    assert wide_picture([view(straight, QUESTION, runs), left]) == wide_picture([left])
    assert wide_picture([]) is None
