"""The unpickler against the standard one, and what it must refuse."""

import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from impromptu.datasets import LogError
from impromptu.datasets._plain_pickle import read_pickle

PLAIN: dict[str, Any] = {
    "text": "é",
    "numbers": [1, -2.5, True, None, 3 + 1j],
    "bytes": (b"", b"\xff\x00", bytearray(b"ab")),
    "sets": {1, 2},
    "frozen": frozenset({"a"}),
    "scalars": [np.float64(3), np.int64(4), np.bool_(True), np.str_("left")],
    "empty": np.zeros((0, 7)),
    "columns first": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "objects": np.array(["a", None, 3], dtype=object),
    "words": np.array([["car", "pedestrian"]]),
    "no dimension": np.array(2.5),
}


def saved(path: Path, value: object, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(value, protocol))
    return path


def same(found: Any, expected: Any) -> bool:
    if isinstance(expected, np.ndarray):
        return found.dtype == expected.dtype and np.array_equal(np.asarray(found), expected)
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(same(found[k], expected[k]) for k in found)
    return type(found) is type(expected) and bool(found == expected)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_content_is_what_was_written(tmp_path: Path, protocol: int) -> None:
    assert same(read_pickle(saved(tmp_path / "a.pkl", PLAIN, protocol)), PLAIN)


@given(
    array=npst.arrays(
        st.sampled_from(["<f4", "<f8", "<i8", "|u1", "|b1", "<U3", ">f8", ">i4"]),
        npst.array_shapes(min_dims=0, max_dims=3, min_side=0),
    ),
    protocol=st.integers(0, pickle.HIGHEST_PROTOCOL),
)
def test_any_array_is_what_the_standard_unpickler_makes(
    tmp_path_factory: pytest.TempPathFactory, array: np.ndarray[Any, Any], protocol: int
) -> None:
    path = saved(tmp_path_factory.mktemp("any") / "a.pkl", array, protocol)
    theirs = pickle.loads(path.read_bytes())  # noqa: S301 - our own bytes
    assert np.asarray(read_pickle(path)).tobytes() == theirs.tobytes()
    assert read_pickle(path).shape == theirs.shape


def test_nothing_else_is_imported_or_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    with pytest.raises(LogError, match=r"a\.pkl: refused, for it would run posix\.mkdir; expected"):
        read_pickle(saved(tmp_path / "a.pkl", [{"token": Trap()}]))
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (pickle.dumps(OrderedDict()), "collections.OrderedDict"),
        (pickle.dumps(Path()), "pathlib.PosixPath"),
        (pickle.dumps(eval), "builtins.eval"),
        (pickle.dumps(getattr), "builtins.getattr"),
        (pickle.dumps(np.load), "numpy.load"),
        (pickle.dumps(np.random.default_rng(0)), "numpy.random"),
        (pickle.dumps(os.system, 2), "posix.system"),
        (b"cnumpy.core.multiarray\nfromstring\n.", "numpy.core.multiarray.fromstring"),
        (b"c_codecs\nencode\n(Vab\nVrot13\ntR.", "_codecs.encode to 'rot13'"),
        (b"cnumpy\ncore.multiarray.scalar\n.", "numpy.core.multiarray.scalar"),
    ],
)
def test_any_other_name_is_refused_by_name(tmp_path: Path, content: bytes, name: str) -> None:
    (tmp_path / "a.pkl").write_bytes(content)
    with pytest.raises(LogError, match=f"refused, for it would run {name}"):
        read_pickle(tmp_path / "a.pkl")


@pytest.mark.parametrize("end", [0, 1, 10, 200, -1])
def test_a_pickle_cut_short_is_no_whole_one(tmp_path: Path, end: int) -> None:
    path = saved(tmp_path / "a.pkl", PLAIN)
    path.write_bytes(path.read_bytes()[:end])
    with pytest.raises(LogError, match=r"a\.pkl: not a whole pickle"):
        read_pickle(path)


def array_bytes(shape: tuple[int, ...], code: str, content: bytes, state: object) -> bytes:
    """Write an array as a stranger might: its pieces need not fit."""

    class Dtype:
        def __reduce__(self) -> tuple[Any, ...]:
            return np.dtype, (code, False, True), state

    class Array:
        def __reduce__(self) -> tuple[Any, ...]:
            begin = np.zeros(0).__reduce__()[0]
            return begin, (np.ndarray, (0,), b"b"), (1, shape, Dtype(), False, content)

    return pickle.dumps(Array())


SOUND = (3, "<", None, None, None, -1, -1, 0)


def test_arrays_whose_pieces_do_not_fit_are_refused(tmp_path: Path) -> None:
    def read(*pieces: Any) -> Any:
        (tmp_path / "a.pkl").write_bytes(array_bytes(*pieces))
        return read_pickle(tmp_path / "a.pkl")

    assert read((2,), "f8", b"\0" * 16, SOUND).tolist() == [0, 0]
    for pieces in (
        ((3,), "f8", b"\0" * 16, SOUND),
        ((-1, -2), "f8", b"\0" * 16, SOUND),
        ((2,), "O", b"\0" * 16, SOUND),
        ((2,), "V8", b"\0" * 16, SOUND),
        ((1,), "U1", b"\xff" * 4, SOUND),
        ((2,), "f8", b"\0" * 16, (3, "|", None, ("a",), {"a": 1}, 8, 1, 0)),
    ):
        with pytest.raises(LogError, match="not a whole pickle"):
            read(*pieces)
