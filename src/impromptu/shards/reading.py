"""Reads the samples of a shard: an unpacked folder, or a tar file in one pass.

Of a tar file no member's path is used, only the last part of it; links and the like are passed
over; images are written where nothing is yet, without following links. The bytes of images do not
pass through this process.
"""

import errno
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from impromptu.shards import PICTURES
from impromptu.shards.finding import Shard
from impromptu.shards.sample import LARGEST_TEXT, Files, Lost, Outcome, outcomes
from impromptu.tar_members import Member, members

LARGEST_IMAGE = 1 << 28
_MOST_MEMBERS = 512
"""Of one sample; 21 texts, and an image for each camera."""
_MOST_SAMPLES = 2_000_000
"""Of one tar file; they are remembered, to find those that come twice."""
_NAME = re.compile(r"[^./\\][^/\\]{0,199}")
_USUAL = 4096
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_RECORD = ".taken_from"
"""Beside a tar file's images: which state of the file they are from."""

Rows = Iterator[list[tuple[str, Outcome]]]


@dataclass(slots=True)
class Losses:
    """What of a shard is no part of any question.

    Attributes:
        members: Members of a tar file that were passed over, by reason.
        damage: Why the rest of the shard could not be read; empty if it could.
        images_written: Images taken out of a tar file in this run.
    """

    members: Counter[str] = field(default_factory=Counter)
    damage: str = ""
    images_written: int = 0


def read_shard(shard: Shard, base: Path, extracted: Path, losses: Losses) -> Rows:
    """Yield, for each sample, its tasks and what they came to.

    Args:
        shard: What to read.
        base: Image paths are written relative to it.
        extracted: Folder for the images of a tar file.
        losses: Filled on the way.
    """
    try:
        if shard.path.suffix == ".tar" and shard.path.is_file():
            yield from _read_tar(shard, base, extracted, losses)
        else:
            yield from _read_folder(shard, base)
    except ValueError as error:
        losses.damage = str(error)


def _read_folder(shard: Shard, base: Path) -> Rows:
    names = set(os.listdir(shard.path))
    image = Path(os.path.relpath(shard.path, base)).as_posix()
    folder = os.open(shard.path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        read = partial(_content, folder)
        files = Files(names, read, _id(shard), f"{image}/")
        for idx in sorted({name.partition(".")[0] for name in names if _is_text(name)}):
            yield list(outcomes(idx, files))
    finally:
        os.close(folder)


def _is_text(name: str) -> bool:
    return name.endswith((".txt", "_images.json")) and name[0] != "."


def _id(shard: Shard) -> str:
    return f"{shard.dataset}/{shard.name}/"


def _content(folder: int, name: str) -> bytes:
    """Return the content of a small file; five times as fast as ``open``.

    Raises:
        FileNotFoundError: There is none.
        Lost: It is too large, or cannot be read.
    """
    try:
        file = os.open(name, _FLAGS, dir_fd=folder)
        try:
            content = os.read(file, _USUAL)
            if len(content) == _USUAL:
                content += os.read(file, LARGEST_TEXT)
        finally:
            os.close(file)
    except FileNotFoundError:
        raise
    except (OSError, ValueError):
        raise Lost("unreadable_file") from None
    if len(content) > LARGEST_TEXT:
        raise Lost("too_large")
    return content


def _read_tar(shard: Shard, base: Path, extracted: Path, losses: Losses) -> Rows:
    """Yield the samples of a tar file; the images that they show are there when it does."""
    image = Path(os.path.relpath(extracted, base)).as_posix()
    with shard.path.open("rb") as file, _open_folder(extracted) as folder:
        tar = _Tar(file.fileno(), folder)
        for idx, group in _groups(shard.path, losses):
            files = Files(group, tar.reader(group), _id(shard), f"{image}/")
            came = list(outcomes(idx, files))
            for name in dict.fromkeys(name for _, one in came for name in one.images):
                losses.images_written += tar.extract(name, group[name])
            yield came


@contextmanager
def _open_folder(path: Path) -> Iterator[int]:
    path.mkdir(parents=True, exist_ok=True)
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield folder
    except OSError as error:
        error.filename = error.filename or str(path)  # a full disk does not tell
        raise
    finally:
        os.close(folder)


def _groups(path: Path, losses: Losses) -> Iterator[tuple[str, dict[str, Member]]]:
    """Yield the members of each sample, by the last part of their names.

    Raises:
        ValueError: The file is damaged; what came before has been yielded.
    """
    seen, idx, group = set[int](), "", dict[str, Member]()
    try:
        for member in members(path, losses.members):
            name = member.name.rpartition("/")[2]
            if (own := name.partition(".")[0]) != idx:
                if group:
                    yield idx, group
                seen.add(hash(idx))
                idx, group = own, {}
            if reason := _fault(name, member.size, group, hash(idx) in seen):
                losses.members[reason] += 1
            elif len(seen) > _MOST_SAMPLES:
                raise ValueError(f"{path}: more than {_MOST_SAMPLES:,} samples in one tar file")
            else:
                group[name] = member
    except ValueError:
        if group:
            yield idx, group
        raise
    if group:
        yield idx, group


def _fault(name: str, size: int, group: Mapping[str, Member], again: bool) -> str:
    """Say why a member is no part of its sample, if so."""
    picture = name.lower().endswith(PICTURES)
    if not _NAME.fullmatch(name) or not name.isprintable():
        return "bad_name"
    if not picture and not name.endswith((".json", ".txt")):
        return "of_no_use"
    if size > (LARGEST_IMAGE if picture else LARGEST_TEXT):
        return "too_large"
    if picture and not size:
        return "empty_image"
    if again or name in group:
        return "repeated"
    return "too_many_of_a_sample" if len(group) >= _MOST_MEMBERS else ""


class _Tar:
    """A tar file, and the folder where its images go.

    Attributes:
        there: Names in that folder that an earlier run took out of this very file.
    """

    def __init__(self, file: int, folder: int) -> None:
        self._file, self._folder = file, folder
        state = os.fstat(file)
        told = f"{state.st_size} bytes, {state.st_mtime_ns}\n".encode()
        if _RECORD in (names := set(os.listdir(folder))) and _content(folder, _RECORD) == told:
            self.there = names
        else:
            self.there = set[str]()
            _place(_RECORD, folder, lambda record: os.write(record, told))

    def reader(self, group: Mapping[str, Member]) -> Callable[[str], bytes]:
        """Return what reads the texts of a sample."""

        def read(name: str) -> bytes:
            if name not in group:
                raise FileNotFoundError(name)
            return os.pread(self._file, group[name].size, group[name].at)

        return read

    def extract(self, name: str, member: Member) -> bool:
        """Write an image if it is not there in full; return whether it was not."""
        if name in self.there:
            state = os.stat(name, dir_fd=self._folder, follow_symlinks=False)
            if stat.S_ISREG(state.st_mode) and state.st_size == member.size:
                return False
        _place(name, self._folder, lambda image: self._send(image, member))
        return True

    def _send(self, image: int, member: Member) -> None:
        at, end = member.at, member.at + member.size
        while at < end:
            if not (sent := os.sendfile(image, self._file, at, end - at)):
                raise OSError(errno.EIO, "the tar file became shorter while it was read")
            at += sent


def _place(name: str, folder: int, write: Callable[[int], object]) -> None:
    """Write a new file in a folder, in the place of whatever has its name."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        file = os.open(name, flags, 0o644, dir_fd=folder)
    except FileExistsError:
        os.unlink(name, dir_fd=folder)
        file = os.open(name, flags, 0o644, dir_fd=folder)
    try:
        write(file)
    finally:
        os.close(file)
