"""Pairing of files by the words of their names."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from impromptu.answer_pairs import Pair, clip_table_beside, pair_folders, task_of


def folders(tmp_path: Path, truth: Sequence[str], prediction: Sequence[str]) -> tuple[Path, Path]:
    for side, names in (("gt", truth), ("pred", prediction)):
        for name in names:
            path = tmp_path / side / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("[]", encoding="utf-8")
    return tmp_path / "gt", tmp_path / "pred"


@pytest.mark.parametrize("truth", ["q6_val.json", "nuscenes_q6_val.json", "q6_val", "val_q6.jsonl"])
@pytest.mark.parametrize("prediction", ["q6_val.jsonl", "q6_val", "Q6-VAL.json"])
def test_names_pair_by_their_words(tmp_path: Path, truth: str, prediction: str) -> None:
    gt, pred = folders(tmp_path, [truth, "q7_val.json", "q6_train.json"], [prediction])
    pairs, unpredicted = pair_folders(gt, pred)
    assert pairs == [Pair("q6", gt / truth, pred / prediction)]
    assert [path.name for path in unpredicted] == ["q6_train.json", "q7_val.json"]


def test_a_dataset_pairs_with_its_own(tmp_path: Path) -> None:
    names = ["kitti_q6_val.json", "nuscenes_q6_val.json"]
    gt, pred = folders(tmp_path, names, ["tiny_nuscenes_q6_val.jsonl", "tiny_kitti_q6_val.jsonl"])
    pairs, _ = pair_folders(gt, pred)
    assert [(p.truth.name, p.prediction.name) for p in pairs] == [
        ("kitti_q6_val.json", "tiny_kitti_q6_val.jsonl"),
        ("nuscenes_q6_val.json", "tiny_nuscenes_q6_val.jsonl"),
    ]


def test_the_very_name_wins(tmp_path: Path) -> None:
    gt, pred = folders(tmp_path, ["q6_val.json", "nuscenes_q6_val.json"], ["q6_val.jsonl"])
    assert [p.truth.name for p in pair_folders(gt, pred)[0]] == ["q6_val.json"]


def test_other_files_are_passed_over(tmp_path: Path) -> None:
    others = ["dataset_info.json", "manifest.json", "q6_val.jsonl.settings", "._q6_val.json"]
    gt, pred = folders(tmp_path, ["q6_val.json", *others], ["q6_val.jsonl", *others, "notes.txt"])
    (gt / "q7_images").mkdir()
    pairs, unpredicted = pair_folders(gt, pred)
    assert [p.prediction.name for p in pairs] == ["q6_val.jsonl"]
    assert not unpredicted


@pytest.mark.parametrize(
    ("truth", "prediction", "message"),
    [
        (["q6_val.json"], ["q7_val.json"], r"q7_val.json: pairs with no file .* task: none"),
        (["q6_val.json"], ["q6_train.json"], r"pairs with no file .* task: q6_val.json"),
        (
            ["kitti_q6_val.json", "once_q6_val.json"],
            ["q6_val.json"],
            "pairs with kitti_q6_val.json, once_q6_val.json of",
        ),
        (
            ["q6_val.json"],
            ["a_q6_val.json", "b_q6_val.json"],
            "a_q6_val.json and b_q6_val.json both pair with q6_val.json; keep one",
        ),
        (["q6_val.json"], ["q6_q7.json"], "found q6, q7"),
    ],
)
def test_a_doubtful_pair_is_refused(
    tmp_path: Path, truth: list[str], prediction: list[str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        pair_folders(*folders(tmp_path, truth, prediction))


def test_a_folder_without_answers_is_refused(tmp_path: Path) -> None:
    gt, _ = folders(tmp_path, ["q6_val.json"], ["notes.json"])
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        pair_folders(gt, tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"named after a task, .* found notes.json"):
        pair_folders(gt, tmp_path / "pred")


def test_task_is_a_whole_word_of_the_name() -> None:
    assert task_of(Path("nuscenes_planning_val.json")) == "planning"
    assert task_of(Path("v1.0-trainval_q6")) == "q6"
    with pytest.raises(ValueError, match=r"such as 'q6_val.json', found none; .* --task"):
        task_of(Path("q66_val.json"))


@pytest.mark.parametrize(
    ("truth", "tables", "found"),
    [
        ("nuscenes_planning_val.json", ["nuscenes_val", "kitti_val"], "nuscenes_val"),
        ("nuscenes/q6_val.json", ["nuscenes_train", "nuscenes_val"], "nuscenes_val"),
        ("nuscenes/unanswered/q4_val.jsonl", ["nuscenes_val"], "nuscenes_val"),
        (
            "mapillary_sls/q1_train.json",
            ["sls_train", "mapillary_sls_train"],
            "mapillary_sls_train",
        ),
        ("nuscenes_planning_val.json", ["nuscenes_train"], None),
        ("nuscenes_test.json", ["nuscenes_val"], None),
        ("kitti_planning_val.json", ["nuscenes_val"], None),
    ],
)
def test_a_clip_table_is_found_beside_the_samples(
    tmp_path: Path, truth: str, tables: list[str], found: str | None
) -> None:
    (tmp_path / "out" / "clips").mkdir(parents=True)
    for name in tables:
        (tmp_path / "out" / "clips" / f"{name}.parquet").touch()
    got = clip_table_beside(tmp_path / "out" / truth)
    assert (got.stem if got else None) == found


def test_files_in_folders_pair_as_generation_lays_them_out(tmp_path: Path) -> None:
    """The planning set lies above the other questions; prompts without answers are no truth."""
    for name in (
        "gt/nuscenes_planning_val.json",
        "gt/nuscenes/q6_val.json",
        "gt/kitti/q6_train.json",
        "gt/nuscenes/unanswered/q5_val.json",
        "pred/nuscenes_planning_val.jsonl",
        "pred/nuscenes_q6_val.jsonl",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    pairs, unpredicted = pair_folders(tmp_path / "gt", tmp_path / "pred")
    assert {pair.prediction.name: pair.truth.parent.name for pair in pairs} == {
        "nuscenes_planning_val.jsonl": "gt",
        "nuscenes_q6_val.jsonl": "nuscenes",
    }
    assert unpredicted == [tmp_path / "gt/kitti/q6_train.json"]
