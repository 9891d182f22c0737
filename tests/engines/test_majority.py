"""The commonest answer of a training file, by hand."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from impromptu.conversation import Sample
from impromptu.engines import Completion, Settings
from impromptu.engines.majority import ENGINE

PLAN = "<SPEED PATH PLAN>{}</SPEED PATH PLAN>"
LIGHTS = ["Red", "None", "None", "Red", "Green"]


def _answers(folder: Path, training: Sequence[Sample], asked: Sequence[Sample]) -> list[Completion]:
    path = folder / "train.json"
    path.write_text(json.dumps([sample.to_sharegpt() for sample in training]))
    return [one for _, one in ENGINE.open(Settings(model=str(path)))(asked)]


def _samples(task: str, answers: Sequence[str]) -> list[Sample]:
    return [Sample(f"log/{row}/{task}", (), "?", answer) for row, answer in enumerate(answers)]


def test_each_task_has_its_commonest_answer_of_equals_the_first(tmp_path: Path) -> None:
    plans = [PLAN.format("STOP,STRAIGHT"), *[PLAN.format("KEEP,STRAIGHT")] * 2]
    training = _samples("q4", LIGHTS) + _samples("q6", plans) + _samples("q4/extra", [""])
    asked = _samples("q6", [""]) + _samples("q4", [""]) + _samples("q1", [""])
    assert _answers(tmp_path, training, asked) == [
        Completion(plans[1], "stop"),
        Completion("Red", "stop"),
        Completion("", "unsupported"),
    ]


def test_every_object_has_the_commonest_action_of_all_objects(tmp_path: Path) -> None:
    lines = ["Object 1: STOP, STRAIGHT\nObject 2: KEEP, STRAIGHT", "Object 1: KEEP,STRAIGHT"]
    training = [
        Sample(f"log/{row}/q2/front", (), "?", f"<DYNAMIC OBJECTS>{text}</DYNAMIC OBJECTS>")
        for row, text in enumerate(lines)
    ]
    prompt = "Which?\nObject 1: car, 3 meters ahead\nObject 2: bus\nAnswer 'Object k: SPEED'"
    asked = [Sample("l/f/q2/back", (), text, "") for text in (prompt, "No object here.")]
    said = "Object 1: KEEP, STRAIGHT\nObject 2: KEEP, STRAIGHT"
    assert _answers(tmp_path, training, asked) == [
        Completion(f"<DYNAMIC OBJECTS>{said}</DYNAMIC OBJECTS>", "stop"),
        Completion("", "unsupported"),
    ]


def test_without_a_training_file_those_it_takes_are_named() -> None:
    with pytest.raises(ValueError, match="q1_train.json or .* or q6_train.json$"):
        ENGINE.open(Settings())


@pytest.mark.parametrize("task", ["q7", "planning", "q3"])
def test_waypoints_and_free_text_have_no_majority(tmp_path: Path, task: str) -> None:
    with pytest.raises(ValueError, match="no answered sample of q1, q2, q4, q6"):
        _answers(tmp_path, _samples(task, ["a", "a"]), [])


def test_a_training_answer_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="training sample log/0/q2: expected 'Object k"):
        _answers(tmp_path, _samples("q2", ["nothing moves"]), [])
