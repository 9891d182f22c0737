"""Miniatures to look into."""

from pathlib import Path

import pytest

from impromptu import miniature


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every miniature with pictures: two logs of six seconds each."""
    out = tmp_path_factory.mktemp("small")
    miniature.write(out, logs=2, duration_s=6.0)
    return out
