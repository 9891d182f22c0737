"""The driver over gRPC, called by AlpaSim's own stubs, and by the loop of their package."""

import asyncio
import base64
import io
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from tests.closed_loop.conftest import Serve
from tests.closed_loop.requests import arc, noise, pose
from tests.closed_loop.requests import step as ncap_step
from tests.closed_loop.test_web import VELOCITY, constant, model, planned
from tests.engines.test_openai import Server as LanguageServer
from tests.engines.test_openai import said, text_of

from impromptu.closed_loop.alpasim import CAMERAS, listen
from impromptu.closed_loop.driver import Driver, Rule
from impromptu.closed_loop.plans import BASELINES
from impromptu.closed_loop.server import Server
from impromptu.closed_loop.sessions import Sessions
from impromptu.closed_loop.trace import Trace
from impromptu.files import read_json_lines

grpc = pytest.importorskip("grpc", reason="needs the alpasim extra: grpcio")
wire = pytest.importorskip(
    "carla_driver_interface.protocol", reason="needs the alpasim extra: carla-driver-interface"
)
pytest.importorskip("openai", reason="needs the closed_loop extra: openai")

USUAL = tuple(CAMERAS.values())
RULE = Rule(BASELINES["constant_velocity"])
START_US = 1_600_000_000_000_000


@dataclass
class Site:
    """A driver that is running, and AlpaSim's stub of it."""

    address: str
    path: Path
    stub: Any
    server: Server

    def trace(self) -> list[dict[str, Any]]:
        return [row for _, row in read_json_lines(self.path)]

    def start(self, name: str = "a", cameras: Any = USUAL) -> None:
        request = wire.DriveSessionRequest(session_uuid=name)
        for camera in cameras:
            request.rollout_spec.vehicle.available_cameras.add(logical_id=camera)
        self.stub.start_session(request)

    def show(self, us: int, name: str = "a", pixels: NDArray[np.uint8] | None = None) -> None:
        for camera in USUAL:
            self.picture(camera, us, png(noise() if pixels is None else pixels), name)

    def picture(self, camera: str, us: int, content: bytes, name: str = "a") -> None:
        request = wire.RolloutCameraImage(session_uuid=name)
        image = request.camera_image
        image.logical_id, image.frame_end_us, image.image_bytes = camera, us, content
        self.stub.submit_image_observation(request)

    def move(self, us: int, x_m: float = 0.0, speed_mps: float = 5.0, **more: Any) -> None:
        self.stub.submit_egomotion_observation(moved([us], [x_m], speed_mps, **more))

    def route(self, xy_m: Any, name: str = "a") -> None:
        points = [wire.Vec3(x=x, y=y) for x, y in xy_m]
        route = wire.Route(timestamp_us=START_US, waypoints=points)
        self.stub.submit_route(wire.RouteRequest(session_uuid=name, route=route))

    def drive(self, us: int, name: str = "a") -> list[tuple[int, list[float], float]]:
        """Return stamp, place and heading of each pose of a plan."""
        request = wire.DriveRequest(session_uuid=name, time_now_us=us, time_query_us=us + 100_000)
        reply = self.stub.drive(request)
        return [
            (one.timestamp_us, [vec.x, vec.y, vec.z], 2 * float(np.arctan2(quat.z, quat.w)))
            for one in reply.trajectory.poses
            for vec, quat in [(one.pose.vec, one.pose.quat)]
        ]

    def step(self, number: int, speed_mps: float, name: str = "a") -> Any:
        """Tell one half second on a straight road, and ask."""
        us = START_US + 500_000 * number
        self.show(us, name)
        self.move(us, number * speed_mps / 2, speed_mps, name=name)
        return self.drive(us, name)


def moved(
    us: list[int], x_m: list[float], speed_mps: float, name: str = "a", yaw_rad: float = 0.0,
    turn_radps: float = 0.0,
) -> Any:  # fmt: skip
    """Return poses on the x axis; what they tell of acceleration is nothing to go by."""
    request = wire.RolloutEgoTrajectory(session_uuid=name)
    for stamp_us, place_m in zip(us, x_m, strict=True):
        one = request.trajectory.poses.add(timestamp_us=stamp_us)
        one.pose.vec.x = place_m
        one.pose.quat.w, one.pose.quat.z = np.cos(yaw_rad / 2), np.sin(yaw_rad / 2)
        state = request.dynamic_states.add()
        state.linear_velocity.x, state.angular_velocity.z = speed_mps, turn_radps
        if turn_radps:
            state.linear_acceleration.x, state.linear_acceleration.y = 9.0, -9.0
    return request


def png(pixels: NDArray[np.uint8], kind: str = "PNG") -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, kind)
    return content.getvalue()


Driving = Callable[..., Any]


@pytest.fixture
def driving(tmp_path: Path) -> Driving:
    """Run a driver as long as a ``with`` lasts."""

    @contextmanager
    def running(driver: Driver, sessions: int = 256, cameras: Any = CAMERAS) -> Iterator[Site]:
        path = tmp_path / "trace.jsonl"
        server = Server(driver, Trace(path), Sessions(sessions))
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()

        def await_(made: Any) -> Any:
            return asyncio.run_coroutine_threadsafe(made, loop).result(20)

        site, port = await_(listen(server, cameras, "127.0.0.1", 0))
        try:
            address = f"127.0.0.1:{port}"
            with grpc.insecure_channel(address, options=wire.channel_options()) as channel:
                yield Site(address, path, wire.EgodriverServiceStub(channel), server)
        finally:
            await_(site.stop(None))
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    return running


@contextmanager
def refused(code: str, told: str) -> Iterator[None]:
    with pytest.raises(grpc.RpcError) as caught:
        yield
    assert (caught.value.code().name, told in caught.value.details()) == (code, True), caught.value


def test_the_packages_own_loop_is_driven_straight_on(driving: Driving) -> None:
    testing = pytest.importorskip("carla_driver_interface.testing")
    with driving(RULE) as site:
        with testing.FakeLoop(site.address, initial_speed_mps=8.0) as loop:
            ended = loop.run(30)
        rows = site.trace()
    assert (ended.steps, len(rows), {row["status"] for row in rows}) == (30, 30, {"rule"})
    assert np.allclose(ended.ego.positions[-1], [8.0 * 2.9, 0, 0], atol=1e-3)


def test_a_plan_is_told_in_local_from_where_the_car_is(driving: Driving) -> None:
    with driving(RULE) as site:
        site.start()
        request = moved([START_US], [100.0], 4.0, yaw_rad=np.pi / 2)
        request.trajectory.poses[0].pose.vec.z = 7.0
        site.stub.submit_egomotion_observation(request)
        plan = site.drive(START_US)
    # It faces the world's y axis.
    assert [us - START_US for us, *_ in plan] == [500_000 * k for k in range(7)]
    assert np.allclose([place for _, place, _ in plan], [[100, 2 * k, 7] for k in range(7)])
    assert np.allclose([yaw for *_, yaw in plan], np.pi / 2)


@pytest.mark.parametrize(("y_m", "side"), [(10.0, 1), (-10.0, -1), (1.0, 0)])
def test_the_route_is_told_as_neuroncaps_command(y_m: float, side: int, driving: Driving) -> None:
    with driving(Rule(BASELINES["echo_route"])) as site:
        site.start()
        site.route([(0.0, 0.0), (10.0, 0.0), (30.0, y_m)])
        site.move(START_US, speed_mps=10.0)
        plan = site.drive(START_US)
        (row,) = site.trace()
    assert row["command"] == {1: "LEFT", -1: "RIGHT", 0: "STRAIGHT"}[side]
    assert np.sign(round(plan[-1][2], 3)) == side
    if side:
        xy_m, yaw_rad = arc(side * 100 / 1.5, 10.0, 0.5 * np.arange(1, 7))
        assert np.allclose([place[:2] for _, place, _ in plan[1:]], xy_m, atol=1e-3)
        assert np.allclose([yaw for *_, yaw in plan[1:]], yaw_rad, atol=0.01)


@pytest.mark.parametrize("views", ["front", "front3"])
def test_a_model_is_asked_what_neuroncaps_server_asks(
    views: Any, language: LanguageServer, driving: Driving, serve: Serve
) -> None:
    """The same drive over both doors: the same words, and the same pixels."""
    language.script = lambda text, _: said(planned(5.0, 6 if views == "front" else 10))
    pixels = noise(3, 90, 160)
    with driving(model(language, views=views, image_max_pixels=5_000)) as site:
        site.start()
        for k in range(8):
            us = START_US + 500_000 * k
            site.show(us, pixels=pixels)
            site.move(us, 2.5 * k, 5.0 + 0.1 * k, turn_radps=0.02 * k)
            plan = site.drive(us)
    ours, language.requests = language.requests, []
    with serve(model(language, views=views, image_max_pixels=5_000)) as ncap:
        ncap.post("/reset")
        for k in range(8):
            body = ncap_step(k, pixels=pixels, speed_mps=5.0 + 0.1 * k, yaw_rate_radps=0.02 * k)
            body["ego2world"] = pose(2.5 * k, 0.0, 0.0)
            assert ncap.post("/infer", body).status_code == 200
    assert [one["messages"] for one in ours] == [one["messages"] for one in language.requests]
    assert "X 0.2" in text_of(ours[-1])  # 0.1 m/s more each half second
    assert np.allclose([place[0] for _, place, _ in plan], [17.5 + 2.5 * k for k in range(7)])


def test_poses_between_two_plans_are_the_past_of_the_second(
    language: LanguageServer, driving: Driving
) -> None:
    language.script = constant
    with driving(model(language)) as site:
        site.start()
        site.show(START_US + 950_000)
        stamps = [START_US + 50_000 * k for k in range(21)]
        for some in (stamps[:5], stamps[4:20], stamps[19:]):  # the last of each is told again
            past = [(us - START_US) / 1e6 * 6.0 for us in some]
            site.stub.submit_egomotion_observation(moved(some, past, 6.0))
        site.drive(stamps[-1])
    (request,) = language.requests
    text = " ".join(part["text"] for part in request["messages"][1]["content"] if "text" in part)
    assert "(t-1.0s) [-6.0, 0.0]" in text
    assert "(t-0.5s) [-3.0, 0.0]" in text
    assert text.count("(t-") == 3


def test_rollouts_at_once_do_not_mix(language: LanguageServer, driving: Driving) -> None:
    language.script = constant

    def run(number: int) -> None:
        name, speed_mps = f"rollout-{number}", 2.0 + number
        site.start(name)
        for k in range(6):
            plan = site.step(k, speed_mps, name)
            want = [(k + p) * speed_mps / 2 for p in range(7)]
            assert np.allclose([place[0] for _, place, _ in plan], want, atol=1e-3)
        site.stub.close_session(wire.DriveSessionCloseRequest(session_uuid=name))

    with driving(model(language)) as site, ThreadPoolExecutor(4) as pool:
        list(pool.map(run, range(4)))
        assert (len(site.server.sessions), len(site.trace())) == (0, 24)
    for request in language.requests:
        assert len(set(VELOCITY.findall(text_of(request)))) == 1


def test_before_there_is_anything_to_see_the_plan_is_empty(
    language: LanguageServer, driving: Driving
) -> None:
    with driving(model(language)) as site:
        site.start()
        assert site.drive(START_US) == []
        site.move(START_US)
        assert site.drive(START_US) == []
        first, second = site.trace()
    assert (first["status"], first["error"]) == ("waiting", "no pose yet")
    assert second["error"] == "no image yet of camera_front_wide_120fov"
    assert not language.requests


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_the_last_image_is_shown_whatever_came_after_it(
    kind: str, language: LanguageServer, driving: Driving
) -> None:
    language.script = constant
    front = CAMERAS["CAM_FRONT"]
    flat = [np.full((32, 48, 3), grey, np.uint8) for grey in (50, 200)]
    with driving(model(language)) as site:
        site.start()
        site.picture(front, START_US, png(flat[1], kind))
        site.picture(front, START_US - 33_000, png(flat[0], kind))
        site.picture(CAMERAS["CAM_FRONT_LEFT"], START_US, b"nobody looks")
        site.move(START_US)
        site.drive(START_US)
    images = [p for p in language.requests[0]["messages"][1]["content"] if p["type"] == "image_url"]
    (shown,) = (
        Image.open(io.BytesIO(base64.b64decode(p["image_url"]["url"][22:]))) for p in images
    )
    assert np.abs(np.asarray(shown, int) - 200).max() <= 2


def test_what_is_malformed_is_an_invalid_argument_and_the_rollout_goes_on(
    language: LanguageServer, driving: Driving
) -> None:
    language.script = constant
    invalid = "INVALID_ARGUMENT"
    with driving(model(language)) as site:
        with refused(invalid, "session_uuid"):
            site.start("")
        with refused(invalid, "looks at camera_front_wide_120fov; the rollout has side"):
            site.start(cameras=["side"])
        site.start()
        with refused(invalid, "camera 'rear'"):
            site.picture("rear", START_US, b"")
        for spoil, told in (
            (lambda r: r.dynamic_states.pop(), "expected one for each of 1 poses, got 0"),
            (lambda r: r.trajectory.poses[0].pose.ClearField("quat"), "pose.quat"),
            (lambda r: setattr(r.trajectory.poses[0].pose.vec, "x", np.nan), "pose.vec"),
            (lambda r: setattr(r.trajectory.poses[0].pose.vec, "x", 1e9), "expected a car"),
            (lambda r: setattr(r.trajectory.poses[0], "timestamp_us", 2**64 - 1), "timestamp_us"),
            (
                lambda r: setattr(r.dynamic_states[0].linear_velocity, "y", 1e9),
                "expected a car",
            ),
            (
                lambda r: setattr(r.dynamic_states[0].angular_velocity, "z", np.inf),
                "dynamic_states",
            ),
        ):
            request = moved([START_US], [0.0], 5.0)
            spoil(request)
            with refused(invalid, told):
                site.stub.submit_egomotion_observation(request)
        with refused(invalid, "route"):
            site.route([(np.nan, 0.0)])
        site.picture(CAMERAS["CAM_FRONT"], START_US, b"no image")
        site.move(START_US)
        with refused(invalid, "images.CAM_FRONT: not a PNG or JPEG file"):
            site.drive(START_US)
        site.show(START_US)
        assert len(site.drive(START_US)) == 7
        assert [row["status"] for row in site.trace()] == ["refused", "read"]


def test_what_does_not_follow_is_a_failed_precondition(driving: Driving) -> None:
    failed = "FAILED_PRECONDITION"
    with driving(RULE) as site:
        site.start()
        site.move(START_US)
        site.drive(START_US)
        with refused(failed, "is not after that of the step before"):
            site.drive(START_US)
        with refused(failed, "is not after that of the step before"):
            site.move(START_US - 1)
        with refused(failed, "the last pose is of"):
            site.drive(START_US + 500_000)
        with refused(failed, "start_session"):
            site.move(START_US + 500_000, x_m=1_000.0)
        both = [START_US, START_US + 500_000]
        site.stub.submit_egomotion_observation(moved(both, [0.0, 2.5], 5.0))
        assert len(site.drive(START_US + 500_000)) == 7


def test_an_image_of_long_ago_is_not_shown(language: LanguageServer, driving: Driving) -> None:
    with driving(model(language)) as site:
        site.start()
        site.show(START_US)
        for k in range(3):
            site.move(START_US + 500_000 * k, 2.5 * k)
        site.move(START_US + 1_000_001, 5.0)
        with refused("FAILED_PRECONDITION", "expected one of the last second"):
            site.drive(START_US + 1_000_001)
    assert not language.requests


def test_a_rollout_that_is_not_under_way_is_not_guessed(driving: Driving) -> None:
    with driving(RULE, sessions=1) as site:
        calls: list[Callable[[], object]] = [
            lambda: site.drive(START_US),
            lambda: site.move(START_US),
            lambda: site.route([]),
            lambda: site.picture("x", 0, b""),
            lambda: site.stub.close_session(wire.DriveSessionCloseRequest(session_uuid="a")),
            lambda: site.stub.submit_recording_ground_truth(wire.GroundTruthRequest()),
        ]
        for call in calls:
            with refused("NOT_FOUND", "start_session first"):
                call()
        site.start()
        with refused("ALREADY_EXISTS", "under way"):
            site.start()
        site.start("b")  # there is room for one
        with refused("NOT_FOUND", "or is forgotten"):
            site.move(START_US)
        site.start()
        site.stub.submit_recording_ground_truth(wire.GroundTruthRequest(session_uuid="a"))
        site.stub.close_session(wire.DriveSessionCloseRequest(session_uuid="a"))
        assert len(site.server.sessions) == 0
        site.start()
        assert site.drive(START_US) == []  # nothing is left of the one before


@pytest.mark.parametrize(
    ("script", "code", "told"),
    [
        (lambda text, _: said("no idea"), "INTERNAL", "cannot be read"),
        (lambda text, _: (400, {"error": {"message": "too long"}}), "INTERNAL", ""),
        (lambda text, _: (500, None), "UNAVAILABLE", ""),
    ],
)
def test_a_model_that_fails_is_told(
    script: Any, code: str, told: str, language: LanguageServer, driving: Driving
) -> None:
    language.script = script
    with driving(model(language)) as site:
        site.start()
        with refused(code, told):
            site.step(0, 5.0)
        language.script = constant
        assert len(site.drive(START_US)) == 7  # the same step again


def test_a_model_that_is_late_is_told(language: LanguageServer, driving: Driving) -> None:
    gone = threading.Event()
    language.script = lambda text, _: (gone.wait(5), said("late"))[1]
    with driving(model(language, timeout_s=0.2)) as site:
        site.start()
        with refused("DEADLINE_EXCEEDED", "has not answered in 0.2 s"):
            site.step(0, 5.0)
        gone.set()


def test_an_unreadable_answer_is_filled_as_told_and_marked(
    language: LanguageServer, driving: Driving
) -> None:
    language.script = lambda text, _: said("no idea")
    with driving(model(language, "brake")) as site:
        site.start()
        plan = site.step(0, 3.0)
        (row,) = site.trace()
    assert [row[key] for key in ("status", "reason", "filled")] == [
        *("unreadable", "number_of_waypoints", "brake")
    ]
    assert np.allclose([place[0] for _, place, _ in plan], [0, *[0.75] * 6])
    assert {yaw for *_, yaw in plan} == {0.0}


def test_a_trace_that_cannot_be_written_is_told(
    driving: Driving, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Trace, row: dict[str, Any]) -> None:
        raise OSError(28, "No space left on device")

    with driving(RULE) as site:
        site.start()
        site.move(START_US)
        monkeypatch.setattr(Trace, "append", full)
        with refused("RESOURCE_EXHAUSTED", "No space left"):
            site.drive(START_US)


def test_it_tells_its_version_and_contract(driving: Driving) -> None:
    contract = pytest.importorskip("carla_driver_interface.contract")
    with driving(RULE) as site:
        told, revision = contract.negotiate(site.stub)
    assert told.version_id.startswith("impromptu-")
    assert (told.grpc_api_version, revision) == (wire.ALPASIM_API_VERSION, 2)


def test_a_port_that_is_taken_is_told(driving: Driving) -> None:
    with driving(RULE) as site:
        port = int(site.address.rpartition(":")[2])
        with pytest.raises(OSError, match=f"--port {port}: could not be had"):
            asyncio.run(listen(site.server, CAMERAS, "127.0.0.1", port))


METHODS = {
    "start_session": "DriveSessionRequest",
    "submit_image_observation": "RolloutCameraImage",
    "submit_egomotion_observation": "RolloutEgoTrajectory",
    "submit_route": "RouteRequest",
    "submit_recording_ground_truth": "GroundTruthRequest",
    "drive": "DriveRequest",
}
KNOWN = {"INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "FAILED_PRECONDITION"}


def test_no_message_whatever_makes_the_driver_fail(driving: Driving) -> None:
    with driving(RULE) as site:
        site.start()

        @settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(st.sampled_from([*METHODS]), st.data())
        def call(method: str, data: st.DataObject) -> None:
            request = getattr(wire, METHODS[method])(session_uuid="a")
            _scribble(request, data)
            try:
                getattr(site.stub, method)(request)
            except grpc.RpcError as error:
                assert error.code().name in KNOWN, error

        call()
        site.start("fresh")
        site.move(START_US, name="fresh")
        assert len(site.drive(START_US, "fresh")) == 7


def _scribble(message: Any, data: st.DataObject, depth: int = 0) -> None:
    """Set some fields, at any depth, to anything of their kind."""
    for part in message.DESCRIPTOR.fields:
        if part.name == "session_uuid" or not data.draw(st.booleans()):
            continue
        many = part.is_repeated if hasattr(part, "is_repeated") else part.label == 3
        count = data.draw(st.integers(1, 3)) if many else 1
        for _ in range(count):
            if part.type == part.TYPE_MESSAGE:
                place = getattr(message, part.name)
                inner = place.add() if many else place
                if not many:
                    inner.SetInParent()
                if depth < 3:
                    _scribble(inner, data, depth + 1)
                continue
            value = data.draw(_values(part))
            if many:
                getattr(message, part.name).append(value)
            else:
                setattr(message, part.name, value)


def _values(part: Any) -> st.SearchStrategy[Any]:
    if part.type == part.TYPE_ENUM:
        return st.sampled_from([one.number for one in part.enum_type.values])
    kinds: dict[int, st.SearchStrategy[Any]] = {
        part.TYPE_STRING: st.text(max_size=4) | st.sampled_from([*CAMERAS.values()]),
        part.TYPE_BYTES: st.binary(max_size=20),
        part.TYPE_BOOL: st.booleans(),
        part.TYPE_FIXED64: st.integers(0, 2**64 - 1) | st.integers(START_US, START_US + 10**6),
        part.TYPE_FLOAT: st.floats(width=32) | st.sampled_from([0.0, 1.0, -1.0]),
        part.TYPE_DOUBLE: st.floats(),
    }
    return kinds.get(part.type, st.integers(0, 2**31 - 1))


def test_the_trace_is_json_whatever_the_session_is_called(driving: Driving) -> None:
    name = 'a "b"\n/../ü'
    with driving(RULE) as site:
        site.start(name)
        site.move(START_US, name=name)
        site.drive(START_US, name)
    (line,) = site.path.read_text().splitlines()
    assert json.loads(line)["session"] == name
