"""What if: orders under other assumptions are those of the same inputs, changed by hand."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from nexgen_assets.replenishment.line_policies import MATCHED
from nexgen_assets.replenishment.origins import NO_CENTRES, orders_of_origin
from nexgen_assets.replenishment.what_if import Change, Inputs, orders_if, totals
from nexgen_assets.tables import ORDER_POLICIES
from nexgen_assets_tests.replenishment.test_origins import (
    DAILY,
    DAY,
    POLICY,
    at_forecast,
    features,
    modelled,
    positions,
)

PRODUCTS = list(DAILY)


def inputs(policies: pa.Table | None = None, **changes: Any) -> Inputs:
    uploads = ORDER_POLICIES.arrow_schema.empty_table() if policies is None else policies
    made = Inputs(
        positions(PRODUCTS, [None, 1.0, 2.0], on_hand=4.0),
        features(PRODUCTS),
        modelled(PRODUCTS),
        at_forecast(),
        POLICY,
        uploads,
        NO_CENTRES,
    )
    return replace(made, **changes)


def fill_rate_of_001() -> pa.Table:
    line = dict.fromkeys(MATCHED, "") | {"product_id": "001", "fill_rate": 0.99, "policy": "min_max", "lot_days": 3.0}
    arrival = {"effective_date": DAY, "arrived_at": datetime(2026, 3, 1, tzinfo=UTC), "file_key": "p", "line_number": 2}
    return pa.Table.from_pylist([line | arrival], schema=ORDER_POLICIES.arrow_schema)


def test_without_a_change_the_orders_are_the_plan() -> None:
    plan = orders_of_origin(
        positions(PRODUCTS, [None, 1.0, 2.0], on_hand=4.0),
        features(PRODUCTS),
        modelled(PRODUCTS),
        at_forecast(),
        POLICY,
    )
    assert orders_if(inputs(), Change()).equals(plan)


def test_a_service_level_takes_the_place_of_every_target_and_of_nothing_else() -> None:
    orders = orders_if(inputs(fill_rate_of_001()), Change(service_level=0.8))

    assert orders["service_level"].to_pylist() == [0.8, 0.8, 0.8]
    assert orders["target_fill_rate"].null_count == 3
    assert orders["policy"].to_pylist() == ["min_max", "order_up_to", "order_up_to"]
    assert orders["order_up_to_level"].equals(
        orders_of_origin(*list(vars(inputs()).values())[:4], replace(POLICY, service_level=0.8))["order_up_to_level"]
    )


def test_longer_lead_times_are_those_of_positions_that_tell_them() -> None:
    told = inputs().positions
    index = told.schema.get_field_index("lead_time_days")
    longer = told.set_column(index, told.schema.field(index), pc.call_function("add", [told[index], pa.scalar(2)]))

    assert orders_if(inputs(), Change(more_lead_time_days=2)).equals(orders_if(inputs(positions=longer), Change()))


def test_no_lead_time_falls_below_zero() -> None:
    assert orders_if(inputs(), Change(more_lead_time_days=-30))["lead_time_days"].to_pylist() == [0, 0, 0]


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_a_demand_factor_multiplies_what_is_expected(factor: float) -> None:
    before, after = (orders_if(inputs(), change) for change in (Change(), Change(demand_factor=factor)))

    assert np.allclose(np.asarray(after["expected_demand"]), factor * np.asarray(before["expected_demand"]), atol=0.002)


def test_a_demand_factor_reaches_the_seasonal_naive_too() -> None:
    naive = inputs(calibration=None, features=features(PRODUCTS, demand_sd_28=1.0))
    before, after = (orders_if(naive, change) for change in (Change(), Change(demand_factor=2.0)))

    assert np.allclose(np.asarray(after["expected_demand"]), 2 * np.asarray(before["expected_demand"]), atol=0.002)


def test_a_budget_is_kept_and_an_infinite_one_is_none() -> None:
    cut = orders_if(inputs(), Change(daily_budget=20.0))
    limited = inputs(policy=replace(POLICY, daily_budget=20.0))

    assert 0 < pc.call_function("sum", [cut["order_value"]]).as_py() <= 20
    assert orders_if(limited, Change(daily_budget=float("inf"))).equals(orders_if(inputs(), Change()))


def test_the_inputs_stay_as_they_are() -> None:
    mine = inputs(fill_rate_of_001())
    orders_if(mine, Change(0.8, 2, 3.0, 5.0))

    for name, table in vars(inputs(fill_rate_of_001())).items():
        if isinstance(table, pa.Table):
            assert getattr(mine, name).equals(table)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"service_level": 1.0}, "the service level must lie between 0 and 1"),
        ({"demand_factor": 0.0}, "the demand factor must be above 0"),
        ({"daily_budget": -1.0}, "the budget must not be negative"),
    ],
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, float], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Change(**wrong)  # pyright: ignore[reportArgumentType]


def test_totals_are_sums_over_the_lines() -> None:
    orders = orders_if(inputs(), Change())
    connection = duckdb.connect()
    connection.register("orders", orders)
    [expected] = connection.execute("""
        select count(*) filter (order_units > 0), count(blocked_reason), sum(order_units), sum(order_value),
            sum(promised_fill_rate * expected_demand_after_receipt) / sum(expected_demand_after_receipt),
            sum(expected_lost_units_with_order), sum(expected_lost_units_with_order * unit_price),
            coalesce(sum(expected_waste_units), 0)
        from orders""").fetchall()

    assert list(vars(totals(orders)).values()) == pytest.approx(expected)
