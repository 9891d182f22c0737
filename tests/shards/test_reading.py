"""What an archive of an enemy can do: nothing but be counted."""

import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from impromptu.shards import reading
from impromptu.shards.finding import Shard
from impromptu.shards.reading import Losses, read_shard

Files = Callable[..., dict[str, bytes]]
Write = Callable[..., Path]


def read(path: Path, out: Path) -> tuple[int, Losses]:
    losses = Losses()
    shard = Shard("kitti", "train_0", path)
    written = sum(
        bool(one.line) for rows in read_shard(shard, out, out / "images", losses) for _, one in rows
    )
    return written, losses


def link(name: str, target: str, kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def test_paths_out_of_the_folder_lead_nowhere(
    tmp_path: Path, sample_files: Files, write_tar: Write
) -> None:
    victim = tmp_path / "victim.png"
    victim.write_bytes(b"mine")
    members = [(f"../../{name}", text) for name, text in sample_files("0").items()]
    members += [("/etc/1.front.png", b"x"), ("..", b"x"), ("a/.ssh", b"x"), ("b\\c.png", b"x")]
    written, losses = read(write_tar(tmp_path / "t.tar", members), tmp_path / "out")
    assert written == 6, "the last part of a name is taken; six questions are asked"
    assert {p.name for p in tmp_path.rglob("*.[pj][np]g")} == {
        "victim.png",
        "0.front.png",
        "0.back left.jpg",
    }
    assert victim.read_bytes() == b"mine"
    assert losses.members["bad_name"] == 3


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_links_are_neither_made_nor_followed(
    kind: bytes, tmp_path: Path, sample_files: Files, write_tar: Write
) -> None:
    members = [
        link("0.front.png", "/etc/passwd", kind),
        link("0.q1_answer.txt", "/etc/hosts", kind),
    ]
    files = sample_files("0", front__png=None, q1_answer__txt=None)
    written, losses = read(write_tar(tmp_path / "t.tar", [*members, *files.items()]), tmp_path)
    assert written == 0, "every question shows the front"
    assert losses.members == {"link": 2}
    assert not (tmp_path / "images/0.front.png").exists()


def test_a_link_that_lies_where_an_image_goes_is_replaced_not_followed(
    tmp_path: Path, sample_files: Files, write_tar: Write
) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    (tmp_path / "images").mkdir()
    (tmp_path / "images/0.front.png").symlink_to(victim)
    read(write_tar(tmp_path / "t.tar", [*sample_files("0").items()]), tmp_path)
    assert victim.read_bytes() == b"mine"
    assert (tmp_path / "images/0.front.png").read_bytes() == b"picture 0"
    assert not (tmp_path / "images/0.front.png").is_symlink()


def test_a_member_or_a_sample_that_comes_twice_counts_once(
    tmp_path: Path, sample_files: Files, write_tar: Write
) -> None:
    files = [*sample_files("0").items()]
    members = [*files, ("0.front.png", b"other"), *sample_files("1").items(), *files]
    written, losses = read(write_tar(tmp_path / "t.tar", members), tmp_path)
    assert written == 12
    assert losses.members == {"repeated": 1 + len(files)}
    assert (tmp_path / "images/0.front.png").read_bytes() == b"picture 0"


def test_gigantic_members_are_neither_read_nor_written(
    tmp_path: Path, sample_files: Files, write_tar: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LARGEST_IMAGE", 20)
    monkeypatch.setattr(reading, "LARGEST_TEXT", 400)
    files = sample_files("0", front__png=b"x" * 21, q4_answer__txt="x" * 401)
    written, losses = read(write_tar(tmp_path / "t.tar", [*files.items()]), tmp_path)
    assert written == 0
    assert losses.members == {"too_large": 2}


def test_many_members_of_one_sample_are_not_all_kept(
    tmp_path: Path, sample_files: Files, write_tar: Write
) -> None:
    members = [*sample_files("0").items(), *((f"0.{at}.png", b"x") for at in range(600))]
    written, losses = read(write_tar(tmp_path / "t.tar", members), tmp_path)
    assert written == 6
    assert losses.members["too_many_of_a_sample"] == 600 + 23 - 512


def test_a_tar_file_cut_short_gives_what_is_whole_and_says_where_it_ends(
    tmp_path: Path, sample_files: Files, write_tar: Write
) -> None:
    members = [f for at in range(3) for f in sample_files(str(at)).items()]
    path = write_tar(tmp_path / "t.tar", members)
    path.write_bytes(path.read_bytes()[: len(members) * 1024 * 2 // 3 + 1500])
    written, losses = read(path, tmp_path)
    assert 12 <= written < 18
    assert "t.tar: cut short: byte" in losses.damage


def test_another_file_of_the_same_name_brings_its_own_images(
    tmp_path: Path, sample_files: Files, write_tar: Write
) -> None:
    read(write_tar(tmp_path / "t.tar", [*sample_files("0").items()]), tmp_path)
    again = sample_files("0", front__png="painting 0"[: len("picture 0")], q1_answer__txt="other")
    _, losses = read(write_tar(tmp_path / "t.tar", [*again.items()]), tmp_path)
    assert losses.images_written == 2
    assert (tmp_path / "images/0.front.png").read_bytes() == b"painting "
