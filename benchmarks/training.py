"""Measure what a CPU can tell of training choices: padding, and time, memory and loss of variants.

python benchmarks/training.py [--samples DIR] [--vocabulary qwen.tiktoken] [--steps 4]
    [--work build/benchmark_training]

Padding is counted on the samples of DIR, or of a miniature, at the sizes of the real images; text
is split by the tiny model's vocabulary, or by Qwen's own where a file of it is given. Variants are
runs of LLaMA-Factory, a process each, on a random-weight model of two millions, by
CPU time, which other work beside hardly changes. What flash
attention, Liger's kernels and large batches bring only a GPU can tell: benchmarks/gpu/training.py.
"""

import argparse
import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from impromptu import miniature, tiny_model
from impromptu.cli import main as impromptu
from impromptu.engines._image_budget import open_image
from impromptu.training_matrix import IMPROMPTU

YAML = Path("train/Qwen2_5-VL/tiny_cpu.yaml")
CUTOFF = 4_096
MAX_PIXELS, TOKEN_PX = 262_144, 28
AROUND_TOKENS = 22
"""What the template puts around a question and an answer: the system's words and the turns."""
SIZES_PX = {
    "argoverse2": (2048, 1550),
    "idd": (1280, 720),
    "kitti": (1242, 375),
    "navsim": (1920, 1080),
    "nuscenes": (1600, 900),
    "once": (1920, 1020),
    "waymo": (1920, 1280),
}
"""Width and height of each dataset's front image; others of the same car differ little in area."""
SAMPLES_A_STEP = {False: 8, True: 2}
"""Samples, or packs, of a step: two packs hold about as many samples."""
RUN = """
import resource, time
from impromptu import torch_cpu
torch_cpu.hook()
from llamafactory.train.tuner import run_exp
from transformers import TrainerCallback

class Clock(TrainerCallback):
    def on_train_begin(self, args, state, control, train_dataloader=None, **more):
        self.examples, self.began_s = len(train_dataloader.dataset), time.process_time()

    def on_train_end(self, args, state, control, **more):
        self.cpu_s = time.process_time() - self.began_s

clock = Clock()
run_exp(callbacks=[clock])
peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(clock.cpu_s, peak_kb, clock.examples)
"""
TWICE_FROZEN = {"freeze_vision_tower": "true", "freeze_multi_modal_projector": "true"}
AS_PUBLISHED = {
    **TWICE_FROZEN,
    "disable_gradient_checkpointing": "false",
    "per_device_train_batch_size": 1,
    "gradient_accumulation_steps": 8,
}
VARIANTS: dict[str, dict[str, Any]] = {
    "as published": {},
    "vision and projector trained": dict.fromkeys(TWICE_FROZEN, "false"),
    "projector trained": {"freeze_multi_modal_projector": "false"},
    "no gradient checkpointing": {"disable_gradient_checkpointing": "true"},
    "8 samples at once": {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 1},
    "8 at once, no checkpointing": {
        "per_device_train_batch_size": 8,
        "gradient_accumulation_steps": 1,
        "disable_gradient_checkpointing": "true",
    },
    "packed": {"neat_packing": "true", "gradient_accumulation_steps": 2},
}


def main() -> None:
    """Print two tables, and what an image costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=Path, metavar="DIR")
    parser.add_argument("--vocabulary", type=Path, metavar="FILE")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--work", type=Path, default=Path("build/benchmark_training"))
    args = parser.parse_args()
    small = _miniature(args.work)
    model = _model(args.work / "model")
    _padding(args.samples or small, _counter(model, args.vocabulary))
    _preparing(model, args.work)
    _variants(small, model, args.steps, args.work)


def _miniature(work: Path) -> Path:
    raw, out = work / "miniature", work / "samples"
    if not (out / "manifest.json").exists():
        miniature.write(raw, logs=2)
        impromptu(["generate", "--data_raw", str(raw), "--out", str(out), "--workers", "1"])
    return out


def _model(folder: Path) -> Path:
    """Write a model larger than the tiny one, so that its activations show."""
    if folder.exists():
        return folder
    tiny_model.build(folder)
    import transformers

    config = json.loads((folder / "config.json").read_text())
    config |= {"hidden_size": 192, "intermediate_size": 512, "initializer_range": 0.02}
    config["rope_scaling"]["mrope_section"] = [6, 9, 9]
    config["vision_config"]["out_hidden_size"] = 192
    whole = transformers.Qwen2_5_VLConfig(**config)
    transformers.Qwen2_5_VLForConditionalGeneration(whole).save_pretrained(folder)
    return folder


def _counter(model: Path, vocabulary: Path | None) -> Callable[[str], int]:
    """Return what counts the tokens of a text."""
    from transformers import AutoTokenizer
    from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

    if vocabulary is None:
        tokenizer = AutoTokenizer.from_pretrained(model)
        return lambda text: len(tokenizer(text)["input_ids"])
    import tiktoken
    from tiktoken.load import load_tiktoken_bpe

    encoding = tiktoken.Encoding(
        "qwen",
        pat_str=PRETOKENIZE_REGEX,
        mergeable_ranks=load_tiktoken_bpe(str(vocabulary)),
        special_tokens={},
    )
    return lambda text: len(encoding.encode(text))


def _padding(samples: Path, count: Callable[[str], int]) -> None:
    """Print what share of all computed tokens is padding, by how samples are put together."""
    sets = {
        "Base+nuScenes": _lengths(samples, ("nuscenes_planning_train",), count),
        "Base+Impromptu": _lengths(samples, IMPROMPTU, count),
    }
    print(
        "| samples | number | tokens, median | 99 % | longest | one at a time | 8 | 8 of a length"
    )
    print("| packed to 4,096 | samples a pack |\n|" + "---|" * 10)
    for name, lengths in sets.items():
        drawn = random.Random(0).sample(lengths, len(lengths))  # noqa: S311 (an order, no secret)
        ordered = sorted(lengths)
        packs = _packs(drawn)
        shares = (
            _wasted(drawn, 1),
            _wasted(drawn, 8),
            _wasted(ordered, 8),
            1 - sum(lengths) / (CUTOFF * len(packs)),
        )
        print(
            f"| {name} | {len(lengths):,} | {ordered[len(ordered) // 2]:,} | "
            f"{ordered[int(0.99 * len(ordered))]:,} | {ordered[-1]:,} | "
            f"{' | '.join(f'{share:.1%}' for share in shares)} | {len(lengths) / len(packs):.1f} |"
        )


def _lengths(samples: Path, names: Sequence[str], count: Callable[[str], int]) -> list[int]:
    registry = json.loads((samples / "dataset_info.json").read_text())
    return [
        sum(count(message["content"].replace("<image>", "")) for message in row["messages"])
        + len(row["images"]) * (2 + _image_tokens(*SIZES_PX[name.partition("_")[0]]))
        + AROUND_TOKENS
        for name in names
        if name in registry
        for row in json.loads((samples / registry[name]["file_name"]).read_text())
    ]


def _image_tokens(width: int, height: int) -> int:
    """Count an image's tokens: scaled into the budget, then to whole tokens of 28 x 28 pixels."""
    scale = min(1.0, (MAX_PIXELS / (width * height)) ** 0.5)
    across, down = (round(int(side * scale) / TOKEN_PX) for side in (width, height))
    return across * down


def _wasted(lengths: Sequence[int], size: int) -> float:
    """Return the padding's share; LLaMA-Factory also fills up to a multiple of 8."""
    computed = 0
    for first in range(0, len(lengths), size):
        batch = lengths[first : first + size]
        computed += -(-max(batch) // 8) * 8 * len(batch)
    return 1 - sum(lengths) / computed


def _packs(lengths: Sequence[int]) -> list[int]:
    """Fill packs greedily, the longest sample that still fits first, as LLaMA-Factory does."""
    room: list[int] = []
    for length in sorted(lengths, reverse=True):
        fits = [index for index, left in enumerate(room) if left >= length]
        if fits:
            room[min(fits, key=room.__getitem__)] -= length
        else:
            room.append(CUTOFF - length)
    return room


def _preparing(model: Path, work: Path, repeats: int = 20) -> None:
    """Print what a process that feeds a GPU does for one image of nuScenes' size."""
    import numpy as np
    from PIL import Image
    from transformers import AutoImageProcessor

    processor = AutoImageProcessor.from_pretrained(model, use_fast=True)
    small = np.random.default_rng(0).integers(0, 256, (90, 160, 3), dtype=np.uint8)
    path = work / "image.jpg"
    Image.fromarray(small).resize((1600, 900), Image.Resampling.BICUBIC).save(path)
    began_s = time.process_time()
    for _ in range(repeats):
        processor(open_image(path, MAX_PIXELS, 1_024), return_tensors="pt")
    each_ms = 1e3 * (time.process_time() - began_s) / repeats
    print(f"\nTo open and scale an image of 1600 x 900 takes {each_ms:.0f} ms of CPU.\n")


def _variants(samples: Path, model: Path, steps: int, work: Path) -> None:
    print("| variant | CPU s a sample | speed against published | peak MB | loss by step |")
    print("|---|---|---|---|---|")
    published_s, number = 0.0, 0
    for name, variant in VARIANTS.items():
        out = work / "runs" / re.sub(r"\W+", "_", name)
        told = _train(AS_PUBLISHED | variant, samples, model, steps, out)
        number = number or told["examples"]  # the first variant packs nothing
        seen = steps * SAMPLES_A_STEP[name == "packed"] * number / told["examples"]
        cost_s = told["cpu_s"] / seen
        published_s = published_s or cost_s
        history = json.loads((out / "trainer_state.json").read_text())["log_history"]
        losses = [f"{row['loss']:.3f}" for row in history if "loss" in row]
        print(
            f"| {name} | {cost_s:.3f} | {published_s / cost_s:.2f} | {told['peak_mb']:,.0f} | "
            f"{', '.join(losses)} |",
            flush=True,
        )


def _train(
    variant: dict[str, Any], samples: Path, model: Path, steps: int, out: Path
) -> dict[str, Any]:
    """Train; return CPU seconds of the steps, peak memory, and how many samples or packs."""
    overrides = variant | {
        "model_name_or_path": model,
        "dataset_dir": samples,
        "dataset": "nuscenes_planning_train",
        "image_max_pixels": 12_544,
        "cutoff_len": CUTOFF,
        "output_dir": out,
        "overwrite_output_dir": "true",
        "max_steps": steps,
        "learning_rate": 3e-4,
        "logging_steps": 1,
        "plot_loss": "false",
        "disable_shuffling": "true",
    }
    arguments = [f"{key}={value}" for key, value in overrides.items()]
    command = [sys.executable, "-c", RUN, str(YAML), *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)  # noqa: S603
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    cpu_s, peak_kb, examples = done.stdout.split()[-3:]
    return {"cpu_s": float(cpu_s), "peak_mb": int(peak_kb) / 1024, "examples": int(examples)}


if __name__ == "__main__":
    main()
