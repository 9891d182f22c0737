"""Columns of feather files: any damage is named or does no harm."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import feather

from impromptu.datasets import LogError
from impromptu.datasets._feather import read_columns

TABLE = pa.table(
    {
        "timestamp_ns": np.arange(50),
        "x_m": np.linspace(0, 1, 50),
        "track": [f"track {i % 7}" for i in range(50)],
    }
)


@settings(max_examples=300, deadline=None)
@given(
    compression=st.sampled_from(["uncompressed", "lz4", "zstd"]),
    flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=4),
    kept=st.none() | st.integers(0, 3000),
)
def test_any_damage_gives_columns_or_a_name(
    tmp_path_factory: pytest.TempPathFactory,
    compression: str,
    flips: list[tuple[int, int]],
    kept: int | None,
) -> None:
    path = tmp_path_factory.mktemp("feather") / "a.feather"
    feather.write_feather(TABLE, path, compression=compression)
    data = bytearray(path.read_bytes())
    for at, value in flips:
        data[at % len(data)] = value
    path.write_bytes(data[:kept])
    try:
        found = read_columns(path, ("timestamp_ns", "x_m"), ("track",))
    except LogError as error:
        assert str(path) in str(error)
    else:
        assert {len(values) for values in found.values()} == {len(found["x_m"])}
        assert all(isinstance(text, str) for text in found["track"])


def test_what_is_no_file_is_missing(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "a.feather"):
        with pytest.raises(LogError, match="missing, so this log is incomplete"):
            read_columns(path, ("x_m",))
