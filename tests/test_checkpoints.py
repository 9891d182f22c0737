"""A mistyped folder is told at once, and never asked of the hub."""

from pathlib import Path

import pytest

from impromptu import checkpoints


@pytest.fixture
def saves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``saves`` with a checkpoint and an empty folder, in the folder of the present."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "saves/bs8").mkdir(parents=True)
    (tmp_path / "saves/bs8/config.json").write_text("{}")
    (tmp_path / "saves/empty").mkdir()
    return tmp_path / "saves"


@pytest.mark.parametrize("model", ["saves/bs8", "./saves/bs8", "Qwen/Qwen2.5-VL-3B-Instruct"])
def test_a_checkpoint_and_a_name_of_the_hub_pass(model: str, saves: Path) -> None:
    checkpoints.check(model)
    checkpoints.check(str(saves / "bs8"))
    assert checkpoints.is_folder(model) == ("saves" in model)


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("saves/bs9", r"saves/bs9: no such folder; .*Did you mean 'bs8'\?"),
        ("/no/such/folder", "no such folder; expected a checkpoint"),
        ("./none", "no such folder"),
        ("saves/bs8/checkpoint-3", "no such folder"),
        ("none", "no such folder"),
        ("saves/empty", "saves/empty: expected a checkpoint folder, with a config.json"),
    ],
)
def test_a_folder_without_a_checkpoint_is_told(model: str, told: str, saves: Path) -> None:
    with pytest.raises(FileNotFoundError, match=told):
        checkpoints.check(model)


def test_no_name_is_told() -> None:
    with pytest.raises(ValueError, match="no model given"):
        checkpoints.check("")
