"""One page on any runs side by side: figures, intervals, baselines, curves and pictures."""

import argparse
import sys
from pathlib import Path

from impromptu import comparison, report
from impromptu.answer_pairs import TASKS
from impromptu.cli import Command
from impromptu.comparison import Scoring, Sources
from impromptu.files import require_file_places, require_writable
from impromptu.report import driven

_BASELINES = {
    "all": "also those fitted to training samples that are registered beside --gt",
    "rules": "those that need no training samples",
    "none": "none",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add = parser.add_argument
    more = "predictions: a file, or a folder of files; NAME=PATH names it"
    add("runs", nargs="+", metavar="RUN", help=more)
    truth = "true answers: a file of samples, or a folder of them"
    add("--gt_folder", "--gt", dest="gt", type=Path, required=True, metavar="PATH", help=truth)
    add("--out", type=Path, default=Path("report.html"), metavar="FILE", help="[%(default)s]")
    tables = "also write tables.md, tables.tex, tables.csv and tables.json there"
    add("--tables", type=Path, metavar="DIR", help=tables)
    told = "; ".join(f"{name}: {what}" for name, what in _BASELINES.items())
    add("--baselines", choices=_BASELINES, default="all", help=f"{told} [%(default)s]")
    add("--data_raw", type=Path, metavar="DIR", help="raw logs, to draw paths on the images")
    where = "where images' paths begin [the folder of dataset_info.json above the samples]"
    add("--media_dir", type=Path, metavar="DIR", help=where)
    add("--clips", type=Path, metavar="FILE", help="clip table [in clips/ beside the samples]")
    scenes = (
        "of the first file, N evenly spaced samples, N at random, and each model's N worst; of "
        "each further file each model's worst [%(default)s]"
    )
    add("--scenes", type=int, default=4, metavar="N", help=scenes)
    ncap = "also the closed loop: what `ncap score --out table.json` wrote"
    add("--ncap", type=Path, metavar="FILE", help=ncap)
    add("--title", default="Runs side by side", metavar="TEXT", help="[%(default)s]")
    add("--task", choices=TASKS, help="of two files whose names do not tell")
    add("--resamples", type=int, default=1000, metavar="N", help="bootstrap draws [%(default)s]")
    add(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="of the draws and of the random samples [0]",
    )
    text = "also compare q3 and q5 word by word; needs pip install 'impromptu-vla[text]'"
    add("--text_metrics", action="store_true", help=text)


def run(args: argparse.Namespace) -> int:
    """Score, draw and write; return 1 where none of the runs' answers could be read."""
    for flag in ("scenes", "resamples", "seed"):
        if getattr(args, flag) < 0:
            raise ValueError(f"--{flag} {getattr(args, flag)}: expected 0 or more")
    for path in (args.data_raw, args.media_dir):
        if path and not path.is_dir():
            raise FileNotFoundError(f"{path}: no such folder")
    require_file_places(args.out)
    require_writable(*([args.tables] if args.tables else []))
    closed_loop = driven.read(args.ncap) if args.ncap else None
    scoring = Scoring(args.gt, args.task, args.clips, args.resamples, args.seed, args.text_metrics)
    runs, notes = comparison.score(comparison.given(args.runs), scoring, _say)
    read = any(one.reading.read for each in runs for one in each.evaluations)
    if args.baselines != "none":
        runs, more = comparison.with_baselines(runs, scoring, args.baselines == "all", _say)
        notes += more
    _say("drawing")
    sources, scenes = Sources(args.media_dir, args.data_raw, args.clips), {}
    for number, file in enumerate(report.sample_files(runs)):
        many, worst = (0, min(args.scenes, 1)) if number else (args.scenes, args.scenes)
        chosen = report.choose(file, many, many, worst, args.seed) if args.scenes else []
        scenes[file.path] = comparison.scenes_of(file, chosen, sources)
    made = report.build(args.title, runs, scenes, notes=notes, driven=closed_loop)
    made.write_html(args.out)
    for path in made.write_tables(args.tables) if args.tables else ():
        print(f"table: {path}")
    for note in notes:
        _say(f"note: {note}")
    print(f"report: {args.out}")
    return int(not read)


def _say(what: str) -> None:
    print(what, file=sys.stderr)


COMMAND = Command("one page on any runs side by side, with baselines", add_arguments, run)
