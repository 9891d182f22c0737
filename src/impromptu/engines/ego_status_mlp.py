"""A small network without eyes: from the numbers in the prompt to waypoints; runs without torch.

``impromptu train-ego-mlp`` makes it from training samples. What a driving model with cameras does
not do better than this, it does not do by looking.
"""

import zipfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from impromptu.arrays import Floats, floats
from impromptu.conversation import Sample
from impromptu.engines import Answerer, Completion, Engine, Settings, one_by_one
from impromptu.engines._asked import UNSUPPORTED, Asked, read_asked
from impromptu.files import read_json

WEIGHTS, CONFIG = "ego_mlp.npz", "config.json"
LAYERS = 3


@dataclass(frozen=True, slots=True, eq=False)
class EgoMlp:
    """Three layers with rectifiers between them, (d) -> (h) -> (h) -> (2 k).

    What goes in is standardised, and what comes out, in units of ``spread_m``, is how far each
    waypoint lies from constant velocity.

    Attributes:
        task: ``q7`` or ``planning``.
        mean, scale: (d,) of ``Asked.numbers`` over the training samples.
        spread_m: (2 k,).
        weights: Of each layer, (in, out).
        biases: Of each layer, (out,).
    """

    task: str
    mean: Floats
    scale: Floats
    spread_m: Floats
    weights: tuple[Floats, ...]
    biases: tuple[Floats, ...]

    def path_m(self, asked: Asked) -> Floats:
        """Return the (k, 2) waypoints."""
        layer = (asked.numbers() - self.mean) / self.scale
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            layer = np.maximum(layer @ weight + bias, 0.0)
        off_m = (layer @ self.weights[-1] + self.biases[-1]) * self.spread_m
        path: Floats = asked.straight_m() + off_m.reshape(-1, 2)
        return path


def load(folder: Path) -> EgoMlp:
    """Read a folder that ``impromptu train-ego-mlp`` wrote.

    Raises:
        ValueError: It is none; the message names the file and what is wrong with it.
    """
    path = folder / WEIGHTS
    if not path.is_file():
        raise ValueError(
            f"{path}: no such file; the engine 'ego_status_mlp' expects --model_name_or_path DIR, "
            "the --out folder of impromptu train-ego-mlp"
        )
    config = read_json(folder / CONFIG)
    try:
        with np.load(BytesIO(path.read_bytes()), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return _checked(config, arrays)
    except (zipfile.BadZipFile, EOFError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: not the weights that {CONFIG} beside it tells of ({error}); train again"
        ) from error


def _checked(config: Any, arrays: dict[str, Any]) -> EgoMlp:
    inputs, hidden, outputs = (int(config[name]) for name in ("inputs", "hidden", "outputs"))
    sizes = inputs, *[hidden] * (LAYERS - 1), outputs
    weights = [
        floats(arrays[f"weight_{row}"], sizes[row], sizes[row + 1], name=f"weight_{row}")
        for row in range(LAYERS)
    ]
    biases = [
        floats(arrays[f"bias_{row}"], sizes[row + 1], name=f"bias_{row}") for row in range(LAYERS)
    ]
    mean, scale = (floats(arrays[name], inputs, name=name) for name in ("mean", "scale"))
    spread_m = floats(arrays["spread_m"], outputs, name="spread_m")
    if (scale < 1e-6).any():
        raise ValueError("scale: expected positive numbers")
    return EgoMlp(str(config["task"]), mean, scale, spread_m, tuple(weights), tuple(biases))


def _open(settings: Settings) -> Answerer:
    mlp = load(Path(settings.model))

    def answer(sample: Sample) -> Completion:
        asked = read_asked(sample)
        if asked is None or asked.question.task != mlp.task:
            return UNSUPPORTED
        return asked.answer(mlp.path_m(asked))

    return one_by_one(answer)


ENGINE = Engine(_open, runs_model=False, fitted=True)
