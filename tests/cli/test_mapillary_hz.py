"""``--mapillary_hz``, the flag of ``impromptu generate`` that reaches an adapter."""

from pathlib import Path

import pytest

from impromptu import miniature
from impromptu.cli import main
from impromptu.files import read_json


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("raw")
    miniature.write(out, datasets=["mapillary_sls"], logs=1, duration_s=9.0, images=False)
    return out


def run(raw: Path, out: Path, *flags: str) -> int:
    fixed = ("--data_raw", str(raw), "--out", str(out), "--questions", "trajectory")
    return main(["generate", *fixed, "--workers", "1", *flags])


def test_a_stated_rate_gives_mapillary_trajectories(raw: Path, tmp_path: Path) -> None:
    """By flag or by recipe; the flag wins."""
    (tmp_path / "recipe.yaml").write_text("mapillary_hz: 2\n")
    recipe = "--recipe", str(tmp_path / "recipe.yaml")
    assert run(raw, tmp_path / "none") == 1, "nothing is asked without a rate"
    assert run(raw, tmp_path / "file", *recipe) == 0
    assert run(raw, tmp_path / "flag", *recipe, "--mapillary_hz", "1.5") == 0
    rates = [
        read_json(tmp_path / name / "manifest.json")["recipe"]["mapillary_hz"]
        for name in ("none", "file", "flag")
    ]
    assert rates == [None, 2, 1.5]
    made = [
        (tmp_path / name / "mapillary_sls/q7_train.json").is_file()
        for name in ("none", "file", "flag")
    ]
    assert made == [False, True, True]


@pytest.mark.parametrize("rate", ["0", "-2", "nan", "1e9"])
def test_a_rate_that_is_none_is_refused(
    raw: Path, tmp_path: Path, rate: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(raw, tmp_path / "out", f"--mapillary_hz={rate}") == 2
    assert "expected 0.1 to 100 frames a second" in capsys.readouterr().err
