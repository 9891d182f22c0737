import math
from itertools import product
from typing import Any

import pytest

from impromptu.joint_loss import action_axes, expected_l2_m

torch = pytest.importorskip("torch", reason="needs the train extra: torch")

# Ids 0 and 3 are words; x steps of 0 and 2 m have ids 1 and 4, y steps of 0 and -1 m 2 and 5.
VOCABULARY = {"a": 0, "b": 3, "<|x+0.00|>": 1, "<|x+2.00|>": 4, "<|y+0.00|>": 2, "<|y-1.00|>": 5}
AXES = action_axes({**VOCABULARY, "<|im_end|>": 6, "<|x+2|>": 7})
IGNORED = -100


def _loss(logits: Any, labels: Any) -> Any:
    loss = expected_l2_m(logits, labels, AXES)
    assert loss is not None
    return loss


def _logits(labels: list[int], x: float, y: float) -> Any:
    """Logits that give the second step of each axis the probabilities x and y everywhere."""
    logits = torch.full((1, len(labels), 8), 9.0)
    logits[..., [1, 4]] = torch.tensor([1 - x, x]).log() + 3
    logits[..., [2, 5]] = torch.tensor([1 - y, y]).log() - 2
    return logits


def test_tokens_tell_their_own_steps() -> None:
    assert [(axis.ids.tolist(), axis.steps_m.tolist()) for axis in AXES] == [
        ([1, 4], [0.0, 2.0]),
        ([2, 5], [0.0, -1.0]),
    ]


def test_a_tokenizer_without_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match="add-actions"):
        action_axes({"a": 0, "<|x+2.00|>": 1})


def test_a_case_by_hand() -> None:
    # True: (2, 0), (2, -1). Expected a step: (2 * 0.75, -0.5), so (1.5, -0.5), (3.0, -1.0).
    labels = torch.tensor([[IGNORED, 0, 4, 2, 1, 5, 3, IGNORED]])
    loss = _loss(_logits([0] * 8, 0.75, 0.5), labels)
    assert float(loss) == pytest.approx((math.hypot(0.5, 0.5) + 1.0) / 2, abs=1e-6)


def test_certainty_of_the_truth_costs_nothing_and_has_a_gradient_of_zero() -> None:
    labels = torch.tensor([[0, 4, 5, 4, 5]])
    logits = torch.zeros(1, 5, 8)
    logits[..., [4, 5]] = 200.0
    logits.requires_grad_()
    loss = _loss(logits, labels)
    loss.backward()
    assert loss.item() == 0 and bool(torch.isfinite(logits.grad).all())


def test_the_gradient_is_that_of_finite_differences() -> None:
    torch.manual_seed(0)
    labels = torch.tensor([[IGNORED, 0, 4, 2, 1, 5, 3], [4, 5, 4, 2, 3, IGNORED, IGNORED]])
    logits = torch.randn(2, 7, 8, requires_grad=True)
    _loss(logits, labels).backward()
    step = 1e-2
    for place in product(range(2), range(7), range(8)):
        nudge = torch.zeros_like(logits)
        nudge[place] = step
        with torch.no_grad():
            up, down = (_loss(logits + s * nudge, labels) for s in (1, -1))
        slope = float(up - down) / (2 * step)
        assert slope == pytest.approx(float(logits.grad[place]), abs=1e-4), place


def test_only_the_logits_before_action_tokens_are_pulled() -> None:
    labels = torch.tensor([[IGNORED, 0, 4, 2, 3]])
    logits = torch.randn(1, 5, 8, requires_grad=True)
    _loss(logits, labels).backward()
    pulled = logits.grad[0].abs() > 0
    assert pulled.any(dim=1).tolist() == [False, True, True, False, False]
    assert pulled[1].nonzero().flatten().tolist() == [1, 4]
    assert pulled[2].nonzero().flatten().tolist() == [2, 5]


def test_answers_without_tokens_have_no_distance() -> None:
    assert expected_l2_m(torch.zeros(1, 3, 8), torch.tensor([[0, 3, 3]]), AXES) is None


def test_a_cut_answer_counts_as_far_as_it_goes() -> None:
    labels = torch.tensor([[IGNORED, 4, 5, 4]])
    whole = torch.tensor([[IGNORED, 4, 5, 3]])
    logits = _logits([0] * 4, 0.25, 0.5)
    assert _loss(logits, labels) == _loss(logits, whole)


def test_rows_of_a_batch_do_not_run_into_each_other() -> None:
    rows = torch.tensor([[IGNORED, 4, 5], [IGNORED, 1, 2]])
    logits = torch.cat([_logits([0] * 3, 0.25, 0.5), _logits([0] * 3, 0.5, 0.25)])
    together = _loss(logits, rows)
    alone = [_loss(logits[k : k + 1], rows[k : k + 1]) for k in (0, 1)]
    assert float(together) == pytest.approx(float(sum(alone)) / 2)
