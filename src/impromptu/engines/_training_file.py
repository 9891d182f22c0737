"""The training samples that a fitted baseline is opened with."""

from pathlib import Path

from impromptu.conversation import Sample
from impromptu.engines import Settings
from impromptu.registry import read_samples


def training_samples(settings: Settings, engine: str) -> list[Sample]:
    """Read the training file that ``Settings.model`` names.

    Raises:
        ValueError: None is named, or it is no file of samples; the message names file and record.
    """
    path = Path(settings.model)
    if not settings.model or not path.is_file():
        raise ValueError(
            f"{settings.model or 'no training file given'}: the engine {engine!r} expects "
            "--model_name_or_path FILE, a file of training samples such as q7_train.json"
        )
    return list(read_samples(path))
