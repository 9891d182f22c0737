"""Puts a model that is loaded here behind an OpenAI-compatible server, for a small one on a CPU.

It is for the demo. For a model that drives in earnest there are vLLM and sglang.
"""

import asyncio
import binascii
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from impromptu.chat_server import Said, completion
from impromptu.conversation import IMAGE, Sample
from impromptu.engines import Completion

NAME = "tiny-model"
Model = Callable[[Sequence[Sample]], Sequence[Completion]]
"""Answers a batch."""
_GATHER_S = 0.1
_PNG = "data:image/png;base64,"


@dataclass(slots=True, eq=False)
class Answering:
    """Answers what waits, as many as fit into a batch at a time.

    Attributes:
        folder: Images lie here as long as they are asked about.
        batch: How many at once.
    """

    model: Model
    folder: Path
    batch: int
    _waiting: list[tuple[Sample, asyncio.Future[Completion]]] = field(default_factory=list)
    _work: asyncio.Task[None] | None = None
    _numbers: Iterator[int] = field(default_factory=count)

    async def reply(self, headers: Mapping[str, str], body: Mapping[str, Any]) -> Said:
        """Answer a request; one that is not as our own client writes it is refused."""
        try:
            sample = self._sample(body["messages"][-1]["content"])
        except (KeyError, TypeError, ValueError) as error:
            return _error(400, f"expected texts and PNG images of a user's message: {error!r}")
        try:
            answer = await self._answer(sample)
        except (OSError, ValueError) as error:
            return _error(500, str(error))
        finally:
            for image in sample.images:
                Path(image).unlink()
        if answer.finish_reason == "error":
            return _error(400, answer.problem)
        return 200, completion(NAME, answer.text, answer.finish_reason, 0, 0)

    def _sample(self, parts: Sequence[Mapping[str, Any]]) -> Sample:
        name, images, text = next(self._numbers), list[str](), ""
        for part in parts:
            if part["type"] == "text":
                text += part["text"]
            else:
                images.append(self._image(part["image_url"]["url"], f"{name}_{len(images)}.png"))
                text += IMAGE
        return Sample(str(name), tuple(images), text, "")

    def _image(self, uri: str, name: str) -> str:
        if not uri.startswith(_PNG):
            raise ValueError(f"an image at {uri!r:.40}")
        path = self.folder / name
        path.write_bytes(binascii.a2b_base64(uri.removeprefix(_PNG), strict_mode=True))
        return str(path.resolve())

    async def _answer(self, sample: Sample) -> Completion:
        answer = asyncio.get_running_loop().create_future()
        self._waiting.append((sample, answer))
        if self._work is None:
            self._work = asyncio.create_task(self._empty())
        completed: Completion = await answer
        return completed

    async def _empty(self) -> None:
        """Answer until nothing waits."""
        while self._waiting:
            # Those who were answered together ask again together, if they are given the time.
            await asyncio.sleep(_GATHER_S)
            taken, self._waiting = self._waiting[: self.batch], self._waiting[self.batch :]
            samples = [sample for sample, _ in taken]
            try:
                answers = await asyncio.to_thread(self.model, samples)
            except (OSError, ValueError) as error:
                for _, answer in taken:
                    answer.set_exception(error)
            else:
                for (_, answer), told in zip(taken, answers, strict=True):
                    answer.set_result(told)
        self._work = None


def _error(status: int, message: str) -> Said:
    return status, {"error": {"message": message, "type": "stand_in", "code": status}}
