import os
import socket
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from impromptu.cli import main
from impromptu.cli.view import _build
from impromptu.conversation import Sample
from impromptu.explorer.index import prepare
from impromptu.files import write_json_list


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    sample = Sample("kitti/0001/000001/q4", (), "Which light?", "green")
    write_json_list(tmp_path / "data" / "q4_val.json", [sample.to_sharegpt()])
    return tmp_path / "data"


def test_the_address_it_prints_is_the_page(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "impromptu", "view", str(folder)]
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as viewer:
        try:
            address = (viewer.stdout or sys.stdin).readline().strip()
            assert address.startswith("http://127.0.0.1:") and len(address.split("/")[3]) >= 20
            with urlopen(address) as page:  # noqa: S310 - our own server
                assert page.status == 200
                assert "<h1>data</h1>" in page.read().decode()
        finally:
            viewer.kill()
    assert [*(tmp_path / "cache" / "impromptu").glob("*.sqlite")]
    assert sorted(path.name for path in folder.iterdir()) == ["q4_val.json"], "nothing is left here"


def test_nothing_to_browse_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = ["--cache", str(tmp_path / "cache")]
    assert main(["view", str(tmp_path / "none"), *cache]) == 2
    assert "no such file or folder" in capsys.readouterr().err


def test_what_is_not_there_or_taken_is_one_clear_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fixed = ["view", str(folder), "--cache", str(tmp_path / "cache")]
    assert main([*fixed, "--data_raw", str(tmp_path / "nope")]) == 2
    assert "nope: no such folder; --data_raw" in capsys.readouterr().err
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main([*fixed, "--port", str(port)]) == 2
    told = capsys.readouterr().err
    assert f"--port {port}: address already in use; without --port a free one" in told


def test_a_broken_file_is_told_on_the_console(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "torn.json").write_text('[{"id": "a')
    _build(prepare(folder, [], tmp_path / "cache"))
    assert "torn.json: byte 1: not valid JSON" in capsys.readouterr().err


def test_a_clip_that_is_not_there_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["rerun", "kiti/1/2", "--data_raw", str(tmp_path), "--out", str(tmp_path / "a.rrd")]
    assert main(asked) == 2
    assert "Did you mean 'kitti'" in capsys.readouterr().err
