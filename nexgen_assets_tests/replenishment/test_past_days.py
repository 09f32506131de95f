"""Past days as a scenario: which row of a table becomes which number, and what stands in for what nobody told."""

from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from nexgen_assets.replenishment.past_days import (
    ShortHistoryError,
    Terms,
    censored_share,
    demand_grid,
    past_scenario,
    sampled_series,
    terms_of,
)

FIRST = date(2024, 3, 1)
SERIES = pa.table({"product_id": ["b", "a", "c"], "location": ["north", "north", "north"]})


def demand_rows(*rows: tuple[str, int, float | None, bool | None]) -> pa.Table:
    product, day, units, is_stockout = zip(*rows, strict=True)
    return pa.table(
        {
            "day": pa.array([FIRST + timedelta(days=number) for number in day], pa.date32()),
            "product_id": product,
            "location": ["north"] * len(rows),
            "demand_units": pa.array([None if u is None else Decimal(str(u)) for u in units], pa.decimal128(18, 3)),
            "is_stockout": pa.array(is_stockout, pa.bool_()),
        }
    )


def terms(lead_time_days: float = 2, shelf_life_days: float = np.nan, max_stock: float = np.nan) -> Terms:
    one = np.ones(3)
    life, limit = shelf_life_days * one, max_stock * one
    return Terms(lead_time_days * one, 0 * one, 6 * one, one, one, life, limit, np.zeros(3, np.bool_))


def test_demand_stands_in_the_row_of_its_series_and_the_column_of_its_day() -> None:
    rows = demand_rows(("a", 0, 1.5, None), ("b", 2, 7, True), ("d", 1, 9, None), ("c", 1, None, None))

    assert demand_grid(SERIES, rows, FIRST, 3).tolist() == [[0, 0, 7], [1.5, 0, 0], [0, 0, 0]]


def test_days_outside_are_left_out() -> None:
    rows = demand_rows(("a", 0, 1, None), ("a", 1, 2, None), ("a", 2, 3, None))

    assert demand_grid(SERIES, rows, FIRST + timedelta(days=1), 1)[1].tolist() == [2]


def test_the_censored_share_is_that_of_simulated_days_known_to_be_out_of_stock() -> None:
    rows = demand_rows(("a", 0, 1, True), ("a", 1, 1, True), ("b", 1, 1, False), ("c", 1, 1, None), ("a", 2, 1, None))

    assert censored_share(rows, FIRST) == 0.25


def test_terms_are_those_of_the_position_and_defaults_without_one() -> None:
    positions = pa.table(
        {
            "product_id": ["c", "a"],
            "location": ["north", "north"],
            "lead_time_days": [4, 9],
            "lead_time_sd_days": [None, 1.5],
            "pack_size": [6.0, 12.0],
            "min_order_quantity": [2.0, 24.0],
            "unit_cost": [None, 3.0],
            "shelf_life_days": [5.0, None],
            "max_stock": [None, 30.0],
        }
    )

    found = terms_of(SERIES, positions, default_lead_time_days=7)

    assert found.lead_time_days.tolist() == [7, 9, 4]
    assert found.pack_size.tolist() == [1, 12, 6]
    assert found.min_order_quantity.tolist() == [1, 24, 2]
    assert found.is_default.tolist() == [True, False, False]
    np.testing.assert_array_equal(found.unit_cost, [np.nan, 3, np.nan])
    np.testing.assert_array_equal(found.max_stock, [np.nan, 30, np.nan])
    np.testing.assert_array_equal(found.lead_time_sd_days, [np.nan, 1.5, np.nan])


def test_all_rules_start_with_the_recent_average_over_a_protection_interval() -> None:
    history = np.concatenate([np.full((3, 40), 99.0), np.full((3, 28), 2.0)], axis=1)
    demand = np.concatenate([history, np.full((3, 10), 5.0)], axis=1)

    world = past_scenario(SERIES, demand, terms(2), days=10, review_period_days=7, warm_up_days=3)

    assert world.demand.tolist() == [[5.0] * 10] * 3
    assert world.initial_on_hand.tolist() == [2 * (2 + 7)] * 3
    assert world.lead_time_days.tolist() == [[2] * 10] * 3
    assert (world.warm_up_days, world.review_period_days.tolist()) == (3, [7, 7, 7])


@pytest.mark.parametrize(("told", "life"), [(np.nan, np.inf), (5.0, 5), (5.9, 5), (0.3, 1)])
def test_goods_keep_whole_days_or_for_ever_if_nobody_told(told: float, life: float) -> None:
    world = past_scenario(
        SERIES, np.ones((3, 80)), terms(shelf_life_days=told), days=10, review_period_days=1, warm_up_days=0
    )

    assert world.shelf_life_days.tolist() == [life] * 3


@pytest.mark.parametrize(("told", "limit"), [(np.nan, np.inf), (30.0, 30)])
def test_stock_has_the_limit_that_was_told_or_none(told: float, limit: float) -> None:
    world = past_scenario(
        SERIES, np.ones((3, 80)), terms(max_stock=told), days=10, review_period_days=1, warm_up_days=0
    )

    assert world.max_stock.tolist() == [limit] * 3


def test_too_short_a_history_is_refused_and_says_how_much_it_takes() -> None:
    with pytest.raises(ShortHistoryError, match=r"50 days of sales before the first simulated day .* need 59"):
        past_scenario(SERIES, np.ones((3, 60)), terms(2), days=10, review_period_days=1, warm_up_days=0)


def test_a_sample_is_the_same_whatever_the_order_of_the_rows() -> None:
    many = pa.table({"product_id": [f"{number:04d}" for number in range(500)], "location": ["north"] * 500})
    shuffled = many.take(np.random.default_rng(1).permutation(500))

    once, again = (sampled_series(rows, 50)["product_id"].to_pylist() for rows in (many, shuffled))

    assert once == again == sorted(set(once))
    assert len(once) == 50
    assert sampled_series(shuffled, 500).equals(many)
