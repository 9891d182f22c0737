"""The file that answers go to: tied to its origin, appended to, mended after a kill, put in order.

Beside ``OUT`` are ``OUT.settings``, what its answers were made from, and while several engines
are at work ``OUT.parts``, a file for each.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from impromptu.files import atomic_bytes, read_json, read_json_lines, write_json


def claim(out: Path, origin: Mapping[str, Any]) -> None:
    """Tie ``out`` to what it is made from.

    Raises:
        ValueError: It already has answers made from something else.
    """
    record = out.with_name(out.name + ".settings")
    begun = out.exists() and out.stat().st_size or any(parts(out).glob("*.jsonl"))
    if not begun:
        write_json(record, origin)
    out.touch()
    told = read_json(record) if record.exists() else {}
    differing = [key for key, value in origin.items() if told.get(key) != value]
    if differing:
        raise ValueError(
            f"{out} already holds answers made otherwise (see {record.name}): "
            + ", ".join(f"{key} was {told.get(key)!r}, is {origin[key]!r}" for key in differing)
            + "; choose another --save_name or delete the file"
        )


def append(file: IO[bytes], content: bytes) -> None:
    """Write past all buffers: what a full disk leaves is a torn line, and nothing comes later."""
    while content:
        content = content[file.write(content) :]


def parts(out: Path) -> Path:
    """Return the folder of what several engines write."""
    return out.with_name(out.name + ".parts")


def absorb_parts(out: Path) -> None:
    """Take over what the engines of this or of an earlier run have written."""
    with out.open("ab", buffering=0) as file:
        for part in sorted(parts(out).glob("*.jsonl")):
            with part.open("rb") as lines:
                for line in lines:
                    if line.endswith(b"\n"):
                        append(file, line)
            part.unlink()
    if parts(out).is_dir():
        parts(out).rmdir()


def cut_torn_line(out: Path) -> None:
    """Cut off a line that a kill or a full disk has torn."""
    with out.open("rb+") as file:
        end = file.seek(0, 2)
        while end:
            start = max(0, end - 65_536)
            file.seek(start)
            if (at := file.read(end - start).rfind(b"\n")) >= 0:
                end = start + at + 1
                break
            end = start
        file.truncate(end)


def done(out: Path) -> set[str]:
    """Return the ids that need not be asked again."""
    reasons = {row["id"]: row["finish_reason"] for _, row in read_json_lines(out)}
    return {name for name, reason in reasons.items() if reason != "error"}


def put_in_order(out: Path, ids: Sequence[str]) -> dict[str, int]:
    """Leave one line a sample, the latest, in the samples' order; count the finish reasons.

    Raises:
        ValueError: A sample has none: the engine has lost it.
    """
    spans, reasons, at, lines = dict[str, tuple[int, int]](), dict[str, str](), 0, 0
    with out.open("rb") as file:
        for line in file:
            row = json.loads(line)
            spans[row["id"]], reasons[row["id"]] = (at, len(line)), row["finish_reason"]
            at, lines = at + len(line), lines + 1
        if lost := [one for one in ids if one not in spans]:
            raise ValueError(f"{out}: the engine gave no answer to {len(lost)} samples: {lost[0]}")
        ordered = [spans[one] for one in ids]
        if lines != len(ids) or ordered != sorted(ordered):
            with atomic_bytes(out) as sorted_file:
                for start, size in ordered:
                    file.seek(start)
                    sorted_file.write(file.read(size))
    return dict(Counter(reasons[one] for one in ids))
