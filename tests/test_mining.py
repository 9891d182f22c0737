import itertools
import json
from pathlib import Path

import pytest
import yaml

from impromptu.cli import main
from impromptu.conversation import Sample
from impromptu.mining import mine, task_of
from impromptu.preset import RELEASED
from impromptu.wording import load_wording

STEERING = "(positive: to the left, negative: to the right)"
VIEWS = "".join(f"<{view} VIEW>:\n<image>\n" for view in ("FRONT", "FRONT LEFT", "FRONT RIGHT"))


def _planning(number: int, entries: int = 7) -> Sample:
    """A planning sample with no blank before its history sentence and ``[x, y]:.`` in it."""
    times = [0.5 * k for k in range(entries - 1, -1, -1)]
    history = ", ".join(
        f"(t-{t}s) [{-2.5 * t - number / 10 if t else 0.0}, {round(0.3 * t, 2) if t else 0.0}], "
        f"Acceleration: X 0.1, Y -{number}.25 m/s^2, Velocity: {number}.5 m/s, "
        f"Steering angle: -1.{number} {STEERING}"
        for t in times
    )
    points = ", ".join(f"[{2.5 * k}, {k / 2}]" for k in range(1, 7))
    return Sample(
        f"token{number}",
        ("a.jpg",),
        f"Look <image> ahead and plan 3 timesteps, 3.0 seconds.It was, over the last {times[0]} "
        f"seconds, in format [x, y]:.{history}\n",
        f"<PLANNING>Here. The output is formatted as [x, y]: {points}</PLANNING>",
    )


def _trajectory(number: int) -> Sample:
    history = ", ".join(
        f"(t-{t}s) [{at}], Acceleration: X {number}.00, Y 0.12 m/s^2, Velocity: X 3.10, Y -0.50 m/s"
        for t, at in ((1.5, "-4.50, 0.10"), (1.0, "-3.00, 0.05"), (0.5, "-1.50, 0.00"))
    )
    history += (
        ", (t-0.0s) [0.0, 0.0], Acceleration: X 0.00, Y 0.00 m/s^2, Velocity: X 3.00, Y 0.00 m/s"
    )
    points = ", ".join(f"[{3 * k}.00, 0.{k:02}]" for k in range(1, 11))
    prompt = f"{VIEWS}It moved, format [x, y]:\n{history}\nGo on."
    return Sample(str(number), ("a",) * 3, prompt, f"Formatted as [x, y]: {points}")


def _plan(number: int, command: str, answer: str) -> Sample:
    prompt = (
        f"{VIEWS}Speed {number} m/s, the command says {command}. Plan the next three seconds "
        "with a word each, KEEP, STOP; such as KEEP, LEFT_CHANGE."
    )
    return Sample(f"plan{number}", ("a",) * 3, prompt, answer)


def _reason(number: int, decision: str, command: str) -> Sample:
    prompt = f"{VIEWS}At {number} m/s, told to {command}, we {decision}. Why?"
    return Sample(f"why{number}", ("a",) * 3, prompt, "")


def _objects(number: int, view: str) -> Sample:
    prompt = (
        f"In the {view} view <image> there is\n"
        f"Object 1: car, {number} meters ahead, 3 meters to the left, speed of 4 m/s.\n"
        "Object 2: LARGE_VEHICLE, 7 meters behind, 0 meters to the right, speed of 0 m/s.\n"
        "Answer such as <DYNAMIC OBJECTS>Object 1: KEEP, STRAIGHT</DYNAMIC OBJECTS>"
    )
    return Sample(
        f"q2-{number}", ("a",), prompt, "Object 1: KEEP, STRAIGHT\nObject 2: STOP, STRAIGHT"
    )


def _sighting(number: int, answer: str) -> Sample:
    return Sample(f"q1-{number}", ("a",), "<FRONT VIEW>:<image>\nAnyone within 20 m?", answer)


def _all() -> list[Sample]:
    decisions = (
        "accelerate and go straight",
        "stop the car",
        "maintain the current speed and change to the left lane",
    )
    return [
        *(_planning(n, entries) for n, entries in enumerate((7, 7, 7, 3, 1))),
        *map(_trajectory, range(3)),
        _plan(3, "go straight", "KEEP,STRAIGHT"),
        _plan(12, "go straight and turn left", "KEEP,STRAIGHT"),
        _plan(4, "turn right", "<SPEED PATH PLAN>STOP,RIGHT_TURN</SPEED PATH PLAN>"),
        *(_reason(n, d, "go straight") for n, d in enumerate(decisions)),
        *(_objects(n, view) for n, view in enumerate(("FRONT", "BACK LEFT", "SIDE RIGHT"))),
        _sighting(1, "No, I don't see any of them."),
        _sighting(2, "Yes, I see a PEDESTRIAN located 4 meters ahead of me."),
        Sample("light", ("a",), "What colour <image>: Red, Green, Yellow, None?", "Green"),
        Sample("scene", ("a",), "The front left camera saw <image>. Describe.", "A road."),
    ]


def test_the_task_is_told_by_the_shape() -> None:
    tasks = [task_of(sample) for sample in _all()]
    assert tasks == [
        *["planning"] * 4,
        *["planning"],
        *["q7"] * 3,
        *["q6"] * 3,
        *["q3"] * 3,
        *["q2"] * 3,
        *["q1"] * 2,
        "q4",
        "q5",
    ]


def test_every_sample_comes_out_letter_for_letter() -> None:
    mined, unknown = mine(_all())
    assert not unknown
    assert {one.task for one in mined} == {"planning", *(f"q{n}" for n in range(1, 8))}
    for one in mined:
        assert not one.trouble
        assert one.prompts_same == one.answers_same == one.samples


def test_the_sentences_have_slots() -> None:
    mined, _ = mine(_all())
    found = {name: text for one in mined for name, text in one.templates.items()}
    assert found["planning.prompt"] == (
        "Look <image> ahead and plan 3 timesteps, 3.0 seconds.It was, over the last {history_s} "
        "seconds, in format [x, y]:.{history}\n"
    )
    assert found["planning.velocity"] == "Velocity: {x} m/s"
    assert found["planning.steering"] == f"Steering angle: {{steering}} {STEERING}"
    assert found["q1.view"] == "<{view} VIEW>:<image>\n"
    assert found["q1.nobody"] == "No, I don't see any of them."
    assert found["q3.prompt"] == "{views}At {speed} m/s, told to {command}, we {decision}. Why?"
    assert found["q5.prompt"] == "The {view_lower} camera saw <image>. Describe."
    assert found["q7.answer"] == "Formatted as [x, y]: {waypoints}"


def test_a_word_that_is_said_twice_is_one_slot() -> None:
    twice = [
        Sample(v, ("a",), f"The {v} view: <image> What is in the {v} view?", "A road.")
        for v in ("FRONT", "BACK LEFT", "SIDE RIGHT")
    ]
    (scene,), _ = mine(twice)
    expected = "The {view} view: <image> What is in the {view} view?"
    assert scene.templates["q5.prompt"] == expected
    assert (scene.prompts_same, scene.trouble) == (3, "")


def test_a_trajectory_prompt_keeps_to_its_own_status() -> None:
    odd = Sample(
        "s", ("a",) * 3, _trajectory(1).prompt + " Steering angle: 1 rad", _trajectory(1).answer
    )
    (mined,), _ = mine([odd])
    assert "q7.prompt" in mined.templates and "q7.steering" not in mined.templates


def test_a_sample_in_other_words_is_reported() -> None:
    odd = Sample("odd", ("a",), "How red is <image>: Red, Green, Yellow, None?", "Red")
    usual = [Sample(f"{n}", ("a",), "<image> Red, Green, Yellow?", "Red") for n in range(3)]
    (light,), _ = mine([*usual, odd])
    assert (light.samples, light.prompts_same, light.answers_same) == (4, 3, 4)
    assert light.trouble.startswith("odd: of another form: 'How red")


def test_numbers_in_another_form_are_reported() -> None:
    sample = _planning(1)
    odd = Sample("odd", sample.images, sample.prompt.replace("1.5 m/s", "1.50 m/s"), sample.answer)
    (planning,), _ = mine([_planning(n) for n in range(3)] + [odd])
    assert planning.prompts_same == 3
    assert planning.trouble.startswith("odd: has ")


def test_sentences_that_lack_a_slot_are_not_used() -> None:
    sample = Sample("a", ("a",), "<FRONT VIEW>:\n<image>\nPlan.", "KEEP,STRAIGHT")
    (plan,), _ = mine([sample])
    assert not plan.templates
    assert "slot" in plan.trouble


def test_the_command_writes_a_file_that_wording_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "released.json", tmp_path / "wording.yaml"
    source.write_text(json.dumps([sample.to_sharegpt() for sample in _all()]))
    assert main(["wording", "--from", str(source), "--out", str(out)]) == 0
    wording = load_wording(out, RELEASED)
    mined, _ = mine(_all())
    for name, text in itertools.chain(*(one.templates.items() for one in mined)):
        assert wording.templates[name] == text
    assert "planning: 5 samples; letter for letter the same: 5 prompts, 5 answers" in (
        capsys.readouterr().out
    )
    assert yaml.safe_load(out.read_text()).keys() == {
        "planning",
        *(f"q{number}" for number in range(1, 8)),
    }


def test_the_command_reads_json_lines_and_says_what_it_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "released.jsonl", tmp_path / "wording.yaml"
    odd = Sample("odd", (), "Anything?", "Nothing.")
    rows = [*map(_trajectory, range(2)), odd]
    source.write_text("\n".join(json.dumps(sample.to_sharegpt()) for sample in rows))
    assert main(["wording", "--from", str(source), "--out", str(out)]) == 1
    assert "1 samples are of no known task, the first is odd" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["{}", "[]", "[1]", '[{"messages": []}]'])
def test_other_files_are_refused(
    tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "released.json"
    source.write_text(content)
    assert main(["wording", "--from", str(source), "--out", str(tmp_path / "out.yaml")]) == 2
    assert str(source) in capsys.readouterr().err
    assert not (tmp_path / "out.yaml").exists()
