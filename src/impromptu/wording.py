"""Every sentence a model reads, and a user's file that may replace it.

The sentences are in ``wording.yaml`` beside this module. ``q7: {prompt: ...}`` there is the
template ``q7.prompt`` here.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from impromptu.conversation import IMAGE

_SLOT = re.compile(r"\{([a-z_]+)\}")

_OPTIONAL = {
    "q1.prompt": {"views"},
    "q3.prompt": {"views"},
    "q6.prompt": {"views"},
    "q7.prompt": {"views", "history_s"},
    "q2.prompt": {"view"},
    "q5.prompt": {"view"},
    "planning.prompt": {"history_s"},
    "planning.velocity": {"y"},
    "q3.command": {"command"},
}
"""Slots that a template may do without; all others of the default template must be there."""

_STARTS = {"q1.no": "No, I don't see any"}
"""What an answer must start with to be read back."""
