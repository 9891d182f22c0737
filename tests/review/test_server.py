import http.client
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Thread
from urllib.parse import urlencode, urlsplit

import numpy as np
import pytest
from tests.review.conftest import HOSTILE, OBSTACLES, RULES, drawn, ledger_of, site

from impromptu.clip import Camera, Clip, Observation, Trajectory
from impromptu.geometry import SE3
from impromptu.local_server import Server
from impromptu.review.server import ReviewHandler, Sent, Site

FORM = "application/x-www-form-urlencoded"


def get(one: Site, path: str) -> tuple[int, str]:
    response = one.answer(f"/key/{path}", "localhost")
    return response.status, response.body.decode("utf-8", "replace")


def post(one: Site, path: str, *pairs: tuple[str, str], **more: str) -> tuple[int, str]:
    """Send a form; return the status, and where it leads or what it says."""
    body = urlencode(pairs).encode()
    origin = more.get("origin", "http://localhost:5")
    token, fetch_site = more.get("token", "key"), more.get("fetch_site", "")
    sent = Sent(f"/{token}/{path}", more.get("host", "localhost:5"), origin, fetch_site, body)
    response = one.receive(sent)
    return response.status, response.more.get("Location", response.body.decode())


SKIP = ("do", "skip")


def test_the_first_page_leads_to_the_first_open_item(labels: Path) -> None:
    one = site(labels)
    assert one.answer("/key/", "localhost").more["Location"] == "/key/item/1"
    assert post(one, "item/1", SKIP) == (303, "/key/item/2")
    assert post(one, "item/3", SKIP) == (303, "/key/item/4")
    assert post(one, "item/10", SKIP) == (303, "/key/item/2")
    again = site(labels)
    assert again.answer("/key/", "localhost").more["Location"] == "/key/item/2"
    assert "<b>3</b> of 10, 3 skipped" in get(again, "item/2")[1]
    assert post(again, "item/2", ("do", "undo"))[1] == "/key/item/10"
    for number in (2, 4, 5, 6, 7, 8, 9, 10):
        status, where = post(again, f"item/{number}", SKIP)
    assert (status, where) == (303, "/key/done")
    assert "looked at all 10" in get(again, "done")[1]


def test_an_item_whose_label_has_changed_is_open_again(labels: Path) -> None:
    first = site(labels)
    changed = next(n for n, item in enumerate(first.items, start=1) if item.label == (RULES,))
    for number in range(1, 11):
        post(first, f"item/{number}", SKIP)
    lines = (labels / "labels.jsonl").read_text().splitlines()
    name = first.items[changed - 1].id
    lines = [line.replace(RULES, OBSTACLES) if name in line else line for line in lines]
    (labels / "labels.jsonl").write_text("\n".join(lines))
    again = site(labels)
    assert again.answer("/key/", "localhost").more["Location"] == f"/key/item/{changed}"
    page = get(again, f"item/{changed}")[1]
    assert "It has changed since you skipped it." in page and "<b>9</b> of 10" in page


def test_two_reviewers_see_the_same_items_and_not_each_other(labels: Path) -> None:
    ada, bo = site(labels, "Ada"), site(labels, "Bo")
    assert [item.key for item in ada.items] == [item.key for item in bo.items]
    post(ada, "item/1", ("do", "save"), ("value", "standard"))
    assert "You edited" in get(ada, "item/1")[1] or "You accepted" in get(ada, "item/1")[1]
    assert "You " not in get(bo, "item/1")[1] and "<b>0</b> of 10" in get(bo, "item/1")[1]


def test_the_label_is_chosen_unless_blind(labels: Path) -> None:
    one = next(n for n, item in enumerate(drawn(labels).items, 1) if item.label == (RULES,))
    shown, hidden = (get(site(labels, "Ada", blind), f"item/{one}")[1] for blind in (False, True))
    assert shown.count(" checked") == 1 and ">teacher<" in shown
    assert " checked" not in hidden and ">teacher<" not in hidden and "data-told>" not in hidden
    blind = site(labels, "Ada", blind=True)
    assert post(blind, f"item/{one}", ("do", "save"))[0] == 400, "nothing is chosen"
    assert post(blind, f"item/{one}", ("do", "save"), ("value", RULES))[0] == 303
    (said,) = ledger_of(labels).history["Ada"]
    assert (said.verdict, said.blind) == ("accept", True)


@pytest.mark.parametrize(
    "values",
    [["standard", RULES], ["nonsense"], [], ["<script>"]],
)
def test_a_form_that_makes_no_sense_is_refused_and_told(labels: Path, values: list[str]) -> None:
    one = site(labels)
    status, body = post(one, "item/1", ("do", "save"), *(("value", value) for value in values))
    assert status == 400 and "Not stored: " in body and "<script>" not in body
    assert post(one, "item/1", ("do", "dance"))[0] == 400
    assert post(one, "item/1")[0] == 400
    assert post(one, "item/99", SKIP)[0] == 404
    assert post(one, "done", SKIP)[0] == 404
    assert not ledger_of(labels).history


def test_another_tab_is_not_overwritten(labels: Path) -> None:
    tab, other = site(labels), site(labels)
    assert post(other, "item/1", SKIP, ("version", ""))[0] == 303
    status, body = post(tab, "item/1", ("do", "reject"), ("version", ""))
    assert status == 409 and "decided in another tab" in body and "You skipped this" in body
    assert [one.verdict for one in ledger_of(labels).history["Ada"]] == ["skip"]


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({}, 303),
        ({"origin": "", "fetch_site": "same-origin"}, 303),
        ({"origin": "null", "fetch_site": "same-origin"}, 303),
        ({"token": "wrong"}, 403),
        ({"token": ""}, 403),
        ({"host": "evil.example"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://localhost:6"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"fetch_site": "cross-site"}, 403),
        ({"fetch_site": "none"}, 403),
    ],
)
def test_only_its_own_pages_can_send_decisions(
    labels: Path, more: Mapping[str, str], status: int
) -> None:
    assert post(site(labels), "item/1", SKIP, **more)[0] == status
    assert bool(ledger_of(labels).history) == (status == 303)


def test_hostile_text_stays_text(answers: Path) -> None:
    one = site(answers)
    for number in (1, 3, 5):
        status, body = get(one, f"item/{number}")
        assert status == 200 and "<script>" not in body and "<img src=x" not in body
    assert "&lt;script&gt;document.title" in get(one, "item/1")[1]
    post(one, "item/1", ("do", "save"), ("value", HOSTILE + "\r\n2"))
    assert "<script>" not in get(one, "item/1")[1]
    assert ledger_of(answers).history["Ada"][0].value == (HOSTILE + "\n2",)


def test_pages_hold_no_script_of_their_own_and_name_no_other_machine(labels: Path) -> None:
    one = site(labels)
    for path in ("item/1", "done", "review.js", "review.css", "style.css"):
        status, body = get(one, path)
        assert status == 200 and "https://" not in body and "//cdn" not in body
        assert "<script>" not in body and " style=" not in body and "onclick" not in body
    policy = one.answer("/key/item/1", "localhost").more["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy


@pytest.mark.parametrize(
    "path",
    ["item/0", "item/11", "item/x", "view/1/1", "image/1/9", "image/0/0", "x", "item/1/2/3"]
    + ["../etc/passwd", "image/..%2f..%2fraw/0", "server.py", "static/review.js"],
)
def test_what_there_is_not_is_not_found(labels: Path, path: str) -> None:
    assert get(site(labels), path)[0] == 404


def test_an_image_that_vanishes_is_told_and_the_page_stays(labels: Path, raw: Path) -> None:
    one = site(labels)
    one.items[0].places[0].unlink()
    one.items[1].places[0].write_bytes(b"no image")
    assert get(one, "view/1/0")[0] == 500 and get(one, "view/2/0")[0] == 404
    assert get(one, "item/1")[0] == 200
    one.items[1].places[0].write_bytes(one.items[2].places[0].read_bytes())
    assert get(one, "view/2/0")[0] == 200, "what failed is tried again"


def test_the_path_that_was_driven_lies_over_the_image(labels: Path) -> None:
    lens = np.array([[50.0, 0, 32], [0, 50, 18], [0, 0, 1]])
    pose = SE3(np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]), np.array([0.0, 0.0, 1.0]))
    one = site(labels)
    image = Path("/data") / Path(*one.items[0].places[0].parts[-2:])
    camera = Camera("FRONT", image, (64, 36), lens, pose)
    still = Trajectory(np.zeros(1), np.zeros((1, 2)))
    ahead = Trajectory(np.array([0.5]), np.array([[2.0, 0.0]]))
    clip = Clip("", "", "", "", 0, Observation((camera,), still, (None,)), ahead)
    one.find_clip = {one.items[0].clip: clip}.get
    assert 'class="over"' in get(one, "item/1")[1]
    # The camera is 1 m up: 2 m ahead is 50 / 2 below the middle.
    assert 'cx="32.0" cy="43.0"' in get(one, "path/1/0")[1]
    assert "<circle" not in get(one, "path/2/0")[1], "a clip that cannot be read has no path"
    one.find_clip = None
    assert 'class="over"' not in get(one, "item/1")[1]


@pytest.fixture
def address(labels: Path) -> Iterator[str]:
    one = site(labels)
    with Server(one, "127.0.0.1", 0, ReviewHandler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.address("key")
        server.shutdown()
    one.close()


def send(address: str, body: bytes, headers: Mapping[str, str]) -> int:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)
    connection.putrequest("POST", "/key/item/1")
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    status = connection.getresponse().status
    connection.close()
    return status


def test_over_the_wire(address: str, labels: Path) -> None:
    origin = {"Origin": address.removesuffix("/key/"), "Content-Type": FORM}
    assert send(address, b"do=skip", {"Content-Length": "7"}) == 403, "of no origin"
    for length in ("", "-1", "x", "99999999", "99999999999999999999"):
        assert send(address, b"", origin | {"Content-Length": length}) == 413
    assert send(address, b"", origin | {"Transfer-Encoding": "chunked"}) == 413
    assert not ledger_of(labels).history
    assert send(address, b"\xff=1", origin | {"Content-Length": "3"}) == 400
    form = urlencode([("do", "save"), ("value", OBSTACLES)]).encode()
    assert send(address, form, origin | {"Content-Length": str(len(form))}) == 303
    assert [one.value for one in ledger_of(labels).history["Ada"]] == [(OBSTACLES,)]
