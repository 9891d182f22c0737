"""Compare waypoints as text, as action tokens, and as action tokens with the joint loss.

python benchmarks/actions.py [--work build/benchmark/actions] [--steps 250] [--seeds 2] [--asked 60]

The tiny model, on a CPU, with the same samples, order, steps and learning rate in all three; seeds
decide first weights and order. The distance is from the true waypoints as numbers, on the
miniature's validation samples. Made-up drives and a million weights: this shows that each works
and how they compare when little is learnt, and says nothing of a real model.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from impromptu.cli import main as impromptu
from impromptu.conversation import Sample
from impromptu.engines import Completion, Decoding, Settings
from impromptu.engines.transformers import ENGINE, Qwen
from impromptu.questions import AnswerError
from impromptu.questions.nuscenes_planning import QUESTION
from impromptu.registry import load_samples

YAML = Path(__file__).parents[1] / "train/Qwen2_5-VL/tiny_actions_cpu.yaml"
TRAIN, VAL = "nuscenes_planning_train", "nuscenes_planning_val"
LOGS, BATCH, MOST_TOKENS = 8, 20, 220


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to answer and to learn."""

    name: str
    samples: str
    model: str
    weight: float = 0.0


VARIANTS = (
    Variant("text", "text", "tiny"),
    Variant("action tokens", "tokens", "tiny_actions"),
    Variant("action tokens, joint loss 0.1", "tokens", "tiny_actions", 0.1),
    Variant("action tokens, joint loss 1.0", "tokens", "tiny_actions", 1.0),
)


@dataclass(frozen=True, slots=True)
class Row:
    """What one training came to; distances over the answers that could be read, m."""

    train_s: float
    answer_s: float
    read: float
    tokens: float
    l2_m: tuple[float, ...]


def main() -> None:
    """Make samples and models once, train and ask each variant with each seed, print means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build/benchmark/actions"))
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--asked", type=int, default=60)
    args = parser.parse_args()
    prepare(args.work)
    rows: dict[str, list[Row]] = {variant.name: [] for variant in VARIANTS}
    for seed in range(args.seeds):
        for variant in VARIANTS:
            row = measure(args.work, variant, seed, args.steps, args.asked)
            rows[variant.name].append(row)
            print(f"seed {seed}, {variant.name}: {row}", flush=True)
    print("\n| | read | tokens an answer | L2 at 1 s | 2 s | 3 s | training, s | asking, s |")
    print("|---|---|---|---|---|---|---|---|")
    for name, some in rows.items():
        at = " | ".join(_spread([row.l2_m[k] for row in some], ".2f") for k in (1, 3, 5))
        others = [
            _spread([row.read for row in some], ".0%"),
            _spread([row.tokens for row in some], ".0f"),
        ]
        times = [_spread([getattr(row, key) for row in some], ".0f") for key in TIMES]
        print(f"| {name} | {' | '.join(others)} | {at} | {' | '.join(times)} |")


TIMES = "train_s", "answer_s"


def _spread(values: Sequence[float], form: str) -> str:
    """Write the mean, and the least and greatest."""
    return f"{np.mean(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def prepare(work: Path) -> None:
    """Write drives, both kinds of samples, and the codebook; what is there stays."""
    raw, book = work / "raw", work / "actions.json"
    only = ["--data_raw", str(raw), "--datasets", "nuscenes", "--questions", "nuscenes_planning"]
    if not raw.exists():
        _run("miniature", "--out", str(raw), "--logs", str(LOGS), "--datasets", "nuscenes")
    _run("generate", *only, "--out", str(work / "text"))
    fitted = ["--dataset_dir", str(work / "text"), "--dataset", TRAIN, "--held_out", VAL]
    _run("fit-actions", *fitted, "--out", str(book))
    _run("generate", *only, "--out", str(work / "tokens"), "--actions", str(book))


def _run(*arguments: str) -> None:
    if impromptu(arguments):
        raise SystemExit(f"impromptu {' '.join(arguments)} failed")


def measure(work: Path, variant: Variant, seed: int, steps: int, asked: int) -> Row:
    """Train one variant and ask it about held-out samples."""
    folder = work / f"seed_{seed}"
    tiny, tiny_actions = folder / "tiny", folder / "tiny_actions"
    if not tiny.exists():
        _run("tiny-model", "--out", str(tiny), "--seed", str(seed))
        told = ["--model_name_or_path", str(tiny), "--actions", str(work / "actions.json")]
        _run("add-actions", *told, "--out", str(tiny_actions))
    out = folder / variant.name.replace(", ", "_").replace(" ", "_")
    begun = time.perf_counter()
    _train(folder / variant.model, work / variant.samples, out, variant.weight, seed, steps)
    train_s = time.perf_counter() - begun
    settings = Settings(
        str(out),
        work / variant.samples,
        image_max_pixels=12_544,
        decoding=Decoding(max_new_tokens=MOST_TOKENS),
    )
    engine = ENGINE.open(settings)
    samples = load_samples(work / variant.samples, [VAL], asked)
    begun = time.perf_counter()
    answers = [answer for k in range(0, asked, BATCH) for answer in engine(samples[k : k + BATCH])]
    answer_s = time.perf_counter() - begun
    if not isinstance(engine, Qwen):
        raise TypeError("expected the transformers engine")
    tokenizer = engine.processor.tokenizer
    lengths = [len(tokenizer(answer.text).input_ids) for answer in answers]
    read, l2_m = _distances(load_samples(work / "text", [VAL], asked), answers)
    return Row(train_s, answer_s, read, float(np.mean(lengths)), l2_m)


def _train(model: Path, samples: Path, out: Path, weight: float, seed: int, steps: int) -> None:
    values = {
        "model_name_or_path": model,
        "dataset_dir": samples,
        "output_dir": out,
        "max_steps": steps,
        "seed": seed,
        "plot_loss": "false",
        "joint_loss_weight": weight,
    }
    told = [f"{key}={value}" for key, value in values.items()]
    command = [sys.executable, "-m", "impromptu", "train-joint", str(YAML), *told]
    with (out.parent / f"{out.name}.log").open("w") as log:
        subprocess.run(command, stdout=log, stderr=log, check=True)  # noqa: S603 (our own command)


def _distances(
    true: Sequence[Sample], answers: Sequence[Completion]
) -> tuple[float, tuple[float, ...]]:
    """Return the share that could be read, and mean distances from the true waypoints, m."""
    off_m = []
    for sample, answer in zip(true, answers, strict=True):
        try:
            said_m = QUESTION.read(answer.text).xy_m
        except AnswerError:
            continue
        off_m.append(np.linalg.norm(said_m - QUESTION.read(sample.answer).xy_m, axis=-1))
    mean_m = np.mean(off_m, axis=0) if off_m else np.full(6, np.nan)
    return len(off_m) / len(true), tuple(float(value) for value in mean_m)


if __name__ == "__main__":
    main()
