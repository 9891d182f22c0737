"""Writes what people accepted or edited as sample files and labels; what is not written is counted.

A file is written under the path it was read from, its images named from the new folder. All that
was read is written or counted: in == out + dropped.
"""

import copy
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from impromptu.conversation import registry_entry
from impromptu.files import atomic_writer, write_json, write_json_list
from impromptu.registry import REGISTRY
from impromptu.review.decisions import Decision, Ledger
from impromptu.review.draw import Draw
from impromptu.review.items import LABELS, Item

MANIFEST = "review.json"


def write(
    draw: Draw, ledger: Ledger, reviewer: str | None, source: Path, out: Path
) -> dict[str, Any]:
    """Write all files; return the counts, which are written too.

    Args:
        draw: The items.
        ledger: What was decided.
        reviewer: Whose decisions count; None for those on which all who decided agree.
        source: The folder that was read.
        out: A folder without such files.

    Raises:
        FileExistsError: ``out`` holds some already; or it is ``source``.
    """
    if out.resolve() == source.resolve() or (out / MANIFEST).exists() or (out / REGISTRY).exists():
        raise FileExistsError(f"{out}: holds samples already; name a new folder")
    dropped = Counter({"not_drawn": draw.total - len(draw.items)}) + Counter(draw.dropped.counts)
    written: dict[Path, list[Any]] = {}
    for item in draw.items:
        value, reason = _outcome(item, ledger, reviewer)
        if value is None:
            dropped[reason] += 1
        else:
            rows = written.setdefault(_inside(item.file, source), [])
            rows.append(_row(item, value, out))
    registry = {}
    for path, rows in sorted(written.items()):
        if LABELS in rows[0]:
            _write_lines(out / path, rows)
        else:
            name = path.with_suffix(".json")
            write_json_list(out / name, rows)
            registry["_".join(name.with_suffix("").parts)] = registry_entry(name.as_posix())
    if registry:
        write_json(out / REGISTRY, registry)
    counts = {
        "in": draw.total + sum(draw.dropped.counts.values()),
        "out": sum(map(len, written.values())),
        "dropped": dict(sorted(dropped.items())),
        "reviewer": reviewer or "all",
        "seed": draw.seed,
    }
    write_json(out / MANIFEST, counts)
    return counts


def _outcome(item: Item, ledger: Ledger, reviewer: str | None) -> tuple[Sequence[str] | None, str]:
    """Return what is right of an item, or None and why that is not known."""
    known = list(_decisions(item, ledger, reviewer))
    current = [one for one in known if one.is_about(item) and one.verdict != "skip"]
    if not current:
        if any(not one.is_about(item) for one in known):
            return None, "changed_since_decided"
        return None, "skipped" if known else "undecided"
    if any(one.verdict == "reject" for one in current):
        return None, "rejected"
    values = {one.value for one in current}
    return (values.pop(), "") if len(values) == 1 else (None, "reviewers_disagree")


def _decisions(item: Item, ledger: Ledger, reviewer: str | None) -> Iterator[Decision]:
    for name in ledger.history:
        if reviewer in (None, name) and (one := ledger.of(name).get(item.key)):
            yield one


def _inside(file: Path, source: Path) -> Path:
    """Return where a file is below the source; one outside of it by its folder and name."""
    root = source.resolve()
    root = root.parent if root.is_file() else root
    return file.relative_to(root) if file.is_relative_to(root) else Path(*file.parts[-2:])


def _row(item: Item, value: Sequence[str], out: Path) -> Mapping[str, Any]:
    images = [Path(os.path.relpath(place, out)).as_posix() for place in item.places]
    row = copy.deepcopy(dict(item.row)) | {"images": images}
    if item.kind == LABELS:
        return row | {LABELS: list(value)}
    row.pop("image", None)
    messages = row.get("messages", row.get("conversations"))
    last = messages[-1] if isinstance(messages, list) else {}
    last["content" if "content" in last else "value"] = value[0]
    return row


def _write_lines(path: Path, rows: Sequence[Any]) -> None:
    import json

    with atomic_writer(path) as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
