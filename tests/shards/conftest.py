"""Released samples as files, unpacked or in tar files."""

import io
import json
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

TEN = ", ".join(f"[{at}.00, 0.10]" for at in range(1, 11))
ANSWERS = {
    "q1": "No, I don't see any vulnerable road users within 20 meters ahead of me.",
    "q2": "Object 1: KEEP, STRAIGHT\nObject 2: STOP, LEFT_TURN",
    "q3": "The light is green.",
    "q4": "Green",
    "q5": "A street by day.",
    "q6": "KEEP,STRAIGHT",
    "q7": f"The output is formatted as [x, y]: {TEN}",
}
VIEWS = {task: ["front"] for task in ANSWERS} | {"q6": ["front", "back left"], "q3": []}

Write = Callable[..., Path]


@pytest.fixture
def sample_files() -> Callable[..., dict[str, bytes]]:
    """The files of one released sample; q3 is not asked."""

    def files(idx: str, **texts: str | bytes | None) -> dict[str, bytes]:
        made: dict[str, Any] = {}
        for task, answer in ANSWERS.items():
            views = VIEWS[task]
            made[f"{task}_images.json"] = json.dumps(views)
            marks = "".join(f"<{view.upper()} VIEW>:\n<image>\n" for view in views)
            made[f"{task}_question.txt"] = (
                f"  {marks}What about {task} in é{idx}?\n" if views else ""
            )
            made[f"{task}_answer.txt"] = f"{answer}\n" if views else ""
        made |= {"front.png": f"picture {idx}", "back left.jpg": f"picture behind {idx}"}
        made |= {name.replace("__", "."): text for name, text in texts.items()}
        return {
            f"{idx}.{name}": text.encode() if isinstance(text, str) else text
            for name, text in sorted(made.items())
            if text is not None
        }

    return files


@pytest.fixture
def write_folder() -> Write:
    """Write files as an unpacked shard."""

    def write(folder: Path, files: Mapping[str, bytes]) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return folder

    return write


@pytest.fixture
def write_tar() -> Write:
    """Write members as a tar file: (name, content) or a ``TarInfo`` of another kind."""

    def write(path: Path, members: Sequence[tuple[str, bytes] | tarfile.TarInfo]) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(path, "w") as archive:
            for member in members:
                if isinstance(member, tarfile.TarInfo):
                    archive.addfile(member)
                    continue
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                archive.addfile(info, io.BytesIO(member[1]))
        return path

    return write


@pytest.fixture
def released(
    tmp_path: Path, sample_files: Callable[..., dict[str, bytes]], write_folder: Write
) -> Path:
    """Two datasets with unpacked shards of two splits, three samples each."""
    root = tmp_path / "ImpromptuData"
    for dataset, shard in (
        ("waymo", "waymo_train_0"),
        ("kitti", "kitti_train_1"),
        ("kitti", "kitti_train_0"),
        ("kitti", "kitti_val_0"),
    ):
        for idx in ("002", "000", "001"):
            write_folder(root / dataset / shard, sample_files(idx))
    return root
