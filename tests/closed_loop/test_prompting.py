"""Golden: what the server asks of a step is what generation wrote of the same moment."""

import re
from pathlib import Path

import numpy as np
import pytest
from tests.closed_loop.replay import generated, replayed, write_miniature
from tests.closed_loop.requests import encoded

from impromptu.answer_forms import Form
from impromptu.closed_loop.prompting import Views, asked
from impromptu.closed_loop.protocol import read_step
from impromptu.closed_loop.sessions import Sessions
from impromptu.preset import STRICT
from impromptu.wording import load_wording

NUMBER = re.compile(r"-?\d+\.\d+")
POSITION = re.compile(r"\[(-?\d+\.\d+), (-?\d+\.\d+)\]")


def _asked_in_the_loop(data_raw: Path, views: Views) -> dict[str, str]:
    question = asked(views, None, load_wording(None, STRICT), Form())
    sessions, prompts = Sessions(), {}
    for scene in {scene for scene, *_ in replayed(data_raw)}:
        sessions.reset(scene)
    for scene, clip, request in replayed(data_raw):
        step = read_step(encoded(request), question.cameras)
        prompts[clip] = question.prompt(step, sessions.find(scene).observe(step))
    return prompts


@pytest.mark.parametrize(
    ("views", "task", "question"),
    [("front", "planning", "nuscenes_planning"), ("front3", "q7", "trajectory")],
)
def test_prompts_of_steady_steps_are_the_trainings_to_the_byte(
    views: Views, task: str, question: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_raw = write_miniature(tmp_path / "raw", monkeypatch, steady=True)
    trained = generated(data_raw, tmp_path / "out", task, question)
    served = _asked_in_the_loop(data_raw, views)
    assert len(trained) > 15
    assert {clip: served[clip] for clip in trained} == trained


def test_prompts_of_a_logs_uneven_steps_differ_in_last_digits_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_raw = write_miniature(tmp_path / "raw", monkeypatch, steady=False)
    trained = generated(data_raw, tmp_path / "out", "planning", "nuscenes_planning")
    served = _asked_in_the_loop(data_raw, "front")
    assert len(trained) > 15
    for clip, prompt in trained.items():
        assert NUMBER.sub("#", served[clip]) == NUMBER.sub("#", prompt)
        assert _furthest(POSITION, served[clip], prompt) < 0.06
        assert _furthest(NUMBER, served[clip], prompt) < 0.2  # an acceleration


def _furthest(pattern: re.Pattern[str], ours: str, theirs: str) -> float:
    first, second = (np.array(pattern.findall(one), float) for one in (ours, theirs))
    return float(np.abs(first - second).max())
