"""Draws what people are to verify, and measures the teacher by what is true in the miniature."""

from collections.abc import Callable, Sequence
from pathlib import Path

from impromptu.curation import to_review
from impromptu.miniature import truth
from impromptu.miniature.unusual import plant
from impromptu.pipeline.extras import Say
from impromptu.report import Account
from impromptu.review import decisions, draw
from impromptu.review.figures import figures
from impromptu.review.items import CHOICES, LABELS, Item

REVIEWER = "miniature truth"
"""No person: it decides by what is drawn or planted."""
_TITLE = "Review"
Row = tuple[str, int, float | None, float | None, float | None]


def review(samples_dir: Path, curated: Path, say: Say) -> Account:
    """Draw items to review in both folders, have the truth decide, and compare the teacher.

    Args:
        samples_dir: Holds a teacher's answers.
        curated: Holds labels of all kinds of scene, drawn for people to check.
        say: Told what begins.
    """
    if not (curated / to_review.PLACE).is_file():
        why = "review: left out, no teacher has said anything that could be verified"
        say(why)
        return Account(_TITLE, [why])
    known = truth.truths(samples_dir)
    planted = plant(known)
    rows = [
        *_decided((curated / to_review.PLACE).parent, LABELS, lambda item: planted[item.clip], say),
        *_decided(samples_dir, "q4", lambda item: (known[item.clip].light,), say),
    ]
    remarks = [
        f"The reviewer {REVIEWER!r} is no person: it says what was planted, and what the lights "
        "of the miniature show. The items are drawn and wait for people, whose figures and kappa "
        "would stand here instead.",
    ]
    head = ("what the teacher names", "items", "precision", "recall", "F1")
    command = "impromptu review --dir DIR --reviewer NAME"
    return Account(_TITLE, remarks, head, rows, command)


def _decided(folder: Path, kind: str, true: Callable[[Item], Sequence[str]], say: Say) -> list[Row]:
    """Decide all drawn items of a kind, and return the teacher's figures."""
    out = folder / "review"
    ledger = decisions.open_ledger(out / decisions.FILE)
    drawn = draw.open_draw(folder, out, None, None)
    items = [item for item in drawn.items if item.kind == kind]
    say(
        f"{len(drawn.items)} items drawn, {len(items)} decided by the truth; decide too: "
        f"impromptu review --dir {folder} --reviewer NAME"
    )
    before = ledger.of(REVIEWER)
    for item in items:
        value = decisions.checked(kind, true(item))
        if item.key not in before or not before[item.key].is_about(item):
            ledger.append(decisions.decide(item, REVIEWER, "accept", value, blind=False))
    found = figures(drawn, ledger)["kinds"][kind]["teacher"][REVIEWER]
    return [_row(kind, name, found["items"], found["figures"]) for name in CHOICES[kind]]


def _row(kind: str, name: str, items: int, scores: dict[str, float | None]) -> Row:
    precision, recall, f1 = (scores.get(f"{name}_{one}") for one in ("precision", "recall", "f1"))
    title = name if kind == LABELS else f"traffic light: {name}"
    return title, items, precision, recall, f1
