"""Every sentence a model reads, and a user's file that may replace it.

The sentences are in ``wording.yaml`` beside this module. ``q7: {prompt: ...}`` there is the
template ``q7.prompt`` here.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from impromptu.conversation import IMAGE
from impromptu.files import read_yaml_mapping
from impromptu.plugins import did_you_mean
from impromptu.preset import Preset

SLOT = re.compile(r"\{([a-z_]+)\}")

_OPTIONAL = {
    "q1.prompt": {"views"},
    "q2.prompt": {"view", "view_lower"},
    "q3.prompt": {"views", "command"},
    "q5.prompt": {"view", "view_lower"},
    "q6.prompt": {"views", "command"},
    "q7.prompt": {"views", "history_s"},
    "planning.prompt": {"past", "history_s"},
    "planning.past": {"history_s"},
    "planning.no_past": {"history_s"},
    "planning.velocity": {"y"},
}
"""Slots that a template may do without; all others of the default template it must have."""

_STARTS = {"q1.nobody": "No, I don't see any"}
"""What an answer must start with so that it can be read back."""


@dataclass(frozen=True, slots=True)
class Wording:
    """Templates by name."""

    templates: Mapping[str, str]

    def render(self, name: str, **slots: str) -> str:
        """Fill the slots of one template."""
        return _format(self.templates[name]) % slots


@lru_cache(maxsize=256)
def _format(template: str) -> str:
    """Return a template as Python's own format, which is filled in no time."""
    return SLOT.sub(r"%(\1)s", template.replace("%", "%%"))


def load_wording(path: Path | None, preset: Preset) -> Wording:
    """Return the package's wording, with the entries of a user's file in their place.

    Args:
        path: A YAML or JSON file of some or all of the entries of ``wording.yaml``.
        preset: Some default sentences differ between presets.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no mapping of known templates, or a template's slots are wrong.
    """
    defaults = default_templates(preset.name)
    if path is None:
        return Wording(defaults)
    given = dict(_flat(read_yaml_mapping(path)))
    check_templates(given, defaults, str(path))
    return Wording(defaults | given)


@cache
def default_templates(preset: str) -> dict[str, str]:
    """Return the package's own templates by name."""
    text = resources.files("impromptu").joinpath("wording.yaml").read_text("utf-8")
    templates = dict(_flat(yaml.safe_load(text)))
    special = [name for name in templates if name.startswith("released.")]
    replacing = {name.partition(".")[2]: templates.pop(name) for name in special}
    return templates | (replacing if preset == "released" else {})


def _flat(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def check_templates(given: Mapping[str, Any], defaults: Mapping[str, str], where: str) -> None:
    """Refuse templates that the code could not fill, or whose answers it could not read.

    Args:
        given: Templates by name.
        defaults: The package's own.
        where: What the message starts with: a file.

    Raises:
        ValueError: The message names the template and what is wrong with it.
    """
    for name, template in given.items():
        if name not in defaults:
            hint = did_you_mean(str(name), defaults)
            raise ValueError(f"{where}: no template {name!r}; known: {', '.join(defaults)}.{hint}")
        if not isinstance(template, str):
            raise ValueError(f"{where}: {name}: expected text in quotes, got {template!r}")
        for fault in _faults(name, template, defaults[name]):
            raise ValueError(f"{where}: {name}: {fault}")


def _faults(name: str, template: str, default: str) -> Iterator[str]:
    optional = _OPTIONAL.get(name, set())
    known, slots = set(SLOT.findall(default)) | optional, set(SLOT.findall(template))
    listed = ", ".join(f"{{{slot}}}" for slot in sorted(known)) or "none"
    for slot in sorted(slots - known):
        yield f"unknown slot {{{slot}}}; known slots: {listed}"
    for slot in sorted(known - slots - optional):
        yield f"the slot {{{slot}}} is missing; known slots: {listed}"
    marks, due = template.count(IMAGE) + ("views" in slots), name.endswith((".prompt", ".view"))
    if marks != due:
        wanted = f"one {IMAGE} or {{views}}" if due else f"no {IMAGE}"
        yield f"expected {wanted}, found {marks}"
    if not template.startswith(start := _STARTS.get(name, "")):
        yield f"must start with {start!r}, got {template[:40]!r}"
