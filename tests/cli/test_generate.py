from pathlib import Path

import pytest

from impromptu.cli import main
from impromptu.files import read_json
from impromptu.manifest import MANIFEST


def _run(tmp_path: Path, recipe: str, *flags: str) -> int:
    (tmp_path / "recipe.yaml").write_text(recipe)
    options = ["--data_raw", str(tmp_path), "--out", str(tmp_path / "out"), "--workers", "1"]
    return main(["generate", "--recipe", str(tmp_path / "recipe.yaml"), *options, *flags])


@pytest.mark.parametrize(
    ("recipe", "text"),
    [
        ("datasets: [", "recipe.yaml: not valid YAML"),
        ("- a", "expected a mapping"),
        ("just text", "expected a mapping"),
        ("speed: 3", "unknown 'speed'; known are datasets, split"),
        ("split: 3", "split: expected a list of train, val, test, got 3"),
        ("split: train", "split: expected a list"),
        ("datasets: [foo]", "datasets: expected a list of argoverse2"),
        ("preset: foo", "preset: expected of strict, released, got 'foo'"),
        ("filters: [1]", "filters: expected a mapping of some of reverse_m, jump_mps"),
        ("filters: {speed: 1}", "filters: expected a mapping of some of reverse_m, jump_mps"),
        ("filters: {reverse_m: -1}", "recipe.yaml: filters: reverse_m: expected a number from 0"),
        ("filters: {reverse_m: a}", "recipe.yaml: filters: reverse_m: expected a number from 0"),
        ("missing_images: maybe", "missing_images: expected of drop, keep"),
    ],
)
def test_a_recipe_is_checked_like_flags(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], recipe: str, text: str
) -> None:
    assert _run(tmp_path, recipe) == 2
    assert text in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_recipe_sets_what_flags_leave_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = "datasets: [synthetic]\nsplit: [test]\nmissing_images: keep\n"
    assert _run(tmp_path, recipe) == 0
    told = capsys.readouterr().out
    assert "q7_test.json" in told
    assert "train" not in told


def test_a_recipes_limits_replace_single_ones_of_the_presets(tmp_path: Path) -> None:
    limits = "filters: {jump_mps: null, stationary_share: 0.25}\n"
    assert _run(tmp_path, f"datasets: [synthetic]\nmissing_images: keep\n{limits}") == 0
    manifest = read_json(tmp_path / "out" / MANIFEST)
    assert manifest["recipe"]["filters"] == {
        "reverse_m": 1.0,
        "jump_mps": None,
        "acceleration_mps2": 12.0,
        "stationary_share": 0.25,
    }


@pytest.mark.parametrize("as_flag", [True, False])
def test_questions_may_be_named_by_their_tasks(tmp_path: Path, as_flag: bool) -> None:
    recipe = "datasets: [synthetic]\nsplit: [test]\nmissing_images: keep\n"
    if not as_flag:
        recipe += "questions: [q6, trajectory]\n"
    flags = ["--questions", "q6", "trajectory"] if as_flag else []
    assert _run(tmp_path, recipe, *flags) == 0
    assert {path.name for path in (tmp_path / "out/synthetic").iterdir()} == {
        *("q6_test.json", "q7_test.json")
    }


def test_an_unknown_question_is_answered_with_the_nearest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        _run(tmp_path, "", "--questions", "trajectry")
    assert "Did you mean 'trajectory'?" in capsys.readouterr().err
    assert _run(tmp_path, "questions: [planing]") == 2
    assert "Did you mean 'planning'?" in capsys.readouterr().err


def test_another_recipe_is_told_by_what_differs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = "datasets: [synthetic]\nsplit: [test]\nmissing_images: keep\nquestions: [q6]\n"
    assert _run(tmp_path, recipe) == 0
    assert _run(tmp_path, f"{recipe}filters: {{jump_mps: null}}\npreset: strict\n") == 2
    (told,) = capsys.readouterr().err.strip().splitlines()[-1:]
    assert "another recipe: filters.jump_mps was 60.0, is null; choose another" in told


def test_an_extract_dir_that_cannot_be_written_stops_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert _run(tmp_path, "datasets: [synthetic]", "--extract_dir", str(tmp_path / "file/x")) == 2
    assert f"{tmp_path / 'file/x'}: cannot be written to" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_workers_must_be_some(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "--workers", "0"]) == 2
    assert "expected at least 1" in capsys.readouterr().err


def test_an_operating_systems_error_is_path_and_cause(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").write_text("")
    assert _run(tmp_path, "datasets: [synthetic]") == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path / 'out'}")
