"""Trains the ego-status network: numbers in prompts to waypoints, in seconds on a CPU."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from impromptu.arrays import Floats
from impromptu.conversation import Sample
from impromptu.engines._asked import Asked, mirrored, read_asked
from impromptu.engines.ego_status_mlp import CONFIG, LAYERS, WEIGHTS, load
from impromptu.files import write_json
from impromptu.questions import AnswerError

HIDDEN, BATCH, LEARNING_RATE, WEIGHT_DECAY = 64, 256, 3e-3, 0.3
NOISE = 4.0
"""Over the root of the number of rows: noise on standardised inputs, so that few samples are not
learnt by heart."""
WAYPOINT_TASKS = "q7", "planning"


@dataclass(frozen=True, slots=True)
class Training:
    """How a training ended.

    Attributes:
        used: Samples learnt from.
        left_out: Others, by reason.
        error_m: Mean displacement on the samples learnt from; no measure of anything else.
    """

    used: int
    left_out: dict[str, int]
    error_m: float


def train(samples: Sequence[Sample], out: Path, seed: int, steps: int) -> Training:
    """Fit the network and write it into a folder; the same seed and samples, the same bytes.

    Every sample is learnt from twice, as it is and mirrored.

    Args:
        samples: Of one of the two waypoint questions; others, and those whose prompt or answer
            cannot be read, are left out and counted.
        out: Folder to write ``ego_mlp.npz`` and ``config.json`` into.
        seed: Of the first weights and of the order of samples.
        steps: Batches to learn from.

    Raises:
        ValueError: No sample can be learnt from, or they are of both questions.
        ModuleNotFoundError: torch is not installed; the message says how.
    """
    read, left_out = _readable(samples)
    tasks = sorted({asked.question.task for asked, _ in read})
    if len(tasks) != 1:
        found = f"samples of {' and '.join(tasks)}" if tasks else "no sample of either"
        others = ", ".join(f"{n} {reason}" for reason, n in left_out.items()) or "none"
        raise ValueError(
            f"expected samples of q7 or of planning, got {found}; left out of {len(samples)} "
            f"samples: {others}. Name one such dataset: --dataset NAME"
        )
    numbers = np.stack([asked.numbers() for asked, _ in read])
    straight_m = np.stack([asked.straight_m() for asked, _ in read])
    off_m = np.stack([path_m for _, path_m in read]) - straight_m
    numbers = np.concatenate([numbers, mirrored(numbers)])
    off_m = np.concatenate([off_m, off_m * [1, -1]]).reshape(len(numbers), -1)
    mean, scale, spread_m = numbers.mean(axis=0), _spread(numbers), _spread(off_m)
    layers = _fit((numbers - mean) / scale, off_m / spread_m, seed, steps)
    arrays = {"mean": mean, "scale": scale, "spread_m": spread_m, **layers}
    config = {
        "task": tasks[0],
        "inputs": numbers.shape[1],
        "hidden": HIDDEN,
        "outputs": off_m.shape[1],
        "samples": len(read),
        "left_out": dict(left_out),
        "seed": seed,
        "steps": steps,
    }
    _write(out, arrays, config)
    mlp = load(out)
    error_m = [np.hypot(*(mlp.path_m(asked) - path_m).T).mean() for asked, path_m in read]
    return Training(len(read), dict(left_out), float(np.mean(error_m)))


def _readable(samples: Sequence[Sample]) -> tuple[list[tuple[Asked, Floats]], Counter[str]]:
    """Return what is asked and the true (k, 2) waypoints; count the others by reason."""
    read, left_out = list[tuple[Asked, Floats]](), Counter[str]()
    for sample in samples:
        asked = read_asked(sample)
        if asked is None or asked.question.task not in WAYPOINT_TASKS:
            left_out["prompt_not_read"] += 1
            continue
        try:
            read.append((asked, asked.question.read(sample.answer).xy_m))
        except AnswerError:
            left_out["answer_not_read"] += 1
    return read, left_out


def _spread(values: Floats) -> Floats:
    """Return the standard deviation of each column of (n, d), 1 for one that never changes."""
    deviation = values.std(axis=0)
    return np.where(deviation > 1e-6, deviation, 1.0)


def _fit(inputs: Floats, targets: Floats, seed: int, steps: int) -> dict[str, Floats]:
    """Return the weights and biases that take (n, d) inputs to (n, m) targets.

    The last layer starts at zero, which is constant velocity.
    """
    torch = _torch()
    noise = NOISE / len(inputs) ** 0.5
    with torch.random.fork_rng(devices=[]), _one_thread(torch):
        torch.manual_seed(seed)
        x, y = (torch.tensor(values, dtype=torch.float32) for values in (inputs, targets))
        sizes = [x.shape[1], *[HIDDEN] * (LAYERS - 1), y.shape[1]]
        layers = [torch.nn.Linear(*pair) for pair in pairwise(sizes)]
        torch.nn.init.zeros_(layers[-1].weight)
        torch.nn.init.zeros_(layers[-1].bias)
        rectified = [part for layer in layers[:-1] for part in (layer, torch.nn.ReLU())]
        network = torch.nn.Sequential(*rectified, layers[-1])
        optimizer = torch.optim.AdamW(
            network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY
        )
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for _ in range(steps):
            rows = torch.randint(len(x), (min(BATCH, len(x)),))
            seen = x[rows] + noise * torch.randn(len(rows), x.shape[1])
            loss = torch.nn.functional.smooth_l1_loss(network(seen), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    named = {f"weight_{row}": layer.weight.T for row, layer in enumerate(layers)}
    named |= {f"bias_{row}": layer.bias for row, layer in enumerate(layers)}
    return {name: value.detach().numpy() for name, value in named.items()}


@contextmanager
def _one_thread(torch: Any) -> Iterator[None]:
    """Use one thread: so small a network is ten times slower with threads that wait for it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _torch() -> Any:
    try:
        import torch
    except ModuleNotFoundError as error:
        error.add_note("training needs more: pip install 'impromptu-vla[train]'")
        raise
    return torch


def _write(out: Path, arrays: dict[str, Floats], config: dict[str, Any]) -> None:
    buffer = BytesIO()
    np.savez(buffer, **arrays)
    out.mkdir(parents=True, exist_ok=True)
    (out / WEIGHTS).write_bytes(buffer.getvalue())
    write_json(out / CONFIG, config)
