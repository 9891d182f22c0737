"""What a model server is sent, and how its answers and faults are taken."""

import base64
import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from impromptu.arrays import Floats
from impromptu.closed_loop import client, scenarios
from impromptu.closed_loop.camera import Cameras
from impromptu.closed_loop.client import Address, Served, command, read_reply
from impromptu.closed_loop.scenarios import drawn
from impromptu.closed_loop.simulation import Stage, drive, staged
from impromptu.closed_loop.vehicle import Vehicles

CHANNELS = {f"CAM_{side}" for side in ("FRONT", "FRONT_LEFT", "FRONT_RIGHT")} | {
    f"CAM_{side}" for side in ("BACK", "BACK_LEFT", "BACK_RIGHT")
}
STILL = {"trajectory": [[0.0, 0.0]] * 6, "aux_outputs": {"status": "read"}}
Reply = tuple[int, Any]


@contextmanager
def serving(answer: Callable[[str, Any], Reply]) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """Run a server that notes what it is asked."""
    seen = list[tuple[str, Any]]()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def reply(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(length) or b"null")
            seen.append((self.path, body))
            status, value = answer(self.path, body)
            content = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            with suppress(BrokenPipeError):  # whoever has read enough is gone
                self.wfile.write(content)

        do_GET = do_POST = reply  # noqa: N815

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def stage() -> Stage:
    return staged(drawn(scenarios.load()["side-0103"], 3))


def picture(text: str) -> Floats:
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(text))) as archive:
        return np.frombuffer(archive.read("archive/data/0"), np.uint8)


def test_a_run_is_a_session_that_begins_with_reset(stage: Stage) -> None:
    with serving(lambda path, _: (200, STILL if path.endswith("infer") else {})) as (url, seen):
        served = Served(Address(url, 5), Cameras((80, 45)), ["CAM_FRONT"])
        (ended,) = drive([stage], served)
    assert {path.rpartition("/")[0] for path, _ in seen} == {"/s/side-0103-3"}
    assert [path.rpartition("/")[2] for path, _ in seen] == [
        "reset",
        *["infer"] * len(ended.plans_m),
    ]
    assert ended.status == ["read"] * len(ended.plans_m)
    asked = [body for _, body in seen[1:]]
    assert set(np.diff([body["timestamp"] for body in asked])) == {500_000}
    poses = np.array([body["ego2world"] for body in asked])
    np.testing.assert_allclose(poses[:, :2, 3], ended.pose[:-1, :2])


def test_a_request_is_as_the_engine_writes_it(stage: Stage) -> None:
    served = Served(Address("http://127.0.0.1:1", 1), Cameras((80, 45)), ["CAM_FRONT"])
    turning = Vehicles(*(np.array([v]) for v in ([1.0, 2.0, 0.5], 6.0, 0.1, -1.0, 0.2, 0.3)))
    body = json.loads(served.request(stage, 3, turning))
    assert set(body["images"]) == CHANNELS == set(body["calibration"]["camera2image"])
    assert len(picture(body["images"]["CAM_FRONT"])) == 45 * 80 * 3
    assert picture(body["images"]["CAM_FRONT"]).std() > 10
    assert not picture(body["images"]["CAM_BACK"]).any()
    pose = np.array(body["ego2world"])
    assert pose[:3, 3].tolist() == [1.0, 2.0, 0.0]
    assert pose[2, :3].tolist() == [0.0, 0.0, 1.0]
    quaternion = [np.cos(0.25), 0, 0, np.sin(0.25)]
    assert body["canbus"] == pytest.approx(
        [1, 2, 0, *quaternion, -1 - 1.461 * 0.04, 1.461 * 0.3, 9.8, 0, 0, 0.2, 6, 1.461 * 0.2, 0]
    )
    assert np.array(body["calibration"]["lidar2ego"])[0, 3] == 0.94
    assert body["command"] == client.RIGHT, "the log is at y = -1.75, and the ego turns away"


@pytest.mark.parametrize(
    ("bend", "expected"), [(0.0, client.STRAIGHT), (0.05, client.LEFT), (-0.05, client.RIGHT)]
)
def test_the_command_is_where_the_route_goes(bend: float, expected: int) -> None:
    x_m = np.arange(0.0, 40.0, 4.0)
    route = np.stack([x_m, bend * x_m**2 / 2], axis=-1)
    assert command(np.zeros(3), 5.0, route) == expected
    # A car that stands is asked about as if it did 2 m/s.
    assert command(np.zeros(3), 0.0, route * [1, 8]) == expected
    # A log that stands leads nowhere.
    assert command(np.zeros(3), 0.0, np.zeros((3, 2))) == client.STRAIGHT


def test_a_route_that_ends_goes_on_straight() -> None:
    route = np.array([[0.0, 0.0], [5.0, 5.0], [5.0, 5.0]])
    assert command(np.array([5.0, 5.0, 0.0]), 10.0, route) == client.LEFT


def test_only_what_the_server_looks_at_is_drawn() -> None:
    with serving(lambda *_: (200, {"cameras": ["CAM_FRONT", "CAM_FRONT_LEFT"]})) as (url, _):
        assert client.views(Address(url, 5)) == ["CAM_FRONT", "CAM_FRONT_LEFT"]
    with serving(lambda *_: (404, b"nothing here")) as (url, _):
        assert set(client.views(Address(url, 5))) == CHANNELS


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ((502, {"detail": "the model is down"}), "infer: HTTP 502: .*the model is down"),
        ((404, STILL), "HTTP 404"),
        ((200, b"<html>"), "expected a reply with trajectory and aux_outputs"),
        ((200, {"trajectory": STILL["trajectory"]}), "expected a reply with trajectory and aux"),
        ((200, STILL | {"trajectory": [[0, 0]] * 5}), "expected 6 finite points"),
        ((200, b'{"trajectory": [[NaN, 0]], "aux_outputs": {}}'), "expected 6 finite points"),
    ],
)
def test_anything_but_a_plan_ends_the_run(stage: Stage, reply: Reply, message: str) -> None:
    def answer(path: str, _: Any) -> Reply:
        return reply if path.endswith("infer") else (200, {})

    with serving(answer) as (url, _), pytest.raises(ValueError, match=message):
        drive([stage], Served(Address(url, 5), Cameras((80, 45)), []))


def test_a_server_that_is_slow_or_gone_is_named(stage: Stage) -> None:
    wait = threading.Event()

    def slow(path: str, _: Any) -> Reply:
        return 200, {"late": wait.wait(5)}

    with serving(slow) as (url, _):
        with pytest.raises(OSError, match="no reply .timed out.; is the server running"):
            client.views(Address(url, 0.1))
        wait.set()
    with pytest.raises(OSError, match="alive: no reply"):
        client.views(Address(url, 1))
    with pytest.raises(ValueError, match="expected http://HOST:PORT"):
        Address("localhost:8000", 1)
    with pytest.raises(ValueError, match=r"--server http://localhost:99999: Port out of range"):
        Address("http://localhost:99999", 1)


def test_a_status_that_nobody_tells_is_not_made_up() -> None:
    plan, status = read_reply(json.dumps(STILL | {"aux_outputs": {}}).encode())
    assert plan.shape == (6, 2)
    assert status is None


def test_the_pictures_show_what_is_ahead(stage: Stage) -> None:
    """The actor is red: it is in the front picture while it is ahead, and not behind."""
    cameras = Cameras((160, 90))
    x_m, y_m, *_ = stage.actor[0]

    def red(channel: str, yaw_rad: float) -> int:
        pose = np.array([x_m - 12 * np.cos(yaw_rad), y_m - 12 * np.sin(yaw_rad), yaw_rad])
        r, g, b = np.moveaxis(cameras.picture(channel, stage, 0, pose).astype(int), -1, 0)
        return int(((r > 2 * g) & (r > 2 * b)).sum())

    assert red("CAM_FRONT", 0.3) > 100
    assert red("CAM_BACK", 0.3) == 0
    assert cameras.picture("CAM_BACK", stage, 0, np.zeros(3)).shape == (90, 160, 3)
