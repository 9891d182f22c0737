"""The manifest as tables: every count, nothing lost silently."""

from typing import Any

from impromptu.report.losses import Asked, losses


def test_every_loss_has_its_place(manifest: dict[str, Any]) -> None:
    (split,) = losses(manifest)
    assert (split.name, split.logs, split.clips) == ("kitti train", 3, 61)
    assert split.failed == [("0007", "oxts/0007.txt: row 3: expected 30 columns, got 29")]
    assert split.keyframes_dropped == "5 gap, 2 no_pose"
    assert split.questions == [Asked("q7", 61, 41, 20, "14 future_under_5s, 6 past_under_1.5s")]
    (row,) = split.questions
    assert row.asked == row.samples + row.dropped


def test_it_is_told_who_answers_what_no_log_tells(manifest: dict[str, Any]) -> None:
    entry = manifest["datasets"]["kitti"]["train"]
    tally = {"asked": 9, "samples": 8, "dropped": {"teacher_empty": 1}}
    waiting = {"asked": 9, "samples": 9, "dropped": {}}
    told = entry | {
        "questions": {"q3": tally, "q4": waiting},
        "files": {f"kitti/unanswered/{task}_train.json": 9 for task in ("q3", "q4")},
        "teachers": {"q3": {"model": "a model"}},
    }
    (split,) = losses(manifest | {"datasets": {"kitti": {"train": told}}})
    reasons = [one.reasons for one in split.questions]
    assert reasons == ["1 teacher_empty; answered by a model", "waits for a teacher"]


def test_no_dataset_no_rows(manifest: dict[str, Any]) -> None:
    assert losses(manifest | {"datasets": {}}) == []
