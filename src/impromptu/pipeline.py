"""The story from top to bottom: drives, samples, a model, predictions, scores, a report."""

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from impromptu import engines, miniature, plugins, questions, registry
from impromptu.answer_files import Pair, join
from impromptu.engines import Engine, Settings
from impromptu.evaluation import evaluate
from impromptu.files import write_json
from impromptu.generation import Result, generate
from impromptu.inference import infer
from impromptu.part import Recipe

DATASETS = ("nuscenes", "kitti", "argoverse2")
PLANNING = "nuscenes_planning_val"
ANSWERED_TASKS = ("q1", "q2", "q6", "q7")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Run:
    """One engine's part in the demo, and what it is asked.

    Attributes:
        name: For people.
        registered: Names of the sample files it answers.
    """

    name: str
    engine: str
    settings: Settings
    registered: Sequence[str]
    batch: int = 64


def make_samples(data_raw: Path, out: Path, workers: int, say: Say) -> Result:
    """Write miniatures of three datasets, and ask every question of them."""
    say(f"Drawing small drives in three native formats: {data_raw}")
    miniature.write(data_raw)
    say(f"Generating samples: {out}")
    recipe = Recipe(tuple(plugins.names(questions)))
    return generate(data_raw, out, DATASETS, None, recipe, workers)


def train(config: Path, say: Say) -> Path:
    """Train with LLaMA-Factory on a CPU, starting from random weights; return the checkpoint.

    Raises:
        RuntimeError: Training failed; its own words are above.
    """
    from impromptu.tiny_model import build

    settings = yaml.safe_load(config.read_text(encoding="utf-8"))
    say(f"Building a tiny Qwen2.5-VL: {settings['model_name_or_path']}")
    build(Path(settings["model_name_or_path"]), seed=0)
    say(f"llamafactory-cli train {config}")
    command = [str(Path(sys.executable).parent / "llamafactory-cli"), "train", str(config)]
    done = subprocess.run(command, check=False)  # noqa: S603 - our own YAML, no shell
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}")
    return Path(settings["output_dir"])


def predict(run: Run, samples_dir: Path, out: Path, say: Say) -> list[Path]:
    """Answer each registered file; return the prediction files."""
    engine = plugins.load(engines, run.engine, Engine)
    paths = []
    for name in run.registered:
        path = out / f"{name}.jsonl"
        say(f"{run.name} answers {name}: {path}")
        samples = registry.load_samples(samples_dir, [name])
        infer(samples, run.engine, engine, run.settings, path, run.batch)
        paths.append(path)
    return paths


def score(truth_dir: Path, predictions: Sequence[Path], out: Path) -> list[dict[str, Any]]:
    """Score prediction files that are named like their registered samples; write the figures."""
    pairs = [_pair(truth_dir, path) for path in predictions]
    results = [evaluate(join(pair)).to_json() for pair in pairs]
    write_json(out, {"protocol": "strict", "results": results})
    return results


def _pair(truth_dir: Path, prediction: Path) -> Pair:
    """``kitti_q7_train.jsonl`` holds the answers to ``kitti/q7_train.json``."""
    name = prediction.stem
    if name == PLANNING:
        return Pair("planning", truth_dir / f"{name}.json", prediction)
    dataset, task, split = name.split("_")
    return Pair(task, truth_dir / dataset / f"{task}_{split}.json", prediction)


def registered_tasks(out: Path) -> Mapping[str, Sequence[str]]:
    """Return the names in a registry by task."""
