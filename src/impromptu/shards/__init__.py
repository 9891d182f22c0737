"""Released samples: WebDataset shards, as tar files or unpacked, and the files made of them.

A sample ``<idx>`` of a shard is the files that begin with ``<idx>.``: images ``<idx>.<view>.png``
or ``.jpg``, and of each question ``<idx>.q{n}_images.json`` (the views it shows; empty where it is
not asked), ``_question.txt`` and ``_answer.txt``. Shards that were packed here have ``<idx>.json``
too: what our samples have beside images and messages, their ids above all.
"""

import re

TASKS = tuple(f"q{number}" for number in range(1, 8))
SPLITS = ("train", "val", "test")
PICTURES = (".png", ".jpg", ".jpeg")

_WORDS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


def splits_in(name: str) -> set[str]:
    """Return the splits that a shard's name tells of; one, if it is well named.

    Words count first, so that ``latest_train`` is of train alone; where no word is a split,
    ``mytrainset`` is of train, and ``trainval`` of two.
    """
    words = re.split(r"[^a-z]+", name.lower())
    told = {_WORDS[word] for word in words if word in _WORDS}
    return told or {split for split in SPLITS if split in name.lower()}
