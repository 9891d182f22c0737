"""Write drives as nuScenes does: linked tables, key frames and lidar sweeps."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from impromptu.arrays import Bools, Ints
from impromptu.geometry import SE3
from impromptu.miniature import can_bus, nuscenes_rig, road
from impromptu.miniature.files import Drive, Pictures, Rows, quat_wxyz, token
from impromptu.miniature.nuscenes_rig import GLOBAL_SE3_WORLD, Scene
from impromptu.miniature.sensing import Sensed, ground_points_m, sense
from impromptu.miniature.world import Boxes, axes

VERSION = "v1.0-mini"
_TABLES = (
    *("attribute", "calibrated_sensor", "category", "ego_pose", "instance", "log", "map"),
    *("sample", "sample_annotation", "sample_data", "scene", "sensor", "visibility"),
)
_Tables = Mapping[str, Rows]


def write(root: Path, drives: Iterable[Drive], pictures: Pictures) -> None:
    """Write a folder that holds one scene for each drive."""
    tables = {name: Rows(root / VERSION / f"{name}.json") for name in _TABLES}
    _add_fixed(tables)
    logs = []
    for drive in drives:
        scene = nuscenes_rig.scene(drive)
        logs.append(scene.token("log"))
        _add_scene(tables, scene)
        _add_samples(tables, scene)
        _add_camera_data(tables, scene, root, pictures)
        sensed = _add_lidar_data(tables, scene, root, pictures)
        _add_annotations(tables, scene, sensed)
        can_bus.write(root / "can_bus" / scene.name, drive, GLOBAL_SE3_WORLD, scene.start_us)
    _add_map(tables, root, logs)
    for table in tables.values():
        table.close()


def _add_fixed(tables: _Tables) -> None:
    """Fill the tables that are the same for all drives."""
    categories = sorted(set(nuscenes_rig.CATEGORIES.values()))
    for table, names in (("category", categories), ("attribute", nuscenes_rig.ATTRIBUTES)):
        tables[table].add(
            {"token": token(table, name), "name": name, "description": name.replace(".", " ")}
            for name in names
        )
    for number, level in enumerate(nuscenes_rig.VISIBILITIES, start=1):
        text = f"{level[1:]} % of the object can be seen"
        tables["visibility"].add([{"description": text, "token": str(number), "level": level}])
    tables["sensor"].add(
        {
            "token": token("sensor", channel),
            "channel": channel,
            "modality": "lidar" if channel == "LIDAR_TOP" else "camera",
        }
        for channel, _, _ in nuscenes_rig.mountings()
    )


def _add_scene(tables: _Tables, scene: Scene) -> None:
    """Add the scene, its log and its sensors' calibration."""
    log = {
        "token": scene.token("log"),
        "logfile": scene.log,
        "vehicle": "n999",
        "date_captured": "2020-09-13",
        "location": "boston-seaport",
    }
    tables["log"].add([log])
    keys = len(scene.keys_us)
    row = {
        "token": scene.token("scene"),
        "log_token": scene.token("log"),
        "nbr_samples": keys,
        "first_sample_token": scene.token("sample", 0),
        "last_sample_token": scene.token("sample", keys - 1),
        "name": scene.name,
        "description": f"Miniature: the ego {scene.world.story}",
    }
    tables["scene"].add([row])
    tables["calibrated_sensor"].add(
        {
            "token": scene.token("calibration", channel),
            "sensor_token": token("sensor", channel),
            "translation": ego_SE3_sensor.translation_m.tolist(),
            "rotation": quat_wxyz(ego_SE3_sensor.rotation).tolist(),
            "camera_intrinsic": intrinsics,
        }
        for channel, ego_SE3_sensor, intrinsics in nuscenes_rig.mountings()
    )


def _links(tokens: Sequence[str], i: int) -> dict[str, str]:
    """Return the links to the row before and the row after."""
    return {
        "prev": tokens[i - 1] if i else "",
        "next": tokens[i + 1] if i + 1 < len(tokens) else "",
    }


def _add_samples(tables: _Tables, scene: Scene) -> None:
    """Add the key frames; a sample's stamp is its lidar sweep's."""
    stamps = scene.keys_us.tolist()
    tokens = [scene.token("sample", i) for i in range(len(stamps))]
    tables["sample"].add(
        {
            "token": tokens[i],
            "timestamp": stamp,
            **_links(tokens, i),
            "scene_token": scene.token("scene"),
        }
        for i, stamp in enumerate(stamps)
    )


def _add_data(
    tables: _Tables, scene: Scene, channel: str, stamps_us: Ints, is_key: Bools
) -> list[str]:
    """Add one channel's files, each with the ego's pose at its own stamp; return their names."""
    stamps, lidar = stamps_us.tolist(), channel == "LIDAR_TOP"
    suffix, kind = ("pcd.bin", "pcd") if lidar else ("jpg", "jpg")
    width, height = (0, 0) if lidar else nuscenes_rig.SIZE_PX
    nearest = np.abs(scene.keys_us[:, None] - stamps_us).argmin(axis=0).tolist()
    tokens = [scene.token(channel, stamp) for stamp in stamps]
    rotations, positions = scene.ego_poses(stamps_us)
    quats, places = quat_wxyz(rotations).tolist(), positions.tolist()
    tables["ego_pose"].add(
        {"token": tokens[i], "timestamp": stamp, "rotation": quats[i], "translation": places[i]}
        for i, stamp in enumerate(stamps)
    )
    names = [
        f"{folder}/{channel}/{scene.log}__{channel}__{stamp}.{suffix}"
        for folder, stamp in zip(np.where(is_key, "samples", "sweeps"), stamps, strict=True)
    ]
    tables["sample_data"].add(
        {
            "token": tokens[i],
            "sample_token": scene.token("sample", nearest[i]),
            "ego_pose_token": tokens[i],
            "calibrated_sensor_token": scene.token("calibration", channel),
            "timestamp": stamp,
            "fileformat": kind,
            "is_key_frame": bool(is_key[i]),
            "height": height,
            "width": width,
            "filename": names[i],
            **_links(tokens, i),
        }
        for i, stamp in enumerate(stamps)
    )
    return names


def _add_camera_data(tables: _Tables, scene: Scene, root: Path, pictures: Pictures) -> None:
    """Add and draw the key frames' pictures, each at its own exposure."""
    is_key = np.ones(len(scene.keys_us), dtype=bool)
    for channel, (*_, lag_us) in nuscenes_rig.CAMERAS.items():
        stamps_us = scene.keys_us + lag_us
        names = _add_data(tables, scene, channel, stamps_us, is_key)
        lens, ego_SE3_camera = nuscenes_rig.camera(channel)
        film = scene.studio.film(lens, ego_SE3_camera, scene.seconds(stamps_us))
        pictures.save_all([root / name for name in names], film)


def _add_lidar_data(tables: _Tables, scene: Scene, root: Path, pictures: Pictures) -> list[Sensed]:
    """Add and write the lidar sweeps; return what was sensed in the key frames."""
    names = _add_data(tables, scene, "LIDAR_TOP", scene.lidar_us, scene.is_key)
    t_s = scene.seconds(scene.lidar_us)
    boxes, houses_m = scene.world.boxes(t_s), scene.studio.scenery.houses_m
    poses, sensed = scene.world.world_SE3_egos(t_s), []
    for i, name in enumerate(names):
        world_SE3_lidar = poses[i] @ nuscenes_rig.EGO_SE3_LIDAR
        if scene.is_key[i] or pictures.drawn:
            seen = sense(boxes, i, world_SE3_lidar.translation_m, houses_m)
            sensed += [seen] * bool(scene.is_key[i])
        pictures.write(root / name, _cloud(seen, world_SE3_lidar))
    return sensed


def _cloud(sensed: Sensed, world_SE3_lidar: SE3) -> bytes:
    """Return one sweep's file: x, y, z, intensity and ring of each point as float32."""
    ground_m = ground_points_m(world_SE3_lidar.translation_m)
    columns = np.zeros((len(sensed.points_m) + len(ground_m), 5), dtype="<f4")
    columns[:, :3] = world_SE3_lidar.inverse().transform(
        np.concatenate([sensed.points_m, ground_m])
    )
    columns[: len(sensed.points_m), 3] = 20.0
    return columns.tobytes()


def _add_annotations(tables: _Tables, scene: Scene, sensed: Sequence[Sensed]) -> None:
    """Add a box for each body in range of each key frame, linked along each body's life."""
    boxes = scene.world.boxes(scene.seconds(scene.keys_us))
    lives: dict[int, list[tuple[int, int]]] = {}
    for frame, seen in enumerate(sensed):
        for place, column in enumerate(seen.body.tolist()):
            lives.setdefault(column, []).append((frame, place))
    for column, life in sorted(lives.items()):
        tokens = [scene.token("annotation", column, frame) for frame, _ in life]
        category = nuscenes_rig.CATEGORIES[scene.world.bodies[column].shape]
        instance = {
            "token": scene.token("instance", column),
            "category_token": token("category", category),
            "nbr_annotations": len(life),
            "first_annotation_token": tokens[0],
            "last_annotation_token": tokens[-1],
        }
        tables["instance"].add([instance])
        placed = _boxes(scene, boxes, column, [frame for frame, _ in life])
        tables["sample_annotation"].add(
            {
                "token": tokens[i],
                **placed[i],
                **_seen(sensed[frame], place),
                **_links(tokens, i),
            }
            for i, (frame, place) in enumerate(life)
        )


def _boxes(scene: Scene, boxes: Boxes, column: int, frames: list[int]) -> list[dict[str, Any]]:
    """Return one body's boxes in the global frame; their size is width, length, height."""
    length, width, height = boxes.size_m[column].tolist()
    places = GLOBAL_SE3_WORLD.transform(boxes.centre_m[frames, column])
    quats = quat_wxyz(GLOBAL_SE3_WORLD.rotation @ axes(boxes.yaw_rad[frames, column]))
    attributes = [_attribute(scene, column, boxes.speed_mps[frame, column]) for frame in frames]
    return [
        {
            "sample_token": scene.token("sample", frame),
            "instance_token": scene.token("instance", column),
            "attribute_tokens": [token("attribute", attribute)],
            "translation": place,
            "size": [width, length, height],
            "rotation": quat,
        }
        for frame, attribute, place, quat in zip(
            frames, attributes, places.tolist(), quats.tolist(), strict=True
        )
    ]


def _attribute(scene: Scene, column: int, speed_mps: float) -> str:
    """Return what an annotator would say a body does."""
    body, moving = scene.world.bodies[column], speed_mps > 0.2
    if body.shape == "cyclist":
        return "cycle.with_rider"
    if body.shape == "pedestrian":
        return "pedestrian.moving" if moving else "pedestrian.standing"
    if body.parked:
        return "vehicle.parked"
    return "vehicle.moving" if moving else "vehicle.stopped"


def _seen(sensed: Sensed, place: int) -> dict[str, Any]:
    """Return how well one body was seen."""
    level = 1 + int(np.searchsorted((0.4, 0.6, 0.8), sensed.fraction[place], side="right"))
    points = int(sensed.points[place])
    return {"visibility_token": str(level), "num_lidar_pts": points, "num_radar_pts": 0}


def _add_map(tables: _Tables, root: Path, logs: Sequence[str]) -> None:
    """Add the one map, and draw it: ten pixels a metre, streets white, north up."""
    name = token("nuscenes", "map")
    path = root / "maps" / f"{name}.png"
    row = {"category": "semantic_prior", "token": name, "filename": f"maps/{path.name}"}
    tables["map"].add([{**row, "log_tokens": list(logs)}])
    side_px = round(20 * nuscenes_rig.GLOBAL_CENTRE_M)
    picture = Image.new("L", (side_px, side_px))
    for corners in road.drivable_m():
        points = GLOBAL_SE3_WORLD.transform(np.column_stack([corners, np.zeros(len(corners))]))
        pixels = 10 * points[:, :2] * [1, -1] + [0, side_px]
        ImageDraw.Draw(picture).polygon(pixels.ravel().tolist(), fill=255)
    path.parent.mkdir()
    picture.save(path, compress_level=1)
