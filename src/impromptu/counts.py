"""What became of a log and of each question asked of it, as numbers that add up."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Tally:
    """What one question asked of one log came to: ``asked == samples + dropped``.

    Attributes:
        images_missing: How many of the samples name an image that is absent or broken.
        clipped: How many answers have a step beyond every action token.
    """

    asked: int = 0
    samples: int = 0
    images_missing: int = 0
    clipped: int = 0
    dropped: Counter[str] = field(default_factory=Counter)

    def count_sample(self, image_missing: bool, clipped: bool) -> None:
        """Take in a sample that was made."""
        self.asked += 1
        self.samples += 1
        self.images_missing += image_missing
        self.clipped += clipped

    def count_dropped(self, reason: str) -> None:
        """Take in a sample that was not."""
        self.asked += 1
        self.dropped[reason] += 1

    def add(self, other: "Tally") -> None:
        """Take in another log's tally."""
        self.asked += other.asked
        self.samples += other.samples
        self.images_missing += other.images_missing
        self.clipped += other.clipped
        self.dropped.update(other.dropped)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object, reasons in alphabetical order."""
        return {
            "asked": self.asked,
            "samples": self.samples,
            "samples_with_missing_images": self.images_missing,
            "answers_clipped": self.clipped,
            "dropped": dict(sorted(self.dropped.items())),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Tally":
        """Read what ``to_json`` wrote."""
        missing, clipped = value["samples_with_missing_images"], value["answers_clipped"]
        return cls(value["asked"], value["samples"], missing, clipped, Counter(value["dropped"]))


@dataclass(slots=True)
class LogCounts:
    """What became of one log.

    Attributes:
        clips: Clips it gave.
        keyframes_dropped: Keyframes that gave none, by reason.
        poses_unusable: Poses between keyframes that were left out.
        images_missing: Whether any image was absent or broken, so that a later run looks again.
        images_unwritten: Why an image inside the log's files could not be written out, if so.
        tallies: By task.
        error: Why the log could not be read; then all else is zero.
    """

    clips: int = 0
    keyframes_dropped: Counter[str] = field(default_factory=Counter)
    poses_unusable: int = 0
    images_missing: bool = False
    images_unwritten: str = ""
    tallies: dict[str, Tally] = field(default_factory=dict)
    error: str = ""

    def count_lost(self, reason: str, keyframe: bool) -> None:
        """Take in a keyframe that gave no clip, or a pose between keyframes."""
        if keyframe:
            self.keyframes_dropped[reason] += 1
        else:
            self.poses_unusable += 1

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {
            "clips": self.clips,
            "keyframes_dropped": dict(sorted(self.keyframes_dropped.items())),
            "poses_unusable": self.poses_unusable,
            "images_missing": self.images_missing,
            "images_unwritten": self.images_unwritten,
            "tallies": {task: tally.to_json() for task, tally in self.tallies.items()},
            "error": self.error,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "LogCounts":
        """Read what ``to_json`` wrote."""
        return cls(
            value["clips"],
            Counter(value["keyframes_dropped"]),
            value["poses_unusable"],
            value["images_missing"],
            value["images_unwritten"],
            {task: Tally.from_json(tally) for task, tally in value["tallies"].items()},
            value["error"],
        )
