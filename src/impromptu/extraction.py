"""Has each image that a sample shows as a file: those inside other files are written out, once."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from impromptu.clip import Camera, PackedImage
from impromptu.image_files import image_fault


@dataclass(slots=True)
class ShownImages:
    """The images of one log that were asked for.

    Attributes:
        keep: Whether samples are wanted even where an image cannot be written out.
        faults: What is wrong with each file, empty if nothing is.
        unwritten: Why one could not be written out, if so.
    """

    keep: bool
    faults: dict[Path, str] = field(default_factory=dict)
    unwritten: str = ""

    def fault(self, camera: Camera) -> str:
        """Say what is wrong with an image, if anything, once it is written out.

        Raises:
            OSError: It cannot be written out, and is not to be done without.
        """
        fault = self.faults.get(camera.image)
        if fault is None:
            fault = self.faults[camera.image] = self._look(camera)
        return fault

    def _look(self, camera: Camera) -> str:
        try:
            if camera.packed and not _is_there(camera.image, camera.packed):
                _write(camera.image, camera.packed.content())
        except OSError as error:
            if not self.keep:
                raise
            self.unwritten = self.unwritten or str(error)
            return "unwritten_image"
        return image_fault(camera.image)


def _is_there(path: Path, packed: PackedImage) -> bool:
    """Tell whether an image is written out already, to its end."""
    if packed.size is None:
        return not image_fault(path)
    try:
        return path.stat().st_size == packed.size
    except OSError:
        return False


def _write(path: Path, content: bytes) -> None:
    """Write an image; two runs may do so at once.

    Raises:
        OSError: It cannot be written; the message says what to do.
    """
    try:
        try:
            _place(path, content)
        except FileNotFoundError:  # the first image of its folder
            path.parent.mkdir(parents=True, exist_ok=True)
            _place(path, content)
    except OSError as error:
        raise OSError(
            f"{path}: an image inside a record cannot be written out ({error.strerror}); make "
            "room, or name a folder that can be written to: --extract_dir DIR"
        ) from error


def _place(path: Path, content: bytes) -> None:
    """Let a file appear under its name only when complete.

    It is not synced: a size that differs after a crash has it written again.
    """
    # Not by tempfile, whose files then need a change of mode.
    temporary = os.path.join(path.parent, f".{path.name}.{os.urandom(8).hex()}")
    try:
        with open(temporary, "xb", buffering=0) as file:
            rest = memoryview(content)
            while rest:
                rest = rest[file.write(rest) :]
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
