"""The doctor: everything in its place, and one thing after the other not."""

import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests.closed_loop.neuroncap.conftest import Place

from impromptu.cli import main


def _doctor(place: Place, *words: str) -> int:
    return main(["ncap", "doctor", *place.words, *words])


def test_where_all_is_in_its_place_it_says_so(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.change(driver="openai")
    git = ["git", "-C", str(place.folder / "neuro-ncap"), "-c", "user.name=n", "-c"]
    subprocess.run([*git[:3], "init", "-q"], check=True)
    commit = ["user.email=e", "commit", "-q", "--allow-empty", "-m", "m"]
    subprocess.run([*git, *commit], check=True)
    assert _doctor(place) == 0
    told = capsys.readouterr().out
    assert told.endswith("nothing is missing\n")
    rows = {line[9:29].strip(): line for line in told.splitlines() if line[:2] in ("ok", "no")}
    assert " revision " in rows["neuro_ncap"] and " of 20" in rows["neuro_ncap"]
    assert "not known to git" in rows["neurad_studio"]
    assert rows["nuScenes tables"].endswith("v1.0-trainval, 2 scenes")
    assert rows["CAN bus"].endswith("4 files")
    assert rows["checkpoints"].endswith("2 files")
    assert rows["GPUs"].endswith("0, Stand-in, 1 MiB")
    assert rows["model"].endswith("model, 1 files of weights")
    assert rows["renderer's nuScenes"].startswith("note")


def _empty(place: Place) -> None:
    (place.folder / "nuscenes/v1.0-trainval/scene.json").write_text("[]")


REMOVED: dict[str, tuple[str, str, str]] = {
    "neuro_ncap": ("neuro-ncap/main.py", "no such file", "git clone https://github.com/atonderski"),
    "neurad_studio": ("neurad-studio/nerfstudio", "no such file", "git clone https://github.com/"),
    "scenario files": ("neuro-ncap/scenarios/side", "2 of 3: ", "update the checkout"),
    "checkpoints": ("checkpoints/0103", "1 of 2: ", "download_neurad_weights.sh"),
    "nuScenes tables": ("nuscenes/v1.0-trainval/sample.json", "1 of 13: ", "nuscenes.org"),
    "CAN bus": ("nuscenes/can_bus/scene-0110_zoe_veh_info.json", "1 of 4: ", "CAN bus expansion"),
    "model": ("model/model.safetensors", "no config.json with weights", "--set model=FOLDER"),
    "GPUs": ("bin/nvidia-smi", "no GPU 0; nvidia-smi tells of 0", "a machine with an NVIDIA GPU"),
}


@pytest.mark.parametrize("what", REMOVED)
def test_what_is_missing_is_told_with_what_to_do(
    what: str, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    path, found, remedy = REMOVED[what]
    place.change(driver="openai")
    gone = place.folder / path
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    assert _doctor(place) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "1 missing"
    (at,) = (number for number, line in enumerate(lines) if line.startswith("missing"))
    assert lines[at][9:].startswith(what) and found in lines[at]
    assert remedy in lines[at + 1]


CHANGED: dict[str, tuple[Callable[[Place], object], str]] = {
    "scene": (_empty, "no scene-0103, scene-0110"),
    "program": (
        lambda place: place.change(renderer_command=["{neurad_studio}/.venv/bin/python"]),
        "neurad-studio/.venv/bin/python: no such program",
    ),
    "gpu": (lambda place: place.change(gpus=[0, 3]), "no GPU 3; nvidia-smi tells of 1"),
    "address": (lambda place: place.change(driver="openai", base_url="here"), "is no address"),
    "server": (
        lambda place: place.change(driver="openai", base_url="http://127.0.0.1:1/v1"),
        "http://127.0.0.1:1/v1/models: <urlopen error",
    ),
}


@pytest.mark.parametrize("what", CHANGED)
def test_what_does_not_fit_is_told(
    what: str, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    change, found = CHANGED[what]
    change(place)
    assert _doctor(place) == 1
    assert found in capsys.readouterr().out


def test_a_port_in_use_is_told(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", place.first_port + 4)):
        assert _doctor(place) == 1
        assert f"{place.first_port + 4} in use" in capsys.readouterr().out
        assert _doctor(place, "--set", "parallel=1") == 0


class Models(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert self.path == "/v1/models"
        body = json.dumps({"data": [{"id": "impromptu-3b"}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def test_a_language_server_that_runs_already_is_asked_for_its_model(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Models) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        place.change(driver="openai", base_url=url, model="nowhere", language_gpus=[7])
        try:
            assert _doctor(place) == 0
            assert f"{url} serves impromptu-3b" in capsys.readouterr().out
            assert _doctor(place, "--set", "served_model_name=other") == 1
            assert f"{url} serves impromptu-3b, not other" in capsys.readouterr().out
        finally:
            server.shutdown()
            thread.join()


def test_the_simulator_needs_none_of_it(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.change(engine="simulator", neuro_ncap="x", nuscenes="x", gpus=[9])
    assert _doctor(place) == 0
    assert "neuro" not in capsys.readouterr().out
