"""Joining of answers by id."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from impromptu.answer_files import join
from impromptu.answer_pairs import Pair

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


def pair_of(tmp_path: Path, truth: Sequence[Row], prediction: Sequence[Row]) -> Pair:
    return Pair(
        "q6", as_list(tmp_path / "g.json", truth), as_lines(tmp_path / "p.jsonl", prediction)
    )


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
