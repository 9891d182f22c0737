"""Fetching, against a small stand-in of the hub on this machine."""

import hashlib
import json
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from impromptu.cli import main
from impromptu.releases import RELEASES

COMMIT = "c0ffee" + 34 * "0"
WEIGHTS = bytes(range(256)) * 4_000
FILES = {
    "3B_AD/config.json": b'{"model_type": "qwen2_5_vl"}',
    "3B_AD/model.safetensors": WEIGHTS,
    "3B_AD/chat/template.jinja": b"{{ messages }}",
    "3B_AD/optimizer.pt": b"pickled",
    "7B_AD/config.json": b"{}",
}


class Hub(ThreadingHTTPServer):
    """Files, and what goes wrong with them.

    Attributes:
        asked: (method, path, range) of every request for a file.
        cut: Files whose connection breaks after so many bytes, once.
        lies: Files that come with other bytes than listed.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = dict(FILES)
        self.asked: list[tuple[str, str, str]] = []
        self.cut: dict[str, int] = {}
        self.lies: set[str] = set()
        self.kind, self.repo = "models", "aaaaaap/ImpromptuVLAModel"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Let broken connections be."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path, hub = unquote(urlsplit(self.path).path), self.server
        if path == f"/api/{hub.kind}/{hub.repo}/revision/main":
            self._json({"id": hub.repo, "sha": COMMIT})
        elif path.startswith(start := f"/api/{hub.kind}/{hub.repo}/tree/{COMMIT}"):
            self._tree(path.removeprefix(start).strip("/"))
        elif "/resolve/" in path and (name := path.partition(f"/resolve/{COMMIT}/")[2]) in (
            self.server.files
        ):
            self._file(name)
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def _json(self, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _tree(self, folder: str) -> None:
        rows: list[dict[str, Any]] = [{"type": "directory", "path": "3B_AD/chat", "oid": "0"}]
        for name, content in self.server.files.items():
            if name.startswith(folder):
                row = {"type": "file", "path": name, "size": len(content), "oid": blob(content)}
                if name.endswith("safetensors"):
                    sha = hashlib.sha256(content).hexdigest()
                    row["lfs"] = {"oid": sha, "size": len(content), "pointerSize": 130}
                rows.append(row)
        self._json(rows)

    def _file(self, name: str) -> None:
        hub, content = self.server, self.server.files[name]
        if name in hub.lies:
            content = bytes(len(content))
        wanted = self.headers.get("Range", "")
        hub.asked.append((self.command, name, wanted))
        start = int(wanted.removeprefix("bytes=").partition("-")[0] or 0)
        body = content[start:]
        self.send_response(206 if wanted else 200)
        self.send_header("ETag", f'"{blob(hub.files[name])}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(body)))
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[: hub.cut.get(name, len(body))])
            if hub.cut.pop(name, None):
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def blob(content: bytes) -> str:
    header = f"blob {len(content)}\0".encode()
    return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    if not find_spec("huggingface_hub"):
        pytest.skip("needs the fetch extra: huggingface_hub")
    with Hub() as server:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}")
        monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def got(hub: Hub) -> list[str]:
    return [name for method, name, _ in hub.asked if method == "GET"]


def fetch(out: Path, *more: str) -> int:
    return main(["fetch", "3B_AD", "--out", str(out), *more])


def test_what_loading_takes_comes_to_its_folder_and_the_rest_is_told(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch(tmp_path) == 0
    folder = tmp_path / "weights/3B_AD"
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert there == {"config.json", "model.safetensors", "chat/template.jinja", "fetched.json"}
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    record = json.loads((folder / "fetched.json").read_text())
    assert (record["repo"], record["commit"], len(record["files"])) == (hub.repo, COMMIT, 3)
    told = capsys.readouterr().out
    assert "3 files, 1.02 MB" in told
    assert "left out: 1 files, 0.00 MB (3B_AD/optimizer.pt)" in told
    assert "3 files came, 0 were there already" in told


def test_a_second_run_fetches_nothing_and_a_damaged_file_again(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch(tmp_path)
    hub.asked.clear()
    assert fetch(tmp_path) == 0
    assert got(hub) == []
    path = tmp_path / "weights/3B_AD/model.safetensors"
    path.write_bytes(bytes(len(WEIGHTS)))  # as long as it was
    assert fetch(tmp_path) == 0
    assert got(hub) == ["3B_AD/model.safetensors"]
    assert path.read_bytes() == WEIGHTS
    assert "1 files came, 2 were there already" in capsys.readouterr().out


def test_files_copied_by_hand_are_checked_and_kept(hub: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "weights/3B_AD"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(WEIGHTS)
    assert fetch(tmp_path) == 0
    assert "3B_AD/model.safetensors" not in got(hub)


def test_a_broken_connection_is_continued_where_it_broke(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The client keeps what it has in pieces of 10 MiB.
    hub.files["3B_AD/model.safetensors"] = large = WEIGHTS * 24
    hub.cut["3B_AD/model.safetensors"] = 11 << 20
    first = fetch(tmp_path)
    folder = tmp_path / "weights/3B_AD"
    if first:  # some versions of the client go on by themselves
        assert "run the same command again" in capsys.readouterr().err
        assert not (folder / "model.safetensors").exists()
        assert fetch(tmp_path) == 0
    assert (folder / "model.safetensors").read_bytes() == large
    ranges = [range_ for _, name, range_ in hub.asked if name.endswith("safetensors") and range_]
    assert ranges == [f"bytes={10 << 20}-"]


def test_what_is_not_as_listed_does_not_stay_and_the_others_come(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.lies.add("3B_AD/model.safetensors")
    assert fetch(tmp_path) == 1
    folder = tmp_path / "weights/3B_AD"
    assert not (folder / "model.safetensors").exists()
    assert (folder / "config.json").exists()
    assert "expected 1024000 bytes of sha256" in capsys.readouterr().err
    hub.lies.clear()
    assert fetch(tmp_path) == 0
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS


def test_the_dataset_is_a_repository_of_the_other_kind_and_may_be_taken_in_part(
    hub: Hub, tmp_path: Path
) -> None:
    hub.kind, hub.repo = "datasets", "aaaaaap/unstructed"
    hub.files = {"nuScenes/train_0.tar": b"shard", "Waymo/val_0.tar": b"other"}
    assert main(["fetch", "dataset", "--out", str(tmp_path), "--include", "nuScenes/*"]) == 0
    tars = [p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.tar")]
    assert tars == ["ImpromptuData/nuScenes/train_0.tar"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["3B_ADD"], "Did you mean '3B_AD'?"),
        (["3B_AD", "--include", "*.gguf"], "none of 4 files in 3B_AD matches *.gguf"),
        (["3B_AD", "--revision", "v9"], "no such repository or revision"),
        (["7B_Base_finetune"], "none of 0 files in 7B_Base_finetune"),
        (["dataset"], "no such repository or revision"),
    ],
)
def test_what_is_not_there_is_named(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert main(["fetch", *arguments, "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert len(error.splitlines()) == 1


def test_no_hub_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if not find_spec("huggingface_hub"):
        pytest.skip("needs the fetch extra: huggingface_hub")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert fetch(tmp_path) == 2
    assert "at http://127.0.0.1:9: it cannot be reached" in (told := capsys.readouterr().err)
    assert "Max retries" not in told


def test_paths_that_lead_out_and_disks_that_are_full_are_refused(
    hub: Hub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    hub.files["3B_AD/../../x.json"] = b"{}"
    assert fetch(tmp_path) == 2
    assert "leads out of its folder" in capsys.readouterr().err
    del hub.files["3B_AD/../../x.json"]
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1))
    assert fetch(tmp_path) == 2
    assert "choose another --out" in capsys.readouterr().err
    assert got(hub) == []


def test_dry_run_tells_and_writes_nothing(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch(tmp_path, "--dry_run") == 0
    assert "3B_AD/model.safetensors  1.02 MB" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_the_readme_names_the_command_of_every_published_part() -> None:
    page = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    published = [one for one in RELEASES if one.repo.startswith("aaaaaap/")]
    for one in published:
        assert f"| `impromptu fetch {one.name}` | `{one.folder}/` |" in page


def test_names_and_folders_differ() -> None:
    assert len({one.name for one in RELEASES}) == len({one.folder for one in RELEASES}) == 11
