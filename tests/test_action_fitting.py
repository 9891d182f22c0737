import numpy as np
import pytest

from impromptu.action_fitting import clipped, measure, read_paths
from impromptu.action_tokens import Codebook, fit
from impromptu.conversation import Sample

BOOK = Codebook("uniform", tuple(range(0, 201, 20)), tuple(range(-100, 101, 10)))


def _sample(name: str, answer: str) -> Sample:
    return Sample(name, (), "Where?", answer)


def _points(count: int, step_m: float) -> str:
    return ", ".join(f"[{step_m * k:.2f}, 0.00]" for k in range(1, count + 1))


SAMPLES = [
    _sample("d/l/1/planning", _points(6, 0.33)),
    _sample("d/l/1/q7", _points(10, 3.0)),
    _sample("d/l/2/q7", _points(9, 1.0)),
    _sample("d/l/2/q6", "KEEP,STRAIGHT"),
    _sample("without a task", _points(10, 1.0)),
]


def test_paths_are_read_by_their_questions_and_the_rest_is_counted() -> None:
    paths = read_paths(SAMPLES)
    assert [len(path_m) for path_m in paths.xy_m] == [6, 10]
    assert paths.left_out == {"number_of_waypoints": 1, "not_about_waypoints": 2}
    np.testing.assert_allclose(paths.steps_m(), [[0.33, 0]] * 6 + [[3.0, 0]] * 10, atol=1e-9)


def test_errors_are_by_whole_second_and_over_all_that_reach_it() -> None:
    # Of 0.33 m a step comes out 0.4, 0.6, 1.0, 1.4, 1.6, 2.0; of 3 m a step always 2.
    error = measure(BOOK, read_paths(SAMPLES))
    assert list(error.mean_m) == list(error.max_m) == [1, 2, 3, 4, 5]
    first, others = [0.06, 0.08, 0.02], [2.0, 4.0, 6.0, 8.0, 10.0]
    expected = [np.mean(pair) for pair in zip(first, others[:3], strict=True)] + others[3:]
    assert list(error.mean_m.values()) == pytest.approx(expected)
    assert list(error.max_m.values()) == pytest.approx(others)
    alone = measure(BOOK, read_paths(SAMPLES[:1]), tracking=False)
    assert list(alone.mean_m.values()) == pytest.approx([0.14, 0.28, 0.42])


def test_paths_that_are_too_fast_are_counted() -> None:
    assert clipped(BOOK, read_paths(SAMPLES)) == 1


def test_no_paths_no_steps() -> None:
    assert read_paths(SAMPLES[3:]).steps_m().shape == (0, 2)
    with pytest.raises(ValueError, match="no step"):
        fit(read_paths([]).steps_m(), "uniform", 8)
