"""An evaluation's surroundings made of stand-ins: checkouts, checkpoints, nuScenes, a GPU."""

import json
import os
import secrets
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.closed_loop.requests import encoded, step

from impromptu.closed_loop.neuroncap.checks import CAN_BUS, TABLES, taken
from impromptu.files import read_json_lines

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "neuroncap_evaluation/config.yaml"
STAND_INS = Path(__file__).parent / "stand_ins"
PORTS = 5
SCENARIOS = ("side-0103", "side-0110", "frontal-0103")


@dataclass(frozen=True)
class Place:
    """A folder in which ``impromptu ncap run`` finds everything.

    Attributes:
        config: The shipped file, but for paths, ports and how the stand-ins are started.
    """

    folder: Path
    config: Path

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def words(self) -> list[str]:
        return ["--config", str(self.config)]

    @property
    def first_port(self) -> int:
        return int(yaml.safe_load(self.config.read_text())["first_port"])

    def change(self, **values: Any) -> None:
        tree = yaml.safe_load(self.config.read_text())
        self.config.write_text(yaml.safe_dump(tree | values))

    def go_wrong(self, scenario: str, what: Mapping[str, Any]) -> None:
        path = self.folder / f"neuro-ncap/scenarios/{scenario.replace('-', '/')}.yaml"
        path.write_text(json.dumps(what))

    def renderer(self, sequence: str, wrong: str) -> None:
        (self.folder / f"checkpoints/{sequence}/config.yml").write_text(wrong)

    def finished(self) -> list[str]:
        paths = self.out.glob("*-*/run_*/metrics.json")
        return sorted(str(path.parent.relative_to(self.out)) for path in paths)

    def trace(self, run: str) -> list[dict[str, Any]]:
        return [row for _, row in read_json_lines(self.out / run / "trace.jsonl")]

    def pids(self) -> list[int]:
        """Return all stand-ins that were started."""
        return [
            int(word) for path in self.folder.rglob("pids") for word in path.read_text().split()
        ]

    def left_over(self, within_s: float = 0.0) -> list[str]:
        """Return what still runs or listens after some time at most."""
        until_s = time.monotonic() + within_s
        while (found := self._left_over()) and time.monotonic() < until_s:
            time.sleep(0.05)
        return found

    def _left_over(self) -> list[str]:
        ports = range(self.first_port, self.first_port + PORTS)
        listening = [f"port {port}" for port in ports if taken(port)]
        return [f"process {one}" for one in self.pids() if _runs(one)] + listening


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def free_ports() -> int:
    """Return the first of some ports in a row that nobody uses, below those given to clients."""
    while True:
        first = 20_000 + secrets.randbelow(12_000)
        if not any(map(taken, range(first, first + PORTS))):
            return first


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    pytest.importorskip("fastapi", reason="needs the closed_loop extra: fastapi")
    pytest.importorskip("uvicorn", reason="needs the closed_loop extra: uvicorn")
    pytest.importorskip("openai", reason="needs the closed_loop extra: openai")
    made = Place(tmp_path, tmp_path / "config.yaml")
    _checkouts(tmp_path)
    _nuscenes(tmp_path / "nuscenes")
    for name in SCENARIOS:
        made.go_wrong(name, {})
        made.renderer(name[-4:], "")
    (tmp_path / "model").mkdir()
    (tmp_path / "model/config.json").write_text("{}")
    (tmp_path / "model/model.safetensors").write_text("")
    (tmp_path / "language").write_text("")
    smi = tmp_path / "bin/nvidia-smi"
    smi.parent.mkdir()
    smi.write_text("#!/bin/sh\necho '0, Stand-in, 1 MiB'\n")
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", f"{smi.parent}{os.pathsep}{os.environ['PATH']}")
    tree = yaml.safe_load(SHIPPED.read_text())
    tree |= dict.fromkeys(("start_timeout_s", "step_timeout_s", "answer_timeout_s"), 20)
    tree |= {"neuro_ncap": "neuro-ncap", "neurad_studio": "neurad-studio", "model": "model"}
    tree |= {"checkpoints": "checkpoints", "nuscenes": "nuscenes", "out": "out", "runs": 3}
    tree |= {"scenarios": list(SCENARIOS), "driver": "constant_velocity", "parallel": 2}
    tree["engine_command"][0] = tree["renderer_command"][0] = "{python}"
    tree["renderer_command"].insert(3, "renderer")
    tree["language_command"] = ["{python}", str(STAND_INS / "servers.py"), "language"]
    tree["language_command"] += ["--port={port}", "{served_model_name}", str(tmp_path / "language")]
    tree["first_port"] = free_ports()
    made.config.write_text(yaml.safe_dump(tree))
    return made


def _checkouts(folder: Path) -> None:
    engine, renderer = folder / "neuro-ncap", folder / "neurad-studio"
    server = renderer / "nerfstudio/scripts/closed_loop/main.py"
    for path in (engine / "scenarios/side", engine / "scenarios/frontal", server.parent):
        path.mkdir(parents=True)
    for sequence in {name[-4:] for name in SCENARIOS}:
        (folder / "checkpoints" / sequence).mkdir(parents=True)
    shutil.copy(STAND_INS / "engine.py", engine / "main.py")
    shutil.copy(STAND_INS / "tyro.py", engine)
    shutil.copy(STAND_INS / "servers.py", server)
    for checkout in (engine, renderer):
        (checkout / "step.json").write_bytes(encoded(step()))


def _nuscenes(root: Path) -> None:
    tables = root / "v1.0-trainval"
    tables.mkdir(parents=True)
    for name in TABLES:
        (tables / f"{name}.json").write_text("[]")
    scenes = [f"scene-{name[-4:]}" for name in SCENARIOS]
    (tables / "scene.json").write_text(json.dumps([{"name": name} for name in scenes]))
    (root / "can_bus").mkdir()
    for scene in scenes:
        for name in CAN_BUS:
            (root / f"can_bus/{scene}_{name}.json").write_text("[]")
