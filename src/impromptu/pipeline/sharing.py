"""Divides samples by log, packs them as released shards, and reads those back as samples."""

import shutil
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from impromptu.content_keys import content_key
from impromptu.files import read_json
from impromptu.pipeline.extras import Say, lacking
from impromptu.registry import REGISTRY, load_samples
from impromptu.report import Account
from impromptu.report.text import counted
from impromptu.shards.counts import losses
from impromptu.shards.formatting import format_split
from impromptu.shards.merging import merge
from impromptu.shards.organizing import organize
from impromptu.shards.packing import Result, pack
from impromptu.splitting import META_ACTION, shares_of, split

VAL_SHARE, BY, SHARD_BYTES = 0.3, ("weather", META_ACTION), 10_000_000
_TITLE = "Split and shards"
_COMMANDS = f"""impromptu split DIR --out DIVIDED --val {VAL_SHARE} --by {" ".join(BY)}
impromptu pack DIVIDED --out SHARDS
python scripts/data_organize.py --data_root SHARDS --split train --out DATA
python scripts/format.py --data_root DATA --split train
python scripts/merge_data.py --data_root DATA --split train"""

Content = tuple[str, str, tuple[int | None, ...]]
"""Prompt, answer and images of a sample, these by what is in them."""


def share(samples_dir: Path, out: Path, workers: int, say: Say) -> Account:
    """Split, pack, read back, and tell how many samples came back as they were.

    Args:
        samples_dir: What generation wrote.
        out: ``divided``, ``ImpromptuData`` (the shards) and ``data`` (read back) go here.
        workers: Shards at once.
        say: Told what begins.
    """
    if why := lacking("shards", ["webdataset"], "shards"):
        say(why)
        return Account(_TITLE, [why])
    divided, shards, data = (out / name for name in ("divided", "ImpromptuData", "data"))
    shutil.rmtree(divided, ignore_errors=True)  # one that a kill left half written is refused
    say(f"dividing the logs anew, evenly by {' and '.join(BY)}: {divided}")
    drawn = split(samples_dir, divided, shares_of(VAL_SHARE, 0.0), BY, 0)
    say(f"packing released shards: {shards}")
    packed = pack(divided, shards, SHARD_BYTES, workers)
    rows = list[tuple[str | int, ...]]()
    for name in sorted(set(drawn.split_of.values())):
        say(f"data_organize, format, merge_data --split {name}: {data}")
        organize(shards, data, name, workers)
        format_split(data, name, "keep", workers)
        merge(data, name, "jsons", workers)
        logs = sum(one == name for one in drawn.split_of.values())
        rows.append((name, logs, *_compared(divided, data, name, packed)))
    remarks = [
        "The same: prompt, answer and the content of every image.",
        f"Released shards have no place for {len(packed.left_out)} registered files: "
        f"{', '.join(packed.left_out) or 'none'}.",
    ]
    head = ("split", "logs", "samples", "dropped", "read back", "the same")
    return Account(_TITLE, remarks, head, rows, _COMMANDS)


def _compared(divided: Path, data: Path, name: str, packed: Result) -> tuple[int, str, int, int]:
    """Return samples packed, dropped by reason, read back, and how many are the same."""
    before = _contents(divided, _packable(divided, name, packed))
    after = _contents(data, [f"impromptu_{name}"])
    dropped = sum((losses(of.get(name, {})) for of in packed.counts.values()), Counter[str]())
    same = sum(after.get(key) == content for key, content in before.items())
    return len(before), counted(dropped) or "none", len(after), same


def _packable(divided: Path, name: str, packed: Result) -> list[str]:
    registered = read_json(divided / REGISTRY)
    return [one for one in registered if one.endswith(f"_{name}") and one not in packed.left_out]


def _contents(folder: Path, names: Iterable[str]) -> dict[str, Content]:
    key = cache(content_key)
    return {
        sample.id: (sample.prompt, sample.answer, tuple(key(folder / one) for one in sample.images))
        for sample in load_samples(folder, list(names))
    }
