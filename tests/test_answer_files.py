"""Pairing of files by their names, and joining of answers by id."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from impromptu.answer_files import Pair, clip_table_beside, join, pair_folders, task_of

Row = dict[str, Any]


def samples(*ids: str, **more: str) -> list[Row]:
    return [
        {
            "id": name,
            "images": [],
            "messages": [
                {"role": "user", "content": "?"},
                {"role": "assistant", "content": f"true {name}"},
            ],
        }
        | more
        for name in ids
    ]


def predictions(*ids: str) -> list[Row]:
    return [{"id": name, "predict": f"said {name}", "finish_reason": "stop"} for name in ids]


def as_list(path: Path, rows: Sequence[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(list(rows)), encoding="utf-8")
    return path


def as_lines(path: Path, rows: Sequence[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def folders(tmp_path: Path, truth: Sequence[str], prediction: Sequence[str]) -> tuple[Path, Path]:
    for side, names in (("gt", truth), ("pred", prediction)):
        for name in names:
            as_list(tmp_path / side / name, [])
    return tmp_path / "gt", tmp_path / "pred"


def pair_of(tmp_path: Path, truth: Sequence[Row], prediction: Sequence[Row]) -> Pair:
    return Pair(
        "q6", as_list(tmp_path / "g.json", truth), as_lines(tmp_path / "p.jsonl", prediction)
    )


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


def test_answers_join_by_id_in_any_order(tmp_path: Path) -> None:
    got = join(pair_of(tmp_path, samples("a", "b", "c"), predictions("c", "a")))
    assert got.joined_by == "id"
    assert [(a.id, a.true, a.predicted) for a in got.answers] == [
        ("a", "true a", "said a"),
        ("b", "true b", None),
        ("c", "true c", "said c"),
    ]


def test_without_ids_answers_join_by_order_when_counts_match(tmp_path: Path) -> None:
    rows = [{"predict": "first"}, {"predict": "second"}]
    got = join(pair_of(tmp_path, samples("a", "b"), rows))
    assert got.joined_by == "order"
    assert [a.predicted for a in got.answers] == ["first", "second"]


@pytest.mark.parametrize("count", [1, 3])
def test_without_ids_other_counts_are_refused(tmp_path: Path, count: int) -> None:
    rows = [{"predict": "x"}] * count
    with pytest.raises(ValueError, match=rf"{count} predictions without 'id' for 2 samples"):
        join(pair_of(tmp_path, samples("a", "b"), rows))


def test_old_samples_without_ids_join_by_order(tmp_path: Path) -> None:
    rows = samples("a", "b")
    for row in rows:
        del row["id"]
    got = join(pair_of(tmp_path, rows, [{"predict": "x"}, {"predict": "y"}]))
    assert [(a.id, a.predicted) for a in got.answers] == [("0", "x"), ("1", "y")]


def test_repeated_ids_of_samples_still_join_by_order(tmp_path: Path) -> None:
    got = join(pair_of(tmp_path, samples("a", "a"), [{"predict": "x"}, {"predict": "y"}]))
    assert [a.predicted for a in got.answers] == ["x", "y"]


def test_an_answer_that_failed_to_be_made_is_missing(tmp_path: Path) -> None:
    rows = predictions("a", "b")
    rows[0] |= {"predict": "", "finish_reason": "error"}
    got = join(pair_of(tmp_path, samples("a", "b"), rows))
    assert [a.predicted for a in got.answers] == [None, "said b"]


def test_either_content_is_read_under_any_name(tmp_path: Path) -> None:
    truth = as_lines(tmp_path / "gt" / "q6_val", samples("a"))
    prediction = as_list(tmp_path / "pred" / "q6_val.jsonl", predictions("a"))
    assert join(Pair("q6", truth, prediction)).answers[0].predicted == "said a"


def test_the_preset_of_the_true_answers_is_told(tmp_path: Path) -> None:
    plain = join(pair_of(tmp_path, samples("a"), predictions("a")))
    marked = join(pair_of(tmp_path, samples("a", preset="released"), predictions("a")))
    assert (plain.preset, marked.preset) == ("", "released")


def test_an_empty_prediction_file_misses_all(tmp_path: Path) -> None:
    got = join(pair_of(tmp_path, samples("a", "b"), []))
    assert [a.predicted for a in got.answers] == [None, None]


def test_predictions_nobody_asked_for_are_set_aside(tmp_path: Path) -> None:
    got = join(pair_of(tmp_path, samples("a", "b"), predictions("z", "a", "y")))
    assert got.extra == ("z", "y")
    assert [answer.predicted for answer in got.answers] == ["said a", None]


def test_the_same_prediction_twice_is_one_and_two_different_ones_are_none(tmp_path: Path) -> None:
    rows = [*predictions("a", "a", "b"), {"id": "b", "predict": "something else"}]
    got = join(pair_of(tmp_path, samples("a", "b"), rows))
    assert got.repeated == ("a",)
    assert [(a.predicted, a.fault) for a in got.answers] == [
        ("said a", ""),
        (None, "predicted_twice"),
    ]


@pytest.mark.parametrize("said", [3, None, ["x"], {"text": "x"}])
def test_a_prediction_that_is_no_text_is_told_from_a_missing_one(
    tmp_path: Path, said: object
) -> None:
    got = join(pair_of(tmp_path, samples("a"), [{"id": "a", "predict": said}]))
    assert [(a.predicted, a.fault) for a in got.answers] == [(None, "not_text")]


def test_the_prompt_comes_along(tmp_path: Path) -> None:
    rows = samples("a")
    got = join(pair_of(tmp_path, rows, predictions("a")))
    assert got.answers[0].prompt == rows[0]["messages"][0]["content"]


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


MANY = [f"x{k}" for k in range(7)]


@pytest.mark.parametrize(
    ("truth", "prediction", "message"),
    [
        (samples("a", "a"), predictions("a"), r"g.json: row 2: id 'a' comes twice"),
        (samples("a"), predictions("z"), r"p.jsonl: 1 ids are not in .*g.json, first z;"),
        (samples("a"), predictions(*MANY), r"7 ids .* first x0, x1, x2, x3, x4 and 2 more;"),
        (samples("a", "b"), [*predictions("a"), {"predict": "x"}], r"p.jsonl: line 2: no 'id'"),
        (samples("a"), [{"id": "a"}], r"p.jsonl: line 1: expected .* 'predict', got {'id"),
        (samples("a"), ["a"], r"p.jsonl: line 1: expected an object, got 'a'"),
        ([], predictions("a"), r"g.json: no samples in it"),
        ([{"id": "a", "messages": []}], predictions("a"), r"g.json: row 1: a: 'messages' must"),
    ],
)
def test_bad_rows_are_refused_with_their_place(
    tmp_path: Path, truth: list[Row], prediction: list[Row], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        join(pair_of(tmp_path, truth, prediction))


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    pair = pair_of(tmp_path, samples("a"), predictions("a"))
    text = pair.truth.read_text(encoding="utf-8")
    pair.truth.write_text(text[:-20], encoding="utf-8")
    with pytest.raises(ValueError, match=r"g.json:1:\d+: not valid JSON"):
        join(pair)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    pair = pair_of(tmp_path, samples("a"), predictions("a"))
    pair.prediction.write_bytes(b'{"id": "a", "predict": "\xff"}\n')
    with pytest.raises(ValueError, match=r"p.jsonl: expected UTF-8 text, byte 24 is not"):
        join(pair)


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
