"""The whole selection: every keyframe has one fate, whatever the order of what comes in."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.curation.conftest import drive, keyframe

from impromptu.curation import funnel
from impromptu.curation.label_table import STATES, VOTES
from impromptu.curation.packs import FATES
from impromptu.curation.recipe import CurationRecipe
from impromptu.curation.selection import select, write_fates

Write = Callable[..., Path]
ALL = (3, 0, 0, 0)


def run(paths: list[Path], recipe: CurationRecipe) -> tuple[list[dict[str, Any]], str, Any]:
    folder = paths[0].parent
    counts = write_fates(
        folder / "f.parquet", paths, select(paths, recipe), folder / "k.jsonl", folder
    )
    return pq.read_table(folder / "f.parquet").to_pylist(), (folder / "k.jsonl").read_text(), counts


def made_up(seed: int) -> list[list[dict[str, Any]]]:
    """Logs of two datasets with every state, runs of votes, alike images and near places."""
    rng, logs = np.random.default_rng(seed), []
    for number in range(int(rng.integers(1, 6))):
        rows, at_s = [], 0.0
        for k in range(int(rng.integers(1, 90))):
            at_s += float(rng.choice([0.5, 0.5, 0.5, 1.5]))
            state = str(rng.choice(STATES, p=[0.7, *[0.05] * 4, 0.1]))
            votes = rng.binomial(3, [0.8, 0.1, 0.4, 0.0]) * (state == "labelled")
            more: dict[str, Any] = dict(zip(VOTES, votes.tolist(), strict=True))
            more |= {"state": state, "labels": 3 * (state == "labelled")}
            more["image_hash"] = None if rng.random() < 0.2 else int(rng.integers(0, 40))
            more["world_x_m"] = float(rng.normal(0, 10))
            rows.append(keyframe(f"d{number % 2}/log{number}/{k}", at_s, **more))
        logs.append(rows)
    return logs


def test_one_drive_by_hand(write_labels: Write) -> None:
    # Two packs; the second's clip shows the first's image, 3 bits off. The other log's is alone.
    first = drive("d/a", [ALL] * 60)
    for k, row in enumerate(first):
        row["image_hash"] = 0b111 if k >= 30 else 0
    other = drive("d/b", [(0, 0, 3, 0)] * 4, image_hash=0xFFFF << 40, world_x_m=1e6)
    path = write_labels([*first, *other], group=7)
    fates, kept, counts = run([path], CurationRecipe(near_m=None))
    of = {row["id"]: row for row in fates}
    assert Counter(row["fate"] for row in fates) == {
        "not_best_of_pack": 61,
        "kept": 2,
        "same_image": 1,
    }
    kept_ids = [json.loads(line)["id"] for line in kept.splitlines()]
    assert [name.rpartition("/")[0] for name in kept_ids] == ["d/a", "d/b"]
    assert all(len(json.loads(line)["images"]) == 1 for line in kept.splitlines())
    repeat = next(row for row in fates if row["fate"] == "same_image")
    assert repeat["instead"] == kept_ids[0]
    assert of["d/b/000"]["instead"] == kept_ids[1]
    assert of["d/b/000"]["categories"] == ["Unconventional dynamic obstacles"]
    steps = {step["dropped_as"]: step for step in funnel.steps(counts)}
    assert (steps["not_best_of_pack"]["in"], steps["not_best_of_pack"]["out"]) == (64, 3)
    assert steps["same_image"]["datasets"] == {"d": {"in": 3, "dropped": 1, "out": 2}}
    assert steps["same_image"]["categories"]["Roads with unclear boundaries"]["dropped"] == 1


def test_the_same_place_and_the_quota(write_labels: Write) -> None:
    # 31 keyframes of 2.5 s each are 31 packs of one place; three logs, and a quota of two.
    logs = [drive(f"d/{name}", [ALL] * 10, world_x_m=0.0) for name in "abc"]
    path = write_labels([row for rows in logs for row in rows])
    recipe = CurationRecipe(pack_s=2.5, quota=2)
    fates, _, _ = run([path], recipe)
    told = Counter(row["fate"] for row in fates)
    assert told == {"not_best_of_pack": 24, "same_place": 3, "over_quota": 1, "kept": 2}
    unlimited = run([path], replace(recipe, quotas={"d": {"unclear_boundaries": 7}}))[0]
    assert Counter(row["fate"] for row in unlimited)["kept"] == 3


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(0, 10**6), st.integers(1, 50), st.randoms(use_true_random=False))
def test_in_is_out_plus_dropped_and_order_changes_nothing(
    write_labels: Write, seed: int, group: int, rng: Any
) -> None:
    logs, recipe = made_up(seed), CurationRecipe(pack_s=3.0, image_bits=1, near_m=2.0, quota=3)
    rows = [row for log in logs for row in log]
    fates, kept, counts = run([write_labels(rows)], recipe)
    assert [row["id"] for row in fates] == [row["id"] for row in rows]
    left = len(rows)
    for step in funnel.steps(counts):
        assert step["in"] == left and step["out"] == left - step["dropped"] >= 0
        for part in ("in", "dropped", "out"):
            assert sum(one[part] for one in step["datasets"].values()) == step[part]
        assert step["dropped"] == sum(row["fate"] == step["dropped_as"] for row in fates)
        left = step["out"]
    assert left == len(kept.splitlines()) == sum(row["fate"] == "kept" for row in fates)
    assert sum(row["any"] for row in funnel.kept(counts).values()) == left
    known = {row["id"]: row for row in fates}
    for row in fates:
        stood_for = row["fate"] in ("not_best_of_pack", "same_image", "same_place")
        assert (row["instead"] is not None) == stood_for
        if stood_for:
            assert FATES.index(known[row["instead"]]["fate"]) not in range(1, 9)
    # Logs and rows in another order, two files, small row groups: the same.
    rng.shuffle(logs)
    for log in logs:
        rng.shuffle(log)
    half = len(logs) // 2
    parts = [[row for log in part for row in log] for part in (logs[:half], logs[half:])]
    paths = [write_labels(part, f"{k}.parquet", group) for k, part in enumerate(parts)]
    again, kept_again, counts_again = run(paths, recipe)
    assert kept_again == kept
    assert counts_again == counts
    key = str
    assert sorted(map(key, again)) == sorted(map(key, fates))


def test_another_seed_draws_others_of_equals(write_labels: Write) -> None:
    logs = [drive(f"d/{k}", [ALL] * 3, world_x_m=0.0) for k in range(40)]
    path = write_labels([row for rows in logs for row in rows])
    kept = {seed: run([path], CurationRecipe(quota=5, seed=seed))[1] for seed in (0, 1)}
    assert kept[0] == run([path], CurationRecipe(quota=5))[1] != kept[1]
    assert len(kept[0].splitlines()) == len(kept[1].splitlines()) == 5


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda rows: rows[::2] + rows[1::2], "rows of log a/x do not follow each other"),
        (lambda rows: [row | {"state": "fine"} for row in rows], "state 'fine' is none of"),
        (lambda rows: [], "no keyframes to select from"),
    ],
)
def test_a_table_that_is_none_is_refused(write_labels: Write, spoil: Any, told: str) -> None:
    rows = [keyframe(f"a/{log}/{k}", k) for k in range(2) for log in ("x", "y")]
    rows.sort(key=lambda row: str(row["id"]))
    with pytest.raises(ValueError, match=told):
        select([write_labels(spoil(rows), group=1)], CurationRecipe())


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.parquet").write_text("no")
    with pytest.raises(ValueError, match="labels.parquet: no label table"):
        select([tmp_path / "labels.parquet"], CurationRecipe())
    with pytest.raises(FileNotFoundError):
        select([tmp_path / "none.parquet"], CurationRecipe())
