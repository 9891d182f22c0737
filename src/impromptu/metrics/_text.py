"""Packages that compare text; they come with an extra of their own."""

from importlib import import_module
from typing import Any


def text_package(module: str) -> Any:
    """Import a module that the ``text`` extra brings.

    Raises:
        ModuleNotFoundError: It is not installed; the message says how.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        error.add_note("text metrics need more packages: pip install 'impromptu-vla[text]'")
        raise
