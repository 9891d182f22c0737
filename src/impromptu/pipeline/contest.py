"""Trains a tiny model, and has it and others answer the held-out files."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import yaml

from impromptu import clip_table, engines, plugins, report
from impromptu.answer_files import join
from impromptu.answer_pairs import Pair, clip_table_beside, task_of
from impromptu.contestants import Contestant, training_name
from impromptu.engines import Engine, Settings
from impromptu.evaluation import Evaluation, Options, evaluate
from impromptu.files import read_json, write_json
from impromptu.inference import infer
from impromptu.pipeline.extras import Say
from impromptu.registry import REGISTRY, load_samples

TRAINING, HELD_OUT = "nuscenes_planning_train", "nuscenes_planning_val"


def train(config: Path, samples_dir: Path, out: Path, say: Say) -> Path:
    """Train a tiny model of random weights with LLaMA-Factory; return its checkpoint.

    Raises:
        ChildProcessError: Training failed; its own words are above.
    """
    from impromptu.tiny_model import build

    say(f"building a tiny Qwen2.5-VL of random weights: {out / 'tiny_model'}")
    build(out / "tiny_model", 0)
    places = {
        "model_name_or_path": out / "tiny_model",
        "dataset_dir": samples_dir,
        "dataset": TRAINING,
        "output_dir": out / "tiny_trained",
    }
    command = [
        str(Path(sys.executable).with_name("llamafactory-cli")),
        "train",
        str(config),
        *(f"{key}={value}" for key, value in places.items()),
    ]
    say(" ".join(command))
    quiet = {"TRANSFORMERS_VERBOSITY": "warning", "LLAMAFACTORY_VERBOSITY": "WARN"}
    done = subprocess.run(command, env=os.environ | quiet, check=False)  # noqa: S603 - a list, no shell
    if done.returncode:
        raise ChildProcessError(f"training ended with exit code {done.returncode}; see above")
    return out / "tiny_trained"


def trained(model: Path, config: Path, samples_dir: Path) -> Contestant:
    """Return the trained model as a contestant, which sees images at the size of its training."""
    budget = yaml.safe_load(config.read_text(encoding="utf-8"))["image_max_pixels"]
    return Contestant(
        "tiny model",
        "A Qwen2.5-VL of a million random weights after a minute or two on a CPU: a working "
        "pipeline, not a driver.",
        "transformers",
        Settings(str(model), samples_dir, image_max_pixels=budget),
        ("planning",),
        batch=16,
        role="model",
        pictured=True,
    )


def compete(one: Contestant, samples_dir: Path, out: Path, say: Say) -> report.Run:
    """Have one engine answer every held-out file it can, and score the answers."""
    engine = plugins.load(engines, one.engine, Engine)
    folder = out / "predictions" / one.name.replace(" ", "_")
    evaluations = list[Evaluation]()
    for name, file in _held_out(samples_dir, one.tasks):
        settings = replace(one.settings, batch_size=one.batch)
        if one.fit:
            fitted = one.fit(samples_dir, training_name(name), folder / "fitted" / name)
            settings = replace(settings, model=str(fitted))
        say(f"{one.name} answers {name}")
        samples, prediction = load_samples(samples_dir, [name]), folder / f"{name}.jsonl"
        infer(samples, one.engine, engine, settings, prediction)
        table = clip_table_beside(file)
        options = Options(clip_table.read(table) if table else None)
        evaluations.append(evaluate(join(Pair(task_of(file), file, prediction)), options))
    run = report.Run(one.name, one.about, evaluations, one.role, one.pictured)
    write_json(folder / "scores.json", {"protocol": "strict", "results": run.results})
    return run


def _held_out(samples_dir: Path, tasks: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """Yield name and file of every file of these tasks that is not for training.

    The planning set comes first: it is the one the report shows in pictures.
    """
    entries = read_json(samples_dir / REGISTRY)
    for name, entry in sorted(entries.items(), key=lambda item: item[0] != HELD_OUT):
        file = samples_dir / entry["file_name"]
        if not name.endswith("_train") and task_of(file) in tasks:
            yield name, file
