"""The accuracy of a day: what counts, what does not, and that all of it adds up."""

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from nexgen_assets.forecasting.accuracy import accuracy_of_day, naive_days
from nexgen_assets.tables import DAILY_DEMAND, FORECAST_ACCURACY, FORECASTS, HORIZON_DAYS, QUANTILES

DAY = date(2024, 3, 29)
Row = dict[str, Any]


def forecast(product: str, horizon: int, mean: float, *, model: str = "m1", **quantiles: float) -> Row:
    """A forecast of DAY; quantiles that are not told are the mean."""
    return {
        "day": DAY - timedelta(days=horizon),
        "product_id": product,
        "location": "north",
        "target_date": DAY,
        "horizon": horizon,
        "mean": mean,
        **dict.fromkeys(QUANTILES, mean),
        **quantiles,
        "model_version": model,
    }


def sale(product: str, units: float | None, *, days_before: int = 0, is_stockout: bool | None = None) -> Row:
    told = {"product_id": product, "location": "north", "is_stockout": is_stockout}
    return told | {
        "day": DAY - timedelta(days=days_before),
        "demand_units": None if units is None else Decimal(str(units)),
    }


def judge(forecasts: Iterable[Row], sales: Iterable[Row]) -> list[Row]:
    sold = pa.Table.from_pylist(list(sales), pa.schema([(c.name, c.type) for c in DAILY_DEMAND.columns]))
    days = sold["day"].to_pylist()
    demand = {of: sold.filter(pa.array([of == day for day in days], pa.bool_())) for of in _needed()}
    found = accuracy_of_day(DAY, pa.Table.from_pylist(list(forecasts), FORECASTS.arrow_schema), demand)
    assert found.schema == FORECAST_ACCURACY.arrow_schema
    return found.to_pylist()


def _needed() -> list[date]:
    return [DAY, *naive_days(DAY).values()]


def told(row: Row, *names: str) -> list[Any]:
    return [row[name] for name in names]


# ---- by hand


def test_sums_of_two_forecasts() -> None:
    [row] = judge(
        [forecast("01", 1, 2.0, q90=4.0), forecast("02", 1, 5.0, q90=6.0)],
        [sale("01", 3), sale("02", 8), sale("01", 7, days_before=7), sale("02", 8, days_before=7)],
    )
    assert told(row, "day", "model_version", "horizon", "volume_class") == [DAY, "m1", 1, "1_to_10"]
    assert told(row, "series_days", "demand_units", "forecast_units") == [2, 11.0, 7.0]
    assert told(row, "absolute_error_units", "squared_error") == [1 + 3, 1 + 9]
    assert row["seasonal_naive_absolute_error_units"] == abs(7 - 3) + abs(8 - 8)
    # quantile 0.9: demand 3 is 1 below 4, demand 8 is 2 above 6
    assert row["pinball_loss_q90"] == pytest.approx(0.1 * 1 + 0.9 * 2)
    assert told(row, "above_q90", "above_q50") == [1, 2]
    assert told(row, "stockout_days", "stockout_above_q90") == [0, 0]


def test_demand_at_a_quantile_is_not_above_it() -> None:
    [row] = judge([forecast("01", 1, 0.0)], [sale("01", 0)])
    assert [row[f"above_{name}"] for name in ("q50", "q90", "q99")] == [0, 0, 0]


@pytest.mark.parametrize(("horizon", "days_before"), [(1, 7), (7, 7), (8, 14), (14, 14), (15, 21), (28, 28)])
def test_the_seasonal_naive_repeats_the_last_same_weekday_that_the_origin_knew(horizon: int, days_before: int) -> None:
    [row] = judge([forecast("01", horizon, 1.0)], [sale("01", 3), sale("01", 10, days_before=days_before)])
    assert row["seasonal_naive_absolute_error_units"] == 7


def test_each_model_horizon_and_volume_class_is_a_row() -> None:
    means = {"below_0.1": 0.05, "0.1_to_1": 0.5, "1_to_10": 1.0, "10_and_more": 40.0}
    forecasts = [forecast(name, 1, mean) for name, mean in means.items()]
    rows = judge([*forecasts, forecast("1_to_10", 2, 1.0, model="m2")], [])
    assert [told(row, "model_version", "horizon", "volume_class") for row in rows] == [
        *(["m1", 1, name] for name in sorted(means)),
        ["m2", 2, "1_to_10"],
    ]


# ---- what counts


def test_a_series_without_a_row_sold_nothing() -> None:
    [row] = judge([forecast("01", 1, 2.0)], [sale("02", 9)])
    assert told(row, "series_days", "demand_units", "absolute_error_units") == [1, 0.0, 2.0]


def test_a_day_out_of_stock_counts_apart_and_only_sales_above_a_quantile_are_a_miss() -> None:
    [row] = judge(
        [forecast("01", 1, 5.0, q95=9.0), forecast("02", 1, 5.0, q95=9.0), forecast("03", 1, 5.0, q95=9.0)],
        [sale("01", 2, is_stockout=True), sale("02", 10, is_stockout=True), sale("03", 4, is_stockout=False)],
    )
    assert told(row, "series_days", "demand_units", "forecast_units", "absolute_error_units") == [1, 4.0, 5.0, 1.0]
    assert told(row, "above_q95", "stockout_days", "stockout_above_q95") == [0, 2, 1]


def test_where_stock_is_not_known_the_day_counts() -> None:
    [row] = judge([forecast("01", 1, 5.0)], [sale("01", 0, is_stockout=None)])
    assert told(row, "series_days", "stockout_days") == [1, 0]


def test_days_of_unknown_demand_are_left_out() -> None:
    assert judge([forecast("01", 1, 5.0)], [sale("01", None)]) == []
    assert judge([forecast("01", 1, 5.0)], [sale("01", 5), sale("01", None, days_before=7)]) == []
    assert len(judge([forecast("01", 8, 5.0)], [sale("01", 5), sale("01", None, days_before=7)])) == 1


def test_a_day_that_nobody_had_forecast_has_no_rows() -> None:
    assert judge([], [sale("01", 5)]) == []


# ---- against SQL

SQL = """
with seen as (
    select f.*, coalesce(if(d.product_id is null, 0, d.demand_units::double), null) as y,
        coalesce(d.is_stockout, false) as is_out,
        if(n.product_id is null, 0, n.demand_units::double) as naive
    from forecasts f
    left join demand d on d.product_id = f.product_id and d.location = f.location and d.day = f.target_date
    left join demand n on n.product_id = f.product_id and n.location = f.location
        and n.day = f.target_date - 7 * cast(ceil(f.horizon / 7.0) as int)
), known as (
    select *, case when mean < 0.1 then 'below_0.1' when mean < 1 then '0.1_to_1' when mean < 10 then '1_to_10'
        else '10_and_more' end as volume_class
    from seen where y is not null and naive is not null
)
select model_version, horizon, volume_class,
    count(*) filter (where not is_out) as series_days,
    coalesce(sum(y) filter (where not is_out), 0) as demand_units,
    coalesce(sum(mean::double) filter (where not is_out), 0) as forecast_units,
    coalesce(sum(abs(mean - y)) filter (where not is_out), 0) as absolute_error_units,
    coalesce(sum(pow(mean - y, 2)) filter (where not is_out), 0) as squared_error,
    coalesce(sum(abs(naive - y)) filter (where not is_out), 0) as seasonal_naive_absolute_error_units,
    coalesce(sum(if(y > q95, .95 * (y - q95), .05 * (q95 - y))) filter (where not is_out), 0) as pinball_loss_q95,
    coalesce(sum(if(y > q10, .1 * (y - q10), .9 * (q10 - y))) filter (where not is_out), 0) as pinball_loss_q10,
    count(*) filter (where y > q99 and not is_out) as above_q99,
    count(*) filter (where y > q50 and not is_out) as above_q50,
    count(*) filter (where is_out) as stockout_days,
    count(*) filter (where is_out and y > q90) as stockout_above_q90
from known group by all order by 1, 2, 3
"""


def random_case(series: int, seed: int) -> tuple[list[Row], list[Row]]:
    rng = np.random.default_rng(seed)
    products = [f"{number:03}" for number in range(series)]
    level = rng.choice([0.04, 0.4, 4, 40], series)
    forecasts = [
        forecast(
            product,
            horizon,
            float(level[i] * rng.uniform(0.5, 2)),
            model="m1" if horizon > 10 else "seasonal_naive",
            **{name: float(level[i] * share * 2) for name, share in QUANTILES.items()},
        )
        for i, product in enumerate(products)
        for horizon in range(1, HORIZON_DAYS + 1)
        if rng.random() < 0.9
    ]
    sales = [
        sale(
            product,
            None if rng.random() < 0.05 else float(rng.poisson(level[i])),
            days_before=(DAY - day).days,
            is_stockout=[None, False, True][rng.choice(3, p=[0.4, 0.4, 0.2])],
        )
        for i, product in enumerate(products)
        for day in _needed()
        if rng.random() < 0.9
    ]
    return forecasts, sales


def test_a_large_case_is_what_sql_says() -> None:
    forecasts, sales = random_case(series=60, seed=4)
    found = judge(forecasts, sales)
    with duckdb.connect() as sql:
        sql.register("forecasts", pa.Table.from_pylist(forecasts, FORECASTS.arrow_schema))
        schema = pa.schema([(c.name, c.type) for c in DAILY_DEMAND.columns])
        sql.register("demand", pa.Table.from_pylist(sales, schema))
        cursor = sql.execute(SQL)
        names = [column[0] for column in cursor.description or []]
        expected = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    assert len(expected) > 80
    assert [{name: row[name] for name in names} for row in found] == [pytest.approx(row) for row in expected]


def test_the_order_of_the_rows_changes_no_bit() -> None:
    forecasts, sales = random_case(series=40, seed=5)
    assert judge(forecasts[::-1], sales[::-1]) == judge(forecasts, sales)


def test_a_late_correction_changes_the_day_as_if_it_had_been_known() -> None:
    forecasts = [forecast("01", 1, 2.0), forecast("02", 1, 2.0)]
    late, earlier = [sale("01", 3), sale("02", 9)], [sale("01", 3)]
    assert judge(forecasts, earlier)[0]["absolute_error_units"] == 1 + 2
    assert judge(forecasts, late)[0]["absolute_error_units"] == 1 + 7
