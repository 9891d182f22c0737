"""A small SQLite index in a cache folder: built once, in a stream, and known by a fingerprint.

It holds no text of a sample but its id and its words; records are read from their own files when
they are shown. Pages can be had while it is built: they show what is in it so far.
"""

import fcntl
import hashlib
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from impromptu import questions
from impromptu.explorer.join import join
from impromptu.explorer.scan import scan
from impromptu.explorer.sources import RunFile, run_files, sample_files
from impromptu.files import fingerprint
from impromptu.progress import track

_HERE = Path(__file__).parent
_KEPT_S = 7 * 86_400
_EMPTY, _SAMPLES, _ALL = range(3)
"""How far an index has come, as its ``user_version``."""


@dataclass(frozen=True, slots=True)
class Index:
    """What there is to browse, and where it is indexed.

    Attributes:
        root: What the user named.
        base: The folder that image paths are relative to.
        tables: Clip tables.
        path: The SQLite file.
        lock: Held while this process may write; None where another process is building.
    """

    root: Path
    base: Path
    files: Sequence[Path]
    missing: Sequence[str]
    tables: Sequence[Path]
    runs: Sequence[RunFile]
    path: Path
    lock: IO[str] | None

    @contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        """Open it for one reader; what is not built yet is not in it."""
        with closing(sqlite3.connect(self.path, timeout=30)) as con:
            con.row_factory = sqlite3.Row
            yield con

    def is_built(self) -> bool:
        """Tell whether all there is has been read."""
        return _stage(self.path) == _ALL

    def problems(self) -> list[str]:
        """Say what could not be read."""
        with self.open() as con:
            return [row["text"] for row in con.execute("SELECT text FROM problem")]

    def build(self) -> None:
        """Read all files that have not been; tell on the error stream how far it has come."""
        if self.lock is None:
            return
        with self.lock, self.open() as con:
            con.execute("PRAGMA synchronous = OFF")  # it can be built again
            if _stage(self.path) == _EMPTY:
                con.executemany(
                    "INSERT INTO problem VALUES ('file', ?)", [[one] for one in self.missing]
                )
                _do(con, scan(con, self.files, self.tables), self.files, "samples", _SAMPLES)
            if _stage(self.path) == _SAMPLES:
                given = [one.path for one in self.runs]
                _do(con, join(con, self.runs), given, "predictions", _ALL)


def prepare(root: Path, predictions: Sequence[Path], cache: Path) -> Index:
    """Find the files, and their index or a place for one.

    Raises:
        OSError, ValueError: There is nothing to browse, or the cache cannot be written.
    """
    root = root.resolve()
    base = root.parent if root.is_file() else root
    files, missing = sample_files(root)
    tables, runs = sorted(base.glob("clips/*.parquet")), run_files(predictions)
    place = hashlib.sha256(str(root).encode()).hexdigest()[:16]
    seen, said = _stamp([*files, *tables]), _stamp([one.path for one in runs], repr(runs))
    path = cache / f"{place}-{seen}-{said}.sqlite"
    cache.mkdir(parents=True, exist_ok=True)
    _forget_old(cache)
    lock = _claim(path)
    if lock and _stage(path) != _ALL:
        _lay_down(path, cache.glob(f"{place}-{seen}-*.sqlite"))
    os.utime(path)
    return Index(root, base, files, missing, tables, runs, path, lock)


def _stamp(paths: Sequence[Path], more: str = "") -> str:
    """Return a hash of files, of where they are, and of the code that reads them."""
    code = [*_HERE.glob("*.*"), *Path(questions.__file__).parent.glob("*.py")]
    every = [path.resolve() for path in (*paths, *code)]
    known = fingerprint(every, Path(_HERE.anchor))
    return hashlib.sha256(f"{known}{more}".encode()).hexdigest()[:16]


def _forget_old(cache: Path) -> None:
    """Remove what nobody has opened for a week."""
    for path in cache.glob("*.sqlite*"):
        if time.time() - path.stat().st_mtime > _KEPT_S:
            path.unlink(missing_ok=True)


def _claim(path: Path) -> IO[str] | None:
    """Take the right to build; None if another process has it. It ends with the process."""
    lock = path.with_suffix(".sqlite.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def _lay_down(path: Path, others: Iterator[Path]) -> None:
    """Start an index: from a finished one of the same samples if there is one, else empty."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    finished = next((other for other in others if _stage(other) == _ALL), None)
    if finished:
        shutil.copyfile(finished, path)
    with closing(sqlite3.connect(path)) as con:
        con.execute("PRAGMA journal_mode = WAL")
        if finished:
            forget = "DELETE FROM answer; DELETE FROM run; DELETE FROM problem WHERE about = 'run'"
            con.executescript(f"{forget}; PRAGMA user_version = {_SAMPLES}")
        else:
            con.executescript((_HERE / "schema.sql").read_text(encoding="utf-8"))


def _stage(path: Path) -> int:
    if not path.exists():
        return _EMPTY
    with closing(sqlite3.connect(path, timeout=30)) as con:
        return int(con.execute("PRAGMA user_version").fetchone()[0])


def _do(
    con: sqlite3.Connection, work: Iterator[None], files: Sequence[Path], label: str, stage: int
) -> None:
    """Do work that yields about once a megabyte, and show each."""
    total = max(1, sum(path.stat().st_size for path in files) >> 20)
    for _ in track(work, total, "MB", f"index of {label}"):
        con.commit()
    con.execute(f"PRAGMA user_version = {stage}")
    con.commit()
    con.execute("PRAGMA wal_checkpoint(TRUNCATE)")
