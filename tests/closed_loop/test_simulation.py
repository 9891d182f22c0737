"""The twenty scenarios, driven without a model: what happens, and that the scorer sees the same."""

import json
from pathlib import Path

import numpy as np
import pytest

from impromptu.closed_loop import campaign, collisions, outcomes, runs, scenarios, scores
from impromptu.closed_loop.drivers import DRIVERS, stop
from impromptu.closed_loop.outcomes import VRef
from impromptu.closed_loop.scenarios import CATEGORIES, drawn
from impromptu.closed_loop.simulation import Asked, Drive, Plans, drive, staged

SEQUENCES = {
    "stationary": "0099 0101 0103 0106 0108 0278 0331 0783 0796 0966",
    "frontal": "0103 0106 0110 0346 0923",
    "side": "0103 0108 0110 0278 0921",
}
KNOWN = scenarios.load()
RUNS = 3
JOBS = [(scenario, run) for scenario in KNOWN.values() for run in range(RUNS)]


@pytest.fixture(scope="module")
def driven() -> dict[str, list[Drive]]:
    stages = [staged(drawn(*job)) for job in JOBS]
    return {name: drive(stages, driver) for name, driver in DRIVERS.items()}


def collision_rate(drives: list[Drive], category: str) -> float:
    chosen = [one for one in drives if one.stage.draw.scenario.category == category]
    return float(np.mean([one.hit is not None for one in chosen]))


def test_there_are_the_twenty_of_neuroncap() -> None:
    expected = [f"{name}-{number}" for name in CATEGORIES for number in SEQUENCES[name].split()]
    assert list(KNOWN) == expected
    assert KNOWN["side-0921"].priming_steps == 3
    assert {s.priming_steps for s in KNOWN.values() if s.name != "side-0921"} == {2}
    assert all(7 <= s.duration_s <= 12 for s in KNOWN.values())


def test_planners_rank_sensibly(driven: dict[str, list[Drive]]) -> None:
    rates = {
        (name, category): collision_rate(drives, category)
        for name, drives in driven.items()
        for category in CATEGORIES
    }
    assert all(rates["constant_velocity", category] == 1 for category in CATEGORIES)
    assert rates["stop", "stationary"] == 0
    assert rates["stop", "side"] == 1
    assert rates["stop", "frontal"] > 0.5
    assert all(0.2 < rates["echo_route", category] < 0.9 for category in CATEGORIES)
    means = {
        name: np.mean([scores.score(d.impact_mps, d.stage.reference_mps) for d in drives])
        for name, drives in driven.items()
    }
    assert means["constant_velocity"] < means["echo_route"] < means["stop"]


def test_there_is_time_to_react(driven: dict[str, list[Drive]]) -> None:
    """Nobody is hit before the ego has driven itself for half a second, and most much later."""
    looks = [one.hit for one in driven["constant_velocity"] if one.hit is not None]
    assert min(looks) > 1.5 * 20
    assert np.median(looks) > 3 * 20


def test_a_run_is_primed_by_the_log_and_ends_in_time(driven: dict[str, list[Drive]]) -> None:
    for one in driven["stop"]:
        primed = one.stage.draw.scenario.priming_steps + 1
        np.testing.assert_allclose(one.pose[:primed], one.stage.log.pose[:primed])
        assert len(one.plans_m) == len(one.status) == len(one.pose) - 1
        if one.hit is None:
            assert len(one.plans_m) == one.stage.steps
        else:
            assert (len(one.plans_m) - 1) * 10 < one.hit <= len(one.plans_m) * 10


def test_the_log_is_followed_where_nobody_is_in_the_way(driven: dict[str, list[Drive]]) -> None:
    free = [one for one in driven["echo_route"] if one.hit is None]
    apart = [
        np.linalg.norm(one.pose[:, :2] - one.stage.log.pose[: len(one.pose), :2], axis=-1).max()
        for one in free
    ]
    assert len(free) == 7 * RUNS
    assert np.median(apart) < 1.0
    assert max(apart) < 4.0


def test_a_run_depends_on_its_number_alone(driven: dict[str, list[Drive]]) -> None:
    scenario = KNOWN["frontal-0106"]
    alone = drive([staged(drawn(scenario, 2))], DRIVERS["stop"])[0]
    together = driven["stop"][JOBS.index((scenario, 2))]
    np.testing.assert_allclose(alone.pose, together.pose)
    assert alone.hit == together.hit
    assert alone.impact_mps == pytest.approx(together.impact_mps)
    actors = [staged(drawn(scenario, run)).actor for run in range(2)]
    assert np.abs(actors[0] - actors[1]).max() > 0.01


def test_the_impact_is_where_boxes_first_touch(driven: dict[str, list[Drive]]) -> None:
    for one in driven["constant_velocity"]:
        assert one.hit is not None
        poses = np.concatenate(
            [one.pose[:1], collisions.between(one.pose[:-1], one.pose[1:]).reshape(-1, 3)]
        )
        touched = collisions.overlap(collisions.ego_boxes(poses), one.stage.actor[: len(poses)])
        assert np.argmax(touched) == one.hit


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, driven: dict[str, list[Drive]]) -> Path:
    out = tmp_path_factory.mktemp("runs")
    for one in driven["stop"]:
        draw = one.stage.draw
        runs.write(runs.folder_of(out, draw.scenario.name, draw.run), one, "stop")
    return out


def test_the_scorer_finds_what_the_simulator_found(
    folder: Path, driven: dict[str, list[Drive]]
) -> None:
    found, failed = outcomes.read(folder, "fixed")
    assert not failed
    by_name = {(one.scenario, one.run): one for one in found}
    for one in driven["stop"]:
        outcome = by_name[one.stage.draw.scenario.name, one.stage.draw.run]
        assert outcome.collided == (one.hit is not None)
        expected = scores.score(one.impact_mps, one.stage.reference_mps)
        assert outcome.score == pytest.approx(expected, abs=1e-6)
        assert (outcome.asked, outcome.unreadable) == (len(one.plans_m), 0)
        assert outcome.source == "trace"


@pytest.mark.parametrize(("v_ref", "source"), [("fixed", "poses"), ("upstream", "metrics")])
def test_the_engines_own_files_are_enough(
    folder: Path, tmp_path: Path, v_ref: VRef, source: str
) -> None:
    """Without trace.jsonl, which the engine does not write, speeds are told from poses."""
    exact = {(one.scenario, one.run): one for one in outcomes.read(folder, "fixed")[0]}
    for name, run in exact:
        there, here = (runs.folder_of(base, name, run) for base in (folder, tmp_path))
        here.mkdir(parents=True)
        for path in there.glob("*.json"):
            if path.name != "run.json":
                (here / path.name).write_bytes(path.read_bytes())
    found, _ = outcomes.read(tmp_path, v_ref)
    assert {one.source for one in found} == {source}
    assert {one.unreadable for one in found} == {None}
    errors = [abs(one.score - exact[one.scenario, one.run].score) for one in found]
    assert max(errors) < (0.53 if v_ref == "fixed" else 1e-6)
    assert np.mean(errors) < 0.067
    assert not outcomes.simulated(tmp_path)


NOWHERE = {"timestamp_us": 0, "x_m": np.nan, "y_m": 0.0, "yaw_rad": 0.0, "speed_mps": 6.0}


def one_run(folder: Path, log_mps: list[float], **more: object) -> Path:
    """A run of the engine's kind: the ego at 6 m/s runs into a standing car at 20 m."""
    folder.mkdir(parents=True)
    stamps = [500_000 * k for k in range(len(log_mps) + 1)]
    places = np.concatenate([[0], np.cumsum(log_mps) / 2]).tolist()
    files = {
        "metrics.json": {"any_collide@0.0s": True, "ncap_score": 1.25},
        "reference_trajectory.json": {t: [x, 0, 0] for t, x in zip(stamps, places, strict=True)},
        "ego_poses.json": {
            t: runs.matrix(np.array([6 * t / 1e6, 0, 0])).tolist() for t in stamps[3:10]
        },
        "actors.json": [
            {
                "timestamps": [0, 9_000_000],
                "poses": [runs.matrix(np.array([20.0, 0, 0])).tolist()] * 2,
                "dims": [2.0, 4.0, 1.5],
                "uuid": "a",
                "is_target_actor": True,
            }
        ],
    } | more
    for name, value in files.items():
        (folder / name).write_text(json.dumps(value))
    return folder


def test_v_ref_is_the_log_at_four_seconds_or_as_upstream_takes_it(tmp_path: Path) -> None:
    log = [8.0] * 9 + [2.0] * 2
    run = one_run(tmp_path / "stationary-0099" / "run_0", log)
    (fixed,) = outcomes.read(tmp_path, "fixed")[0]
    assert fixed.score == pytest.approx(4 * (1 - 6 / 8))
    (upstream,) = outcomes.read(tmp_path, "upstream")[0]
    assert upstream.score == 1.25, "the engine's own"
    lines = [
        {"timestamp_us": 500_000 * k, "x_m": 3.0 * k, "y_m": 0, "yaw_rad": 0, "speed_mps": 6.0}
        | {"status": "read" if k else "unreadable"}
        for k in range(9)
    ]
    (run / "trace.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (traced,) = outcomes.read(tmp_path, "upstream")[0]
    assert traced.score == 0.0, "6 m/s against the 2 m/s of the log's end"
    assert (traced.asked, traced.unreadable) == (9, 1)


def test_without_speeds_a_steady_braking_is_told_exactly(tmp_path: Path) -> None:
    """From 12 m/s at 1.5 s by 2 m/s2; its front is 2.509 m ahead, the car's rear at 18 m."""
    t_s = 0.5 * np.arange(3, 12)
    since = t_s - 1.5
    x_m = 3.0 + 12 * since - since**2
    poses = {
        int(1e6 * t): runs.matrix(np.array([x, 0, 0])).tolist()
        for t, x in zip(t_s, x_m, strict=True)
    }
    more = {"ego_poses.json": poses}
    one_run(tmp_path / "stationary-0099" / "run_0", [20.0] * 12, **more)
    (found,) = outcomes.read(tmp_path, "fixed")[0]
    # 15.491 m are reached after 1.18 s: the look at 1.2 s, when it does 9.6 m/s
    assert found.score == pytest.approx(4 * (1 - 9.6 / 20), abs=1e-6)


def test_the_target_counts_before_others(tmp_path: Path) -> None:
    """The engine does not tell what an actor is: somebody on foot may have been nearer."""
    other = {
        "timestamps": [0, 9_000_000],
        "poses": [runs.matrix(np.array([x, 0, 0])).tolist() for x in (40.0, -50.0)],
        "dims": [0.6, 0.6, 1.8],
        "uuid": "b",
        "is_target_actor": False,
    }
    folder = one_run(tmp_path / "stationary-0099" / "run_0", [8.0] * 12)
    actors = json.loads((folder / "actors.json").read_text())
    (folder / "actors.json").write_text(json.dumps([other, *actors]))
    (found,) = outcomes.read(tmp_path, "fixed")[0]
    assert found.score == pytest.approx(4 * (1 - 6 / 8))


def test_upstream_has_no_v_ref_in_a_short_log(tmp_path: Path) -> None:
    run = one_run(tmp_path / "stationary-0099" / "run_0", [8.0] * 9)
    line = {"timestamp_us": 0, "x_m": 16.0, "y_m": 0, "yaw_rad": 0, "speed_mps": 6.0}
    later = line | {"timestamp_us": 1_500_000}
    (run / "trace.jsonl").write_text(json.dumps(later))
    with pytest.raises(ValueError, match="run_0: upstream's v_ref does not exist"):
        outcomes.read(tmp_path, "upstream")
    assert outcomes.read(tmp_path, "fixed")[0][0].score == pytest.approx(1.0)


def test_a_single_run_needs_no_folder_of_its_own(tmp_path: Path) -> None:
    one_run(tmp_path / "side-0921", [8.0] * 12)
    (tmp_path / "images-0103").mkdir()
    found, _ = outcomes.read(tmp_path, "fixed")
    assert [(one.scenario, one.run) for one in found] == [("side-0921", 0)]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"actors.json": [{"dims": [1, 2, 3]}]}, "run_1: not as the engine writes it"),
        ({"metrics.json": {}}, "any_collide@0.0s"),
        ({"ego_poses.json": []}, "run_1: not as the engine writes it"),
        ({"ego_poses.json": {"0": np.full((4, 4), np.nan).tolist()}}, "run_1: .* is not finite"),
        ({"trace.jsonl": NOWHERE}, "run_1: .* is not finite"),
    ],
)
def test_files_that_are_not_the_engines_are_named(
    tmp_path: Path, more: dict[str, object], message: str
) -> None:
    one_run(tmp_path / "side-0103" / "run_1", [8.0] * 12, **more)
    with pytest.raises(ValueError, match=message):
        outcomes.read(tmp_path, "fixed")


def test_a_score_that_is_no_number_is_not_averaged(tmp_path: Path) -> None:
    metrics = {"any_collide@0.0s": True, "ncap_score": np.nan}
    one_run(tmp_path / "side-0103" / "run_0", [8.0] * 12, **{"metrics.json": metrics})
    found, failed = outcomes.read(tmp_path, "upstream")
    assert (found, [one.why for one in failed]) == ([], ["metrics.json has the score nan"])


def test_a_collision_that_no_pose_shows_is_not_scored(tmp_path: Path) -> None:
    """The engine writes no pose before the model drives, and may hit something by then."""
    one_run(tmp_path / "side-0103" / "run_0", [8.0] * 12, **{"actors.json": []})
    (one_run(tmp_path / "side-0103" / "run_1", [8.0] * 12) / "ego_poses.json").unlink()
    found, failed = outcomes.read(tmp_path, "fixed")
    assert not found
    assert [one.why for one in failed] == [outcomes.UNSEEN] * 2
    assert [one.score for one in outcomes.read(tmp_path, "upstream")[0]] == [1.25] * 2


def test_no_runs_at_all(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="expected folders such as stationary-0103/run_0"):
        outcomes.read(tmp_path, "fixed")


def test_what_is_finished_is_not_driven_again(tmp_path: Path) -> None:
    chosen = scenarios.chosen(["frontal"], KNOWN)
    jobs = campaign.waiting(tmp_path, chosen, 2)
    assert len(jobs) == 10
    list(campaign.in_process(jobs[:4], tmp_path, "stop", stop))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.json*")}
    rest = campaign.waiting(tmp_path, chosen, 2)
    assert rest == jobs[4:]
    list(campaign.in_process(rest, tmp_path, "stop", stop))
    assert campaign.waiting(tmp_path, chosen, 2) == []
    assert all(path.read_bytes() == content for path, content in before.items())
    assert not list(tmp_path.glob("*/.*")), "nothing half written is left"


def test_a_run_that_breaks_off_is_failed_not_scored(tmp_path: Path) -> None:
    asked = list[int]()

    def breaks(about: Asked) -> Plans:
        asked.append(about.step)
        if about.stages[0].draw.run == 1 and about.step == 3:
            raise ValueError("HTTP 502: the model talks nonsense")
        return stop(about)

    jobs = [(KNOWN["stationary-0099"], run) for run in range(3)]
    ended = list(campaign.in_parallel(jobs, tmp_path, "x", breaks, 2))
    assert sorted(one.failure for one in ended) == ["", "", "HTTP 502: the model talks nonsense"]
    found, failed = outcomes.read(tmp_path, "fixed")
    assert [one.run for one in found] == [0, 2]
    assert [(one.run, one.why) for one in failed] == [(1, "HTTP 502: the model talks nonsense")]
    again = campaign.waiting(tmp_path, [KNOWN["stationary-0099"]], 3)
    assert again == jobs[1:2]
    list(campaign.in_parallel(again, tmp_path, "x", stop, 2))
    assert [one.run for one in outcomes.read(tmp_path, "fixed")[0]] == [0, 1, 2]
    assert not list(tmp_path.rglob("failure.json"))


def test_one_folder_holds_runs_of_one_driver(tmp_path: Path) -> None:
    campaign.open_folder(tmp_path, {"driver": "stop"})
    campaign.open_folder(tmp_path, {"driver": "stop"})
    with pytest.raises(FileExistsError, match="name another folder"):
        campaign.open_folder(tmp_path, {"driver": "echo_route"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("side-1: {title: x}", "side-1: expected a field 'jitter'"),
        ("other-1: {jitter: {}, actor: {shapes: []}}", "expected a name such as stationary-0103"),
        ("side-1: {jitter: {}, actor: {shapes: [ship]}}", "no shape 'ship'; there are car"),
        ("side-1: 3", "x.yaml: side-1: "),
    ],
)
def test_a_wrong_scenario_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        scenarios.load(path)


def test_scenarios_are_chosen_by_name_and_category() -> None:
    names = [one.name for one in scenarios.chosen(["side", "frontal-0103", "side-0103"], KNOWN)]
    assert names == ["frontal-0103", *(f"side-{n}" for n in SEQUENCES["side"].split())]
    with pytest.raises(ValueError, match="Did you mean 'frontal'"):
        scenarios.chosen(["frntal"], KNOWN)
