"""Score predictions against true answers: two folders, or two files."""

import argparse
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from impromptu import clip_table, evaluation, released_protocol
from impromptu.answer_files import join
from impromptu.answer_pairs import TASKS, Pair, clip_table_beside, pair_folders, task_of
from impromptu.cli import Command, _score_tables
from impromptu.cli._parser import seed
from impromptu.clip_table import ClipTable
from impromptu.files import require_file_places, write_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags; folders and files have names of their own, for the published script's."""
    parser.add_argument(
        *("--gt_folder", "--gt"),
        dest="gt",
        type=Path,
        required=True,
        metavar="PATH",
        help="true answers, a file or folder",
    )
    parser.add_argument(
        *("--pred_folder", "--pred"),
        dest="pred",
        type=Path,
        required=True,
        metavar="PATH",
        help="predictions, a file or folder",
    )
    parser.add_argument(
        *("--save_path", "--out"),
        dest="out",
        type=Path,
        required=True,
        metavar="FILE",
        help="the scores, JSON",
    )
    parser.add_argument(
        "--protocol",
        choices=("strict", "released"),
        default="strict",
        help="released: the published script's arithmetic, faults included",
    )
    parser.add_argument(
        "--task", choices=TASKS, help="of two files whose names do not tell [their names]"
    )
    parser.add_argument(
        "--per_sample",
        type=Path,
        metavar="FILE",
        help="also write each sample's figures [not written]",
    )
    parser.add_argument(
        "--clips",
        type=Path,
        metavar="FILE",
        help="clip table, for collision rates and groups [in clips/ beside the samples]",
    )
    parser.add_argument(
        "--resamples", type=int, default=1000, metavar="N", help="bootstrap draws; 0: no intervals"
    )
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="of the draws")
    parser.add_argument(
        "--text_metrics",
        action="store_true",
        help="also compare q3 and q5 word by word; needs pip install 'impromptu-vla[text]'",
    )


def run(args: argparse.Namespace) -> int:
    """Score, save, show; return 1 where samples of a scored file have no prediction.

    True files without a file of predictions are named, and are no failure.
    """
    if args.resamples < 0:
        raise ValueError(f"--resamples {args.resamples}: expected 0 or more")
    if args.per_sample and (args.protocol == "released" or args.gt.is_dir()):
        raise ValueError("--per_sample goes with two files and the strict protocol")
    pairs, unpredicted = _pairs(args.gt, args.pred, args.task)
    require_file_places(args.out, args.per_sample)
    tell = _strict if args.protocol == "strict" else _released
    return tell(args, pairs, [path.name for path in unpredicted])


def _pairs(truth: Path, prediction: Path, task: str | None) -> tuple[list[Pair], list[Path]]:
    for path in (truth, prediction):
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such file or folder")
    if truth.is_dir() != prediction.is_dir():
        raise ValueError(f"{truth} and {prediction}: expected two folders or two files")
    if not truth.is_dir():
        return [Pair(task or task_of(truth), truth, prediction)], []
    if task:
        raise ValueError("--task goes with two files; in folders the file names tell")
    return pair_folders(truth, prediction)


def _strict(args: argparse.Namespace, pairs: Sequence[Pair], unpredicted: list[str]) -> int:
    known = [pair for pair in pairs if evaluation.scored(pair.task, args.text_metrics)]
    unscored = [pair.prediction.name for pair in pairs if pair not in known]
    _require(known, pairs, "strict")
    evaluations = [evaluation.evaluate(join(pair), _options(args, pair)) for pair in known]
    results = [one.to_json() for one in evaluations]
    report = {
        "protocol": "strict",
        "results": results,
        "not_predicted": unpredicted,
        "not_scored": unscored,
    }
    write_json(args.out, report)
    if args.per_sample:
        evaluation.write_per_sample(args.per_sample, evaluations[0])
    for result in results:
        print("\n".join(_score_tables.lines(result)))
    return _end(args.out, unpredicted, unscored, any(one.reading.missing for one in evaluations))


def _options(args: argparse.Namespace, pair: Pair) -> evaluation.Options:
    path = args.clips or clip_table_beside(pair.truth)
    clips = None if path is None else _read_clips(path)
    return evaluation.Options(clips, args.resamples, args.seed, args.text_metrics)


@cache
def _read_clips(path: Path) -> ClipTable:
    return clip_table.read(path)


def _released(args: argparse.Namespace, pairs: Sequence[Pair], unpredicted: list[str]) -> int:
    known = [pair for pair in pairs if pair.task in released_protocol.RULES]
    _require(known, pairs, "released")
    results = [released_protocol.evaluate(join(pair)) for pair in known]
    write_json(args.out, results)
    print(f"released protocol: {released_protocol.FORGIVES}")
    for result in results:
        figures = released_protocol.RULES[result["q"]].figures
        shown = "  ".join(f"{name} {_score_tables.number(result[name], '')}" for name in figures)
        print(f"{result['q']}  {shown}  cnt {result['cnt']} of {result['asked']} asked")
        if result["note"]:
            print(f"    {result['note']}")
    unscored = [pair.prediction.name for pair in pairs if pair not in known]
    return _end(args.out, unpredicted, unscored, any(r["cnt"] < r["asked"] for r in results))


def _require(known: Sequence[Pair], pairs: Sequence[Pair], protocol: str) -> None:
    if not known:
        tasks = ", ".join(sorted({pair.task for pair in pairs}))
        text = f"nothing to score: the {protocol} protocol has no rule for {tasks}"
        if protocol == "strict":
            text += "; q3 and q5 are scored with --text_metrics, or by impromptu judge"
        else:
            scored = ", ".join(released_protocol.RULES)
            text += f", as the published script, only for {scored}; leave --protocol away"
        raise ValueError(text)


def _end(out: Path, unpredicted: list[str], unscored: list[str], lossy: bool) -> int:
    if unpredicted:
        print(f"no predictions for: {', '.join(unpredicted)}")
    if unscored:
        print(f"no score is defined for: {', '.join(unscored)}")
    print(f"scores: {out}")
    return int(lossy)


COMMAND = Command(
    summary="score predictions against true answers, in two folders or two files",
    add_arguments=add_arguments,
    run=run,
)
