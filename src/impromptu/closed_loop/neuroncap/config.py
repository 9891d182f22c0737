"""What ``neuroncap_evaluation/config.yaml`` says, typed, and any key replaced by name."""

import string
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml

from impromptu.answer_forms import Answers
from impromptu.closed_loop import scenarios
from impromptu.closed_loop.plans import OnUnreadable
from impromptu.closed_loop.prompting import Frame, Views
from impromptu.files import read_yaml_mapping
from impromptu.plugins import did_you_mean

FILLED: Mapping[str, tuple[str, ...]] = {
    "language_command": ("port",),
    "renderer_command": ("port", "category", "sequence"),
    "engine_command": (
        *("renderer_port", "model_port", "category", "sequence", "run_numbers", "log_dir"),
        "run_engine",
    ),
}
"""Names in braces that a command may have, beside ``python`` and the other keys."""
_RUN_ENGINE = Path(__file__).with_name("run_engine.py")
_WHAT = {bool: "true or false", int: "a whole number", float: "a number", str: "text", Path: "text"}


@dataclass(frozen=True, slots=True)
class Config:
    """An evaluation. The file says what each key means.

    Attributes:
        path: The file; its relative paths start from its folder.
    """

    path: Path
    engine: Literal["neuroncap", "simulator"]
    scenarios: tuple[str, ...]
    runs: int
    out: Path
    driver: Literal["openai", "constant_velocity", "stop", "echo_route"]
    model: Path
    served_model_name: str
    tensor_parallel_size: int
    base_url: str | None
    views: Views
    wording: Path | None
    answers: Answers
    actions: Path | None
    waypoint_frame: Frame | None
    on_unreadable: OnUnreadable
    neuro_ncap: Path
    neurad_studio: Path
    checkpoints: Path
    nuscenes: Path
    nuscenes_version: str
    parallel: int
    gpus: tuple[int, ...]
    language_gpus: tuple[int, ...]
    first_port: int
    start_timeout_s: float
    step_timeout_s: float
    answer_timeout_s: float
    language_command: tuple[str, ...]
    renderer_command: tuple[str, ...]
    engine_command: tuple[str, ...]

    @property
    def simulated(self) -> bool:
        """The mini-simulator drives: no renderer, no nuScenes."""
        return self.engine == "simulator"

    @property
    def serves_language(self) -> bool:
        """A language model's server is to be started."""
        return self.driver == "openai" and self.base_url is None

    @property
    def chosen(self) -> list[str]:
        """The scenarios' names, in the order in which they are driven."""
        return [one.name for one in scenarios.chosen(self.scenarios, scenarios.load())]

    def command(self, key: str, **filled: object) -> list[str]:
        """Return a command, each name in braces replaced by what it stands for."""
        known = {field.name: getattr(self, field.name) for field in fields(self)}
        ours = {"python": sys.executable, "run_engine": _RUN_ENGINE}
        return [word.format_map(known | ours | filled) for word in known[key]]


def read_config(path: Path, replaced: Sequence[str] = ()) -> Config:
    """Read a file, and what the command line puts in its place.

    Args:
        path: The file.
        replaced: ``key=value`` each, the value as in YAML, a path from the present folder.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A key is unknown or missing, or a value is not what it should be.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such file; the one to start from is neuroncap_evaluation/config.yaml"
        )
    hints = {name: hint for name, hint in get_type_hints(Config).items() if name != "path"}
    given = read_yaml_mapping(path)
    _require_known(path, given, hints)
    if missing := [name for name in hints if name not in given]:
        raise ValueError(f"{path}: no {', '.join(missing)}; neuroncap_evaluation/config.yaml has")
    values = {name: _read(str(path), name, given[name], hints, path.parent) for name in hints}
    for name, value in map(_pair, replaced):
        _require_known("--set", {name: value}, hints)
        values[name] = _read("--set", name, value, hints, Path())
    return _sensible(Config(path, **values))


def _require_known(where: object, given: Mapping[Any, Any], hints: Mapping[str, Any]) -> None:
    for name in map(str, given):
        if name not in hints:
            hint = did_you_mean(name, hints)
            raise ValueError(f"{where}: unknown {name!r}; known are {', '.join(hints)}.{hint}")


def _pair(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--set {text}: expected key=value, such as runs=5")
    try:
        return name, yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ValueError(f"--set {name}: {value!r:.80} is not valid YAML") from error


def _read(where: str, name: str, value: Any, hints: Mapping[str, Any], base: Path) -> Any:
    try:
        return _as(value, hints[name], base)
    except TypeError as error:
        raise ValueError(f"{where}: {name} is {value!r:.80}; expected {error}") from None


def _as(value: Any, hint: Any, base: Path) -> Any:
    """Return a value as its field's type.

    Raises:
        TypeError: It is something else; the message says what was expected.
    """
    if get_origin(hint) in (Union, UnionType):
        kind, none = get_args(hint)
        return None if value is None and none is NoneType else _as(value, kind, base)
    if get_origin(hint) is tuple:
        if not isinstance(value, list) or not value:
            raise TypeError("a list that is not empty, such as [a, b]")
        return tuple(_as(one, get_args(hint)[0], base) for one in value)
    if allowed := get_args(hint):
        if value not in allowed:
            raise TypeError(f"one of {', '.join(allowed)}.{did_you_mean(str(value), allowed)}")
        return value
    taken = {int: int, float: int | float}.get(hint, str)
    if not isinstance(value, taken) or isinstance(value, bool):
        raise TypeError(_WHAT[hint])
    return (base / Path(str(value)).expanduser()).resolve() if hint is Path else hint(value)


def _sensible(config: Config) -> Config:
    """Refuse numbers and commands that nothing can be done with."""
    for name in ("runs", "parallel", "tensor_parallel_size"):
        if getattr(config, name) < 1:
            raise ValueError(f"{name} is {getattr(config, name)}; expected at least 1")
    for name in ("start_timeout_s", "step_timeout_s", "answer_timeout_s"):
        if not 0 < getattr(config, name) < float("inf"):
            raise ValueError(f"{name} is {getattr(config, name)}; expected seconds above 0")
    last = config.first_port + 2 * config.parallel
    if not 1 <= config.first_port <= last < 1 << 16:
        raise ValueError(f"first_port is {config.first_port}; ports up to {last} would be needed")
    scenarios.chosen(config.scenarios, scenarios.load())
    for key, filled in FILLED.items():
        known = [*filled, "python", *(field.name for field in fields(config))]
        for word in getattr(config, key):
            _require_fields(f"{key}: {word!r}", word, known)
    return config


def _require_fields(where: str, word: str, known: Sequence[str]) -> None:
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(word) if name is not None]
    except ValueError as error:
        raise ValueError(f"{where}: {error}; a brace itself is written twice") from error
    for name in names:
        if name not in known:
            raise ValueError(
                f"{where}: nothing is known as {{{name}}}.{did_you_mean(name, known)}"
                " A brace itself is written twice."
            )
