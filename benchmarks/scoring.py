"""Measure scoring: all of it on a split like nuScenes val, and answers a second beside a peer.

python benchmarks/scoring.py [--work build/benchmark/scoring] [--answers 60000]

The first table is `impromptu evaluate` on 6,019 planning samples with a clip table of as many
keyframes, about 34 boxes each: every convention, collisions, policies, intervals and groups. The
second compares the strict evaluation with the published rules' arithmetic, which does less. Times
are of one core; every run is made three times and the fastest counts.
"""

import argparse
import io
import json
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from impromptu import evaluation, released_protocol
from impromptu.answer_files import Answer, Joined
from impromptu.answer_pairs import Pair
from impromptu.cli import main as impromptu
from impromptu.clip_table import SCHEMA

LOGS, KEYFRAMES, BOXES = 150, 6_019, 34
REPEATS = 3
SPEEDS = ("KEEP", "ACCELERATE", "DECELERATE", "STOP")
PATHS = ("STRAIGHT", "RIGHT_CHANGE", "LEFT_CHANGE", "RIGHT_TURN", "LEFT_TURN")


def main() -> None:
    """Write the made-up files once, measure, and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build/benchmark/scoring"))
    parser.add_argument("--answers", type=int, default=60_000)
    args = parser.parse_args()
    write_split(args.work)
    print(f"| {KEYFRAMES:,} planning samples | s |\n|---|---|")
    print(f"| `impromptu evaluate`, all of it | {_fastest(lambda: _evaluate(args.work)):.2f} |")
    report_s = _fastest(lambda: _report(args.work))
    megabytes = (args.work / "report.html").stat().st_size / 1e6
    print(f"| `impromptu report`, a page of {megabytes:.1f} MB | {report_s:.2f} |")
    print("\n| task | published rules, answers/s | strict, answers/s |\n|---|---|---|")
    totals = [0.0, 0.0]
    for task, write in ANSWERS.items():
        joined = _joined(task, write, args.answers)
        peer_s = _fastest(partial(released_protocol.evaluate, joined))
        own_s = _fastest(partial(_strict, joined))
        totals[0] += peer_s
        totals[1] += own_s
        print(f"| {task} | {args.answers / peer_s:,.0f} | {args.answers / own_s:,.0f} |")
    whole = args.answers * len(ANSWERS)
    print(f"| all | {whole / totals[0]:,.0f} | {whole / totals[1]:,.0f} |")


def _fastest(run: Callable[[], object]) -> float:
    seconds = []
    for _ in range(REPEATS):
        began_s = time.process_time()
        run()
        seconds.append(time.process_time() - began_s)
    return min(seconds)


def _strict(joined: Joined) -> object:
    return evaluation.evaluate(joined).to_json()


def _evaluate(folder: Path) -> None:
    files = ["--gt", str(folder / "nuscenes_planning_val.json"), "--pred", str(folder / "p.jsonl")]
    with redirect_stdout(io.StringIO()) as shown:
        code = impromptu(["evaluate", *files, "--out", str(folder / "scores.json")])
    if code or "by location" not in shown.getvalue():
        raise RuntimeError(f"evaluate ended with {code}: {shown.getvalue()[-500:]}")


def _report(folder: Path) -> None:
    files = [f"model={folder / 'p.jsonl'}", "--gt", str(folder / "nuscenes_planning_val.json")]
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        code = impromptu(["report", *files, "--out", str(folder / "report.html")])
    if code:
        raise RuntimeError(f"report ended with {code}")


def write_split(folder: Path) -> None:
    """Write a made-up split: true answers, predictions (1 in 50 unreadable) and clip table."""
    rng, random = np.random.default_rng(0), Random(0)  # noqa: S311 - made-up answers
    rows, samples, predictions = list[dict[str, object]](), [], []
    for number in range(KEYFRAMES):
        log, frame = number % LOGS, number // LOGS
        speed_mps, bend = 2.0 + log % 12, 0.01 * (log % 7 - 3)
        name = f"nuscenes/scene-{log:04d}/{frame:03d}"
        rows.append(_clip(rng, name, log, frame, speed_mps))
        true_m = [(k * speed_mps / 2, bend * (k * speed_mps / 2) ** 2) for k in range(1, 7)]
        said_m = [(x + rng.normal(), y + rng.normal()) for x, y in true_m]
        samples.append(_sample(f"{name}/planning", speed_mps, _waypoints(true_m)))
        text = "I cannot tell." if random.random() < 0.02 else _waypoints(said_m)
        predictions.append({"id": f"{name}/planning", "predict": text})
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    pq.write_table(table, folder / "clips" / "nuscenes_val.parquet")
    (folder / "nuscenes_planning_val.json").write_text(json.dumps(samples))
    (folder / "p.jsonl").write_text("\n".join(map(json.dumps, predictions)))


def _clip(
    rng: np.random.Generator, name: str, log: int, frame: int, speed_mps: float
) -> dict[str, object]:
    spread_m = rng.normal(0, 25, (BOXES, 2))
    return {
        "id": name,
        "log": f"scene-{log:04d}",
        "timestamp_ns": frame * 500_000_000,
        "tags": {"location": f"town {log % 4}", "weather": ["clear", "rain"][log % 2]},
        "speed_mps": speed_mps,
        "speed_word": SPEEDS[log % 4],
        "path_word": PATHS[log % 5],
        "world_x_m": frame * speed_mps / 2,
        "world_y_m": 100.0 * log,
        "world_yaw_rad": 0.0,
        "planning_x_m": 0.94,
        "planning_y_m": 0.0,
        "planning_yaw_rad": 0.0,
        "box_id": [f"{log}-{k}" for k in range(BOXES)],
        "box_kind": ["vehicle", "pedestrian", "object", "cyclist"] * (BOXES // 4) + ["vehicle"] * 2,
        "box_category": ["car"] * BOXES,
        "box_x_m": spread_m[:, 0],
        "box_y_m": spread_m[:, 1],
        "box_yaw_rad": rng.uniform(-3, 3, BOXES),
        "box_length_m": rng.uniform(0.5, 6, BOXES),
        "box_width_m": rng.uniform(0.5, 2, BOXES),
        "box_observed": [True] * BOXES,
    }


def _sample(name: str, speed_mps: float, answer: str) -> dict[str, object]:
    prompt = (
        f"<image>\n(t-0.5s) [{-speed_mps / 2:.1f}, 0.0], Velocity: X {speed_mps}, Y 0.0 m/s, "
        f"(t-0.0s) [0.0, 0.0], Velocity: X {speed_mps}, Y 0.0 m/s"
    )
    roles = ("user", prompt), ("assistant", answer)
    messages = [{"role": role, "content": content} for role, content in roles]
    return {"id": name, "images": ["front.jpg"], "messages": messages}


def _waypoints(points_m: list[tuple[float, float]]) -> str:
    points = ", ".join(f"[{x:.2f}, {y:.2f}]" for x, y in points_m)
    return f"<PLANNING>The output is formatted as [x, y]: {points}</PLANNING>"


def _joined(task: str, write: Callable[[Random], str], count: int) -> Joined:
    random = Random(0)  # noqa: S311 - made-up answers
    rows = tuple(
        Answer(f"nuscenes/{k // 40}/{k}/{task}", write(random), write(random)) for k in range(count)
    )
    return Joined(Pair(task, Path("truth"), Path("prediction")), "id", "", rows)


def _road_users(random: Random) -> str:
    if not (count := random.choice([0, 0, 1, 1, 2, 3])):
        return "No, I don't see any vulnerable road users within 20 meters ahead of me."
    clauses = [
        f"a {random.choice(['pedestrian', 'bicycle'])} located {random.randint(1, 20)} meters "
        f"ahead of me and {random.randint(2, 9)} meters to the {random.choice(['left', 'right'])}"
        for _ in range(count)
    ]
    return f"Yes, I see {', and '.join(clauses)}."


def _intentions(random: Random) -> str:
    numbers = range(1, random.randint(2, 5))
    words = [f"Object {k}: {random.choice(SPEEDS)}, {random.choice(PATHS)}" for k in numbers]
    return "<DYNAMIC OBJECTS>" + "\n".join(words) + "</DYNAMIC OBJECTS>"


def _plan(random: Random) -> str:
    words = f"{random.choice(SPEEDS)},{random.choice(PATHS)}"
    return f"<SPEED PATH PLAN>{words}</SPEED PATH PLAN>"


def _ten_waypoints(random: Random) -> str:
    return _waypoints([(random.uniform(0, 40), random.uniform(-9, 9)) for _ in range(10)])


ANSWERS: dict[str, Callable[[Random], str]] = {
    "q1": _road_users,
    "q2": _intentions,
    "q4": lambda random: random.choice(["Red", "Green", "Yellow", "None"]),
    "q6": _plan,
    "q7": _ten_waypoints,
}


if __name__ == "__main__":
    main()
