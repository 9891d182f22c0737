"""Where the images of a log go that are inside its files."""

from pathlib import Path

from impromptu.datasets import Log

EXTRACTED = "_extracted"
"""Ending of the folder that a dataset's images are written to."""


def extracted_folder(log: Log) -> Path:
    """Return where a log's images go: beside its dataset's folder, if not sent elsewhere."""
    within = log.extract_dir or log.root.parent
    return within / f"{log.root.name}{EXTRACTED}" / log.split / log.id / "images"


def jpeg(folder: Path, view: str, stamp_ns: int) -> Path:
    """Return where an image goes, under its log's folder."""
    return folder / f"camera_{view.replace(' ', '_')}" / f"{stamp_ns // 1000}.jpg"
