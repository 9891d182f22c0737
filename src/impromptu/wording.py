"""Every sentence a model reads, and a user's file that may replace it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wording:
    """Templates by name."""

    templates: dict[str, str]
