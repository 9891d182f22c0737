"""The server over HTTP: what the engine is told, and what comes of everything that goes wrong."""

import base64
import copy
import io
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.closed_loop.conftest import Serve
from tests.closed_loop.requests import bomb, encoded, noise, pose, step, zipped
from tests.engines.test_openai import Reply, said, text_of
from tests.engines.test_openai import Server as LanguageServer

from impromptu.answer_forms import Form
from impromptu.closed_loop import web
from impromptu.closed_loop.driver import Model, Rule
from impromptu.closed_loop.plans import BASELINES, OnUnreadable
from impromptu.closed_loop.prompting import Frame, Views, asked
from impromptu.closed_loop.protocol import StepError, read_step, take_out
from impromptu.engines import Decoding
from impromptu.engines._image_budget import open_image
from impromptu.engines.openai import connect
from impromptu.preset import STRICT
from impromptu.wording import load_wording

VELOCITY = re.compile(r"Velocity: X (-?[\d.]+)")
RULE = Rule(BASELINES["constant_velocity"])


def planned(speed_mps: float, count: int = 6) -> str:
    points = ", ".join(f"[{round(speed_mps * k / 2, 2)}, 0.0]" for k in range(1, count + 1))
    return f"<PLANNING>The car will be at: {points}</PLANNING>"


def constant(text: str, _: int) -> Reply:
    """Drive on at the speed that the prompt tells of now."""
    return said(planned(float(VELOCITY.findall(text)[-1])))


def model(
    language: LanguageServer,
    on_unreadable: OnUnreadable = "fail",
    views: Views = "front",
    frame: Frame | None = None,
    **more: Any,
) -> Model:
    question = asked(views, frame, load_wording(None, STRICT), Form())
    told = replace(language.settings, decoding=Decoding(max_new_tokens=99, seed=7), **more)
    return Model(question, connect(told, 0), told, on_unreadable)


def test_the_engine_gets_six_points_and_the_key_that_it_needs(serve: Serve) -> None:
    with serve(RULE) as site:
        assert site.client.get("/alive").json()["status"] == "alive"
        assert site.post("/reset", {}).status_code == 200
        reply = site.post("/infer", step(speed_mps=4.0))
        assert (reply.status_code, reply.json()["aux_outputs"]) == (200, {"status": "rule"})
        assert reply.json()["trajectory"] == [[2.0 * k, 0.0] for k in range(1, 7)]


@pytest.mark.parametrize("views", ["front", "front3"])
def test_a_model_sees_what_it_saw_in_training(
    views: Views, language: LanguageServer, serve: Serve, tmp_path: Path
) -> None:
    pixels = noise(3, 90, 160)
    Image.fromarray(pixels).save(tmp_path / "same.png")
    language.script = lambda text, _: said(planned(5.0, 6 if views == "front" else 10))
    with serve(model(language, views=views, image_max_pixels=5_000)) as site:
        site.post("/s/a/reset")
        reply = site.post("/s/a/infer", step(pixels=pixels)).json()
    assert reply["trajectory"] == [[2.5 * k, 0.0] for k in range(1, 7)]
    (request,) = language.requests
    assert request["temperature"] == 0.0
    assert (request["max_tokens"], request["n"], request["model"]) == (99, 1, "m")
    images = [one for one in request["messages"][1]["content"] if one["type"] == "image_url"]
    assert len(images) == (1 if views == "front" else 3)
    expected = open_image(tmp_path / "same.png", 5_000, 1_024)
    for image in images:
        kind, _, data = image["image_url"]["url"].partition(";base64,")
        shown = Image.open(io.BytesIO(base64.b64decode(data)))
        assert (kind, shown.format, shown.mode) == ("data:image/png", "PNG", "RGB")
        assert (shown.size, shown.tobytes()) == (expected.size, expected.tobytes())


@pytest.mark.parametrize(("height_m", "simulated"), [(0.0, True), (0.3, False)])
def test_a_step_of_the_log_is_answered_and_told_as_one(
    height_m: float, simulated: bool, serve: Serve
) -> None:
    body = step(yaw_rate_radps=0.4)
    body["ego2world"][2][3] = height_m
    with serve(RULE) as site:
        site.post("/reset")
        assert site.post("/infer", body).status_code == 200
        (row,) = site.trace()
    assert row["simulated"] is simulated
    # The engine scores an impact by this velocity, whoever's it is.
    assert row["velocity_mps"] == pytest.approx(body["canbus"][13:15], abs=1e-12)


def test_every_step_is_told_in_the_trace(language: LanguageServer, serve: Serve) -> None:
    language.script = constant
    with serve(model(language)) as site:
        site.post("/s/a/reset")
        for k in range(2):
            assert site.post("/s/a/infer", step(k, speed_mps=6.0)).status_code == 200
        first, second = site.trace()
    assert (first["session"], first["run"], first["step"], second["step"]) == ("a", 1, 1, 2)
    told = {key: second[key] for key in ("x_m", "y_m", "yaw_rad", "speed_mps", "command")}
    assert told == {"x_m": 3.0, "y_m": 0, "yaw_rad": 0, "speed_mps": 6.0, "command": "STRAIGHT"}
    assert (second["status"], second["answer"]) == ("read", planned(6.0))
    assert second["trajectory"] == [[3.0 * k, 0.0] for k in range(1, 7)]
    assert second["model_ms"] > 0 < second["prepare_ms"]
    assert len({first["prompt_sha256"], second["prompt_sha256"]}) == 2


def test_eight_runs_at_once_do_not_mix(language: LanguageServer, serve: Serve) -> None:
    language.script = constant
    prompts: dict[float, list[str]] = {}

    def run(number: int) -> None:
        speed_mps = 2.0 + number
        site.post(f"/s/run{number}/reset")
        for k in range(9):
            reply = site.post(f"/s/run{number}/infer", step(k, speed_mps=speed_mps)).json()
            straight = [[speed_mps * p / 2, 0.0] for p in range(1, 7)]
            assert np.allclose(reply["trajectory"], straight)

    with serve(model(language)) as site, ThreadPoolExecutor(8) as pool:
        list(pool.map(run, range(8)))
        trace = site.trace()
    for request in language.requests:
        text = " ".join(p["text"] for p in request["messages"][1]["content"] if "text" in p)
        speeds = set(VELOCITY.findall(text))
        assert len(speeds) == 1
        prompts.setdefault(float(speeds.pop()), []).append(text)
    assert {speed: len(texts) for speed, texts in prompts.items()} == {2.0 + k: 9 for k in range(8)}
    for speed_mps, texts in prompts.items():
        # The longest history is 3 s, however long the run.
        assert [text.count("(t-") for text in texts] == [1, 2, 3, 4, 5, 6, 7, 7, 7]
        assert f"(t-3.0s) [{-3 * speed_mps}, 0.0]" in texts[-1]
    assert len(trace) == 72


def test_a_reset_forgets_and_other_runs_stay(language: LanguageServer, serve: Serve) -> None:
    language.script = constant
    with serve(model(language)) as site:
        for name in ("/s/a", ""):
            site.post(f"{name}/reset")
        for k in range(3):
            site.post("/s/a/infer", step(k))
            site.post("/infer", step(k))
        assert site.post("/s/a/reset").json() == {"session": "a", "run": 2}
        assert site.post("/s/a/infer", step(0)).status_code == 200
        assert site.post("/infer", step(3)).status_code == 200
    again, on = (text_of(one) for one in language.requests[-2:])
    assert (again.count("(t-"), on.count("(t-")) == (1, 4)


def wrong(**changes: Any) -> Callable[[], bytes]:
    return lambda: encoded(step(1) | changes)


def without(name: str) -> Callable[[], bytes]:
    return lambda: encoded({key: value for key, value in step(1).items() if key != name})


def image(content: bytes) -> Callable[[], bytes]:
    return wrong(images={"CAM_FRONT": base64.b64encode(content).decode()})


NAN_POSE = pose(0, 0, 0)
NAN_POSE[0][3] = float("nan")
SHEARED = pose(0, 0, 0)
SHEARED[0][1] = 0.5
GRAY = zipped({"data.pkl": b"\x80\x02K\x01.", "data/0": b""})
BAD: dict[str, tuple[int, str, Callable[[], bytes]]] = {
    "empty": (422, "not JSON", lambda: b""),
    "cut": (422, "not JSON", lambda: encoded(step(1))[:-5]),
    "cut in an image": (422, "not JSON", lambda: encoded(step(1))[:5_000]),
    "not UTF-8": (422, "not JSON", lambda: b'{"\xff": 1}'),
    "a list": (422, "expected a JSON object, got \\[\\]", lambda: b"[]"),
    "deep": (422, "not JSON", lambda: b"[" * 200_000),
    "long number": (422, "not JSON", lambda: b'{"a": ' + b"1" * 5_000 + b"}"),
    "large beside": (422, "bytes beside its images", lambda: b"[" + b"0," * 600_000 + b"0]"),
    "many strings": (422, "bytes beside its images", lambda: b"[" + b'"a",' * 300_000 + b'""]'),
    "backslashes": (422, "bytes beside", lambda: b'["' + b'\\"' * 900_000 + b'"]'),
    **{
        f"no {name}": (422, f"no '{name}'", without(name))
        for name in ("images", "ego2world", "canbus", "timestamp", "command", "calibration")
    },
    "no camera": (422, "images has no 'CAM_FRONT'", wrong(images={"CAM_BACK": ""})),
    "no image": (422, "expected base64 text, got None", wrong(images={"CAM_FRONT": None})),
    "no base64": (422, "images.CAM_FRONT: not base64", wrong(images={"CAM_FRONT": "?" * 2_000})),
    "umlauts": (422, "images.CAM_FRONT: not base64", wrong(images={"CAM_FRONT": "ä"})),
    "a number for it": (422, "images.CAM_FRONT: ", wrong(images={"CAM_FRONT": "@77"})),
    "a PNG": (422, "expected a torch archive", image(b"\x89PNG" + bytes(2_000))),
    "other pickle": (422, "which is not run", image(GRAY)),
    "NaN pose": (422, "ego2world: 1 values are not finite", wrong(ego2world=NAN_POSE)),
    "sheared pose": (422, "expected a rotation", wrong(ego2world=SHEARED)),
    "mirrored pose": (422, "expected a rotation", wrong(ego2world=(-np.eye(4)).tolist())),
    "3 x 4": (422, "expected shape \\(4, 4\\)", wrong(ego2world=pose(0, 0, 0)[:3])),
    "ragged": (422, "expected \\(4, 4\\) numbers", wrong(ego2world=[[1], [1, 2]])),
    "words": (422, "expected \\(16,\\) numbers", wrong(canbus=["1"] * 16)),
    "huge": (422, "expected \\(16,\\) numbers", wrong(canbus=[10**400] * 16)),
    "18 floats": (422, "expected shape \\(16\\), got \\(18,\\)", wrong(canbus=[0.0] * 18)),
    "fast": (422, "beyond 150", wrong(canbus=[0.0] * 13 + [1e6, 0, 0])),
    "infinite": (422, "not finite", wrong(canbus=[float("inf")] * 16)),
    "time in words": (422, "timestamp: expected a whole", wrong(timestamp="now")),
    "time with point": (422, "timestamp: expected a whole", wrong(timestamp=1.5e15)),
    "endless time": (422, "timestamp: expected a whole", wrong(timestamp=10**30)),
    "command 3": (422, "command: expected a whole", wrong(command=3)),
    "command true": (422, "command: expected a whole", wrong(command=True)),
    "flat lidar": (422, "calibration.lidar2ego", wrong(calibration={"lidar2ego": [0] * 16})),
    "time back": (409, "not after that of the step before", lambda: encoded(step(-1))),
    "time stands": (409, "not after that of the step before", lambda: encoded(step(0))),
    "a jump": (409, "position jumps by 4000 m", wrong(ego2world=pose(4_000, 0, 0))),
}


@pytest.mark.parametrize(("status", "told", "body"), BAD.values(), ids=BAD)
def test_bad_input_is_answered_and_the_run_goes_on(
    status: int, told: str, body: Callable[[], bytes], language: LanguageServer, serve: Serve
) -> None:
    language.script = constant
    with serve(model(language)) as site:
        site.post("/reset")
        assert site.post("/infer", step(0)).status_code == 200
        reply = site.post("/infer", content=body())
        assert reply.status_code == status, reply.text
        assert re.search(told, reply.json()["detail"])
        assert len(reply.content) < 1_000
        last = site.trace()[-1]
        assert (last["status"], last["error"]) == ("refused", reply.json()["detail"])
        assert site.post("/infer", step(1)).status_code == 200
    assert len(language.requests) == 2
    assert text_of(language.requests[-1]).count("(t-") == 2


def test_a_pickle_bomb_is_refused(language: LanguageServer, serve: Serve, tmp_path: Path) -> None:
    mark = tmp_path / "exploded"
    body = image(zipped({"data.pkl": bomb(str(mark)), "data/0": bytes(300)}))()
    with serve(model(language)) as site:
        site.post("/reset")
        reply = site.post("/infer", content=body)
    assert (reply.status_code, mark.exists()) == (422, False)
    assert "images.CAM_FRONT: expected the pickle of" in reply.json()["detail"]


def test_two_gigabytes_are_refused_before_they_come(serve: Serve) -> None:
    with serve(RULE) as site:
        site.post("/reset")
        base = site.client.base_url
        with socket.create_connection((base.host, base.port), timeout=5) as line:
            line.sendall(b"POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: 2147483648\r\n\r\n")
            assert line.recv(100).startswith(b"HTTP/1.1 413")
        assert site.post("/infer", step()).status_code == 200


def test_a_stream_without_end_is_refused_on_the_way(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "MAX_BODY", 300_000)
    sent = [0]

    def endless() -> Iterator[bytes]:
        for _ in range(2_000):
            sent[0] += 1
            yield bytes(100_000)

    with serve(RULE) as site:
        site.post("/reset")
        try:
            assert site.post("/infer", content=endless()).status_code == 413
        except Exception as error:  # the line was closed while we still wrote
            assert "Error" in type(error).__name__  # noqa: PT017 - either is right
        assert sent[0] < 2_000
        assert site.post("/infer", step()).status_code == 200


def test_a_body_that_does_not_come_is_given_up(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "BODY_S", 0.1)
    with serve(RULE) as site:
        base = site.client.base_url
        with socket.create_connection((base.host, base.port), timeout=5) as line:
            line.sendall(b"POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            assert line.recv(100).startswith(b"HTTP/1.1 408")


def test_a_run_that_has_not_begun_or_is_forgotten_is_not_guessed(serve: Serve) -> None:
    with serve(RULE, 2) as site:
        assert site.post("/s/a/infer", step()).status_code == 409
        for name in "abc":
            site.post(f"/s/{name}/reset")
        assert site.post("/s/a/infer", step()).status_code == 409
        assert site.post("/s/b/infer", step()).status_code == 200
        assert site.client.get("/alive").json()["sessions"] == 2
        assert site.post("/s/a%20b/reset").status_code == 422
        assert site.post(f"/s/{'a' * 65}/reset").status_code == 422
        assert site.client.get("/s/../alive").status_code in (200, 404)


def test_a_language_server_that_is_down_slow_or_cross(
    language: LanguageServer, serve: Serve
) -> None:
    wait = threading.Event()
    replies: list[tuple[int, str, Callable[[str, int], Reply]]] = [
        (502, "500 out of memory", lambda *_: (500, {"error": {"message": "out of memory"}})),
        (502, "404 who", lambda *_: (404, {"error": {"message": "who"}})),
        (502, "refused it: 400", lambda *_: (400, {"error": {"message": "too long"}})),
        (503, "cannot be reached", lambda *_: (200, None)),
        (502, "cannot be read", lambda *_: (200, "<html>")),
        (502, "no choices", lambda *_: (200, {"choices": []})),
        (502, "ended it: content_filter", lambda *_: said("x", reason="content_filter")),
        (502, "expected 6 waypoints, found 0", lambda *_: said("I cannot drive.")),
        (502, "expected 6 waypoints, found 5", lambda *_: said(planned(5.0, 5))),
        (502, "beyond 450 m", lambda *_: said(planned(1e6))),
        (504, "not answered in 0.5 s", lambda *_: said("late") if wait.wait(5) else (200, None)),
    ]
    with serve(model(language, timeout_s=0.5)) as site:
        site.post("/reset")
        for status, told, script in replies:
            language.script = script
            reply = site.post("/infer", step(0))
            assert (reply.status_code, told in reply.json()["detail"]) == (status, True), reply.text
            assert site.trace()[-1]["status"] in ("failed", "unreadable")
            assert "trajectory" not in reply.json()
        wait.set()
        language.script = constant
        assert site.post("/infer", step(0)).status_code == 200
        assert site.trace()[-1]["step"] == 1


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("hold_last", [[3.0 * k + 1.0, 0.0] for k in range(1, 7)]),
        ("constant_velocity", [[2.0 * k, 0.0] for k in range(1, 7)]),
        ("brake", [[1.25, 0.0], *[[4 * 4 / 12, 0.0]] * 5]),
    ],
)
def test_an_unreadable_answer_is_filled_as_told_and_marked(
    policy: OnUnreadable, expected: list[list[float]], language: LanguageServer, serve: Serve
) -> None:
    said_so = iter([planned(6.0), "Let me think about it."])
    language.script = lambda *_: said(next(said_so))
    with serve(model(language, policy)) as site:
        site.post("/reset")
        first = site.post("/infer", step(0, speed_mps=4.0)).json()
        second = site.post("/infer", step(1, speed_mps=4.0)).json()
        row = site.trace()[-1]
    assert first["aux_outputs"] == {"status": "read"}
    marks = {"status": "unreadable", "reason": "number_of_waypoints", "filled": policy}
    assert second["aux_outputs"] == marks
    assert {key: row[key] for key in marks} == marks
    assert np.allclose(second["trajectory"], expected)


def test_there_is_nothing_to_hold_at_first(language: LanguageServer, serve: Serve) -> None:
    language.script = lambda *_: said("Hm.")
    with serve(model(language, "hold_last")) as site:
        site.post("/reset")
        assert site.post("/infer", step(0)).status_code == 502


GOOD = step(1)
PATHS = [
    (), ("images",), ("images", "CAM_FRONT"), ("ego2world",), ("ego2world", 0),
    ("ego2world", 2, 3), ("canbus",), ("canbus", 13), ("timestamp",), ("command",),
    ("calibration",), ("calibration", "lidar2ego"), ("calibration", "lidar2ego", 1, 1),
]  # fmt: skip
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from([1e308, -1e-320, 2**63, 10**400, "@0", "\x00", "A" * 3_000]),
    lambda inner: st.lists(inner, max_size=5)
    | st.dictionaries(st.sampled_from(["CAM_FRONT", "lidar2ego", "x"]), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


def _spoilt(path: tuple[Any, ...], junk: Any) -> Any:
    if not path:
        return junk
    body = copy.deepcopy(GOOD)
    place: Any = body
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = junk
    return body


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(path=st.sampled_from(PATHS), junk=JUNK, raw=st.none() | st.binary(max_size=40))
def test_whatever_a_body_tells_it_is_a_step_or_not(
    path: tuple[Any, ...], junk: Any, raw: bytes | None
) -> None:
    body = encoded(_spoilt(path, junk))
    if raw is not None:
        body = body[: len(raw) * 7] + raw + body[len(raw) * 7 + 3 :]
    with suppress(StepError):
        assert read_step(body, ("CAM_FRONT",)).images


def test_no_body_whatever_makes_the_server_fail(language: LanguageServer, serve: Serve) -> None:
    language.script = constant

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(path=st.sampled_from(PATHS), junk=JUNK, raw=st.none() | st.binary(max_size=40))
    def spoil(path: tuple[Any, ...], junk: Any, raw: bytes | None) -> None:
        body = encoded(_spoilt(path, junk))
        if raw is not None:
            body = body[: len(raw) * 7] + raw + body[len(raw) * 7 + 3 :]
        site.post("/reset")
        assert site.post("/infer", content=body).status_code in (200, 422)

    with serve(model(language)) as site:
        spoil()


def test_the_schema_tells_what_is_taken(serve: Serve) -> None:
    with serve(RULE) as site:
        schema = site.client.get("/openapi.json").json()
    assert set(schema["paths"]) == {
        f"{prefix}/{name}" for prefix in ("", "/s/{name}") for name in ("alive", "reset", "infer")
    }
    body = schema["paths"]["/infer"]["post"]["requestBody"]["content"]["application/json"]
    assert set(body["schema"]["required"]) == set(GOOD)


def test_an_answer_is_the_rear_axles_wherever_the_lidar_is(
    language: LanguageServer, serve: Serve
) -> None:
    """Straight on, both go as far; the lidar's own frame begins where the lidar is."""
    language.script = constant
    for frame in ("ego", "lidar"):
        with serve(model(language, frame=frame)) as site:
            site.post("/reset")
            path = site.post("/infer", step(0, speed_mps=4.0)).json()["trajectory"]
        assert np.allclose(path, [[2.0 * k, 0.0] for k in range(1, 7)])


def test_a_trace_that_cannot_be_written_is_told(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    with serve(RULE) as site:
        site.post("/reset")
        monkeypatch.setattr("impromptu.closed_loop.trace.os.write", full)
        reply = site.post("/infer", step(0))
        assert (reply.status_code, "No space left" in reply.text) == (507, True)


_LETTERS = st.text('"\\\\/x', max_size=6)


@given(
    st.lists(
        _LETTERS | _LETTERS.map(lambda text: text + "y" * 2_000) | st.just([0] * 600), max_size=8
    )
)
def test_json_is_parsed_the_same_with_long_strings_taken_out(values: list[Any]) -> None:
    rest, taken = take_out(json.dumps(values).encode())
    back = iter(bytes(one).decode() for one in taken)
    marked = [
        next(back) if isinstance(one, str) and re.fullmatch("@[0-9]", one) else one
        for one in json.loads(rest)
    ]
    assert marked == values
    plain = [one for one in values if isinstance(one, str) and len(one) > 1_100]
    assert len(taken) == sum("\\" not in json.dumps(one) for one in plain)
