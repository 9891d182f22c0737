"""An image written without torch is one that torch reads."""

import io
import zipfile

import numpy as np
import pytest

from impromptu.closed_loop.torch_writing import rgb_archive

IMAGE = np.random.default_rng(0).integers(0, 256, (45, 80, 3), dtype=np.uint8)


def test_torch_reads_it_without_running_a_pickle() -> None:
    torch = pytest.importorskip("torch", reason="needs the train extra: torch")
    read = torch.load(io.BytesIO(rgb_archive(IMAGE)), weights_only=True)
    assert read.dtype == torch.uint8
    assert read.is_contiguous()
    assert (read.numpy() == IMAGE).all()


def test_it_is_a_zip_with_the_raw_bytes_and_no_date_of_today() -> None:
    first, second = rgb_archive(IMAGE), rgb_archive(IMAGE.copy())
    assert first == second
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert archive.read("archive/data/0") == IMAGE.tobytes()
