"""Quantization: what is shown to the library, and what is left when it fails; the library itself
runs where it is installed."""

import json
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from impromptu.cli import main
from impromptu.conversation import Sample, registry_entry
from impromptu.engines import Settings
from impromptu.quantization import RECORD, choose, quantize

ANSWERS = {"a": "<PLANNING>[1.0, 0.0]</PLANNING>", "b": "KEEP,STRAIGHT", "c": "STOP,STRAIGHT"}
SAMPLES = [Sample(f"{k}/q", (f"{k}.png",), "<image>\nWhat?", text) for k, text in ANSWERS.items()]


@pytest.fixture
def media(tmp_path: Path) -> Path:
    folder = tmp_path / "media"
    folder.mkdir()
    for name, colour in (("a", "red"), ("b", "blue")):  # c has none
        Image.new("RGB", (56, 56), colour).save(folder / f"{name}.png")
    (folder / "three.json").write_text(json.dumps([one.to_sharegpt() for one in SAMPLES]))
    registry = {"three": registry_entry("three.json")}
    (folder / "dataset_info.json").write_text(json.dumps(registry))
    return folder


class Library:
    """Stands in for llm-compressor; remembers what it was given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.recipe: list[Any] = []
        self.rows: list[Any] = []
        self.fault: Exception | None = None
        parts: dict[str, dict[str, Any]] = {
            "llmcompressor": {"oneshot": self.oneshot, "__version__": "0"},
            "llmcompressor.modifiers.quantization": {"QuantizationModifier": SimpleNamespace},
            "llmcompressor.modifiers.transform.awq": {
                "AWQModifier": SimpleNamespace,
                "AWQMapping": lambda smooth, balanced: (smooth, balanced),
            },
        }
        for name, content in parts.items():
            module = ModuleType(name)
            for key, value in content.items():
                setattr(module, key, value)
            monkeypatch.setitem(sys.modules, name, module)
        monkeypatch.setattr("impromptu.quantization.version", lambda _: "0")

    def oneshot(self, *, model: Any, recipe: Any, dataset: Any, **_: Any) -> None:
        if self.fault:
            raise self.fault
        self.recipe, self.rows = recipe, list(dataset)


def test_samples_are_drawn_by_the_seed_and_keep_their_order() -> None:
    many = [Sample(str(number), (), "?", "!") for number in range(100)]
    drawn = choose(many, 10, seed=3)
    assert drawn == choose(many, 10, seed=3) != choose(many, 10, seed=4)
    assert [int(one.id) for one in drawn] == sorted({int(one.id) for one in drawn})
    assert choose(many, 1_000, seed=0) == many


@pytest.mark.train
def test_the_library_is_shown_prompts_with_their_answers(
    tiny_checkpoint: Path, media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AutoTokenizer

    library = Library(monkeypatch)
    out = tmp_path / "four_bits"
    done = quantize(Settings(str(tiny_checkpoint), media), SAMPLES, out)
    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint)
    ends = [
        tokenizer.decode(row["input_ids"][0]).rpartition("assistant\n")[2] for row in library.rows
    ]
    assert ends == [f"{ANSWERS[name]}<|im_end|>" for name in "ab"]
    for row in library.rows:
        assert row["input_ids"].shape == row["attention_mask"].shape
        assert row["attention_mask"].all()
    assert list(done.refused) == ["c/q"]
    assert done.layers == 4 * 7  # q, k, v, o, gate, up, down of four layers
    record = json.loads((out / RECORD).read_text())
    assert record["calibrated_on"] == ["a/q", "b/q"]
    assert record["bytes_before"] == done.bytes_before > 0
    assert (out / "tokenizer.json").is_file()


@pytest.mark.train
def test_the_layers_named_are_the_language_model_s_and_no_others(
    tiny_checkpoint: Path, media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from impromptu.engines.transformers import load

    library = Library(monkeypatch)
    quantize(Settings(str(tiny_checkpoint), media), SAMPLES[:1], tmp_path / "out")
    names = [name for name, _ in load(Settings(str(tiny_checkpoint), media)).model.named_modules()]
    scaling, rounding = library.recipe
    for smooth, balanced in scaling.mappings:
        for pattern in (smooth, *balanced):
            found = [name for name in names if re.match(pattern.removeprefix("re:"), name)]
            assert len(found) == 4, pattern  # one a layer, none in the vision tower
            assert not any("visual" in name for name in found)
    kept = [n for n in names if any(re.match(p.removeprefix("re:"), n) for p in rounding.ignore)]
    assert {n.split(".")[0] for n in kept} == {"lm_head", "model"}
    assert all("visual" in n or n == "lm_head" for n in kept)


@pytest.mark.train
def test_a_failure_leaves_nothing_behind(
    tiny_checkpoint: Path, media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = Library(monkeypatch)
    library.fault = ValueError("no")
    with pytest.raises(ValueError, match="no"):
        quantize(Settings(str(tiny_checkpoint), media), SAMPLES[:1], tmp_path / "q" / "out")
    assert not list(tmp_path.glob("q/*"))


@pytest.mark.train
@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"--model_name_or_path": "nowhere"}, "nowhere: no such folder; expected a checkpoint"),
        ({"--samples": "0"}, "expected at least 1"),
        ({"--dataset": "tree"}, "Did you mean 'three'?"),
        ({"--out": "."}, "is there already"),
        ({"--media_dir": "nowhere"}, "no sample to calibrate on; the first: a/q"),
    ],
)
def test_what_cannot_be_done_is_told(
    tiny_checkpoint: Path,
    media: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, str],
    told: str,
) -> None:
    Library(monkeypatch)
    flags = {
        "--model_name_or_path": str(tiny_checkpoint),
        "--dataset": "three",
        "--dataset_dir": str(media),
        "--out": str(tmp_path / "out"),
    } | change
    assert main(["quantize", *(word for pair in flags.items() for word in pair)]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.train
def test_a_missing_library_is_answered_with_the_command(
    tiny_checkpoint: Path, media: Path, tmp_path: Path
) -> None:
    if find_spec("llmcompressor"):
        pytest.skip("llm-compressor is installed")
    with pytest.raises(ModuleNotFoundError) as caught:
        quantize(Settings(str(tiny_checkpoint), media), SAMPLES, tmp_path / "out")
    assert "impromptu-vla[quantize]" in caught.value.__notes__[0]


@pytest.mark.train
@pytest.mark.slow
def test_the_library_makes_a_smaller_checkpoint_that_answers(
    tiny_checkpoint: Path, media: Path, tmp_path: Path
) -> None:
    if not find_spec("llmcompressor"):
        pytest.skip("needs an environment with the quantize extra: llmcompressor")
    from impromptu.engines.transformers import load

    out = tmp_path / "out"
    done = quantize(Settings(str(tiny_checkpoint), media), SAMPLES[:2], out)
    # A third of the bytes: embeddings, vision tower and head of so small a model stay whole.
    assert done.bytes_after < 0.6 * done.bytes_before
    assert "pack-quantized" in (out / "config.json").read_text()
    answers = load(Settings(str(out), media))(SAMPLES[:2])
    assert [answer.finish_reason for answer in answers] != ["error", "error"]
