"""Brings the files of a release from the hub: resumed, checked against their hashes, recorded."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from impromptu.files import read_json, write_json
from impromptu.progress import track
from impromptu.releases import Release

RECORD = "fetched.json"
"""In the release's folder: repository, commit, and of each file its size, hash and time."""

_STAGING = ".partial"
"""Where a file is until it is whole and right; the hub's client continues what it finds here."""

_CHUNK = 1 << 20

_NO_CONNECTION = ("ConnectionError", "ConnectError", "ConnectTimeout", "OfflineModeIsEnabled")
"""Errors of requests, httpx and the hub's client, which depends on one or the other."""

_UNREACHED = (
    "it cannot be reached: is there a network? A mirror is named by HF_ENDPOINT; run the same "
    "command again to go on"
)


@dataclass(frozen=True, slots=True)
class File:
    """A file as the hub lists it.

    Attributes:
        path: In the repository.
        size: Bytes.
        algorithm: ``sha256`` of the content, or ``git-sha1``, which git gives small files.
        digest: Hexadecimal.
    """

    path: str
    size: int
    algorithm: str
    digest: str


@dataclass(frozen=True, slots=True)
class Listing:
    """What a release has at one commit.

    Attributes:
        wanted: What is fetched, in the order of their paths.
        others: What is not.
    """

    commit: str
    wanted: Sequence[File]
    others: Sequence[File]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the wanted files: ``had + fetched + len(failed)`` is their number.

    Attributes:
        had: Files that were there already, and right.
        fetched: Files that came now, and are right.
        failed: Why a file did not come, by path.
    """

    had: int
    fetched: int
    failed: Mapping[str, str]


def listing(release: Release, revision: str, include: Sequence[str]) -> Listing:
    """Ask the hub what a release has.

    Args:
        release: What was published.
        revision: Branch, tag or commit.
        include: Patterns instead of the release's own; empty for those.

    Raises:
        OSError: The hub cannot be asked, or has no such thing.
        ValueError: A path leads out of the folder, or no file matches.
    """
    patterns = include or release.wanted
    with _hub_errors(release):
        api = _api()
        info = api.repo_info(release.repo, revision=revision, repo_type=release.kind)
        entries = api.list_repo_tree(
            release.repo,
            release.inside or None,
            recursive=True,
            revision=info.sha,
            repo_type=release.kind,
        )
        files = sorted((_file(one) for one in entries if hasattr(one, "size")), key=_path)
    for file in files:
        if ".." in PurePosixPath(file.path).parts or file.path.startswith("/"):
            raise ValueError(f"{release.repo}: {file.path!r} leads out of its folder")
    wanted = [file for file in files if any(fnmatch(_inside(release, file), p) for p in patterns)]
    if not wanted:
        raise ValueError(
            f"{release.repo}: none of {len(files)} files in {release.inside or 'it'} matches "
            f"{', '.join(patterns)}"
        )
    return Listing(info.sha, wanted, [file for file in files if file not in wanted])


def fetch(release: Release, found: Listing, folder: Path) -> Outcome:
    """Bring the wanted files that are not there, or are not right, and check each one's hash.

    What a kill or a lost connection has left of a file is continued. A file that was found right
    is not read again while its size and time stay as recorded.

    Args:
        release: What ``found`` lists.
        found: From ``listing``.
        folder: Where the files go, without the repository's own folder.

    Raises:
        OSError: There is not enough space.
    """
    known = _recorded(folder, release)
    record: dict[str, Any] = {
        file.path: known[file.path]
        for file in found.wanted
        if file.path in known and known[file.path] == _state(folder / _inside(release, file), file)
    }
    open_files = [file for file in found.wanted if file.path not in record]
    _require_space(release, open_files, folder)
    had, fetched, failed = len(record), 0, dict[str, str]()
    for file in track(open_files, len(open_files), "files", release.name):
        try:
            came = _bring(release, found.commit, file, folder)
        except (OSError, ValueError) as error:
            failed[file.path] = str(error)
            continue
        had, fetched = had + (not came), fetched + came
        record[file.path] = _state(folder / _inside(release, file), file)
        _write(folder, release, found, record)
    if not failed:
        shutil.rmtree(folder / _STAGING, ignore_errors=True)
    return Outcome(had, fetched, failed)


def _bring(release: Release, commit: str, file: File, folder: Path) -> bool:
    """Return whether a file had to be fetched; it is there, and right, when this returns.

    Raises:
        OSError: It did not come.
        ValueError: What came is not what the hub lists.
    """
    path = folder / _inside(release, file)
    if _is_right(path, file):
        return False
    path.unlink(missing_ok=True)
    with _hub_errors(release):
        came = Path(
            _api().hf_hub_download(
                release.repo,
                file.path,
                repo_type=release.kind,
                revision=commit,
                local_dir=folder / _STAGING,
            )
        )
    if not _is_right(came, file):
        size = came.stat().st_size
        came.unlink()
        raise ValueError(
            f"expected {file.size} bytes of {file.algorithm} {file.digest[:12]}, got {size} others"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    os.replace(came, path)
    return True


def _is_right(path: Path, file: File) -> bool:
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    if file.algorithm == "sha256":
        digest = hashlib.sha256()
    else:
        digest = hashlib.sha1(usedforsecurity=False)  # git's name of a file; no secret hangs on it
        digest.update(f"blob {file.size}\0".encode())
    with path.open("rb") as content:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest() == file.digest


def _state(path: Path, file: File) -> dict[str, Any] | None:
    """Return what is recorded of a file that is right; None if it is not there."""
    if not path.is_file():
        return None
    stat = path.stat()
    if stat.st_size != file.size:
        return None
    return {"size": file.size, file.algorithm: file.digest, "mtime_ns": stat.st_mtime_ns}


def _recorded(folder: Path, release: Release) -> dict[str, Any]:
    """Return the files of an earlier record; nothing where it is absent or of something else."""
    try:
        told = read_json(folder / RECORD)
    except (OSError, ValueError):
        return {}
    if not isinstance(told, dict) or told.get("repo") != release.repo:
        return {}
    files = told.get("files")
    return files if isinstance(files, dict) else {}


def _write(folder: Path, release: Release, found: Listing, files: Mapping[str, Any]) -> None:
    told = {"repo": release.repo, "kind": release.kind, "commit": found.commit}
    write_json(folder / RECORD, told | {"files": dict(sorted(files.items()))})


def _require_space(release: Release, files: Sequence[File], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    needed, free = sum(file.size for file in files), shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(
            f"{release.name} takes {needed / 1e9:.1f} GB more, {folder} has {free / 1e9:.1f} GB "
            "free; choose another --out, or fewer files by --include"
        )


def _inside(release: Release, file: File) -> str:
    return file.path.removeprefix(f"{release.inside}/" if release.inside else "")


def _path(file: File) -> str:
    return file.path


def _file(entry: Any) -> File:
    if entry.lfs:
        return File(entry.path, entry.size, "sha256", entry.lfs.sha256)
    return File(entry.path, entry.size, "git-sha1", entry.blob_id)


def _api() -> Any:
    """Return the hub's client, of the hub that the environment names."""
    try:
        from huggingface_hub import HfApi
    except ModuleNotFoundError as error:
        error.add_note("fetching needs more: pip install 'impromptu-vla[fetch]'")
        raise
    return HfApi(endpoint=os.environ.get("HF_ENDPOINT"))


@contextmanager
def _hub_errors(release: Release) -> Iterator[None]:
    """Turn the client's many errors into an OSError of one line.

    Raises:
        OSError: Always where the hub said no or could not be reached.
    """
    try:
        from huggingface_hub import errors
    except ModuleNotFoundError:
        yield
        return
    place = f"{release.repo} ({release.kind}) at {_api().endpoint}"
    try:
        yield
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
        raise OSError(
            f"{place}: no such repository or revision, or it takes a token: set HF_TOKEN"
        ) from error
    except errors.LocalEntryNotFoundError as error:  # is an EntryNotFoundError too
        raise OSError(f"{place}: {_UNREACHED}") from error
    except errors.EntryNotFoundError as error:
        raise OSError(f"{place}: it has no {release.inside or 'such file'}") from error
    except (errors.HfHubHTTPError, OSError, json.JSONDecodeError) as error:
        if type(error).__name__ in _NO_CONNECTION:
            raise OSError(f"{place}: {_UNREACHED}") from error
        told = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise OSError(f"{place}: {told}; run the same command again to go on") from error
