"""A generated folder -> the same samples with splits of our own: the same files, divided anew.

What comes out has the layout of generation, so that whatever reads that folder reads this one.
"""

import json
import os
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from impromptu import clip_table
from impromptu.arrays import Floats, Ints
from impromptu.content_keys import content_key
from impromptu.dividing import LogContent, distribution, divide, tied, ties
from impromptu.files import require_writable
from impromptu.json_stream import Broken
from impromptu.plugins import did_you_mean
from impromptu.progress import track
from impromptu.shards.record_lines import record_lines
from impromptu.split_files import (
    SPLIT_FILE,
    TABLE,
    close,
    divide_tables,
    log_of,
    rewrite,
    sample_files,
)

META_ACTION = "meta_action"
_REMEMBERED = 100_000
_SAME_PLACES = 3


@dataclass(frozen=True, slots=True)
class Result:
    """How a folder was divided.

    Attributes:
        split_of: Of each log, ``<dataset>/<log>``.
        strata: By dataset and split, how many clips of each category.
        tied: Logs that share images or places, and were kept together.
        unknown: Names to divide by that no clip has a tag of, each with the nearest that one has.
        files: (path, samples) of what was written.
        dropped: Records that are no sample of a known log, by reason.
    """

    split_of: Mapping[str, str]
    strata: Mapping[str, Mapping[str, Counter[str]]]
    tied: Sequence[Sequence[str]]
    unknown: Mapping[str, str]
    files: Sequence[tuple[Path, int]]
    dropped: Counter[str]


def split(
    folder: Path, out: Path, shares: Mapping[str, float], by: Sequence[str], seed: int
) -> Result:
    """Write ``out``: the files of ``folder``, each sample in the file of its log's new split.

    Args:
        folder: The ``--out`` folder of generation.
        out: A folder that does not exist, is empty, or was written by this.
        shares: Of each split, adding up to 1.
        by: Tags of clips, or ``meta_action``, that every split should have alike.
        seed: The same folder and seed, the same bytes.

    Raises:
        FileNotFoundError: There is no clip table.
        ValueError: ``out`` holds something else.
    """
    folder, out = (Path(os.path.realpath(path)) for path in (folder, out))
    if out.is_dir() and any(out.iterdir()) and not (out / SPLIT_FILE).is_file():
        raise ValueError(f"{out}: it holds what this did not write; choose another --out")
    tables = _tables(folder)
    contents, unknown = _contents(tables, by)
    files = sample_files(folder)
    require_writable(out)
    groups = _groups([*contents], _look(folder, files, contents), _same_places(tables, contents))
    split_of: dict[str, str] = {}
    for dataset in sorted({log.partition("/")[0] for log in contents}):
        mine = {log: one for log, one in contents.items() if log.startswith(f"{dataset}/")}
        together = [group for group in groups if group[0] in mine]
        split_of |= divide(mine, together, shares, seed)
    dropped = Counter[str]()
    written = rewrite(folder, out, files, split_of, dropped)
    divide_tables(out, tables, split_of)
    told = {"seed": seed, "shares": dict(shares), "by": list(by), "tied": groups}
    strata = _strata(contents, split_of)
    close(folder, out, written, split_of, told | {"clips": strata, "dropped": dropped})
    return Result(split_of, strata, groups, unknown, written, dropped)


def _tables(folder: Path) -> dict[tuple[str, str], Path]:
    """Return the clip tables by dataset and split.

    Raises:
        FileNotFoundError: There is none.
    """
    found = {}
    for path in sorted((folder / "clips").glob("*.parquet")):
        if name := TABLE.fullmatch(path.stem):
            found[name["dataset"], name["split"]] = path
    if not found:
        raise FileNotFoundError(
            f"{folder}/clips: expected clip tables such as kitti_train.parquet; name the --out "
            "folder of scripts/data_qa_generate.sh"
        )
    return found


def _contents(
    tables: Mapping[tuple[str, str], Path], by: Sequence[str]
) -> tuple[dict[str, LogContent], dict[str, str]]:
    """Return what each log holds, and the names that no clip has a tag of."""
    clips, strata, known = Counter[str](), dict[str, Counter[str]](), set[str]()
    for path in tables.values():
        table = clip_table.read(path)
        rows = zip(table.ids, table.tags, table.speed_words, table.path_words, strict=True)
        for name, tags, speed, path_word in rows:
            log = name.rpartition("/")[0]
            clips[log] += 1
            values = dict(tags) | ({META_ACTION: f"{speed} {path_word}"} if speed else {})
            known |= values.keys()
            counter = strata.setdefault(log, Counter())
            counter.update(f"{tag}: {values[tag]}" for tag in by if tag in values)
    contents = {log: LogContent(clips[log], strata[log]) for log in clips}
    return contents, {name: did_you_mean(name, known) for name in by if name not in known}


def _look(folder: Path, files: Sequence[Path], contents: Mapping[str, LogContent]) -> Ints:
    """Count each log's samples by question; return the pairs of logs that share an image, (p, 2).

    A log without boxes has no q1 and no q2: every split should have some of those that do.
    """
    numbers = {log: number for number, log in enumerate(contents)}
    names, keys, logs, seen = list(numbers), array("q"), array("q"), set[int]()
    for file in track(files, len(files), "files", "compare images"):
        for line in record_lines(folder / file):
            row = None if isinstance(line, Broken) else json.loads(line)
            if row is None or (number := numbers.get(log_of(row))) is None:
                continue
            contents[names[number]].strata[f"question: {file.stem.rpartition('_')[0]}"] += 1
            for image in row["images"]:
                if (known := hash((image, number))) not in seen:
                    seen.add(known)
                    if len(seen) > _REMEMBERED:
                        seen.clear()
                    if (key := content_key(os.path.join(folder, image))) is not None:
                        keys.append(key)
                        logs.append(number)
    return ties(np.array(keys, dtype=np.int64), np.array(logs, dtype=np.int64), 1)


def _same_places(
    tables: Mapping[tuple[str, str], Path], contents: Mapping[str, LogContent]
) -> Ints:
    """Return the pairs of logs that were at the very same places, (p, 2).

    Mapillary SLS has drives under two sequence names, with images of their own names each. One
    place may be the same by chance, such as the origin where logs begin.
    """
    numbers = {log: number for number, log in enumerate(contents)}
    places, logs = list[Floats](), list[int]()
    for path in tables.values():
        table = clip_table.read(path)
        places.append(table.world[:, :2])
        logs += [numbers[name.rpartition("/")[0]] for name in table.ids]
    keys = np.unique(np.concatenate(places), axis=0, return_inverse=True)[1]
    return ties(keys.ravel(), np.array(logs), _SAME_PLACES)


def _groups(names: Sequence[str], *pairs: Ints) -> list[list[str]]:
    """Return the logs that have to stay together, by dataset."""
    found = tied(np.concatenate(pairs), len(names))
    groups = ([names[number] for number in group] for group in found)
    # What two datasets share is not divided together: each has splits of its own.
    return [mine for group in groups for mine in _by_dataset(group) if len(mine) > 1]


def _by_dataset(logs: Sequence[str]) -> list[list[str]]:
    found: dict[str, list[str]] = {}
    for log in logs:
        found.setdefault(log.partition("/")[0], []).append(log)
    return list(found.values())


def _strata(
    contents: Mapping[str, LogContent], split_of: Mapping[str, str]
) -> dict[str, dict[str, Counter[str]]]:
    datasets = sorted({log.partition("/")[0] for log in contents})
    return {
        dataset: distribution(
            {log: one for log, one in contents.items() if log.startswith(f"{dataset}/")}, split_of
        )
        for dataset in datasets
    }


def shares_of(val: float, test: float) -> dict[str, float]:
    """Return the share of each split.

    Raises:
        ValueError: They are none.
    """
    if val < 0 or test < 0 or not 0 < val + test < 1:
        raise ValueError(f"--val {val} --test {test}: expected shares of 0 to 1, together under 1")
    return {"train": 1 - val - test, "val": val, "test": test}
