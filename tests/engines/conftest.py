"""Drives whose every number is known, as prompts tell them; and a checkpoint with an image."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impromptu.arrays import Floats
from impromptu.clip import EgoStatus, Observation, Trajectory
from impromptu.conversation import Sample
from impromptu.engines import Answerer, Completion, Decoding, Engine, Settings
from impromptu.questions import Question
from impromptu.wording import Wording, default_templates

WORDING = Wording(default_templates("strict"))
Ask = Callable[..., Completion]


@pytest.fixture
def make_sample() -> Callable[..., Sample]:
    """Ask a question about a past; statuses are rows vx, vy, ax, ay, steering, or None."""

    def make(
        question: Question,
        xy_m: Floats,
        statuses: Sequence[Sequence[float] | None],
        name: str = "a/0",
        answer: str = "not to be read",
    ) -> Sample:
        past = Trajectory(0.5 * np.arange(1 - len(xy_m), 1), xy_m)
        told = tuple(
            None
            if row is None
            else EgoStatus(np.array(row[:2]), np.array(row[2:4]), row[4] if row[4:] else None)
            for row in statuses
        )
        prompt = question.prompt(Observation((), past, told), WORDING)
        images = ("front.png",) * prompt.count("<image>")
        return Sample(f"{name}/{question.task}", images, prompt, answer)

    return make


@pytest.fixture
def ask() -> Ask:
    """Have an engine answer one sample, or a bare prompt under an id."""

    def one(engine: Engine, sample: Sample | str, name: str = "a/0/q7") -> Completion:
        if isinstance(sample, str):
            sample = Sample(name, ("a.png",) * sample.count("<image>"), sample, "not to be read")
        answerer: Answerer = engine.open(Settings())
        ((_, completion),) = answerer([sample])
        return completion

    return one


@pytest.fixture
def settings(tiny_checkpoint: Path, tmp_path: Path) -> Settings:
    """A tiny checkpoint, and an image for it: a.png."""
    Image.new("RGB", (56, 56), (200, 0, 0)).save(tmp_path / "a.png")
    return Settings(str(tiny_checkpoint), tmp_path, decoding=Decoding(max_new_tokens=9, seed=4))
