"""Who answers a step: a language model behind a server, or a rule that needs none."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from impromptu.arrays import Floats
from impromptu.closed_loop import plans
from impromptu.closed_loop.camera_images import data_uri
from impromptu.closed_loop.plans import Held, OnUnreadable
from impromptu.closed_loop.prompting import Asked
from impromptu.closed_loop.protocol import Step
from impromptu.closed_loop.sessions import Seen, Session
from impromptu.closed_loop.trace import prompt_hash
from impromptu.engines import Settings
from impromptu.engines.openai import Asker, chat, content_parts
from impromptu.questions import AnswerError


class ModelError(RuntimeError):
    """A step without a plan, for which the model or its server is to blame.

    Attributes:
        status: Of the HTTP reply.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(slots=True, eq=False)
class Outcome:
    """A plan, and what a trace tells of how it came about.

    Attributes:
        path_m: (6, 2) of the rear axle; None until there is one.
        told: Fields of the trace's line.
    """

    path_m: Floats | None = None
    told: dict[str, Any] = field(default_factory=dict)


Pictures = dict[str, str]
"""Data URIs by camera."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Drives without a model, and looks at no image."""

    path: Callable[[Step], Floats]
    cameras: tuple[str, ...] = ()

    async def look(self, step: Step) -> Pictures:
        """Return no pictures."""
        return {}

    async def drive(
        self, session: Session, step: Step, seen: Seen, pictures: Pictures, outcome: Outcome
    ) -> None:
        """Plan a step."""
        outcome.path_m = self.path(step)
        outcome.told["status"] = "rule"


@dataclass(frozen=True, slots=True)
class Model:
    """Asks a model that runs behind an OpenAI-compatible server.

    Attributes:
        client: OpenAI's.
        on_unreadable: What is driven when an answer cannot be read.
    """

    asked: Asked
    client: Any
    settings: Settings
    on_unreadable: OnUnreadable

    @property
    def cameras(self) -> tuple[str, ...]:
        """The cameras whose images are shown."""
        return self.asked.cameras

    async def look(self, step: Step) -> Pictures:
        """Make the step's images into pictures, at once.

        Raises:
            ValueError: One is not what it should be; the message names its camera.
        """
        made = (asyncio.to_thread(self._picture, step, camera) for camera in self.cameras)
        return dict(zip(self.cameras, await asyncio.gather(*made), strict=True))

    def _picture(self, step: Step, camera: str) -> str:
        budget = self.settings.image_max_pixels, self.settings.image_min_pixels
        try:
            return data_uri(step.images[camera], *budget)
        except ValueError as error:
            raise ValueError(f"images.{camera}: {error}") from error

    async def drive(
        self, session: Session, step: Step, seen: Seen, pictures: Pictures, outcome: Outcome
    ) -> None:
        """Ask about a step, and read the answer.

        Raises:
            ModelError: There is no answer, or none that can be read and nothing in its place.
        """
        prompt = self.asked.prompt(step, seen)
        name = f"{session.name}/{step.timestamp_ns}/{self.asked.question.task}"
        outcome.told |= {"prompt_sha256": prompt_hash(prompt), "status": "failed"}
        content = content_parts(prompt, [pictures[camera] for camera in self.cameras])
        text = await self._answer(chat(self.settings, name, content), outcome)
        try:
            outcome.path_m = self.asked.read(text, step)
        except AnswerError as error:
            outcome.told |= {"status": "unreadable", "reason": error.reason}
            outcome.path_m = plans.fill(self.on_unreadable, step, session.held)
            if outcome.path_m is None:
                raise ModelError(502, f"the model's answer cannot be read: {error}") from error
            outcome.told["filled"] = self.on_unreadable
        else:
            outcome.told["status"] = "read"
            session.held = Held(outcome.path_m, step.timestamp_ns, step.world_SE2_ego)

    async def _answer(self, request: Mapping[str, Any], outcome: Outcome) -> str:
        asker = Asker(self.client, self.settings, self.client.max_retries)
        began_s, timeout_s = time.perf_counter(), self.settings.timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                completion = await asker.complete(request)
        except TimeoutError as error:
            raise ModelError(504, f"the model has not answered in {timeout_s:g} s") from error
        except OSError as error:
            raise ModelError(503, str(error)) from error
        except ValueError as error:
            raise ModelError(502, str(error)) from error
        finally:
            outcome.told["model_ms"] = round(1e3 * (time.perf_counter() - began_s), 1)
        outcome.told |= {"answer": completion.text, "finish_reason": completion.finish_reason}
        if completion.finish_reason == "error":
            raise ModelError(502, completion.problem)
        return completion.text


Driver = Rule | Model
