"""What the published rules have for each dataset."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bends:
    """What is no longer straight, and what is a turn rather than a change of lane."""

    side_m: float
    turn_deg: float


BENDS: Mapping[str, Bends] = {
    "argoverse2": Bends(1.0, 5.0),
    "idd": Bends(2.0, 20.0),
    "kitti": Bends(0.5, 5.0),
    "mapillary_sls": Bends(1.0, 5.0),
    "navsim": Bends(2.0, 30.0),
    "nuscenes": Bends(4.0, 5.0),
    "once": Bends(1.0, 10.0),
    "waymo": Bends(1.0, 5.0),
}

VULNERABLE: Mapping[str, tuple[str, ...]] = {
    "argoverse2": ("PEDESTRIAN", "WHEELCHAIR"),
    "nuscenes": ("bicycle", "motorcycle", "pedestrian"),
    "waymo": ("Cyclist", "Pedestrian"),
}

_SIDE_VIEWS = {
    "FRONT": (-15.0, 15.0),
    "FRONT LEFT": (15.0, 75.0),
    "FRONT RIGHT": (-75.0, -15.0),
    "SIDE LEFT": (75.0, 125.0),
    "SIDE RIGHT": (-125.0, -75.0),
    "REAR LEFT": (125.0, 180.0),
    "REAR RIGHT": (-180.0, -125.0),
}
_NUSCENES_AXES = {
    "FRONT": 0.0,
    "FRONT LEFT": 55.0,
    "FRONT RIGHT": -55.0,
    "BACK": 180.0,
    "BACK LEFT": 110.0,
    "BACK RIGHT": -110.0,
}
SECTORS: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "argoverse2": _SIDE_VIEWS,
    "nuscenes": {view: (axis - 35.0, axis + 35.0) for view, axis in _NUSCENES_AXES.items()},
    "waymo": {view: sector for view, sector in _SIDE_VIEWS.items() if "REAR" not in view},
}
"""Degrees to the left between which an agent counts as seen, whatever the image shows."""

VIEW_NAMES: Mapping[str, Mapping[str, str]] = {
    "argoverse2": {"SIDE LEFT": "BACK LEFT", "SIDE RIGHT": "BACK RIGHT"}
}
"""Views that the published prompts call by another name."""
