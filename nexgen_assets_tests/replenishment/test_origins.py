"""Orders of one origin: three tables of one day, lined up by product and location."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from nexgen_assets import tables
from nexgen_assets.forecasting.baselines import seasonal_naive_forecast
from nexgen_assets.forecasting.quantiles import Calibration, calibrate
from nexgen_assets.replenishment.origins import orders_of_origin
from nexgen_assets.replenishment.policy import Policy

DAY = date(2026, 3, 10)
POLICY = Policy(0.95, 1)
DAILY = {"001": 2.0, "002": 5.0, "003": 11.0}  # units a day, every day


def positions(products: list[str]) -> pa.Table:
    told = {"day": DAY, "location": "north", "on_hand": 0.0, "on_order_units": 0.0, "lead_time_days": 3}
    terms = {"pack_size": 1.0, "min_order_quantity": 0.0, "inventory_source": "count", "unit_cost": 1.0}
    flags = {c.name: False for c in tables.INVENTORY_POSITIONS.columns if c.name.startswith("is_")}
    rows = [{**told, **terms, **flags, "product_id": product} for product in products]
    return pa.Table.from_pylist(rows, schema=tables.INVENTORY_POSITIONS.arrow_schema)


def features(products: list[str]) -> pa.Table:
    names = tables.CLEANED_FEATURES.arrow_schema.names
    steady = [name for name in names if name.startswith(("demand_lag_", "demand_mean_", "weekday_mean_"))]
    rows = [
        {"day": DAY, "product_id": product, "location": "north", "demand_sd_28": 0.0, "unit_price": 4.0}
        | dict.fromkeys(steady, DAILY[product])
        for product in products
    ]
    return pa.Table.from_pylist(rows, schema=tables.CLEANED_FEATURES.arrow_schema)


def modelled(products: list[str]) -> pa.Table:
    """Forecasts of a model that expects twice of what the naive sees."""
    rows = [
        {
            "day": DAY,
            "product_id": product,
            "location": "north",
            "horizon": horizon,
            "target_date": DAY + timedelta(days=horizon),
            "mean": 2 * DAILY[product],
            "model_version": "m1",
        }
        for product in products
        for horizon in range(1, tables.HORIZON_DAYS + 1)
    ]
    return pa.Table.from_pylist(rows, schema=tables.FORECASTS.arrow_schema)


def shuffled(table: pa.Table) -> pa.Table:
    return table.take(np.random.default_rng(5).permutation(table.num_rows))


def exact() -> Calibration:
    """The calibration of a model that was never wrong."""
    means = np.tile(np.linspace(1, 20, 64)[:, None], (1, tables.HORIZON_DAYS)).astype(np.float32)
    return calibrate(means.astype(np.float64), means, means[:, 0])


def test_a_model_orders_what_it_expects_until_the_next_order_has_come() -> None:
    products = list(DAILY)
    orders = orders_of_origin(positions(products), features(products), modelled(products), exact(), POLICY)
    assert orders["expected_demand"].to_pylist() == [4 * 2 * DAILY[product] for product in products]
    assert set(orders["model_version"].to_pylist()) == {"m1"}


def test_without_a_calibration_the_seasonal_naive_decides() -> None:
    known = features(list(DAILY))
    orders = orders_of_origin(positions(list(DAILY)), known, seasonal_naive_forecast(known), None, POLICY)
    assert orders["expected_demand"].to_pylist() == [4 * daily for daily in DAILY.values()]


def test_the_order_of_the_rows_of_its_inputs_does_not_matter() -> None:
    inputs = (positions(list(DAILY)), features(list(DAILY)), modelled(list(DAILY)))
    expected = orders_of_origin(*inputs, exact(), POLICY)
    assert orders_of_origin(*(shuffled(table) for table in inputs), exact(), POLICY).equals(expected)


@pytest.mark.parametrize("lacking", ["features", "forecasts"])
def test_a_product_that_one_table_lacks_is_an_error_and_no_shifted_order(lacking: str) -> None:
    everything, two = list(DAILY), list(DAILY)[:2]
    known = features(two if lacking == "features" else everything)
    ahead = modelled(two if lacking == "forecasts" else everything)
    with pytest.raises(ValueError, match=lacking):
        orders_of_origin(positions(everything), known, ahead, exact(), POLICY)


def test_a_day_without_products_has_no_orders() -> None:
    orders = orders_of_origin(positions([]), features([]), modelled([]), None, POLICY)
    assert orders.num_rows == 0
    assert orders.schema == tables.REORDER_RECOMMENDATIONS.arrow_schema
