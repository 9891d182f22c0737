"""The words of curation's questions, filled."""

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources

import yaml

from impromptu.conversation import IMAGE

_SLOT = re.compile(r"\{(description|fault)\}")


@cache
def templates() -> Mapping[str, str]:
    """Return the templates of ``prompts.yaml`` by name."""
    text = resources.files("impromptu.curation").joinpath("prompts.yaml").read_text("utf-8")
    loaded: dict[str, str] = yaml.safe_load(text)
    return loaded


def prompt(name: str, description: str = "", fault: str = "") -> str:
    """Return a question, with what could not be used about an earlier answer to it, if anything."""
    text = templates()[name] + (templates()["repair"] if fault else "")
    slots = {"description": description.replace(IMAGE, ""), "fault": fault}
    return _SLOT.sub(lambda slot: slots[slot[1]], text)
