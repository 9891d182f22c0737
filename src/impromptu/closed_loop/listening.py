"""Has the model server listen beside the caller, as long as it is needed."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from impromptu.closed_loop.server import Server
from impromptu.closed_loop.web import app


@contextmanager
def listening(server: Server) -> Iterator[str]:
    """Serve at a free port of this machine; yield the address.

    Raises:
        ModuleNotFoundError: FastAPI or uvicorn is not installed.
        OSError: The server did not start.
    """
    web = app(server)
    import uvicorn

    config = uvicorn.Config(web, log_level="warning", lifespan="off")
    running = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(
            target=running.run, kwargs={"sockets": [listener]}, name="model server"
        )
        thread.start()
        try:
            _wait(running, thread)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            running.should_exit = True
            thread.join()


def _wait(running: object, thread: threading.Thread) -> None:
    while not getattr(running, "started", False):
        if not thread.is_alive():
            raise OSError("the model server ended before it listened; see above")
        time.sleep(0.01)
