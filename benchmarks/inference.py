"""Measure what `impromptu infer` costs beside the engine's own offline call on the same prompts.

python benchmarks/inference.py transformers [--samples 96] [--work build/benchmark/inference]
.venv-vllm/bin/python benchmarks/inference.py vllm

Made-up samples of one image each, a tiny model of random weights, answers of 64 tokens. The
engine's own call gets prompts written out and images opened at the training's size; ours reads
the sample file, opens the images, writes every answer to disk. Loading the model is in neither.
A tiny model makes the client look as dear as can be: a real one takes longer over each answer.
Seconds are of CPU, of this process and of those it has started, so that other work on the machine
does not count; both sides are measured in turn, and the cheapest of three counts.
"""

import argparse
import json
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from impromptu import engines, plugins, tiny_model
from impromptu.conversation import Sample, registry_entry
from impromptu.engines import Answered, Answerer, Decoding, Engine, Settings, _qwen_chat
from impromptu.inference import infer
from impromptu.registry import registered

REPEATS = 3
BATCH = 8
TOKENS = 64
VLLM = {
    "dtype": "float32",
    "enable_prefix_caching": False,
    "mm_processor_cache_gb": 0,
    "max_num_seqs": 32,
}


def main() -> None:
    """Measure one engine and print a row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engine", choices=("transformers", "vllm"))
    parser.add_argument("--samples", type=int, default=96)
    parser.add_argument("--work", type=Path, default=Path("build/benchmark/inference"))
    args = parser.parse_args()
    samples = write(args.work, args.samples)
    settings = Settings(
        str(args.work / "tiny"),
        args.work,
        cutoff_len=2_048,
        decoding=Decoding(max_new_tokens=TOKENS),
        batch_size=BATCH,
        disable_cuda_graph=True,
        engine_config=VLLM,
    )
    ours_s = min(of_impromptu(args.engine, settings, args.work) for _ in range(REPEATS))
    own = {"transformers": of_transformers, "vllm": of_vllm}[args.engine](settings)
    prompts = [
        (_qwen_chat.chat_text(one.prompt, "qwen2_vl"), _qwen_chat.open_images(one, settings))
        for one in samples
    ]
    own_s = min(cpu_s(lambda: own(prompts)) for _ in range(REPEATS))
    print(
        "| engine | samples | its own call, s | impromptu infer, s | ratio |\n|---|---|---|---|---|"
    )
    print(f"| {args.engine} | {len(samples)} | {own_s:.2f} | {ours_s:.2f} | {ours_s / own_s:.3f} |")


def write(work: Path, count: int) -> list[Sample]:
    """Write a tiny model, images of noise, samples and their registry."""
    work.mkdir(parents=True, exist_ok=True)
    if not (work / "tiny").exists():
        tiny_model.build(work / "tiny")
    rng = np.random.default_rng(0)
    samples = []
    for place in range(count):
        noise = rng.integers(0, 255, (36, 64, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((640, 360)).save(work / f"{place}.jpg")
        prompt = f"<image>\n(t-0.5s) [{place}.25, -1.50], (t-0.0s) [0.0, 0.0]. Where to? "
        samples.append(Sample(f"made/{place}/q7", (f"{place}.jpg",), prompt, "somewhere"))
    (work / "made.json").write_text(json.dumps([one.to_sharegpt() for one in samples]))
    (work / "dataset_info.json").write_text(json.dumps({"made": registry_entry("made.json")}))
    return samples


def cpu_s(what: Callable[[], Any]) -> float:
    """Return the CPU time that something takes, here and in child processes that live on."""
    before_s = _used_s()
    what()
    return _used_s() - before_s


def _used_s() -> float:
    """Add up the CPU time of this process and of all below it."""
    parents, used_s = dict[int, int](), dict[int, float]()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        pid = int(stat.parent.name)
        parents[pid] = int(fields[1])
        used_s[pid] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    family = {os.getpid()}
    while grown := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= grown
    return sum(used_s.get(pid, 0.0) for pid in family)


def of_impromptu(name: str, settings: Settings, work: Path) -> float:
    """Return the CPU seconds of a whole inference but for loading and closing the engine."""
    engine, mark_s = plugins.load(engines, name, Engine), dict[str, float]()

    def timed(given: Settings) -> Answerer:
        mark_s["opening"] = _used_s()
        answer = engine.open(given)
        mark_s["opened"] = _used_s()

        def answers(samples: Iterable[Sample]) -> Answered:
            left = len(samples_read)
            for one in answer(samples):
                yield one
                left -= 1
                if not left:
                    mark_s["answered"] = _used_s()
            mark_s["closed"] = _used_s()

        return answers

    out = work / f"{name}.jsonl"
    out.unlink(missing_ok=True)
    samples_read = list(registered(work, ["made"]))
    stand_in = Engine(timed, whole_batches=engine.whole_batches)
    began_s = _used_s()
    infer(registered(work, ["made"]), name, stand_in, settings, out)
    before_s, after_s = mark_s["opening"] - began_s, _used_s() - mark_s["closed"]
    return before_s + mark_s["answered"] - mark_s["opened"] + after_s


Own = Callable[[Sequence[tuple[str, list[Any]]]], None]


def of_transformers(settings: Settings) -> Own:
    """Return processor and ``generate``, in batches as ours."""
    import torch

    from impromptu.engines.transformers import load

    qwen = load(settings)
    qwen.processor.tokenizer.padding_side = "left"

    def own(prompts: Sequence[tuple[str, list[Any]]]) -> None:
        for at in range(0, len(prompts), BATCH):
            texts, images = zip(*prompts[at : at + BATCH], strict=True)
            inputs = qwen.processor(
                text=list(texts), images=list(images), padding=True, return_tensors="pt"
            )
            with torch.inference_mode():
                output = qwen.model.generate(**inputs.to(qwen.model.device))
            qwen.processor.batch_decode(output, skip_special_tokens=True)

    return own


def of_vllm(settings: Settings) -> Own:
    """Return ``LLM.generate``, all prompts at once."""
    from vllm import LLM, SamplingParams

    from impromptu.engines.vllm import engine_arguments

    llm = LLM(**engine_arguments(settings))
    sampling = SamplingParams(temperature=0.0, max_tokens=TOKENS)

    def own(prompts: Sequence[tuple[str, list[Any]]]) -> None:
        asked = [{"prompt": text, "multi_modal_data": {"image": i}} for text, i in prompts]
        llm.generate(asked, sampling, use_tqdm=False)

    return own


if __name__ == "__main__":
    main()
