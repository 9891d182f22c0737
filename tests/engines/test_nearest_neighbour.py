"""The nearest training sample, against a search through all of them."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from impromptu.conversation import Sample
from impromptu.engines import Completion, Settings
from impromptu.engines._asked import read_asked
from impromptu.engines.nearest_neighbour import ENGINE
from impromptu.questions.nuscenes_planning import QUESTION as PLANNING
from impromptu.questions.trajectory import QUESTION as Q7


@pytest.fixture
def answers(tmp_path: Path) -> Callable[[Sequence[Sample], Sequence[Sample]], list[str]]:
    """Open the engine with training samples and have it answer others."""

    def run(training: Sequence[Sample], asked: Sequence[Sample]) -> list[str]:
        path = tmp_path / "q7_train.json"
        path.write_text(json.dumps([sample.to_sharegpt() for sample in training]))
        return [one.text for _, one in ENGINE.open(Settings(model=str(path)))(asked)]

    return run


@pytest.fixture
def drives(make_sample: Callable[..., Sample]) -> list[Sample]:
    random = np.random.default_rng(0)
    samples = []
    for number in range(120):
        xy_m = np.vstack([random.normal(0, 5, (3, 2)), np.zeros((1, 2))])
        statuses = random.normal(0, 3, (4, 4)).tolist()
        samples.append(make_sample(Q7, xy_m, statuses, f"log/{number}", f"answer {number}"))
    return samples


def test_it_is_the_one_that_a_search_through_all_finds(
    answers: Callable[..., list[str]], drives: list[Sample]
) -> None:
    training, asked = drives[:90], drives[90:]
    table, rows = (
        np.array([one.numbers() for sample in part if (one := read_asked(sample))])
        for part in (training, asked)
    )
    spread = table.std(axis=0)
    spread[spread == 0] = 1
    distance = np.linalg.norm((rows[:, None] - table) / spread, axis=2)
    expected = [f"answer {row}" for row in distance.argmin(axis=1)]
    assert answers(training, asked) == expected
    assert len(set(expected)) > 10


def test_of_equally_near_ones_the_commonest_answer_counts_and_then_the_first(
    answers: Callable[..., list[str]],
) -> None:
    def sample(name: int, speed_mps: int, answer: str = "") -> Sample:
        return Sample(f"log/{name}/q6", (), f"It drives at {speed_mps} m/s.", answer)

    said = ["KEEP", "STOP", "STOP", "KEEP", "GO"]
    training = [sample(row, 5, text) for row, text in enumerate(said)] + [sample(9, 20, "FAR")]
    assert answers(training, [sample(8, 6), sample(7, 15)]) == ["KEEP", "FAR"]
    assert answers(training[1:], [sample(8, 6)]) == ["STOP"]
    assert answers(training[::-1], [sample(8, 6)]) == ["KEEP"]


def test_a_command_sets_samples_apart(answers: Callable[..., list[str]]) -> None:
    def sample(command: str) -> Sample:
        return Sample(f"log/{command}/q6", (), f"At 5 m/s. Command: {command}.", command)

    commands = ["turn left", "turn right", "go straight"]
    training = [sample(command) for command in commands]
    assert answers(training, training[::-1]) == commands[::-1]


def test_questions_are_kept_apart_and_others_are_unsupported(
    tmp_path: Path, make_sample: Callable[..., Sample]
) -> None:
    xy_m, statuses = np.array([[-2.0, 0], [0, 0]]), [[4, 0, 0, 0]] * 2
    path = tmp_path / "train.json"
    training = make_sample(Q7, xy_m, statuses, answer="seven")
    path.write_text(json.dumps([training.to_sharegpt()]))
    asked = [make_sample(one, xy_m, statuses) for one in (Q7, PLANNING)]
    assert [one for _, one in ENGINE.open(Settings(model=str(path)))(asked)] == [
        Completion("seven", "stop"),
        Completion("", "unsupported"),
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[]", "no sample of it tells how the ego moves"),
        ('[{"id": "a/q4", "messages": []}]', "record 1"),
        ("[{", "not valid JSON"),
    ],
)
def test_a_file_that_holds_nothing_to_compare_with_is_refused(
    tmp_path: Path, text: str, told: str
) -> None:
    path = tmp_path / "train.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=told) as error:
        ENGINE.open(Settings(model=str(path)))
    assert str(path) in str(error.value)
