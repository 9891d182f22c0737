import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impromptu.clip import Agent, Camera, Clip, Observation, Trajectory
from impromptu.explorer.sources import RunFile
from impromptu.geometry import SE2, SE3
from impromptu.rerun_export import export, predictions

LEVEL = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    Image.new("RGB", (64, 36)).save(tmp_path / "front.jpg")
    lens = np.array([[50.0, 0, 32], [0, 50, 18], [0, 0, 1]])
    pose = SE3(LEVEL, np.array([1.0, 0.0, 1.5]))
    cameras = (
        Camera("FRONT", tmp_path / "front.jpg", (64, 36), lens, pose),
        Camera("BACK", tmp_path / "gone.jpg"),
    )
    size_m = np.array([4.0, 2, 1.5])
    agents = (
        Agent("a", "car", "vehicle", np.array([9.0, 3, 0.8]), size_m, 0.1),
        Agent("b", "van", "vehicle", np.array([-9.0, 3, 0.8]), size_m, 0.1),
    )
    past = Trajectory(np.array([-0.5, 0]), np.array([[-2.0, 0], [0, 0]]))
    seen = Observation(cameras, past, (None, None), agents, ego_SE2_planning=SE2(0, np.ones(2)))
    future = Trajectory(np.array([0.5, 1.0]), np.array([[2.0, 0], [4, 0]]))
    moves = {"a": Trajectory(np.array([0.5]), np.array([[10.0, 3]]))}
    return Clip("d/l/k", "d", "val", "l", 7, seen, future, moves, tags={"weather": "rain"})


def test_predicted_paths_are_found_by_clip_and_brought_into_the_ego_frame(
    clip: Clip, tmp_path: Path
) -> None:
    points = ", ".join(f"[{k}, 0]" for k in range(1, 7))
    rows = [
        {"id": "d/l/k/planning", "predict": points},
        {"id": "d/l/other/planning", "predict": points},
        {"id": "d/l/k/q7", "predict": "no idea"},
        7,
    ]
    path = tmp_path / "run.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    found = predictions(clip, [RunFile("run", path)])
    assert [*found] == ["run, planning"]
    assert found["run, planning"].xy_m[0].tolist() == [2, 1], "the sensor is 1 m ahead and left"


def test_a_missing_rerun_is_told_with_its_command(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rerun", None)
    with pytest.raises(ModuleNotFoundError) as caught:
        export(clip, {}, tmp_path / "clip.rrd")
    assert caught.value.__notes__[0].endswith("pip install 'impromptu-vla[rerun]'")


def test_rerun_itself_reads_the_recording(clip: Clip, tmp_path: Path) -> None:
    pytest.importorskip("rerun", reason="needs the rerun extra, and an environment with numpy 2")
    out = tmp_path / "made" / "clip.rrd"
    export(clip, {"my run, q7": clip.future}, out)
    reader = Path(sys.executable).with_name("rerun")
    verified = subprocess.run([reader, "rrd", "verify", out], capture_output=True, text=True)
    assert verified.returncode == 0, verified.stderr
    told = subprocess.run([reader, "rrd", "print", "-vvv", out], capture_output=True, text=True)
    for entity in (
        "/clip",
        "/ego/camera/front",
        "/ego/camera/front/image",
        "/ego/past",
        "/ego/future/points",
        "/ego/predicted/my_run__q7",
        "/ego/car",
        "/ego/agents",
    ):
        assert f" {entity} " in told.stdout or f"{entity}\n" in told.stdout, entity
    assert "/ego/camera/back" not in told.stdout, "no calibration and no image: nothing of it"
    assert "weather: rain" in told.stdout and "d/l/k" in told.stdout
