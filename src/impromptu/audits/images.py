"""Does every image marker have an image, and every image a file that is one?"""

import os
from collections.abc import Iterator
from pathlib import Path

from impromptu.audits import Audit, Finding, Image, Record, Tally
from impromptu.conversation import IMAGE
from impromptu.image_files import image_fault

_REMEMBERED = 100_000
_TINY_BYTES, _TINY_PX = 4_096, 32
_MISSING = (
    "{n} uses of image files that do not exist. If it is all of them, images start elsewhere: "
    "tell with --media_dir."
)
_REMOTE = ("http:", "https:", "data:", "s3:", "gs:")
_KINDS = {b"\xff\xd8\xff": (".jpg", ".jpeg"), b"\x89PNG": (".png",)}
_WHOLE = {b"\xff\xd8\xff": b"\xff\xd9", b"\x89PNG": b"IEND"}


class _Images:
    def __init__(self) -> None:
        self.tally, self.known = Tally(), dict[int, str]()

    def see(self, record: Record) -> None:
        self.tally.seen += 1
        marks, images = record.prompt.count(IMAGE), record.images
        if marks != len(images):
            self.tally.add("tags", record, f"{marks} markers for {len(images)} images")
        if IMAGE in record.answer:
            self.tally.add("tag_in_answer", record)
        if len(set(images)) < len(images):
            self.tally.add("twice_in_one", record)
        for image, path in zip(images, record.paths, strict=True):
            self._one(record, image, path)

    def _one(self, record: Record, image: str, path: str) -> None:
        if image.startswith(_REMOTE):
            self.tally.add("remote", record, image)
            return
        if os.path.isabs(image) or image[1:3] == ":\\":
            self.tally.add("absolute", record, image)
        if fault := self._fault(record, image, path):
            self.tally.add(fault, record, image)

    def _fault(self, record: Record, image: str, path: str) -> str:
        if record.shard is not None and (base := image.rpartition("/")[2]) in record.shard:
            return _member_fault(base, record.shard[base])
        if record.shard is not None and image[:1] != "/":
            path = os.path.normpath(f"{record.source.media_dir}/{image}")
        key = hash(path)
        if key not in self.known:
            if len(self.known) >= _REMEMBERED:
                self.known.clear()
            self.known[key] = _file_fault(path)
        return self.known[key]

    def findings(self) -> Iterator[Finding]:
        find = self.tally.finding
        text = "In {n} samples ({share}) the <image> markers are not as many as the images."
        yield from find("error", "tags", text)
        yield from find("error", "tag_in_answer", "{n} answers hold an <image> marker.")
        yield from find("error", "missing_image", _MISSING)
        text = "{n} uses of image files that cannot be opened."
        yield from find("error", "unreadable_image", text)
        text = "{n} uses of image files that are cut short: their end is missing."
        yield from find("error", "truncated_image", text)
        text = "{n} uses of files that are neither JPEG nor PNG, whatever their name says."
        yield from find("error", "not_an_image", text)
        text = f"{{n}} uses of images with a side under {_TINY_PX} pixels."
        yield from find("error", "tiny_image", text)
        text = "{n} uses of images whose name ends in another format than theirs."
        yield from find("warning", "wrong_ending", text)
        text = "{n} image paths are absolute: the data works on one machine only."
        yield from find("warning", "absolute", text)
        yield from find("warning", "remote", "{n} images are addresses, not files; not fetched.")
        yield from find("warning", "twice_in_one", "{n} samples show an image more than once.")


def _file_fault(path: str) -> str:
    """Say what is wrong with a file, from its two ends; one of few bytes is decoded too."""
    try:
        if fault := image_fault(Path(path)):
            return fault
        with open(path, "rb") as file:
            head, size = file.read(8), os.fstat(file.fileno()).st_size
    except (OSError, ValueError):  # no file system has such a name
        return "missing_image"
    return _wrong_ending(path, head) or (_tiny(path) if size < _TINY_BYTES else "")


def _wrong_ending(path: str, head: bytes) -> str:
    for begins, endings in _KINDS.items():
        if head.startswith(begins) and not path.lower().endswith(endings):
            return "wrong_ending"
    return ""


def _tiny(path: str) -> str:
    from PIL import Image as Picture

    try:
        with Picture.open(path) as picture:
            return "tiny_image" if min(picture.size) < _TINY_PX else ""
    except (OSError, ValueError, Picture.DecompressionBombError):
        return "not_an_image"


def _member_fault(name: str, image: Image) -> str:
    for begins, ends in _WHOLE.items():
        if image.head.startswith(begins):
            return _wrong_ending(name, image.head) if ends in image.tail else "truncated_image"
    return "not_an_image"


AUDIT = Audit("Does every image marker have an image?", _Images)
