"""What a model server answers to each of an engine's calls, whatever carries them."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from impromptu.closed_loop.driver import Driver, Model, ModelError, Outcome
from impromptu.closed_loop.protocol import Step, StepError, read_step
from impromptu.closed_loop.sessions import OrderError, Session, Sessions
from impromptu.closed_loop.trace import Trace, told


@dataclass(slots=True, eq=False)
class Server:
    """Takes runs by name, one step after the other.

    Attributes:
        trace: Where each step is told.
    """

    driver: Driver
    trace: Trace
    sessions: Sessions = field(default_factory=Sessions)

    async def infer(self, name: str, body: bytes | bytearray) -> dict[str, Any]:
        """Answer one step of a run as NeuroNCAP tells it.

        Raises:
            StepError: The request tells no step.
            OrderError, ModelError, OSError: As ``answer`` says.
        """
        began_s = time.perf_counter()
        session = self.sessions.find(name)
        with self.refusals(session):
            step = await asyncio.to_thread(read_step, body, self.driver.cameras)
        outcome = await self.answer(session, step, began_s)
        known = ("status", "reason", "filled")
        aux = {key: outcome.told[key] for key in known if key in outcome.told}
        return {"trajectory": outcome.told["trajectory"], "aux_outputs": aux}

    async def answer(self, session: Session, step: Step, began_s: float) -> Outcome:
        """Plan one step of a run, and tell it in the trace.

        Args:
            session: The run.
            step: With the images that the driver looks at.
            began_s: When the request was there, by ``time.perf_counter``.

        Raises:
            StepError: An image is none.
            OrderError: The step does not follow the one before.
            ModelError: There is no plan, and the model is to blame.
            OSError: The trace cannot be written.
        """
        outcome = Outcome()
        with self.refusals(session):
            pictures = await self._pictures(step)
            async with session.turn:
                seen = session.observe(step)
                row = told(session, step)
                outcome.told["prepare_ms"] = round(1e3 * (time.perf_counter() - began_s), 1)
                try:
                    await self.driver.drive(session, step, seen, pictures, outcome)
                except ModelError as error:
                    self.trace.append({**row, **outcome.told, "error": str(error)})
                    raise
                session.answered_ns = step.timestamp_ns
        path = [] if outcome.path_m is None else (outcome.path_m + 0.0).tolist()
        outcome.told["trajectory"] = path
        self.trace.append({**row, **outcome.told})
        return outcome

    @contextmanager
    def refusals(self, session: Session) -> Iterator[None]:
        """Tell in the trace that something was refused, and why."""
        try:
            yield
        except (StepError, OrderError) as error:
            about = {"session": session.name, "run": session.run}
            self.trace.append({**about, "status": "refused", "error": str(error)})
            raise

    async def _pictures(self, step: Step) -> dict[str, str]:
        try:
            return await self.driver.look(step)
        except ValueError as error:
            raise StepError(str(error)) from error

    def alive(self) -> dict[str, Any]:
        """Tell who drives."""
        asked = self.driver.asked if isinstance(self.driver, Model) else None
        return {
            "status": "alive",
            "sessions": len(self.sessions),
            "task": asked.question.task if asked else None,
            "cameras": list(self.driver.cameras),
            "waypoint_frame": asked.frame if asked else "ego",
        }

    def reset(self, name: str) -> dict[str, Any]:
        """Begin a run."""
        session = self.sessions.reset(name)
        return {"session": session.name, "run": session.run}
