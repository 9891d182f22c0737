import http.client
import os
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from impromptu.clip import Camera, Clip, Observation, Trajectory
from impromptu.explorer.index import Index, prepare
from impromptu.explorer.server import Site
from impromptu.files import write_json_list
from impromptu.geometry import SE3


def ask(
    address: str, path: str, headers: Mapping[str, str] | None = None, method: str = "GET"
) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Send a path as it is, without the tidying of a browser."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)
    connection.request(method, path, headers=dict(headers or {}))
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, response.headers, body


def text(address: str, path: str) -> str:
    status, _, body = ask(address, f"/key/{path}")
    assert status == 200, body
    return body.decode()


@pytest.mark.parametrize("path", ["/", "/wrong/", "/ke/", "/keyy/", "key", "/k%65y/", "/key%00/"])
def test_without_the_key_there_is_nothing(address: str, path: str) -> None:
    status, _, body = ask(address, path)
    assert status == 403
    assert b"kitti" not in body


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("localhost:80", 200),
        ("[::1]:5", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("192.168.0.7", 403),
        ("", 403),
    ],
)
def test_a_name_that_others_point_here_is_refused(address: str, host: str, status: int) -> None:
    assert ask(address, "/key/", {"Host": host})[0] == status


@pytest.mark.parametrize(
    ("bound", "host", "status"),
    [
        ("0.0.0.0", "192.168.0.7:80", 200),  # noqa: S104 - what a user may bind to
        ("0.0.0.0", "evil.example", 403),  # noqa: S104
        ("gpu-box", "GPU-box:8000", 200),
    ],
)
def test_who_lets_others_in_still_refuses_foreign_names(
    index: Index, bound: str, host: str, status: int
) -> None:
    assert Site(index, "key", bound, None, Lock()).answer("/key/", host).status == status


def test_every_answer_forbids_what_a_page_here_does_not_need(address: str) -> None:
    for path in ("/key/", "/key/style.css", "/key/image/1/0", "/wrong/"):
        _, headers, _ = ask(address, path)
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"


def test_pages_name_no_other_machine_and_hold_no_script_of_their_own(address: str) -> None:
    for path in ("", "sample/3?run=far", "?by=clip", "keys.js", "style.css"):
        body = text(address, path).replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in body and "https://" not in body and "//cdn" not in body
        assert "<script>" not in body and " style=" not in body and "onclick" not in body


def test_hostile_text_stays_text(address: str) -> None:
    search = "?text=%22%3E%3Cscript%3Ealert(1)%3C/script%3E"
    for path in ("", "sample/2", "sample/6?order=error&run=far", search):
        body = text(address, path)
        assert "<script>" not in body and "<img src=x" not in body
    assert "&lt;script&gt;document.title" in text(address, "sample/2")
    assert "&lt;script&gt;alert(1)" in text(address, search)


@pytest.mark.parametrize(
    "path",
    [
        "image/1/../../../raw/1.jpg",
        "image/..%2f..%2fraw%2f1.jpg",
        "image/1/1",
        "image/1/-1",
        "image/0/0",
        "image/999999999999999999999/0",
        "../../etc/passwd",
        "static/../server.py",
        "server.py",
        "sample/1/2/3",
        "sample/x",
        "sample/",
    ],
)
def test_files_are_had_by_number_only(address: str, path: str) -> None:
    assert ask(address, f"/key/{path}")[0] == 404


def test_an_image_is_sent_whole_and_small(address: str, tmp_path: Path) -> None:
    status, headers, body = ask(address, "/key/image/4/0")
    assert (status, headers["Content-Type"]) == (200, "image/jpeg")
    assert body == (tmp_path / "raw/1.jpg").read_bytes()
    status, headers, body = ask(address, "/key/thumb/4")
    assert (status, headers["Content-Type"]) == (200, "image/jpeg")


def test_what_is_no_image_is_not_sent(tmp_path: Path) -> None:
    data = tmp_path / "theirs"
    data.mkdir()
    (data / "secret.txt").write_text("root:x:0:0")
    (data / "drawing.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (data / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    os.mkfifo(data / "pipe.jpg")
    names = ["secret.txt", "/etc/passwd", "drawing.svg", "pipe.jpg", ".", "none.jpg", "a\0b"]
    messages = [{"role": "user", "content": "?"}]
    rows = [{"id": str(n), "images": [name], "messages": messages} for n, name in enumerate(names)]
    rows.append({"id": "bomb", "images": ["bomb.png"], "messages": messages})
    write_json_list(data / "q.json", rows)
    index = prepare(data, [], tmp_path / "cache")
    index.build()
    site = Site(index, "key", "127.0.0.1", None, Lock())
    for n, name in enumerate(names, start=1):
        for what in (f"image/{n}/0", f"thumb/{n}"):
            response = site.answer(f"/key/{what}", "localhost")
            assert response.status in (400, 404, 500), name
            assert b"root:" not in response.body
    assert site.answer(f"/key/thumb/{len(rows)}", "localhost").status == 404
    assert site.answer("/key/", "localhost").status == 200


def test_only_reading_is_possible(address: str) -> None:
    for method in ("POST", "PUT", "DELETE", "TRACE", "OPTIONS"):
        assert ask(address, "/key/", method=method)[0] == 501


def test_a_file_that_went_away_is_told_on_its_page_and_in_the_list(
    index: Index, folder: Path
) -> None:
    (folder / "kitti/q6_val.json").unlink()
    site = Site(index, "key", "127.0.0.1", None, Lock())
    assert "No such file" in site.answer("/key/", "localhost").body.decode()
    assert site.answer("/key/sample/1", "localhost").status == 500


@pytest.mark.parametrize("query", ["?error_m=x", "?page=x", "?page=-1", "?page=99999", "?a=b&a=c"])
def test_odd_addresses_get_a_page(address: str, query: str) -> None:
    status, _, body = ask(address, f"/key/{query}")
    assert status == (400 if "error_m" in query else 200)
    assert b"<h1>" in body


def test_a_sample_is_shown_with_its_answers_side_by_side(address: str) -> None:
    body = text(address, "sample/5?run=far")
    assert "kitti/0001/000002/q7" in body
    assert "1.10 m" in body, "2 x 0.1 m a step, ten steps"
    assert body.count("<polyline") == 3, "past, true, far"
    assert "words" not in body, "a run that was not asked of it"
    unread = text(address, "sample/6")
    assert "unreadable" in unread and unread.count("<polyline") == 2


def test_pages_can_be_had_before_the_index_is_built(folder: Path, tmp_path: Path) -> None:
    index = prepare(folder, [], tmp_path / "cache")
    site = Site(index, "key", "127.0.0.1", None, Lock())
    assert "so far" in site.answer("/key/", "localhost").body.decode()
    index.build()
    assert "so far" not in site.answer("/key/", "localhost").body.decode()


def test_paths_lie_over_an_image_whose_calibration_is_known(index: Index) -> None:
    lens = np.array([[50.0, 0, 32], [0, 50, 18], [0, 0, 1]])
    pose = SE3(np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]), np.array([0.0, 0.0, 1.0]))
    camera = Camera("FRONT", Path("/data/raw/2.jpg"), (64, 36), lens, pose)
    still = Trajectory(np.zeros(1), np.zeros((1, 2)))
    clip = Clip("", "", "", "", 0, Observation((camera,), still, (None,)), still)
    asked = list[str]()

    def find(name: str) -> Clip:
        asked.append(name)
        return clip

    site = Site(index, "key", "127.0.0.1", find, Lock())
    assert b'src="../overlay/5/0"' in site.answer("/key/sample/5", "localhost").body
    drawn = site.answer("/key/overlay/5/0", "localhost")
    assert drawn.kind == "image/svg+xml" and asked == ["kitti/0001/000002"]
    assert b'viewBox="0 0 64 36"' in drawn.body
    # The true path is 2 m a step, the camera 1 m up: the first point is 50 / 2 below the middle.
    assert b'cx="32.0" cy="43.0"' in drawn.body
    other = site.answer("/key/overlay/6/0", "localhost").body
    assert b"<circle" not in other, "that image is of no camera of this clip"
    assert (
        b"overlay"
        not in Site(index, "key", "x", None, Lock()).answer("/key/sample/5", "localhost").body
    )


def test_a_huge_image_is_refused_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    data = tmp_path / "theirs"
    data.mkdir()
    Image.new("RGB", (50, 50)).save(data / "big.png")
    row = {"images": ["big.png"], "messages": [{"role": "user", "content": "?"}]}
    write_json_list(data / "q.json", [row])
    index = prepare(data, [], tmp_path / "cache")
    index.build()
    site = Site(index, "key", "127.0.0.1", None, Lock())
    assert site.answer("/key/thumb/1", "localhost").status == 404
