"""What happens in a drive: the ego's script, its counterparts, and the rest of the street."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from impromptu.miniature import road, spacing
from impromptu.miniature.motion import Motion, Pace, Ramp, Track, Turn, lane_change
from impromptu.miniature.world import (
    EGO_AXLE_TO_CENTRE_M,
    EGO_SIZE_M,
    SIZES_M,
    Body,
    Colour,
    Lights,
    Shape,
    World,
)

EAST, NORTH, WEST, SOUTH = 0.0, np.pi / 2, np.pi, -np.pi / 2
EGO_FRONT_M = EGO_AXLE_TO_CENTRE_M + EGO_SIZE_M[0] / 2
LONGEST_S = 30.0
"""The street is painted, and the cast kept apart, for drives up to this long."""

_PAINTS: tuple[Colour, ...] = (
    (196, 52, 46),
    (46, 96, 176),
    (222, 222, 218),
    (92, 98, 110),
    (212, 162, 48),
    (74, 138, 98),
    (150, 156, 166),
    (128, 64, 112),
)
_CLOTHES: tuple[Colour, ...] = (
    (214, 92, 52),
    (62, 120, 196),
    (236, 196, 72),
    (122, 74, 152),
    (52, 148, 134),
    (206, 72, 112),
)


@dataclass(frozen=True, slots=True)
class Story:
    """A script.

    Attributes:
        title: What the ego does, for people.
        counterparts: Those the script needs; they are placed before anybody else.
    """

    title: str
    ego: Motion
    counterparts: Sequence[Body] = ()
    lights: Lights = Lights()


def _line(x_m: float, y_m: float, heading: float, pace: Pace, at_s: float = 0.0) -> Motion:
    """Drive straight on, so as to be at a point at a time."""
    back_m = float(pace.travelled_m(np.array(at_s)))
    start = (x_m - back_m * np.cos(heading), y_m - back_m * np.sin(heading))
    return Motion(Track(start, heading), pace)


def _stop_and_go(speed_mps: float, brake_s: float, go_s: float) -> Pace:
    """Brake over six seconds, wait, and pick up speed again."""
    return Pace(speed_mps, [Ramp(brake_s, 6.0, -speed_mps), Ramp(go_s, 5.0, 0.9 * speed_mps)])


def _body(rng: Generator, shape: Shape, motion: Motion, parked: bool = False) -> Body:
    """Dress somebody."""
    colours = _CLOTHES if shape in ("pedestrian", "cyclist") else _PAINTS
    return Body(shape, colours[rng.integers(len(colours))], motion, parked)


def _walk_across(rng: Generator, x_m: float, start_s: float, speed_mps: float) -> Body:
    """Cross the main street from the right, and stay on the other side."""
    reach_m = road.MAIN_HALF_M + 1.8
    ramps = [
        Ramp(start_s, 1.0, speed_mps),
        Ramp(start_s + 2 * reach_m / speed_mps, 1.0, -speed_mps),
    ]
    return _body(rng, "pedestrian", Motion(Track((x_m, -reach_m), NORTH), Pace(0.0, ramps)))


def _waiting_at_side(rng: Generator) -> list[Body]:
    """Put a car before either red light of the side street."""
    still, back_m = Pace(0.0), road.SIDE_STOP_M + 0.9 + SIZES_M["car"][0] / 2
    spots = ((road.SIDE_X_M, -back_m, NORTH), (-road.SIDE_X_M, back_m, SOUTH))
    return [_body(rng, "car", _line(x, y, heading, still)) for x, y, heading in spots]


def red_light(rng: Generator) -> Story:
    """Brake to a stop at a red light, wait while others cross, and start again."""
    speed, stop_m = rng.uniform(9.0, 10.5), road.MAIN_STOP_M + 0.9
    centre_m = stop_m + SIZES_M["car"][0] / 2
    ego = _line(-stop_m - EGO_FRONT_M, road.INNER_Y_M, EAST, _stop_and_go(speed, 1.5, 11.5), 8.0)
    beside = _line(-centre_m, road.OUTER_Y_M, EAST, _stop_and_go(speed, 1.0, 11.9), 8.0)
    behind = _line(-centre_m - 8, road.INNER_Y_M, EAST, _stop_and_go(speed, 1.9, 12.4), 9.0)
    facing = _line(centre_m, -road.INNER_Y_M, WEST, _stop_and_go(speed, 0.4, 14.4), 8.0)
    across = [
        _line(road.SIDE_X_M, 0.0, NORTH, Pace(8.0), rng.uniform(4.2, 4.7)),
        _line(-road.SIDE_X_M, 0.0, SOUTH, Pace(7.5), rng.uniform(4.6, 5.4)),
        _line(road.SIDE_X_M, 0.0, NORTH, Pace(8.0), rng.uniform(6.8, 7.6)),
    ]
    cars = [_body(rng, "car", motion) for motion in (beside, behind, facing, *across)]
    walker = _walk_across(rng, -road.MAIN_STOP_M + 3.0, rng.uniform(1.0, 1.6), 1.75)
    lights = Lights(
        ((0.0, "green"), (0.6, "yellow"), (2.4, "red"), (11.2, "green")),
        ((0.0, "red"), (3.2, "green"), (8.4, "yellow"), (9.8, "red")),
    )
    return Story("stops at a red light and starts again", ego, [*cars, walker], lights)


def turn_left(rng: Generator) -> Story:
    """Change to the inner lane, slow down, turn left into the side street, speed up."""
    speed, slow, length_m = rng.uniform(8.8, 10.0), 4.8, 24.0
    pace = Pace(speed, [Ramp(3.8, 3.6, slow - speed), Ramp(11.0, 4.5, 4.0)])
    shift = lane_change(5.0, 32.0, road.LANE_M)
    ego = _turning(pace, shift, road.OUTER_Y_M, Turn(0.0, length_m, np.pi / 2), road.SIDE_X_M)
    nose_m = road.MAIN_STOP_M + 0.9 + SIZES_M["car"][0] / 2
    cast = [
        _body(rng, "car", _line(nose_m, -road.INNER_Y_M, WEST, Pace(0.0))),
        _body(rng, "car", _line(0.0, -road.OUTER_Y_M, WEST, Pace(9.0), rng.uniform(3.4, 4.4))),
        _walk_side(rng, -1, rng.uniform(0.5, 2.0)),
        *_waiting_at_side(rng),
    ]
    return Story("changes lane and turns left", ego, cast)


def turn_right(rng: Generator) -> Story:
    """Slow down, turn right into the side street, speed up."""
    speed, slow, length_m = rng.uniform(8.0, 9.0), 3.8, 15.0
    pace = Pace(speed, [Ramp(2.2, 3.6, slow - speed), Ramp(9.6, 4.0, 4.2)])
    ego = _turning(pace, [], road.OUTER_Y_M, Turn(0.0, length_m, -np.pi / 2), -road.SIDE_X_M)
    corner = Motion(Track((-road.SIDE_HALF_M - 4.0, -road.MAIN_HALF_M - 2.2), 0.3), Pace(0.0))
    cast = [
        _body(rng, "pedestrian", corner),
        _walk_side(rng, 1, rng.uniform(0.5, 2.0)),
        *_waiting_at_side(rng),
    ]
    return Story("turns right", ego, cast)


def _walk_side(rng: Generator, side: int, start_s: float) -> Body:
    """Cross the side street along the main one, on its ``side`` (1 left, -1 right)."""
    reach_m = road.SIDE_HALF_M + 1.6
    ramps = [Ramp(start_s, 1.0, 1.4), Ramp(start_s + 2 * reach_m / 1.4, 1.0, -1.4)]
    start = (-reach_m, side * (road.SIDE_STOP_M - 3.0))
    return _body(rng, "pedestrian", Motion(Track(start, EAST), Pace(0.0, ramps)))


def _turning(
    pace: Pace, shift: Sequence[Turn], y_m: float, turn: Turn, into_x_m: float, at_s: float = 7.0
) -> Motion:
    """Place a track whose quarter turn begins at a time and ends in a lane of the side street."""
    begin_m = float(pace.travelled_m(np.array(at_s)))
    turns = [*shift, Turn(begin_m, turn.length_m, turn.angle_rad)]
    end_x_m = Track((0.0, y_m), EAST, turns).xy(np.array([begin_m + turn.length_m]))[0, 0]
    return Motion(Track((into_x_m - end_x_m, y_m), EAST, turns), pace)


def overtake(rng: Generator) -> Story:
    """Change left, pass a slow truck, change right, and go through a green light."""
    speed = rng.uniform(7.8, 8.4)
    pace = Pace(speed, [Ramp(2.5, 4.0, 4.5), Ramp(12.5, 3.0, -3.2)])
    there, back = (
        lane_change(start_m, 36.0, left_m)
        for start_m, left_m in ((12.0, road.LANE_M), (84.0, -road.LANE_M))
    )
    start_m = rng.uniform(-125.0, -115.0)
    ego = Motion(Track((start_m, road.OUTER_Y_M), EAST, [*there, *back]), pace)
    truck = _line(start_m + 27, road.OUTER_Y_M, EAST, Pace(4.6))
    return Story("overtakes a truck", ego, [_body(rng, "truck", truck), *_waiting_at_side(rng)])


def yield_to_pedestrian(rng: Generator) -> Story:
    """Brake for somebody on a crossing, wait, and drive on."""
    speed, stop_m = rng.uniform(8.6, 9.6), road.ZEBRA_X_M - 2.6
    ego = _line(stop_m - EGO_FRONT_M, road.INNER_Y_M, EAST, _stop_and_go(speed, 1.2, 11.0), 8.0)
    nose_m = road.ZEBRA_X_M + 2.8 + SIZES_M["van"][0] / 2
    facing = _line(nose_m, -road.INNER_Y_M, WEST, _stop_and_go(8.0, 2.5, 15.2), 10.0)
    walker = _walk_across(rng, road.ZEBRA_X_M, rng.uniform(1.6, 2.2), 1.6)
    cast = [_body(rng, "van", facing), walker, *_waiting_at_side(rng)]
    return Story("yields to a pedestrian", ego, cast)


def follow(rng: Generator) -> Story:
    """Follow another car at an even speed, past a cyclist and through a green light."""
    speed, start_m = rng.uniform(8.5, 9.5), rng.uniform(-112.0, -100.0)
    pace = Pace(speed)
    ego = _line(start_m, road.INNER_Y_M, EAST, pace)
    lead = _line(start_m + rng.uniform(21, 25), road.INNER_Y_M, EAST, pace)
    cyclist = _line(start_m + rng.uniform(28, 36), -6.7, EAST, Pace(4.6))
    cast = [_body(rng, "car", lead), _body(rng, "cyclist", cyclist), *_waiting_at_side(rng)]
    return Story("follows a car", ego, cast)


STORIES: tuple[Callable[[Generator], Story], ...] = (
    red_light,
    turn_left,
    overtake,
    turn_right,
    yield_to_pedestrian,
    follow,
)


def _parked(rng: Generator) -> Iterator[Body]:
    """Line the kerbs with parked cars, leaving crossings and junction free."""
    for x_m in np.arange(-150.0, 151.0, 6.6):
        for side in (-1, 1):
            free = abs(x_m) < 19 or abs(x_m - road.ZEBRA_X_M) < 8
            if not free and rng.random() < 0.34:
                heading = EAST if side < 0 else WEST
                shape: Shape = "van" if rng.random() < 0.2 else "car"
                motion = _line(
                    x_m + rng.uniform(-0.4, 0.4), side * road.PARKED_Y_M, heading, Pace(0)
                )
                yield _body(rng, shape, motion, parked=True)
    for y_m in np.arange(24.0, 90.0, 6.6):
        for x_side, y_side in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
            if rng.random() < 0.25:
                heading = NORTH if x_side > 0 else SOUTH
                motion = _line(x_side * road.PARKED_X_M, y_side * y_m, heading, Pace(0.0))
                yield _body(rng, "car", motion, parked=True)


def _passers(rng: Generator, near_x_m: float) -> Iterator[Body]:
    """Offer pedestrians on the pavements; those who walk leave the junction behind."""
    for _ in range(14):
        side = rng.choice((-1, 1))
        x_m = near_x_m + rng.uniform(5.0, 120.0)
        y_m = side * (road.MAIN_HALF_M + rng.uniform(0.9, 3.2))
        if abs(x_m) < road.SIDE_HALF_M + road.PAVEMENT_M:
            continue
        speed = float(rng.choice((0.0, 1.1, 1.35)))
        heading = EAST if x_m > 0 else WEST
        yield _body(rng, "pedestrian", _line(x_m, y_m, heading, Pace(speed)))


def _traffic(rng: Generator, lights: Lights) -> Iterator[Body]:
    """Offer moving traffic on the main street, where its light stays green."""
    if len(lights.main) > 1:
        yield _body(rng, "cyclist", _line(-24.0 - rng.uniform(0, 15), 6.7, WEST, Pace(4.4)))
        return
    speed = rng.uniform(8.0, 9.5)
    for _ in range(7):
        y_m = float(rng.choice((-road.INNER_Y_M, -road.OUTER_Y_M)))
        shape: Shape = rng.choice(("car", "car", "car", "van", "bus"))
        yield _body(rng, shape, _line(rng.uniform(-40.0, 190.0), y_m, WEST, Pace(speed)))
    for _ in range(3):
        y_m = float(rng.choice((road.INNER_Y_M, road.OUTER_Y_M)))
        yield _body(rng, "car", _line(rng.uniform(-150.0, 60.0), y_m, EAST, Pace(speed)))
    yield _body(rng, "cyclist", _line(rng.uniform(-60.0, 30.0), 6.7, WEST, Pace(4.4)))


def ego_body(ego: Motion) -> Body:
    """Return the ego as others must keep clear of it: its middle runs ahead of its axle."""
    return Body("car", (0, 0, 0), Motion(ego.track, ego.pace, EGO_AXLE_TO_CENTRE_M))


def tell(index: int, rng: Generator) -> World:
    """Cast the story of one log: all of them in turn, no two alike."""
    story = STORIES[index % len(STORIES)](rng)
    others = [*_traffic(rng, story.lights), *_parked(rng), *_passers(rng, story.ego.track.xy_m[0])]
    cast = spacing.kept_apart([ego_body(story.ego), *story.counterparts], others, LONGEST_S)
    return World(story.title, story.ego, tuple(cast[1:]), story.lights)
