"""Has a teacher model answer the questions whose truth no log holds: q3, q4 and q5.

Replies are stored beside the samples, in ``annotation/<teacher>/``, as they come; at the end of a
run the valid ones become sample files, and the manifest says of every prompt what became of it.
"""

import fcntl
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from impromptu.annotation.checks import check
from impromptu.annotation.prompts import TASKS, Prompts, unanswered
from impromptu.annotation.writing import Written, write_samples
from impromptu.asking import Outcome, Request, Spending, Store, ask_all, open_store
from impromptu.asking.store import ANSWERS
from impromptu.engines import Settings
from impromptu.engines.openai import RETRIES

FOLDER = "annotation"


@dataclass(frozen=True, slots=True)
class Teacher:
    """Who is asked, and how.

    Attributes:
        settings: The server, its model, decoding and image budget.
        name: Of its folder of replies; from the model's name where empty.
        repeats: How often each prompt is asked, each time with another seed.
        retries: Of one request.
    """

    settings: Settings
    name: str = ""
    repeats: int = 1
    retries: int = RETRIES

    @property
    def folder(self) -> str:
        """Return the name of its folder."""
        return self.name or re.sub(r"[^\w.-]+", "-", self.settings.model).strip("-.") or "teacher"

    def decides(self) -> dict[str, Any]:
        """Return all that its answers depend on, as JSON."""
        decoding = asdict(self.settings.decoding)
        return {
            "model": self.settings.model,
            "image_max_pixels": self.settings.image_max_pixels,
            "image_min_pixels": self.settings.image_min_pixels,
            "engine_config": dict(self.settings.engine_config),
            **decoding,
        }


@dataclass(frozen=True, slots=True)
class Annotated:
    """What a run came to.

    Attributes:
        outcome: Of the asking.
        written: Of all that this teacher has answered so far.
        damaged: Lines of its store that are none of ours, passed over.
    """

    outcome: Outcome
    written: Written
    damaged: int


def annotate(
    samples_dir: Path,
    teacher: Teacher,
    spending: Spending,
    datasets: Sequence[str] = (),
    tasks: Sequence[str] = TASKS,
) -> Annotated:
    """Ask for every answer that is not there yet, then write the samples of all that are.

    Args:
        samples_dir: What ``impromptu generate`` wrote.
        teacher: Whom to ask.
        spending: What it may cost.
        datasets: Of which datasets; empty for all.
        tasks: Which questions.

    Raises:
        FileNotFoundError, ValueError: There are no such prompts; or the teacher's replies were
            made otherwise; or the server knows no such key or model, or answers nothing.
        OSError: The server is gone, or a disk is full; run it again to go on.
    """
    files = unanswered(samples_dir, datasets, tasks)
    prompts = Prompts(samples_dir, files, teacher.repeats)
    folder = samples_dir / FOLDER
    with open_store(folder / teacher.folder, teacher.decides()) as store:
        outcome = ask_all(
            prompts, store, teacher.settings, _check, spending, "annotate", teacher.retries
        )
        with _alone(folder), _others(store) as others:
            store.refresh()
            written = write_samples(prompts, store, others, teacher.settings.model)
        return Annotated(outcome, written, store.damaged)


def _check(request: Request, text: str) -> str:
    task = next(part for part in reversed(request.id.split("/")) if part in TASKS)
    return check(task, request.prompt, text)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait for another run that writes samples here."""
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _others(store: Store) -> Iterator[dict[str, Store]]:
    """Open what other teachers have answered."""
    with ExitStack() as stack:
        yield {
            path.parent.name: stack.enter_context(closing(Store(path.parent)))
            for path in sorted(store.folder.parent.glob(f"*/{ANSWERS}"))
            if path.parent != store.folder
        }
