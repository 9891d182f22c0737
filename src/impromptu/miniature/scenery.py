"""What stands beside the street: houses, trees, and the posts of traffic lights."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from impromptu.arrays import Bools, Floats, Ints
from impromptu.miniature import road
from impromptu.miniature.mesh import RGB, Faces, joined, outward, solid
from impromptu.miniature.world import Light

_WALLS: tuple[RGB, ...] = (
    (206, 186, 160),
    (176, 120, 96),
    (188, 192, 198),
    (222, 206, 170),
    (150, 160, 150),
    (196, 150, 120),
)
_WINDOW, _TRUNK, _POST = (86, 100, 118), (104, 82, 62), (64, 66, 70)
_CROWNS: tuple[RGB, ...] = ((84, 132, 74), (104, 144, 70), (70, 118, 84))
_LIT: dict[Light, RGB] = {"red": (255, 48, 40), "yellow": (255, 200, 40), "green": (40, 232, 120)}
_UNLIT = (44, 44, 44)
_HEAD_Z_M = 4.1


@dataclass(frozen=True, slots=True, eq=False)
class Discs:
    """Round patches that face the viewer, each drawn after the faces of its thing.

    Attributes:
        middle_m: (n, 3).
        radius_m: (n,).
        colour: (n, 3).
        thing: (n,) indices.
        facing: (n, 3) the side they can be seen from, or zeros for any.
    """

    middle_m: Floats
    radius_m: Floats
    colour: Floats
    thing: Ints
    facing: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Scenery:
    """All that never moves.

    Attributes:
        faces: Houses first, then trees, then posts.
        crowns: The trees' leaves.
        lamps: The traffic lights' lamps, unlit, three a head: red, yellow, green.
        lamp_main: (n,) whether a lamp is the main street's.
        houses_m: (h, 4) west, south, east and north ends of the houses.
    """

    faces: Faces
    crowns: Discs
    lamps: Discs
    lamp_main: Bools
    houses_m: Floats

    def discs(self, main: Light, side: Light) -> Discs:
        """Return crowns and lamps, given what the main and the side street's lights show."""
        colours = np.tile(np.array(_UNLIT, dtype=np.float64), (len(self.lamp_main), 1))
        for light, street in ((main, self.lamp_main), (side, ~self.lamp_main)):
            on = street & (np.arange(len(street)) % 3 == list(_LIT).index(light))
            colours[on] = _LIT[light]
        parts = (self.crowns, replace(self.lamps, colour=colours))
        names = ("middle_m", "radius_m", "colour", "thing", "facing")
        return Discs(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))


def _grounded(xy_m: Floats, up_m: Floats) -> Floats:
    """Lift points by the height of the ground."""
    return np.concatenate([xy_m, (road.height_m(xy_m) + up_m)[..., None]], axis=-1)


def _block(
    middle_xy: tuple[float, float], size_m: tuple[float, float, float], colour: RGB
) -> tuple[Floats, Floats]:
    """Return a house's (k, 4, 3) faces and (k, 3) colours: walls, and bands of windows."""
    half = np.array([size_m[0] / 2, size_m[1] / 2])
    walls = solid((*-half, -1.0), (*half, size_m[2]))
    panes = _panes(half + 0.04, max(2, round(size_m[0] / 3.6)), size_m[2])
    faces = np.concatenate([walls, panes]) + _grounded(np.array(middle_xy), np.array(0.0))
    colours = np.concatenate([_plain(walls, colour), _plain(panes, _WINDOW)])
    return faces, colours


def _panes(half_m: Floats, count: int, high_m: float) -> Floats:
    """Return the (k, 4, 3) windows of a house's four walls: ``count`` on each floor of each."""
    corners = half_m * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    shares = (np.arange(count)[:, None] + [0.22, 0.78, 0.78, 0.22]) / count
    along = np.roll(corners, -1, axis=0) - corners
    flat = corners[:, None, None] + shares[..., None] * along[:, None, None]
    floors = np.arange(1.3, high_m - 1.6, 3.1)
    panes = np.empty((4, len(floors), count, 4, 3))
    panes[..., :2] = flat[:, None]
    panes[..., 2] = floors[:, None, None] + np.array([0.0, 0.0, 1.35, 1.35])
    return panes.reshape(-1, 4, 3)


def _houses(rng: Generator) -> Iterator[tuple[float, float, float, float]]:
    """Line both streets with (middle x, middle y, length, width), leaving out the junction."""
    main, side = road.MAIN_HALF_M + road.PAVEMENT_M, road.SIDE_HALF_M + road.PAVEMENT_M
    for way, flank in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        for near, start, stop in ((main, side + 4.5, 240.0), (side, main + 16.0, 120.0)):
            at = start
            while at < stop:
                wide, deep = rng.uniform(9.0, 15.0), rng.uniform(8.0, 10.0)
                middle = (way * (at + wide / 2), flank * (near + 2.5 + deep / 2))
                along_main = near == main
                size = (wide, deep) if along_main else (deep, wide)
                yield (*(middle if along_main else middle[::-1]), *size)
                at += wide + (rng.uniform(4.0, 9.0) if rng.random() < 0.4 else 0.3)


def _house(rng: Generator, x: float, y: float, length: float, width: float) -> Faces:
    """Build one house."""
    high, colour = rng.uniform(6.0, 15.0), _WALLS[rng.integers(len(_WALLS))]
    faces, colours = _block((x, y), (length, width, high), colour)
    middle = _grounded(np.array([[x, y]]), np.array([high / 2]))
    return _thing(faces, colours, middle, float(np.linalg.norm((length, width, high)) / 2))


def _thing(faces: Floats, colours: Floats, middle: Floats, radius_m: float) -> Faces:
    """Make one thing of its faces."""
    things, radii_m = np.zeros(len(faces), dtype=int), np.array([radius_m])
    return Faces(faces, outward(faces), colours, things, middle, radii_m)


def _plain(faces: Floats, colour: RGB) -> Floats:
    """Give all faces one colour."""
    return np.tile(np.array(colour, dtype=np.float64), (len(faces), 1))


def _trees(rng: Generator) -> tuple[list[Faces], Discs]:
    """Plant trees along the pavements: a trunk, and a crown of three discs."""
    trunks: list[Faces] = []
    discs = []
    for x in np.arange(-225.0, 226.0, 15.0):
        for side in (-1, 1):
            if abs(x) < 14 or abs(x - road.ZEBRA_X_M) < 6 or rng.random() < 0.35:
                continue
            xy = np.array([x + rng.uniform(-2, 2), side * (road.MAIN_HALF_M + 3.5)])
            high, wide = rng.uniform(3.4, 4.6), rng.uniform(1.2, 1.7)
            trunk = solid((-0.14, -0.14, 0.0), (0.14, 0.14, high)) + _grounded(xy, np.array(0.0))
            middle = _grounded(xy, np.array(high))
            crown = np.array(_CROWNS[rng.integers(len(_CROWNS))], dtype=np.float64)
            for up, out, shade in ((0.0, 1.0, 0.86), (0.5, 0.82, 0.98), (0.95, 0.55, 1.1)):
                discs.append((middle + [0, 0, up * wide], out * wide, shade * crown, len(trunks)))
            trunks.append(_thing(trunk, _plain(trunk, _TRUNK), middle[None], 5.0))
    middles, radii, colours, things = (np.array(part) for part in zip(*discs, strict=True))
    return trunks, Discs(middles, radii, colours, things, np.zeros_like(middles))


def _posts() -> tuple[list[Faces], Discs, Bools]:
    """Set up the traffic lights, each on the far side of the junction from those it stops."""
    x, y = road.SIDE_HALF_M + 2.6, road.MAIN_HALF_M + 1.0
    places = [
        (x, -y, (-1, 0)),
        (x, y, (-1, 0)),
        (-x, y, (1, 0)),
        (-x, -y, (1, 0)),
        (road.SIDE_HALF_M + 1.0, y + 2.6, (0, -1)),
        (-road.SIDE_HALF_M - 1.0, -y - 2.6, (0, 1)),
    ]
    posts: list[Faces] = []
    lamps = []
    for px, py, (fx, fy) in places:
        foot = _grounded(np.array([px, py]), np.array(0.0))
        head = foot + [0.0, 0.0, _HEAD_Z_M]
        half = np.array([0.16 if fx else 0.38, 0.38 if fx else 0.16, 0.95])
        pole = solid((-0.07, -0.07, 0.0), (0.07, 0.07, _HEAD_Z_M)) + foot
        faces = np.concatenate([pole, solid(-half, half) + head])
        for up in (0.6, 0.0, -0.6):
            lamps.append((head + [0.2 * fx, 0.2 * fy, up], len(posts), (fx, fy, 0.0), fx != 0))
        posts.append(_thing(faces, _plain(faces, _POST), head[None], 4.0))
    middles, things, facing, main = (np.array(part) for part in zip(*lamps, strict=True))
    radii, colours = np.full(len(lamps), 0.25), np.zeros_like(middles)
    return posts, Discs(middles, radii, colours, things, facing.astype(np.float64)), main


def _after(discs: Discs, things: int) -> Discs:
    """Shift the things that discs belong to."""
    return replace(discs, thing=discs.thing + things)


def build(rng: Generator) -> Scenery:
    """Build the street's sides; the houses and trees differ from seed to seed."""
    plots = list(_houses(rng))
    houses = [_house(rng, *plot) for plot in plots]
    trunks, crowns = _trees(rng)
    posts, lamps, main = _posts()
    x, y, length, width = np.array(plots).T
    return Scenery(
        joined([*houses, *trunks, *posts]),
        _after(crowns, len(houses)),
        _after(lamps, len(houses) + len(trunks)),
        main,
        np.stack([x - length / 2, y - width / 2, x + length / 2, y + width / 2], axis=-1),
    )
