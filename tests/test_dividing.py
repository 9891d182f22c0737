from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from impromptu.dividing import LogContent, distribution, divide, tied, ties

SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}


def log(clips: int, **strata: int) -> LogContent:
    return LogContent(clips, Counter(strata))


def test_shares_hold_of_the_whole_and_of_every_category() -> None:
    """100 logs of 10 clips; every tenth is of rain, every fifth at night."""
    logs = {
        f"a/{at:03d}": log(10, rain=10 * (at % 10 == 0), night=5 * (at % 5 == 0))
        for at in range(100)
    }
    split_of = divide(logs, [], SHARES, 0)
    found = distribution(logs, split_of)
    assert {name: counts["clips"] for name, counts in found.items()} == {
        "train": 800,
        "val": 100,
        "test": 100,
    }
    assert {name: counts["rain"] for name, counts in found.items()} == {
        "train": 80,
        "val": 10,
        "test": 10,
    }
    assert [found[name]["night"] for name in SHARES] == [80, 10, 10]


def test_the_seed_decides() -> None:
    logs = {f"a/{at:03d}": log(10) for at in range(100)}
    assert divide(logs, [], SHARES, 1) == divide(logs, [], SHARES, 1)
    assert divide(logs, [], SHARES, 1) != divide(logs, [], SHARES, 2)


def test_logs_that_belong_together_stay_together() -> None:
    logs = {f"a/{at}": log(10) for at in range(10)}
    pairs = [[f"a/{at}", f"a/{at + 5}"] for at in range(5)]
    for seed in range(5):
        split_of = divide(logs, pairs, SHARES, seed)
        assert all(split_of[one] == split_of[other] for one, other in pairs)
        assert set(split_of.values()) == set(SHARES)


def test_two_logs_are_one_for_training_and_one_to_measure() -> None:
    split_of = divide({"a/0": log(50), "a/1": log(40)}, [], {"train": 0.9, "val": 0.1}, 0)
    assert split_of == {"a/0": "train", "a/1": "val"}
    assert divide({"a/0": log(5)}, [], {"train": 0.9, "val": 0.1}, 0) == {"a/0": "train"}


@given(
    st.dictionaries(
        st.text("abc", min_size=1, max_size=3),
        st.tuples(st.integers(1, 50), st.dictionaries(st.sampled_from("xyz"), st.integers(0, 9))),
        min_size=1,
        max_size=30,
    ),
    st.integers(0, 3),
)
def test_every_log_has_one_split(logs: dict[str, tuple[int, dict[str, int]]], seed: int) -> None:
    contents = {name: LogContent(clips, Counter(strata)) for name, (clips, strata) in logs.items()}
    split_of = divide(contents, [], SHARES, seed)
    assert split_of.keys() == logs.keys()
    assert len(set(split_of.values())) == min(3, len(logs))


def test_ties_need_so_many_shared_keys() -> None:
    keys, logs = np.array([1, 2, 3, 1, 2, 3, 3, 9, 9]), np.array([0, 0, 0, 1, 1, 1, 2, 2, 2])
    assert ties(keys, logs, 1).tolist() == [[0, 1], [1, 2]]
    assert ties(keys, logs, 3).tolist() == [[0, 1]]
    assert ties(keys[:0], logs[:0], 1).tolist() == []


def test_ties_make_groups() -> None:
    assert tied(np.array([[0, 3], [3, 4], [1, 2]]), 6) == [[0, 3, 4], [1, 2]]
