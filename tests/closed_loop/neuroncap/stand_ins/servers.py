"""Stands in for the renderer and the language model's server; the file it loads says what fails.

python servers.py renderer --host=H --port=P --load-config=FILE --adjust_pose
python servers.py language --port=P NAME FILE
"""

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

WHAT, *WORDS = sys.argv[1:]
FLAGS = dict(word.removeprefix("--").split("=") for word in WORDS if "=" in word)
POINTS = ", ".join(f"[{2.5 * k}, 0.0]" for k in range(1, 7))
ANSWER = f"<PLANNING>The car will be at: {POINTS}</PLANNING>"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        sequence = Path(FLAGS.get("load-config", "x/y")).parent.name
        models = {"data": [{"id": WORDS[-2]}]}
        told = {"/alive": True, "/get_actors": [{"uuid": sequence}], "/v1/models": models}
        self.tell(told[self.path])

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if wrong() == "die when asked":
            sys.stderr.write("the memory is used up\n")
            sys.stderr.flush()
            os._exit(9)
        if self.path == "/render_image":
            self.tell(json.loads(Path("step.json").read_text())["images"]["CAM_FRONT"])
            return
        message = {"role": "assistant", "content": wrong() or ANSWER}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        common = {"id": "x", "object": "chat.completion", "created": 0, "model": "m"}
        self.tell(common | {"choices": [choice]})

    def tell(self, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def wrong() -> str:
    return Path(FLAGS.get("load-config") or WORDS[-1]).read_text()


if __name__ == "__main__":
    place = Path(WORDS[-1]).parent if WHAT == "language" else Path()
    with (place / "pids").open("a") as pids:
        pids.write(f"{os.getpid()}\n")
    if wrong() == "die":
        sys.exit("no such weights")
    if wrong() == "sleep":
        time.sleep(600)
    ThreadingHTTPServer(("127.0.0.1", int(FLAGS["port"])), Handler).serve_forever()
