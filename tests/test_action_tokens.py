import json
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from impromptu.action_tokens import (
    TOKEN,
    Codebook,
    Kind,
    errors_m,
    fit,
    load_codebook,
    places_m,
    save_codebook,
)

EVEN = Codebook("uniform", tuple(range(-20, 401, 20)), tuple(range(-100, 101, 10)))
UNEVEN = Codebook("quantile", (-7, 0, 1, 2, 5, 60, 300), (-250, -3, 0, 3, 250))
books = st.sampled_from([EVEN, UNEVEN])


@st.composite
def within(draw: st.DrawFn) -> tuple[Codebook, NDArray[np.float64]]:
    """A codebook, and a path whose steps are all between its least and greatest."""
    book = draw(books)
    axes = [
        draw(st.lists(st.floats(cm[0] / 100, cm[-1] / 100), min_size=10, max_size=10))
        for cm in (book.x_cm, book.y_cm)
    ]
    return book, np.cumsum(np.array(axes).T, axis=0)


@given(within())
def test_what_is_in_range_comes_out_within_the_bound(
    case: tuple[Codebook, NDArray[np.float64]],
) -> None:
    book, path_m = case
    text, clipped = book.write(path_m)
    assert not clipped
    assert (np.abs(places_m(text) - path_m) <= book.bound_m + 1e-9).all()
    assert book.write(places_m(text))[0] == text
    assert "-0.00" not in text and set(TOKEN.findall(text)) <= {
        tuple(TOKEN.findall(token)[0]) for token in book.tokens
    }


def test_steps_make_up_for_the_errors_before_them() -> None:
    # 0.33 m a step, with steps of 0.2 m: 0.4 is nearest, then 0.26, 0.39 - 0.2 = 0.19 ... remain.
    path_m = np.stack([0.33 * np.arange(1, 6), np.zeros(5)], axis=1)
    assert EVEN.steps_cm(path_m[None])[0, :, 0].tolist() == [40, 20, 40, 40, 20]
    assert EVEN.steps_cm(path_m[None], tracking=False)[0, :, 0].tolist() == [40] * 5
    np.testing.assert_allclose(errors_m(EVEN, [path_m]), [[0.07, 0.06, 0.01, 0.08, 0.05]])
    alone_m = errors_m(EVEN, [path_m], tracking=False)
    np.testing.assert_allclose(alone_m, [[0.07, 0.14, 0.21, 0.28, 0.35]])


@pytest.mark.parametrize("step_m", [(4.2, 0.0), (0.0, -1.2), (-0.4, 0.0)])
def test_what_is_out_of_range_is_clipped_and_told(step_m: tuple[float, float]) -> None:
    text, clipped = EVEN.write(np.cumsum([step_m] * 3, axis=0))
    assert clipped
    np.testing.assert_allclose(places_m(text)[-1], 3 * np.clip(step_m, [-0.2, -1], [4, 1]))


def test_one_step_too_long_is_caught_up_but_told() -> None:
    path_m = np.array([[4.5, 0.0], [5.0, 0.0], [6.0, 0.0]])
    text, clipped = EVEN.write(path_m)
    assert clipped
    np.testing.assert_allclose(places_m(text), [[4.0, 0], [5.0, 0], [6.0, 0]])


def test_a_car_that_stands_is_told_exactly() -> None:
    text, clipped = UNEVEN.write(np.zeros((2, 2)))
    assert (text, clipped) == ("<|x+0.00|><|y+0.00|>" * 2, False)


@given(st.text(alphabet="<|>xy+-.0123456789 \n", max_size=120))
def test_any_text_has_some_places(text: str) -> None:
    assert places_m(text).shape[1:] == (2,)


def test_places_end_at_the_first_token_out_of_turn() -> None:
    pair = "<|x+1.00|><|y-0.50|>"
    assert places_m(pair + "<|y+1.00|>" + pair).tolist() == [[1.0, -0.5]]
    assert places_m(pair + "<|x+1.00|>").tolist() == [[1.0, -0.5]]
    assert places_m("<|y+1.00|>" + pair).tolist() == []


def test_uniform_steps_are_as_few_centimetres_apart_as_can_be() -> None:
    book = fit(np.array([[0.0, -0.15], [1.0, 0.2]]), "uniform", 11)
    assert book.x_cm == tuple(range(0, 101, 10))
    # As if mirrored too: 4 cm apart it is -20 ... 20, 11 steps; 3 cm apart -21 ... 21, 15.
    assert book.y_cm == tuple(range(-20, 21, 4))
    assert book.bound_m.tolist() == [0.05, 0.02]


def test_quantile_steps_are_where_the_data_are() -> None:
    x_m = np.r_[np.zeros(50), np.full(49, 2.0), 9.0]
    book = fit(np.stack([x_m, x_m], axis=1), "quantile", 15)
    assert book.x_cm == (0, 200, 900)
    assert book.y_cm == (-900, -200, 0, 200, 900)


@pytest.mark.parametrize("kind", ["uniform", "quantile"])
def test_steps_reach_at_least_the_speed_that_is_wanted(kind: Kind) -> None:
    steps_m = np.array([[0.0, 0.1], [4.0, 0.2]])
    assert fit(steps_m, kind, 101, fastest_mps=20.0).x_cm[-1] == 1000
    assert fit(steps_m, kind, 101, fastest_mps=2.0).x_cm[-1] == 400
    with pytest.raises(ValueError, match="expected a speed"):
        fit(steps_m, kind, 101, fastest_mps=-1.0)


@given(
    st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), min_size=1, max_size=40),
    st.sampled_from(get_args(Kind)),
    st.integers(4, 60),
)
def test_a_fitted_codebook_has_few_enough_tokens_and_clips_nothing_of_its_own(
    steps: list[tuple[float, float]], kind: Kind, bins: int
) -> None:
    steps_m = np.array(steps)
    book = fit(steps_m, kind, bins)
    assert max(len(book.x_cm), len(book.y_cm)) <= bins
    assert len(set(book.tokens)) == len(book.tokens)
    assert not book.write(np.cumsum(steps_m, axis=0))[1]


def test_nothing_to_fit() -> None:
    with pytest.raises(ValueError, match="no step"):
        fit(np.zeros((0, 2)), "uniform", 9)
    with pytest.raises(ValueError, match="at least 4"):
        fit(np.zeros((1, 2)), "uniform", 3)


def test_a_codebook_is_read_as_it_was_written(tmp_path: Path) -> None:
    save_codebook(tmp_path / "a.json", UNEVEN, {"fitted_to": {"samples": 3}})
    assert load_codebook(tmp_path / "a.json") == UNEVEN


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"kind": "kmeans"}, "uniform or quantile"),
        ({"x_cm": [1, 2]}, "x_cm: expected two or more rising"),
        ({"x_cm": [0, 5, 3]}, "rising"),
        ({"y_cm": [0, 0.5]}, "y_cm: .*whole"),
        ({"y_cm": [0, None]}, "y_cm"),
        ({"y_cm": [0, 100_000]}, "y_cm"),
        ({"y_cm": [0]}, "two or more"),
        ({"y_cm": 7}, "expected lists"),
    ],
)
def test_what_is_no_codebook(tmp_path: Path, change: dict[str, object], complaint: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"kind": "uniform", "x_cm": [0, 5], "y_cm": [0, 5]} | change))
    with pytest.raises(ValueError, match=complaint):
        load_codebook(path)


def test_another_file_is_no_codebook(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("[]")
    with pytest.raises(ValueError, match="fit-actions"):
        load_codebook(path)
