"""Prompts of one dataset's split as generation leaves them, and a stand-in teacher for them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from impromptu.chat_server import served
from impromptu.conversation import IMAGE
from impromptu.engines import Settings
from impromptu.files import read_json, write_json, write_json_list
from impromptu.miniature.teacher import MODEL, Teacher
from impromptu.miniature.truth import Truth

CLIPS = 12
LIGHTS = "Red", "Green", "None"
PROMPTS = {
    "q3": f"{IMAGE}In the next 3 seconds our car is going to stop. What is the reason for this?",
    "q4": f"{IMAGE}What does the traffic light that our car must obey show? Answer with one word.",
    "q5": f"{IMAGE}Describe the scene for the driver: the weather and the light, and the road.",
}


def row(clip: int, task: str, **more: Any) -> dict[str, Any]:
    view = "/front" if task == "q5" else ""
    roles = ("user", PROMPTS[task]), ("assistant", "")
    messages = [{"role": role, "content": content} for role, content in roles]
    images = [f"../raw/{clip}.png"]
    return {"id": f"kitti/a/{clip}/{task}{view}", "images": images, "messages": messages} | more


def answers_of(path: Path) -> dict[str, str]:
    return {one["id"]: one["messages"][1]["content"] for one in read_json(path)}


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """q3 asks of every second clip, q4 and q5 of all; two keyframes gave no q3."""
    out, raw = tmp_path / "out", tmp_path / "raw"
    raw.mkdir()
    questions, files = dict[str, Any](), dict[str, int]()
    for clip in range(CLIPS):
        Image.new("RGB", (32, 32), (clip, 0, 0)).save(raw / f"{clip}.png")
    for task, step in (("q3", 2), ("q4", 1), ("q5", 1)):
        rows = [row(clip, task, preset="released") for clip in range(0, CLIPS, step)]
        name = f"kitti/unanswered/{task}_train.json"
        files[name] = write_json_list(out / name, rows)
        lost = {"future_under_3s": CLIPS - len(rows)} if step > 1 else {}
        questions[task] = {"asked": CLIPS, "samples": len(rows), "dropped": lost}
        questions[task]["samples_with_missing_images"] = 0
    entry = {"logs": 1, "clips": CLIPS, "questions": questions, "files": files}
    write_json(out / "manifest.json", {"recipe": {}, "datasets": {"kitti": {"train": entry}}})
    write_json(out / "dataset_info.json", {})
    return out


@pytest.fixture
def teacher() -> Teacher:
    """Knows every clip, and makes no mistakes."""
    truths = {f"kitti/a/{k}": Truth(LIGHTS[k % 3], "STOP", "clear", ()) for k in range(CLIPS)}
    return Teacher(truths, faults={}, mistaken=0.0)


@pytest.fixture
def settings(teacher: Teacher) -> Iterator[Settings]:
    pytest.importorskip("openai", reason="needs the openai extra: openai")
    with served(teacher) as url:
        yield Settings(MODEL, base_url=url, timeout_s=5, concurrency=4)


@pytest.fixture
def command(samples: Path, settings: Settings) -> Callable[..., list[str]]:
    """The words of ``impromptu annotate`` for these."""

    def words(*more: str) -> list[str]:
        told = ["--samples", str(samples), "--base_url", settings.base_url, "--model", MODEL]
        return ["annotate", *told, *more]

    return words
