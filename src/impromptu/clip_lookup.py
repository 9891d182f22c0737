"""Reads one clip again from the raw logs, by its id."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from impromptu import datasets, plugins
from impromptu.clip import Clip
from impromptu.datasets import Dataset, Log

_CLIPS = Mapping[str, Clip]


@dataclass(slots=True)
class ClipReader:
    """Reads clips of raw logs, and remembers the logs' names and the last log's clips.

    Attributes:
        data_raw: The folder of the datasets' own folders.
        scratch: A folder for the indexes that some datasets need.
    """

    data_raw: Path
    scratch: Path
    _logs: dict[str, list[Log]] = field(default_factory=dict)
    _last: tuple[list[Log], _CLIPS] = field(default_factory=lambda: ([], {}))

    def read(self, clip_id: str) -> Clip:
        """Return a clip.

        Raises:
            LookupError: There is no such dataset, log or clip; the message says which there are.
            OSError, ValueError: The log cannot be read.
        """
        dataset_name, _, rest = clip_id.partition("/")
        log_id = rest.rpartition("/")[0]
        if not log_id:
            raise LookupError(f"{clip_id!r}: expected a clip id, <dataset>/<log>/<keyframe>")
        dataset = plugins.load(datasets, dataset_name, Dataset)
        logs = [log for log in self._logs_of(dataset_name, dataset) if log.id == log_id]
        if not logs:
            raise LookupError(f"{clip_id}: {self.data_raw / dataset.home} has no log {log_id!r}")
        if self._last[0] != logs:
            self._last = (logs, {clip.id: clip for clip in _clips(dataset, logs)})
        clips = self._last[1]
        if clip_id not in clips:
            first = ", ".join([*clips][:3]) or "none"
            raise LookupError(f"no clip {clip_id}; the log has {len(clips)}: {first} ...")
        return clips[clip_id]

    def find(self, clip_id: str) -> Clip | None:
        """Return a clip, or None where it cannot be read."""
        try:
            return self.read(clip_id)
        except (OSError, ValueError, LookupError):
            return None

    def _logs_of(self, name: str, dataset: Dataset) -> list[Log]:
        if name not in self._logs:
            root = (self.data_raw / dataset.home).resolve()
            self._logs[name] = list(dataset.logs(root, self.scratch / name))
        return self._logs[name]


def _clips(dataset: Dataset, logs: list[Log]) -> Iterator[Clip]:
    for log in logs:
        yield from (item for item in dataset.clips(log) if isinstance(item, Clip))
