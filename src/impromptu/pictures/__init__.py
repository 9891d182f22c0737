"""Pictures of a sample: its paths on the front image, and the scene from above."""

from matplotlib.figure import Figure

from impromptu.clip import Camera, Clip
from impromptu.pictures._paint import TRUTH, Paths, house_style, jpeg, png, run_style
from impromptu.pictures.above import draw_above
from impromptu.pictures.front import draw_front, front_camera, image_size_px

__all__ = ["TRUTH", "Paths", "above_png", "front_camera", "front_jpeg", "run_style", "wide_png"]


def front_jpeg(camera: Camera, paths: Paths) -> bytes:
    """Draw paths on a calibrated camera's image, as if painted on the ground."""
    width_px, height_px = image_size_px(camera)
    with house_style():
        figure = Figure(figsize=(8, 8 * height_px / width_px), dpi=120)
        draw_front(figure.add_axes((0, 0, 1, 1)), camera, paths)
        return jpeg(figure)


def above_png(clip: Clip, paths: Paths) -> bytes:
    """Draw paths and agents from above, in metres."""
    with house_style():
        figure = Figure(figsize=(4.9, 4.2), dpi=160)
        draw_above(figure.add_axes((0.11, 0.115, 0.56, 0.87)), clip, paths)
        return png(figure)


def wide_png(camera: Camera, clip: Clip, paths: Paths) -> bytes:
    """Draw both beside each other, for a README; under 200 KB with the miniatures' images."""
    width_px, height_px = image_size_px(camera)
    high, above = 3.8, 4.5
    front = min(high * width_px / height_px, 7.0)
    with house_style():
        figure = Figure(figsize=(front + above, high), dpi=88)
        across = [inches / (front + above) for inches in (front, front + 0.6, 2.4)]
        draw_front(figure.add_axes((0, 0, across[0], 1)), camera, paths)
        draw_above(figure.add_axes((across[1], 0.12, across[2], 0.86)), clip, paths)
        return png(figure)
