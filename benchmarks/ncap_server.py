"""Measure the model server of the closed loop: how long until the model is called, and memory.

python benchmarks/ncap_server.py [--steps 60] [--long 10000] [--work build/benchmark/ncap]

Requests of six raw images of 1600 x 900 (34.6 MB) go over HTTP to the server in a process of its
own; the language model behind it is a stand-in that answers at once. Beside each figure stands
what parsing that body as JSON, and decoding one camera's base64 and archive, take alone in the
same minute: the machine may have other work, so read the ratios and the CPU time.
"""

import argparse
import base64
import io
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import get_args

import numpy as np
from PIL import Image

from impromptu.answer_forms import Form
from impromptu.closed_loop.camera_images import data_uri
from impromptu.closed_loop.prompting import Views, asked
from impromptu.closed_loop.protocol import CHANNELS, read_step
from impromptu.closed_loop.sessions import Sessions
from impromptu.closed_loop.torch_archive import read_rgb
from impromptu.engines import Settings
from impromptu.engines.openai import chat, content_parts
from impromptu.files import read_json_lines
from impromptu.preset import STRICT
from impromptu.wording import load_wording

ROOT = Path(__file__).parents[1]
SIZE_PX = 1600, 900


class Model(BaseHTTPRequestHandler):
    """Answers every question with as many waypoints as it asks for; notes when it was asked."""

    protocol_version = "HTTP/1.1"
    called_s: list[float] = []  # noqa: RUF012 - of one run of one process

    def do_POST(self) -> None:
        """Answer."""
        first = self.rfile.read(1)
        self.called_s.append(time.perf_counter())
        text = first + self.rfile.read(int(self.headers["Content-Length"]) - 1)
        count = 6 if b"next 3 seconds" in text else 10
        answer = "<PLANNING>" + ", ".join(f"[{2.5 * k}, 0.0]" for k in range(1, count + 1))
        message = {"role": "assistant", "content": answer + "</PLANNING>"}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        body = json.dumps(
            {"id": "x", "object": "", "created": 0, "model": "m", "choices": [choice]}
        )
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Be quiet."""


def main() -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--long", type=int, default=10_000)
    parser.add_argument("--work", type=Path, default=Path("build/benchmark/ncap"))
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    model = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=model.serve_forever, daemon=True).start()
    base_url = f"http://127.0.0.1:{model.server_address[1]}/v1"
    print("| views | | p50 ms | p95 ms | CPU ms | p50 / parsing alone |\n|---|---|---|---|---|---|")
    for views in get_args(Views) * bool(args.steps):
        processor(views, args.steps)
        latency(views, base_url, args.steps, args.work)
    memory(base_url, args.long, args.work)
    model.shutdown()


def processor(views: Views, steps: int) -> None:
    """Print the CPU time from a body to the request to the model, in this process."""
    image = archive(*SIZE_PX)
    question = asked(views, None, load_wording(None, STRICT), Form())
    session, settings = Sessions().reset("a"), Settings(model="m")
    parse, prepare = list[tuple[float, float]](), list[tuple[float, float]]()

    def prepared(body: bytearray) -> None:
        step = read_step(body, question.cameras)
        pictures = [data_uri(step.images[one], 262_144, 1_024) for one in question.cameras]
        prompt = question.prompt(step, session.observe(step))
        chat(settings, "a", content_parts(prompt, pictures))

    for number in range(steps):
        body = bytearray(request(number, image))
        parse.append(timed(partial(json.loads, body)))
        prepare.append(timed(partial(prepared, body)))
    (wall_ms, cpu_ms), beside = 1e3 * np.array(prepare).T, 1e3 * np.array(parse)[:, 1]
    print(row_of(views, "last byte to request made, one thread", wall_ms, cpu_ms, np.nan))
    ratio = np.median(cpu_ms / beside)
    print(f"| {views} | the same, CPU / CPU of parsing alone | | | | {ratio:.2f} |")


def latency(views: str, base_url: str, steps: int, work: Path) -> None:
    """Print how long requests of full size take, and what their parts take alone."""
    image = archive(*SIZE_PX)
    trace = work / f"{views}.jsonl"
    trace.unlink(missing_ok=True)
    alone: dict[str, list[tuple[float, float]]] = {"parse": [], "decode": []}
    sent_s, cpu_ms = list[float](), list[float]()
    Model.called_s.clear()
    with serving(views, base_url, trace) as (port, pid):
        line = HTTPConnection("127.0.0.1", port)
        ask(line, "/reset", b"{}")
        for number in range(steps):
            body = request(number, image)
            alone["parse"].append(timed(partial(json.loads, body)))
            alone["decode"].append(timed(lambda: read_rgb(base64.b64decode(image))))
            before_s = cpu_s(pid)
            line.putrequest("POST", "/infer")
            line.putheader("Content-Length", str(len(body)))
            line.endheaders()
            line.send(body)
            sent_s.append(time.perf_counter())
            reply = line.getresponse()
            reply.read()
            if reply.status != 200:
                raise SystemExit(f"step {number}: {reply.status}")
            cpu_ms.append(1e3 * (cpu_s(pid) - before_s))
    parse_ms, decode_ms = (1e3 * np.array(rows) for rows in alone.values())
    prepare_ms = [row["prepare_ms"] for _, row in read_json_lines(trace)]
    called_ms = 1e3 * (np.array(Model.called_s) - sent_s)
    beside = float(np.median(parse_ms[:, 0]))
    print(row_of(views, "JSON of the body parsed alone", parse_ms[:, 0], parse_ms[:, 1], beside))
    print(row_of(views, "one camera decoded alone", decode_ms[:, 0], decode_ms[:, 1], beside))
    print(row_of(views, "last byte to prompt and pictures", prepare_ms, [np.nan], beside))
    print(row_of(views, "last byte sent to model called", called_ms, cpu_ms, beside))


def row_of(views: str, what: str, wall_ms: object, cpu_ms: object, beside_ms: float) -> str:
    """Return a line of the table; its CPU time is the median, of the server's whole step."""
    p50, p95 = np.percentile(np.array(wall_ms), [50, 95])
    cpu = np.median(np.array(cpu_ms))
    return f"| {views} | {what} | {p50:.0f} | {p95:.0f} | {cpu:.0f} | {p50 / beside_ms:.2f} |"


def memory(base_url: str, steps: int, work: Path) -> None:
    """Print the server's memory over many steps of small images, over eight runs by turns."""
    image, trace = archive(160, 90), work / "long.jsonl"
    trace.unlink(missing_ok=True)
    print(f"\n| steps of {steps} | resident MB |\n|---|---|")
    with serving("front", base_url, trace) as (port, pid):
        line = HTTPConnection("127.0.0.1", port)
        for number in range(steps):
            if number % 200 < 8:
                ask(line, f"/s/run{number % 8}/reset", b"{}")
            ask(line, f"/s/run{number % 8}/infer", request(number // 8, image))
            if (number + 1) % max(steps // 10, 1) == 0:
                print(f"| {number + 1} | {resident_mb(pid):.1f} |")


@contextmanager
def serving(views: str, base_url: str, trace: Path) -> Iterator[tuple[int, int]]:
    """Run the server; give its port and process."""
    command = [sys.executable, str(ROOT / "neuroncap_evaluation/inference/server.py")]
    command += ["--base_url", base_url, "--model", "m", "--port", "0"]
    command += ["--views", views, "--trace", str(trace)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            if process.stdout is None:
                raise SystemExit("no output")
            yield int(process.stdout.readline().split()[0].rpartition(":")[2]), process.pid
        finally:
            process.terminate()


def archive(width: int, height: int) -> bytes:
    """Return the base64 of ``torch.save`` of a smooth picture."""
    import torch

    seeds = np.random.default_rng(0).integers(0, 255, (9, 16, 3), dtype=np.uint8)
    pixels = np.array(Image.fromarray(seeds).resize((width, height)))
    content = io.BytesIO()
    torch.save(torch.from_numpy(pixels), content)
    return base64.b64encode(content.getvalue())


def request(number: int, image: bytes) -> bytes:
    """Return the body of a step on a straight road at 5 m/s."""
    pose = np.eye(4)
    pose[0, 3] = 2.5 * number
    canbus = [0.0] * 16
    canbus[13] = 5.0
    rest = {
        "ego2world": pose.tolist(),
        "canbus": canbus,
        "timestamp": 1_600_000_000_000_000 + 500_000 * number,
        "command": 2,
        "calibration": {
            "lidar2ego": [[0, 1, 0, 0.94], [-1, 0, 0, 0], [0, 0, 1, 1.84], [0, 0, 0, 1]]
        },
    }
    images = b", ".join(b'"' + name.encode() + b'": "' + image + b'"' for name in CHANNELS)
    return b'{"images": {' + images + b"}, " + json.dumps(rest).encode()[1:]


def ask(line: HTTPConnection, path: str, body: bytes) -> None:
    """Post, and end where that fails."""
    line.request("POST", path, body)
    reply = line.getresponse()
    if reply.status != 200:
        raise SystemExit(f"{path}: {reply.status} {reply.read()!r}")
    reply.read()


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return wall and CPU seconds."""
    wall_s, spent_s = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall_s, time.process_time() - spent_s


def cpu_s(pid: int) -> float:
    """Return the CPU time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    """Return the memory that a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
