"""Paths on the front image, as if painted on the ground: z = 0 of the present ego frame."""

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.patches import Polygon
from PIL import Image

from impromptu.arrays import Floats
from impromptu.clip import Camera, Clip
from impromptu.pictures._paint import TRUTH, Paths, draw_points, swept

NEAR_M = 0.3
"""What is nearer to the image plane than this is not drawn: at zero depth there is no pixel."""

_OUTLINE = [patheffects.withStroke(linewidth=2.8, foreground="white")]


def front_camera(clip: Clip) -> Camera | None:
    """Return the front camera if it can be drawn on: calibrated, and its image is there."""
    for camera in clip.observation.cameras:
        calibrated = camera.intrinsics_px is not None and camera.ego_SE3_camera is not None
        if camera.view == "FRONT" and calibrated and camera.image.is_file():
            return camera
    return None


def image_size_px(camera: Camera) -> tuple[int, int]:
    """Return width and height of a camera's image file."""
    with Image.open(camera.image) as image:
        return image.width, image.height


def draw_front(axes: Axes, camera: Camera, paths: Paths) -> None:
    """Fill axes with the camera's image and the paths on its ground."""
    with Image.open(camera.image) as image:
        axes.imshow(image.convert("RGB"), interpolation="bicubic")
        axes.set(xlim=(-0.5, image.width - 0.5), ylim=(image.height - 0.5, -0.5))
    axes.set_axis_off()
    for corners_m in swept(paths.from_now(paths.truth)):
        area_px = ground_pixels(camera, np.vstack([corners_m, corners_m[:1]]), joined=True)
        area_px = area_px[np.isfinite(area_px).all(axis=1)]
        if len(area_px):
            axes.add_patch(Polygon(area_px, color=TRUTH, alpha=0.45, linewidth=0))
    draw_points(axes, ground_pixels(camera, paths.truth.xy_m), TRUTH, "o", 4)
    for (color, marker), path in paths.readable():
        line_px = ground_pixels(camera, paths.from_now(path), joined=True)
        axes.plot(*line_px.T, color=color, linewidth=1.5, path_effects=_OUTLINE)
        draw_points(axes, ground_pixels(camera, path.xy_m), color, marker, 5)


def ground_pixels(camera: Camera, xy_m: Floats, joined: bool = False) -> Floats:
    """Project (n, 2) ground points of the present ego frame into a calibrated camera.

    Args:
        camera: Where to.
        xy_m: Points on the ground, metres.
        joined: Whether the points are a path; then it is cut where it passes the near plane.

    Returns:
        (n, 2) pixels, or (2n - 1, 2) if joined; NaN for what is behind the near plane.

    Raises:
        ValueError: The camera has no calibration.
    """
    if camera.intrinsics_px is None or camera.ego_SE3_camera is None:
        raise ValueError(f"camera {camera.view} of {camera.image} has no calibration to draw with")
    ground_m = np.column_stack([xy_m, np.zeros(len(xy_m))])
    points_m = camera.ego_SE3_camera.inverse().transform(ground_m)
    if joined:
        points_m = _cut_at_near_plane(points_m)
    shown_m = np.where(points_m[:, 2:] >= NEAR_M, points_m, np.nan)
    homogeneous = shown_m @ camera.intrinsics_px.T
    pixels: Floats = homogeneous[:, :2] / homogeneous[:, 2:]
    return pixels


def _cut_at_near_plane(points_m: Floats) -> Floats:
    """Put between each two points the one where their line crosses, or else the first again."""
    start_m, end_m = points_m[:-1], points_m[1:]
    start_z, end_z = start_m[:, 2:], end_m[:, 2:]
    crosses = (start_z < NEAR_M) != (end_z < NEAR_M)
    share = np.where(crosses, NEAR_M - start_z, 0) / np.where(crosses, end_z - start_z, 1)
    between_m = start_m + share * (end_m - start_m)
    # Rounding must not leave a crossing a hair behind the plane it lies on.
    between_m[:, 2:] = np.where(crosses, NEAR_M, between_m[:, 2:])
    cut_m = np.empty((2 * len(points_m) - 1, 3))
    cut_m[0::2], cut_m[1::2] = points_m, between_m
    return cut_m
