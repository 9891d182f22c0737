"""``impromptu infer``: run an engine over sample files and write its answers."""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from impromptu import engines, plugins
from impromptu.cli import Command
from impromptu.engines import Decoding, Engine, Settings
from impromptu.inference import infer
from impromptu.registry import load_samples

_DECODING = {
    "temperature": (float, "0 is greedy"),
    "top_p": (float, "keep the likeliest tokens up to this probability"),
    "top_k": (int, "keep this many of the likeliest tokens; -1 keeps all"),
    "repetition_penalty": (float, "1 is none"),
    "max_new_tokens": (int, "the longest answer"),
    "seed": (int, "of sampling"),
}
_SETTINGS = {
    "template": (str, "LLaMA-Factory's name of the chat template"),
    "cutoff_len": (int, "the longest prompt, in tokens"),
    "image_min_pixels": (int, "image budget, as in training"),
    "image_max_pixels": (int, "image budget, as in training"),
}
_OPENED = "model_name_or_path"
_MODEL = (_OPENED, *_DECODING, *_SETTINGS)
_ONLY_ONE = (
    "tensor_parallel_size",
    "pipeline_parallel_size",
    "data_parallel_size",
    "parallel_sample_num",
)
_NO_EFFECT = (
    "gpu_memory_utilization",
    "preprocessing_num_workers",
    "disable_cuda_graph",
    "vllm_config",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags; names and meanings are those of LLaMA-Factory's inference scripts."""
    add = parser.add_argument
    known = ", ".join(plugins.names(engines))
    add("--engine", default="transformers", metavar="NAME", help=f"one of {known}")
    add(
        "--model_name_or_path",
        metavar="MODEL",
        help="checkpoint folder or hub name; for majority and nearest_neighbour a training file, "
        "for ego_status_mlp the folder of impromptu train-ego-mlp",
    )
    add("--dataset", required=True, metavar="NAME[,NAME]", help="names in dataset_info.json")
    add("--dataset_dir", type=Path, default=Path("data"), metavar="DIR", help="where that is")
    add("--media_dir", type=Path, metavar="DIR", help="images start here [dataset_dir]")
    add(
        "--save_name",
        type=Path,
        default=Path("generated_predictions.jsonl"),
        metavar="FILE",
        help="[%(default)s]",
    )
    add("--max_samples", type=int, metavar="N", help="only the first N of each dataset")
    add("--batch_size", type=int, default=1, metavar="N", help="samples asked at once")
    for defaults, flags in ((Decoding(), _DECODING), (Settings(), _SETTINGS)):
        for flag, (kind, text) in flags.items():
            told = f"{text} [{getattr(defaults, flag)}]"
            names = [f"--{flag}"] + ["--image_resolution"] * (flag == "image_max_pixels")
            add(*names, dest=flag, type=kind, metavar="N", help=told)
    published = parser.add_argument_group("flags of published scripts that change nothing here")
    for flag in _ONLY_ONE:
        published.add_argument(f"--{flag}", type=int, default=1, metavar="1", help="must be 1")
    for flag in _NO_EFFECT:
        published.add_argument(f"--{flag}", nargs="?", const="", metavar="X", help="no effect")


def run(args: argparse.Namespace) -> int:
    """Answer, and tell how it ended; return 1 if a sample could not be asked."""
    engine = plugins.load(engines, args.engine, Engine)
    _refuse_parallel(args)
    unused = () if engine.runs_model else _MODEL
    _tell_unused(args, [flag for flag in unused if flag != _OPENED or not engine.fitted])
    for flag in ("batch_size", "max_samples"):
        if (value := getattr(args, flag)) is not None and value < 1:
            raise ValueError(f"--{flag} {value}: expected at least 1")
    if args.temperature is not None and args.temperature < 0:
        raise ValueError(f"--temperature {args.temperature}: expected 0 or more")
    samples = load_samples(args.dataset_dir, args.dataset.split(","), args.max_samples)
    outcome = infer(samples, args.engine, engine, _settings(args), args.save_name, args.batch_size)
    for name, problem in outcome.problems.items():
        print(f"{name}: {problem}", file=sys.stderr)
    counts = ", ".join(f"{count} {reason}" for reason, count in outcome.finish_reasons.items())
    print(f"wrote {args.save_name}: {len(samples)} answers ({counts})")
    nothing = set(outcome.finish_reasons) == {"unsupported"}
    if nothing:
        print(f"the engine {args.engine!r} cannot answer this task", file=sys.stderr)
    return int(bool(outcome.problems) or nothing)


def _settings(args: argparse.Namespace) -> Settings:
    return Settings(
        model=args.model_name_or_path or "",
        media_dir=args.media_dir or args.dataset_dir,
        decoding=Decoding(**_given(args, _DECODING)),
        **_given(args, _SETTINGS),
    )


def _given(args: argparse.Namespace, flags: Iterable[str]) -> dict[str, Any]:
    return {flag: value for flag in flags if (value := getattr(args, flag)) is not None}


def _refuse_parallel(args: argparse.Namespace) -> None:
    for flag, value in _given(args, _ONLY_ONE).items():
        if value != 1:
            raise ValueError(
                f"--{flag} {value}: the engine {args.engine!r} runs one model on one device, "
                "and gives one answer a sample; expected 1"
            )


def _tell_unused(args: argparse.Namespace, unused: Iterable[str]) -> None:
    if given := _given(args, (*unused, *_NO_EFFECT)):
        flags = ", ".join(f"--{flag}" for flag in given)
        print(f"note: no effect on the engine {args.engine!r}: {flags}", file=sys.stderr)


COMMAND = Command("run an engine over sample files, resumably", add_arguments, run)
