"""What a step needs beyond the core, and what is said where that is not there."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec

Say = Callable[[str], None]
"""Is told what begins, and how it ended."""


def lacking(step: str, packages: Sequence[str], extra: str) -> str:
    """Return why a step cannot be done here; empty if it can."""
    absent = [name for name in packages if not find_spec(name)]
    needs = f"it needs {', '.join(absent)}, pip install 'impromptu-vla[{extra}]'"
    return f"{step}: left out, {needs}" if absent else ""
