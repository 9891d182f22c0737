"""Links to the images of each Mapillary SLS sub-scene."""

import shutil
from pathlib import Path

import pytest

from impromptu import miniature
from impromptu.cli import main
from impromptu.datasets._mapillary_scenes import read_scenes


@pytest.fixture
def cities(tmp_path: Path) -> Path:
    miniature.write(tmp_path, datasets=["mapillary_sls"], logs=2, duration_s=9.0, images=False)
    return tmp_path / "mapillary_sls/train_val"


def run(cities: Path) -> int:
    return main(["mapillary-links", "--data_raw", str(cities.parents[1])])


def links(cities: Path) -> dict[Path, Path]:
    return {path: path.resolve() for path in sorted(cities.glob("*/*/simages/*/*.jpg"))}


def test_each_sub_scene_of_both_subsets_is_numbered_in_order(cities: Path) -> None:
    """An image that is missing leaves its number out."""
    assert run(cities) == 0
    expected = {}
    for folder in cities.glob("*/*"):
        for scene in read_scenes(folder).values():
            keys = [key for key, placed in zip(scene.keys, scene.placed, strict=True) if placed]
            for number, key in enumerate(keys):
                if (image := folder / f"images/{key}.jpg").is_file():
                    expected[folder / f"simages/{scene.name}/{number:03d}.jpg"] = image.resolve()
    assert links(cities) == expected
    assert {path.parents[2].name for path in expected} == {"query", "database"}


def test_the_links_move_with_the_folder_and_a_second_run_changes_nothing(
    cities: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(cities)
    first = capsys.readouterr().out
    assert f"{cities}/amman/query: 1 sub-scenes; images: 18 linked, 0 already, 1 missing" in first
    moved = cities.parents[2] / f"{cities.parents[1].name}_moved/mapillary_sls/train_val"
    shutil.move(cities.parents[1], moved.parents[1])
    assert all(image.is_file() for image in links(moved).values())
    assert run(moved) == 0
    assert (
        "amman/query: 1 sub-scenes; images: 0 linked, 18 already, 1 mi" in capsys.readouterr().out
    )


def test_links_that_were_cut_another_way_are_left_and_told(
    cities: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(cities)
    link = next(iter(links(cities)))
    link.unlink()
    link.symlink_to("elsewhere.jpg")
    assert run(cities) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {link}: expected nothing here, or a link to ../../images/")
    assert f"remove {link.parents[1]}" in error


def test_a_folder_that_cannot_be_read_does_not_stop_the_others(
    cities: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (cities / "amman/query/raw.csv").unlink()
    assert run(cities) == 1
    assert f"skipped {cities}/amman/query: " in capsys.readouterr().out
    assert {path.relative_to(cities).parts[:2] for path in links(cities)} == {
        ("amman", "database"),
        ("sf", "database"),
        ("sf", "query"),
    }


def test_without_the_dataset_it_says_where_to_get_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["mapillary-links", "--data_raw", str(tmp_path)]) == 2
    assert "Download it from https://www.mapillary.com" in capsys.readouterr().err
