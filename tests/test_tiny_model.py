import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from impromptu import tiny_model
from impromptu.cli import main
from impromptu.wording import default_templates

pytestmark = pytest.mark.train

# In the order of Qwen2.5-VL's tokenizer, where they are 151643 to 151656.
QWEN_SPECIAL = """
<|endoftext|> <|im_start|> <|im_end|> <|object_ref_start|> <|object_ref_end|> <|box_start|>
<|box_end|> <|quad_start|> <|quad_end|> <|vision_start|> <|vision_end|> <|vision_pad|>
<|image_pad|> <|video_pad|>
""".split()


@pytest.fixture(scope="module")
def tokenizer(tiny_checkpoint: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_checkpoint)


@pytest.mark.slow
def test_another_process_writes_the_same_bytes(tiny_checkpoint: Path, tmp_path: Path) -> None:
    code = "import sys; from impromptu.cli import main; raise SystemExit(main(sys.argv[1:]))"
    arguments = ["tiny-model", "--out", str(tmp_path / "again")]
    environment = os.environ | {"PYTHONHASHSEED": "7"}
    subprocess.run([sys.executable, "-c", code, *arguments], env=environment, check=True)
    again = sorted((tmp_path / "again").iterdir())
    assert [path.name for path in again] == sorted(path.name for path in tiny_checkpoint.iterdir())
    for path in again:
        assert path.read_bytes() == (tiny_checkpoint / path.name).read_bytes(), path.name


def test_another_seed_draws_other_weights(tiny_checkpoint: Path, tmp_path: Path) -> None:
    name = "model.safetensors"
    other = tiny_model.build(tmp_path / "other", seed=1) / name
    assert other.read_bytes() != (tiny_checkpoint / name).read_bytes()


def test_special_tokens_are_qwens_in_qwens_order_after_all_others(tokenizer: Any) -> None:
    ids = tokenizer.convert_tokens_to_ids(QWEN_SPECIAL)
    assert ids == list(range(len(tokenizer) - len(QWEN_SPECIAL), len(tokenizer)))
    assert len(tokenizer) <= tiny_model.VOCABULARY
    assert (tokenizer.eos_token, tokenizer.pad_token) == ("<|im_end|>", "<|endoftext|>")
    assert tokenizer.bos_token is None


def test_each_digit_is_a_token(tokenizer: Any) -> None:
    pieces = tokenizer.convert_ids_to_tokens(tokenizer("[12.50, -307.4]")["input_ids"])
    assert [piece for piece in pieces if any(map(str.isdigit, piece))] == list("12503074")


def test_the_projects_own_words_are_one_token_each(tokenizer: Any) -> None:
    assert "positions" in default_templates("strict")["planning.prompt"]
    assert len(tokenizer(" positions")["input_ids"]) == 1


@pytest.mark.parametrize("text", ["<PLANNING>[1.5, -0.2]</PLANNING>", "Straße 信号 🚦\t\r\n  x"])
def test_any_text_comes_back(tokenizer: Any, text: str) -> None:
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_the_config_is_flat_and_consistent(tiny_checkpoint: Path, tokenizer: Any) -> None:
    from transformers import AutoConfig

    written = json.loads((tiny_checkpoint / "config.json").read_text())
    assert "text_config" not in written
    for key, token in {
        "image_token_id": "<|image_pad|>",
        "video_token_id": "<|video_pad|>",
        "vision_start_token_id": "<|vision_start|>",
        "eos_token_id": "<|im_end|>",
    }.items():
        assert written[key] == tokenizer.convert_tokens_to_ids(token)
    config = AutoConfig.from_pretrained(tiny_checkpoint)
    assert config.text_config.hidden_size == config.vision_config.out_hidden_size == 128
    # Rotary sections share out half of a head among time, height and width.
    half_head = config.text_config.hidden_size // config.text_config.num_attention_heads // 2
    assert sum(written["rope_scaling"]["mrope_section"]) == half_head


def test_it_is_a_qwen_that_loads_without_a_word(tiny_checkpoint: Path) -> None:
    from transformers import AutoModelForImageTextToText, AutoProcessor

    model, told = AutoModelForImageTextToText.from_pretrained(
        tiny_checkpoint, output_loading_info=True
    )
    assert type(model).__name__ == "Qwen2_5_VLForConditionalGeneration"
    assert not any(told.values()), "no missing, unexpected or mismatched weights"
    assert 0.9e6 < model.num_parameters() < 1.5e6
    processor = AutoProcessor.from_pretrained(tiny_checkpoint, use_fast=True)
    assert type(processor).__name__ == "Qwen2_5_VLProcessor"


def test_building_leaves_the_callers_random_state_alone(tmp_path: Path) -> None:
    import torch

    before = torch.random.get_rng_state()
    tiny_model.build(tmp_path / "tiny")
    assert torch.random.get_rng_state().equal(before)


def test_building_again_changes_nothing(tiny_checkpoint: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in tiny_checkpoint.iterdir()}
    tiny_model.build(tiny_checkpoint)
    assert {path: path.stat().st_mtime_ns for path in tiny_checkpoint.iterdir()} == before
    with pytest.raises(FileExistsError, match="holds something else"):
        tiny_model.build(tiny_checkpoint, seed=1)


def test_a_folder_with_content_is_not_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert main(["tiny-model", "--out", str(tmp_path)]) == 2
    assert "holds something else; choose another --out" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
