"""From samples in numbers to samples in action tokens, slow and fast, by the commands alone."""

import json
from pathlib import Path

import numpy as np
import pytest

from impromptu.action_tokens import load_codebook
from impromptu.cli import main
from impromptu.questions import meta_action, trajectory
from impromptu.registry import load_samples

ASKED = ["--datasets", "synthetic", "--questions", "trajectory", "meta_action"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Text samples, a codebook, and slow samples in its tokens."""
    work = tmp_path_factory.mktemp("work")
    (work / "raw").mkdir()
    _generate(work, "text")
    assert _fit(work, "actions.json", "--held_out", "synthetic_q7_test") == 0
    _generate(work, "slow", "--answers", "slow", "--actions", str(work / "actions.json"))
    return work


def _generate(work: Path, name: str, *more: str) -> None:
    where = ["--data_raw", str(work / "raw"), "--out", str(work / name), "--workers", "1"]
    assert main(["generate", *where, *ASKED, "--missing_images", "keep", *more]) == 0


def _fit(work: Path, name: str, *more: str, dataset: str = "synthetic_q7_train") -> int:
    told = ["--dataset_dir", str(work / "text"), "--dataset", dataset]
    return main(["fit-actions", *told, "--out", str(work / name), *more])


def test_the_report_tells_error_and_bound(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _fit(made, "again.json", "--held_out", "synthetic_q7_test", "--bins", "32") == 0
    told = capsys.readouterr().out
    book = load_codebook(made / "again.json")
    assert f"{len(book.x_cm)} tokens along x, {len(book.y_cm)} along y" in told
    assert "fitted to: 22 samples" in told and "held out: 11 samples" in told
    assert told.count("as written, mean (max) error in m at 1 s") == 2
    assert told.count("clipped: 0") == 2
    assert f"further off than {book.bound_m[0]:.3f} m in x" in told
    origin = json.loads((made / "again.json").read_text())["fitted_to"]
    assert origin == {"dataset": "synthetic_q7_train", "samples": 22, "left_out": {}}


def test_both_renderings_are_of_the_same_samples(made: Path) -> None:
    names = ["synthetic_q7_train", "synthetic_q7_test"]
    text, slow = (load_samples(made / name, names) for name in ("text", "slow"))
    bound_m = load_codebook(made / "actions.json").bound_m
    actions = {
        sample.id.rpartition("/")[0]: meta_action.read(sample.answer)
        for split in ("train", "test")
        for sample in load_samples(made / "text", [f"synthetic_q6_{split}"])
    }
    assert [one.id for one in text] == [one.id for one in slow]
    for plain, thought in zip(text, slow, strict=True):
        assert thought.images == plain.images and thought.prompt.startswith(plain.prompt)
        off_m = trajectory.read(thought.answer).xy_m - trajectory.read(plain.answer).xy_m
        assert (np.abs(off_m) <= bound_m + 0.005 + 1e-9).all()
        decision = thought.answer.partition("Decision: ")[2].partition("\n")[0]
        assert meta_action.read(decision) == actions[thought.id.rpartition("/")[0]]


def test_the_manifest_tells_the_form_and_what_was_clipped(made: Path) -> None:
    manifest = json.loads((made / "slow/manifest.json").read_text())
    assert manifest["recipe"]["answers"] == "slow"
    assert len(manifest["recipe"]["actions_sha256"]) == 64
    small = {"kind": "uniform", "x_cm": [0, 100], "y_cm": [-10, 0, 10]}
    (made / "small.json").write_text(json.dumps(small))
    _generate(made, "clipped", "--actions", str(made / "small.json"))
    split = json.loads((made / "clipped/manifest.json").read_text())["datasets"]["synthetic"]
    assert split["train"]["questions"]["q7"]["answers_clipped"] == 22
    assert split["train"]["questions"]["q6"]["answers_clipped"] == 0


def test_a_recipe_names_the_form(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = made / "recipe.yaml"
    recipe.write_text(f"answers: slow\nactions: {made / 'actions.json'}\n")
    _generate(made, "by_recipe", "--recipe", str(recipe))
    for name in ("synthetic/q7_train.json", "synthetic/q6_test.json"):
        assert (made / "by_recipe" / name).read_text() == (made / "slow" / name).read_text()
    recipe.write_text("answers: pondering\n")
    where = ["--data_raw", str(made / "raw"), "--out", str(made / "no")]
    assert main(["generate", *where, *ASKED, "--recipe", str(recipe)]) == 2
    assert "answers: expected of fast, slow" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("told", "complaint"),
    [
        (["--preset", "released", "--answers", "slow"], "neither slow answers nor action tokens"),
        (["--actions", "nowhere.json"], "nowhere.json"),
    ],
)
def test_what_cannot_be_generated(
    made: Path, told: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--data_raw", str(made / "raw"), "--out", str(made / "no")]
    assert main(["generate", *where, *ASKED, *told]) == 2
    assert complaint in capsys.readouterr().err


def test_what_cannot_be_fitted(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _fit(made, "no.json", dataset="synthetic_q6_train") == 2
    assert "no step to fit a codebook to" in capsys.readouterr().err
    assert _fit(made, "no.json", "--bins", "2") == 2
    assert "expected at least 4" in capsys.readouterr().err
    assert not (made / "no.json").exists()


def test_slow_samples_pass_the_audits(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checks = ["--only", "leakage", "vocabulary", "text", "structure"]
    assert main(["audit", str(made / "slow"), *checks]) == 0
    assert "0 errors, 0 warnings" in capsys.readouterr().out


def _answers(made: Path, name: str, engine: str) -> Path:
    told = ["--dataset_dir", str(made / name), "--dataset", "synthetic_q7_test"]
    out = made / f"{engine}_{name}.jsonl"
    assert main(["infer", "--engine", engine, *told, "--save_name", str(out)]) == 0
    return out


def _l2_m(made: Path, true: str, predictions: Path) -> float:
    told = ["--gt", str(made / true / "synthetic/q7_test.json"), "--pred", str(predictions)]
    out = made / "scores.json"
    assert main(["evaluate", *told, "--save_path", str(out), "--task", "q7"]) == 0
    (result,) = json.loads(out.read_text())["results"]
    assert result["joined_by"] == "id" and result["unreadable"] == 0 and result["read"] == 11
    return float(result["metrics"]["ade_fde"]["figures"]["ade"])


def test_scores_are_against_the_true_numbers_whatever_the_form(made: Path) -> None:
    echoed = _answers(made, "slow", "echo")
    assert _l2_m(made, "slow", echoed) == 0
    bound_m = float(np.hypot(*load_codebook(made / "actions.json").bound_m))
    assert 0 < _l2_m(made, "text", echoed) <= bound_m + 0.01


def test_baselines_answer_slow_prompts_as_they_answer_plain_ones(made: Path) -> None:
    plain, slow = (
        [json.loads(line)["predict"] for line in path.read_text().splitlines()]
        for path in (_answers(made, name, "constant_velocity") for name in ("text", "slow"))
    )
    assert plain == slow and all(plain)
