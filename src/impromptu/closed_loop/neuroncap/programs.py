"""The programs that an evaluation takes: their commands, folders and variables."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from impromptu.closed_loop.neuroncap.collecting import Attempt
from impromptu.closed_loop.neuroncap.config import Config

_AT_ONCE = "4"
"""Runs that the mini-simulator drives at the same time."""
_TOLD_TO_THE_SERVER = ("views", "wording", "answers", "actions", "waypoint_frame", "on_unreadable")


@dataclass(frozen=True, slots=True)
class Program:
    """Something to start.

    Attributes:
        name: For people.
        cwd: The folder it runs in.
        env: Variables beside our own.
    """

    name: str
    command: Sequence[str]
    cwd: Path = field(default_factory=Path.cwd)
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the programs of one scenario listen.

    Attributes:
        gpu: The renderer's.
    """

    gpu: int
    renderer: int
    model: int


def lanes(config: Config) -> list[Ports]:
    """Return ports and GPU of each scenario that is driven at the same time."""
    starts = range(config.first_port + 1, config.first_port + 1 + 2 * config.parallel, 2)
    gpus = config.gpus * config.parallel
    return [Ports(gpu, start, start + 1) for gpu, start in zip(gpus, starts, strict=False)]


def ports(config: Config) -> list[int]:
    """Return all ports that are taken."""
    made = lanes(config)
    renderers = [] if config.simulated else [lane.renderer for lane in made]
    language = [config.first_port] if config.serves_language else []
    return sorted([*language, *renderers, *(lane.model for lane in made)])


def language_server(config: Config) -> Program:
    """Serve the model, to all scenarios."""
    command = config.command("language_command", port=config.first_port)
    return Program("language model's server", command, env=_visible(config.language_gpus))


def renderer(config: Config, lane: Ports, scenario: str) -> Program:
    """Draw one scenario's scene."""
    command = config.command("renderer_command", port=lane.renderer, **_named(scenario))
    env = _visible([lane.gpu]) | _path(config.neurad_studio)
    return Program("renderer", command, config.neurad_studio, env)


def model_server(config: Config, lane: Ports, trace: Path) -> Program:
    """Answer the engine: our own server, for the runs of one attempt."""
    command = [sys.executable, "-m", "impromptu", "ncap-server", "--engine", config.driver]
    command += ["--port", str(lane.model), "--trace", str(trace)]
    if config.driver == "openai":
        url = config.base_url or f"http://127.0.0.1:{config.first_port}/v1"
        command += ["--base_url", url, "--model", config.served_model_name]
        command += ["--timeout_s", str(config.answer_timeout_s)]
        told = ((name, getattr(config, name)) for name in _TOLD_TO_THE_SERVER)
        command += [word for name, value in told if value for word in (f"--{name}", str(value))]
    return Program("model server", command)


def engine(config: Config, lane: Ports, attempt: Attempt) -> Program:
    """Drive the runs of an attempt: NeuroNCAP's engine, or our simulator in its place."""
    if config.simulated:
        return _simulator(config, lane, attempt)
    command = config.command(
        "engine_command",
        renderer_port=lane.renderer,
        model_port=lane.model,
        run_numbers=",".join(map(str, attempt.numbers)),
        log_dir=attempt.log_dir,
        **_named(attempt.scenario),
    )
    return Program("engine", command, config.neuro_ncap, _path(config.neuro_ncap))


def _simulator(config: Config, lane: Ports, attempt: Attempt) -> Program:
    """Drive all runs up to the last that is asked for; those that are not asked for are let go."""
    command = [sys.executable, "-m", "impromptu", "ncap", "sim", "--scenarios", attempt.scenario]
    command += ["--server", f"http://127.0.0.1:{lane.model}", "--out", str(attempt.folder)]
    command += ["--runs", str(max(attempt.numbers) + 1), "--workers", _AT_ONCE]
    command += ["--timeout_s", str(config.step_timeout_s)]
    return Program("engine", command + ["--render"] * (config.driver == "openai"))


def _named(scenario: str) -> dict[str, str]:
    category, _, sequence = scenario.partition("-")
    return {"category": category, "sequence": sequence}


def _visible(gpus: Sequence[int]) -> dict[str, str]:
    return {"CUDA_VISIBLE_DEVICES": ",".join(map(str, gpus))}


def _path(checkout: Path) -> dict[str, str]:
    """Put a checkout before what Python looks through already."""
    before = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": f"{checkout}{os.pathsep}{before}" if before else str(checkout)}
