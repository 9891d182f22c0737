from collections import Counter

from impromptu.miniature.unusual import FIRST, LAST, plant
from impromptu.taxonomy import NAMES


def test_every_third_log_is_ordinary_and_every_third_shows_two_at_once() -> None:
    planted = plant(f"d/{log}/{k:03d}" for log in range(6) for k in range(40))
    of = {log: Counter(planted[f"d/{log}/{k:03d}"] for k in range(40)) for log in range(6)}
    assert of[0] == of[3] == {(): 40}
    assert of[1] == {(): 20, (NAMES[1],): LAST - FIRST}
    assert of[2] == {(): 20, (NAMES[2],): 10, (NAMES[2], NAMES[3]): 10}
    assert of[5] == {(): 20, (NAMES[1],): 10, (NAMES[1], NAMES[2]): 10}
    assert planted[f"d/1/{FIRST - 1:03d}"] == () != planted[f"d/1/{FIRST:03d}"]
