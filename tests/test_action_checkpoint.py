"""A checkpoint gets a codebook's tokens: an id each, rows of their own, text that survives."""

import json
from pathlib import Path
from typing import Any

import pytest

from impromptu.action_checkpoint import CODEBOOK, add_actions
from impromptu.action_tokens import Codebook, load_codebook

pytestmark = pytest.mark.train
torch = pytest.importorskip("torch", reason="needs the train extra: torch")
transformers = pytest.importorskip("transformers", reason="needs the train extra: transformers")

FEW = Codebook("uniform", (0, 50, 413), (-150, 0))
MANY = Codebook("uniform", tuple(range(300)), tuple(range(-300, 1)))


@pytest.fixture(scope="module")
def few(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("few") / "model"
    assert add_actions(str(tiny_checkpoint), FEW, out) == 0, "the tiny model has rows to spare"
    return out


def _rows(folder: Path) -> Any:
    model = transformers.AutoModelForImageTextToText.from_pretrained(folder)
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    return model.get_input_embeddings().weight.detach()


def _tokenizer(folder: Path) -> Any:
    return transformers.AutoProcessor.from_pretrained(folder, use_fast=True).tokenizer


def test_each_token_is_one_id_and_comes_back_as_it_was(few: Path) -> None:
    tokenizer = _tokenizer(few)
    text = "<PLANNING><|x+4.13|><|y-1.50|><|x+0.50|><|y+0.00|></PLANNING>"
    ids = tokenizer(text).input_ids
    assert [tokenizer.decode([one]) for one in ids if one >= len(tokenizer) - 5] == [
        "<|x+4.13|>",
        "<|y-1.50|>",
        "<|x+0.50|>",
        "<|y+0.00|>",
    ]
    assert tokenizer.decode(ids, skip_special_tokens=True) == text
    assert load_codebook(few / CODEBOOK) == FEW


def test_a_new_row_is_the_weighted_mean_of_its_texts_rows(few: Path, tiny_checkpoint: Path) -> None:
    before, after = _rows(tiny_checkpoint), _rows(few)
    old, new = _tokenizer(tiny_checkpoint), _tokenizer(few)
    spelled = old("x+4.13").input_ids
    share = torch.tensor([0.5**k for k in range(len(spelled))])
    wanted = (share / share.sum()) @ before[spelled]
    torch.testing.assert_close(after[new.convert_tokens_to_ids("<|x+4.13|>")], wanted)
    torch.testing.assert_close(after[: len(old)], before[: len(old)])
    rows = after[[new.convert_tokens_to_ids(token) for token in FEW.tokens]]
    assert len({tuple(row.tolist()) for row in rows}) == len(FEW.tokens)


def test_embeddings_grow_where_rows_are_short(tiny_checkpoint: Path, tmp_path: Path) -> None:
    rows = add_actions(str(tiny_checkpoint), MANY, tmp_path / "many")
    grown = _rows(tmp_path / "many")
    assert rows > 0 and len(grown) == len(_rows(tiny_checkpoint)) + rows
    assert len(_tokenizer(tmp_path / "many")) <= len(grown)
    config = json.loads((tmp_path / "many/config.json").read_text())
    assert config.get("text_config", config)["vocab_size"] == len(grown)


def test_what_cannot_be_added(few: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has action tokens already"):
        add_actions(str(few), FEW, tmp_path / "again")
    with pytest.raises(FileExistsError, match="choose another --out"):
        add_actions(str(tiny_checkpoint), FEW, few)
    assert not (tmp_path / "again").exists()
