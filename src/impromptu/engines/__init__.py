"""Engines: each module here runs a model, or a stand-in for one, over samples."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from impromptu.conversation import Sample


@dataclass(frozen=True, slots=True)
class Decoding:
    """How text is drawn from a model: greedy unless told, the same fields for every engine.

    Attributes:
        temperature: 0 is greedy; then ``top_p`` and ``top_k`` have no effect.
        top_k: -1 keeps every token.
        repetition_penalty: 1 leaves scores as they are.
        seed: Of the run; what a sample draws follows from it and from the sample, or its batch.
        n: Answers to each sample; several only where they are drawn.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = -1
    repetition_penalty: float = 1.0
    max_new_tokens: int = 512
    seed: int = 0
    n: int = 1

    def __post_init__(self) -> None:
        """Refuse what no engine can do."""
        if self.temperature < 0:
            raise ValueError(f"temperature {self.temperature}: expected 0 or more")
        if self.n < 1 or (self.n > 1 and not self.temperature):
            raise ValueError(
                f"{self.n} answers a sample at temperature {self.temperature}: expected 1, or "
                "more at a temperature above 0; greedy answers would all be the same"
            )


@dataclass(frozen=True, slots=True)
class Settings:
    """What an engine is opened with; one that does not use a field ignores it.

    Attributes:
        model: Checkpoint folder or hub name; of an engine that is ``fitted``, what it was fitted
            to; of a server, what it calls its model; empty for others.
        media_dir: Folder that relative image paths start from.
        template: LLaMA-Factory's name of the chat template; ``own`` is the model's own.
        cutoff_len: The longest prompt to answer, in tokens; a longer one is an error, not cut.
        image_max_pixels, image_min_pixels: The training's image budget.
        adapter: Folder of LoRA weights over the model's.
        batch_size: Samples asked as one, by an engine that asks in batches.
        concurrency: Samples under way at once, in an engine that takes them as they come.
        tensor_parallel_size, pipeline_parallel_size, data_parallel_size: GPUs are their product.
        gpu_memory_utilization: Part of a GPU's memory to take; the engine's own choice if None.
        disable_cuda_graph: Start sooner, run slower.
        engine_config: The engine's own arguments, over those that follow from the other fields.
        base_url: Where a server listens.
        api_key_env: Environment variable that holds its key; the key itself is nowhere.
        timeout_s: How long to wait for one answer of a server.
    """

    model: str = ""
    media_dir: Path = Path()
    template: str = "qwen2_vl"
    cutoff_len: int = 4096
    image_max_pixels: int = 262_144
    image_min_pixels: int = 1_024
    decoding: Decoding = field(default_factory=Decoding)
    adapter: str = ""
    batch_size: int = 1
    concurrency: int = 64
    tensor_parallel_size: int = 1
    pipeline_parallel_size: int = 1
    data_parallel_size: int = 1
    gpu_memory_utilization: float | None = None
    disable_cuda_graph: bool = False
    engine_config: Mapping[str, Any] = field(default_factory=dict)
    base_url: str = ""
    api_key_env: str = "OPENAI_API_KEY"
    timeout_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Completion:
    """What came back for one sample.

    Attributes:
        finish_reason: Why the text ended: ``stop`` (the model was done), ``length`` (it was cut
            at ``max_new_tokens``), ``error``, or ``unsupported`` (no such task).
        problem: What went wrong, where ``finish_reason`` is ``error``.
        more: The other answers to the same sample, where several were asked for.
        tokens_in, tokens_out: What a server counted for all of them; 0 where none was told.
    """

    text: str
    finish_reason: str
    problem: str = ""
    more: tuple["Completion", ...] = ()
    tokens_in: int = 0
    tokens_out: int = 0


Answered = Iterator[tuple[Sample, Completion]]

Answerer = Callable[[Iterable[Sample]], Answered]
"""Takes samples as it needs them and gives each with its answer, as soon as it is finished.

It never holds more than a batch, or as many as may be under way at once, and it may be called
once: when the samples are at an end, or the caller stops, the engine is closed. A sample that
cannot be asked is a ``Completion`` of its own; an engine that cannot go on raises, an ``OSError``
if it may work another time.
"""


@dataclass(frozen=True, slots=True)
class Engine:
    """A way to run a model.

    Attributes:
        open: Loads what is needed and returns what answers.
        runs_model: Whether there is a model: a checkpoint to load, images to see, text to decode.
        fitted: Whether an engine without one opens something else by ``Settings.model``: training
            samples, or what a command made of them.
        whole_batches: Whether the samples that are asked as one decide each other's last digits,
            so that a batch has to be asked again as it was.
        uses: Fields of ``Settings`` and ``Decoding`` that have an effect.
    """

    open: Callable[[Settings], Answerer]
    runs_model: bool = True
    fitted: bool = False
    whole_batches: bool = False
    uses: frozenset[str] = frozenset()


class Refused(ValueError):
    """A sample that cannot be asked; the others can."""


def one_by_one(answer: Callable[[Sample], Completion]) -> Answerer:
    """Answer each sample for itself."""
    return lambda samples: ((sample, answer(sample)) for sample in samples)


def in_batches(answer: Callable[[Sequence[Sample]], Sequence[Completion]], size: int) -> Answerer:
    """Answer so many samples as one; ``answer`` keeps their order."""

    def answers(samples: Iterable[Sample]) -> Answered:
        waiting = iter(samples)
        while batch := list(islice(waiting, size)):
            yield from zip(batch, answer(batch), strict=True)

    return answers
