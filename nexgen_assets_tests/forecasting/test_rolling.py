"""A method at a past origin knows what was known then, and is the one that would have served."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import xgboost
from pyspark.sql import SparkSession

from nexgen_assets.forecasting.attribution import attribution
from nexgen_assets.forecasting.backtest import BacktestError, rolling_origins
from nexgen_assets.forecasting.features import cleaned_features
from nexgen_assets.forecasting.frame import expand
from nexgen_assets.forecasting.plans import Plans
from nexgen_assets.forecasting.rolling import JudgedOrigin, judge_origin
from nexgen_assets.forecasting.training import recipe_of, train
from nexgen_assets.tables import CLEANED_FEATURES, DAILY_DEMAND
from nexgen_assets_tests.forecasting.trends import trending_panel

FIRST, DAYS, ROWS = date(2024, 1, 1), 150, 1_000
LAST = FIRST + timedelta(days=DAYS - 1)
ORIGIN = LAST - timedelta(days=28)
PLANNED = Plans.none()
RECIPE = recipe_of(PLANNED, ROWS, "US", {"rounds": 20})


@pytest.fixture(scope="module")
def demand() -> pa.Table:
    return trending_panel(FIRST, DAYS)


@pytest.fixture(scope="module")
def features(spark: SparkSession, demand: pa.Table) -> pa.Table:
    return cleaned_features(spark.createDataFrame(demand, DAILY_DEMAND.spark_ddl), FIRST, ORIGIN, 400).toArrow()


def judged(spark: SparkSession, features: pa.Table, demand: pa.Table) -> JudgedOrigin:
    frames = (
        spark.createDataFrame(features, CLEANED_FEATURES.spark_ddl),
        spark.createDataFrame(demand, DAILY_DEMAND.spark_ddl),
    )
    return judge_origin(*frames, ORIGIN, PLANNED, {"model": RECIPE})


@pytest.fixture(scope="module")
def found(spark: SparkSession, features: pa.Table, demand: pa.Table) -> JudgedOrigin:
    return judged(spark, features, demand)


def test_what_came_after_the_origin_changes_no_forecast(
    spark: SparkSession, features: pa.Table, demand: pa.Table, found: JudgedOrigin
) -> None:
    number = demand.schema.get_field_index("demand_units")
    is_later = pc.greater(demand["day"], pa.scalar(ORIGIN))
    tenfold = pc.if_else(is_later, pc.multiply(demand["demand_units"].cast(pa.float64()), 10), demand["demand_units"])
    other = demand.set_column(number, demand.schema.field(number), tenfold.cast(demand.schema.field(number).type))
    again = judged(spark, features, other)
    assert (again.sums["forecast_units"] == found.sums["forecast_units"]).all()
    assert (again.items["forecast_units"] == found.items["forecast_units"]).all()
    assert again.sums["demand_units"].sum() == pytest.approx(10 * found.sums["demand_units"].sum())


def test_the_model_judged_is_the_one_that_training_makes(
    spark: SparkSession, features: pa.Table, demand: pa.Table, found: JudgedOrigin
) -> None:
    frames = (
        spark.createDataFrame(features, CLEANED_FEATURES.spark_ddl),
        spark.createDataFrame(demand, DAILY_DEMAND.spark_ddl),
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("nexgen_assets.forecasting.training.MOST_ROUNDS", 20)
        assert train(*frames, ORIGIN, PLANNED, ROWS, "US").mean_model == found.model.mean_model


def test_origins_are_spaced_evenly_and_the_last_horizon_ends_on_the_last_day() -> None:
    assert rolling_origins(date(2024, 3, 31), 3, 7) == [date(2024, 2, 18), date(2024, 2, 25), date(2024, 3, 3)]


@pytest.mark.parametrize(("count", "spacing"), [(0, 28), (3, 0)])
def test_no_origins_or_no_space_between_them_are_refused(count: int, spacing: int) -> None:
    with pytest.raises(BacktestError, match="both must be at least 1"):
        rolling_origins(LAST, count, spacing)


def test_contributions_and_what_all_rows_share_add_up_to_the_logarithm_of_the_forecast(
    features: pa.Table, found: JudgedOrigin
) -> None:
    rows = features.filter(pc.equal(features["day"], pa.scalar(ORIGIN)))
    model = found.model.mean_model
    series, horizons = np.repeat(np.arange(rows.num_rows), 2), np.tile([1, 28], rows.num_rows)
    matrix, contributions = model.contributions(rows, series, horizons, PLANNED)
    np.testing.assert_array_equal(
        matrix, expand(rows, series, horizons, PLANNED, model.categories, model.country).matrix
    )
    boosters = [xgboost.Booster(model_file=bytearray(content)) for content in model.boosters]
    logs = np.mean([np.log(booster.predict(xgboost.DMatrix(matrix))) for booster in boosters], axis=0)
    shared = logs - contributions.sum(axis=1)
    np.testing.assert_allclose(shared, shared[0], atol=1e-4)


def test_the_features_that_matter_come_first(features: pa.Table, found: JudgedOrigin) -> None:
    """Saturdays sell 60 % more: the weekday moves forecasts, the category does not."""
    rows = features.filter(pc.equal(features["day"], pa.scalar(ORIGIN)))
    importance = attribution(found.model.mean_model, rows, PLANNED, pairs=200).importance
    assert list(importance.values()) == sorted(importance.values(), reverse=True)
    assert "relative_weekday_mean" in list(importance)[:5]
    assert importance["category_code"] < importance["relative_weekday_mean"] / 5
