"""Stable categories, packs and their best keyframes, worked out by hand."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from tests.curation.conftest import drive, keyframe, table

from impromptu.curation.packs import FATES, Judged, judge
from impromptu.curation.recipe import CurationRecipe

RECIPE = CurationRecipe()
ALL, TWO, ONE, NONE = (3, 0, 0, 0), (2, 0, 0, 0), (1, 0, 0, 0), (0, 0, 0, 0)


def fates(judged: Judged) -> list[str]:
    return [FATES[code] for code in judged.fate]


def judged_drive(votes: Sequence[Any], recipe: CurationRecipe = RECIPE) -> Judged:
    return judge(table(drive("d/a", votes)), recipe)


def test_a_teacher_that_agrees_with_itself_all_along_gives_the_middle_of_the_pack() -> None:
    judged = judged_drive([ALL] * 5)
    assert fates(judged) == [*["not_best_of_pack"] * 2, "kept", *["not_best_of_pack"] * 2]
    assert judged.stands_in.tolist() == [2, 2, -1, 2, 2]
    assert judged.agreement[2] == 1
    assert judged.named.tolist() == [[True, False, False, False]] * 5


def test_repeats_must_agree() -> None:
    # One of three labels is not enough; and without any vote the scene is a standard one.
    judged = judged_drive([ALL, ALL, ONE, NONE, ALL, ALL])
    assert fates(judged)[2:4] == ["repeats_disagree", "standard"]
    judged = judged_drive([ALL, ALL, ONE, NONE, ALL, ALL], replace(RECIPE, repeat_share=0.3))
    assert fates(judged)[2:4] == ["not_best_of_pack", "standard"]


def test_neighbours_must_agree() -> None:
    # Around the lone one are four keyframes without: 0 of 4. Each of the two has 1 of 3 or 1 of 4.
    calm: list[Any] = [(), (), ()]
    assert fates(judged_drive([*calm, ALL, *calm]))[3] == "neighbours_disagree"
    assert fates(judged_drive([*calm, ALL, ALL, *calm]))[3:5] == ["neighbours_disagree"] * 2
    # The middle one of three has 2 of 4.
    assert fates(judged_drive([*calm, ALL, ALL, ALL, *calm]))[4] == "kept"
    none_asked = replace(RECIPE, neighbour_share=0.0)
    assert fates(judged_drive([*calm, ALL, *calm], none_asked))[3] == "kept"


def test_keyframes_that_nobody_knows_of_do_not_count_as_neighbours() -> None:
    rows = drive("d/a", [ALL, ALL, ALL])
    rows[1:2] = [rows[1] | {"state": "not_labelled", "labels": 0, "votes_unclear_boundaries": 0}]
    assert fates(judge(table(rows), RECIPE)) == ["kept", "not_labelled", "not_best_of_pack"]


def test_a_keyframe_without_any_neighbour_is_confirmed_by_nobody() -> None:
    assert fates(judge(table([keyframe("d/a/0", 0.0, ALL)]), RECIPE)) == ["neighbours_disagree"]


def test_agreement_is_the_mean_of_repeats_and_neighbours() -> None:
    # Of the second keyframe: 2 of 3 labels, and 2 of its 3 neighbours (two after, one before).
    judged = judged_drive([TWO, TWO, TWO, NONE])
    assert judged.agreement[1] == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert judged.agreement[0] == pytest.approx((2 / 3 + 1) / 2)
    assert fates(judged)[0] == "kept"


def test_packs_are_cut_at_gaps_and_at_their_length() -> None:
    at_s = [0, 0.5, 1, 1.5, 2, 4, 4.5, 5.5]
    rows = [keyframe(f"d/a/{k}", at, ALL) for k, at in enumerate(at_s)]
    judged = judge(table(rows), replace(RECIPE, pack_s=1.0))
    # 1.0 s begins another pack; the gap from 2 s to 4 s too; a gap of just 1.0 s is none.
    assert judged.pack.tolist() == [0, 0, 1, 1, 2, 3, 3, 4]
    assert judge(table(rows), RECIPE).pack.tolist() == [0, 0, 0, 0, 0, 1, 1, 1]
    packs = judge(table(drive("d/a", [()] * 62)), RECIPE).pack.tolist()
    assert packs == [0] * 30 + [1] * 30 + [2] * 2


def test_of_a_pack_the_most_agreed_on_stands_for_it_then_the_richest() -> None:
    # The fourth is named by all labels, as its neighbours are; the others by two of three.
    assert fates(judged_drive([TWO, TWO, TWO, ALL, TWO])).index("kept") == 3
    both = (3, 3, 0, 0)
    judged = judged_drive([*[both] * 5, *[ALL] * 6])
    # The sixth is in the middle; only the third has two categories and all neighbours for both.
    assert fates(judged).index("kept") == 2
    assert judged.named[2].tolist() == [True, True, False, False]


def test_logs_do_not_touch_each_other_and_rows_may_come_in_any_order() -> None:
    rows = [*drive("d/a", [ALL] * 3), *drive("d/b", [ALL, (), ()])]
    expected = [*["not_best_of_pack", "kept", "not_best_of_pack"], "neighbours_disagree"]
    assert fates(judge(table(rows), RECIPE))[:4] == expected
    mixed = [rows[k] for k in (2, 0, 1, 5, 3, 4)]
    judged = judge(table(mixed), RECIPE)
    assert [fates(judged)[k] for k in (1, 2, 0, 4)] == expected
    assert judged.stands_in.tolist() == [2, 2, -1, -1, -1, -1]


def test_what_never_came_to_a_label_says_why() -> None:
    states = ("no_image", "not_described", "not_identified", "not_labelled", "conventional")
    rows = [keyframe(f"d/a/{k}", k, state=state) for k, state in enumerate(states)]
    assert fates(judge(table(rows), RECIPE)) == list(states)


def test_two_keyframes_at_one_time_are_refused() -> None:
    rows = [keyframe("d/a/0", 1.0), keyframe("d/a/1", 1.0)]
    with pytest.raises(ValueError, match="d/a/0 and d/a/1: expected one keyframe of a log"):
        judge(table(rows), RECIPE)
