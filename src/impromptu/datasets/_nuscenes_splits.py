"""The official split of each nuScenes scene."""

# Scene numbers of the official lists (nuscenes.utils.splits); a range may span numbers that do
# not exist. All other scenes are train.
_VAL = (
    (3, 3), (12, 18), (35, 39), (92, 110), (221, 221), (268, 278), (329, 332), (344, 346),
    (519, 524), (552, 565), (625, 638), (770, 784), (794, 802), (904, 931), (962, 972),
    (1059, 1073),
)  # fmt: skip
_TEST = (
    (77, 91), (111, 119), (140, 148), (265, 266), (279, 282), (307, 314), (333, 343), (481, 498),
    (547, 551), (601, 624), (827, 846), (932, 943), (1026, 1043),
)  # fmt: skip


def split_of(scene: str) -> str:
    """Return the official split of a scene such as ``scene-0061``, whichever version holds it."""
    digits = scene.rpartition("-")[2]
    number = int(digits) if digits.isdecimal() else 0
    for split, ranges in ("val", _VAL), ("test", _TEST):
        if any(first <= number <= last for first, last in ranges):
            return split
    return "train"
