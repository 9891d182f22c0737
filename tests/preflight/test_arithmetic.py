import json
import os
import random
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from impromptu.preflight.arithmetic import (
    Steps,
    held_back,
    memory_of,
    mixed,
    packs_of,
    steps_of,
)
from impromptu.preflight.model import Weights, part_of
from impromptu.preflight.plan import Plan


def plan(**given: Any) -> Plan:
    return Plan(Path("t.yaml"), given, **given)


def test_steps_by_hand() -> None:
    given = plan(per_device_train_batch_size=2, gradient_accumulation_steps=4, num_train_epochs=1.5)
    # 101 samples, 6 at once: 17 batches, 5 steps (the last of one batch), 1.5 epochs: 7.5.
    assert steps_of(given, 101, gpus=3) == Steps(101, 24, 5, 8, 0)


def test_max_steps_and_dropped_batches_leave_samples_unseen() -> None:
    given = plan(per_device_train_batch_size=2, max_steps=10)
    assert steps_of(given, 101, gpus=1).unseen == 81
    given = plan(per_device_train_batch_size=4, dataloader_drop_last=True, num_train_epochs=1.0)
    assert steps_of(given, 103, gpus=2) == Steps(103, 8, 12, 12, 7)


class Loader:
    """What the Trainer asks of a loader, and of itself."""

    def __init__(self, length: int) -> None:
        self.length, self.dataset = length, range(length)

    def __len__(self) -> int:
        return self.length

    def num_examples(self, _: object) -> int:
        return self.length


@pytest.mark.train
@pytest.mark.parametrize("drop_last", [False, True])
def test_steps_are_the_trainers(drop_last: bool) -> None:
    """Accelerate's sharding of batches and the Trainer's own count, on drawn numbers."""
    shard = pytest.importorskip("accelerate.data_loader").BatchSamplerShard
    from torch.utils.data import BatchSampler, SequentialSampler
    from transformers import Trainer

    draw = random.Random(0)  # noqa: S311
    for _ in range(200):
        samples, gpus = draw.randrange(1, 500), draw.randrange(1, 9)
        given = plan(
            per_device_train_batch_size=draw.randrange(1, 9),
            gradient_accumulation_steps=draw.randrange(1, 9),
            num_train_epochs=draw.choice([0.5, 1.0, 2.0, 2.75]),
            max_steps=draw.choice([-1, -1, 7]),
            dataloader_drop_last=drop_last,
        )
        sampler = BatchSampler(
            SequentialSampler(range(samples)), given.per_device_train_batch_size, drop_last
        )
        if len(sampler) < gpus:
            continue  # fewer batches than GPUs are refused
        loader = Loader(len(shard(sampler, gpus, 0)))
        whole = Trainer.set_initial_training_values(Loader(samples), given, loader, 1)
        found = steps_of(given, samples, gpus)
        assert (found.per_epoch, found.total) == (whole[1], whole[6])


def test_validation_and_mixing() -> None:
    assert held_back(plan(val_size=0.1), 101) == 11  # rounded up, as datasets does
    assert held_back(plan(val_size=25.0), 101) == 25
    assert held_back(plan(), 101) == 0
    assert mixed(plan(), [3, 5]) == 8
    assert mixed(plan(mix_strategy="interleave_under"), [3, 5]) == 6
    assert mixed(plan(mix_strategy="interleave_over"), [3, 5]) == 10
    assert mixed(plan(mix_strategy="interleave_once"), [3, 5]) == 8


def test_packs_by_hand() -> None:
    given = plan(packing=True, cutoff_len=101, preprocessing_batch_size=4)
    lengths = np.array([60, 50, 40, 30, 100, 1, 99])
    # 60 + 40, 50 + 30 | 100, 99 + 1
    assert packs_of(given, lengths) == 4
    # Two workers have 60 50 40 30 and 100 1 99; as one batch they would be the same here.
    assert packs_of(plan(packing=True, cutoff_len=101, preprocessing_num_workers=7), lengths) == 7


PACK = """
import json, sys
from impromptu import torch_cpu; torch_cpu.hook()
from llamafactory.data.processor.processor_utils import greedy_knapsack
print(json.dumps([len(greedy_knapsack(one, 300)) for one in json.loads(sys.argv[1])]))
"""


@pytest.mark.train
@pytest.mark.slow
def test_packs_are_llamafactorys() -> None:
    if not find_spec("llamafactory"):
        pytest.skip("needs the train extra: llamafactory")
    draw = random.Random(0)  # noqa: S311
    lengths = [[draw.randrange(1, 301) for _ in range(draw.randrange(200))] for _ in range(30)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", PACK, json.dumps(lengths)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    given = plan(packing=True, cutoff_len=301)
    ours = [packs_of(given, np.array(one, dtype=np.int64)) for one in lengths]
    assert ours == json.loads(done.stdout.splitlines()[-1])


WEIGHTS = Weights(600, {"language model": 600, "vision tower": 400}, 2, 8, 4, 16, 32)


def test_sixteen_bytes_a_parameter_that_learns() -> None:
    given = plan(finetuning_type="full", bf16=True)
    for stage in (0, 2):
        found = memory_of(given, WEIGHTS, stage, gpus=1, longest=0)
        assert found.total == 600 * 16 + 400 * 2


def test_zero_divides_by_the_gpus() -> None:
    given = plan(finetuning_type="full", bf16=True)
    two = memory_of(given, WEIGHTS, 2, gpus=4, longest=0)
    assert (two.weights, two.gradients, two.optimiser) == (2 * 1_000, 2 * 150, 12 * 150)
    three = memory_of(given, WEIGHTS, 3, gpus=4, longest=0)
    assert (three.weights, three.gradients, three.optimiser) == (2 * 250, 2 * 150, 12 * 150)


def test_lora_leaves_the_model_as_it_is() -> None:
    given = plan(finetuning_type="lora", bf16=True)
    found = memory_of(given, WEIGHTS, 0, gpus=1, longest=0)
    assert found.total == 1_000 * 2 + 600 * 16


def test_activations_by_hand() -> None:
    given = plan(bf16=True, per_device_train_batch_size=3)
    found = memory_of(given, WEIGHTS, 0, gpus=1, longest=10)
    layer = 2 * (8 * 8 + 2 * 4 + 4 * 16)
    assert found.activations == 30 * (2 * 8 * 2 + layer)
    assert found.logits == 30 * 32 * 10
    given = plan(bf16=True, per_device_train_batch_size=3, disable_gradient_checkpointing=True)
    assert memory_of(given, WEIGHTS, 0, gpus=1, longest=10).activations == 30 * 2 * layer


def test_parts_of_a_qwen() -> None:
    assert part_of("model.visual.blocks.0.attn.qkv.weight") == "vision tower"
    assert part_of("model.visual.merger.mlp.0.weight") == "projector"
    assert part_of("model.visual.deepstack_merger_list.0.norm.weight") == "vision tower"
    assert part_of("model.language_model.layers.0.mlp.up_proj.weight") == "language model"
    assert part_of("lm_head.weight") == "language model"
