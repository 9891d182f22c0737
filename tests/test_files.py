import errno
import os
from pathlib import Path

import pytest

from impromptu.files import atomic_writer, fingerprint, read_json, read_json_lines, write_json


def test_a_failed_write_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"x": 1})
    with pytest.raises(KeyError), atomic_writer(path) as file:
        file.write("half")
        raise KeyError
    assert read_json(path) == {"x": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_not_a_number_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert not list(tmp_path.iterdir())


def test_truncated_json_names_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('[\n{"a": 1},\n{"b"')
    with pytest.raises(ValueError, match=r"a\.json:3:5: not valid JSON"):
        read_json(path)


@pytest.mark.parametrize("text", ["[" * 100_000, "9" * 5000, "[1, 2]\udcff"])
def test_what_no_reader_takes_names_the_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(ValueError, match=r"a\.json: (not valid JSON|expected UTF-8)"):
        read_json(tmp_path / "a.json")


def test_a_torn_line_names_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n\n{"a": ')
    lines = read_json_lines(path)
    assert next(lines) == (1, {"a": 1})
    with pytest.raises(ValueError, match=r"a\.jsonl:3"):
        next(lines)


def test_fingerprint_sees_names_and_both_ends(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(b"x" * 200_000)
    first = fingerprint([a], tmp_path)
    assert fingerprint([a], tmp_path) == first
    a.write_bytes(b"x" * 199_999 + b"y")
    assert fingerprint([a], tmp_path) != first
    b.write_bytes(b"x" * 200_000)
    assert fingerprint([b], tmp_path) != first


def test_a_full_disk_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_json(tmp_path / "a.json", 1)
    assert caught.value.filename == str(tmp_path / "a.json")


def test_an_error_with_words_of_its_own_keeps_them(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"^source\.png: cut short$"), atomic_writer(tmp_path / "a"):
        raise OSError("source.png: cut short")
    assert not list(tmp_path.iterdir())
