from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.review.conftest import CONDITIONS, RULES, drawn, label, write_lines

from impromptu.review.draw import even_shares, open_draw


@given(st.lists(st.integers(0, 50), max_size=8), st.integers(0, 200))
def test_shares_are_even_and_what_a_small_one_leaves_others_take(
    many: list[int], count: int
) -> None:
    sizes = dict(enumerate(many))
    shares = even_shares(sizes, count)
    assert sum(shares.values()) == min(count, sum(sizes.values()))
    assert all(0 <= shares[name] <= size for name, size in sizes.items())
    cut = [shares[name] for name, size in sizes.items() if shares[name] < size]
    assert not cut or max(shares.values()) <= min(cut) + 1


def test_a_rare_category_is_drawn_whole_and_each_stands_for_its_share(
    raw: Path, tmp_path: Path
) -> None:
    """Of 90 of rules, 8 standard scenes and 2 of conditions, 22 are drawn."""
    told = [[RULES]] * 90 + [[]] * 8 + [[CONDITIONS]] * 2
    rows = [label(n, *one) | {"images": [f"../raw/{n % 10}.jpg"]} for n, one in enumerate(told)]
    write_lines(tmp_path / "l/x.jsonl", rows)
    draw = drawn(tmp_path / "l", 22)
    assert Counter(item.stratum for item in draw.items) == {
        RULES: 12,
        "standard scene": 8,
        CONDITIONS: 2,
    }
    weights = {item.stratum: draw.weights[item.key] for item in draw.items}
    assert weights == {RULES: 90 / 12, "standard scene": 1, CONDITIONS: 1}
    assert draw.total == 100


def test_the_draw_is_of_the_seed_and_not_of_the_files_order(raw: Path, tmp_path: Path) -> None:
    rows = [label(n) | {"images": [f"../raw/{n % 10}.jpg"]} for n in range(300)]
    ids = {}
    for name, some, seed in (("a", rows, 0), ("b", rows[::-1], 0), ("c", rows, 1)):
        write_lines(tmp_path / f"{name}/x.jsonl", some)
        draw = open_draw(tmp_path / name, tmp_path / name / "review", 20, seed)
        ids[name] = [item.id for item in draw.items]
    assert ids["a"] == ids["b"] != ids["c"]
    assert len(set(ids["a"])) == 20 and ids["a"] != sorted(ids["a"])


def test_the_draw_stays_when_the_folder_grows_and_what_is_gone_is_told(
    labels: Path, raw: Path
) -> None:
    first = drawn(labels, 6)
    rows = [label(n) | {"id": f"kitti/0009/{n}"} for n in range(9)]
    write_lines(labels / "more.jsonl", rows)
    again = open_draw(labels, labels / "review", None, None)
    assert [item.key for item in again.items] == [item.key for item in first.items]
    assert again.weights == first.weights and again.total == 19
    next(place for place in first.items[0].places).unlink()
    less = open_draw(labels, labels / "review", None, None)
    assert less.gone == [first.items[0].id] and len(less.items) == 5


def test_another_draw_beside_decisions_is_refused(labels: Path) -> None:
    drawn(labels, 6)
    with pytest.raises(ValueError, match="a draw of 6 with seed 0 is kept here"):
        open_draw(labels, labels / "review", 7, None)
    (labels / "review/draw.json").write_text("{}")
    with pytest.raises(ValueError, match="not a draw"):
        open_draw(labels, labels / "review", None, None)


def test_nothing_to_review_says_why(tmp_path: Path) -> None:
    write_lines(tmp_path / "l/x.jsonl", [label(1)])
    with pytest.raises(ValueError, match="nothing to review\n1 not reviewed: image_missing"):
        drawn(tmp_path / "l")
