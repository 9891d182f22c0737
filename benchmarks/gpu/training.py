"""Measure full fine-tuning of a Qwen2.5-VL-3B of random weights on one GPU, recipe by recipe.

python benchmarks/gpu/training.py --out build/gpu [--steps 12] [--variants NAME ...]
    [--peak_tflops 989] [--self-test]

Needs torch and transformers alone, and of each other package what a variant names; one that is
absent is told and left out. Every variant is a process of its own, starts from the same random
weights and sees the same samples in the same order, eight to a step: planning samples of nuScenes,
each an image of 1600 x 900 pixels within the published budget and as many tokens of text as those
have. The token ids are random: no tokenizer is at hand. Writes OUT/training.json and training.md.
--self-test does all of it with a tiny model on the CPU in float32, and fails unless all variants
reach the same loss.
"""

import argparse
import inspect
import json
import math
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PUBLISHED_3B: dict[str, Any] = {
    "hidden_size": 2048,
    "intermediate_size": 11008,
    "num_hidden_layers": 36,
    "num_attention_heads": 16,
    "num_key_value_heads": 2,
    "vocab_size": 151936,
    "max_position_embeddings": 128000,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1e6,
    "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]},
    "tie_word_embeddings": True,
    "image_token_id": 151655,
    "video_token_id": 151656,
    "vision_start_token_id": 151652,
    "vision_end_token_id": 151653,
    "vision_config": {
        "depth": 32,
        "hidden_size": 1280,
        "intermediate_size": 3420,
        "num_heads": 16,
        "out_hidden_size": 2048,
        "patch_size": 14,
        "spatial_patch_size": 14,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "window_size": 112,
        "fullatt_block_indexes": [7, 15, 23, 31],
        "tokens_per_second": 2,
    },
}
TINY = PUBLISHED_3B | {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "vocab_size": 1024,
    "rope_scaling": {"type": "mrope", "mrope_section": [4, 6, 6]},
    "image_token_id": 1023,
    "video_token_id": 1022,
    "vision_start_token_id": 1021,
    "vision_end_token_id": 1020,
    "vision_config": PUBLISHED_3B["vision_config"]
    | {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_heads": 2,
        "out_hidden_size": 64,
        "fullatt_block_indexes": [1],
    },
}
SAMPLES_A_STEP = 8
WARM_UP_STEPS = 2
FULL_PROMPT, SHORT_PROMPT = (565, 586), (192, 560)
"""Tokens of a planning prompt by Qwen's vocabulary; short for the first 3 s of a scene of 20 s."""
SHORT_EVERY = 7
ANSWER_TOKENS = 108
NEW_TOKENS = 128
LEARNING_RATE = 3e-4
"""Not the recipe's 5e-6, under which random weights would not move within the run."""


@dataclass(frozen=True, slots=True)
class Variant:
    """How one step of eight samples is taken.

    Attributes:
        at_once: Samples in a forward pass; the rest of the eight are accumulated.
        needs: A package that must be installed.
    """

    at_once: int = 1
    checkpointing: bool = True
    attention: str = "sdpa"
    liger: bool = False
    compiled: bool = False
    vision: bool = False
    needs: str = ""


VARIANTS = {
    "published": Variant(),
    "no checkpointing": Variant(checkpointing=False),
    "8 at once": Variant(at_once=8),
    "8 at once, no checkpointing": Variant(at_once=8, checkpointing=False),
    "4 at once, no checkpointing": Variant(at_once=4, checkpointing=False),
    "8 at once, no checkpointing, Liger": Variant(
        at_once=8, checkpointing=False, liger=True, needs="liger_kernel"
    ),
    "8 at once, no checkpointing, FlashAttention 2": Variant(
        at_once=8, checkpointing=False, attention="flash_attention_2", needs="flash_attn"
    ),
    "8 at once, no checkpointing, compiled": Variant(at_once=8, checkpointing=False, compiled=True),
    "vision trained too": Variant(vision=True),
}
SELF_TEST = ("published", "8 at once, no checkpointing")


def main() -> None:
    """Run every variant and write the two files, or be one of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/gpu"))
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, metavar="NAME")
    parser.add_argument(
        "--peak_tflops", type=float, default=989.0, help="dense bfloat16 (H100/H200)"
    )
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("--one", choices=[*VARIANTS, "generation"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one == "generation":
        sys.stdout.write(json.dumps(_generate(args.self_test)))
    elif args.one:
        sys.stdout.write(json.dumps(_train(VARIANTS[args.one], args)))
    else:
        _run_all(args)


def _run_all(args: argparse.Namespace) -> None:
    names = list(args.variants or (SELF_TEST if args.self_test else VARIANTS))
    told: dict[str, Any] = {"date": date.today().isoformat(), "python": platform.python_version()}
    told["variants"] = {name: _apart(name, args) for name in names}
    told["generation"] = _apart("generation", args)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "training.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    table = _table(told)
    (args.out / "training.md").write_text(table, encoding="utf-8")
    sys.stdout.write(table)
    if args.self_test:
        _check(told)
    elif not any("losses" in one for one in told["variants"].values()):
        raise SystemExit("nothing was measured: the table says why")


def _apart(name: str, args: argparse.Namespace) -> dict[str, Any]:
    """Run one measurement in a process of its own, so that memory and patches are its own."""
    needs = VARIANTS[name].needs if name in VARIANTS else ""
    if needs and not find_spec(needs):
        return {"left_out": f"{needs} is not installed"}
    command = [sys.executable, __file__, "--one", name, "--steps", str(args.steps)]
    command += ["--peak_tflops", str(args.peak_tflops), *["--self-test"] * args.self_test]
    done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return {"left_out": lines[-1][:200]}
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _model(small: bool, attention: str = "sdpa") -> Any:
    """Build the model: bfloat16 on the GPU, or the tiny one in float32 on the CPU."""
    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.Qwen2_5_VLConfig(**(TINY if small else PUBLISHED_3B))
    dtype, device = (torch.float32, "cpu") if small else (torch.bfloat16, "cuda")
    with torch.device(device):
        model = transformers.Qwen2_5_VLForConditionalGeneration._from_config(
            config, attn_implementation=attention, dtype=dtype
        )
    return model


def _train(variant: Variant, args: argparse.Namespace) -> dict[str, Any]:
    import torch

    if variant.liger:
        import_module("liger_kernel.transformers").apply_liger_kernel_to_qwen2_5_vl()
    model = _model(args.self_test, variant.attention)
    for name, weight in model.named_parameters():
        weight.requires_grad_(variant.vision or "visual" not in name)
    if variant.checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    model.config.use_cache = False
    forward = torch.compile(model) if variant.compiled else model
    optimizer = _Optimizer([w for w in model.parameters() if w.requires_grad])
    losses, times_s, tokens = [], [], 0
    for step in range(args.steps):
        _wait(model)
        began_s = time.perf_counter()
        loss = 0.0
        for batch in _batches(model, step, variant.at_once):
            share = forward(**batch).loss * variant.at_once / SAMPLES_A_STEP
            share.backward()
            loss += share.detach()
            tokens += int(batch["attention_mask"].sum()) * (step >= WARM_UP_STEPS)
        optimizer.step()
        losses.append(float(loss))
        _wait(model)
        times_s.append(time.perf_counter() - began_s)
    step_s = sum(times_s[WARM_UP_STEPS:]) / len(times_s[WARM_UP_STEPS:])
    a_step = tokens / len(times_s[WARM_UP_STEPS:])
    flop = _flop(model, a_step, variant.vision)
    return _machine(model) | {
        "step_s": step_s,
        "tokens_s": a_step / step_s,
        "samples_s": SAMPLES_A_STEP / step_s,
        "mfu": flop / step_s / (args.peak_tflops * 1e12),
        "peak_gb": _peak_bytes(model) / 1e9,
        "weights": sum(weight.numel() for weight in model.parameters()),
        "losses": losses,
    }


class _Optimizer:
    """AdamW on float32 copies of the weights, which is what DeepSpeed keeps beside bfloat16."""

    def __init__(self, weights: list[Any]) -> None:
        import torch

        self.weights = weights
        self.copies = [weight.detach().float().clone() for weight in weights]
        self.adam = torch.optim.AdamW(
            self.copies, lr=LEARNING_RATE, weight_decay=0.0, fused=weights[0].is_cuda
        )

    def step(self) -> None:
        """Clip gradients to a norm of 1 as the published recipe does, and take a step."""
        import torch

        torch.nn.utils.clip_grad_norm_(self.weights, 1.0)
        for copy, weight in zip(self.copies, self.weights, strict=True):
            copy.grad, weight.grad = weight.grad.float(), None
        self.adam.step()
        self.adam.zero_grad()
        torch._foreach_copy_([weight.data for weight in self.weights], self.copies)


def _batches(model: Any, step: int, at_once: int) -> Iterator[dict[str, Any]]:
    """Yield one step's eight samples, so many at a time, padded on the right."""
    import torch

    for first in range(0, SAMPLES_A_STEP, at_once):
        numbers = [step * SAMPLES_A_STEP + first + more for more in range(at_once)]
        some = [_ids(model, number) for number in numbers]
        longest = -(-max(map(len, some)) // 8) * 8
        padded = torch.zeros(len(some), longest, dtype=torch.long)
        seen = torch.zeros_like(padded)
        for row, one in enumerate(some):
            padded[row, : len(one)], seen[row, : len(one)] = one, 1
        places = torch.arange(longest)
        ends = seen.sum(1, keepdim=True)
        answered = (places >= ends - ANSWER_TOKENS) & (places < ends)
        yield _inputs(model, padded, seen, numbers) | {
            "labels": torch.where(answered, padded, -100).to(model.device)
        }


def _ids(model: Any, number: int) -> Any:
    """Return the token ids of a sample: what is around an image, the image, text, the answer."""
    import torch

    drawn = torch.Generator().manual_seed(number)
    config = model.config
    range_of = FULL_PROMPT if number % SHORT_EVERY else SHORT_PROMPT
    text = int(torch.randint(*range_of, (1,), generator=drawn))
    # Few different ones, so that the loss falls within the run.
    words = torch.randint(10, 74, (text + ANSWER_TOKENS,), generator=drawn)
    image = torch.full((_image_tokens(),), config.image_token_id)
    ends = torch.tensor([config.vision_start_token_id]), torch.tensor([config.vision_end_token_id])
    return torch.cat([words[:20], ends[0], image, ends[1], words[20:]])


def _inputs(model: Any, ids: Any, seen: Any, numbers: list[int]) -> dict[str, Any]:
    """Add to token ids the pixels of each sample's image."""
    import torch

    vision = model.config.vision_config
    down, across = _grid()
    width = 3 * vision.temporal_patch_size * vision.patch_size**2
    pixels = [
        torch.randn(down * across, width, generator=torch.Generator().manual_seed(number))
        for number in numbers
    ]
    inputs = {
        "input_ids": ids,
        "attention_mask": seen,
        "pixel_values": torch.cat(pixels).to(model.dtype),
        "image_grid_thw": torch.tensor([[1, down, across]] * len(ids)),
    }
    if "mm_token_type_ids" in inspect.signature(model.forward).parameters:
        inputs["mm_token_type_ids"] = (ids == model.config.image_token_id).int()
    return {name: value.to(model.device) for name, value in inputs.items()}


def _grid(width: int = 1600, height: int = 900, budget: int = 262_144) -> tuple[int, int]:
    """Return an image's patches down and across at the published budget of pixels."""
    scale = math.sqrt(budget / (width * height))
    down, across = (round(int(side * scale) / 28) * 2 for side in (height, width))
    return down, across


def _image_tokens() -> int:
    down, across = _grid()
    return down * across // 4


def _flop(model: Any, tokens: float, vision: bool) -> float:
    """Count a step's useful operations: nothing that checkpointing repeats, no padding.

    Two a weight and token forwards, four backwards; attention's own 12 x layers x width x length
    for each token (Chowdhery et al. 2022, PaLM, appendix B), halved as half of it is masked.
    """
    tower = sum(w.numel() for name, w in model.named_parameters() if "visual" in name)
    language = sum(w.numel() for w in model.parameters()) - tower
    text = model.config.get_text_config()
    length = tokens / SAMPLES_A_STEP
    attention = 6 * text.num_hidden_layers * text.hidden_size * length
    patches = SAMPLES_A_STEP * math.prod(_grid())
    flop: float = (6 * language + attention) * tokens + (6 if vision else 2) * tower * patches
    return flop


def _generate(small: bool) -> dict[str, Any]:
    """Measure transformers' own generation, greedy, at three batch sizes."""
    import torch

    model = _model(small).eval()
    new = 8 if small else NEW_TOKENS
    rates = {}
    for at_once in (1, 8, 32)[: 2 if small else 3]:
        ids = torch.stack([_ids(model, 0)[:-ANSWER_TOKENS]] * at_once)
        inputs = _inputs(model, ids, torch.ones_like(ids), [0] * at_once)
        for _ in range(2):  # the first warms up
            _wait(model)
            began_s = time.perf_counter()
            model.generate(**inputs, do_sample=False, min_new_tokens=new, max_new_tokens=new)
            _wait(model)
        rates[at_once] = at_once * new / (time.perf_counter() - began_s)
    return _machine(model) | {"new_tokens_s": rates, "peak_gb": _peak_bytes(model) / 1e9}


def _wait(model: Any) -> None:
    import torch

    if model.device.type == "cuda":
        torch.cuda.synchronize()


def _peak_bytes(model: Any) -> int:
    import torch

    if model.device.type == "cuda":
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _machine(model: Any) -> dict[str, str]:
    import torch
    import transformers

    on_gpu = model.device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name() if on_gpu else f"CPU {platform.machine()}",
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def _table(told: dict[str, Any]) -> str:
    measured = {name: one for name, one in told["variants"].items() if "step_s" in one}
    machine: dict[str, Any] = next(iter(measured.values()), {})
    lines = [
        f"{told['date']}, {machine.get('device', 'nothing measured')}, "
        f"torch {machine.get('torch')}, transformers {machine.get('transformers')}\n",
        "| variant | step, s | tokens/s | against published | MFU | peak GB | last loss |",
        "|---|---|---|---|---|---|---|",
    ]
    base = told["variants"].get("published", {}).get("tokens_s")
    for name, one in told["variants"].items():
        if name not in measured:
            lines.append(f"| {name} | left out: {one['left_out']} | | | | | |")
            continue
        ratio = f"{one['tokens_s'] / base:.2f}" if base else ""
        lines.append(
            f"| {name} | {one['step_s']:.3f} | {one['tokens_s']:,.0f} | {ratio} | "
            f"{one['mfu']:.1%} | {one['peak_gb']:.1f} | {one['losses'][-1]:.4f} |"
        )
    rates = told["generation"].get("new_tokens_s", {})
    lines += ["\n| generation, at once | new tokens/s |", "|---|---|"]
    lines += [f"| {at_once} | {rate:,.0f} |" for at_once, rate in rates.items()]
    if not rates:
        lines.append(f"| left out: {told['generation']['left_out']} | |")
    return "\n".join(lines) + "\n"


def _check(told: dict[str, Any]) -> None:
    """Fail unless all was measured, and all variants came to the same loss."""
    problems = [
        f"{name}: {one['left_out']}"
        for name, one in (told["variants"] | {"generation": told["generation"]}).items()
        if "left_out" in one
    ]
    runs = {name: one["losses"] for name, one in told["variants"].items() if "losses" in one}
    published = runs.get("published", [])
    for name, losses in runs.items():
        if any(abs(one - other) > 1e-3 for one, other in zip(losses, published, strict=True)):
            problems.append(f"{name}: losses {losses}, but published {published}")
    if problems or not published or published[-1] >= published[0]:
        raise SystemExit("self-test failed: " + "; ".join(problems or ["the loss did not fall"]))
    sys.stdout.write("self-test passed\n")


if __name__ == "__main__":
    main()
