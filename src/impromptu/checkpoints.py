"""Tells a checkpoint's folder from a name on the hub, before anything large is read."""

from pathlib import Path

from impromptu.plugins import did_you_mean


def is_folder(model: str) -> bool:
    """Tell whether a checkpoint is named as a folder, there or not.

    ``saves/run`` could be either. It is taken for a folder where there is a folder ``saves``.
    """
    path = Path(model)
    named_so = model.startswith((".", "/", "~")) or model.count("/") != 1
    return named_so or path.is_dir() or path.parent.is_dir()


def check(model: str) -> None:
    """Refuse what is neither a checkpoint folder nor a name that the hub may know.

    Raises:
        ValueError: There is no name at all.
        FileNotFoundError: It is a folder's name, and there is no checkpoint.
    """
    if not model:
        raise ValueError(
            "no model given; expected --model_name_or_path with a checkpoint folder or a hub name"
        )
    folder = Path(model)
    if not is_folder(model) or (folder / "config.json").is_file():
        return
    if folder.is_dir():
        raise FileNotFoundError(f"{model}: expected a checkpoint folder, with a config.json")
    beside = [one.name for one in folder.parent.glob("*/") if (one / "config.json").is_file()]
    raise FileNotFoundError(
        f"{model}: no such folder; expected a checkpoint.{did_you_mean(folder.name, beside)}"
    )
