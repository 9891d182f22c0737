from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from impromptu.arrays import Floats
from impromptu.geometry import SE3
from impromptu.miniature import drives, road, scenery
from impromptu.miniature.canvas import Lens
from impromptu.miniature.files import camera_axes
from impromptu.miniature.motion import Motion, Pace, Track
from impromptu.miniature.render import Studio
from impromptu.miniature.sensing import sense
from impromptu.miniature.world import Body, Colour, Lights, World

INTRINSICS = np.array([[300.0, 0.0, 200.0], [0.0, 300.0, 110.0], [0.0, 0.0, 1.0]])
LENS = Lens((400, 225), INTRINSICS)
CAMERA = SE3(camera_axes(0.0), np.array([1.7, 0.0, 1.5]))
RED: Colour = (200, 30, 30)
BLUE: Colour = (30, 30, 200)


def still(x_m: float, y_m: float) -> Motion:
    return Motion(Track((x_m, y_m), 0.0), Pace(0.0))


def studio(*bodies: Body, lights: Lights | None = None, x_m: float = -100.0) -> Studio:
    world = World("waits", still(x_m, -1.75), bodies, lights or Lights())
    return Studio(world, scenery.build(np.random.default_rng(0)), "overcast")


def picture(one: Studio, t_s: float = 0.0) -> Floats:
    drawn = one.film(LENS, CAMERA, np.array([t_s]))(0)
    return np.asarray(drawn, dtype=np.float64)


def pixel(one: Studio, point_m: Floats) -> tuple[int, int]:
    """Project a point of the world, written out."""
    pose = one.world.world_SE3_egos(np.zeros(1))[0] @ CAMERA
    x, y, z = pose.rotation.T @ (point_m - pose.translation_m)
    return int(300 * x / z + 200), int(300 * y / z + 110)


def likeness(colour: Floats, other: Colour) -> float:
    """Return how alike two hues are: the cosine between them."""
    other_array = np.array(other, dtype=np.float64)
    return float(colour @ other_array / np.linalg.norm(colour) / np.linalg.norm(other_array))


def test_the_sky_is_above_and_the_street_below() -> None:
    image = picture(studio())
    top, bottom = image[5, 200], image[-5, 200]
    assert likeness(top, (168, 178, 190)) > 0.999
    assert likeness(bottom, (84, 87, 94)) > 0.99 and bottom.mean() < 130


def test_a_car_is_where_its_box_is() -> None:
    one = studio(Body("car", RED, still(-85.0, -1.75)))
    image = picture(one)
    u, v = pixel(one, one.world.boxes(np.zeros(1)).centre_m[0, 0])
    assert likeness(image[v, u], RED) > 0.95
    assert likeness(image[v, u - 60], RED) < 0.9


def test_the_near_hides_the_far() -> None:
    near, far = Body("truck", BLUE, still(-88.0, -1.75)), Body("car", RED, still(-78.0, -1.75))
    for bodies in ((near, far), (far, near)):
        one = studio(*bodies)
        image = picture(one)
        behind = one.world.boxes(np.zeros(1)).centre_m[0, bodies.index(far)]
        u, v = pixel(one, behind)
        assert likeness(image[v, u], BLUE) > 0.9


def test_something_beside_the_camera_is_cut_off_not_dropped() -> None:
    """A truck whose middle is behind the camera still fills the picture's edge."""
    one = studio(Body("truck", RED, still(-98.0, -5.0)))
    assert likeness(picture(one)[100, 395], RED) > 0.95


def test_what_is_behind_the_camera_is_not_drawn() -> None:
    empty = picture(studio())
    behind = picture(studio(Body("car", RED, still(-110.0, -1.75))))
    np.testing.assert_array_equal(behind, empty)


@pytest.mark.parametrize(("light", "colour"), (("red", (255, 48, 40)), ("green", (40, 232, 120))))
def test_a_traffic_light_shows_its_colour(light: str, colour: Colour) -> None:
    lights = Lights(((0.0, "red"), (5.0, "green")), ((0.0, "red"),))
    one = studio(lights=lights, x_m=-20.0)
    t_s = 0.0 if light == "red" else 6.0
    lamps = one.scenery.lamps
    mine = np.flatnonzero((lamps.facing[:, 0] < 0) & (lamps.middle_m[:, 1] < 0))
    u, v = pixel(one, lamps.middle_m[mine[0 if light == "red" else 2]])
    assert likeness(picture(one, t_s)[v, u], colour) > 0.98
    assert likeness(picture(one, 6.0 - t_s)[v, u], colour) < 0.9


def test_a_crossing_is_painted_where_the_map_has_it() -> None:
    one = studio(x_m=road.ZEBRA_X_M - 10)
    image = picture(one)
    y_m = -road.MAIN_HALF_M + 0.5 + 6 * 1.2 + 0.3
    xy = np.array([road.ZEBRA_X_M, y_m])
    u, v = pixel(one, np.append(xy, road.height_m(xy)))
    assert image[v, u].min() > 200
    beside = xy + [0.0, 0.6]
    u, v = pixel(one, np.append(beside, road.height_m(beside)))
    assert image[v, u].max() < 130


@pytest.mark.parametrize("story", range(6))
def test_in_every_story_boxes_cover_their_own_colours(story: int) -> None:
    """A body in plain view has its hue at its middle, unless a post or a tree is before it."""
    drive = [*drives("test", 1, story + 1, 20.0)][story]
    t_s = np.arange(0.5, 20.0, 0.5)
    one, boxes = drive.studio, drive.world.boxes(t_s)
    film, right = one.film(LENS, CAMERA, t_s), []
    for i, pose in enumerate(one.world.world_SE3_egos(t_s)):
        eye = pose @ CAMERA
        sensed = sense(boxes, i, eye.translation_m, one.scenery.houses_m)
        image = np.asarray(film(i), dtype=np.float64)
        for body in sensed.body[sensed.fraction == 1]:
            x, y, z = eye.inverse().transform(boxes.centre_m[i, body])
            u, v = 300 * x / z + 200, 300 * y / z + 110
            if 3 < z < 30 and 0 <= u < 400 and 0 <= v < 225:
                right.append(likeness(image[int(v), int(u)], one.world.bodies[body].colour) > 0.96)
    assert len(right) > 30
    assert np.mean(right) > 0.9


def test_the_weather_changes_the_light_alone() -> None:
    one = studio(Body("car", RED, still(-85.0, -1.75)))
    drawn = [picture(replace(one, weather=weather)) for weather in ("clear", "evening")]
    assert likeness(drawn[0][5, 200], (92, 148, 214)) > 0.98
    assert np.abs(drawn[0] - drawn[1]).mean() > 5
    u, v = pixel(one, one.world.boxes(np.zeros(1)).centre_m[0, 0])
    assert all(likeness(image[v, u], RED) > 0.95 for image in drawn)


def test_pictures_have_the_size_of_the_lens() -> None:
    drawn = studio().film(Lens((31, 17), INTRINSICS), CAMERA, np.zeros(1))(0)
    assert isinstance(drawn, Image.Image) and drawn.size == (31, 17) and drawn.mode == "RGB"
