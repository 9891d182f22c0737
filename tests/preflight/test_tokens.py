from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impromptu.preflight.tokens import ImageRule, kept_of_pair

QWEN25 = ImageRule(14, 2, 3_136, 12_845_056, 1_024, 262_144)
QWEN3 = ImageRule(16, 2, 65_536, 16_777_216, 1_024, 262_144)


@pytest.mark.parametrize(
    ("rule", "size", "tokens"),
    [
        (QWEN25, (56, 56), 4),  # 2 x 2 of 28 px
        (QWEN25, (280, 140), 50),
        (QWEN25, (1_600, 900), 24 * 14),  # 682 x 384 px is 24.4 x 13.7
        (QWEN25, (1, 1), 4),  # 32 x 32 px by the training, then 3,136 pixels by the processor
        (QWEN25, (10_000, 10), 180),  # 28 px high, then 180 times as wide
        (QWEN3, (512, 512), 256),  # 16 x 16 of 32 px
        (QWEN3, (64, 64), 64),  # 65,536 pixels at least
    ],
)
def test_tokens_of_an_image(rule: ImageRule, size: tuple[int, int], tokens: int) -> None:
    assert rule.tokens(size) == tokens


@given(
    st.integers(28, 3_000),
    st.integers(28, 3_000),
    st.integers(1, 4_000_000),
    st.integers(1, 4_000_000),
    st.sampled_from([14, 16]),
)
def test_tokens_are_those_of_transformers(
    width: int, height: int, least: int, most: int, patch_px: int
) -> None:
    qwen = pytest.importorskip("transformers.models.qwen2_vl.image_processing_qwen2_vl")
    least, most = sorted((least, most))
    rows, columns = qwen.smart_resize(height, width, 2 * patch_px, least, most)
    rule = ImageRule(patch_px, 2, least, most, 1, 10_000_000)
    assert rule.tokens((width, height)) == rows * columns // (2 * patch_px) ** 2


def test_so_thin_that_a_side_is_lost() -> None:
    assert QWEN25.tokens((1_000_000, 1)) is None
    assert QWEN25.tokens((1, 1_000_000)) is None


def test_the_processors_own_budget_comes_last() -> None:
    assert replace(QWEN25, max_pixels=56 * 56).tokens((1_600, 900)) == 2


@pytest.mark.parametrize(
    ("asked", "answered", "room", "kept"),
    [
        (100, 10, 60, (50, 10)),  # a short answer is kept whole
        (10, 100, 60, (10, 50)),
        (100, 100, 60, (30, 30)),  # both are cut by their share
        (10, 10, 60, (10, 10)),
        (0, 0, 1, (0, 0)),
    ],
)
def test_what_is_cut(asked: int, answered: int, room: int, kept: tuple[int, int]) -> None:
    assert kept_of_pair(asked, answered, room) == kept
