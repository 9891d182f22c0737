"""The arithmetic of published tables: averages, conversions, and rows that were withdrawn.

Figures only, as printed: `nuscenes_l2.csv` and `neuroncap.csv` are the tables that this pipeline's
authors published, `reference_l2.csv` what the methods' own papers or their reviewers report.
"""

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from impromptu import report
from impromptu.clip import STEP_S, Trajectory
from impromptu.metrics import Metric, l2_lightemma, l2_stp3, l2_uniad

HERE = Path(__file__).parent
PACKAGED = Path(report.__file__).parent / "published"
HALF_CENT = 0.005 + 1e-9
"""A printed value is off by up to half of its last decimal."""
Row = Mapping[str, str]


def rows(name: str) -> list[Row]:
    path = PACKAGED / name if (PACKAGED / name).exists() else HERE / name
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def cells_m(row: Row) -> list[float]:
    return [float(row[f"l2_{s}s_m"]) for s in (1, 2, 3)]


L2 = rows("nuscenes_l2.csv")
NEURONCAP = rows("neuroncap.csv")


def of(method: str) -> Row:
    return next(row for row in L2 if row["method"] == method)


@pytest.mark.parametrize("row", L2 + rows("reference_l2.csv"), ids=lambda row: row["method"])
def test_an_average_is_that_of_its_printed_cells(row: Row) -> None:
    # Cells and average are each rounded, so they may differ by one of the last decimal.
    assert abs(np.mean(cells_m(row)) - float(row["l2_avg_m"])) <= 2 * HALF_CENT


def test_the_best_rows_rest_on_unrounded_values() -> None:
    best = [row for row in L2 if row["method"].endswith("Impromptu+nuScenes")]
    assert [row["l2_avg_m"] for row in best] == ["0.30", "0.30"]
    # From the printed cells it would be .307 and .310.
    assert [round(float(np.mean(cells_m(row))), 3) for row in best] == [0.307, 0.31]


def figures(metric: Metric, errors_m: list[float]) -> dict[str, float | None]:
    t_s = STEP_S * np.arange(1, 7)
    told = Trajectory(t_s, np.stack([errors_m, np.zeros(6)], axis=1))
    return metric.compare([told], [Trajectory(t_s, np.zeros((6, 2)))])


@pytest.mark.parametrize(
    ("method", "stp3"),
    [("GPT-4o", (0.28, 0.61, 1.08, 0.65)), ("Qwen-2.5-VL-7B-Instruct", (0.46, 0.90, 1.45, 0.93))],
)
def test_rows_within_each_second_convert_to_means_up_to_it(
    method: str, stp3: tuple[float, ...]
) -> None:
    """The table has rows of arXiv 2505.00284 among others of ST-P3's convention."""
    within = cells_m(of(method))
    errors_m = [error for error in within for _ in range(2)]
    printed = figures(l2_lightemma.METRIC, errors_m)
    assert [printed[f"{s}s"] for s in (1, 2, 3)] == pytest.approx(within)
    assert abs(float(of(method)["l2_avg_m"]) - (printed["avg"] or 0)) <= 2 * HALF_CENT
    converted = figures(l2_stp3.METRIC, errors_m)
    assert list(converted.values()) == pytest.approx(stp3, abs=HALF_CENT)


def test_a_row_within_each_second_looks_much_worse_than_it_is() -> None:
    theirs = [row for row in L2 if row["source"] == "arXiv:2505.00284"]
    assert len(theirs) == 10
    for row in theirs:
        l1, l2, l3 = cells_m(row)
        converted = np.mean([l1, (l1 + l2) / 2, (l1 + l2 + l3) / 3])
        assert converted < 0.7 * float(row["l2_avg_m"])


def test_two_models_have_one_row() -> None:
    assert cells_m(of("Gemini-2.5-Pro")) == cells_m(of("DeepSeek-VL2-28B"))


def test_bev_planner_is_the_one_with_ego_status() -> None:
    own = {row["method"]: row for row in rows("reference_l2.csv")}
    assert cells_m(of("BEV-Planner")) == cells_m(own["BEV-Planner++"])
    assert cells_m(of("BEV-Planner")) != cells_m(own["BEV-Planner"])


def test_uniad_is_larger_at_a_time_than_up_to_it() -> None:
    """UniAD's own row is of errors at 1, 2, 3 s; the table's is of means up to them, and less."""
    own = next(row for row in rows("reference_l2.csv") if row["method"] == "UniAD")
    assert all(a < b for a, b in zip(cells_m(of("UniAD")), cells_m(own), strict=True))
    # With errors that grow steadily both follow from one run.
    errors_m = [0.27, 0.48, 0.72, 0.96, 1.30, 1.65]
    at, up_to = (figures(metric, errors_m) for metric in (l2_uniad.METRIC, l2_stp3.METRIC))
    assert list(at.values()) == pytest.approx([*cells_m(own), 1.03], abs=HALF_CENT)
    assert list(up_to.values()) == pytest.approx([0.375, 0.6075, 0.8967, 0.6264], abs=1e-3)


KINDS = ("stationary", "frontal", "side")


def neuroncap(edition: str, method: str, quantity: str) -> tuple[list[float], float]:
    row = next(r for r in NEURONCAP if (r["edition"], r["method"]) == (edition, method))
    cells = [float(row[f"{quantity}_{kind}"]) for kind in KINDS]
    return cells, float(row[f"{quantity}_avg"])


@pytest.mark.parametrize("quantity", ["score", "collision_pct"])
@pytest.mark.parametrize(
    ("edition", "method"),
    [
        ("first", "UniAD"),
        ("first", "VAD"),
        ("restated", "Base+nuScenes"),
        ("restated", "Base+Impromptu+nuScenes"),
    ],
)
def test_neuroncap_averages_are_plain_means_of_the_three_kinds(
    edition: str, method: str, quantity: str
) -> None:
    cells, average = neuroncap(edition, method, quantity)
    last = 0.01 if quantity == "score" else 0.1
    assert abs(np.mean(cells) - average) <= last + 1e-9


@pytest.mark.parametrize("quantity", ["score", "collision_pct"])
@pytest.mark.parametrize("method", ["Base+nuScenes", "Base+Impromptu+nuScenes"])
def test_the_first_rows_of_neuroncap_fit_another_header(method: str, quantity: str) -> None:
    """Under its own header a row does not add up; read as kinds first, average last, it does.

    Then the average weighs the stationary kind double, as it has twice as many scenarios. The
    authors withdrew the row of Base+nuScenes, and restated both.
    """
    (stationary, frontal, side), average = neuroncap("first", method, quantity)
    last = 0.01 if quantity == "score" else 0.1
    assert abs(np.mean([stationary, frontal, side]) - average) > 2 * last
    printed = average, stationary, frontal, side  # from left to right
    assert abs(np.dot([0.5, 0.25, 0.25], printed[:3]) - printed[3]) <= last / 2 + 1e-9
    assert neuroncap("restated", method, quantity)[1] != average


def test_the_withdrawn_row_was_much_too_good() -> None:
    (_, first), (_, restated) = (
        neuroncap(edition, "Base+nuScenes", "score") for edition in ("first", "restated")
    )
    assert (first, restated) == (1.77, 0.75)
