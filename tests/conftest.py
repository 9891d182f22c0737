"""Fixtures that several folders of tests share."""

import itertools
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from impromptu.clip_table import SCHEMA


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random-weight Qwen2.5-VL."""
    pytest.importorskip("torch", reason="needs the train extra: torch")
    pytest.importorskip("transformers", reason="needs the train extra: transformers")
    from impromptu import tiny_model

    return tiny_model.build(tmp_path_factory.mktemp("checkpoints") / "tiny")


@pytest.fixture(scope="session")
def tiny_qwen3(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random-weight Qwen3-VL with the tokenizer of the tiny Qwen2.5-VL."""
    import torch
    import transformers

    folder = tmp_path_factory.mktemp("checkpoints") / "tiny_qwen3"
    old = transformers.AutoProcessor.from_pretrained(tiny_checkpoint, use_fast=True)
    ids = {
        f"{name}_token_id": old.tokenizer.convert_tokens_to_ids(f"<|{name}|>")
        for name in ("vision_start", "vision_end")
    } | {
        f"{name}_token_id": old.tokenizer.convert_tokens_to_ids(f"<|{name}_pad|>")
        for name in ("image", "video")
    }
    config = transformers.Qwen3VLConfig(
        text_config={
            "vocab_size": 1_024,
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "tie_word_embeddings": True,  # as in the published file: sglang reads it here
            "head_dim": 32,  # the least that vLLM knows on a CPU
            "rope_scaling": {
                "rope_type": "default",
                "mrope_section": [4, 6, 6],
                "mrope_interleaved": True,
            },
        },
        vision_config={
            "depth": 4,
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_heads": 4,
            "out_hidden_size": 64,
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": [1, 2],
        },
        tie_word_embeddings=True,
        **ids,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        transformers.Qwen3VLForConditionalGeneration(config).save_pretrained(folder)
    transformers.Qwen3VLProcessor(
        image_processor=transformers.Qwen2VLImageProcessorFast(
            patch_size=16, size={"shortest_edge": 65_536, "longest_edge": 16_777_216}
        ),
        tokenizer=old.tokenizer,
        video_processor=transformers.Qwen3VLVideoProcessor(),
        chat_template=old.chat_template,
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def clip_row() -> Callable[..., dict[str, Any]]:
    """A row of a clip table: (clip id, time in s, (x, y, yaw) in the world, boxes, more columns).

    A box is (kind, x, y, yaw) in the ego frame and 4 x 2 m large.
    """

    def row(
        name: str,
        at_s: float,
        pose: tuple[float, float, float],
        boxes: Sequence[tuple[str, float, float, float]] = (),
        **more: Any,
    ) -> dict[str, Any]:
        return {
            "id": name,
            "log": name.split("/")[1],
            "timestamp_ns": round(at_s * 1e9),
            "tags": {},
            "world_x_m": pose[0],
            "world_y_m": pose[1],
            "world_yaw_rad": pose[2],
            "planning_x_m": 0.94,
            "planning_y_m": 0.0,
            "planning_yaw_rad": 0.0,
            "box_id": [f"b{k}" for k in range(len(boxes))],
            "box_kind": [box[0] for box in boxes],
            "box_category": [box[0] for box in boxes],
            "box_x_m": [box[1] for box in boxes],
            "box_y_m": [box[2] for box in boxes],
            "box_yaw_rad": [box[3] for box in boxes],
            "box_length_m": [4.0] * len(boxes),
            "box_width_m": [2.0] * len(boxes),
            "box_observed": [True] * len(boxes),
        } | more

    return row


@pytest.fixture(scope="session")
def write_clips() -> Callable[[Path, Sequence[Mapping[str, Any]]], Path]:
    """Write rows as a clip table."""

    def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist([dict(row) for row in rows], schema=SCHEMA), path)
        return path

    return write


WAIT_S = 20.0


class Page:
    """One tab of a real browser, driven over its own debugging protocol."""

    def __init__(self, socket: Any) -> None:
        self.socket, self.numbers, self.events = socket, itertools.count(1), list[Any]()
        for domain in ("Page", "Runtime", "Log"):
            self.do(f"{domain}.enable")

    def do(self, method: str, **params: Any) -> Any:
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv(timeout=WAIT_S))
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            self.events.append(message)

    def js(self, expression: str) -> Any:
        result = self.do("Runtime.evaluate", expression=expression, returnByValue=True)
        return result["result"].get("value")

    def until(self, expression: str) -> Any:
        """Wait for an expression to be true."""
        end_s = time.monotonic() + WAIT_S
        while not (value := self.js(f"document.readyState == 'complete' && ({expression})")):
            assert time.monotonic() < end_s, f"{expression} at {self.js('location.href')}"
            time.sleep(0.05)
        return value

    def open(self, address: str) -> None:
        self.do("Page.navigate", url=address)
        self.until(f"location.href == {json.dumps(address)}")

    def press(self, key: str) -> None:
        code = {"Enter": 13, "Escape": 27}.get(key, 0)
        text = {"Enter": "\r", "Escape": ""}.get(key, key)
        common = {"key": key, "windowsVirtualKeyCode": code}
        self.do("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self.do("Input.dispatchKeyEvent", type="keyUp", **common)

    def complaints(self) -> list[Any]:
        """Return what the console was told: errors, and what the page's policy forbade."""
        self.js("1")
        told = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
        return [event for event in self.events if event["method"] in told]


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    client = pytest.importorskip("websockets.sync.client", reason="needs the package websockets")
    chromium = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), None)
    if chromium is None:
        pytest.skip("needs a browser: chromium or google-chrome on the PATH")
    command = [chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += ["--remote-debugging-port=0", f"--user-data-dir={tmp_path / 'profile'}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as browser:
        try:
            found = (re.search(r"ws://([^/]+)/", line) for line in browser.stderr or ())
            place = next(match[1] for match in found if match)
            with urlopen(f"http://{place}/json") as tabs:  # noqa: S310 - the browser itself
                tab = next(one for one in json.load(tabs) if one["type"] == "page")
            with client.connect(tab["webSocketDebuggerUrl"], max_size=None) as socket:
                yield Page(socket)
        finally:
            browser.kill()
