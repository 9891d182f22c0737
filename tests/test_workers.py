import os
from collections.abc import Iterator

import pytest

from impromptu.workers import side_by_side


def half(number: int) -> float:
    if number == 13:
        os._exit(9)
    return number / 2


def taken(numbers: range, seen: list[int]) -> Iterator[int]:
    for number in numbers:
        seen.append(number)
        yield number


@pytest.mark.parametrize("workers", [1, 2])
def test_every_item_comes_back_with_its_result(workers: int) -> None:
    assert dict(side_by_side(half, range(10), workers)) == {n: n / 2 for n in range(10)}
    assert dict(side_by_side(half, [], workers)) == {}


def test_items_are_taken_only_as_workers_get_free() -> None:
    seen: list[int] = []
    results = side_by_side(half, taken(range(20, 1000), seen), 2)
    next(results)
    assert len(seen) <= 2 * 2 + 1
    results.close()  # type: ignore[attr-defined]


def test_a_worker_that_dies_is_one_clear_error() -> None:
    with pytest.raises(OSError, match="a worker process died"):
        list(side_by_side(half, [12, 13, 14], 2))
