from pathlib import Path

import pytest

from impromptu.explorer.sources import Naming, naming, run_files, sample_files


@pytest.mark.parametrize(
    ("path", "name", "expected", "clip"),
    [
        (
            "out/kitti/q7_val.json",
            "kitti/0001/000003/q7",
            ("kitti", "val", "q7"),
            "kitti/0001/000003",
        ),
        ("all_train.json", "once/1/2/q2/front", ("once", "train", "q2"), "once/1/2"),
        ("out/kitti/unanswered/q5_val.json", "17", ("kitti", "val", "q5"), "17"),
        ("out/nuscenes_planning_test.json", "a/b", ("nuscenes", "test", "planning"), "a/b"),
        ("theirs/DriveLM.json", "q1", ("drivelm", "", ""), "q1"),
    ],
)
def test_naming(path: str, name: str, expected: tuple[str, str, str], clip: str) -> None:
    assert naming(Path(path), name) == (Naming(*expected), clip)


def test_a_registry_names_its_files_and_those_that_wait_are_added(folder: Path) -> None:
    (folder / "notes.json").write_text("[]")
    (folder / "kitti/q6_val.json").unlink()
    files, missing = sample_files(folder)
    assert [path.name for path in files] == ["q7_val.json", "q5_val.json"]
    assert missing == [f"{folder / 'kitti/q6_val.json'}: named in dataset_info.json, but not there"]


def test_a_folder_without_a_registry_is_searched(folder: Path) -> None:
    (folder / "dataset_info.json").unlink()
    assert len(sample_files(folder)[0]) == 3
    assert sample_files(folder / "kitti/q6_val.json") == ([folder / "kitti/q6_val.json"], [])


def test_nothing_to_browse_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        sample_files(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match=r"no dataset_info\.json"):
        sample_files(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"without \.jsonl"):
        run_files([tmp_path])


def test_a_run_is_a_folder_or_a_file(predictions: Path, tmp_path: Path) -> None:
    assert [one.run for one in run_files([predictions])] == ["far", "words"]
    assert [one.run for one in run_files([predictions / "far"])] == ["far"]
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "q7.jsonl").touch()
    files = [tmp_path / "a/q7.jsonl", tmp_path / "b/q7.jsonl"]
    assert [one.run for one in run_files(files)] == ["q7", "b/q7"]
