import io
import tarfile
from pathlib import Path

import pytest

from impromptu.tar_members import members

LONG = "folder/" + "n" * 150 + ".json"


def write(path: Path, files: dict[str, bytes], form: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, "w", format=form) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_same_as_the_standard_library(form: int, tmp_path: Path) -> None:
    long = LONG if form != tarfile.USTAR_FORMAT else "f" * 90 + "/" + "n" * 50
    files = {"a.json": b"{}", "é.txt": b"x" * 1000, long: b"1", "empty": b""}
    path = write(tmp_path / "x.tar", files, form)
    content = path.read_bytes()
    assert {m.name: content[m.at : m.at + m.size] for m in members(path)} == files


def test_links_and_folders_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        for name, kind in (("l", tarfile.SYMTYPE), ("h", tarfile.LNKTYPE), ("d", tarfile.DIRTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        archive.addfile(tarfile.TarInfo("file"))
    assert [member.name for member in members(path)] == ["file"]


@pytest.mark.parametrize("keep", [700, 1100, 1500])
def test_cut_short(keep: int, tmp_path: Path) -> None:
    path = write(tmp_path / "x.tar", {"a": b"x" * 400, "b": b"y" * 400}, tarfile.USTAR_FORMAT)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"x\.tar: (cut short|no tar header)"):
        list(members(path))


def test_no_tar(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(b"\x1f\x8b" + b"z" * 2000)
    with pytest.raises(ValueError, match="no tar header at byte 0"):
        list(members(path))
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="an empty file"):
        list(members(path))


def test_a_claim_of_any_size_reads_no_more_than_there_is(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tar", {LONG: b"1"}, tarfile.GNU_FORMAT)
    content = bytearray(path.read_bytes())
    content[124:136] = b"77777777777\0"  # the long name says it has 8 GB
    total = sum(content[:148]) + 256 + sum(content[156:512])
    content[148:156] = f"{total:06o}\0 ".encode()
    path.write_bytes(content)
    assert list(members(path)) == []
