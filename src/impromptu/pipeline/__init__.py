"""The story from top to bottom: drives, samples, a model, predictions, scores, a report."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from impromptu import miniature, plugins, questions, report
from impromptu.comparison import Sources, scenes_of
from impromptu.contestants import CONTESTANTS, lacking
from impromptu.files import read_json
from impromptu.generation import Result, generate
from impromptu.manifest import MANIFEST
from impromptu.part import Recipe
from impromptu.pipeline.contest import HELD_OUT, compete, train, trained
from impromptu.pipeline.driving import drive
from impromptu.pipeline.extras import Say
from impromptu.pipeline.reviewing import review
from impromptu.pipeline.sharing import share
from impromptu.pipeline.teaching import curate, have_answered

DATASETS = ("nuscenes", "kitti", "argoverse2")


def demo(data_raw: Path, out: Path, training: Path | None, workers: int, say: Say) -> Path:
    """Run the whole pipeline on miniature datasets; return the report.

    Args:
        data_raw: Folder for the miniatures.
        out: Folder for all that is made of them.
        training: LLaMA-Factory YAML to train a tiny model with, or None for no training.
        workers: Number of processes that generate.
        say: Told what begins.
    """
    samples_dir, curated = out / "data_qa_results", out / "curated"
    make_samples(data_raw, samples_dir, workers, say)
    accounts = [
        have_answered(samples_dir, say),
        curate(data_raw, samples_dir, curated, workers, say),
        review(samples_dir, curated, say),
        share(samples_dir, out, workers, say),
    ]
    shutil.rmtree(out / "predictions", ignore_errors=True)
    for why in filter(None, map(lacking, CONTESTANTS)):
        say(why)
    contestants = [one for one in CONTESTANTS if not lacking(one)]
    model = None
    if training:
        model = trained(train(training, samples_dir, out, say), training, samples_dir)
        contestants.insert(0, model)
    runs = [compete(one, samples_dir, out, say) for one in contestants]
    driven = drive(out / "closed_loop", model.settings if model else None, say)
    say(f"writing the report: {out / 'report'}")
    made = report.build(
        "From logs to scores, in miniature",
        runs,
        _scenes(runs, Sources(samples_dir, data_raw)),
        ["make demo" if training else "impromptu demo"],
        read_json(samples_dir / MANIFEST),
        driven=driven,
        accounts=accounts,
    )
    made.write_html(out / "report" / "report.html")
    made.write_markdown(out / "report")
    return out / "report" / "report.html"


def make_samples(data_raw: Path, out: Path, workers: int, say: Say) -> Result:
    """Write miniatures of three datasets, and ask every question of them."""
    say(f"drawing small drives in three native formats: {data_raw}")
    miniature.write(data_raw, datasets=DATASETS)
    say(f"generating samples: {out}")
    recipe = Recipe(tuple(plugins.names(questions)))
    return generate(data_raw, out, DATASETS, None, recipe, workers)


def _scenes(runs: Sequence[report.Run], sources: Sources) -> dict[Path, Sequence[report.Scene]]:
    """Return what is shown in pictures: samples of the planning set."""
    file = next(one for one in report.sample_files(runs) if one.path.stem == HELD_OUT)
    return {file.path: scenes_of(file, report.choose(file), sources)}
