"""Answers on disk, one appended line each: a kill loses none, and two runs share the work.

``answers.jsonl`` holds what was accepted, ``rejected.jsonl`` all that came to nothing, each with
its reason, and ``settings.json`` what both were made with. Lines begin with their key, so that a
store is opened without parsing them: memory holds a digest and a place in the file an answer.

Appending is done under a lock on the file. Who asks holds a lock on one byte of ``claims``, at a
place that follows from the key; the kernel lets go of it when the process ends, however it ends.
"""

import errno
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from impromptu.asking.request import Reply, Request
from impromptu.files import read_json, require_writable, write_json

ANSWERS, REJECTED, SETTINGS = "answers.jsonl", "rejected.jsonl", "settings.json"
_BEGINS = b'{"key": "'
_KEY = slice(len(_BEGINS), len(_BEGINS) + 32)
_IN_USE = 1 << 56
"""The byte of ``claims`` that every run holds together with others; beyond those of keys."""


class Store:
    """What one model has answered so far.

    Attributes:
        folder: Where it is.
        damaged: Lines that are none of ours, passed over.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.damaged = 0
        self._places = dict[bytes, int]()
        self._read_to = 0
        self._claimed = set[bytes]()
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._answers, self._rejected, self._claims = (
            os.open(folder / name, flags, 0o666) for name in (ANSWERS, REJECTED, "claims")
        )
        self.refresh()

    def __contains__(self, request: Request) -> bool:
        """Tell whether there is an accepted answer."""
        return request.key in self._places

    def __len__(self) -> int:
        """Return the number of accepted answers."""
        return len(self._places)

    def get(self, request: Request) -> Reply | None:
        """Return the accepted answer, if there is one."""
        place = self._places.get(request.key)
        return None if place is None else _reply(_line_at(self._answers, place))

    def claim(self, request: Request) -> bool:
        """Tell whether a request is ours to ask: not answered, and nobody asks it now."""
        key = request.key
        if key in self._claimed or not self._lock(key):
            return False
        self.refresh()  # another run may have answered it and let go
        if key in self._places:
            self._unlock(key)
            return False
        self._claimed.add(key)
        return True

    def put(self, request: Request, reply: Reply) -> None:
        """Keep a reply, in ``answers.jsonl`` if it has no ``reason``; let go of the request.

        Raises:
            OSError: It cannot be written; the file is as it was.
        """
        with self._appending(self._rejected if reply.reason else self._answers) as handle:
            self.refresh()
            if reply.reason or request.key not in self._places:
                self._append(handle, request.key, reply)
        self._claimed.discard(request.key)
        self._unlock(request.key)

    def refresh(self) -> None:
        """Take in what other runs have appended."""
        if os.fstat(self._answers).st_size == self._read_to:
            return
        with (self.folder / ANSWERS).open("rb") as file:
            file.seek(self._read_to)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._take_in(line)

    def rejections(self) -> dict[bytes, str]:
        """Return the last reason of every request that has no accepted answer, by its key."""
        reasons, names = dict[bytes, str](), dict[str, str]()
        with (self.folder / REJECTED).open("rb") as file:
            for line in file:
                if line.startswith(_BEGINS) and line.endswith(b"}\n"):
                    key, reason = bytes.fromhex(line[_KEY].decode()), _reply(line).reason
                    reasons[key] = names.setdefault(reason, reason)
        return {key: reason for key, reason in reasons.items() if key not in self._places}

    def agree(self, settings: Mapping[str, Any]) -> None:
        """Hold on to the settings that this store's replies are made with.

        Those of a run that got no reply, for its model's name was mistyped say, give way.

        Raises:
            ValueError: There are replies made with others, or a run that asks with others.
        """
        record = self.folder / SETTINGS
        if self._is_ours_alone() and not (record.exists() and self._has_replies()):
            write_json(record, dict(settings))
        fcntl.lockf(self._claims, fcntl.LOCK_SH, 1, _IN_USE)
        told = read_json(record)
        differing = [key for key in settings if told.get(key) != settings[key]]
        if differing:
            was = (f"{key} was {told.get(key)!r}, is {settings[key]!r}" for key in differing)
            raise ValueError(
                f"{self.folder} already holds answers made otherwise (see {SETTINGS}): "
                + ", ".join(was)
            )

    def _is_ours_alone(self) -> bool:
        try:
            fcntl.lockf(self._claims, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _IN_USE)
        except OSError:  # another run is under way
            return False
        return True

    def _has_replies(self) -> bool:
        return any(os.fstat(handle).st_size for handle in (self._answers, self._rejected))

    def close(self) -> None:
        """Write all through to the disk, and let go of everything."""
        for handle in (self._answers, self._rejected, self._claims):
            os.fsync(handle)
            os.close(handle)

    def _take_in(self, line: bytes) -> None:
        if line.startswith(_BEGINS) and line.endswith(b"}\n"):
            self._places.setdefault(bytes.fromhex(line[_KEY].decode()), self._read_to)
        else:
            self.damaged += 1
        self._read_to += len(line)

    def _append(self, handle: int, key: bytes, reply: Reply) -> None:
        row = json.dumps({"key": key.hex()} | asdict(reply), ensure_ascii=False)
        line, end = row.encode(errors="backslashreplace") + b"\n", os.fstat(handle).st_size
        try:
            if os.write(handle, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            os.ftruncate(handle, end)
            error.filename = str(self.folder)
            raise
        if handle == self._answers:
            self._take_in(line)

    @contextmanager
    def _appending(self, handle: int) -> Iterator[int]:
        """Hold a file for one line, without the half line that a killed run may have left."""
        fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            _cut_torn_line(handle)
            yield handle
        finally:
            fcntl.flock(handle, fcntl.LOCK_UN)

    def _lock(self, key: bytes) -> bool:
        try:
            fcntl.lockf(self._claims, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _byte_of(key))
        except OSError:  # somebody else has it
            return False
        return True

    def _unlock(self, key: bytes) -> None:
        fcntl.lockf(self._claims, fcntl.LOCK_UN, 1, _byte_of(key))


@contextmanager
def open_store(folder: Path, settings: Mapping[str, Any]) -> Iterator[Store]:
    """Open a folder of answers, or begin one.

    Args:
        folder: Made where it is not there.
        settings: What decides the answers, as JSON; one store never mixes two.

    Raises:
        ValueError: It was made with other settings.
        OSError: It cannot be written to.
    """
    require_writable(folder)
    with closing(Store(folder)) as store:
        store.agree(settings)
        yield store


def _byte_of(key: bytes) -> int:
    """Return a key's byte of the lock file, which has no bytes: locks need none."""
    return int.from_bytes(key[:7], "big")


def _line_at(handle: int, place: int) -> bytes:
    line, size = b"", 4096
    while b"\n" not in line:
        line = os.pread(handle, size, place)
        size *= 4
    return line.partition(b"\n")[0]


def _reply(line: bytes) -> Reply:
    row = json.loads(line)
    del row["key"]
    return Reply(**row)


def _cut_torn_line(handle: int) -> None:
    """Cut off what follows the last line end."""
    end = os.fstat(handle).st_size
    while end and os.pread(handle, 1, end - 1) != b"\n":
        start = max(0, end - 65_536)
        at = os.pread(handle, end - start, start).rfind(b"\n")
        end = start + at + 1
        if at >= 0 or not start:
            os.ftruncate(handle, end)
