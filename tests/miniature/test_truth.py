"""What is true of a miniature, against the drives themselves and by hand."""

from pathlib import Path

import numpy as np
import pytest

from impromptu import clip_table, miniature
from impromptu.clip import Agent
from impromptu.generation import generate
from impromptu.miniature import stories
from impromptu.miniature.truth import Truth, truths
from impromptu.part import Recipe


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """KITTI and Argoverse 2 in miniature: one without times of the day, one with."""
    folder = tmp_path_factory.mktemp("truth")
    names = ("kitti", "argoverse2")
    miniature.write(folder / "raw", datasets=names, images=False)
    generate(folder / "raw", folder / "out", names, None, Recipe(("traffic_light",)), 1)
    return folder / "out"


def test_every_clip_has_one_of_its_own_drive(made: Path) -> None:
    """Speeds tell which drive a clip is of: no two stories have the same."""
    known = truths(made)
    for path in sorted((made / "clips").glob("*.parquet")):
        table, name = clip_table.read(path), path.stem.rpartition("_")[0]
        assert set(table.ids) <= set(known)
        for log in dict.fromkeys(table.logs):
            rows = [row for row, one in enumerate(table.logs) if one == log]
            t_s = (table.timestamps_ns[rows] - table.timestamps_ns[rows[0]]) / 1e9
            weather = {known[table.ids[row]].weather for row in rows}
            misses = []
            for index in range(4):
                world, _ = miniature.scene(name, 0, index)
                off_mps = world.ego.pace.speed_mps(t_s) - table.speeds_mps[rows]
                misses.append(float(np.nanmax(np.abs(off_mps))))
            best = int(np.argmin(misses))
            assert misses[best] < 1.0 < sorted(misses)[1], (log, misses)
            assert weather == {miniature.scene(name, 0, best)[1]}
            lights = [known[table.ids[row]].light for row in rows]
            red = stories.STORIES[best] is stories.red_light
            assert ("Red" in lights) == red, "one story has a red light"
            if red:
                # Green, yellow from 0.6 s, red from 2.4 s, green from 11.2 s; then the junction.
                changes = [
                    one for one, last in zip(lights, ["", *lights], strict=False) if one != last
                ]
                assert changes == ["Green", "Yellow", "Red", "Green", "None"]
                stands = [table.speeds_mps[row] < 0.1 for row in rows]
                assert {one for one, still in zip(lights, stands, strict=True) if still} == {
                    "Red",
                    "Green",
                }


def agent(kind: str, x_m: float, y_m: float) -> Agent:
    return Agent(
        id=kind,
        category=kind,
        kind=kind,  # type: ignore[arg-type]
        center_m=np.array([x_m, y_m, 0.0]),
        size_m=np.array([4.0, 2.0, 0.0]),
        yaw_rad=0.0,
    )


def test_a_reason_names_what_is_ahead() -> None:
    ahead = Truth("None", "DECELERATE", "clear", [agent("car", 12.0, 0.5), agent("car", -5.0, 0.0)])
    told = "Our car slows down because there is a car about 12 meters ahead of it."
    assert ahead.answer("q3") == told
    beside = Truth("None", "KEEP", "clear", [agent("car", 12.0, 8.0)])
    assert "the road ahead of it is free" in beside.answer("q3")
    red = Truth("Red", "STOP", "clear", ahead.agents)
    assert red.answer("q3", wording=1) == (
        "The reason is that the traffic light ahead of it is red, so our car stands still."
    )
    assert red.answer("q4") == "Red"


def test_a_view_shows_what_is_on_its_side() -> None:
    around = [agent("pedestrian", 10.0, 14.0), agent("car", -20.0, 0.0), agent("car", -9.0, 1.0)]
    truth = Truth("None", None, "evening", around)
    assert "It is evening" in truth.answer("q5", "front")
    assert "Nobody else is in view" in truth.answer("q5", "front")
    assert "1 of kind pedestrian, and the nearest is 17 meters" in truth.answer("q5", "front_left")
    assert "2 of kind car, and the nearest is 9 meters" in truth.answer("q5", "back")


def test_without_clips_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no clip tables; generate the samples first"):
        truths(tmp_path)
