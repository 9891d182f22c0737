"""How far the waypoints that a model expects are from the true ones, as a loss with gradients."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from impromptu.action_tokens import TOKEN

if TYPE_CHECKING:
    import torch


class Axis(NamedTuple):
    """The action tokens along x or y: (n,) rising token ids, and (n,) their steps in metres."""

    ids: "torch.Tensor"
    steps_m: "torch.Tensor"

    def to(self, device: "torch.device") -> "Axis":
        """Return the same on another device."""
        return Axis(self.ids.to(device), self.steps_m.to(device))


def action_axes(vocabulary: Mapping[str, int]) -> tuple[Axis, Axis]:
    """Find the action tokens of a tokenizer, which tell their own steps.

    Raises:
        ValueError: It has none.
    """
    import torch

    found = sorted((token_id, match) for match, token_id in _matches(vocabulary))
    axes = []
    for axis in "xy":
        rows = [(token_id, float(step)) for token_id, (name, step) in found if name == axis]
        if not rows:
            raise ValueError(
                f"the tokenizer has no action token along {axis}; make the checkpoint with "
                "impromptu add-actions"
            )
        ids, steps_m = zip(*rows, strict=True)
        axes.append(Axis(torch.tensor(ids), torch.tensor(steps_m)))
    return axes[0], axes[1]


def _matches(vocabulary: Mapping[str, int]) -> list[tuple[tuple[str, str], int]]:
    pairs = [(TOKEN.fullmatch(token), token_id) for token, token_id in vocabulary.items()]
    return [((match[1], match[2]), token_id) for match, token_id in pairs if match]


def expected_l2_m(
    logits: "torch.Tensor", labels: "torch.Tensor", axes: Sequence[Axis]
) -> "torch.Tensor | None":
    """Return the mean distance of expected from true waypoints; None where there is none.

    At each action token the softmax over the tokens of its axis alone gives an expected step;
    expected steps add up to expected waypoints, true ones to true waypoints. The tokens before
    are the true ones, as in all of the training.

    Args:
        logits: (b, l, v) of the next token.
        labels: (b, l) token ids; one answer a row. Of an answer that was cut the steps that have
            both coordinates count.
        axes: x and y.
    """
    import torch

    distances = [
        torch.linalg.vector_norm(off_m, dim=-1)
        for row, told in zip(logits[:, :-1], labels[:, 1:], strict=True)
        if len(off_m := _off_m(row, told, axes))
    ]
    return torch.cat(distances).mean() if distances else None


def _off_m(logits: "torch.Tensor", labels: "torch.Tensor", axes: Sequence[Axis]) -> "torch.Tensor":
    """Return (k, 2) expected minus true waypoints of one answer."""
    import torch

    off_m = []
    for ids, steps_m in axes:
        at = torch.isin(labels, ids)
        expected_m = logits[at][:, ids].float().softmax(dim=-1) @ steps_m
        off_m.append(expected_m - steps_m[torch.searchsorted(ids, labels[at])])
    count = min(map(len, off_m))
    return torch.stack([steps[:count] for steps in off_m], dim=-1).cumsum(dim=0)
