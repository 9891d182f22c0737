"""Questions: each module here asks one thing of a clip and can read an answer back."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Literal

from impromptu.arrays import altered
from impromptu.clip import Camera, Clip, Observation, Trajectory, Unanswerable, covers_s
from impromptu.preset import Preset
from impromptu.wording import Wording

__all__ = ["AnswerError", "Question", "Unanswerable", "observe"]


class AnswerError(ValueError):
    """Text that does not answer the question it was asked.

    Attributes:
        reason: Why, in a few snake_case words that are the same for all answers of the kind.
    """

    def __init__(self, message: str, reason: str = "malformed") -> None:
        super().__init__(message)
        self.reason = reason


def _all_of_it(clip: Clip, preset: Preset) -> Observation:
    return clip.observation


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask, what the truth is, and how either is written down.

    ``prompt`` is given an observation, not a clip, so no prompt can hold the future.
    ``read(write(a, wording))`` is ``a`` to printed precision, whatever the wording.

    Attributes:
        task: Its name in files: ``q1`` ... ``q7``, ``planning``.
        views: Which images it shows: the front one, the dataset's ``forward`` or ``surround``
            views, or ``each`` surround view in a sample of its own.
        past_s, future_s: How much past and future a clip must have to be asked at all.
        prompt: The text a model reads, with one ``<image>`` for each of the observation's cameras.
        truth: The true answer about a clip whose observation came from ``observe``; raises
            ``Unanswerable``. None where only a teacher can answer.
        write: An answer as text.
        read: Text as an answer; raises ``AnswerError``.
        metrics: Names of the metrics that compare two answers.
        read_padded: Text as a trajectory, come what may: a short one is continued with its last
            waypoint, one without any stands still. None where answers are no trajectories. For
            figures that are made so elsewhere; never instead of ``read``.
        narrow: What of a clip, whose cameras are already those of ``views``, this question shows;
            raises ``Unanswerable``. The one place where a question may look at the future, which
            under ``strict`` one does: q3 tells the decision whose reason it asks for.
        only: The datasets it is asked of; empty for all.
    """

    task: str
    views: Literal["front", "forward", "surround", "each"]
    past_s: float
    future_s: float
    prompt: Callable[[Observation, Wording], str]
    truth: Callable[[Clip, Preset], Any] | None
    write: Callable[[Any, Wording], str]
    read: Callable[[str], Any]
    metrics: tuple[str, ...]
    narrow: Callable[[Clip, Preset], Observation] = _all_of_it
    read_padded: Callable[[str], Trajectory] | None = None
    only: tuple[str, ...] = ()


def observe(
    question: Question,
    clip: Clip,
    preset: Preset,
    surround: Sequence[str],
    forward: Sequence[str],
) -> Iterator[tuple[str, Clip | Unanswerable]]:
    """Yield a clip as a question shows it: once, or once for each view.

    Args:
        question: What is asked.
        clip: All that is known.
        preset: What a model is shown, and by which rules agents are chosen.
        surround: The dataset's views of a full look around, in the order prompts show them.
        forward: The views of its trajectory prompts; the first is the front view.

    Yields:
        A suffix for the sample's id (empty, or ``/<view>``), and the clip with the observation
        that is shown, or the reason why there is none.
    """
    for suffix, views in _asked_views(question.views, tuple(surround), tuple(forward)):
        try:
            _require_length(question, clip)
            here = _seen_from(clip, views)
            here = _observing(here, preset.show(here, question.task))
            yield suffix, _observing(here, question.narrow(here, preset))
        except Unanswerable as reason:
            yield suffix, reason


@cache
def _asked_views(
    views: str, surround: tuple[str, ...], forward: tuple[str, ...]
) -> list[tuple[str, tuple[str, ...]]]:
    if views == "each":
        return [(f"/{_snake_case(view)}", (view,)) for view in surround]
    return [("", {"front": forward[:1], "forward": forward, "surround": surround}[views])]


@lru_cache(maxsize=16)  # of one clip, several questions show the same views
def _seen_from(clip: Clip, views: tuple[str, ...]) -> Clip:
    observation, cameras = clip.observation, _cameras(clip.observation, views)
    if cameras == observation.cameras:
        return clip
    return _observing(clip, altered(observation, cameras=cameras))


def _observing(clip: Clip, observation: Observation) -> Clip:
    return clip if observation is clip.observation else altered(clip, observation=observation)


def _cameras(observation: Observation, views: Sequence[str]) -> tuple[Camera, ...]:
    by_view = {camera.view: camera for camera in observation.cameras}
    for view in views:
        if view not in by_view:
            raise Unanswerable(f"no_{_snake_case(view)}_view")
    return tuple(by_view[view] for view in views)


def _require_length(question: Question, clip: Clip) -> None:
    if not covers_s(clip.observation.past, -question.past_s):
        raise Unanswerable(f"past_under_{question.past_s:g}s")
    if question.future_s and not covers_s(clip.future, question.future_s):
        raise Unanswerable(f"future_under_{question.future_s:g}s")


def _snake_case(view: str) -> str:
    return view.lower().replace(" ", "_")
