"""Datasets: each module here turns one dataset's native files into clips."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from impromptu.clip import Clip


class LogError(ValueError):
    """One log that cannot be read; the text names file, row and field, and what to do."""


@dataclass(frozen=True, slots=True)
class Log:
    """A scene, segment or sequence: the unit of parallel work and of resuming.

    Attributes:
        id: Unique in its dataset, stable.
        split: The dataset's official split, ``train``, ``val`` or ``test``.
        root: The dataset's folder.
        source: What ``Dataset.clips`` opens first: this log's file or folder, or an index of it.
        inputs: The native files under ``root`` that its clips are read from, images apart; a
            change in one makes finished work stale.
        frames_hz: Frames a second, as the user states them for a format without time, or None
            where nobody knows; adapters whose files hold stamps do not look at it.
        extract_dir: Folder for images that are inside the dataset's files, or None for the one
            that ``root`` is in; adapters of datasets that ship images as files do not look at it.
    """

    id: str
    split: str
    root: Path
    source: Path
    inputs: tuple[Path, ...] = ()
    frames_hz: float | None = None
    extract_dir: Path | None = None


@dataclass(frozen=True, slots=True)
class Dropped:
    """What gave no clip, and why, in one snake_case word or two.

    Attributes:
        keyframe: False for a pose between keyframes: motion was told without it.
    """

    id: str
    reason: str
    keyframe: bool = True


@dataclass(frozen=True, slots=True)
class Dataset:
    """A source of clips.

    Attributes:
        home: Its folder under ``data_raw``; empty where nothing is read from disk.
        title: Name for people.
        url: Where to download it.
        licence: Terms of use, in a few words.
        size: How much there is to download, as far as it is known.
        tree: The expected paths, relative to ``home``, one a line.
        splits: Its official splits that have poses.
        surround: View names of a full look around, in the order prompts show them.
        forward: View names of trajectory prompts, in order.
        logs: (root, scratch) -> logs in a fixed order. ``scratch`` is an empty or earlier used
            folder outside the dataset for an index, where one is needed.
        clips: Clips of one log in the order of time, and the keyframes that gave none.
        indexes: What is built from the whole dataset before its logs are listed, each by itself
            and so side by side: (root, scratch), functions of a module. ``logs`` builds what is
            not there yet, and raises what they raise.
    """

    home: str
    title: str
    url: str
    licence: str
    size: str
    tree: str
    splits: tuple[str, ...]
    surround: tuple[str, ...]
    forward: tuple[str, ...]
    logs: Callable[[Path, Path], Sequence[Log]]
    clips: Callable[[Log], Iterator[Clip | Dropped]]
    indexes: tuple[Callable[[Path, Path], object], ...] = ()


def keyframes(dataset: Dataset, log: Log) -> Iterator[Clip | Dropped]:
    """Yield what a dataset makes of a log, checked to be what every log must come to.

    Raises:
        LogError: An input is no file, or two clips have one name, or a name has a slash in it;
            and what the dataset raises.
    """
    for path in log.inputs:
        if not path.is_file():
            what = "a link that leads to none" if path.is_symlink() else "none"
            raise LogError(f"{path}: expected a file, but it is {what}: download it again")
    clips = set[str]()
    for item in dataset.clips(log):
        # A frame that is listed twice is a clip, and a loss of the same name.
        if item.id.count("/") != 2 or (isinstance(item, Clip) and item.id in clips):
            raise LogError(
                f"{log.source}: keyframe {item.id.split('/', 2)[-1]!r}: expected a name without a "
                "slash that no other has: download the log again"
            )
        if isinstance(item, Clip):
            clips.add(item.id)
        yield item


def not_found(dataset: Dataset, root: Path, what: str) -> FileNotFoundError:
    """Make the error of a folder without the dataset: what is missing, expected, and to be had."""
    tree = "\n".join(f"  {root}/{line}" for line in dataset.tree.splitlines())
    return FileNotFoundError(
        f"{root}: {what}; expected {dataset.title} as\n{tree}\nDownload it from {dataset.url}"
    )
