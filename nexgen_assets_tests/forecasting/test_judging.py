"""Errors by segment and horizon, held against hand-worked cases and against SQL over the rows themselves."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from nexgen_assets.forecasting.baselines import seasonal_naive_forecast
from nexgen_assets.forecasting.features import cleaned_features
from nexgen_assets.forecasting.holdout import Holdout, holdout_at
from nexgen_assets.forecasting.interval import IntervalDemand
from nexgen_assets.forecasting.judging import (
    ALL_DAYS,
    DAY_AHEAD,
    SUMS,
    TOTAL,
    TOTAL_DAYS,
    Ahead,
    backtest_rows,
    item_errors,
    judge,
    measures,
    scores,
    worst_items,
)
from nexgen_assets.forecasting.outlook import Outlook, moving_average_outlook, seasonal_naive_outlook
from nexgen_assets.forecasting.quantiles import LEVELS
from nexgen_assets.forecasting.segments import Segments
from nexgen_assets.io_managers.audit import audit_rows
from nexgen_assets.tables import BACKTEST, CLEANED_FEATURES, DAILY_DEMAND, QUANTILES
from nexgen_assets_tests.forecasting.panels import demand_panel

FIRST, DAYS = date(2024, 1, 1), 240
ORIGIN = FIRST + timedelta(days=DAYS - 29)


# ---- two series over two days, by hand


def two_series(demand: Sequence[Sequence[float]], is_stockout: list[list[bool]] | None = None) -> Ahead:
    """Two series of segment `all`; scales 4 (squared step) and 2 (season), sales values 30 and 10."""
    features = CLEANED_FEATURES.arrow_schema.empty_table()
    stockout = np.array(is_stockout) if is_stockout else np.zeros((2, 2), bool)
    holdout = Holdout(features, np.array(demand), stockout, np.array([4.0, 4.0]), np.array([30.0, 10.0]))
    return Ahead(holdout, np.array([2.0, 2.0]), Segments((("all", "all"),), np.ones((1, 2))))


def by_target(outlook: Outlook, ahead: Ahead) -> Any:
    found = judge(outlook, ahead, "model", "recipe", ORIGIN)
    return pd.concat([found, measures(found)], axis=1).set_index(["target", "horizon"])


@pytest.fixture
def by_hand() -> Any:
    """Demand 1, 3 and 0, 4; forecasts 2, 1 and 1, 4; every quantile is 2 units."""
    means = np.array([[2.0, 1.0], [1.0, 4.0]])
    return by_target(Outlook(means, dict.fromkeys(QUANTILES, np.full((2, 2), 2.0))), two_series([[1, 3], [0, 4]]))


def test_a_day_ahead_is_judged_over_its_series(by_hand: Any) -> None:
    first, second = by_hand.loc[(DAY_AHEAD, 1)], by_hand.loc[(DAY_AHEAD, 2)]
    assert (first.series, first.demand_units, first.forecast_units, first.absolute_error_units) == (2, 1, 3, 2)
    assert (first.wape, first.bias) == (2 / 1, 2 / 1)
    assert (second.wape, second.bias) == (2 / 7, -2 / 7)
    assert (first.mase, second.mase) == ((1 / 2 + 1 / 2) / 2, (2 / 2 + 0) / 2)
    assert (first.rmsse, second.rmsse) == (0.5, (2 / 2 + 0) / 2)
    assert second.wrmsse == (30 * 1 + 10 * 0) / 40


def test_all_days_are_pooled(by_hand: Any) -> None:
    pooled = by_hand.loc[(ALL_DAYS, 2)]
    assert (pooled.wape, pooled.bias) == (4 / 8, 0)
    assert pooled.mase == (1 + 2 + 1 + 0) / 2 / 4
    first, second = np.sqrt((1 + 4) / 2 / 4), np.sqrt(1 / 2 / 4)
    assert pooled.rmsse == pytest.approx((first + second) / 2)
    assert pooled.wrmsse == pytest.approx((30 * first + 10 * second) / 40)


def test_quantiles_are_judged_by_pinball_loss_and_by_both_shares(by_hand: Any) -> None:
    pooled = by_hand.loc[(ALL_DAYS, 2)]
    # of 1, 3, 0, 4 against 2: two above by 1 and 2, two below by 1 and 2
    assert pooled.wql_q90 == pytest.approx(2 * (0.9 * 3 + 0.1 * 3) / 8)
    assert (pooled.coverage_q90, pooled.coverage_below_q90) == (0.5, 0.5)
    assert pooled.wql == pytest.approx(np.mean([2 * (p * 3 + (1 - p) * 3) / 8 for p in QUANTILES.values()]))


def test_a_demand_at_its_quantile_is_covered_and_not_below() -> None:
    outlook = Outlook(np.zeros((2, 2)), dict.fromkeys(QUANTILES, np.zeros((2, 2))))
    pooled = by_target(outlook, two_series([[0, 0], [0, 5]])).loc[(ALL_DAYS, 2)]
    assert (pooled.coverage_q50, pooled.coverage_below_q50) == (3 / 4, 0)


def test_totals_are_judged_as_sums_with_their_own_quantiles() -> None:
    demand = np.tile([[1.0], [2.0]], (1, 7))
    holdout = Holdout(
        CLEANED_FEATURES.arrow_schema.empty_table(), demand, np.zeros((2, 7), bool), np.ones(2), np.ones(2)
    )
    ahead = Ahead(holdout, np.ones(2), Segments((("all", "all"),), np.ones((1, 2))))
    means = np.tile([[2.0], [2.0]], (1, 7))
    knots = np.tile([[7.0], [20.0]], (1, len(LEVELS)))
    outlook = Outlook(means, {}, {7: IntervalDemand(means.sum(axis=1), np.zeros(2, bool), knots)})
    total = by_target(outlook, ahead).loc[(TOTAL, 7)]
    assert (total.demand_units, total.forecast_units, total.wape) == (21, 28, 7 / 21)
    # 7 sold against 7, 14 against 20: the first is at its quantile, the second below
    assert (total.coverage_q90, total.coverage_below_q90) == (1, 0.5)
    assert total.wql_q90 == pytest.approx(2 * (0.1 * 6) / 21)
    assert np.isnan(total.mase)


def test_days_out_of_stock_are_no_errors_of_days() -> None:
    outlook = Outlook(np.ones((2, 2)), dict.fromkeys(QUANTILES, np.ones((2, 2))))
    pooled = by_target(outlook, two_series([[0, 1], [1, 3]], [[True, False], [False, False]])).loc[(ALL_DAYS, 2)]
    assert (pooled.observations, pooled.demand_units, pooled.absolute_error_units) == (3, 5, 2)
    assert pooled.coverage_q50 == 2 / 3
    assert pooled.wql_q50 == pytest.approx(2 * 0.5 * 2 / 5)


def test_days_out_of_stock_count_for_totals() -> None:
    week = two_series([[0] + [1] * 6] * 2, [[True] + [False] * 6, [False] * 7])
    found = by_target(Outlook(np.ones((2, 7))), week)
    assert found.loc[(ALL_DAYS, 7)].absolute_error_units == 1
    total = found.loc[(TOTAL, 7)]
    assert (total.demand_units, total.forecast_units, total.absolute_error_units) == (12, 14, 2)


def test_a_day_of_unknown_demand_is_no_error() -> None:
    pooled = by_target(Outlook(np.ones((2, 2))), two_series([[np.nan, 1], [1, 3]])).loc[(ALL_DAYS, 2)]
    assert (pooled.demand_units, pooled.forecast_units, pooled.absolute_error_units) == (5, 3, 2)


def test_without_demand_a_share_of_it_is_undefined() -> None:
    pooled = by_target(Outlook(np.ones((2, 2))), two_series([[0, 0], [0, 0]])).loc[(ALL_DAYS, 2)]
    assert pooled[["wape", "bias"]].isna().all()
    assert pooled.mase == 0.5


@given(
    st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=4, max_size=4),
    st.lists(st.booleans(), min_size=4, max_size=4),
)
def test_segments_of_a_kind_add_up_to_all(demand: list[list[int]], in_first: list[bool]) -> None:
    actual, first = np.array(demand, float), np.array(in_first, float)
    holdout = Holdout(
        CLEANED_FEATURES.arrow_schema.empty_table(), actual, np.zeros((4, 3), bool), np.ones(4), np.arange(4.0)
    )
    names = (("all", "all"), ("half", "first"), ("half", "second"))
    ahead = Ahead(holdout, np.ones(4), Segments(names, np.stack([np.ones(4), first, 1 - first])))
    outlook = Outlook(np.full((4, 3), 2.0), dict.fromkeys(QUANTILES, np.full((4, 3), 3.0)))
    found = judge(outlook, ahead, "model", None, ORIGIN)
    found = found[found["target"] != TOTAL]
    whole, halves = (found[found["segment_kind"] == kind] for kind in ("all", "half"))
    columns = ["series", *SUMS]
    np.testing.assert_allclose(
        whole.set_index(["target", "horizon"])[columns],
        halves.groupby(["target", "horizon"], sort=False)[columns].sum(),
    )


# ---- a shop, by SQL


@pytest.fixture(scope="module")
def demand() -> pa.Table:
    return demand_panel(FIRST, DAYS, series=40, seed=4)


@pytest.fixture(scope="module")
def demand_frame(spark: SparkSession, demand: pa.Table) -> DataFrame:
    return spark.createDataFrame(demand, DAILY_DEMAND.spark_ddl)


@pytest.fixture(scope="module")
def ahead(demand_frame: DataFrame) -> Ahead:
    features = cleaned_features(demand_frame, ORIGIN, ORIGIN, 400)
    return Ahead.of(holdout_at(features, demand_frame, ORIGIN), demand_frame, ORIGIN)


@pytest.fixture(scope="module")
def naive(ahead: Ahead) -> pa.Table:
    """Rows of the table `backtest` of the seasonal naive."""
    outlook = seasonal_naive_outlook(ahead.holdout.features, TOTAL_DAYS)
    return backtest_rows(judge(outlook, ahead, "seasonal_naive", None, ORIGIN))


@pytest.fixture(scope="module")
def sql(demand: pa.Table, ahead: Ahead, naive: pa.Table) -> duckdb.DuckDBPyConnection:
    """Tables `demand`, `judged` (rows of `backtest`), and `days`: forecast beside demand, a row per series x day."""
    connection = duckdb.connect()
    connection.register("demand", demand)
    connection.register("judged", naive)
    connection.register("told", seasonal_naive_forecast(ahead.holdout.features))
    connection.register("series", ahead.holdout.features.select(["product_id", "location", "category"]))
    connection.execute("""
        create table days as
        select told.*, coalesce(series.category, '(none)') as category, coalesce(d.demand_units, 0)::double as demand,
            coalesce(d.is_stockout, false) as is_stockout
        from told join series using (product_id, location)
        left join demand d on (d.product_id, d.location, d.day) = (told.product_id, told.location, told.target_date)
    """)
    return connection


def test_the_rows_keep_the_contract(naive: pa.Table) -> None:
    assert all(verdict.passed for verdict in audit_rows(BACKTEST, naive))


def test_wape_and_bias_of_every_category_and_day_are_those_of_sql(sql: duckdb.DuckDBPyConnection) -> None:
    rows, different = sql.sql("""
        with expected as (
            select category as segment, horizon, sum(abs(mean - demand)) / nullif(sum(demand), 0) as wape,
                sum(mean - demand) / nullif(sum(demand), 0) as bias
            from days where not is_stockout group by all
        )
        select count(*), count(*) filter (not coalesce(abs(j.wape - e.wape) < 1e-6 and abs(j.bias - e.bias) < 1e-6,
            j.wape is null and e.wape is null))
        from expected e left join judged j
            on j.segment_kind = 'category' and j.target = 'day' and (j.segment, j.horizon) = (e.segment, e.horizon)
    """).fetchall()[0]
    assert rows == 3 * 28
    assert different == 0


def test_the_error_of_the_horizon_total_is_that_of_sql(sql: duckdb.DuckDBPyConnection) -> None:
    [[expected]] = sql.sql("""
        with totals as (select sum(mean) as f, sum(demand) as y from days group by product_id, location)
        select sum(abs(f - y)) / sum(y) from totals
    """).fetchall()
    [[found]] = sql.sql(
        "select wape from judged where segment_kind = 'all' and target = 'total' and horizon = 28"
    ).fetchall()
    assert found == pytest.approx(expected, rel=1e-6)


def test_mase_is_that_of_sql_over_every_day_since_the_first_sale(sql: duckdb.DuckDBPyConnection) -> None:
    [[expected]] = sql.sql(f"""
        with bounds as (
            select product_id, location, min(day) as first_day from demand
            where demand_units > 0 and day <= date '{ORIGIN}' group by all
        ), grid as (
            select product_id, location,
                unnest(generate_series(first_day, date '{ORIGIN}', interval 1 day))::date as day
            from bounds
        ), filled as (
            select grid.*, coalesce(demand_units, 0)::double as y
            from grid left join demand using (product_id, location, day)
        ), scales as (
            select a.product_id, a.location, avg(abs(a.y - b.y)) as scale from filled a join filled b
                on (a.product_id, a.location) = (b.product_id, b.location) and a.day = b.day + 7 group by all
        )
        select avg(abs(mean - demand) / scale) from days join scales using (product_id, location)
        where scale > 0 and not is_stockout
    """).fetchall()
    [[found]] = sql.sql("select mase from judged where segment_kind = 'all' and target = 'all_days'").fetchall()
    assert found == pytest.approx(expected, rel=1e-5)


def test_coverage_and_quantile_loss_are_those_of_sql_on_days_in_stock(sql: duckdb.DuckDBPyConnection) -> None:
    [expected] = sql.sql("""
        select avg((demand <= q95)::int), avg((demand < q95)::int),
            2 * sum(greatest(0.95 * (demand - q95), 0.05 * (q95 - demand))) / sum(demand)
        from days where not is_stockout
    """).fetchall()
    [found] = sql.sql("""
        select coverage_q95, coverage_below_q95, wql_q95 from judged where segment_kind = 'all' and target = 'all_days'
    """).fetchall()
    assert found == pytest.approx(expected, rel=1e-6)


def test_a_method_without_quantiles_has_no_loss_and_no_coverage(ahead: Ahead) -> None:
    rows = judge(moving_average_outlook(ahead.holdout.features), ahead, "moving_average_28", None, ORIGIN)
    table = backtest_rows(rows)
    for name in ("wql", "wql_q50", "coverage_q95", "coverage_below_q95"):
        assert table[name].null_count == table.num_rows
    pooled: Any = scores(rows, "method")
    assert pooled["wql"].isna().all()
    assert pooled["wape"].notna().all()


def test_worst_items_are_those_whose_totals_cost_most(ahead: Ahead, sql: duckdb.DuckDBPyConnection) -> None:
    errors = item_errors(seasonal_naive_outlook(ahead.holdout.features, ()), ahead)
    sql.register("prices", ahead.holdout.features.select(["product_id", "location", "unit_price"]))
    expected = sql.sql("""
        select product_id, abs(sum(mean - demand)) * any_value(unit_price) as money
        from days join prices using (product_id, location) group by product_id, location
        order by money desc nulls last limit 3
    """).fetchall()
    found = worst_items([errors], 3).reset_index()
    assert list(found["product_id"]) == [product for product, _ in expected]
    assert list(found["error_value"]) == pytest.approx([money for _, money in expected], rel=1e-5)


def test_worst_items_add_up_the_errors_of_each_origin(ahead: Ahead) -> None:
    errors = item_errors(seasonal_naive_outlook(ahead.holdout.features, ()), ahead)
    once, twice = worst_items([errors], 5), worst_items([errors, errors], 5)
    np.testing.assert_allclose(twice["error_units"], 2 * once["error_units"])
