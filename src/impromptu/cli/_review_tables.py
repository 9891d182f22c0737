"""Figures of a review as text for a terminal."""

from collections.abc import Iterator, Mapping
from typing import Any

from impromptu.review.figures import AGREED, PUBLISHED_F1, PUBLISHED_SOURCE
from impromptu.review.items import CHOICES, KINDS, LABELS

_HEAD = "precision  recall    F1  95 %           true   F1 of all"


def review_lines(kind: str, found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines about one kind of item."""
    yield f"{kind}  {KINDS[kind]}: {found['items']} items"
    for name, counts in found["reviewers"].items():
        some = ", ".join(f"{many} {what}" for what, many in counts.items() if many)
        yield f"  {name}: {some}"
    for name, scores in found.get("teacher", {}).items():
        truth = "what all people agree on" if name == AGREED else name
        yield f"  the teacher against {truth}, {scores['items']} items"
        if scores["items"]:
            yield from _detection(kind, scores)
    if kind == LABELS and found.get("teacher"):
        yield f"  published: {PUBLISHED_SOURCE}"
    for pair, scores in found["between_people"].items():
        yield f"  Cohen's kappa of {pair}, {scores['items']} items"
        for figure, value in scores["figures"].items():
            span = _span(scores["intervals"].get(figure))
            yield f"    {figure.removesuffix('_kappa'):34} {_number(value):>5}  {span}"


def _detection(kind: str, scores: Mapping[str, Any]) -> Iterator[str]:
    yield f"    {'':34} {_HEAD}{'  published F1' if kind == LABELS else ''}"
    for choice in CHOICES[kind]:
        of = {name: scores["figures"].get(f"{choice}_{name}") for name in _COLUMNS}
        precision, recall, f1 = (_number(of[name]) for name in ("precision", "recall", "f1"))
        span = _span(scores["intervals"].get(f"{choice}_f1"))
        all_f1 = _number(scores["of_all"].get(f"{choice}_f1"))
        line = f"    {choice:34} {precision:>9}  {recall:>6} {f1:>5}  {span:12}"
        line += f" {of['true_count'] or 0:>6.0f} {all_f1:>11}"
        yield line + (f"{_number(PUBLISHED_F1.get(choice)):>14}" if kind == LABELS else "")


_COLUMNS = ("precision", "recall", "f1", "true_count")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _span(interval: tuple[float, float] | None) -> str:
    return f"{interval[0]:.2f} to {interval[1]:.2f}" if interval else ""
