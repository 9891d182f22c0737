"""Who answers in the demo beside a model: the truth, and baselines that see no image."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from impromptu import ego_training
from impromptu.engines import Settings
from impromptu.files import read_json
from impromptu.registry import REGISTRY, load_samples
from impromptu.report import Role

Fit = Callable[[Path, str, Path], Path]
"""(folder of samples, training file's name, folder to write into) -> what the engine opens."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """An engine in the demo, and the tasks it can answer.

    Attributes:
        role, pictured: As in ``report.Run``.
        fit: Makes what the engine opens for a held-out file, from that file's training samples.
    """

    name: str
    about: str
    engine: str
    settings: Settings
    tasks: Sequence[str]
    batch: int = 64
    role: Role = "baseline"
    pictured: bool = False
    fit: Fit | None = None


def training_name(held_out: str) -> str:
    """Return the name of a held-out file's training samples: ``kitti_q7_test`` -> ``..._train``."""
    return re.sub("_(val|test)$", "_train", held_out)


def _file(samples_dir: Path, training: str, folder: Path) -> Path:
    path: Path = samples_dir / read_json(samples_dir / REGISTRY)[training]["file_name"]
    return path


def _network(samples_dir: Path, training: str, folder: Path) -> Path:
    ego_training.train(load_samples(samples_dir, [training]), folder, seed=0, steps=1_000)
    return folder


EGO_MLP = "ego-status network"


def lacking(one: Contestant) -> str:
    """Return why a contestant cannot take part here; empty if it can."""
    if one.name != EGO_MLP or find_spec("torch"):
        return ""
    return f"{one.name} is left out: it needs torch, pip install 'impromptu-vla[train]'"


CONTESTANTS = (
    Contestant(
        "constant velocity",
        "Goes on straight at the speed that the prompt states. No model.",
        "constant_velocity",
        Settings(),
        ("q6", "q7", "planning"),
        pictured=True,
    ),
    Contestant(
        "echo",
        "Repeats the true answer. No model; all but l2_openemma must come out perfect.",
        "echo",
        Settings(),
        ("q1", "q2", "q4", "q6", "q7", "planning"),
        role="truth",
        pictured=True,
    ),
    Contestant(
        "constant turn rate and acceleration",
        "Keeps the turn rate and the acceleration that the prompt states. No model.",
        "constant_turn_rate_acceleration",
        Settings(),
        ("q6", "q7", "planning"),
    ),
    Contestant(
        "stationary",
        "Stays where it is. No model.",
        "stationary",
        Settings(),
        ("q6", "q7", "planning"),
    ),
    Contestant(
        EGO_MLP,
        "A small network from the numbers in the prompt to waypoints, fitted to the training "
        "samples in seconds. It sees no image.",
        "ego_status_mlp",
        Settings(),
        ("q7", "planning"),
        fit=_network,
    ),
    Contestant(
        "nearest neighbour",
        "Gives the answer of the training sample whose ego moved most alike. It sees no image.",
        "nearest_neighbour",
        Settings(),
        ("q6", "q7", "planning"),
        fit=_file,
    ),
    Contestant(
        "prompt leak",
        "Solves the answer from the prompt's numbers where they give it away, as the published "
        "prompts do; otherwise it is constant velocity.",
        "prompt_leak",
        Settings(),
        ("q6", "q7", "planning"),
    ),
    Contestant(
        "majority",
        "Gives the commonest answer of the training samples, whatever is asked.",
        "majority",
        Settings(),
        ("q1", "q2", "q4", "q6"),
        fit=_file,
    ),
)
