"""Reads the samples of WebDataset shards: ``.json`` members, or the published question files."""

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from impromptu.audits import Image
from impromptu.json_stream import BLOCK, LARGEST, Broken, batches
from impromptu.tar_members import Member, members

_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
_ENDS = 64

Images = dict[str, Image]


def shard_rows(path: Path) -> Iterator[list[tuple[Any, Images]]]:
    """Yield the rows of a shard and the images beside each, a batch for each megabyte of file.

    Members that share their name up to the first dot are one sample. Published shards hold
    ``<key>.q7_question.txt``, ``_answer.txt`` and ``_images.json``, a list of views, empty where
    the question is not asked; an image is ``<key>.<view>.png``.

    Raises:
        ValueError: The file is damaged; the rows before that have been yielded.
    """
    rows: list[tuple[Any, Images]] = []
    key, group, read_to = "", list[Member](), BLOCK
    with path.open("rb") as file:
        for member in members(path):
            if (own := _key(member.name)) != key:
                rows += _sample(file.fileno(), key, group)
                key, group = own, []
            group.append(member)
            while member.at >= read_to:
                yield rows
                rows, read_to = [], read_to + BLOCK
        rows += _sample(file.fileno(), key, group)
    yield rows


def _key(name: str) -> str:
    folder, _, base = name.rpartition("/")
    return f"{folder}/{base.partition('.')[0]}"


def _sample(shard: int, key: str, group: Sequence[Member]) -> Iterator[tuple[Any, Images]]:
    named = {member.name.rpartition("/")[2]: member for member in group}
    images = {
        name: Image(member.size, *(_part(shard, member, share) for share in (0, 1, 2)))
        for name, member in named.items()
        if name.lower().endswith(_PICTURES)
    }
    name = key.rpartition("/")[2]
    texts = {
        base.removeprefix(f"{name}."): _text(shard, member)
        for base, member in named.items()
        if base.endswith((".json", ".txt"))
    }
    for base, text in texts.items():
        if base.endswith("_question.txt"):
            row = _published(name, base.removesuffix("_question.txt"), texts, images)
            yield from [(row, images)] if row else []
        elif base.endswith("json") and not base.endswith("_images.json"):
            yield from ((value, images) for value in _values(text))


def _published(
    name: str, task: str, texts: Mapping[str, str | Broken], images: Images
) -> dict[str, Any]:
    """Return the row of a published question; none if it is not asked."""
    views = _values(texts.get(f"{task}_images.json", "[]"))
    if not views:
        return {}
    turns = [(role, texts.get(f"{task}_{part}.txt")) for role, part in _TURNS]
    return {
        "id": f"{name}/{task}",
        "images": [_image_name(name, str(view), images) for view in views],
        "messages": [
            {"role": role, "content": text.strip() if isinstance(text, str) else None}
            for role, text in turns
        ],
    }


_TURNS = (("user", "question"), ("assistant", "answer"))


def _image_name(name: str, view: str, images: Images) -> str:
    candidates = [view, f"{name}.{view}", *(f"{name}.{view}{end}" for end in _PICTURES)]
    return next((one for one in candidates if one in images), f"{name}.{view}.png")


def _values(text: str | Broken) -> list[Any]:
    if isinstance(text, Broken):
        return [text]
    file = io.BytesIO(text.encode("utf-8", "surrogateescape"))
    return [value for batch in batches(file) for value in batch]


def _part(shard: int, member: Member, half: int) -> bytes:
    """Return the first, middle or last bytes of a member."""
    room = max(0, member.size - _ENDS)
    return os.pread(shard, member.size - room, member.at + room * half // 2)


def _text(shard: int, member: Member) -> str | Broken:
    if member.size > LARGEST:
        return Broken("too_large", f"{member.name}: {member.size:,} bytes")
    return os.pread(shard, member.size, member.at).decode("utf-8", "surrogateescape")
