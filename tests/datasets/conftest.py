"""Where the tests of datasets find data: real samples where there are any, and miniatures."""

from pathlib import Path

import pytest

from impromptu import miniature

_SAMPLES = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def samples() -> Path:
    if not _SAMPLES.is_dir():
        pytest.skip(f"no real samples in {_SAMPLES}")
    return _SAMPLES


@pytest.fixture(scope="session")
def miniatures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("miniatures")
    miniature.write(out, logs=2, duration_s=9.0, images=False)
    return out
