"""What every log must come to, whichever dataset it is of."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from impromptu.clip import Clip
from impromptu.datasets import Dataset, Dropped, Log, LogError, keyframes, synthetic

NAMES = [f"synthetic/braking/{row:02d}" for row in range(24)]


def named(names: list[str]) -> Dataset:
    """Return a dataset whose clips are called as asked."""

    def clips(log: Log) -> Iterator[Clip | Dropped]:
        for name, item in zip(names, synthetic.clips(log), strict=False):
            yield replace(item, id=name)

    return replace(synthetic.DATASET, clips=clips)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return next(log for log in synthetic.logs(tmp_path, tmp_path) if log.id == "braking")


def test_names_are_those_of_the_dataset(log: Log) -> None:
    assert [item.id for item in keyframes(named(NAMES), log)] == NAMES


@pytest.mark.parametrize("name", ["synthetic/braking/a/b", "synthetic/braking", NAMES[0]])
def test_a_name_with_a_slash_or_a_second_time_is_a_fault(log: Log, name: str) -> None:
    with pytest.raises(LogError, match="expected a name without a slash that no other has"):
        list(keyframes(named([*NAMES[:3], name]), log))


def test_a_loss_may_have_the_name_of_a_clip(log: Log) -> None:
    def clips(log: Log) -> Iterator[Clip | Dropped]:
        yield from synthetic.clips(log)
        yield Dropped(NAMES[0], "listed_twice")

    assert len(list(keyframes(replace(synthetic.DATASET, clips=clips), log))) == 25


def test_an_input_that_is_no_file_is_named(log: Log, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name, what in (("link", "a link that leads to none"), (".", "none"), ("gone", "none")):
        with pytest.raises(LogError, match=f"expected a file, but it is {what}: download"):
            list(keyframes(synthetic.DATASET, replace(log, inputs=(tmp_path / name,))))
