"""Reads JSON records of any size of file with little memory, and goes on after a broken one."""

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

BLOCK = 1 << 20
LARGEST = 16 << 20
"""Characters of one value; a longer one is passed over, so that no file can fill the memory."""

_FIRST = re.compile(r"\s*(\[?)")
_BETWEEN = re.compile(r"[\s,]*(\]?)[\s,]*")
_NEXT = re.compile(r"\n\s*\{")
_NEAR_END = 32


@dataclass(frozen=True, slots=True)
class Broken:
    """Text where a record should be.

    Attributes:
        reason: ``not_json``, ``cut_short``, ``too_large`` or ``too_deep``.
        text: What a reader of the file would look for.
    """

    reason: str
    text: str


def batches(file: IO[bytes]) -> Iterator[list[Any]]:
    """Yield the values of a JSON list, of JSON lines or of values in a row, as they are read.

    One batch, maybe empty, a ``BLOCK`` of bytes, and one at the end. Bytes that are no UTF-8
    become lone surrogates, as ``surrogateescape`` does. Where a value cannot be decoded there is
    a ``Broken``, and reading goes on at the next line that begins with ``{``.
    """
    decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode
    reader, first = _Reader(), True
    while block := file.read(BLOCK):
        text = decode(block)
        reader.text += text.removeprefix("\ufeff") if first else text
        first = False
        yield list(reader.values(last=False))
    reader.text += decode(b"", True)
    yield [*reader.values(last=True), *reader.unclosed()]


class _Reader:
    """Takes values off the beginning of a growing text.

    Attributes:
        text: What has not been taken off yet.
        lost: The text begins inside of a broken value.
        patience: Not worth trying again before the text is so long: a value does not end in it.
        began: What the file begins with: ``[`` for a list.
        ended: The list's ``]`` was the last thing read.
    """

    def __init__(self) -> None:
        self.text = ""
        self.lost = False
        self.patience = 0
        self.began: str | None = None
        self.ended = False

    def values(self, last: bool) -> Iterator[Any]:
        """Yield the values that end in the text; if it is the last of the file, all."""
        if len(self.text) < self.patience and not last:
            return
        text, at, decode = self.text, 0, json.JSONDecoder().raw_decode
        while (at := self._start(text, at)) < len(text):
            try:
                value, end = decode(text, at)
            except RecursionError:
                yield Broken("too_deep", f"brackets nested too deep in {text[at : at + 60]!r}")
            except ValueError as error:
                if not last and len(text) - at < LARGEST and _may_go_on(text, error):
                    break
                yield _broken(text[at : at + 60], error, last, len(text) - at)
            else:
                if end == len(text) and not last:
                    break  # a number could go on
                yield value
                at = end
                continue
            at, self.lost = at + 1, True
        self.text = text[at:]
        self.patience = 2 * len(self.text) if len(self.text) > BLOCK else 0

    def _start(self, text: str, at: int) -> int:
        """Return where the next value starts: between values, or after what is broken."""
        if self.lost:
            found = _NEXT.search(text, at)
            if found is None:
                return len(text)
            self.lost, at = False, found.end() - 1
        if self.began is None and (first := _FIRST.match(text, at)):
            if first.end() == len(text) and not first[1]:
                return len(text)
            self.began, at = first[1], first.end()
        between = _BETWEEN.match(text, at)
        if between is None:
            return at
        if between[1] or between.end() < len(text):
            self.ended = bool(between[1]) and between.end() == len(text)
        return between.end()

    def unclosed(self) -> list[Broken]:
        """Say so if the file began a list and never ended it."""
        if not self.began or self.ended:
            return []
        return [Broken("cut_short", "the list has no end: no ']' after the last record")]


def _may_go_on(text: str, error: ValueError) -> bool:
    """Tell whether it is only that the text ends too early."""
    if not isinstance(error, json.JSONDecodeError):
        return False
    return error.msg.startswith("Unterminated") or error.pos >= len(text) - _NEAR_END


def _broken(text: str, error: ValueError, last: bool, length: int) -> Broken:
    if length >= LARGEST and getattr(error, "msg", "").startswith("Unterminated"):
        return Broken("too_large", f"longer than {LARGEST >> 20} MB: {text!r}")
    at_end = last and isinstance(error, json.JSONDecodeError) and "Untermin" in error.msg
    reason = "cut_short" if at_end else "not_json"
    return Broken(reason, f"{getattr(error, 'msg', error)}: {text!r}")
