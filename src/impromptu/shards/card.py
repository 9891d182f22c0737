"""Writes the card of packed shards: what is in them, under which terms, and how to load them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from impromptu import clip_table, datasets, plugins
from impromptu.clip_table import clip_file
from impromptu.datasets import Dataset
from impromptu.files import atomic_writer
from impromptu.shards import SPLITS, TASKS

_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"))
_LARGEST = "1M<n<10M"
_MOST_VALUES = 20
"""Of a tag; one with more, such as a place, is told by their number."""

_BODY = Path(__file__).with_name("card.md")


def write_card(out: Path, folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write ``README.md`` as the Hugging Face hub reads it.

    Args:
        out: The folder of shards.
        folder: The generated folder that they were packed from.
        manifest: What the pack's manifest will hold.
    """
    shards, questions = manifest["shards"], manifest["questions"]
    example = next(iter(shards), "*.tar")
    body = _BODY.read_text(encoding="utf-8").format(
        questions=_table(_question_rows(questions, shards)),
        dropped=_table(_dropped_rows(questions)) or "Nothing.",
        sources=_table(_source_rows(questions)),
        figures=_table(_figure_rows(folder, questions)),
        shared=_shared(manifest["logs_that_share_images"]),
        example=example,
    )
    front = yaml.safe_dump(_front(questions, shards), sort_keys=False, allow_unicode=True)
    with atomic_writer(out / "README.md") as file:
        file.write(f"---\n{front}---\n\n{body}")


def _front(
    questions: Mapping[str, Mapping[str, Any]], shards: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    count = sum(shard["samples"] for shard in shards.values())
    splits = [split for split in SPLITS if any(split in told for told in questions.values())]
    return {
        "pretty_name": "Driving questions and answers",
        "license": "other",
        "license_name": "terms-of-the-source-datasets",
        "language": ["en"],
        "task_categories": ["visual-question-answering", "image-text-to-text"],
        "tags": ["autonomous-driving", "webdataset", *questions],
        "size_categories": [next((name for top, name in _SIZES if count < top), _LARGEST)],
        "configs": [
            {
                "config_name": "default",
                "data_files": [
                    {"split": split, "path": f"*/*_{split}_*.tar"}
                    for split in splits
                    if any(f"_{split}_" in name for name in shards)
                ],
            }
        ],
    }


def _table(rows: Iterator[Sequence[object]]) -> str:
    """Write rows as a table, the first as its head; nothing if there is no other."""
    lines = [f"| {' | '.join(map(str, row))} |" for row in rows]
    if len(lines) < 2:
        return ""
    return "\n".join([lines[0], "|" + "---|" * (lines[0].count(" | ") + 1), *lines[1:]])


def _question_rows(
    questions: Mapping[str, Mapping[str, Any]], shards: Mapping[str, Mapping[str, Any]]
) -> Iterator[Sequence[object]]:
    yield "dataset", "split", "samples", "GB", *TASKS
    for dataset, splits in questions.items():
        for split, tasks in splits.items():
            mine = [v for n, v in shards.items() if n.startswith(f"{dataset}/{dataset}_{split}_")]
            samples, size = (sum(one[key] for one in mine) for key in ("samples", "size"))
            counts = (f"{tasks[task]['written']:,}" for task in TASKS)
            yield dataset, split, f"{samples:,}", f"{size / 1e9:.2f}", *counts


def _dropped_rows(questions: Mapping[str, Mapping[str, Any]]) -> Iterator[Sequence[object]]:
    yield "dataset", "split", "question", "reason", "questions"
    for dataset, splits in questions.items():
        for split, tasks in splits.items():
            for task, told in tasks.items():
                for reason, count in told["dropped"].items():
                    yield dataset, split, task, reason, f"{count:,}"


def _source_rows(names: Mapping[str, object]) -> Iterator[Sequence[object]]:
    yield "dataset", "source", "terms"
    for name in names:
        source = plugins.load(datasets, name, Dataset)
        yield (
            name,
            f"[{source.title}]({source.url})" if source.url else source.title,
            source.licence,
        )


def _figure_rows(
    folder: Path, questions: Mapping[str, Mapping[str, Any]]
) -> Iterator[Sequence[object]]:
    yield "dataset", "split", "what", "clips"
    for dataset, splits in questions.items():
        for split in splits:
            table = clip_table.read(folder / clip_file(dataset, split))
            yield dataset, split, "clips", f"{len(table.ids):,} of {len(set(table.logs)):,} logs"
            yield dataset, split, "speed and path", _told(_actions(table))
            tags: dict[str, Counter[str]] = {}
            for row in table.tags:
                for tag, value in row.items():
                    tags.setdefault(tag, Counter())[value] += 1
            yield from ((dataset, split, tag, _told(tags[tag])) for tag in sorted(tags))


def _actions(table: clip_table.ClipTable) -> Counter[str]:
    words = zip(table.speed_words, table.path_words, strict=True)
    return Counter(f"{speed} {path}" for speed, path in words if speed and path)


def _told(counts: Counter[str]) -> str:
    if len(counts) > _MOST_VALUES:
        return f"{len(counts):,} different"
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{value} {count:,}" for value, count in ordered) or "not known"


def _shared(pairs: Sequence[Mapping[str, Any]]) -> str:
    if not pairs:
        return ""
    lines = "\n".join(
        f"- {one['log']} ({one['split']}) and {one['other_log']} ({one['other_split']}): "
        f"{one['images']:,} images"
        for one in pairs
    )
    return f"**These logs show the same images in two splits:**\n\n{lines}\n\n"
