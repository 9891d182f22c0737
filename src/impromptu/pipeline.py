"""The story from top to bottom: drives, samples, a model, predictions, scores, a report."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import yaml

from impromptu import annotation, clip_table, engines, miniature, plugins, questions, report
from impromptu.annotation import Teacher
from impromptu.answer_files import join
from impromptu.answer_pairs import Pair, clip_table_beside, task_of
from impromptu.asking import Spending
from impromptu.comparison import Sources, scenes_of
from impromptu.contestants import CONTESTANTS, Contestant, lacking, training_name
from impromptu.engines import Engine, Settings
from impromptu.evaluation import Evaluation, Options, evaluate
from impromptu.files import read_json, write_json
from impromptu.generation import Result, generate
from impromptu.inference import infer
from impromptu.manifest import MANIFEST
from impromptu.miniature import teacher, truth
from impromptu.part import Recipe
from impromptu.registry import REGISTRY, load_samples
from impromptu.report.text import counted

DATASETS = ("nuscenes", "kitti", "argoverse2")
ANNOTATED = ("kitti",)
"""Of one camera, so that it takes seconds."""
TRAINING, HELD_OUT = "nuscenes_planning_train", "nuscenes_planning_val"

Say = Callable[[str], None]


def demo(data_raw: Path, out: Path, training: Path | None, workers: int, say: Say) -> Path:
    """Run the whole pipeline on miniature datasets; return the report.

    Args:
        data_raw: Folder for the miniatures.
        out: Folder for all that is made of them.
        training: LLaMA-Factory YAML to train a tiny model with, or None for no training.
        workers: Number of processes that generate.
        say: Told what begins.
    """
    samples_dir = out / "data_qa_results"
    make_samples(data_raw, samples_dir, workers, say)
    have_answered(samples_dir, say)
    shutil.rmtree(out / "predictions", ignore_errors=True)
    for why in filter(None, map(lacking, CONTESTANTS)):
        say(why)
    contestants = [one for one in CONTESTANTS if not lacking(one)]
    if training:
        model = train(training, samples_dir, out, say)
        contestants.insert(0, _trained(model, training, samples_dir))
    runs = [compete(one, samples_dir, out, say) for one in contestants]
    return tell(runs, data_raw, samples_dir, out / "report", bool(training), say)


def make_samples(data_raw: Path, out: Path, workers: int, say: Say) -> Result:
    """Write miniatures of three datasets, and ask every question of them."""
    say(f"drawing small drives in three native formats: {data_raw}")
    miniature.write(data_raw, datasets=DATASETS)
    say(f"generating samples: {out}")
    recipe = Recipe(tuple(plugins.names(questions)))
    return generate(data_raw, out, DATASETS, None, recipe, workers)


def have_answered(samples_dir: Path, say: Say) -> None:
    """Have a stand-in teacher answer what no log tells, in runs until nothing is left."""
    if not find_spec("openai"):
        say("no teacher is asked: pip install 'impromptu-vla[openai]'")
        return
    stand_in = teacher.Teacher(truth.truths(samples_dir))
    with teacher.served(stand_in) as url:
        asked = Teacher(Settings(teacher.MODEL, base_url=url))
        for run in ("a stand-in teacher answers", "it is asked again where it gave no answer"):
            say(f"{run}: {samples_dir / annotation.FOLDER}")
            made = annotation.annotate(samples_dir, asked, Spending(), ANNOTATED)
            dropped = counted(made.written.dropped) or "none"
            say(f"{sum(made.written.samples.values())} samples, without an answer: {dropped}")


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
    # Threads that wait by spinning slow each other down tenfold on a busy machine.
    quiet = {"TRANSFORMERS_VERBOSITY": "warning", "LLAMAFACTORY_VERBOSITY": "WARN"}
    environment = os.environ | quiet | {"OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run(command, env=environment, check=False)  # noqa: S603 - a list, no shell
    if done.returncode:
        raise ChildProcessError(f"training ended with exit code {done.returncode}; see above")
    return out / "tiny_trained"


def _trained(model: Path, config: Path, samples_dir: Path) -> Contestant:
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


def tell(
    runs: Sequence[report.Run],
    data_raw: Path,
    samples_dir: Path,
    out: Path,
    trained: bool,
    say: Say,
) -> Path:
    """Write the report on the runs side by side; return its HTML file."""
    say(f"writing the report: {out}")
    file = next(one for one in report.sample_files(runs) if one.path.stem == HELD_OUT)
    scenes = scenes_of(file, report.choose(file), Sources(samples_dir, data_raw))
    made = report.build(
        "From logs to scores, in miniature",
        runs,
        {file.path: scenes},
        ["make demo" if trained else "impromptu demo"],
        read_json(samples_dir / MANIFEST),
    )
    made.write_html(out / "report.html")
    made.write_markdown(out)
    return out / "report.html"
