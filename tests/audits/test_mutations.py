"""Each fault, put into a few clean samples, is found, and under its own name."""

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from impromptu.audits import Finding

Sample = dict[str, Any]
Found = Callable[[list[Sample], bool], dict[str, Finding]]
Mutation = Callable[[list[Sample]], Any]

EVERY = 5
POINTS = re.compile(r"\[(-?[\d.]+), (-?[\d.]+)\]")


def of_task(samples: list[Sample], task: str) -> list[Sample]:
    return [sample for sample in samples if f"/{task}" in sample["id"]]


def some(samples: list[Sample], task: str = "") -> list[Sample]:
    return (of_task(samples, task) if task else samples)[3::EVERY]


def answer(sample: Sample) -> str:
    return str(sample["messages"][1]["content"])


def set_answer(task: str, change: Callable[[str], str]) -> Mutation:
    def mutate(samples: list[Sample]) -> None:
        for sample in some(samples, task):
            sample["messages"][1]["content"] = change(answer(sample))

    return mutate


def set_prompt(task: str, change: Callable[[str], str]) -> Mutation:
    def mutate(samples: list[Sample]) -> None:
        for sample in some(samples, task):
            sample["messages"][0]["content"] = change(sample["messages"][0]["content"])

    return mutate


def set_field(name: str, value: Any) -> Mutation:
    def mutate(samples: list[Sample]) -> None:
        for sample in some(samples):
            sample[name] = value

    return mutate


def points(change: Callable[[list[tuple[float, float]]], list[tuple[float, float]]]) -> Any:
    def rewrite(text: str) -> str:
        old = [(float(x), float(y)) for x, y in POINTS.findall(text)]
        told = ", ".join(f"[{x:.2f}, {y:.2f}]" for x, y in change(old))
        return f"<PLANNING>{told}</PLANNING>"

    return rewrite


def copy_answers_on(samples: list[Sample]) -> None:
    chosen = of_task(samples, "q7")
    for before, after in zip(chosen[::EVERY], chosen[1::EVERY], strict=False):
        after["messages"][1]["content"] = answer(before)


def repeat_some(samples: list[Sample]) -> None:
    samples += [{**sample, "id": sample["id"] + "x"} for sample in some(samples)]


def answer_twice(samples: list[Sample]) -> None:
    other = {"KEEP": "DECELERATE", "STOP": "KEEP", "ACCELERATE": "KEEP", "DECELERATE": "KEEP"}
    for sample in some(samples, "q6"):
        again = copy.deepcopy(sample)
        again["id"] = "again/" + again["id"]
        words = answer(sample).replace("PLAN>", "PLAN> ")
        first = re.sub(r"[A-Z]+,", lambda found: other[found[0][:-1]] + ",", words, count=1)
        again["messages"][1]["content"] = first
        samples.append(again)


def same_drive_elsewhere(samples: list[Sample]) -> None:
    for sample in some(samples, "q7"):
        other = copy.deepcopy(sample)
        other["id"] = sample["id"].replace("/log", "/other")
        other["images"] = [path.replace("log", "other") for path in sample["images"]]
        samples.append(other)


def tell_answer(samples: list[Sample]) -> None:
    for sample in some(samples, "q7"):
        body = answer(sample).partition("]: ")[2].removesuffix("</PLANNING>")
        sample["messages"][0]["content"] += f"\nHint: {body}"


def swap_axes(samples: list[Sample]) -> None:
    swap = points(lambda old: [(-y, x) for x, y in old])
    for sample in of_task(samples, "q7"):
        sample["messages"][1]["content"] = swap(answer(sample))


def mirror(samples: list[Sample]) -> None:
    flip = points(lambda old: [(x, -y) for x, y in old])
    for sample in of_task(samples, "q7"):
        sample["messages"][1]["content"] = flip(answer(sample))


def past_ahead(text: str) -> str:
    return re.sub(r"ago \[-", "ago [", text)


def turn_words(samples: list[Sample]) -> None:
    swap = {"LEFT": "RIGHT", "RIGHT": "LEFT"}
    for sample in of_task(samples, "q6"):
        text = re.sub("LEFT|RIGHT", lambda found: swap[found[0]], answer(sample))
        sample["messages"][1]["content"] = text


def add_rubbish(samples: list[Any]) -> None:
    samples += [[], 3, "x", None]


def one_plan(samples: list[Sample]) -> None:
    for sample in of_task(samples, "q6"):
        sample["messages"][1]["content"] = plan("KEEP,STRAIGHT")


def leak_some(leaked: list[Sample]) -> Mutation:
    def mutate(samples: list[Sample]) -> None:
        by_id = {sample["id"]: sample for sample in leaked}
        for sample in some(samples, "q7"):
            sample.update(copy.deepcopy(by_id[sample["id"]]))

    return mutate


plan = "<SPEED PATH PLAN>{}</SPEED PATH PLAN>".format


def far_person(text: str) -> str:
    return "Yes, I see a pedestrian located 60 meters ahead of me."


def backwards(old: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(-x, y) for x, y in old]


def jump_later(old: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return [*old[:6], *((x, y + 9) for x, y in old[6:])]


ANSWERS: tuple[tuple[str, str, Callable[[str], str]], ...] = (
    ("empty_answer", "q6", lambda text: " "),
    ("placeholder", "q6", lambda text: "null"),
    ("long_answer", "q6", lambda text: text + "!" * 5_000),
    ("tag_in_answer", "q6", lambda text: "<image>" + text),
    ("unreadable_q6", "q6", lambda text: plan("CRUISE,STRAIGHT")),
    ("other_tag", "q6", lambda text: "<PLANNING>KEEP,STRAIGHT</PLANNING>"),
    ("half_tag", "q6", lambda text: text.replace("</", "<")),
    ("no_tag", "q6", lambda text: "KEEP,STRAIGHT"),
    ("speed_contradiction", "q6", lambda text: plan("STOP,STRAIGHT")),
    ("other_objects", "q2", lambda text: re.sub(r"\nObject 2: \w+, \w+", "", text)),
    ("too_far", "q1", far_person),
    ("nobody_yet_someone", "q1", lambda text: "No, I don't see any."),
    ("unreadable_q7", "q7", points(lambda old: old[:9])),
    ("unreadable_q7", "q7", lambda text: re.sub(r"\[-?\d", "[nan", text, count=1)),
    ("padded", "q7", points(lambda old: old[:7] + [old[6]] * 3)),
    ("zero_end", "q7", points(lambda old: old[:7] + [(0.0, 0.0)] * 3)),
    ("behind", "q7", points(backwards)),
    ("jump_now", "q7", points(lambda old: [(x + 9, y) for x, y in old])),
    ("jump", "q7", points(jump_later)),
)
PROMPTS: tuple[tuple[str, str, Callable[[str], str]], ...] = (
    ("empty_prompt", "q6", lambda text: "<image>"),
    ("no_utf8", "q6", lambda text: text + "\udc80"),
    ("replaced", "q6", lambda text: text + "\ufffd"),
    ("twice", "q6", lambda text: text + "\u00c3\u00a9"),
    ("control", "q6", lambda text: text + "\x00"),
    ("tags", "q6", lambda text: text.replace("<image>", "")),
    ("past_ahead", "q7", past_ahead),
)
FIELDS: tuple[tuple[str, str, Any], ...] = (
    ("no_messages", "messages", None),
    ("wrong_type", "messages", [{"role": "user", "content": 7}]),
    ("wrong_type", "messages", [7]),
    ("wrong_roles", "messages", [{"role": "user", "content": "?"}]),
    ("images_no_list", "images", "images/made.png"),
    ("wrong_type", "images", [None]),
    ("wrong_type", "id", ["a"]),
    ("same_id", "id", "x"),
    ("no_id", "id", None),
    ("missing_image", "images", ["images/gone.png"]),
    ("missing_image", "images", ["\0"]),
    ("absolute", "images", ["/gone.png"]),
    ("remote", "images", ["https://x/y.png"]),
)
WHOLE: tuple[tuple[str, Mutation], ...] = (
    ("not_an_object", add_rubbish),
    ("same_sample", repeat_some),
    ("two_answers", answer_twice),
    ("same_motion", same_drive_elsewhere),
    ("copied_path", copy_answers_on),
    ("axes_swapped", swap_axes),
    ("y_flipped", mirror),
    ("left_is_right", turn_words),
    ("path_contradiction", one_plan),
    ("constant_q6", one_plan),
    ("answer_in_prompt", tell_answer),
)
FAULTS: list[tuple[str, Mutation]] = [
    *((name, set_answer(task, change)) for name, task, change in ANSWERS),
    *((name, set_prompt(task, change)) for name, task, change in PROMPTS),
    *((name, set_field(field, value)) for name, field, value in FIELDS),
    *WHOLE,
]
UNALARMED = {"constant_q6"}
"""Also told of clean samples, there as notes."""


@pytest.mark.parametrize(("name", "mutate"), FAULTS)
def test_fault_is_found(name: str, mutate: Mutation, clean: list[Sample], found: Found) -> None:
    samples = copy.deepcopy(clean)
    mutate(samples)
    findings = found(samples, name == "answer_in_prompt")
    assert name in findings, sorted(findings)
    assert findings[name].severity != "note"
    assert findings[name].count > 0
    assert findings[name].examples or name.startswith(
        ("no_id", "constant", "axes", "y_", "left", "command")
    )


def test_clean_samples_have_none_of_these_faults(clean: list[Sample], found: Found) -> None:
    findings = found(clean, True)
    names = {name for name, _ in FAULTS} - UNALARMED
    # One of 328 made-up bends is sharp within what the rules call a change of lane.
    assert set(findings) & names == {"path_contradiction"}
    assert findings["path_contradiction"].count == 1
    assert not [finding for finding in findings.values() if finding.severity == "error"]


def test_partial_leak_is_found(clean: list[Sample], leaked: list[Sample], found: Found) -> None:
    samples = copy.deepcopy(clean)
    leak_some(leaked)(samples)
    finding = found(samples, True)["exact_leak"]
    assert finding.severity == "error"
    assert 0.1 < finding.count / finding.of < 0.35  # one in five has it


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "missing_image"),
        (b"GIF89a" + b"0" * 5000, "not_an_image"),
        (b"\x89PNG\r\n\x1a\n" + b"0" * 5000, "truncated_image"),
        (b"\xff\xd8\xff" + b"0" * 5000 + b"\xff\xd9", "wrong_ending"),
        (b"\xff\xd8\xff" + b"0" * 50 + b"\xff\xd9", "wrong_ending"),
    ],
)
def test_image_faults(
    content: bytes, fault: str, clean: list[Sample], found: Found, tmp_path: Path
) -> None:
    path = tmp_path / clean[0]["images"][0]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    if fault == "missing_image":
        path.unlink()
        path.mkdir()
        fault = "unreadable_image"
    findings = found(clean, False)
    assert findings[fault].count == 4  # of q6, q7, q1 and q2
    assert clean[0]["id"] in findings[fault].examples[0]


def test_tiny_image(clean: list[Sample], found: Found, tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / clean[0]["images"][0]
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", (8, 300)).save(path)
    assert found(clean, False)["tiny_image"].count == 4


def test_same_bytes_under_other_names(clean: list[Sample], tmp_path: Path) -> None:
    from impromptu.auditing import audit

    for name, number in {"a": 0, "b": 1, "c": 1, "d": 1}.items():
        (tmp_path / f"{name}.png").write_bytes(bytes([number]) * 5000)
    files = {"q6_train.json": "ab", "q6_test.json": "c", "q6_other_train.json": "d"}
    for name, images in files.items():
        samples = [{**clean[0], "images": [f"{image}.png"]} for image in images]
        (tmp_path / name).write_text(json.dumps(samples))
    (section,) = audit([tmp_path], ["image_content"]).sections
    counts = {finding.name: (finding.severity, finding.count) for finding in section.findings}
    # b, c and d are alike; read in the order of names, d of train comes first.
    assert counts == {"same_content_in_splits": ("error", 1), "same_content": ("warning", 1)}


def test_log_in_two_splits(clean: list[Sample], tmp_path: Path) -> None:
    from impromptu.auditing import audit

    halves = {"q6_train.json": clean[:200], "q6_test.json": clean[160:328]}
    for name, samples in halves.items():
        (tmp_path / name).write_text(json.dumps(samples))
    (section,) = audit([tmp_path], ["splits"]).sections
    findings = {finding.name: finding for finding in section.findings}
    # 41 clips a log: train has logs 0 to 4 whole or in part, test logs 3 (its last 4) and on.
    assert findings["same_log"].severity == "error"
    assert findings["same_log"].text.startswith("2 logs")
    assert findings["same_image"].text.startswith("40 image files")
    first = str(findings["same_log"].examples[0])
    assert "q6_train.json" in first and "q6_test.json" in first
