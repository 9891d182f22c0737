"""Stands in for NeuroNCAP's main.py: its options, calls and files; drives straight on, in no time.

The scenario's file is JSON: what goes wrong in which run. Where a run is tells scenario and seed.
"""

import http.client
import json
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

STEPS, STEP_US = 4, 500_000
TEMPLATE = json.loads(Path("step.json").read_text())


class Server:
    def __init__(self, options: Any) -> None:
        self.host, self.port = options.host, options.port
        assert self.call("/alive")

    def call(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        connection = http.client.HTTPConnection(self.host, self.port, timeout=20)
        connection.request("GET" if data is None else "POST", path, data)
        return json.loads(connection.getresponse().read())  # the engine looks at no status


class Logger:
    def __init__(self, options: Any) -> None:
        self.folder = Path(options.log_dir)
        self.folder.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, value: Any) -> None:
        (self.folder / f"{name}.json").write_text(json.dumps(value))


class Engine:
    def __init__(self, options: Any) -> None:
        with Path("pids").open("a") as pids:
            pids.write(f"{os.getpid()}\n")
        self.sequence = options.dataset.sequence
        assert (Path(options.dataset.data_root) / options.dataset.version).is_dir()
        self.renderer, self.model = Server(options.renderer), Server(options.model)
        assert self.renderer.call("/get_actors") == [{"uuid": f"{self.sequence:04d}"}]
        self.wrong = json.loads(Path(options.scenario.path).read_text())
        self.logger = Logger(options.logger)

    async def run(self, seed: int) -> None:
        self.model.call("/reset", {})
        wrong = self.wrong.get(str(seed), "")
        poses, plans = {}, {}
        for number in range(STEPS):
            time.sleep(self.wrong.get("pause_s", 0.0))
            if number == 2:
                self.go(wrong)
            at_us = TEMPLATE["timestamp"] + number * STEP_US
            pose = [list(row) for row in TEMPLATE["ego2world"]]
            pose[0][3], pose[1][3] = 1000.0 * self.sequence + 2.5 * number, 10.0 * seed
            images = {name: self.renderer.call("/render_image", {}) for name in TEMPLATE["images"]}
            step = TEMPLATE | {"ego2world": pose, "timestamp": at_us, "images": images}
            plans[at_us] = self.model.call("/infer", step)["trajectory"]
            pose[0][3] += 40.0 * (wrong == "elsewhere")
            poses[at_us] = pose
        self.logger.write("ego_poses", poses)
        self.logger.write("trajectories", plans)
        self.logger.write("actors", [])
        self.logger.write("reference_trajectory", {at: [0.0, 0.0, 0.0] for at in poses})
        self.logger.write("metrics", {"ncap_score": 5.0, "any_collide@0.0s": False})

    def go(self, wrong: str) -> None:
        if wrong == "raise":
            raise ValueError("the step cannot be taken")
        if wrong == "die once" and not Path("died").exists():
            Path("died").touch()
            wrong = "die"
        if wrong == "die":
            sys.stderr.write("out of luck\n")
            sys.stderr.flush()
            os._exit(7)
        if wrong == "hang":
            time.sleep(600)


class LoggerConfig(SimpleNamespace):
    def setup(self) -> Logger:
        return Logger(self)


class EngineConfig(SimpleNamespace):
    def setup(self) -> Engine:
        return Engine(self)


class Config:
    def __init__(self) -> None:
        self.engine = EngineConfig(
            renderer=SimpleNamespace(host="localhost", port=8000),
            model=SimpleNamespace(host="localhost", port=9000),
            dataset=SimpleNamespace(sequence=61, data_root="data", version="v1.0-mini"),
            scenario=SimpleNamespace(path=None),
            logger=LoggerConfig(log_dir="outputs"),
        )
