"""Fixtures that several folders of tests share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random-weight Qwen2.5-VL."""
    pytest.importorskip("torch", reason="needs the train extra: torch")
    pytest.importorskip("transformers", reason="needs the train extra: transformers")
    from impromptu import tiny_model

    return tiny_model.build(tmp_path_factory.mktemp("checkpoints") / "tiny")
