"""The whole of it on made-up trainings: what is told, counted and answered to the shell."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from impromptu.audits import Finding
from impromptu.cli import main
from impromptu.preflight import Asked, Report, parser, preflight

from .conftest import sample, shown

Training = Callable[..., Path]
pytestmark = pytest.mark.train


@pytest.fixture(autouse=True)
def without_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    """LLaMA-Factory's parser takes ten seconds; one test runs it."""
    monkeypatch.setattr(parser, "find_spec", lambda _: None)


def look(path: Path, model: Path, *overrides: str, **asked: Any) -> Report:
    return preflight(Asked(path, (f"model_name_or_path={model}", *overrides), **asked))


def found(report: Report) -> dict[str, Finding]:
    return {finding.name: finding for one in report.sections for finding in one.findings}


def errors(report: Report) -> set[str]:
    return {finding.name for finding in report.of("error")}


GOOD = [shown("a", "usual.jpg"), shown("b", "large.jpg", "odd.jpg"), sample("c")]


def test_a_good_training_is_let_go(training: Training, tiny_checkpoint: Path) -> None:
    report = look(training({"x_train": GOOD}), tiny_checkpoint)
    assert report.exit_code == 0
    told = found(report)
    assert told["samples"].count == told["samples"].of == 3
    # 6 x 3, and 900 x 700 px brought to 580 x 451: 21 x 16, and 12 x 5 tokens of 28 x 28 px.
    assert told["tokens"].figures["image_tokens"] == 18 + 21 * 16 + 12 * 5


BAD: dict[str, list[Any]] = {
    "marks": [shown("m", "usual.jpg", text="<image>")],
    "missing_image": [shown("g", "gone.jpg")],
    "odd_turns": [{"id": "o", "messages": sample("o")["messages"][:1]}],
    "wrong_roles": [{"id": "w", "messages": sample("w")["messages"][::-1]}],
    "no_turns": [{"id": "n", "messages": []}],
    "no_messages": [{"id": "n"}],
    "wrong_type": [7],
    "image_token": [sample("i", "<|image_pad|>")],
    "no_utf8": [sample("u", "\ud800")],
    "answer_cut": [sample("l", "word " * 3_000)],
    "image_cut": [shown("l", "usual.jpg")],
    "mixed_types": [sample(5)],
}


@pytest.mark.parametrize("reason", BAD)
def test_each_loss_is_counted_and_named(
    reason: str, training: Training, tiny_checkpoint: Path
) -> None:
    rows = [*GOOD, *BAD[reason] * 2]
    if reason == "image_cut":
        rows[-1] = shown("late", "large.jpg", text="x")
        rows[-1]["messages"][0]["content"] = "word " * 3_000 + "<image>"
    report = look(training({"x_train": rows}), tiny_checkpoint)
    assert report.exit_code == 1
    assert reason in errors(report)
    count = {"mixed_types": 0, "image_cut": 1}.get(reason, 2)
    assert found(report)[reason].count == count
    if count:
        assert "x_train.json: record 5" in found(report)[reason].examples[-1]
    figures = found(report)["samples"].figures["x_train"]
    assert figures["records"] == figures["trained"] + figures["skipped"] + figures["stops"] == 5


def test_what_is_left_out_on_purpose_is_counted_and_let_go(
    training: Training, tiny_checkpoint: Path
) -> None:
    rows = [sample(f"{n}") for n in range(20)]
    path = training({"x_train": rows}, max_samples=15, val_size=0.2, max_steps=1)
    report = look(path, tiny_checkpoint, "per_device_train_batch_size=4")
    told = found(report)
    assert report.exit_code == 0
    assert told["samples"].figures["x_train"]["max_samples"] == 5
    assert (told["val_size"].count, told["val_size"].of) == (3, 15)
    assert (told["unseen"].count, told["unseen"].of) == (8, 12)


def test_the_same_image_and_log_in_what_is_held_out(
    training: Training, tiny_checkpoint: Path
) -> None:
    train = [shown("d/l1/1/q5", "usual.jpg"), shown("d/l2/1/q5", "odd.jpg")]
    test = [shown("d/l1/9/q5", "copy.jpg"), shown("d/l3/9/q5", "odd.jpg")]
    path = training({"x_train": train, "x_test": test, "y": test, "z": [sample("1")]})
    folder = path.parent / "data"
    (folder / "copy.jpg").write_bytes((folder / "usual.jpg").read_bytes())
    told = found(look(path, tiny_checkpoint))
    assert told["same_log"].count == told["same_image"].count == 1
    assert told["same_content_in_splits"].count == 1
    assert errors(look(path, tiny_checkpoint, held_out=("z",))) == set()
    assert "same_log" in errors(look(path, tiny_checkpoint, held_out=("y",)))


def test_answers_that_their_question_cannot_read(training: Training, tiny_checkpoint: Path) -> None:
    rows = [sample("d/l/1/q6", "FLY,UP"), sample("d/l/2/q6"), sample("d/l/3/q4", "blue")]
    report = look(training({"x_train": rows}), tiny_checkpoint)
    assert {"unreadable_q6", "unreadable_q4"} <= errors(report)


@pytest.mark.parametrize(
    ("entry", "given", "name"),
    [
        ({}, {"dataset": "x_trian"}, "unknown_dataset"),
        ({"hf_hub_url": "a/b"}, {}, "not_checked"),
        ({"formatting": "alpaca"}, {}, "not_checked"),
        ({"file_name": "gone.json"}, {}, "no_file"),
        ({"file_name": ".."}, {}, "no_file"),
        ({"file_name": "usual.jpg"}, {}, "no_file"),
        ({"file_name": 3}, {}, "registry_entry"),
        ({"file_name": "a\0b.json"}, {}, "registry_entry"),
        ({"columns": [1]}, {}, "not_checked"),
        ({"ranking": True}, {}, "not_checked"),
        ({}, {"dataset_dir": "/nowhere"}, "no_registry"),
        ({}, {"dataset_dir": "ONLINE"}, "not_checked"),
        ({}, {"template": "qwen2_5_vl"}, "template"),
        ({}, {"template": "qwen3_vl"}, "template"),
        ({}, {"template": None}, "template"),
        ({}, {"deepspeed": "gone.json"}, "deepspeed"),
        ({}, {"model_name_or_path": "/nowhere"}, "no_model"),
        ({}, {"stage": "dpo"}, "not_checked"),
        ({}, {"dataset": None}, "no_dataset"),
    ],
)
def test_what_is_wrong_outside_of_the_samples(
    entry: dict[str, Any],
    given: dict[str, Any],
    name: str,
    training: Training,
    tiny_checkpoint: Path,
) -> None:
    values = {"model_name_or_path": str(tiny_checkpoint)} | given
    path = training({"x_train": GOOD}, entry, **values)
    report = preflight(Asked(path))
    assert name in errors(report)
    if name == "unknown_dataset":
        assert "Did you mean 'x_train'?" in found(report)[name].text
    if given.get("template") == "qwen3_vl":
        assert "whose template is qwen2_vl" in found(report)[name].text


def test_output_and_defaults(training: Training, tiny_checkpoint: Path, tmp_path: Path) -> None:
    path = training({"x_train": GOOD})
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").touch()
    told = found(look(path, tiny_checkpoint, "cutoff_len=null", "freeze_vision_tower=null"))
    assert told["output_dir"].severity == "warning"
    (tmp_path / "out" / "model.safetensors").touch()
    assert "output_dir" in errors(look(path, tiny_checkpoint))
    (tmp_path / "out" / "checkpoint-9").mkdir()
    assert found(look(path, tiny_checkpoint))["resumes"].severity == "warning"
    assert not errors(look(path, tiny_checkpoint, "overwrite_output_dir=true"))


def test_keys_that_are_not_given_are_named(training: Training, tiny_checkpoint: Path) -> None:
    path = training({"x_train": GOOD})
    lines = [line for line in path.read_text().splitlines() if "freeze" not in line]
    path.write_text("\n".join(line for line in lines if "cutoff" not in line))
    told = found(look(path, tiny_checkpoint))
    assert "2,048" in told["cutoff_default"].text
    assert "freeze_vision_tower, freeze_multi_modal_projector" in told["frozen_default"].text


def test_workers_find_the_same(training: Training, tiny_checkpoint: Path) -> None:
    rows = [shown(f"d/l/{n}/q5", "usual.jpg", text="word " * (n % 900)) for n in range(2_000)]
    rows += [row for bad in BAD.values() for row in bad]
    path = training({"x_train": rows, "x_val": rows[:9]})
    one = look(path, tiny_checkpoint).to_json()
    assert one == look(path, tiny_checkpoint, workers=2).to_json()


def test_a_row_too_deep_to_be_sent_is_counted(training: Training, tiny_checkpoint: Path) -> None:
    deep = "[" * 700 + "]" * 700
    rows = f'[{json.dumps(sample("a"))}, {{"id": "b", "messages": {deep}}}]'
    path = training({"x_train": rows})
    for workers in (1, 2):
        figures = found(look(path, tiny_checkpoint, workers=workers))["samples"].figures["x_train"]
        assert (figures["records"], figures["trained"], figures["stops"]) == (2, 1, 1)


def test_lora_and_full_learn_what_they_say(training: Training, tiny_checkpoint: Path) -> None:
    path = training({"x_train": GOOD})
    full = found(look(path, tiny_checkpoint))["parameters"]
    assert full.figures["trained"] == full.figures["language model"]
    told = found(look(path, tiny_checkpoint, "finetuning_type=lora", "lora_rank=4"))["parameters"]
    # q, k, v, o: 128 to 128, 64, 64, 128; gate, up, down: 128 and 256; in four layers.
    layer = 256 + 192 + 192 + 256 + 3 * 384
    assert told.figures["trained"] == 4 * 4 * layer
    frozen = look(path, tiny_checkpoint, "freeze_language_model=true")
    assert "nothing_learns" in errors(frozen)


def test_time_is_told_only_at_a_given_speed(training: Training, tiny_checkpoint: Path) -> None:
    path = training({"x_train": [sample("a")] * 1}, num_train_epochs=1)
    assert not found(look(path, tiny_checkpoint))["time"].figures
    told = found(look(path, tiny_checkpoint, tokens_per_s=1.0, gpus=1))
    # One step of eight samples, of which the batch has one.
    tokens = told["tokens"].figures["total"] * 8
    assert told["time"].figures["hours"] == pytest.approx(tokens / 3600)


def test_what_is_printed_and_answered(
    training: Training, tiny_checkpoint: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = training({"x_train": [*GOOD, *BAD["missing_image"]]})
    told = tmp_path / "told.json"
    command = ["preflight", str(path), f"model_name_or_path={tiny_checkpoint}", "--workers", "1"]
    assert main([*command, "--json", str(told)]) == 1
    out = capsys.readouterr().out
    assert out.splitlines()[1] == "Samples"  # what is wrong comes first
    assert "x_train.json: record 4, g: gone.jpg" in out
    assert out.splitlines()[-1].startswith(f"{path}: do not start (")
    written = json.loads(told.read_text())
    assert written["exit_code"] == 1
    assert written["sections"]["samples"][0]["name"] == "missing_image"


def test_every_loss_is_listed(training: Training, tiny_checkpoint: Path, tmp_path: Path) -> None:
    late = shown("late", "large.jpg", text="x")
    late["messages"][0]["content"] = "word " * 3_000 + "<image>"
    long = [sample(f"long{n}", "word " * (3_000 + n)) for n in range(9)]
    noted = sample("n", "Yes.<|im_end|>")
    path = training({"x_train": [*GOOD, *long, *BAD["missing_image"], late, noted]})
    lost = tmp_path / "new/lost.jsonl"
    report = look(path, tiny_checkpoint, lost=lost)
    lines = [json.loads(line) for line in lost.read_text().splitlines()]
    assert [(one["record"], one["id"], one["reason"]) for one in lines] == [
        *((4 + n, f"long{n}", "answer_cut") for n in range(9)),
        (13, "g", "missing_image"),
        (14, "late", "image_cut"),
    ]
    over = [one for one in lines if (one["tokens"] or 0) > 2048]
    assert len(over) == found(report)["tokens"].count == 10
    assert {one["file"] for one in lines} == {"x_train.json"}


@pytest.mark.parametrize(
    "flags", [["--gpus", "0"], ["--workers", "0"], ["--tokens_per_s", "nan"], ["no_value"]]
)
def test_bad_flags_are_one_line(
    flags: list[str], training: Training, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["preflight", str(training({"x_train": GOOD})), *flags]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_a_pipe_as_data_or_image_does_not_hang(training: Training, tiny_checkpoint: Path) -> None:
    path = training({"x_train": [shown("a", "pipe.jpg")]}, {})
    os.mkfifo(path.parent / "data/pipe.jpg")
    report = look(path, tiny_checkpoint)
    assert errors(report) & {"missing_image", "not_a_file"}
    os.remove(path.parent / "data/x_train.json")
    os.mkfifo(path.parent / "data/x_train.json")
    assert "no_file" in errors(look(path, tiny_checkpoint))


@pytest.mark.slow
def test_llamafactory_parses_it_where_it_is_installed(
    training: Training, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("llamafactory.cli", reason="needs the train extra: llamafactory")
    monkeypatch.undo()
    path = training({"x_train": GOOD}, image_resolution=9)
    report = look(path, tiny_checkpoint)
    assert "image_resolution" in found(report)["refused"].text
    assert "parsed" in found(look(training({"x_train": GOOD}), tiny_checkpoint))
