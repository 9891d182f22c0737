"""The training samples that a fitted baseline is opened with."""

from collections.abc import Sequence
from pathlib import Path

from impromptu.conversation import Sample
from impromptu.engines import Settings
from impromptu.registry import read_samples


def training_samples(settings: Settings, engine: str, tasks: Sequence[str]) -> list[Sample]:
    """Read the training file that ``Settings.model`` names, of one of the engine's tasks.

    Raises:
        ValueError: None is named, or it is no file of samples; the message names file and record.
    """
    path = Path(settings.model)
    if not settings.model or not path.is_file():
        raise ValueError(
            f"{settings.model or 'no training file given'}: the engine {engine!r} expects "
            "--model_name_or_path FILE, the training samples of the task that is asked: "
            f"{' or '.join(f'{task}_train.json' for task in tasks)}"
        )
    return list(read_samples(path))
