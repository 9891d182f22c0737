"""Read a pickle that holds numpy arrays and plain types, and refuse one that asks for more.

A pickle names the functions that make its objects, so reading one runs code of its author's
choice. Here the names it may use are listed; any other is refused before anything is run. Arrays
are put together by functions of our own, for numpy's crash on bytes made to mislead them.
"""

import math
import pickle  # noqa: S403 - only through the class below
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from impromptu.datasets import LogError

_TYPE = re.compile(r"[biufc]\d{1,2}|[SU]\d{1,6}|O8?")
_BROKEN = (
    pickle.UnpicklingError,
    EOFError,
    ArithmeticError,
    AttributeError,
    ImportError,
    LookupError,
    MemoryError,
    RecursionError,
    SystemError,
    TypeError,
    ValueError,
)
"""What reading damaged bytes may raise."""


class _Refused(ValueError):
    """A pickle asks for a name that is not listed."""


class _Dtype:
    """Stands in for ``numpy.dtype``: one of numbers, text, bytes or objects."""

    def __init__(self, code: str, align: bool = False, copy: bool = False) -> None:
        if not _TYPE.fullmatch(code):
            raise ValueError(f"no plain type of array elements: {code!r:.40}")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: Sequence[Any]) -> None:
        """Take over the byte order, as ``numpy.dtype`` writes it; there may be no fields."""
        _, order, *fields = state[:5]
        if any(field is not None for field in fields) or order not in ("<", ">", "|", "="):
            raise ValueError("no plain type of array elements: it has fields")
        self.dtype = self.dtype.newbyteorder(order)


class _Array(np.ndarray[Any, np.dtype[Any]]):
    """An array whose content is checked before it is taken over."""

    def __setstate__(self, state: Sequence[Any]) -> None:
        """Take over what ``numpy.ndarray`` writes."""
        _, shape, kind, fortran, content = state
        dtype, length = kind.dtype, math.prod(map(int, shape))
        expected = (list, length) if dtype.hasobject else (bytes, length * dtype.itemsize)
        if (type(content), len(content)) != expected or min(shape, default=0) < 0:
            raise ValueError(f"{len(content)} bytes or elements do not fill {shape} of {dtype}")
        super().__setstate__((1, tuple(shape), dtype, fortran is True, content))
        if dtype.kind == "U":
            self.tolist()  # raises where a character is none


def _reconstruct(kind: object, shape: object, code: object) -> _Array:
    """Begin an array, as ``numpy.ndarray`` is pickled; its content follows."""
    return _Array(0)


def _frombuffer(content: bytes, kind: _Dtype, shape: Sequence[int], order: str) -> Any:
    """Make an array, as ``numpy.ndarray`` is pickled by protocol 5."""
    flat = np.frombuffer(content, kind.dtype)
    return flat.reshape(shape, order="F" if order == "F" else "C")


def _scalar(kind: _Dtype, content: bytes) -> Any:
    """Make a scalar, as numpy's are pickled."""
    return np.frombuffer(content, kind.dtype).reshape(1)[0]


def _latin1(text: str, encoding: str) -> bytes:
    """Stand in for ``_codecs.encode``, with which old pickles write bytes, and only so."""
    if encoding != "latin1":
        raise _Refused(f"_codecs.encode to {encoding!r}")
    return text.encode("latin1")


# Beyond these there is what a pickle's own opcodes make: None, numbers, text, lists, dicts ...
_ADMITTED: dict[tuple[str, str], Any] = {
    **{
        (module, kind.__name__): kind
        for module in ("builtins", "__builtin__")
        for kind in (set, frozenset, bytes, bytearray, complex)
    },
    # numpy 1 and numpy 2 call the same modules by two names.
    **{
        (f"numpy.{core}.{place}", name): make
        for core in ("core", "_core")
        for place, name, make in (
            ("multiarray", "_reconstruct", _reconstruct),
            ("multiarray", "scalar", _scalar),
            ("numeric", "_frombuffer", _frombuffer),
        )
    },
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _latin1,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if (found := _ADMITTED.get((module_name, global_name))) is None:
            raise _Refused(f"{module_name}.{global_name}")
        return found


def read_pickle(path: Path) -> Any:
    """Read a pickle of numpy arrays and plain types.

    Raises:
        LogError: It is cut short or damaged, or it names anything else; the message gives the
            name.
    """
    try:
        with path.open("rb") as file:
            return _Unpickler(file).load()
    except _Refused as error:
        raise LogError(
            f"{path}: refused, for it would run {error}; expected a pickle of numpy arrays and "
            "plain types alone: download the file again from its publisher"
        ) from error
    except _BROKEN as error:
        raise LogError(
            f"{path}: not a whole pickle ({type(error).__name__}: {error}); download the file again"
        ) from error
