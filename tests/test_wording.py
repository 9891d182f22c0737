import json
from pathlib import Path

import pytest
import yaml

from impromptu.preset import RELEASED, STRICT
from impromptu.wording import Wording, default_templates, load_wording


def write(path: Path, **tasks: object) -> Path:
    path.write_text(yaml.safe_dump(tasks))
    return path


def test_render_fills_slots_and_leaves_other_braces() -> None:
    wording = Wording({"a": "{x} {y} {x} {} {X} {'z'}"})
    assert wording.render("a", x="1", y="{x}") == "1 {x} 1 {} {X} {'z'}"


def test_the_packages_own_file_passes_its_own_check(tmp_path: Path) -> None:
    tree: dict[str, dict[str, object]] = {}
    for name, template in default_templates("strict").items():
        node = tree
        *above, last = name.split(".")
        for part in above:
            node = node.setdefault(part, {})  # type: ignore[assignment]
        node[last] = template  # type: ignore[assignment]
    path = tmp_path / "all.json"
    path.write_text(json.dumps(tree))
    assert load_wording(path, STRICT).templates == default_templates("strict")


def test_a_users_entry_replaces_one_and_keeps_the_rest(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.yaml", q4={"prompt": "<image> Which light?"})
    wording = load_wording(path, STRICT)
    assert wording.render("q4.prompt") == "<image> Which light?"
    assert wording.templates["q7.prompt"] == default_templates("strict")["q7.prompt"]


def test_released_says_otherwise_what_its_status_is() -> None:
    strict, released = load_wording(None, STRICT), load_wording(None, RELEASED)
    changed = {key for key in strict.templates if strict.templates[key] != released.templates[key]}
    assert changed == {"q7.prompt", "planning.no_past"}
    assert strict.templates.keys() == released.templates.keys()
    assert "along its own forward (X) and left (Y) axis" in strict.templates["q7.prompt"]
    assert "along the same axes" in released.templates["q7.prompt"]


@pytest.mark.parametrize(
    ("name", "template", "complaint"),
    [
        ("q7.promt", "<image>{history}", "no template 'q7.promt'; known: .* Did you mean 'q7.prom"),
        ("q7.prompt", 7, "q7.prompt: expected text in quotes, got 7"),
        ("q7.prompt", "{views}{history}{age}", r"unknown slot {age}; known slots: {history}, {hi"),
        ("q7.prompt", "{views} Where to?", "the slot {history} is missing"),
        ("q7.prompt", "{history} Where to?", "expected one <image> or {views}, found 0"),
        ("q7.prompt", "{views}<image>{history}", "expected one <image> or {views}, found 2"),
        ("q6.view", "<{view} VIEW>", "expected one <image> or {views}, found 0"),
        ("q7.answer", "<image>{waypoints}", "expected no <image>, found 1"),
        ("q7.answer", "Nowhere.", "the slot {waypoints} is missing"),
        ("q1.nobody", "Nobody is there.", 'must start with "No, I don\'t see any"'),
    ],
)
def test_a_template_that_cannot_work_is_refused(
    tmp_path: Path, name: str, template: object, complaint: str
) -> None:
    task, _, key = name.partition(".")
    path = write(tmp_path / "mine.yaml", **{task: {key: template}})
    with pytest.raises(ValueError, match=complaint) as refused:
        load_wording(path, STRICT)
    assert str(path) in str(refused.value)


def test_optional_slots_may_go(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.yaml", q7={"prompt": "<image>{history}"})
    assert load_wording(path, STRICT).render("q7.prompt", history="h") == "<image>h"


@pytest.mark.parametrize("text", ["- a", "q7: [", "{", "\xff"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match="mine.yaml: (expected a mapping|not valid YAML)"):
        load_wording(path, STRICT)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"absent\.yaml"):
        load_wording(tmp_path / "absent.yaml", STRICT)


def test_every_sentence_says_what_the_answer_looks_like() -> None:
    """Words that answers are read by are in the prompts that ask for them."""
    for preset in ("strict", "released"):
        templates = default_templates(preset)
        for task in ("q7", "planning"):
            assert "<PLANNING> and </PLANNING>" in templates[f"{task}.prompt"]
            assert templates[f"{task}.answer"].endswith(
                "The output is formatted as [x, y]: {waypoints}"
            )
        assert "10 positions" in templates["q7.prompt"]
        assert "6 positions" in templates["planning.prompt"]
        assert templates["q1.nobody"] in templates["q1.prompt"]
        for word in "KEEP ACCELERATE DECELERATE STOP STRAIGHT RIGHT_CHANGE LEFT_TURN".split():
            assert word in templates["q2.prompt"] and word in templates["q6.prompt"]
