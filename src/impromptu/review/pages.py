"""Writes the pages of a review: what the templates are told, and nothing that is not escaped."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from impromptu.review.decisions import Decision
from impromptu.review.items import CHOICES, KINDS, LABELS, Item
from impromptu.review.prepared import Place

_HINTS = {
    "Roads with unclear boundaries": "no edge or lane to go by",
    "Temporary traffic rule changes": "works, closures, directed traffic",
    "Unconventional dynamic obstacles": "animals, odd vehicles, people on it",
    "Challenging road conditions": "surface, weather or light",
    **dict.fromkeys(CHOICES["q4"], ""),
}


@dataclass(frozen=True, slots=True)
class Frame:
    """What is around every page.

    Attributes:
        here: The address of the first page.
        total: Number of items.
        verdicts: Of those that are decided.
    """

    title: str
    reviewer: str
    blind: bool
    here: str
    total: int
    verdicts: Sequence[str]

    def many(self, *verdicts: str) -> int:
        """Return how many items have one of these verdicts."""
        return sum(verdict in verdicts for verdict in self.verdicts)


@dataclass(frozen=True, slots=True)
class Shown:
    """One item's page.

    Attributes:
        decision: What the reviewer said of it, of whatever version of the label.
        version: Of that decision.
        paths: Whether the ego's path can be laid over the images.
        ahead: Images of the next items.
        notice: What went wrong.
    """

    number: int
    item: Item
    decision: Decision | None
    version: str
    paths: bool
    ahead: Sequence[Place]
    notice: str


def item_page(frame: Frame, shown: Shown) -> str:
    """Write the page of one item, filled in with what was decided, else with the label."""
    item, decided = shown.item, shown.decision
    current = decided is not None and decided.is_about(item)
    value = decided.value if decided and current and decided.says else item.label
    hidden = frame.blind and not (decided and current and decided.says)
    return _render(
        "item.html",
        frame=frame,
        shown=shown,
        item=item,
        current=current,
        title=KINDS[item.kind],
        choices=CHOICES.get(item.kind, ()),
        hints=_HINTS,
        labels=item.kind == LABELS,
        value=() if hidden else value,
        told=() if frame.blind else item.label,
        standard=not hidden and not value,
    )


def done_page(frame: Frame) -> str:
    """Write that there is nothing left."""
    return _render("done.html", frame=frame)


def message_page(frame: Frame, text: str) -> str:
    """Write a page that only says something."""
    return _render("message.html", frame=frame, text=text)


def _render(name: str, **facts: Any) -> str:
    return _environment().get_template(f"{name}.jinja").render(facts)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("impromptu.review"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
