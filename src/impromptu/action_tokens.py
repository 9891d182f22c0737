"""Waypoints as action tokens: each step of half a second is one token along x and one along y.

A token tells its own length in metres, ``<|x+4.13|><|y-0.02|>``, so text of tokens is read
without the codebook that it was written with. docs/decisions/0012-action-tokens.md says why.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from impromptu.arrays import Floats, Ints
from impromptu.clip import STEP_S
from impromptu.files import read_json, write_json

Kind = Literal["uniform", "quantile"]

TOKEN = re.compile(r"<\|([xy])([+-]\d{1,3}\.\d\d)\|>", re.ASCII)
MARK = "<|"
"""What a text of action tokens has, and one of pairs of numbers has not."""

_FURTHEST_CM = 99_999
_KEYS = {"kind", "x_cm", "y_cm"}


def token(axis: str, step_cm: int) -> str:
    """Return the token of a step along an axis: ``<|x+4.13|>``."""
    return f"<|{axis}{step_cm / 100:+.2f}|>"


@dataclass(frozen=True, slots=True)
class Codebook:
    """The steps that there are tokens for, in whole centimetres.

    Attributes:
        kind: How they were chosen.
        x_cm, y_cm: Rising; each holds 0, so that a car that stands can be told exactly.
    """

    kind: Kind
    x_cm: tuple[int, ...]
    y_cm: tuple[int, ...]

    def __post_init__(self) -> None:
        """Check that these can be steps."""
        if self.kind not in get_args(Kind):
            raise ValueError(f"kind: expected {' or '.join(get_args(Kind))}, got {self.kind!r:.80}")
        for name, steps_cm in (("x_cm", self.x_cm), ("y_cm", self.y_cm)):
            whole = all(type(step) is int and abs(step) <= _FURTHEST_CM for step in steps_cm)
            if not whole or list(steps_cm) != sorted({*steps_cm, 0}) or len(steps_cm) < 2:
                raise ValueError(
                    f"{name}: expected two or more rising whole centimetres with 0 among them, "
                    f"got {steps_cm!r:.80}"
                )

    @property
    def tokens(self) -> list[str]:
        """All tokens: those along x, then those along y."""
        pairs = [("x", step) for step in self.x_cm] + [("y", step) for step in self.y_cm]
        return [token(*pair) for pair in pairs]

    @property
    def bound_m(self) -> Floats:
        """Half the widest gap between two steps along x and y, (2,), m."""
        gaps_m: Floats = np.array([max(np.diff(cm)) for cm in (self.x_cm, self.y_cm)]) / 200
        return gaps_m

    def steps_cm(self, paths_m: Floats, tracking: bool = True) -> Ints:
        """Return the steps that stand for paths from the origin.

        Each step leads from where the steps before it *came out* to the next waypoint, so their
        errors do not add up: of a path whose own steps are all within the codebook's, no waypoint
        is further off than ``bound_m``. (By induction: what is asked of a step is its true length
        and at most the bound more, and that is at most half a gap from a step of the codebook.)

        Args:
            paths_m: (n, k, 2).
            tracking: False takes each step for itself: to show what tracking is worth.

        Returns:
            (n, k, 2) whole centimetres.
        """
        at_cm, last_cm = np.zeros((2, len(paths_m), 2))
        steps = np.zeros(paths_m.shape, dtype=np.int64)
        for k, next_cm in enumerate(np.moveaxis(100.0 * paths_m, 1, 0)):
            wanted_cm = next_cm - (at_cm if tracking else last_cm)
            for axis, known_cm in enumerate((self.x_cm, self.y_cm)):
                steps[:, k, axis] = _nearest(np.array(known_cm), wanted_cm[:, axis])
            at_cm, last_cm = at_cm + steps[:, k], next_cm
        return steps

    def write(self, path_m: Floats) -> tuple[str, bool]:
        """Return the tokens of a (k, 2) path from the origin, and whether it was clipped.

        It is clipped where a waypoint comes out further off than ``bound_m``: the car is faster,
        or turns more sharply, than any that the codebook was fitted to.
        """
        steps_cm = self.steps_cm(path_m[None])[0]
        off_m = np.abs(np.cumsum(steps_cm, axis=0) / 100 - path_m)
        text = "".join(token("x", x) + token("y", y) for x, y in steps_cm.tolist())
        return text, bool((off_m > self.bound_m + 1e-9).any())


def places_m(text: str) -> Floats:
    """Return the (k, 2) places after each x and y of a text's tokens, in metres.

    Whatever else the text holds is passed over; it is read up to the first token out of turn.
    """
    found = TOKEN.findall(text)
    due = next((k for k, (axis, _) in enumerate(found) if axis != "xy"[k % 2]), len(found))
    steps = [100 * float(step) for _, step in found[: due - due % 2]]
    places: Floats = np.cumsum(np.rint(np.array(steps).reshape(-1, 2)), axis=0) / 100
    return places


def fit(steps_m: Floats, kind: Kind, bins: int, fastest_mps: float = 0.0) -> Codebook:
    """Choose the steps of a codebook; along y as if every path had also been driven mirrored.

    ``uniform`` takes whole multiples of the smallest width, a whole number of centimetres, with
    which ``bins`` of them span all steps. ``quantile`` takes the middle of each of ``bins``
    equally frequent shares of all steps; those that are the same to the centimetre become one;
    the least and the greatest step and 0 are always among them.

    Args:
        steps_m: (n, 2) steps of half a second along x and y.
        kind: One of the two.
        bins: The most tokens along each axis, at least 4.
        fastest_mps: Steps along x reach at least this speed, if no path does.

    Raises:
        ValueError: There are no steps, too few bins, or no such speed.
    """
    if bins < 4:
        raise ValueError(f"{bins} bins: expected at least 4 along each axis")
    if not len(steps_m):
        raise ValueError("no step to fit a codebook to: expected samples of q7 or planning")
    if not 0 <= fastest_mps < _FURTHEST_CM / 100:
        raise ValueError(f"{fastest_mps} m/s: expected a speed from 0 on, in m/s")
    choose = _uniform if kind == "uniform" else _quantile
    x_cm, y_cm = 100.0 * steps_m.T
    y_cm = np.concatenate([y_cm, -y_cm])
    along_x = choose(x_cm, _ends(np.append(x_cm, 100 * STEP_S * fastest_mps)), bins)
    return Codebook(kind, along_x, choose(y_cm, _ends(y_cm), bins))


def _uniform(steps_cm: Floats, ends_cm: tuple[int, int], bins: int) -> tuple[int, ...]:
    low, high = ends_cm
    width = -(-(high - low) // (bins - 1))
    while -(-high // width) - low // width >= bins:
        width += 1
    return tuple(k * width for k in range(low // width, -(-high // width) + 1))


def _quantile(steps_cm: Floats, ends_cm: tuple[int, int], bins: int) -> tuple[int, ...]:
    shares = (np.arange(bins - 3) + 0.5) / (bins - 3)
    middles = np.rint(np.quantile(steps_cm, shares)).astype(int)
    return tuple(sorted({*middles.tolist(), *ends_cm, 0}))


def _ends(steps_cm: Floats) -> tuple[int, int]:
    """Return the least and greatest step, rounded outwards; one that is 0 is moved by 1."""
    low, high = int(np.floor(steps_cm.min())), int(np.ceil(steps_cm.max()))
    return min(low, 0), max(high, 1)


def _nearest(known_cm: Ints, wanted_cm: Floats) -> Ints:
    nearest: Ints = known_cm[np.searchsorted((known_cm[1:] + known_cm[:-1]) / 2, wanted_cm)]
    return nearest


def load_codebook(path: Path) -> Codebook:
    """Read what ``save_codebook`` wrote.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is something else; the message names file and field.
    """
    value = read_json(path)
    if not isinstance(value, dict) or not value.keys() >= _KEYS:
        raise ValueError(f"{path}: expected a codebook that `impromptu fit-actions` wrote")
    x_cm, y_cm = value["x_cm"], value["y_cm"]
    if not isinstance(x_cm, list) or not isinstance(y_cm, list):
        raise ValueError(f"{path}: x_cm, y_cm: expected lists of whole centimetres")
    try:
        return Codebook(value["kind"], tuple(x_cm), tuple(y_cm))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error


def save_codebook(path: Path, codebook: Codebook, origin: dict[str, Any]) -> None:
    """Write a codebook, and beside it what it was fitted to."""
    steps = {"kind": codebook.kind, "x_cm": codebook.x_cm, "y_cm": codebook.y_cm}
    write_json(path, steps | origin)


def errors_m(codebook: Codebook, paths_m: Sequence[Floats], tracking: bool = True) -> Floats:
    """Return (n, k) distances between paths and what is read back of them, m."""
    together = np.stack(paths_m)
    came_out_m = np.cumsum(codebook.steps_cm(together, tracking), axis=1) / 100
    off_m: Floats = np.linalg.norm(came_out_m - together, axis=-1)
    return off_m
