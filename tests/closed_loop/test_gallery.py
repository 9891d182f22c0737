"""Which runs are put side by side, and what is said of those that are not."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.closed_loop.filmed import engine_run, matrix

from impromptu.closed_loop import gallery
from impromptu.closed_loop.gallery import Choice, choices, shelves, take_together


def runs_of(folder: Path, *names: str) -> Path:
    """Runs of a made-up model, such as ``side-0103/run_2``."""
    for name in names:
        engine_run(folder / name)
    return folder


def unfinished(folder: Path, why: str = "") -> None:
    folder.mkdir(parents=True)
    if why:
        (folder / "failure.json").write_text(json.dumps({"error": why}))


@pytest.fixture
def two(tmp_path: Path) -> list[Path]:
    """A has side-0103/0,2 and frontal-0103/1; B has side-0103/1,2, and two that failed."""
    a = runs_of(tmp_path / "a", "side-0103/run_0", "side-0103/run_2", "frontal-0103/run_1")
    b = runs_of(tmp_path / "b", "side-0103/run_1", "side-0103/run_2")
    unfinished(b / "frontal-0103" / "run_1", "the model was down")
    unfinished(b / "stationary-0099" / "run_0")
    return [a, b]


def test_the_first_run_that_all_have_finished(two: list[Path]) -> None:
    chosen = choices(shelves(two, "fixed"), ["all"], None)
    assert chosen == [
        Choice("stationary-0099", None, "no finished run of a, b (no metrics.json)"),
        Choice("frontal-0103", None, "no finished run of b (the model was down)"),
        Choice("side-0103", 2),
    ]
    assert choices(shelves(two[:1], "fixed"), ["side"], None) == [Choice("side-0103", 0)]


def test_a_run_that_is_asked_for(two: list[Path]) -> None:
    models = shelves(two, "fixed")
    assert choices(models, ["side"], 2) == [Choice("side-0103", 2)]
    assert choices(models, ["side-0103"], 1) == [
        Choice("side-0103", None, "no finished run 1 of a")
    ]
    assert choices(models, ["frontal", "side-0103"], 7)[0].why == "no finished run 7 of a, b"


def test_no_run_in_common(tmp_path: Path) -> None:
    models = [
        runs_of(tmp_path / name, f"side-0103/run_{run}") for run, name in enumerate(("a", "b"))
    ]
    (choice,) = choices(shelves(models, "fixed"), ["all"], None)
    assert choice.why == "no run that all have finished"
    assert take_together(shelves(models, "fixed"), choice) == choice.why


def test_a_word_that_means_nothing(two: list[Path]) -> None:
    with pytest.raises(ValueError, match="no run of 'sides'; there are runs of .*Did you mean"):
        choices(shelves(two, "fixed"), ["sides"], None)


def test_the_same_number_must_be_the_same_scene(tmp_path: Path) -> None:
    def actors(x_m: float) -> list[dict[str, Any]]:
        actor = {"timestamps": [0, 9_000_000], "poses": [matrix(x_m)] * 2, "uuid": "a"}
        return [actor | {"dims": [2.0, 4.0, 1.5], "is_target_actor": True}]

    folders = [tmp_path / name for name in "abc"]
    for folder, x_m in zip(folders, (20.0, 20.0001, 21.0), strict=True):
        engine_run(folder / "side-0103" / "run_0", other={"actors.json": actors(x_m)})
    models = shelves(folders, "fixed")
    (choice,) = choices(models, ["all"], None)
    assert take_together(models, choice) == (
        "run 0: the actors of a and c differ, so these are not the same scene"
    )
    takes = take_together(models[:2], choice)
    assert not isinstance(takes, str)
    assert [take.model for take in takes] == ["a", "b"]


def test_a_single_run_needs_no_folder_of_its_own(tmp_path: Path) -> None:
    engine_run(tmp_path / "a" / "side-0921")
    models = shelves([tmp_path / "a"], "fixed")
    takes = take_together(models, Choice("side-0921", 0))
    assert not isinstance(takes, str)
    assert takes[0].folder == tmp_path / "a" / "side-0921"


def test_what_does_not_go_together(two: list[Path], tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder of runs"):
        shelves([two[0], tmp_path / "nowhere"], "fixed")
    with pytest.raises(ValueError, match="the same folder of runs twice"):
        shelves([two[0], two[0] / ".." / "a"], "fixed")
    with pytest.raises(ValueError, match="at most 4 folders"):
        shelves([tmp_path / str(k) for k in range(5)], "fixed")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="empty: no run in it"):
        shelves([tmp_path / "empty"], "fixed")
    (two[1] / "side-0103" / "run_2" / "run.json").write_text('{"shape": "car"}')
    with pytest.raises(ValueError, match="mini-simulator and of NeuroNCAP's engine"):
        shelves(two, "fixed")


def test_models_of_one_name_are_told_apart(tmp_path: Path) -> None:
    folders = [runs_of(tmp_path / name / "runs", "side-0103/run_0") for name in ("a", "b")]
    assert [shelf.name for shelf in shelves(folders, "fixed")] == [str(one) for one in folders]


@pytest.mark.parametrize(
    ("about", "saw"),
    [
        ({"driver": "stop"}, "a rule, which looks at no picture"),
        ({"server": "http://x", "pictures": "blank"}, "was sent black pictures"),
        ({"server": "http://x", "pictures": "800x450"}, "was sent pictures of 800x450"),
        ({}, ""),
    ],
)
def test_what_a_driver_saw_is_told(tmp_path: Path, about: dict[str, str], saw: str) -> None:
    folder = runs_of(tmp_path / "a", "side-0103/run_0")
    (folder / "campaign.json").write_text(json.dumps(about))
    assert shelves([folder], "fixed")[0].saw == saw


def test_the_page_is_by_category_in_the_usual_order() -> None:
    assert list(gallery.by_category([])) == []
