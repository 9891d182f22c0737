"""Leaks of every wording and unit are found; honest status, however exact, is not called one."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from impromptu import miniature
from impromptu.arrays import Floats
from impromptu.audit_sources import find_files
from impromptu.auditing import audit
from impromptu.audits import Finding
from impromptu.generation import generate
from impromptu.part import Recipe
from impromptu.preset import PresetName

STEP_S = 0.5
Tell = Callable[[Floats], str]
"""Writes what a prompt tells of a drive: (14, 2) positions from 1.5 s before the present, which is
the fourth, to 5 s after it."""


def _smooth(random: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Return positions, and true velocity and acceleration now, of a drive by a formula."""
    t_s = STEP_S * np.arange(-3, 11)
    rate, phase = random.uniform(0.5, 4.0, (2, 2)), random.uniform(0, 6.28, (2, 2))
    size = random.uniform(0.1, 1.0, (2, 2)) * [[1.0, 0.2]]
    angle = t_s[:, None, None] * rate + phase
    xy_m = (size * np.sin(angle)).sum(axis=1) + t_s[:, None] * [8.0, 0.0]
    now = (size * rate * np.cos(phase)).sum(axis=0) + [8.0, 0.0]
    change = -(size * rate**2 * np.sin(phase)).sum(axis=0)
    return xy_m - xy_m[3], now, change


def _jerky(random: np.random.Generator) -> Floats:
    speed = 8 + random.normal(0, 1.0, 13)
    step_m = np.stack([speed * STEP_S, random.normal(0, 0.3, 13)], axis=1)
    xy_m = np.concatenate([np.zeros((1, 2)), np.cumsum(step_m, axis=0)]).round(2)
    around: Floats = xy_m - xy_m[3]
    return around


def _write(folder: Path, rows: list[tuple[str, Floats]]) -> Path:
    samples = []
    for number, (prompt, xy_m) in enumerate(rows):
        told = ", ".join(f"[{x:z.2f}, {y:z.2f}]" for x, y in xy_m[4:])
        messages = [
            {"from": "human", "value": prompt},
            {"from": "gpt", "value": f"Points: {told}"},
        ]
        samples.append({"id": f"made/log{number // 20}/{number}/q7", "conversations": messages})
    path = folder / "samples.json"
    path.write_text(json.dumps(samples))
    return path


def _past(xy_m: Floats) -> str:
    return "was at " + " ".join(f"[{x:z.2f}, {y:z.2f}]" for x, y in xy_m[:4])


def _found(path: Path) -> dict[str, Finding]:
    (section,) = audit([path], ["leakage"]).sections
    return {finding.name: finding for finding in section.findings}


LEAKS: dict[str, Tell] = {
    "velocity": lambda xy: f"{_past(xy)} moves {xy[4][0] / STEP_S:.2f} {xy[4][1] / STEP_S:.2f}",
    "km/h, sideways first": lambda xy: f"{_past(xy)} v {7.2 * xy[4][1]:.2f} {7.2 * xy[4][0]:.2f}",
    "one decimal": lambda xy: f"{_past(xy)} v {xy[4][0] / STEP_S:.1f} m/s",
    "waypoint itself": lambda xy: f"{_past(xy)} next {xy[4][0]:.2f}",
    "centimetres": lambda xy: f"{_past(xy)} next {100 * xy[4][0]:.0f} cm",
    "central difference": lambda xy: f"{_past(xy)} v {xy[4][0] - xy[2][0]:.2f}",
    "acceleration": lambda xy: f"{_past(xy)} a {(xy[4][0] + xy[2][0]) / STEP_S**2:.2f}",
    "waypoint among the past": lambda xy: f"[{xy[4][0]:.2f}, {xy[4][1]:.2f}] {_past(xy)}",
    "no past at all": lambda xy: f"speed {xy[4][0] / STEP_S:.2f} m/s",
    "sum of three": lambda xy: (
        f"{_past(xy)} n {xy[4][0] - xy[0][1] + 0.3 * xy[1][1] + 0.7 * xy[0][0]:.3f}"
    ),
}


@pytest.mark.parametrize("name", LEAKS)
def test_leak_is_found(name: str, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    drives = [_jerky(random) for _ in range(400)]
    findings = _found(_write(tmp_path, [(LEAKS[name](xy_m), xy_m) for xy_m in drives]))
    leaks = {"exact_leak", "probe_leak"} & set(findings)
    assert leaks, findings
    assert all(findings[leak].severity == "error" for leak in leaks)
    if name == "sum of three":
        assert leaks == {"probe_leak"}  # no formula of two numbers gives it


def test_true_velocity_and_acceleration_are_no_leak(tmp_path: Path) -> None:
    random, rows = np.random.default_rng(0), []
    for _ in range(600):
        xy_m, velocity, change = _smooth(random)
        status = f"v {velocity[0]:.2f} {velocity[1]:.2f} a {change[0]:.2f} {change[1]:.2f}"
        rows.append((f"{_past(xy_m)} {status}", xy_m))
    # With them half a second is foretold to a few centimetres: honest physics.
    findings = _found(_write(tmp_path, rows))
    assert {"exact_leak", "probe_leak"} & set(findings) == set()
    assert findings["probe"].figures["median_m"][0] < 0.15
    assert "its error grows, as inertia's does" in findings["probe"].text


def test_poses_between_fixes_are_no_leak(tmp_path: Path) -> None:
    # Every third step is longer, so the step three before foretells the next one to the digit.
    random, rows = np.random.default_rng(0), []
    for number in range(400):
        steps = random.uniform(0.5, 6) * np.array([1.0, 1.0, 1.5])[(number + np.arange(13)) % 3]
        xy_m = np.stack([np.r_[0, np.cumsum(steps)], np.zeros(14)], axis=1)
        xy_m = (xy_m - xy_m[3]).round(2)
        xy_m[9:] += random.normal(0, 1)
        velocity = -xy_m[2][0] / STEP_S
        rows.append((f"{_past(xy_m)} v {velocity:.2f}", xy_m))
    half = [(prompt, xy_m + np.eye(14)[:, 4:5] * random.normal(0, 2)) for prompt, xy_m in rows]
    assert "exact_leak" not in _found(_write(tmp_path, rows[:200] + half[200:]))


def test_standing_still_decides_nothing(tmp_path: Path) -> None:
    rows = [(f"{_past(np.zeros((14, 2)))} v 0.00", np.zeros((14, 2)))] * 100
    assert _found(_write(tmp_path, rows)) == {}


def test_even_motion_decides_nothing(tmp_path: Path) -> None:
    rows = []
    for number in range(100):
        xy_m = np.stack([np.arange(-3, 11) * (1 + number / 10), np.zeros(14)], axis=1)
        rows.append((f"{_past(xy_m)} v {2 * xy_m[4][0]:.2f}", xy_m))
    findings = _found(_write(tmp_path, rows))
    assert set(findings) == {"probe", "undecided"}
    assert "That proves nothing: only 0 of them change their motion" in findings["probe"].text


def _generated(folder: Path, preset: PresetName) -> Path:
    if not (folder / "kitti").exists():
        miniature.write(folder / "raw", datasets=("kitti",), logs=4, images=False)
    out = folder / preset
    asked = ("meta_action", "trajectory")
    recipe = Recipe(questions=asked, preset=preset, missing_images="keep")
    generate(folder / "raw", out, ["kitti"], None, recipe, 1)
    return out


def test_released_is_caught_and_strict_passes(tmp_path: Path) -> None:
    names = [name for name in _ALL if name != "images"]
    released = audit([_generated(tmp_path, "released")], names)
    assert released.exit_code == 2
    found = {finding.name: finding for s in released.sections for finding in s.findings}
    leak = found["exact_leak"]
    assert leak.count == leak.of > 10
    assert "median error of 0.000 m" in leak.text
    weights = {
        (formula["waypoint"], formula["axis"]): formula["weights"]
        for formula in leak.figures["formulas"]
    }
    assert weights[1, "x"] == [0.5]  # w1 = v / 0.5 s
    assert weights[2, "x"] == [0.25, 1.0]  # w2 = a * (0.5 s)^2 + v * 1 s
    strict = audit([_generated(tmp_path, "strict")], names)
    assert strict.count("error") == 0
    assert not [f for s in strict.sections for f in s.findings if "LEAK" in f.text]


_ALL = ("balance", "duplicates", "frames", "geometry", "leakage", "splits", "staleness")


REAL = Path(__file__).parents[3] / "shared" / "data"


@pytest.mark.skipif(not REAL.is_dir(), reason="needs the samples of real data beside the repo")
@pytest.mark.parametrize("preset", ["strict", "released"])
def test_real_logs(preset: PresetName, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    for name in ("kitti", "nuscenes", "mapillary_sls", "argoverse2"):
        if (REAL / name).is_dir():
            (raw / name).symlink_to(REAL / name)
    recipe = Recipe(
        questions=("trajectory", "nuscenes_planning"),
        preset=preset,
        missing_images="keep",
        mapillary_hz=2.0,
    )
    names = [path.name for path in raw.iterdir()]
    generate(raw, tmp_path / "out", names, None, recipe, 1)
    files = [file.path for file in find_files([tmp_path / "out"])]
    leaks = [f for f in _found_in(files) if "LEAK" in f.text]
    assert bool(leaks) == (preset == "released")


def _found_in(files: list[Path]) -> list[Finding]:
    return [f for section in audit(files, ["leakage"]).sections for f in section.findings]
