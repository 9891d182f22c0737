"""What was published, where it is, and the folder that the other commands look for it in."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

WEIGHTS = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "*.md")
"""What loading a checkpoint takes; optimiser states and the like are left where they are."""


@dataclass(frozen=True, slots=True)
class Release:
    """A part of a repository on the Hugging Face hub.

    Attributes:
        name: As ``impromptu fetch`` takes it.
        about: One line for people.
        repo: Owner and name on the hub.
        kind: Which of the hub's two sorts of repository.
        inside: Folder in the repository; empty for all of it.
        folder: Where its files go, from the repository root.
        wanted: Patterns of file names, taken from ``inside``; ``*`` also matches slashes.
    """

    name: str
    about: str
    repo: str
    kind: Literal["model", "dataset"]
    inside: str
    folder: Path
    wanted: tuple[str, ...]


def _published(name: str, about: str) -> Release:
    repo = "aaaaaap/ImpromptuVLAModel"
    return Release(name, about, repo, "model", name, Path("weights") / name, WEIGHTS)


def _base(name: str, use: str) -> Release:
    return Release(
        name, f"base model, {use}", f"Qwen/{name}", "model", "", Path("weights") / name, WEIGHTS
    )


RELEASES = (
    Release(
        "dataset",
        "the published question-answer data, WebDataset shards",
        "aaaaaap/unstructed",
        "dataset",
        "",
        Path("ImpromptuData"),
        ("*",),
    ),
    _published("3B_Base_finetune", "3B, Base+nuScenes"),
    _published("3B_AD", "3B, Base+Impromptu"),
    _published("3B_AD_finetune", "3B, Base+Impromptu+nuScenes"),
    _published("7B_Base_finetune", "7B, Base+nuScenes"),
    _published("7B_AD", "7B, Base+Impromptu"),
    _published("7B_AD_finetune", "7B, Base+Impromptu+nuScenes"),
    _base("Qwen2.5-VL-3B-Instruct", "to train"),
    _base("Qwen2.5-VL-7B-Instruct", "to train"),
    _base("Qwen3-VL-4B-Instruct", "to train"),
    _base("Qwen2.5-VL-72B-Instruct", "to answer q3, q4 and q5 as a teacher"),
)
