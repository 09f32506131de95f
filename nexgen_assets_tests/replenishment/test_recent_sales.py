"""Recent sales: silences that are no chance, and sales beside their forecast."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from nexgen_assets import tables
from nexgen_assets.forecasting.interval import interval_demand
from nexgen_assets.forecasting.quantiles import calibrate
from nexgen_assets.forecasting.rows import series_key
from nexgen_assets.replenishment.recent_sales import (
    DEMAND_COLUMNS,
    JUDGED_DAYS,
    RATE_COLUMNS,
    SILENT_DAYS,
    STOCK_COLUMNS,
    DayOf,
    Outlook,
    RecentSales,
    outlook,
    recent_sales,
)
from nexgen_assets_tests.replenishment.test_origins import exact, features, modelled

DAY = date(2026, 3, 10)
SERIES = {"product_id": "002", "location": "north"}
Told = dict[str, dict[int, Any]]
ORDERS = pa.table({name: [value] for name, value in SERIES.items()})


def rates(days_since_sale: int = 0, age_days: float = 300.0, zero_share: float | None = 0.5) -> pa.Table:
    row = SERIES | {"days_since_sale": days_since_sale, "age_days": age_days, "zero_share_91": zero_share}
    return pa.Table.from_pylist(
        [row], schema=pa.schema([tables.CLEANED_FEATURES.arrow_schema.field(n) for n in RATE_COLUMNS])
    )


def table_of(table: tables.Table, columns: Sequence[str], row: dict[str, Any] | None) -> pa.Table:
    schema = pa.schema([table.arrow_schema.field(name) for name in columns])
    return pa.Table.from_pylist([] if row is None else [SERIES | row], schema=schema)


def days_of(units: Sequence[int], told: Told) -> tuple[DayOf, DayOf]:
    """Demand and stock of the days up to DAY, the newest first; `told` says by column what differs on which of them."""

    def at(name: str, ago: int, usual: Any) -> Any:
        return told.get(name, {}).get(ago, usual)

    def demand(day: date) -> pa.Table:
        ago = (DAY - day).days
        if at("demand_row", ago, ago < len(units)) is False:
            return table_of(tables.DAILY_DEMAND, DEMAND_COLUMNS, None)
        row = {name: at(name, ago, usual) for name, usual in {"is_open": True, "is_stockout": None}.items()}
        row |= {"is_stockout_assumed": at("is_stockout_assumed", ago, False), "demand_units": Decimal(units[ago])}
        return table_of(tables.DAILY_DEMAND, DEMAND_COLUMNS, row)

    def stock(day: date) -> pa.Table:
        return table_of(tables.INVENTORY_POSITIONS, STOCK_COLUMNS, {"on_hand": at("on_hand", (DAY - day).days, 5.0)})

    return demand, stock


def sales(units: Sequence[int], told: Told, known: pa.Table, forecast: Outlook | None) -> RecentSales:
    demand, stock = days_of(units, told)
    return recent_sales(DAY, ORDERS, demand=demand, positions=stock, features=known, forecasts=[forecast, forecast])


def silence(units: Sequence[int], known: pa.Table | None = None, told: Told | None = None) -> tuple[float, float]:
    """Silent days, and the longest silence."""
    found = sales(units, told or {}, known or rates(), None)
    return found.silent_days[0], found.longest_silence[0]


# ---- silence


@pytest.mark.parametrize(
    ("units", "told", "silent"),
    [
        ([1, 0, 0, 0], {}, 0),
        ([0, 0, 0, 4, 0, 0], {}, 3),
        ([0] * 40, {}, SILENT_DAYS),
        ([0, 0, 0, 4], {"is_open": {1: False}}, 2),
        ([0, 0, 0, 4], {"on_hand": {1: 0.0, 2: None}}, 1),
        ([0, 0, 0, 4], {"demand_row": {0: False}}, 2),
    ],
)
def test_silent_are_the_days_in_stock_and_open_since_the_last_sale(units: list[int], told: Told, silent: int) -> None:
    assert silence(units, told=told)[0] == silent


@pytest.mark.parametrize(
    ("known", "days_before", "days_with_sale"),
    [
        (rates(0, zero_share=0.0), 91, 91),
        (rates(21, zero_share=56 / 91), 70, 35),
        (rates(5, age_days=14.0, zero_share=0.4), 10, 9),
    ],
)
def test_the_longest_silence_is_as_likely_as_one_in_a_thousand(
    known: pa.Table, days_before: int, days_with_sale: int
) -> None:
    """By hand: the share of days with a sale before the silence, by Laplace's rule of succession."""
    _, longest = silence([0], known)

    without_sale = 1 - (days_with_sale + 1) / (days_before + 2)
    assert without_sale**longest == pytest.approx(0.001, rel=1e-5)


@pytest.mark.parametrize("known", [rates(zero_share=None), rates(95, zero_share=1.0), rates(3, age_days=2.0)])
def test_without_sales_before_it_no_silence_is_long(known: pa.Table) -> None:
    assert np.isnan(silence([0], known)[1])


def test_a_steady_seller_is_rarely_taken_for_silent_by_chance() -> None:
    """Of lines that sell on every second day, by chance alone, one in a thousand or so is silent for too long."""
    rng, rows = np.random.default_rng(3), 20_000
    sells = rng.random((rows, 91)) < 0.5  # the newest day first
    since = np.argmax(sells, axis=1)
    zero_share = 1 - sells.mean(axis=1)
    series = pa.table({"product_id": [str(n) for n in range(rows)], "location": ["north"] * rows})
    known = series.append_column("days_since_sale", pa.array(since)).append_column("age_days", pa.array([300.0] * rows))
    known = known.append_column("zero_share_91", pa.array(zero_share))
    demand, stock = days_of([], {})

    found = recent_sales(DAY, series, demand=demand, positions=stock, features=known, forecasts=[None, None])

    assert 0 < (since > found.longest_silence).mean() < 0.002


# ---- sales beside their forecast


FORECAST = outlook(features(["002"]), modelled(["002"]), exact())  # 10 units on each of seven days


def beside(units: Sequence[int], told: Told | None = None) -> RecentSales:
    return sales(units, told or {}, rates(), FORECAST)


def test_the_last_seven_days_stand_beside_what_was_forecast_for_them() -> None:
    found = beside([8, 9, 10, 11, 12, 13, 14, 99, 99])

    assert found.sold_units.tolist() == [77.0]
    assert found.forecast_units.tolist() == pytest.approx([JUDGED_DAYS * 10.0])
    assert found.least_units[0] <= 70.0 <= found.most_units[0]


@pytest.mark.parametrize(
    "told",
    [{"is_open": {1: False}}, {"is_stockout": {1: True}}, {"is_stockout_assumed": {1: True}}, {"on_hand": {1: 0.0}}],
)
def test_a_day_on_which_less_could_be_sold_counts_as_its_forecast(told: Told) -> None:
    assert beside([10, 0, 10, 10, 10, 10, 10], told).sold_units.tolist() == pytest.approx([70.0])


def test_more_than_the_forecast_is_more_also_where_it_sold_out() -> None:
    assert beside([30, 0, 30, 30, 30, 30, 30], {"on_hand": {1: 0.0}}).sold_units.tolist() == [180.0]


def test_a_day_that_counts_as_its_forecast_makes_no_week_too_high() -> None:
    found = beside([0, 11, 11, 11, 12, 12, 12], {"is_open": {0: False}})

    assert found.sold_units.tolist() == found.most_units.tolist()


@pytest.mark.parametrize(("units", "side"), [(30, 1), (10, 0), (1, -1)])
def test_the_week_before_stands_beside_a_forecast_of_its_own(units: int, side: int) -> None:
    assert beside([10] * 7 + [units] * 7).side_before.tolist() == [side]


def test_a_week_is_outside_of_its_forecast_once_in_twenty_on_either_side() -> None:
    rng, products = np.random.default_rng(8), [f"{n:04}" for n in range(4_000)]
    rate = np.exp(rng.uniform(0, 3, len(products)))
    means = np.tile(rate[:, None], (1, tables.HORIZON_DAYS))
    poisson = calibrate(rng.poisson(means).astype(np.float64), means, rate)
    demand = interval_demand(means, rate, np.full(len(rate), JUDGED_DAYS), poisson)
    series = pa.table({"product_id": products, "location": ["north"] * len(products)})
    forecast = Outlook(series_key(series), means[:, :JUDGED_DAYS], demand)
    demands = {DAY - timedelta(days=n): rng.poisson(rate) for n in range(SILENT_DAYS)}
    flags = {"is_open": [True] * len(rate), "is_stockout": [False] * len(rate)}

    def demand_of(day: date) -> pa.Table:
        columns = {"demand_units": demands[day].astype(float), **flags, "is_stockout_assumed": flags["is_stockout"]}
        return pa.table({name: series[name] for name in series.column_names} | columns)

    stock = series.append_column("on_hand", pa.array([5.0] * len(rate)))
    known = pa.table(
        {name: pa.array([], pa.float64() if name in RATE_COLUMNS[2:] else pa.string()) for name in RATE_COLUMNS}
    )

    found = recent_sales(
        DAY, series, demand=demand_of, positions=lambda _: stock, features=known, forecasts=[forecast, forecast]
    )

    for outside in (found.sold_units > found.most_units, found.sold_units < found.least_units):
        assert outside.mean() == pytest.approx(0.05, abs=0.015)


def test_a_series_without_rows_since_then_sold_nothing() -> None:
    assert beside([]).sold_units.tolist() == [0.0]


def test_a_series_that_was_not_forecast_stands_beside_nothing() -> None:
    of_another = outlook(features(["003"]), modelled(["003"]), exact())

    found = sales([5] * 7, {}, rates(), of_another)

    assert [np.isnan(values[0]) for values in found[3:6]] == [True] * 3


def test_an_outlook_is_of_the_series_that_forecasts_and_features_share() -> None:
    products = ["001", "002", "003"]

    found = outlook(features(products[1:]), modelled(products[:2]), exact())

    assert found.series.to_pylist() == ["002\nnorth"]
    assert found.means.tolist() == [[10.0] * JUDGED_DAYS]
