"""Shapes as flat faces: road users, houses, trees and traffic lights."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from impromptu.arrays import Floats, Ints
from impromptu.miniature.world import Shape

RGB = tuple[float, float, float]
_GLASS, _TYRE, _DARK, _SHADOW = (52, 62, 76), (30, 30, 34), (46, 46, 52), (50, 52, 57)
_TAIL, _HEAD, _PLATE, _SKIN = (206, 34, 34), (250, 244, 214), (236, 232, 214), (222, 178, 146)


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """Faces of a shape in a box of side 1 about the origin, x forward, z up.

    Attributes:
        corners: (k, 4, 3), counter-clockwise seen from outside.
        paint: (k,) share of the body's own colour in each face.
        colour: (k, 3) what comes on top of it.
    """

    corners: Floats
    paint: Floats
    colour: Floats


def solid(
    low: Sequence[float] | Floats,
    high: Sequence[float] | Floats,
    taper: Sequence[float] = (0, 0, 0),
) -> Floats:
    """Return (5, 4, 3) faces of a box without its bottom: back, right, front, left, top.

    Args:
        low: (3,) least corner.
        high: (3,) greatest corner.
        taper: How far the top is drawn in at the back, the front and either side.
    """
    (x0, y0, z0), (x1, y1, z1), (back, front, side) = low, high, taper
    base = np.array([[x0, y0, z0], [x1, y0, z0], [x1, y1, z0], [x0, y1, z0]])
    top = base + [0.0, 0.0, z1 - z0]
    top[:, 0] += np.array([back, -front, -front, back])
    top[:, 1] += np.array([side, side, -side, -side])
    sides = [
        np.stack([base[i], base[j], top[j], top[i]]) for i, j in ((3, 0), (0, 1), (1, 2), (2, 3))
    ]
    return np.stack([*sides, top])


def _patch(axis: int, at: float, first: Sequence[float], second: Sequence[float]) -> Floats:
    """Return a (1, 4, 3) rectangle flat against x or y = ``at``, facing away from the origin.

    Args:
        axis: 0 or 1.
        at: Where on that axis.
        first: Range on the other horizontal axis.
        second: Range of z.
    """
    (a0, a1), (z0, z1) = first, second
    if (at > 0) == (axis == 1):
        a0, a1 = a1, a0
    flat = [(a0, z0), (a1, z0), (a1, z1), (a0, z1)]
    points = [(at, a, z) if axis == 0 else (a, at, z) for a, z in flat]
    return np.array([points], dtype=np.float64)


class _Parts:
    """Collects a template's faces in the order in which they are drawn."""

    def __init__(self) -> None:
        self.faces: list[tuple[Floats, float, RGB]] = []

    def painted(self, faces: Floats, share: float = 1.0) -> None:
        """Add faces in the body's own colour."""
        self.faces.append((faces, share, (0, 0, 0)))

    def fixed(self, faces: Floats, colour: RGB) -> None:
        """Add faces of a given colour."""
        self.faces.append((faces, 0.0, colour))

    def wheels(self, at_x: Sequence[float], radius_x: float, top: float) -> None:
        """Add wheels to both sides, each an octagon of three faces."""
        middle, half, nick = top / 2 - 0.5, top / 2, 0.41
        for x in at_x:
            for y in (-0.502, 0.502):
                for low, high in ((-1.0, -nick), (-nick, nick), (nick, 1.0)):
                    up = (middle + low * half, middle + high * half)
                    face = _patch(1, y, (x - radius_x, x + radius_x), up)
                    narrow = np.abs(face[..., 2] - middle) > 0.9 * half
                    face[narrow, 0] = x + nick * (face[narrow, 0] - x)
                    self.fixed(face, _TYRE)

    def shadow(self) -> None:
        """Darken the ground below."""
        corners = [(-0.52, -0.56), (0.52, -0.56), (0.52, 0.56), (-0.52, 0.56)]
        self.fixed(np.array([[(x, y, -0.497) for x, y in corners]]), _SHADOW)

    def lamps(self, height: Sequence[float]) -> None:
        """Add lamps in front and behind, and a number plate."""
        for y in ((-0.46, -0.27), (0.27, 0.46)):
            self.fixed(_patch(0, 0.503, y, height), _HEAD)
            self.fixed(_patch(0, -0.503, y, height), _TAIL)
        low = height[0] - 0.1
        self.fixed(_patch(0, -0.503, (-0.14, 0.14), (low - 0.06, low + 0.04)), _PLATE)

    def template(self) -> Template:
        """Return all of it as arrays."""
        counts = [len(faces) for faces, _, _ in self.faces]
        return Template(
            np.concatenate([faces for faces, _, _ in self.faces]),
            np.repeat([share for _, share, _ in self.faces], counts),
            np.repeat(np.array([colour for _, _, colour in self.faces], float), counts, axis=0),
        )


def _car(cabin: Sequence[float], body_top: float, taper: Sequence[float]) -> Template:
    """Build a car: a body, a cabin of glass under a painted roof, wheels and lamps."""
    parts = _Parts()
    parts.shadow()
    parts.painted(solid((-0.5, -0.5, -0.40), (0.5, 0.5, body_top), (0.01, 0.03, 0.02)))
    glass = solid((cabin[0], -0.47, body_top), (cabin[1], 0.47, 0.5), taper)
    parts.fixed(glass[:4], _GLASS)
    parts.painted(glass[4:])
    parts.wheels((-0.31, 0.31), 0.085, 0.46)
    parts.lamps((-0.12, 0.0))
    return parts.template()


def _truck(windows: bool) -> Template:
    """Build a truck, or a bus where it has windows all along."""
    parts = _Parts()
    parts.shadow()
    parts.painted(solid((-0.5, -0.5, -0.38), (0.5, 0.5, 0.5), (0.0, 0.01, 0.0)))
    for y in (-0.502, 0.502):
        if windows:
            parts.fixed(_patch(1, y, (-0.46, 0.47), (0.05, 0.32)), _GLASS)
        else:
            parts.painted(_patch(1, y, (0.24, 0.245), (-0.38, 0.5)), 0.5)
            parts.fixed(_patch(1, y, (0.30, 0.46), (0.06, 0.32)), _GLASS)
    parts.fixed(_patch(0, 0.502, (-0.44, 0.44), (0.02, 0.34)), _GLASS)
    if windows:
        parts.fixed(_patch(0, -0.502, (-0.40, 0.40), (0.10, 0.34)), _GLASS)
    else:
        parts.painted(_patch(0, -0.502, (-0.01, 0.01), (-0.3, 0.48)), 0.5)
    parts.wheels((-0.36, -0.22, 0.34), 0.055, 0.28)
    parts.lamps((-0.3, -0.22))
    return parts.template()


def _pedestrian() -> Template:
    """Build somebody on foot: legs, a coat, a head."""
    parts = _Parts()
    parts.shadow()
    for y in ((-0.30, -0.04), (0.04, 0.30)):
        parts.fixed(solid((-0.22, y[0], -0.5), (0.22, y[1], -0.06)), _DARK)
    parts.painted(solid((-0.32, -0.42, -0.08), (0.32, 0.42, 0.31), (0.08, 0.08, 0.1)))
    parts.fixed(solid((-0.22, -0.2, 0.33), (0.22, 0.2, 0.5)), _SKIN)
    return parts.template()


def _cyclist() -> Template:
    """Build a bicycle and its rider."""
    parts = _Parts()
    parts.shadow()
    for x in (-0.30, 0.30):
        for across, up in ((1.0, 0.6), (0.6, 1.0)):
            middle, half = -0.31, 0.19 * up
            faces = (
                [x - 0.19 * across, -0.06, middle - half],
                [x + 0.19 * across, 0.06, middle + half],
            )
            parts.fixed(solid(*faces), _TYRE)
    parts.fixed(solid((-0.24, -0.1, -0.3), (0.26, 0.1, -0.06)), _DARK)
    parts.painted(solid((-0.20, -0.42, -0.07), (0.08, 0.42, 0.30), (0.1, -0.06, 0.08)))
    parts.fixed(solid((-0.06, -0.22, 0.32), (0.13, 0.22, 0.5)), _SKIN)
    return parts.template()


TEMPLATES: dict[Shape, Template] = {
    "car": _car((-0.40, 0.24), 0.14, (0.10, 0.13, 0.08)),
    "van": _car((-0.49, 0.38), 0.05, (0.02, 0.16, 0.05)),
    "truck": _truck(windows=False),
    "bus": _truck(windows=True),
    "pedestrian": _pedestrian(),
    "cyclist": _cyclist(),
}


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Coloured faces of things in the world.

    Attributes:
        corners_m: (n, 4, 3).
        normal: (n, 3) unit vectors that point outwards.
        colour: (n, 3), 0 to 255.
        thing: (n,) which thing a face belongs to.
        middle_m: (things, 3).
        radius_m: (things,) of a ball about the middle that holds the thing.
    """

    corners_m: Floats
    normal: Floats
    colour: Floats
    thing: Ints
    middle_m: Floats
    radius_m: Floats


def outward(corners_m: Floats) -> Floats:
    """Return the unit normals of (n, 4, 3) faces."""
    a, b, c = (corners_m[:, i] for i in range(3))
    normal = np.cross(b - a, c - a)
    unit: Floats = normal / np.sqrt((normal * normal).sum(axis=-1, keepdims=True))
    return unit


def joined(groups: Sequence[Faces]) -> Faces:
    """Put groups of things one after another."""
    counts = np.cumsum([0, *(len(group.middle_m) for group in groups)])
    return Faces(
        np.concatenate([group.corners_m for group in groups]),
        np.concatenate([group.normal for group in groups]),
        np.concatenate([group.colour for group in groups]),
        np.concatenate([g.thing + n for g, n in zip(groups, counts[:-1], strict=True)]),
        np.concatenate([group.middle_m for group in groups]),
        np.concatenate([group.radius_m for group in groups]),
    )


def placed(
    template: Template, size_m: Floats, rotation: Floats, middle_m: Floats, paint: Floats
) -> Faces:
    """Make things of one shape: (m, 3) sizes, (m, 3, 3) rotations, (m, 3) middles and colours."""
    count, faces = len(middle_m), len(template.corners)
    scaled = template.corners * size_m[:, None, None, :]
    corners = np.einsum("mij,mkcj->mkci", rotation, scaled) + middle_m[:, None, None, :]
    colour = template.paint[:, None] * paint[:, None, :] + template.colour
    corners = corners.reshape(-1, 4, 3)
    return Faces(
        corners,
        outward(corners),
        colour.reshape(-1, 3),
        np.repeat(np.arange(count), faces),
        middle_m,
        np.linalg.norm(size_m, axis=-1) / 2,
    )
