"""Runs LLaMA-Factory's training with one thing added: the distance of expected waypoints.

LLaMA-Factory 0.9.5 has no place in its YAML to name a trainer. Its workflow looks the trainer's
class up by name in its own module when it runs, so a subclass is put there for the time of one
run. All else is its own: parser, data, model, callbacks, checkpoints.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impromptu import torch_cpu
from impromptu.joint_loss import action_axes, expected_l2_m

if TYPE_CHECKING:
    import torch

WEIGHT = "joint_loss_weight"
_TRAINER = "CustomSeq2SeqTrainer"
_REFUSED = {
    "packing": "several answers in a row",
    "neat_packing": "several answers in a row",
    "use_asft_loss": "a loss of its own",
    "use_ray": "workers that start elsewhere",
}


def train(yaml: Path, overrides: Sequence[str]) -> None:
    """Train by a LLaMA-Factory YAML, with ``joint_loss_weight`` as one key more.

    Args:
        yaml: As ``llamafactory-cli train`` takes it.
        overrides: ``key=value``, in place of single values or beside them.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A value cannot be used, the checkpoint has no action tokens, no answer had
            any, or LLaMA-Factory is not as this expects it.
        ModuleNotFoundError: LLaMA-Factory is not installed; the message says how.
    """
    if not yaml.is_file():
        raise FileNotFoundError(f"{yaml}: no such file; expected a training YAML")
    torch_cpu.hook()
    try:
        from llamafactory.train import tuner
        from omegaconf import OmegaConf
    except ModuleNotFoundError as error:
        error.add_note("training needs more: pip install 'impromptu-vla[train]'")
        raise
    given = OmegaConf.merge(OmegaConf.load(yaml), OmegaConf.from_cli(list(overrides)))
    arguments = OmegaConf.to_container(given)
    if not isinstance(arguments, dict):
        raise ValueError(f"{yaml}: expected a mapping of keys to values")
    weight = _weight(arguments.pop(WEIGHT, 0.0))
    _check_arguments(arguments)
    with replaced_trainer(weight) as trainer:
        tuner.run_exp(arguments)
    if weight and not trainer.answers_seen:
        raise ValueError(
            "no answer that was trained on had action tokens, so the distance was never part of "
            "the loss: generate the samples with --actions"
        )


def _weight(value: object) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= float(str(value)) < math.inf:
        raise ValueError(f"{WEIGHT}: expected a number from 0 on, per metre; got {value!r:.80}")
    return float(str(value))


def _check_arguments(arguments: Mapping[Any, Any]) -> None:
    if (stage := arguments.get("stage")) != "sft":
        raise ValueError(f"stage: expected 'sft', which has answers to learn; got {stage!r}")
    for key, why in _REFUSED.items():
        if arguments.get(key):
            raise ValueError(f"{key}: the joint loss does not go with {why}; leave it out")


@contextmanager
def replaced_trainer(weight: float) -> Iterator[Any]:
    """Have LLaMA-Factory's workflow use a trainer with the joint loss; yield that class.

    Raises:
        ValueError: The workflow does not look its trainer up as it did in 0.9.5.
    """
    from llamafactory.train.sft import workflow
    from transformers import Seq2SeqTrainer

    plain = getattr(workflow, _TRAINER, None)
    looked_up = _TRAINER in workflow.run_sft.__code__.co_names
    if not looked_up or not isinstance(plain, type) or not issubclass(plain, Seq2SeqTrainer):
        raise ValueError(
            f"llamafactory.train.sft.workflow no longer looks up {_TRAINER}, a Seq2SeqTrainer, by "
            "name: the joint loss was written for LLaMA-Factory 0.9.5, install that"
        )
    joint = joint_trainer(plain, weight)
    setattr(workflow, _TRAINER, joint)
    try:
        yield joint
    finally:
        setattr(workflow, _TRAINER, plain)


def joint_trainer(plain: type, weight: float) -> Any:
    """Return a subclass of a trainer whose training loss has the weighted distance added.

    With weight 0 the loss is the plain one. The mean distance since the last log entry goes into
    the next, as ``expected_l2_m``. Losses of an evaluation stay plain, to be comparable.
    """

    class JointTrainer(plain):  # type: ignore[misc]
        answers_seen = False

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            axes = action_axes(self.processing_class.get_vocab()) if weight else ()
            self._axes = [axis.to(self.args.device) for axis in axes]
            self._l2_m: list[torch.Tensor] = []

        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, **kwargs: Any
        ) -> Any:
            if not weight or not model.training:
                return super().compute_loss(model, inputs, return_outputs, **kwargs)
            labels = inputs["labels"]
            loss, outputs = super().compute_loss(model, inputs, True, **kwargs)
            if outputs.logits is None:
                raise ValueError("the model gives no logits; leave out enable_liger_kernel")
            l2_m = expected_l2_m(outputs.logits, labels, self._axes)
            if l2_m is not None:
                type(self).answers_seen = True
                self._l2_m.append(l2_m.detach())
                loss = loss + weight * l2_m
            return (loss, outputs) if return_outputs else loss

        def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
            if self._l2_m and "loss" in logs:
                logs["expected_l2_m"] = round(float(sum(self._l2_m) / len(self._l2_m)), 4)
                self._l2_m.clear()
            super().log(logs, *args, **kwargs)

    return JointTrainer
