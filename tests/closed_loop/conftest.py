"""A model server that listens, and a language model's server behind it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import create_server
from typing import Any

import pytest
from tests.engines.test_openai import Server as LanguageServer
from tests.engines.test_openai import serving

from impromptu.closed_loop.driver import Driver
from impromptu.closed_loop.server import Server
from impromptu.closed_loop.sessions import Sessions
from impromptu.closed_loop.trace import Trace
from impromptu.closed_loop.web import app
from impromptu.files import read_json_lines


@dataclass
class Site:
    """A model server that is running.

    Attributes:
        client: Knows its address.
    """

    client: Any
    path: Path

    def post(self, path: str, body: Any = None, content: Any = None) -> Any:
        return self.client.post(path, json=body, content=content)

    def trace(self) -> list[dict[str, Any]]:
        return [row for _, row in read_json_lines(self.path)]


Serve = Callable[..., Any]
"""(driver[, largest number of sessions]) -> a running ``Site``."""


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """Run a model server as long as a ``with`` lasts."""
    pytest.importorskip("fastapi", reason="needs the closed_loop extra: fastapi")
    pytest.importorskip("openai", reason="needs the closed_loop extra: openai")
    uvicorn = pytest.importorskip("uvicorn", reason="needs the closed_loop extra: uvicorn")
    httpx = pytest.importorskip("httpx", reason="needs the closed_loop extra: httpx")

    @contextmanager
    def running(driver: Driver, sessions: int = 256) -> Iterator[Site]:
        path = tmp_path / "trace.jsonl"
        web = app(Server(driver, Trace(path), Sessions(sessions)))
        server = uvicorn.Server(uvicorn.Config(web, log_level="critical", lifespan="off"))
        with create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            base = f"http://127.0.0.1:{listener.getsockname()[1]}"
            try:
                while not server.started:
                    time.sleep(0.005)
                with httpx.Client(base_url=base, timeout=20) as client:
                    yield Site(client, path)
            finally:
                server.should_exit = True
                thread.join()

    return running


@pytest.fixture
def language() -> Iterator[LanguageServer]:
    """A language model's server of our own, which answers by a script."""
    with serving() as one:
        yield one
