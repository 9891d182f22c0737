"""What an evaluation needs, whether it is there, and what to do where it is not."""

import json
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from impromptu.closed_loop.neuroncap import programs
from impromptu.closed_loop.neuroncap.config import Config
from impromptu.files import read_json

State = Literal["ok", "missing", "note"]
TABLES = (
    *("attribute", "calibrated_sensor", "category", "ego_pose", "instance", "log", "map"),
    *("sample", "sample_annotation", "sample_data", "scene", "sensor", "visibility"),
)
CAN_BUS = ("pose", "zoe_veh_info")
"""What the engine reads of each scene."""
_REPOSITORIES = {
    "neuro_ncap": ("https://github.com/atonderski/neuro-ncap", "main.py"),
    "neurad_studio": (
        "https://github.com/georghess/neurad-studio",
        "nerfstudio/scripts/closed_loop/main.py",
    ),
}
_PACKAGES = {"closed_loop": ("fastapi", "uvicorn"), "openai": ("openai",)}
_REPLY_S = 10.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that is needed.

    Attributes:
        what: Its name.
        found: What is there, or what is not.
        remedy: What to do; empty where all is well.
    """

    what: str
    state: State
    found: str
    remedy: str = ""


def checks(config: Config) -> Iterator[Check]:
    """Look for everything that an evaluation takes, in the order in which it is got ready."""
    yield from _packages(config)
    if config.driver == "openai":
        yield from _model(config)
    if not config.simulated:
        for key in _REPOSITORIES:
            yield _checkout(config, key)
        yield _program(config, "engine_command")
        yield _program(config, "renderer_command")
        yield _scenario_files(config)
        yield _checkpoints(config)
        yield _nuscenes(config)
        yield _can_bus(config)
        yield _renderers_nuscenes(config)
    if config.serves_language or not config.simulated:
        yield _gpus(config)
    yield _ports(config)


def _packages(config: Config) -> Iterator[Check]:
    extras = ["closed_loop", *(["openai"] if config.driver == "openai" else [])]
    for extra in extras:
        for package in _PACKAGES[extra]:
            try:
                yield Check(package, "ok", version(package))
            except PackageNotFoundError:
                remedy = f"pip install 'impromptu-vla[{extra}]'"
                yield Check(package, "missing", "not installed", remedy)


def _model(config: Config) -> Iterator[Check]:
    if config.base_url is not None:
        yield _language_server(config, config.base_url)
        return
    yield _program(config, "language_command")
    weights = [*config.model.glob("*.safetensors"), *config.model.glob("pytorch_model*.bin")]
    if (config.model / "config.json").is_file() and weights:
        yield Check("model", "ok", f"{config.model}, {len(weights)} files of weights")
        return
    remedy = (
        "train one (train/README.md), or --set model=FOLDER; --set base_url=http://HOST:PORT/v1"
    )
    found = f"{config.model}: no config.json with weights"
    yield Check("model", "missing", found, f"{remedy} asks a server that is running already")


def _language_server(config: Config, url: str) -> Check:
    remedy = "start it, or let base_url be null: then language_command starts one"
    if not url.startswith(("http://", "https://")):
        return Check("base_url", "missing", f"{url!r} is no address", "such as http://HOST:8000/v1")
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/models", timeout=_REPLY_S) as reply:  # noqa: S310
            names = [str(one["id"]) for one in json.load(reply)["data"]]
    except (OSError, ValueError, LookupError, TypeError) as error:
        return Check("base_url", "missing", f"{url}/models: {error}", remedy)
    if config.served_model_name in names:
        return Check("base_url", "ok", f"{url} serves {config.served_model_name}")
    found = f"{url} serves {', '.join(names)}, not {config.served_model_name}"
    return Check("base_url", "missing", found, "--set served_model_name=NAME")


def _checkout(config: Config, key: str) -> Check:
    folder: Path = getattr(config, key)
    url, needed = _REPOSITORIES[key]
    if not (folder / needed).is_file():
        return Check(
            key, "missing", f"{folder}/{needed}: no such file", f"git clone {url} {folder}"
        )
    git = ["git", "-C", str(folder), "log", "-1", "--format=%h of %cs"]
    try:
        done = subprocess.run(git, capture_output=True, text=True, timeout=_REPLY_S)  # noqa: S603
        revision = done.stdout.strip() if done.returncode == 0 else ""
    except (OSError, subprocess.TimeoutExpired):
        revision = ""
    return Check(key, "ok", f"{folder}, revision {revision or 'not known to git'}")


def _program(config: Config, key: str) -> Check:
    filled = dict.fromkeys(("port", "renderer_port", "model_port", "category", "sequence"), "0")
    program = config.command(key, **filled, run_numbers="0", log_dir=config.out)[0]
    if found := shutil.which(program):
        return Check(key, "ok", found)
    remedy = "make that environment as the checkout's README tells, or --set"
    if key == "language_command":
        remedy = "pip install 'impromptu-vla[vllm]' in an environment of its own, or --set"
    return Check(key, "missing", f"{program}: no such program", f"{remedy} {key}='[...]'")


def _scenario_files(config: Config) -> Check:
    folder = config.neuro_ncap / "scenarios"
    paths = [folder / f"{name.replace('-', '/')}.yaml" for name in config.chosen]
    return _files("scenario files", paths, "update the checkout of neuro-ncap")


def _checkpoints(config: Config) -> Check:
    paths = [config.checkpoints / sequence / "config.yml" for sequence in _sequences(config)]
    script = "bash scripts/download/download_neurad_weights.sh"
    where = f"in {config.neuro_ncap} run {script}, and name {config.checkpoints} when it asks"
    return _files("checkpoints", paths, where)


def _nuscenes(config: Config) -> Check:
    folder = config.nuscenes / config.nuscenes_version
    tables = _files("nuScenes tables", [folder / f"{name}.json" for name in TABLES], _download())
    if tables.state == "missing":
        return tables
    known = {str(scene.get("name")) for scene in read_json(folder / "scene.json")}
    wanted = [f"scene-{sequence}" for sequence in _sequences(config)]
    if lost := [name for name in wanted if name not in known]:
        remedy = "another nuscenes_version, such as v1.0-trainval"
        return Check("nuScenes tables", "missing", f"{folder}: no {_some(lost)}", remedy)
    return Check("nuScenes tables", "ok", f"{folder}, {len(known)} scenes")


def _can_bus(config: Config) -> Check:
    folder = config.nuscenes / "can_bus"
    scenes = _sequences(config)
    paths = [folder / f"scene-{scene}_{name}.json" for scene in scenes for name in CAN_BUS]
    return _files("CAN bus", paths, _download("the CAN bus expansion"))


def _renderers_nuscenes(config: Config) -> Check:
    """Look where checkpoints were trained from; a container may have it mounted there instead."""
    place = config.neurad_studio / "data/nuscenes"
    if place.is_dir():
        return Check("renderer's nuScenes", "ok", str(place))
    remedy = f"mkdir -p {place.parent} && ln -s {config.nuscenes} {place}"
    found = f"{place}: no such folder; fine if renderer_command mounts it there"
    return Check("renderer's nuScenes", "note", found, remedy)


def _gpus(config: Config) -> Check:
    asked = {*config.language_gpus} if config.serves_language else set()
    asked |= set() if config.simulated else {*config.gpus}
    query = ["nvidia-smi", "--query-gpu=index,name,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=_REPLY_S)  # noqa: S603
        lines = done.stdout.strip().splitlines() if done.returncode == 0 else []
    except (OSError, subprocess.TimeoutExpired):
        lines = []
    there = {int(line.split(",")[0]) for line in lines if line.split(",")[0].strip().isdigit()}
    remedy = "a machine with an NVIDIA GPU, or --set gpus='[...]' language_gpus='[...]'"
    if lost := sorted(asked - there):
        found = f"no GPU {', '.join(map(str, lost))}; nvidia-smi tells of {len(there)}"
        return Check("GPUs", "missing", found, remedy)
    return Check("GPUs", "ok", "; ".join(lines))


def _ports(config: Config) -> Check:
    wanted = programs.ports(config)
    if busy := [port for port in wanted if taken(port)]:
        found = f"{', '.join(map(str, busy))} in use"
        return Check(
            "ports", "missing", found, "--set first_port=NUMBER, or end what listens there"
        )
    return Check("ports", "ok", ", ".join(map(str, wanted)))


def taken(port: int) -> bool:
    """Tell whether somebody listens on a port of this machine."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return True
    return False


def _sequences(config: Config) -> list[str]:
    return sorted({name.partition("-")[2] for name in config.chosen})


def _files(what: str, paths: list[Path], remedy: str) -> Check:
    lost = [str(path) for path in paths if not path.is_file()]
    if lost:
        return Check(what, "missing", f"{len(lost)} of {len(paths)}: {_some(lost)}", remedy)
    return Check(what, "ok", f"{len(paths)} files")


def _some(words: list[str]) -> str:
    return ", ".join(words[:3]) + ", ..." * (len(words) > 3)


def _download(part: str = "the metadata") -> str:
    return f"download {part} from nuscenes.org; data_raw/README.md tells where it goes"
