"""Stands in for the package that reads the engine's flags: ``--a.b=value`` sets an attribute."""

import sys
from typing import Any


def cli(kind: Any) -> Any:
    made = kind()
    for word in sys.argv[1:]:
        name, _, value = word.removeprefix("--").replace("-", "_").partition("=")
        *parents, last = name.split(".")
        place = made
        for parent in parents:
            place = getattr(place, parent)
        assert hasattr(place, last), f"no flag {name}"
        value = word.partition("=")[2]  # a value keeps its hyphens
        setattr(place, last, int(value) if value.isdigit() else value)
    return made
