"""Write the street as an Argoverse 2 map: lanes, streets and crossings, and the ground's height."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from impromptu.arrays import Floats
from impromptu.geometry import SE3
from impromptu.miniature import road

_STEP_M = 10.0
_PIXEL_M = 2.0
"""Of the raster of heights; ours are so smooth that a finer one would only be larger."""


def _points(xy_m: Floats, city_SE3_world: SE3) -> list[dict[str, float]]:
    """Put (n, 2) points on the ground and into the city."""
    world_m = np.column_stack([xy_m, road.height_m(xy_m)])
    city_m = city_SE3_world.transform(world_m).round(2)
    return [dict(zip("xyz", point, strict=True)) for point in city_m.tolist()]


def _lanes() -> list[tuple[Floats, Floats, str, str]]:
    """Return each lane's left and right edge, in the direction of travel, and their markings."""
    dashed, solid, middle = "DASHED_WHITE", "SOLID_WHITE", "DOUBLE_SOLID_YELLOW"
    main = [(0.0, -road.LANE_M, middle, dashed), (-road.LANE_M, -2 * road.LANE_M, dashed, solid)]
    side = [(0.0, -road.LANE_M, middle, solid)]
    lanes = []
    for edges, stop_m, reach_m, turn in (
        (main, road.MAIN_STOP_M, road.MAIN_REACH_M, 0),
        (side, road.SIDE_STOP_M, road.SIDE_REACH_M, 1),
    ):
        for start_m, end_m in ((-reach_m, -stop_m), (stop_m, reach_m)):
            along = np.linspace(start_m, end_m, 1 + round((end_m - start_m) / _STEP_M))
            for quarters in (turn, turn + 2):
                for left_m, right_m, left_mark, right_mark in edges:
                    left = _turned(along, left_m, quarters)
                    lanes.append((left, _turned(along, right_m, quarters), left_mark, right_mark))
    return lanes


def _turned(along_m: Floats, across_m: float, quarters: int) -> Floats:
    """Return (n, 2) points of a line along x, turned by so many quarter turns to the left."""
    ahead = np.round([np.cos(quarters * np.pi / 2), np.sin(quarters * np.pi / 2)])
    points: Floats = along_m[:, None] * ahead + across_m * np.array([-ahead[1], ahead[0]])
    return points


def _crossings() -> list[tuple[Floats, Floats]]:
    """Return both edges of each pedestrian crossing."""
    crossings = []
    for middle_m, half_m, quarters in (
        (road.ZEBRA_X_M, road.MAIN_HALF_M, 0),
        *((road.MAIN_STOP_M - 3.0, road.MAIN_HALF_M, quarters) for quarters in (0, 2)),
        *((road.SIDE_STOP_M - 3.0, road.SIDE_HALF_M, quarters) for quarters in (1, 3)),
    ):
        edges = (
            np.array([[middle_m + off, -half_m], [middle_m + off, half_m]]) for off in (-1.5, 1.5)
        )
        axis = _turned(np.ones(1), 0.0, quarters)[0]
        turn = np.array([[axis[0], -axis[1]], [axis[1], axis[0]]])
        first, second = (edge @ turn.T for edge in edges)
        crossings.append((first, second))
    return crossings


def _vector_map(city_SE3_world: SE3) -> dict[str, dict[str, Any]]:
    """Return the map's JSON object; each piece is numbered and keyed by its number."""
    lanes = {
        str(number): {
            "id": number,
            "is_intersection": False,
            "lane_type": "VEHICLE",
            "left_lane_boundary": _points(left, city_SE3_world),
            "left_lane_mark_type": left_mark,
            "right_lane_boundary": _points(right, city_SE3_world),
            "right_lane_mark_type": right_mark,
            "successors": [],
            "predecessors": [],
            "right_neighbor_id": None,
            "left_neighbor_id": None,
        }
        for number, (left, right, left_mark, right_mark) in enumerate(_lanes(), start=100)
    }
    areas = {
        str(number): {"area_boundary": _points(corners, city_SE3_world), "id": number}
        for number, corners in enumerate(road.drivable_m(), start=200)
    }
    crossings = {
        str(number): {
            "edge1": _points(first, city_SE3_world),
            "edge2": _points(second, city_SE3_world),
            "id": number,
        }
        for number, (first, second) in enumerate(_crossings(), start=300)
    }
    return {"pedestrian_crossings": crossings, "lane_segments": lanes, "drivable_areas": areas}


def _heights(city_SE3_world: SE3) -> tuple[dict[str, Any], Floats]:
    """Return a raster of heights about the junction, and the similarity from city to pixels."""
    count = round(2 * road.MAIN_REACH_M / _PIXEL_M)
    corner_m = city_SE3_world.translation_m[:2] - road.MAIN_REACH_M
    x, y = np.meshgrid(*(corner + _PIXEL_M * np.arange(count) for corner in corner_m))
    city_m = np.stack([x, y, np.full_like(x, city_SE3_world.translation_m[2])], axis=-1)
    world_m = city_SE3_world.inverse().transform(city_m)
    similarity = {"R": [1.0, 0.0, 0.0, 1.0], "t": (-corner_m).tolist(), "s": 1 / _PIXEL_M}
    return similarity, road.height_m(world_m[..., :2]) + city_SE3_world.translation_m[2]


def write(folder: Path, log: str, city_SE3_world: SE3) -> None:
    """Write one log's map."""
    folder.mkdir()
    similarity, heights_m = _heights(city_SE3_world)
    documents = {
        f"log_map_archive_{log}____PIT_city_00001.json": _vector_map(city_SE3_world),
        f"{log}___img_Sim2_city.json": similarity,
    }
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document), encoding="utf-8")
    np.save(folder / f"{log}_ground_height_surface____PIT.npy", heights_m.astype(np.float16))
