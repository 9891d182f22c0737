"""A list of clips to generate from, with the kinds of scenes they show: JSON lines, one a clip."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from impromptu.clip import Clip
from impromptu.files import read_json_lines
from impromptu.plugins import did_you_mean
from impromptu.taxonomy import CATEGORIES


@dataclass(frozen=True, slots=True)
class ChosenClips:
    """Clips by id, each with its tags: ``yes`` or ``no`` of every kind, as it may be of several."""

    tags: Mapping[str, Mapping[str, str]]

    def __contains__(self, clip_id: str) -> bool:
        """Tell whether a clip is chosen."""
        return clip_id in self.tags

    def tagged(self, clip: Clip) -> Clip:
        """Return a clip with the tags it has here."""
        return replace(clip, tags={**clip.tags, **self.tags.get(clip.id, {})})


def load_chosen(path: Path) -> ChosenClips:
    """Read a list: lines such as ``{"id": "kitti/0001/000010", "categories": []}``.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A line is something else, or a clip comes twice; the message names the line.
    """
    tags, sets = dict[str, Mapping[str, str]](), dict[tuple[str, ...], Mapping[str, str]]()
    for number, row in read_json_lines(path):
        name, listed = (row.get("id"), row.get("categories")) if isinstance(row, dict) else (0, 0)
        if not isinstance(name, str) or not name or not isinstance(listed, list):
            expected = '{"id": "<clip>", "categories": ["..."]}'
            raise ValueError(f"{path}:{number}: expected {expected}, got {row!r:.80}")
        if name in tags:
            raise ValueError(f"{path}:{number}: clip {name} comes twice")
        key = tuple(map(str, listed))
        if key not in sets:
            sets[key] = _tags(key, f"{path}:{number}")
        tags[name] = sets[key]
    if not tags:
        raise ValueError(f"{path}: no clips in it, so nothing could be made")
    return ChosenClips(tags)


def _tags(names: tuple[str, ...], where: str) -> dict[str, str]:
    for name in names:
        if name not in CATEGORIES.values():
            known = ", ".join(CATEGORIES.values())
            hint = did_you_mean(name, CATEGORIES.values())
            raise ValueError(f"{where}: no category {name!r}; there are {known}.{hint}")
    return {tag: "yes" if name in names else "no" for tag, name in CATEGORIES.items()}
