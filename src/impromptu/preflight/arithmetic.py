"""Computes how many steps a training takes, how much memory and how much time.

Steps are exactly those of transformers' Trainer. Memory is an estimate by the formulas given here:
what frameworks and fragmentation take on top is not in it.
"""

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from impromptu.arrays import Ints
from impromptu.preflight.model import Weights
from impromptu.preflight.plan import Plan

GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Steps:
    """How long a training is.

    Attributes:
        sequences: What is trained on in an epoch: samples, or packs of them.
        batch: Sequences in an optimiser step, over all GPUs.
        per_epoch, total: Optimiser steps.
        unseen: Sequences that no step ever sees.
    """

    sequences: int
    batch: int
    per_epoch: int
    total: int
    unseen: int


def steps_of(plan: Plan, sequences: int, gpus: int) -> Steps:
    """Count steps as ``Trainer.set_initial_training_values`` of transformers 4.57 does.

    The last batch of an epoch is filled up from its beginning, unless it is dropped.
    """
    batch = plan.per_device_train_batch_size * gpus
    batches = sequences // batch if plan.dataloader_drop_last else math.ceil(sequences / batch)
    per_epoch = max(math.ceil(batches / plan.gradient_accumulation_steps), 1)
    total = plan.max_steps if plan.max_steps > 0 else math.ceil(plan.num_train_epochs * per_epoch)
    dropped = sequences - batches * batch if plan.dataloader_drop_last else 0
    seen = min(sequences - dropped, total * batch * plan.gradient_accumulation_steps)
    return Steps(
        sequences, batch * plan.gradient_accumulation_steps, per_epoch, total, sequences - seen
    )


def held_back(plan: Plan, samples: int) -> int:
    """Return how many samples ``val_size`` takes from the training."""
    if plan.val_size <= 1e-6:
        return 0
    wanted = int(plan.val_size) if plan.val_size > 1 else math.ceil(plan.val_size * samples)
    return min(wanted, samples)


def mixed(plan: Plan, counts: Sequence[int]) -> int:
    """Return how many samples ``mix_strategy`` makes of datasets of so many each."""
    if plan.mix_strategy == "interleave_under":
        return min(counts, default=0) * len(counts)
    if plan.mix_strategy == "interleave_over":
        return max(counts, default=0) * len(counts)
    return sum(counts)


def packs_of(plan: Plan, lengths: Ints) -> int:
    """Return how many sequences packing makes of samples.

    LLaMA-Factory packs greedily within each batch of its preprocessing, of each of its workers.

    Args:
        plan: The training.
        lengths: (n,) tokens of the samples as they are kept, in order.
    """
    workers = plan.preprocessing_num_workers or 1
    packs = 0
    for share in np.array_split(lengths, min(workers, max(len(lengths), 1))):
        for start in range(0, len(share), plan.preprocessing_batch_size):
            batch = share[start : start + plan.preprocessing_batch_size]
            packs += _knapsacks(np.sort(batch).tolist(), plan.cutoff_tokens)
    return packs


def _knapsacks(lengths: list[int], room: int) -> int:
    """Fill one after the other, each time with the longest that still fits."""
    count = 0
    while lengths:
        left, count = room, count + 1
        while at := bisect.bisect(lengths, left):
            left -= lengths.pop(at - 1)
    return count


@dataclass(frozen=True, slots=True)
class Memory:
    """What one GPU has to hold, in bytes.

    Attributes:
        activations: At the longest batch.
        logits: Of the same.
    """

    weights: int
    gradients: int
    optimiser: int
    activations: int
    logits: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.gradients + self.optimiser + self.activations + self.logits


def memory_of(plan: Plan, weights: Weights, stage: int, gpus: int, longest: int) -> Memory:
    """Estimate the memory of a GPU.

    Weights that learn are 16 bytes a parameter under AdamW: with DeepSpeed 2 + 2 of bf16 weights
    and gradients and 12 of the optimiser's float32 weights and two moments (Rajbhandari et al.
    2020, ZeRO, section 3.1), without it 4 + 4 + 8, for LLaMA-Factory then turns what learns into
    float32 (``pure_bf16``: 2 + 2 + 4). Stage 1 divides the optimiser's by the GPUs, 2 gradients
    too, 3 all weights too. Weights that do not learn are 2 bytes each, or 4 without half precision.

    Activations, after Korthikanti et al. 2022 (section 4) for gated layers with grouped queries:
    a layer keeps 2 (8 h + 2 k + 4 f) bytes a token (h hidden, k key-value, f feed-forward width;
    attention is not kept, as in flash attention). With checkpointing each layer keeps its input,
    2 h bytes a token, and one layer at a time all of that. Logits are 10 bytes a token and entry of
    the vocabulary: in bf16, in float32, and the gradient of these. The vision tower's are left out.

    Args:
        plan: The training.
        weights: Counts of parameters.
        stage: DeepSpeed's ZeRO stage; 0 without.
        gpus: GPUs in all.
        longest: Tokens of the longest sequence.
    """
    half = plan.bf16 or plan.fp16 or plan.pure_bf16
    frozen = weights.total - (0 if plan.finetuning_type == "lora" else weights.trained)
    learnt = (2, 2, 12) if stage and half else (2, 2, 4) if plan.pure_bf16 else (4, 4, 8)
    shares = [gpus if stage >= least else 1 for least in (3, 2, 1)]
    held, gradients, optimiser = (
        math.ceil(weights.trained * size / share)
        for size, share in zip(learnt, shares, strict=True)
    )
    resting = plan.quantization_bit / 8 if plan.quantization_bit else 2 if half else 4
    tokens = plan.per_device_train_batch_size * longest
    scale = 1 if half else 2
    layer = 2 * (8 * weights.hidden + 2 * weights.key_value + 4 * weights.feed_forward)
    inputs = 2 * weights.hidden * weights.layers
    kept = layer * weights.layers if plan.disable_gradient_checkpointing else inputs + layer
    return Memory(
        held + math.ceil(frozen * resting / shares[0]),
        gradients,
        optimiser,
        scale * tokens * kept,
        tokens * weights.vocabulary * (10 if half else 12),
    )
