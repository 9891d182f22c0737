"""The ego-status network: it learns a rule that constant velocity does not know, and only that."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from impromptu.arrays import Floats
from impromptu.clip import EgoStatus, Observation, Trajectory
from impromptu.conversation import Sample
from impromptu.engines import Completion, Settings
from impromptu.engines.ego_status_mlp import CONFIG, ENGINE, WEIGHTS, load
from impromptu.questions import Question
from impromptu.questions.nuscenes_planning import QUESTION as PLANNING
from impromptu.questions.trajectory import QUESTION as Q7
from impromptu.wording import Wording, default_templates

pytestmark = pytest.mark.train
WORDING = Wording(default_templates("strict"))


def _drive(name: int, random: np.random.Generator, question: Question = Q7) -> Sample:
    """A standing start whose acceleration is told: x = a t^2 / 2, y = b t^2 / 2."""
    acceleration = random.uniform(-2, 2, 2)
    t_s = 0.5 * np.arange(1, round(question.future_s * 2) + 1)
    path = Trajectory(t_s, acceleration * t_s[:, None] ** 2 / 2)
    past = Trajectory(np.array([-0.5, 0]), np.array([[-1.0, 0], [0, 0]]))
    status = EgoStatus(np.array([2.0, 0.0]), acceleration)
    prompt = question.prompt(Observation((), past, (status, status)), WORDING)
    images = ("a.png",) * prompt.count("<image>")
    return Sample(f"log/{name}/{question.task}", images, prompt, question.write(path, WORDING))


def _drives(count: int, seed: int) -> list[Sample]:
    random = np.random.default_rng(seed)
    return [_drive(number, random) for number in range(count)]


def _train(samples: list[Sample], out: Path, seed: int = 0, steps: int = 600) -> Floats:
    pytest.importorskip("torch", reason="needs the train extra: torch")
    from impromptu.ego_training import train

    done = train(samples, out, seed, steps)
    return np.array([done.used, done.error_m])


def _errors_m(folder: Path, samples: list[Sample]) -> Floats:
    said = [one for _, one in ENGINE.open(Settings(model=str(folder)))(samples)]
    return np.array(
        [
            np.hypot(*(Q7.read(one.text).xy_m - Q7.read(sample.answer).xy_m).T).mean()
            for one, sample in zip(said, samples, strict=True)
        ]
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mlp") / "new"
    used, error_m = _train(_drives(300, 0), folder)
    assert used == 300 and error_m < 1.0
    return folder


def test_a_linear_rule_is_learnt(trained: Path) -> None:
    unseen = _drives(50, 1)
    stationary_m = [np.hypot(*Q7.read(sample.answer).xy_m.T).mean() for sample in unseen]
    assert _errors_m(trained, unseen).mean() < 0.15 * np.mean(stationary_m)


def test_a_training_tells_its_own_mean_error(trained: Path) -> None:
    told = json.loads((trained / CONFIG).read_text())
    assert {"task": "q7", "samples": 300, "left_out": {}, "seed": 0}.items() <= told.items()


def test_the_same_seed_gives_the_same_bytes_and_another_others(tmp_path: Path) -> None:
    samples = _drives(20, 0)
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        _train(samples, tmp_path / name, seed, steps=5)
    same = [(tmp_path / name / WEIGHTS).read_bytes() for name in "abc"]
    assert same[0] == same[1] != same[2]
    assert (tmp_path / "a" / CONFIG).read_bytes() == (tmp_path / "b" / CONFIG).read_bytes()


def test_mirrored_drives_are_learnt_from_too(tmp_path: Path) -> None:
    lefts = [one for one in _drives(300, 0) if Q7.read(one.answer).xy_m[-1, 1] > 0]
    rights = [one for one in _drives(100, 2) if Q7.read(one.answer).xy_m[-1, 1] < -1]
    _train(lefts, tmp_path)
    stationary_m = [np.hypot(*Q7.read(sample.answer).xy_m.T).mean() for sample in rights]
    assert _errors_m(tmp_path, rights).mean() < 0.2 * np.mean(stationary_m)


def test_what_cannot_be_learnt_from_is_counted(tmp_path: Path) -> None:
    good = _drives(3, 0)
    bad = [replace(good[0], prompt="Where?"), replace(good[1], answer="Somewhere.")]
    _train([*good, *bad], tmp_path, steps=1)
    told = json.loads((tmp_path / CONFIG).read_text())
    assert told["left_out"] == {"prompt_not_read": 1, "answer_not_read": 1}


def test_two_questions_are_not_mixed_and_none_is_not_enough(tmp_path: Path) -> None:
    both = [*_drives(2, 0), _drive(9, np.random.default_rng(0), PLANNING)]
    with pytest.raises(ValueError, match="got samples of planning and q7"):
        _train(both, tmp_path)
    with pytest.raises(ValueError, match="no sample of either; left out of 1 samples: 1 prompt_n"):
        _train([Sample("a/q4", (), "Colour?", "Red")], tmp_path)


def test_another_question_is_unsupported(trained: Path) -> None:
    asked = [_drive(0, np.random.default_rng(0), PLANNING), Sample("a/q4", (), "Colour?", "Red")]
    said = [one for _, one in ENGINE.open(Settings(model=str(trained)))(asked)]
    assert said == [Completion("", "unsupported")] * 2


def _without(name: str) -> Callable[[dict[str, Floats]], dict[str, Floats]]:
    return lambda arrays: {key: value for key, value in arrays.items() if key != name}


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (_without("weight_1"), "weight_1"),
        (lambda arrays: arrays | {"bias_0": np.zeros(3)}, r"bias_0: expected shape \(64\)"),
        (lambda arrays: arrays | {"mean": arrays["mean"] * np.nan}, "not finite"),
        (lambda arrays: arrays | {"scale": arrays["scale"] * 0}, "positive"),
        (lambda arrays: arrays | {"mean": np.array([{}] * 14)}, "allow_pickle"),
    ],
)
def test_weights_that_are_not_right_are_refused(
    trained: Path,
    tmp_path: Path,
    spoil: Callable[[dict[str, Floats]], dict[str, Floats]],
    told: str,
) -> None:
    with np.load(trained / WEIGHTS) as file:
        arrays = {name: file[name] for name in file.files}
    np.savez(tmp_path / WEIGHTS, **spoil(arrays))
    (tmp_path / CONFIG).write_bytes((trained / CONFIG).read_bytes())
    with pytest.raises(ValueError, match=told) as error:
        load(tmp_path)
    assert f"{tmp_path / WEIGHTS}: not the weights" in str(error.value)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"\x80\x04N.", b"text"])
def test_files_that_are_no_arrays_are_refused(
    trained: Path, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / WEIGHTS).write_bytes(content)
    (tmp_path / CONFIG).write_bytes((trained / CONFIG).read_bytes())
    with pytest.raises(ValueError, match="not the weights"):
        load(tmp_path)


@pytest.mark.parametrize("config", ["[]", "{}", '{"inputs": "many"}'])
def test_a_config_that_tells_nothing_is_refused(trained: Path, tmp_path: Path, config: str) -> None:
    (tmp_path / WEIGHTS).write_bytes((trained / WEIGHTS).read_bytes())
    (tmp_path / CONFIG).write_text(config)
    with pytest.raises(ValueError, match="not the weights"):
        load(tmp_path)
