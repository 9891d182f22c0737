"""A model behind a server of ours: asked by our own client, in batches, with images as they are."""

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from impromptu.chat_server import served
from impromptu.conversation import Sample
from impromptu.engines import Completion, Settings
from impromptu.engines.openai import connect, request_body
from impromptu.pipeline import answering
from impromptu.pipeline.answering import NAME, Answering


class Recorder:
    """Repeats prompts, and notes what it was asked and what the images were."""

    def __init__(self) -> None:
        self.batches = list[list[Sample]]()
        self.pixels = list[Any]()

    def __call__(self, samples: Sequence[Sample]) -> list[Completion]:
        time.sleep(0.05)
        self.batches.append([*samples])
        self.pixels += [np.asarray(Image.open(path)) for one in samples for path in one.images]
        if any("broken" in one.prompt for one in samples):
            raise OSError("torch failed")
        return [
            Completion("", "error", "too long")
            if "long" in one.prompt
            else Completion(one.prompt, "stop")
            for one in samples
        ]


@pytest.fixture
def asks(tmp_path: Path) -> tuple[Recorder, Any]:
    """A recorder, and a function that asks prompts of a picture all at once."""
    openai = pytest.importorskip("openai", reason="needs the openai extra: openai")
    Image.fromarray(np.arange(56 * 56 * 3, dtype=np.uint8).reshape(56, 56, 3)).save(
        tmp_path / "a.png"
    )
    recorder = Recorder()
    (tmp_path / "scratch").mkdir()

    async def every(url: str, prompts: Sequence[str]) -> list[Any]:
        settings = Settings(NAME, tmp_path, base_url=url)
        bodies = [
            request_body(Sample(f"{k}", ("a.png",), prompt, ""), settings)
            for k, prompt in enumerate(prompts)
        ]
        async with connect(settings, 0) as client:
            asked = (client.chat.completions.create(**body) for body in bodies)
            return await asyncio.gather(*asked, return_exceptions=True)

    def ask(*prompts: str) -> list[str]:
        with served(Answering(recorder, tmp_path / "scratch", 4)) as url:
            replies = asyncio.run(every(url, prompts))
        return [
            f"{one.status_code}: {one.body['message']}"
            if isinstance(one, openai.APIStatusError)
            else one.choices[0].message.content
            for one in replies
        ]

    return recorder, ask


def test_the_model_is_asked_what_the_client_was(
    asks: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "_GATHER_S", 0.5)  # a busy machine takes its time to ask
    recorder, ask = asks
    prompts = [f"Now <image> then {k}" for k in range(6)]
    assert ask(*prompts) == prompts
    assert [len(batch) for batch in recorder.batches] == [4, 2]
    for pixels in recorder.pixels:
        assert np.array_equal(pixels, np.asarray(Image.open(tmp_path / "a.png")))
    assert not list((tmp_path / "scratch").iterdir())


def test_a_batch_that_fails_fails_alone(asks: Any, tmp_path: Path) -> None:
    recorder, ask = asks
    assert ask("<image> broken") == ["500: torch failed"]
    assert ask("<image> too long", "<image> fine") == ["400: too long", "<image> fine"]
    assert not list((tmp_path / "scratch").iterdir())


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "image_url", "image_url": {"url": "http://elsewhere/a.png"}}],
        [{"type": "image_url", "image_url": {"url": "data:image/png;base64,%%"}}],
        [{"type": "text"}],
        "plain",
    ],
)
def test_another_clients_request_is_refused(content: Any, tmp_path: Path) -> None:
    body = {"messages": [{"role": "user", "content": content}]}
    with served(Answering(Recorder(), tmp_path, 4)) as url:
        request = urllib.request.Request(f"{url}/chat/completions", json.dumps(body).encode())  # noqa: S310
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(request, timeout=5)  # noqa: S310
        assert error.value.code == 400
        assert b"expected texts and PNG images" in error.value.read()
        error.value.close()
    assert not list(tmp_path.iterdir())


def test_a_client_that_stays_is_left_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    """Ending the server while a connection is open says nothing on the console."""
    import socket

    with served(Answering(Recorder(), Path(), 4)) as url:
        host, port = url.split("/")[2].split(":")
        idle = socket.create_connection((host, int(port)))
        time.sleep(0.1)
    idle.close()
    assert not caplog.records
