"""Read and write files so that a fault names its place and a kill leaves no half file."""

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import yaml


def atomic_writer(path: Path) -> AbstractContextManager[IO[str]]:
    """Open a text file that appears under its name only when complete.

    The parent folder is made. On an exception the earlier file, if any, stays as it was.
    """
    return _placed(path, mode="w", encoding="utf-8", newline="\n")


def atomic_bytes(path: Path) -> AbstractContextManager[IO[bytes]]:
    """Open a binary file likewise."""
    return _placed(path, mode="wb", buffering=1 << 18)


@contextmanager
def _placed(path: Path, **options: str | int) -> Iterator[IO[Any]]:
    with writing_to(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(handle, **options) as file:  # type: ignore[call-overload]
            yield file
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and error.filename is None:
            error.filename = str(path)  # a full disk does not tell
        raise


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Have an ``OSError`` name the folder that was to be written to, and say what to do."""
    try:
        yield
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        told = f"cannot be written to ({why}); name a place where you may write"
        raise OSError(error.errno, told, str(folder)) from error


def require_writable(*folders: Path) -> None:
    """Make folders and try to write there: found at the end, it would have cost all the work.

    Raises:
        OSError: One of them cannot be written to; the message names it.
    """
    for folder in folders:
        with writing_to(folder):
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()


def require_file_places(*paths: Path | None) -> None:
    """Do the same for files that are to be written; None is none.

    Raises:
        OSError: As above, or a folder has the name of a file.
    """
    for path in filter(None, paths):
        if path.is_dir():
            raise IsADirectoryError(f"{path}: expected a file to write, this is a folder")
        require_writable(path.parent)


@contextmanager
def alone(work: Path) -> Iterator[None]:
    """Hold a folder of work for one run at a time; a killed run lets go of it.

    It is removed at the end if nothing is in it.

    Raises:
        ValueError: Another run holds it; the message says what to do.
    """
    lock = work / "lock"
    with writing_to(work.parent):
        work.mkdir(parents=True, exist_ok=True)
        held = lock.open("w")
    with held as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # A run that has just ended may have taken the file away under us.
            if not lock.exists() or not os.path.samestat(os.fstat(file.fileno()), lock.stat()):
                raise BlockingIOError
        except BlockingIOError as error:
            raise ValueError(
                f"{work.parent}: another run is writing here; wait for it or choose another folder"
            ) from error
        try:
            yield
        finally:
            with suppress(OSError):  # finished logs stay for the next run
                if not any(path != lock for path in work.iterdir()):
                    lock.unlink()
                    work.rmdir()


def write_json(path: Path, value: Any) -> None:
    """Write one JSON document, indented, atomically."""
    with atomic_writer(path) as file:
        json.dump(value, file, ensure_ascii=False, indent=2, allow_nan=False)
        file.write("\n")


def write_json_list(path: Path, rows: Iterable[Any]) -> int:
    """Stream a JSON list, one element a line, atomically; return the number of elements."""
    count = 0
    with atomic_writer(path) as file:
        file.write("[")
        for count, row in enumerate(rows, start=1):
            file.write("\n" if count == 1 else ",\n")
            file.write(json.dumps(row, ensure_ascii=False, allow_nan=False))
        file.write("\n]\n")
    return count


def read_json(path: Path, parse_float: Callable[[str], Any] | None = None) -> Any:
    """Read one JSON document; ``parse_float`` makes its fractions, if not of ``float``.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not JSON; the message names file, line and column.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_float=parse_float)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path}:{error.lineno}:{error.colno}: not valid JSON ({error.msg}); "
            "the file may be cut short: download or write it again"
        ) from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected UTF-8 text, byte {error.start} is not") from error
    except (RecursionError, ValueError) as error:  # too deep, or a number of thousands of digits
        raise ValueError(f"{path}: not valid JSON ({error}): write or download it again") from error


def read_yaml_mapping(path: Path) -> dict[str, Any]:
    """Read a YAML (or JSON) file that maps names to values; an empty one maps none.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not YAML, or something else than a mapping; the message names the file.
    """
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not valid YAML or JSON: {error}") from error
    if not isinstance(tree, dict | None):
        raise ValueError(f"{path}: expected a mapping of names to values, got {tree!r:.80}")
    return tree or {}


def read_json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield (line number, value) of a JSON Lines file; blank lines are passed over.

    Raises:
        ValueError: A line is not JSON; the message names file and line.
    """
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                yield number, json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"{path}:{number}: not valid JSON ({error.msg})") from error


def fingerprint(paths: Iterable[Path], base: Path) -> str:
    """Return a hash of files' relative names, sizes and their first and last 64 KiB.

    Enough to notice another download or an edit, and quick on files of gigabytes.
    """
    digest = hashlib.sha256()
    for path in sorted(paths):
        state = path.stat()
        digest.update(path.relative_to(base).as_posix().encode())
        digest.update(_ends_digest(path, state.st_size, state.st_mtime_ns))
    return digest.hexdigest()


@lru_cache(maxsize=4096)
def _ends_digest(path: Path, size: int, mtime_ns: int) -> bytes:
    """Hash a file's size and both ends; remembered while size and time stay as they are."""
    digest, block = hashlib.sha256(str(size).encode()), 65_536
    with path.open("rb") as file:
        digest.update(file.read(block))
        if size > block:
            file.seek(max(block, size - block))
            digest.update(file.read(block))
    return digest.digest()
