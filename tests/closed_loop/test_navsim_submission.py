"""Submissions as navsim's loader sees them, and what became of every answer."""

import json
import pickle
import pickletools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from impromptu import miniature
from impromptu.closed_loop import navsim_pickle
from impromptu.closed_loop.navsim_submission import Submission, collect, wanted_tokens
from impromptu.files import write_json_list
from impromptu.generation import generate
from impromptu.part import Recipe

STRAIGHT = ", ".join(f"[{2.0 * k:.2f}, 0.00]" for k in range(1, 11))
PROMPT = "(t-0.0s) [0.0, 0.0], Acceleration: X 0.00, Y 0.00 m/s^2, Velocity: X 4.00, Y 0.00 m/s"
LOADER = """
import dataclasses, json, pickle, sys, types, warnings
from pathlib import Path
warnings.simplefilter("error")

@dataclasses.dataclass
class TrajectorySampling:
    num_poses: int
    time_horizon: float
    interval_length: float

@dataclasses.dataclass
class Trajectory:
    poses: object
    trajectory_sampling: TrajectorySampling

def install(module, kind):
    parts = module.split(".")
    for end in range(1, len(parts) + 1):
        name = ".".join(parts[:end])
        sys.modules.setdefault(name, types.ModuleType(name))
    kind.__module__ = module
    setattr(sys.modules[module], kind.__name__, kind)

install("nuplan.planning.simulation.trajectory.trajectory_sampling", TrajectorySampling)
install("navsim.common.dataclasses", Trajectory)
read = pickle.loads(Path(sys.argv[1]).read_bytes())
(predictions,) = read.pop("predictions")
assert type(predictions) is dict
for one in predictions.values():
    assert type(one) is Trajectory and type(one.trajectory_sampling) is TrajectorySampling
    assert one.poses.shape == (one.trajectory_sampling.num_poses, 3)
    assert one.poses.dtype == "float32"
    one.poses += 0  # its own, and not read-only
told = {token: [one.poses.tolist(), dataclasses.astuple(one.trajectory_sampling)]
        for token, one in predictions.items()}
print(json.dumps([read, told]))
"""
ABOUT = {"team_name": "we", "authors": ["A", "B", "A"], "country / region": "Ö"}


def loaded(path: Path) -> tuple[dict[str, object], dict[str, list[object]]]:
    """Read a submission in a process where navsim's classes are, and nothing of ours is."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", LOADER, str(path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    about, poses = json.loads(done.stdout)
    return about, poses


def test_navsims_own_loader_gets_its_own_classes(tmp_path: Path) -> None:
    poses = {"a" * 16: np.arange(24.0).reshape(8, 3) / 8, "b" * 16: -np.ones((8, 3))}
    path = tmp_path / "submission.pkl"
    path.write_bytes(navsim_pickle.dumps(ABOUT, poses))
    about, read = loaded(path)
    assert about == ABOUT
    want = {token: [rows.tolist(), [8, 4.0, 0.5]] for token, rows in poses.items()}
    assert list(read) == list(want)
    assert read == want


def test_no_submission_is_one_too(tmp_path: Path) -> None:
    path = tmp_path / "submission.pkl"
    path.write_bytes(navsim_pickle.dumps({}, {}))
    assert loaded(path) == ({}, {})


def test_nothing_else_is_named_than_what_navsims_own_pickle_names() -> None:
    content = navsim_pickle.dumps(ABOUT, {"a": np.zeros((8, 3))})
    found = {str(value) for code, value, _ in pickletools.genops(content) if code.name == "GLOBAL"}
    assert found == {
        "navsim.common.dataclasses Trajectory",
        "nuplan.planning.simulation.trajectory.trajectory_sampling TrajectorySampling",
        "numpy.core.multiarray _reconstruct",
        "numpy ndarray",
        "numpy dtype",
    }
    assert content[:2] == pickle.PROTO + b"\x03"


def _files(tmp_path: Path, *answers: str | None, prompt: str = PROMPT) -> tuple[Path, Path]:
    """Write one sample of a straight drive at 4 m/s, and a prediction, for each answer."""
    truth, prediction = tmp_path / "q7_test.json", tmp_path / "q7_test.jsonl"
    names = [f"navsim/log/{row:016x}/q7" for row in range(len(answers))]
    roles = ("user", prompt), ("assistant", f"<PLANNING>{STRAIGHT}</PLANNING>")
    messages = [{"role": role, "content": text} for role, text in roles]
    write_json_list(truth, [{"id": name, "images": [], "messages": messages} for name in names])
    said = zip(names, answers, strict=True)
    lines = [json.dumps({"id": name, "predict": text}) for name, text in said if text is not None]
    prediction.write_text("\n".join(lines))
    return truth, prediction


def _collected(tmp_path: Path, policy: str, *answers: str | None, **more: str) -> Submission:
    return collect(*_files(tmp_path, *answers, **more), policy)


FAR = STRAIGHT.replace("[2.00,", "[2000.00,")


def test_the_first_eight_of_ten_places_with_headings(tmp_path: Path) -> None:
    made = _collected(tmp_path, "fail", STRAIGHT)
    want = [[2.0 * k, 0, 0] for k in range(1, 9)]
    assert {token: rows.tolist() for token, rows in made.poses.items()} == {"0" * 16: want}
    assert made.complete
    assert made.counts() == {
        **{"asked": 1, "read": 1, "filled": {}, "left_out": {}, "not_asked": [], "unwanted": 0}
    }


@pytest.mark.parametrize("answer", ["no idea", "[1, 2], [3, 4]", FAR, None])
def test_an_answer_that_cannot_be_used_fails_unless_told(
    answer: str | None, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"1 of 2 answers cannot be used \(.*/0{15}1/q7.*zeros"):
        _collected(tmp_path, "fail", STRAIGHT, answer)


@pytest.mark.parametrize(
    ("policy", "ends"),
    [("zeros", [0, 0, 0, 0]), ("last_point", [0, 4, 0, 0]), ("constant_velocity", [16] * 4)],
)
def test_other_policies_are_those_of_evaluation_and_counted(
    policy: str, ends: list[float], tmp_path: Path
) -> None:
    made = _collected(tmp_path, policy, STRAIGHT, "no idea", "[3, 0], [4, 0]", "", None)
    assert [rows[-1, 0] for rows in made.poses.values()] == [16, *ends]
    counts = made.counts()
    assert counts["filled"] == {"empty": 1, "missing": 1, "number_of_waypoints": 2}
    assert counts["asked"] == 5 == counts["read"] + sum(counts["filled"].values())


def test_where_a_policy_knows_nothing_the_token_is_left_out_and_counted(tmp_path: Path) -> None:
    made = _collected(tmp_path, "constant_velocity", STRAIGHT, "no idea", prompt="Where to?")
    assert list(made.poses) == ["0" * 16]
    assert not made.complete
    assert (made.counts()["asked"], made.left_out) == (2, {"number_of_waypoints": 1})


def test_what_no_car_drives_is_not_continued_either(tmp_path: Path) -> None:
    made = _collected(tmp_path, "last_point", STRAIGHT, "[9e307, 0]", FAR)
    assert made.left_out == {"number_of_waypoints": 1, "too_far": 1}


def test_wanted_tokens_alone_are_submitted_and_looked_at(tmp_path: Path) -> None:
    files = _files(tmp_path, STRAIGHT, "no idea", STRAIGHT)
    made = collect(*files, "fail", ["f" * 16, f"{2:016x}", f"{0:016x}"])
    assert list(made.poses) == [f"{0:016x}", f"{2:016x}"]
    assert (made.unwanted, made.not_asked, made.complete) == (1, ["f" * 16], False)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("navtest.yaml", "_target_: x\nlog_names: [l]\ntokens:\n- a1\n- '22'\n- a1\n"),
        ("tokens.txt", "a1\n22\n\na1\n"),
    ],
)
def test_tokens_are_read_of_navsims_filters_and_of_lists(
    name: str, text: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)
    assert wanted_tokens(tmp_path / name) == ["a1", "22"]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.yaml", "log_names: [a]", "expected 'tokens'"),
        ("a.yaml", "tokens: [12, a]", "a list of texts, got"),
        ("a.yaml", "tokens: []", "no tokens in it"),
        ("a.txt", " \n", "no tokens in it"),
    ],
)
def test_a_list_without_tokens_is_refused(name: str, text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=told):
        wanted_tokens(tmp_path / name)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("navsim/log/", "nuscenes/log/", "expected navsim/<log>/<token>/q7"),
        ("/q7", "/planning", "expected navsim/<log>/<token>/q7"),
        (f"log/{1:016x}", f"other/{0:016x}", "are about one token; keep one"),
    ],
)
def test_samples_of_something_else_are_refused(
    old: str, new: str, told: str, tmp_path: Path
) -> None:
    for path in _files(tmp_path, STRAIGHT, STRAIGHT):
        path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ValueError, match=told):
        collect(tmp_path / "q7_test.json", tmp_path / "q7_test.jsonl", "fail")


def test_true_answers_are_where_navsim_has_the_car(tmp_path: Path) -> None:
    """Held against the poses of the logs' own pickles, by the token of the frame."""
    miniature.write(tmp_path / "raw", logs=2, images=False, datasets=["navsim"])
    recipe = Recipe(("trajectory",), missing_images="keep")
    (made, *_), *_ = generate(tmp_path / "raw", tmp_path, ["navsim"], ["test"], recipe, 1).files
    rows = json.loads(made.read_text())
    lines = [{"id": row["id"], "predict": row["messages"][1]["content"]} for row in rows]
    (tmp_path / "pred.jsonl").write_text("\n".join(map(json.dumps, lines)))
    poses = collect(made, tmp_path / "pred.jsonl", "fail").poses
    assert len(poses) == len(rows) > 10
    seen = 0
    for path in (tmp_path / "raw/navsim/navsim_logs/test").glob("*.pkl"):
        frames = pickle.loads(path.read_bytes())  # noqa: S301 (written just now)
        matrices = np.array([one["ego2global"] for one in frames])
        for now, one in enumerate(frames):
            if one["token"] not in poses:
                continue
            relative = np.linalg.inv(matrices[now]) @ matrices[now + 1 : now + 9]
            off = poses[one["token"]]
            assert np.abs(off[:, :2] - relative[:, :2, 3]).max() < 0.05
            yaw_rad = np.arctan2(relative[:, 1, 0], relative[:, 0, 0])
            assert np.rad2deg(np.abs(off[:, 2] - yaw_rad)).max() < 1.0
            seen += 1
    assert seen == len(poses)
    assert max(np.abs(rows[:, 2]).max() for rows in poses.values()) > 0.3  # somebody turns
