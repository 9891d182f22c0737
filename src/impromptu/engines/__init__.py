"""Engines: each module here runs a model, or a stand-in for one, over samples."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from impromptu.conversation import Sample


@dataclass(frozen=True, slots=True)
class Decoding:
    """How text is drawn from a model: greedy unless told, the same fields for every engine.

    Attributes:
        temperature: 0 is greedy; then ``top_p`` and ``top_k`` have no effect.
        top_k: -1 keeps every token.
        repetition_penalty: 1 leaves scores as they are.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = -1
    repetition_penalty: float = 1.0
    max_new_tokens: int = 512
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Settings:
    """What an engine is opened with.

    Attributes:
        model: Checkpoint folder or hub name; of an engine that is ``fitted``, what it was fitted
            to; empty for others.
        media_dir: Folder that relative image paths start from.
        template: LLaMA-Factory's name of the chat template.
        cutoff_len: The longest prompt to answer, in tokens; a longer one is an error, not cut.
        image_max_pixels, image_min_pixels: The training's image budget.
    """

    model: str = ""
    media_dir: Path = Path()
    template: str = "qwen2_vl"
    cutoff_len: int = 4096
    image_max_pixels: int = 262_144
    image_min_pixels: int = 1_024
    decoding: Decoding = field(default_factory=Decoding)


@dataclass(frozen=True, slots=True)
class Completion:
    """What came back for one sample.

    Attributes:
        finish_reason: Why the text ended: ``stop`` (the model was done), ``length`` (it was cut
            at ``max_new_tokens``), ``error``, or ``unsupported`` (no such task).
        problem: What went wrong, where ``finish_reason`` is ``error``.
    """

    text: str
    finish_reason: str
    problem: str = ""


Answerer = Callable[[Sequence[Sample]], Sequence[Completion]]
"""Answers a batch, in order."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A way to run a model.

    Attributes:
        open: Loads what is needed and returns what answers.
        runs_model: Whether there is a model: a checkpoint to load, images to see, text to decode.
        fitted: Whether an engine without one opens something else by ``Settings.model``: training
            samples, or what a command made of them.
    """

    open: Callable[[Settings], Answerer]
    runs_model: bool = True
    fitted: bool = False
