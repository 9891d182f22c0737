"""``impromptu infer``: run an engine over sample files and write its answers."""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from impromptu import backends, engines, plugins
from impromptu.backends import Backend
from impromptu.cli import Command
from impromptu.cli._parser import require_key
from impromptu.engines import Decoding, Engine, Settings
from impromptu.files import require_file_places
from impromptu.inference import Outcome, Spread, infer
from impromptu.registry import registered

_DECODING = {
    "temperature": (float, "0 is greedy"),
    "top_p": (float, "keep the likeliest tokens up to this probability"),
    "top_k": (int, "keep this many of the likeliest tokens; -1 keeps all"),
    "repetition_penalty": (float, "1 is none"),
    "max_new_tokens": (int, "the longest answer"),
    "seed": (int, "of sampling"),
    "parallel_sample_num": (int, "answers drawn for each sample, kept in one line"),
}
_SETTINGS = {
    "template": (str, "LLaMA-Factory's name of the chat template; vllm and openai also know own"),
    "cutoff_len": (int, "the longest prompt, in tokens"),
    "image_min_pixels": (int, "image budget, as in training"),
    "image_max_pixels": (int, "image budget, as in training"),
    "batch_size": (int, "samples asked as one (transformers)"),
    "concurrency": (int, "samples under way at once (vllm, sglang, openai)"),
    "adapter_name_or_path": (str, "LoRA weights over the model's (vllm)"),
    "tensor_parallel_size": (int, "GPUs that share each layer (vllm, sglang)"),
    "pipeline_parallel_size": (int, "GPUs that have some layers each (vllm, sglang)"),
    "data_parallel_size": (int, "copies of the model (vllm, sglang)"),
    "gpu_memory_utilization": (float, "part of a GPU's memory (vllm, sglang)"),
    "base_url": (str, "the server, http://host:port/v1 (openai)"),
    "api_key_env": (str, "environment variable that holds the server's key (openai)"),
    "timeout_s": (float, "seconds to wait for one answer (openai)"),
}
_FIELDS = {"parallel_sample_num": "n", "adapter_name_or_path": "adapter"}
"""Flags whose published name is not that of the field."""
_CONFIGURED = {
    "vllm": "vLLM's engine",
    "sglang": "sglang's engine",
    "openai": "each request",
}
_NEEDED = (
    "adapter_name_or_path",
    "data_parallel_size",
    "parallel_sample_num",
    "pipeline_parallel_size",
    "tensor_parallel_size",
)
"""Flags that an engine may not ignore, unless they ask for nothing."""
_OPENED = "model_name_or_path"
_AT_LEAST_1 = (
    "max_samples",
    "workers",
    "batch_size",
    "concurrency",
    "max_new_tokens",
    *_NEEDED[1:],
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags; names and meanings are those of LLaMA-Factory's inference scripts."""
    add = parser.add_argument
    known = ", ".join(plugins.names(engines))
    add("--engine", default="transformers", metavar="NAME", help=f"one of {known}")
    add("--dataset", required=True, metavar="NAME[,NAME]", help="names in dataset_info.json")
    add(
        "--save_name",
        type=Path,
        default=Path("generated_predictions.jsonl"),
        metavar="FILE",
        help="[%(default)s]",
    )
    add_engine_arguments(parser)
    add("--workers", type=int, default=1, metavar="N", help="engines at once [%(default)s]")
    places = "where: in this process, or on the Ray cluster that RAY_ADDRESS names"
    add(
        "--backend",
        choices=plugins.names(backends),
        default="processes",
        help=f"{places}, whose nodes share the folders [%(default)s]",
    )


def add_engine_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags that say what an engine is opened with, and where samples are."""
    add = parser.add_argument
    add(
        f"--{_OPENED}",
        "--model",
        metavar="MODEL",
        help="checkpoint folder or hub name; for openai the server's name of it, for majority and "
        "nearest_neighbour a training file, for ego_status_mlp the folder of "
        "impromptu train-ego-mlp",
    )
    add("--dataset_dir", type=Path, default=Path("data"), metavar="DIR", help="where that is")
    add("--media_dir", type=Path, metavar="DIR", help="images start here [dataset_dir]")
    add("--max_samples", type=int, metavar="N", help="only the first N of each dataset")
    for defaults, flags in ((Decoding(), _DECODING), (Settings(), _SETTINGS)):
        for flag, (kind, text) in flags.items():
            default = getattr(defaults, _FIELDS.get(flag, flag))
            told = text if default in ("", None) else f"{text} [{default}]"
            metavar = "X" if kind is str else "N"
            add(
                f"--{flag}",
                *["--image_resolution"] * (flag == "image_max_pixels"),
                dest=flag,
                type=kind,
                metavar=metavar,
                help=told,
            )
    for name in _CONFIGURED:
        add(
            f"--{name}_config",
            type=_json_object,
            metavar="JSON",
            help=f"more arguments of {_CONFIGURED[name]}, over ours",
        )
    add(
        "--disable_cuda_graph",
        nargs="?",
        const=True,
        type=_truth,
        metavar="True",
        help="start sooner, run slower (vllm, sglang)",
    )
    more = "no effect: images are opened as the engine takes them"
    add("--preprocessing_num_workers", metavar="N", help=more)


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"not valid JSON ({error.msg}): {text!r:.80}") from error
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"expected a JSON object, got {text!r:.80}")
    return value


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"expected True or False, got {text!r:.80}")
    return text.lower() == "true"


def run(args: argparse.Namespace) -> int:
    """Answer, and tell how it ended; return 1 if a sample could not be asked."""
    engine = plugins.load(engines, args.engine, Engine)
    settings = settings_of(args, args.engine, engine)
    samples = registered(args.dataset_dir, args.dataset.split(","), args.max_samples)
    spread = _spread(args)
    require_file_places(args.save_name)
    outcome = infer(samples, args.engine, engine, settings, args.save_name, spread, tell)
    return tell_outcome(outcome, args.engine, args.save_name)


def _spread(args: argparse.Namespace) -> Spread | None:
    """Return where several engines are to run; None for one, in this process."""
    if args.backend != "processes":
        return Spread(plugins.load(backends, args.backend, Backend), args.workers)
    if args.workers > 1:
        raise ValueError(
            f"--workers {args.workers}: several engines at once need --backend ray, which "
            "gives each GPUs of its own; one engine takes several with --data_parallel_size"
        )
    return None


def tell_outcome(outcome: Outcome, engine: str, out: Path) -> int:
    """Print what an inference came to; return 1 if a sample could not be asked."""
    for name, problem in outcome.problems.items():
        tell(f"{name}: {problem}")
    counts = ", ".join(f"{count} {reason}" for reason, count in outcome.finish_reasons.items())
    print(f"wrote {out}: {sum(outcome.finish_reasons.values())} answers ({counts})")
    nothing = set(outcome.finish_reasons) == {"unsupported"}
    if nothing:
        tell(f"the engine {engine!r} cannot answer this task")
    return int(bool(outcome.problems) or nothing)


def settings_of(args: argparse.Namespace, name: str, engine: Engine) -> Settings:
    """Return what an engine is opened with.

    Raises:
        ValueError: A flag asks for what it cannot do, or one that it needs is not given.
    """
    for flag in _AT_LEAST_1:
        if (value := getattr(args, flag, None)) is not None and value < 1:
            raise ValueError(f"--{flag} {value}: expected at least 1")
    if args.temperature is not None and args.temperature < 0:
        raise ValueError(f"--temperature {args.temperature}: expected 0 or more")
    _refuse_unused(args, name, engine)
    if _opens(engine) and not args.model_name_or_path:
        raise ValueError(
            f"the engine {name!r} needs --model_name_or_path: "
            + ("a model" if engine.runs_model else "what it was fitted to")
        )
    require_key(args.api_key_env)
    return Settings(
        model=args.model_name_or_path or "",
        media_dir=args.media_dir or args.dataset_dir,
        decoding=Decoding(**_given(args, _DECODING)),
        engine_config=getattr(args, f"{name}_config", None) or {},
        **_given(args, (*_SETTINGS, "disable_cuda_graph")),
    )


def _given(args: argparse.Namespace, flags: Iterable[str]) -> dict[str, Any]:
    """Return the given values by field."""
    values = {_FIELDS.get(flag, flag): getattr(args, flag) for flag in flags}
    return {field: value for field, value in values.items() if value is not None}


def _opens(engine: Engine) -> bool:
    return engine.fitted or "model" in engine.uses


def _refuse_unused(args: argparse.Namespace, name: str, engine: Engine) -> None:
    """Refuse a flag that the engine would ignore to harm; tell of the others.

    Raises:
        ValueError: There is one.
    """
    flags = (*_DECODING, *_SETTINGS, "disable_cuda_graph")
    unused = [flag for flag in flags if _FIELDS.get(flag, flag) not in engine.uses]
    unused += [f"{one}_config" for one in _CONFIGURED if one != name]
    unused += ["preprocessing_num_workers"] + [_OPENED] * (not _opens(engine))
    given = {flag: value for flag in unused if (value := getattr(args, flag)) is not None}
    for flag in _NEEDED:
        if given.pop(flag, 1) not in (1, ""):
            raise ValueError(
                f"--{flag} {getattr(args, flag)}: the engine {name!r} cannot do that; "
                f"{_who_can(flag)}"
            )
    if given:
        names = ", ".join(f"--{flag}" for flag in given)
        tell(f"note: no effect on the engine {name!r}: {names}")


def _who_can(flag: str) -> str:
    field = _FIELDS.get(flag, flag)
    able = [
        name for name in plugins.names(engines) if field in plugins.load(engines, name, Engine).uses
    ]
    return f"{', '.join(able)} can"


def tell(what: str) -> None:
    """Print a remark where it is in the way of no output."""
    print(what, file=sys.stderr)


COMMAND = Command("run an engine over sample files, resumably", add_arguments, run)
