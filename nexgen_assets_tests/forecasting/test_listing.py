"""The assortment ahead: a delisting ends a forecast, and a new item is forecast as its category sells."""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyspark.sql import SparkSession
from scipy import stats

from nexgen_assets.forecasting import sampling, training
from nexgen_assets.forecasting.baselines import moving_average_28, seasonal_naive_forecast
from nexgen_assets.forecasting.features import cleaned_features
from nexgen_assets.forecasting.frame import LEVEL_FLOOR, level_of
from nexgen_assets.forecasting.holdout import holdout_at
from nexgen_assets.forecasting.interval import interval_demand, until_delisted
from nexgen_assets.forecasting.listing import NO_END, days_listed
from nexgen_assets.forecasting.plans import Plans
from nexgen_assets.forecasting.rows import forecast_rows
from nexgen_assets.tables import CLEANED_FEATURES, DAILY_DEMAND, HORIZON_DAYS, QUANTILES, WEEKDAY_LAGS
from nexgen_assets_tests.forecasting.panels import demand_panel
from nexgen_assets_tests.forecasting.poisson import poisson_calibration

FIRST = date(2024, 1, 1)
DAYS = 200
LAST = FIRST + timedelta(days=DAYS - 1)
LISTED_ON = LAST - timedelta(days=60)
DELISTED_ON = LAST - timedelta(days=20)
AHEAD_DAYS = 40


def features_of(**values: Any) -> pa.Table:
    """An origin whose product sold two units on each of its days, with `values` instead."""
    row = {c.name: 2.0 for c in CLEANED_FEATURES.columns}
    row |= {"day": LAST, "product_id": "007", "location": "north", "product_name": None, "category": None}
    return pa.Table.from_pylist(
        [row | {"is_new_item": False, "delisted_on": None} | values], schema=CLEANED_FEATURES.arrow_schema
    )


def new_item(**values: Any) -> pa.Table:
    nothing_known = {c.name: None for c in CLEANED_FEATURES.columns if "_mean_" in c.name and c.nullable}
    no_sales = {f"demand_lag_{k}": 0.0 for k in WEEKDAY_LAGS}
    return features_of(**{**nothing_known, **no_sales, "demand_sd_28": None, "is_new_item": True, **values})


@pytest.mark.parametrize(("ahead", "days"), [(None, NO_END), (-5, 0), (0, 0), (1, 0), (2, 1), (40, 39)])
def test_a_product_is_sold_on_the_days_before_its_delisting(ahead: int | None, days: int) -> None:
    delisted_on = None if ahead is None else LAST + timedelta(days=ahead)
    assert days_listed(features_of(delisted_on=delisted_on)).tolist() == [days]


def test_mean_and_quantiles_are_0_from_the_delisting_on() -> None:
    means = np.full((1, HORIZON_DAYS), 3.0)
    origin = features_of(delisted_on=LAST + timedelta(days=10))
    rows = forecast_rows(origin, means, dict.fromkeys(QUANTILES, means), "m1")
    for name in ("mean", *QUANTILES):
        assert rows[name].to_pylist() == [3.0] * 9 + [0.0] * 19


def test_demand_over_an_interval_ends_with_the_delisting() -> None:
    means, level = np.full((4, HORIZON_DAYS), 3.0), np.full(4, 3.0)

    def over(days: np.ndarray) -> Any:
        return interval_demand(means, level, days, poisson_calibration())

    cut = until_delisted(over, np.full(4, 40), np.array([0, 10, 28, NO_END]))
    np.testing.assert_allclose(cut.mean, [0, 30, 84, 120])
    assert cut.is_beyond_horizon.tolist() == [False, False, False, True]
    assert cut.quantile(0.95).tolist() == [0, *over(np.array([1, 10, 28, 40])).quantile(0.95)[1:]]
    assert cut.cdf(0.0)[0] == 1
    assert cut.expected_shortage(0.0)[0] == 0


@pytest.mark.parametrize(
    ("known", "level"),
    [
        ({"category_mean_28": 0.4}, 0.4),
        ({"category_mean_28": 0.4, "product_mean_28": 1.5}, 1.5),
        ({"category_mean_28": 0.0}, LEVEL_FLOOR),
    ],
    ids=["as its category", "as it sells elsewhere", "nothing to go by"],
)
def test_the_level_of_a_new_item_is_assumed_and_never_0(known: Mapping[str, float], level: float) -> None:
    assert level_of(new_item(**known))[0] == pytest.approx(level)


def test_the_baselines_forecast_a_new_item_at_its_level() -> None:
    rows = seasonal_naive_forecast(new_item(category_mean_28=0.4))
    assert rows["mean"].to_pylist() == pytest.approx([0.4] * HORIZON_DAYS)
    assert set(rows["q95"].to_pylist()) == {stats.poisson.ppf(0.95, 0.4)}
    assert moving_average_28(new_item(category_mean_28=0.4))[0] == pytest.approx([0.4] * HORIZON_DAYS)


# ---- a shop with launches and a delisting, from demand to forecasts


def listed(panel: pa.Table) -> pa.Table:
    """A product listed at LISTED_ON that has sold nothing, and one delisted at DELISTED_ON: told so 40 days before."""
    blank = dict.fromkeys(DAILY_DEMAND.names) | {"returned_units": Decimal(0), "revenue": Decimal(0), "sales_lines": 0}
    blank |= {"is_open": True, "is_open_inferred": True, "is_stockout_assumed": False, "location": "north"}
    unsold = blank | {"demand_units": Decimal(0), "days_since_sale": 90, "is_unsold": True}
    sold = blank | {"demand_units": Decimal(2), "days_since_sale": 0, "is_unsold": False}
    new = [
        unsold | {"product_id": "new", "category": "Category 1", "day": LISTED_ON + timedelta(days=n)}
        for n in range((LAST - LISTED_ON).days + 1)
    ]
    told_on = DELISTED_ON - timedelta(days=AHEAD_DAYS)
    old = [
        sold | {"product_id": "old", "day": day, "delisted_on": DELISTED_ON if day >= told_on else None}
        for day in (FIRST + timedelta(days=n) for n in range((DELISTED_ON - FIRST).days))
    ]
    return pa.concat_tables([panel, pa.Table.from_pylist(new + old, schema=panel.schema)])


@pytest.fixture(scope="module")
def demand() -> pa.Table:
    return listed(demand_panel(FIRST, DAYS, series=60, seed=2))


@pytest.fixture(scope="module")
def features(spark: SparkSession, demand: pa.Table) -> pa.Table:
    return cleaned_features(spark.createDataFrame(demand, DAILY_DEMAND.spark_ddl), FIRST, LAST, 400).toArrow()


@pytest.fixture(scope="module")
def frames(spark: SparkSession, demand: pa.Table, features: pa.Table) -> tuple[Any, Any]:
    return spark.createDataFrame(features, CLEANED_FEATURES.spark_ddl), spark.createDataFrame(
        demand, DAILY_DEMAND.spark_ddl
    )


def test_the_model_is_not_taught_what_it_is_not_asked(frames: tuple[Any, Any]) -> None:
    sample = sampling.training_frame(*frames, LAST, 100_000)
    with duckdb.connect() as sql:
        sql.register("sample", sample)
        [(new, before, after)] = sql.execute(
            """select count(*) filter (product_id = 'new'),
                count(*) filter (product_id = 'old' and day + horizon::int < $delisted_on),
                count(*) filter (day + horizon::int >= delisted_on)
            from sample""",
            {"delisted_on": DELISTED_ON},
        ).fetchall()
    assert (new, after) == (0, 0)
    assert before > 0


def test_the_hold_out_judges_no_new_item_and_no_day_after_a_delisting(frames: tuple[Any, Any]) -> None:
    holdout = holdout_at(*frames, LAST - timedelta(days=HORIZON_DAYS))
    products = holdout.features["product_id"].to_pylist()
    assert "new" not in products
    of_old = holdout.demand[products.index("old")]
    assert of_old[:7].tolist() == [2.0] * 7
    assert np.isnan(of_old[7:]).all()


def test_the_model_forecasts_a_new_item_as_its_category_sells(
    frames: tuple[Any, Any], features: pa.Table, demand: pa.Table
) -> None:
    with duckdb.connect() as sql:
        sql.register("demand", demand)
        [(expected,)] = sql.execute(
            """select sum(demand_units::double) filter (day > $last - 28) / 28
                / count(*) filter (day = $last and is_unsold is not true)
            from demand where category = 'Category 1' and location = 'north'""",
            {"last": LAST},
        ).fetchall()
    model = training.train(*frames, LAST, Plans.none(), 3_000, "US")
    wanted = features.filter(pc.and_(pc.equal(features["day"], pa.scalar(LAST)), features["is_new_item"]))
    forecast = model.predict(wanted, Plans.none(), model_version="m1")
    assert expected > 1
    assert forecast["mean"].to_pylist() == pytest.approx([expected] * HORIZON_DAYS)
    assert forecast["q95"][0].as_py() > expected
