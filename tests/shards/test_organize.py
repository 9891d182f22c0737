"""The files are those of the published step, derived by hand from its description."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from impromptu.cli import main
from impromptu.shards import TASKS, organizing, splits_in
from impromptu.shards.counts import losses
from impromptu.shards.organizing import Result, organize

Files = Callable[..., dict[str, bytes]]
Write = Callable[..., Path]


def rows(path: Path) -> list[dict[str, Any]]:
    read = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(read, list)
    return read


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def one(tmp_path: Path, files: dict[str, bytes], write_folder: Write) -> Result:
    write_folder(tmp_path / "in/kitti/train_0", files)
    return organize(tmp_path / "in", tmp_path / "data", "train", 1)


def test_names_order_and_shape_are_the_published_ones(released: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    result = organize(released, out, "train", 1)
    assert sorted(path.name for path in (out / "train").iterdir()) == [
        "kitti",
        "manifest.json",
        "waymo",
    ]
    assert sorted(p.name for p in (out / "train/kitti").iterdir()) == [f"{t}.json" for t in TASKS]
    assert rows(out / "train/kitti/q3.json") == []
    assert rows(out / "train/waymo/q6.json")[1] == {
        "id": "waymo/waymo_train_0/001/q6",
        "images": [
            "../ImpromptuData/waymo/waymo_train_0/001.front.png",
            "../ImpromptuData/waymo/waymo_train_0/001.back left.jpg",
        ],
        "messages": [
            {
                "role": "user",
                "content": "<FRONT VIEW>:\n<image>\n<BACK LEFT VIEW>:\n<image>\n"
                "What about q6 in é001?",
            },
            {"role": "assistant", "content": "KEEP,STRAIGHT"},
        ],
    }
    assert [row["id"] for row in rows(out / "train/kitti/q1.json")] == [
        f"kitti/kitti_train_{shard}/00{idx}/q1" for shard in range(2) for idx in range(3)
    ]
    image = rows(out / "train/kitti/q1.json")[0]["images"][0]
    assert (out / image).read_bytes() == b"picture 000", "relative to the folder of the registry"
    assert result.samples == 9
    assert not losses(result.counts["kitti"])


def test_a_tar_file_gives_what_its_folder_gives(
    released: Path, tmp_path: Path, write_tar: Write
) -> None:
    tars = tmp_path / "tars"
    for folder in sorted(released.glob("*/*")):
        members = sorted((path.name, path.read_bytes()) for path in folder.iterdir())
        write_tar(tars / folder.parent.name / f"{folder.name}.tar", members)
    organize(released, tmp_path / "a", "train", 1)
    result = organize(tars, tmp_path / "b", "train", 1)
    for path in sorted((tmp_path / "a").rglob("q*.json")):
        mine, other = rows(path), rows(tmp_path / "b" / path.relative_to(tmp_path / "a"))
        for row, same in zip(mine, other, strict=True):
            assert same | {"images": []} == row | {"images": []}
            for image, extracted in zip(row["images"], same["images"], strict=True):
                assert (tmp_path / "b" / extracted).read_bytes() == (
                    tmp_path / "a" / image
                ).read_bytes()
    assert result.images_written == 9 * 2
    assert organize(tars, tmp_path / "b", "train", 1).images_written == 0


def test_workers_and_a_second_run_change_no_byte(released: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    organize(released, out, "train", 1)
    first = bytes_of(out)
    organize(released, out, "train", 2)
    assert bytes_of(out) == first


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        ({"q7_images__json": None}, "no_images_file"),
        ({"q7_question__txt": None}, "no_question_file"),
        ({"q7_answer__txt": None}, "no_answer_file"),
        ({"q7_images__json": "['front']"}, "bad_images_file"),
        ({"q7_images__json": '{"front": 1}'}, "bad_images_file"),
        ({"q7_images__json": "[" * 100_000}, "bad_images_file"),
        ({"q7_images__json": '["side"]'}, "missing_image"),
        ({"q7_images__json": '["../../../../etc/passwd"]'}, "missing_image"),
        ({"q7_images__json": '["fro\\u0000nt"]'}, "bad_image_name"),
        ({"q7_question__txt": b"\xff\xfe"}, "not_utf8"),
        ({"q7_answer__txt": b"x" * 1_048_577}, "too_large"),
    ],
)
def test_a_faulty_file_costs_one_question(
    texts: dict[str, Any], reason: str, tmp_path: Path, sample_files: Files, write_folder: Write
) -> None:
    result = one(tmp_path, sample_files("0", **texts), write_folder)
    assert losses(result.counts["kitti"]) == {reason: 1}
    assert rows(tmp_path / "data/train/kitti/q7.json") == []
    assert len(rows(tmp_path / "data/train/kitti/q6.json")) == 1
    told = json.loads((tmp_path / "data/train/manifest.json").read_text())["organize"]
    assert told["questions"]["kitti"]["q7"] == {
        "found": 1,
        "written": 0,
        "not_asked": 0,
        "dropped": {reason: 1},
    }


def test_a_folder_or_a_pipe_in_the_place_of_a_text_costs_one_question(
    tmp_path: Path, sample_files: Files, write_folder: Write
) -> None:
    folder = write_folder(
        tmp_path / "in/kitti/train_0",
        sample_files("0", q1_answer__txt=None, q2_images__json=None),
    )
    (folder / "0.q1_answer.txt").mkdir()
    os.mkfifo(folder / "0.q2_images.json")
    result = organize(tmp_path / "in", tmp_path / "data", "train", 1)
    assert losses(result.counts["kitti"]) == {"unreadable_file": 1, "bad_images_file": 1}


def test_our_own_ids_and_marks_come_back(
    tmp_path: Path, sample_files: Files, write_folder: Write
) -> None:
    own = {"q1": {"id": "kitti/log/7/q1", "preset": "released", "warning": "w", "more": [1]}}
    one(tmp_path, sample_files("0", json=json.dumps(own), q2_answer__txt="é"), write_folder)
    row = rows(tmp_path / "data/train/kitti/q1.json")[0]
    assert (row["id"], row["preset"], row["warning"]) == ("kitti/log/7/q1", "released", "w")
    assert "more" not in row
    assert rows(tmp_path / "data/train/kitti/q2.json")[0]["id"] == "kitti/train_0/0/q2"


@pytest.mark.parametrize(
    ("name", "splits"),
    [
        ("kitti_train_000", {"train"}),
        ("train-000", {"train"}),
        ("latest_train", {"train"}),
        ("KITTI_Validation_3", {"val"}),
        ("mytrainset", {"train"}),
        ("trainval_000", {"train", "val"}),
        ("train_val_000", {"train", "val"}),
        ("shard_000", set()),
    ],
)
def test_the_split_in_a_name(name: str, splits: set[str]) -> None:
    assert splits_in(name) == splits


def test_a_shard_of_two_splits_is_left_out_and_told(
    released: Path, tmp_path: Path, sample_files: Files, write_folder: Write
) -> None:
    write_folder(released / "kitti/trainval_9", sample_files("0"))
    result = organize(released, tmp_path / "data", "train", 1)
    assert [path.name for path in result.found.unclear] == ["trainval_9"]
    assert result.samples == 9


def test_nothing_to_read_is_told_with_what_was_expected(released: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no shard of test; expected .*found kitti/kitti_"):
        organize(released, tmp_path / "data", "test", 1)
    with pytest.raises(FileNotFoundError, match="impromptu fetch dataset"):
        organize(tmp_path / "none", tmp_path / "data", "train", 1)


@pytest.mark.parametrize("step", ["data-organize", "format", "merge-data", "pack"])
def test_no_workers_are_refused(step: str, capsys: pytest.CaptureFixture[str]) -> None:
    more = ["nowhere"] if step == "pack" else ["--split", "train"]
    assert main([step, *more, "--workers", "0"]) == 2
    assert "--workers 0: expected at least 1" in capsys.readouterr().err


def test_a_full_disk_is_told_before_anything_is_written(
    tmp_path: Path, sample_files: Files, write_tar: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tar(tmp_path / "in/kitti/train_0.tar", [*sample_files("0").items()])
    usage = shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(OSError, match="0.0 GB free; choose another --out"):
        organize(tmp_path / "in", tmp_path / "data", "train", 1)


def test_a_killed_run_goes_on_from_its_finished_shards(
    released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    organize(released, tmp_path / "whole", "train", 1)
    work, worked = organizing._work, list[str]()

    def killed_at_the_second(unit: organizing.Unit) -> Any:
        if worked:
            raise KeyboardInterrupt
        worked.append(unit.shard.name)
        return work(unit)

    monkeypatch.setattr(organizing, "_work", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        organize(released, tmp_path / "data", "train", 1)
    assert not list((tmp_path / "data").rglob("q*.json"))
    again = list[str]()

    def noted(unit: organizing.Unit) -> Any:
        again.append(unit.shard.name)
        return work(unit)

    monkeypatch.setattr(organizing, "_work", noted)
    organize(released, tmp_path / "data", "train", 1)
    assert (worked, again) == (["kitti_train_0"], ["kitti_train_1", "waymo_train_0"])
    assert bytes_of(tmp_path / "data") == bytes_of(tmp_path / "whole")


@pytest.mark.slow
def test_killed_with_no_warning_and_started_again(
    tmp_path: Path, sample_files: Files, write_tar: Write
) -> None:
    """The images that were written stay, a cut one is written anew, and the bytes are the same."""
    root = tmp_path / "in"
    for shard in range(20):
        files = [f for at in range(50) for f in sample_files(f"{at:03d}").items()]
        write_tar(root / f"kitti/train_{shard:02d}.tar", files)
    command = [sys.executable, "-m", "impromptu", "data-organize", "--data_root", str(root)]
    command += ["--split", "train", "--workers", "2", "--out"]
    subprocess.run([*command, str(tmp_path / "whole")], check=True, capture_output=True)
    out = tmp_path / "data"
    run = subprocess.Popen(
        [*command, str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while run.poll() is None and len(list(out.rglob("*.png"))) < 300:
        time.sleep(0.01)
    run.send_signal(signal.SIGKILL)
    run.wait()
    time.sleep(1)  # workers end with their parent
    for folder in (out / "train/kitti/images").iterdir():
        images = sorted(folder.glob("*.png"))
        if 0 < len(images) < 50:  # it was being read: an image of it may be cut short
            images[-1].write_bytes(b"pic")
    subprocess.run([*command, str(out)], check=True, capture_output=True)
    made, whole = bytes_of(out), bytes_of(tmp_path / "whole")
    assert made == whole


NAMES = st.sampled_from(
    ["0.q1_images.json", "0.q1_question.txt", "0.q1_answer.txt", "0.front.png", "1.q1_answer.txt"]
    + ["1.q1_images.json", "0.json", "../0.front.png", "a/b.q7_question.txt", "", "0.x.jpg", "0\n"]
)
CONTENTS = st.sampled_from(
    [b"", b"[]", b'["front"]', b"<image> what?", b"Green", b"\xff", b'{"q1": {"id": 3}}', b"[1]"]
)


@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(st.lists(st.tuples(NAMES, CONTENTS), max_size=12), st.integers(0, 40))
def test_whatever_a_tar_file_holds_its_questions_add_up(
    tmp_path: Path,
    write_tar: Write,
    members: list[tuple[str, bytes]],
    cut: int,
) -> None:
    shutil.rmtree(tmp_path / "in", ignore_errors=True)
    shutil.rmtree(tmp_path / "data", ignore_errors=True)
    path = write_tar(tmp_path / "in/kitti/train_0.tar", members)
    path.write_bytes(path.read_bytes()[: path.stat().st_size - cut * 300])
    result = organize(tmp_path / "in", tmp_path / "data", "train", 1)
    for task, counter in result.counts["kitti"].items():
        assert counter.total() == result.samples
        assert len(rows(tmp_path / f"data/train/kitti/{task}.json")) == counter["written"]
    inside = [p for p in tmp_path.rglob("*") if p.is_file() and p.suffix in (".png", ".jpg")]
    assert all(p.is_relative_to(tmp_path / "data/train/kitti/images/train_0") for p in inside)
