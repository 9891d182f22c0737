"""What the model server answers to each of the engine's calls, whatever carries them."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from impromptu.closed_loop.driver import Driver, Model, ModelError, Outcome
from impromptu.closed_loop.protocol import Step, StepError, read_step
from impromptu.closed_loop.sessions import OrderError, Sessions
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
        """Answer one step of a run.

        Raises:
            StepError: The request tells no step.
            OrderError: The run has not begun, or the step does not follow the one before.
            ModelError: There is no plan, and the model is to blame.
            OSError: The trace cannot be written.
        """
        began_s = time.perf_counter()
        session = self.sessions.find(name)
        outcome, row = Outcome(), {"session": name, "run": session.run}
        try:
            step = await asyncio.to_thread(read_step, body, self.driver.cameras)
            pictures = await self._pictures(step)
            async with session.turn:
                seen = session.observe(step)
                row |= told(session, step)
                outcome.told["prepare_ms"] = round(1e3 * (time.perf_counter() - began_s), 1)
                await self.driver.drive(session, step, seen, pictures, outcome)
                session.answered_ns = step.timestamp_ns
        except (StepError, OrderError) as error:
            self.trace.append({**row, "status": "refused", "error": str(error)})
            raise
        except ModelError as error:
            self.trace.append({**row, **outcome.told, "error": str(error)})
            raise
        return self._reply(row, outcome)

    async def _pictures(self, step: Step) -> dict[str, str]:
        try:
            return await self.driver.look(step)
        except ValueError as error:
            raise StepError(str(error)) from error

    def _reply(self, row: dict[str, Any], outcome: Outcome) -> dict[str, Any]:
        path = [] if outcome.path_m is None else (outcome.path_m + 0.0).tolist()
        self.trace.append({**row, **outcome.told, "trajectory": path})
        known = ("status", "reason", "filled")
        aux = {key: outcome.told[key] for key in known if key in outcome.told}
        return {"trajectory": path, "aux_outputs": aux}

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
