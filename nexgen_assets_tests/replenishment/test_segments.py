"""Segments of order lines: by money, by how weeks vary, and by how demand comes about."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from nexgen_assets.replenishment.segments import DAYS, with_segments
from nexgen_assets.replenishment.segments import week_variation as variation_of
from nexgen_assets.tables import WEEKDAY_LAGS


def rows_of(daily: list[np.ndarray], prices: list[float | None], costs: list[float | None] | None = None) -> pa.Table:
    """Features of series from their daily demand, the last day last, as their declarations say."""
    last, weeks = [of[-DAYS:] for of in daily], [of[-56:].reshape(8, 7) for of in daily]
    columns: dict[str, Any] = {
        "demand_mean_91": [of.mean() for of in last],
        "demand_sd_91": [of.std() for of in last],
        "zero_share_91": [(of == 0).mean() for of in last],
        "unit_price": pa.array(prices, pa.float32()),
        "unit_cost": pa.array(costs or [None] * len(daily), pa.float64()),
    }
    return pa.table(columns | {f"weekday_mean_{k}": [of[:, 6 - k].mean() for of in weeks] for k in WEEKDAY_LAGS})


def level(units: float) -> np.ndarray:
    return np.full(DAYS, units)


def test_the_classes_abc_go_by_money_not_by_units() -> None:
    rows = rows_of([level(10), level(100), level(1)], [10.0, 0.2, 0.5])

    # 100, 20 and 0.5 money a day: the first reaches 80 % alone, the second 95 %
    assert with_segments(rows, 0.3)["abc_class"].to_pylist() == ["A", "B", "C"]


def test_a_product_without_a_price_is_worth_what_its_cost_makes_of_it() -> None:
    rows = rows_of([level(1), level(1)], [None, 1.0], [70.0, None])

    assert with_segments(rows, 0.3)["abc_class"].to_pylist() == ["A", "C"]


def test_without_any_price_the_classes_abc_go_by_units() -> None:
    rows = rows_of([level(1), level(90)], [None, None])

    assert with_segments(rows, 0.3)["abc_class"].to_pylist() == ["C", "A"]


def test_a_profile_within_the_week_is_no_variation() -> None:
    rows = rows_of([np.tile([1.0, 0, 0, 2, 5, 30, 12], 13)], [1.0])

    assert variation_of(rows)[0] == pytest.approx(0, abs=1e-7)
    assert with_segments(rows, 0.3)["xyz_class"].to_pylist() == ["X"]


@pytest.mark.parametrize(("daily_mean", "expected"), [(5.0, "X"), (0.3, "Y"), (0.05, "Z")])
def test_the_variation_of_a_week_is_that_of_its_sums(daily_mean: float, expected: str) -> None:
    rng = np.random.default_rng(5)
    daily = [rng.poisson(daily_mean, DAYS).astype(float) for _ in range(4_000)]
    rows = rows_of(daily, [1.0] * len(daily))
    rows = rows.filter(pa.array(np.asarray(rows["demand_mean_91"]) > 0))
    weeks = np.array([of.reshape(13, 7).sum(axis=1) for of in daily if of.any()])

    assert np.median(variation_of(rows)) == pytest.approx(np.median(weeks.std(axis=1) / weeks.mean(axis=1)), rel=0.1)
    classes = with_segments(rows, 0.3)["xyz_class"].to_pylist()
    assert max(set(classes), key=classes.count) == expected


def test_what_has_not_sold_is_dormant_and_hardly_to_be_forecast() -> None:
    [row] = with_segments(rows_of([level(0)], [1.0]), 0.3).to_pylist()

    assert (row["abc_class"], row["xyz_class"], row["demand_class"]) == ("C", "Z", "dormant")


def test_demand_classes_are_those_of_the_intervals_and_sizes_of_demand() -> None:
    rng = np.random.default_rng(2)
    often, rarely = np.ones(DAYS), np.tile([1.0, 0, 0, 0, 0, 0, 0], 13)
    wild = rng.permutation(np.r_[np.ones(80), np.full(11, 60.0)])
    rows = rows_of([often, wild, rarely, rarely * wild], [1.0] * 4)

    assert with_segments(rows, 0.3)["demand_class"].to_pylist() == ["smooth", "erratic", "intermittent", "lumpy"]
