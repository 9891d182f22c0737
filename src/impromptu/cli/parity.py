"""``impromptu parity``: two engines, the same samples; how far do their answers agree?"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from impromptu import engines, plugins
from impromptu.cli import Command
from impromptu.cli.infer import add_engine_arguments, settings_of, tell
from impromptu.engines import Engine
from impromptu.files import write_json
from impromptu.inference import infer
from impromptu.parity import Difference, Parity, Tokens, compare, read_texts
from impromptu.registry import registered

_SHOWN = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags; those of the engines are those of ``impromptu infer``."""
    add = parser.add_argument
    known = ", ".join(plugins.names(engines))
    told = "a file of predictions, or an engine to run:"
    add("--a", required=True, metavar="X", help=f"{told} {known}")
    add("--b", required=True, metavar="Y", help="what it is compared with, likewise")
    add("--dataset", metavar="NAME[,NAME]", help="what engines are asked")
    add(
        "--out",
        type=Path,
        default=Path("build/parity"),
        metavar="DIR",
        help="parity.json, and the engines' answers [%(default)s]",
    )
    add(
        "--tolerance_m",
        type=float,
        default=0.0,
        metavar="M",
        help="texts may differ where all waypoints are as near as this [%(default)s]",
    )
    add_engine_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Compare and tell; return 1 if a sample differs beyond the tolerance."""
    a, b = (read_texts(_answers(args, which)) for which in ("a", "b"))
    tokens = _tokens(args.model_name_or_path) if args.model_name_or_path else None
    parity = compare(a, b, tokens)
    beyond = parity.beyond(args.tolerance_m)
    write_json(
        args.out / "parity.json",
        {
            "a": str(args.a),
            "b": str(args.b),
            "tolerance_m": args.tolerance_m,
            "beyond_tolerance": len(beyond),
            **asdict(parity),
        },
    )
    for line in _lines(parity, beyond, args.tolerance_m):
        print(line)
    print(f"every difference: {args.out / 'parity.json'}")
    return int(bool(beyond))


def _answers(args: argparse.Namespace, which: str) -> Path:
    """Return a file of predictions: the one that is named, or what the engine that is says."""
    name = getattr(args, which)
    if Path(name).is_file():
        return Path(name)
    if Path(name).suffix or "/" in name:
        raise FileNotFoundError(f"--{which} {name}: no such file of predictions")
    engine = plugins.load(engines, name, Engine)
    if not args.dataset:
        raise ValueError(f"--{which} {name} is an engine: expected --dataset, what it is asked")
    settings = settings_of(args, name, engine)
    samples = registered(args.dataset_dir, args.dataset.split(","), args.max_samples)
    out: Path = args.out / f"{which}_{name}.jsonl"
    try:
        infer(samples, name, engine, settings, out, say=tell)
    except ModuleNotFoundError as error:
        error.add_note(
            "then run the same command there: what is answered already is not asked again; or "
            f"give --{which} a file of its answers"
        )
        raise
    return out


def _tokens(model: str) -> Tokens:
    """Return what cuts text into a model's tokens."""
    try:
        from transformers import AutoTokenizer
    except ModuleNotFoundError as error:
        error.add_note("tokens need more: pip install 'impromptu-vla[transformers]'")
        raise
    tokenizer = AutoTokenizer.from_pretrained(model)

    def tokens(text: str) -> Sequence[str]:
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        return [tokenizer.decode([one]) for one in ids]

    return tokens


def _lines(parity: Parity, beyond: Sequence[Difference], tolerance_m: float) -> Iterator[str]:
    rate = f" ({parity.same / parity.samples:.1%})" if parity.samples else ""
    yield f"{parity.samples} samples, {parity.same} with the same text{rate}"
    if first := parity.first_tokens():
        yield f"first differing token: {first[0]} at the earliest, {first[1]:g} in the median"
    if parity.mean_m is not None:
        yield (
            f"{parity.paths} with waypoints in both: {parity.mean_m:.4f} m apart on average, "
            f"{parity.max_m:.4f} m at most"
        )
    yield f"{len(beyond)} differ beyond {tolerance_m:g} m"
    for one in beyond[:_SHOWN]:
        if one.a is None or one.b is None:
            yield f"  {one.id}: no answer of {'a' if one.a is None else 'b'}"
        else:
            at = "" if one.token is None else f"token {one.token}: {one.token_a!r}, {one.token_b!r}"
            far = "" if one.max_m is None else f"  {one.max_m:.2f} m"
            yield f"  {one.id}: {at or f'{one.a!r:.40}, {one.b!r:.40}'}{far}"
    if len(beyond) > _SHOWN:
        yield f"  and {len(beyond) - _SHOWN} more"


COMMAND = Command("how far the answers of two engines agree", add_arguments, run)
