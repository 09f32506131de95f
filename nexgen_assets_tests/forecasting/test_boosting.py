"""Boosting stops when days after those learnt from are told no better, however high the level of these days is."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import xgboost
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nexgen_assets.forecasting import boosting
from nexgen_assets.forecasting.boosting import MOST_ROUNDS, ROUNDS_AT_ONCE, Watched, fit_mean_model
from nexgen_assets.forecasting.frame import Frame, feature_names
from nexgen_assets.forecasting.holdout import Holdout
from nexgen_assets.forecasting.lessons import TrainingRows
from nexgen_assets.forecasting.plans import Plans
from nexgen_assets.forecasting.training import recipe_of
from nexgen_assets.tables import CLEANED_FEATURES

PLANNED = Plans.none()
DAYS = 28
SERIES = 40
ORIGIN = date(2024, 3, 1)
MEAN = 5.0


def series_rows(count: int, day: date = ORIGIN) -> pa.Table:
    """Series of one level that sell on weekdays as their names say, of which nothing else is known."""
    told: dict[str, Any] = {
        "day": pa.array([day] * count),
        "product_id": [f"P{i:04}" for i in range(count)],
        "location": ["A"] * count,
        "category": ["C"] * count,
        "demand_mean_28": pa.array([MEAN] * count, pa.float64()),
        "demand_mean_91": pa.array([MEAN] * count, pa.float64()),
    }
    unknown = {
        field.name: pa.nulls(count, field.type) if field.nullable else pa.array([0] * count, field.type)
        for field in CLEANED_FEATURES.arrow_schema
        if field.name not in told
    }
    columns = unknown | told
    return pa.table({name: columns[name] for name in CLEANED_FEATURES.names}).cast(CLEANED_FEATURES.arrow_schema)


def sample_of(demand: NDArray[np.float64], origin: date = ORIGIN) -> pa.Table:
    """A training frame of every horizon of `demand` [series, days]."""
    series, days = demand.shape
    rows = series_rows(series, origin).take(np.repeat(np.arange(series), days))
    horizon = np.tile(np.arange(1, days + 1, dtype=np.int32), series)
    for name, values in {
        "horizon": horizon,
        "sampling_weight": np.ones(rows.num_rows),
        "target": demand.ravel(),
        "is_censored": np.zeros(rows.num_rows, bool),
    }.items():
        rows = rows.append_column(name, pa.array(values))
    return rows


def holdout_of(demand: NDArray[np.float64], is_stockout: NDArray[np.bool_] | None = None) -> Holdout:
    series = len(demand)
    is_stockout = np.zeros(demand.shape, bool) if is_stockout is None else is_stockout
    return Holdout(series_rows(series), demand, is_stockout, np.ones(series), np.ones(series))


def rows_of(sample: pa.Table) -> TrainingRows:
    return TrainingRows.of(sample, PLANNED, "US")


def watched_of(holdout: Holdout) -> Watched:
    return Watched.of(holdout, PLANNED, ("C",), "US")


def noisy_week(seed: int, depth: float) -> NDArray[np.float64]:
    """Poisson demand whose mean swings with the day by `depth` of itself."""
    mean = MEAN * (1 + depth * np.where(np.arange(DAYS) % 7 < 2, 1.0, -0.4))
    return np.random.default_rng(seed).poisson(np.tile(mean, (SERIES, 1))).astype(float)


def rounds_of(learnt: NDArray[np.float64], watched: NDArray[np.float64], **parameters: float) -> int:
    recipe = recipe_of(PLANNED, 10_000, "US", {"min_child_weight": 1, "reg_lambda": 1, **parameters})
    return fit_mean_model(rows_of(sample_of(learnt)), recipe, watched_of(holdout_of(watched)), threads=1).rounds


def test_what_is_only_noise_is_hardly_learnt_and_a_pattern_longer() -> None:
    noise = rounds_of(noisy_week(1, 0), noisy_week(2, 0))
    pattern = rounds_of(noisy_week(1, 0.9), noisy_week(2, 0.9))
    assert noise < pattern < MOST_ROUNDS


def test_days_that_equal_those_learnt_from_are_told_better_by_every_round() -> None:
    demand = noisy_week(1, 0.9)
    assert rounds_of(demand, demand, rounds=60) == 60


def test_the_most_rounds_need_not_be_a_multiple_of_those_grown_at_once() -> None:
    demand = noisy_week(1, 0.9)
    assert rounds_of(demand, demand, rounds=ROUNDS_AT_ONCE + 3) == ROUNDS_AT_ONCE + 3


def test_a_month_in_which_everything_sells_twice_as_much_stops_at_the_same_round() -> None:
    learnt, watched = noisy_week(1, 0.5), noisy_week(2, 0.5)
    assert rounds_of(learnt, watched) == rounds_of(learnt, 2 * watched)


def test_days_out_of_stock_or_unknown_stop_nothing() -> None:
    watched, is_stockout = noisy_week(2, 0.5), np.zeros((SERIES, DAYS), bool)
    is_stockout[:, ::3] = True
    spoilt = np.where(is_stockout, 1e6, watched)
    spoilt[:, 1] = np.nan
    told = watched_of(holdout_of(spoilt, is_stockout))
    kept = [h for h in range(DAYS) if h % 3 and h != 1]
    np.testing.assert_array_equal(told.demand.reshape(SERIES, -1), watched[:, kept])
    assert told.matrix[: len(kept), 0].tolist() == [h + 1 for h in kept]


def test_a_shop_that_opens_is_not_watched() -> None:
    watched = noisy_week(2, 0.5)
    holdout = holdout_of(watched)
    slept = holdout.features.take([0, 1]).drop_columns(["demand_mean_28", "demand_mean_91"])
    for name in ("demand_mean_28", "demand_mean_91"):
        slept = slept.append_column(name, pa.array([0.0, 0.0], pa.float32()))
    features = pa.concat_tables([slept.select(holdout.features.column_names), holdout.features.slice(2)])
    told = watched_of(replace(holdout, features=features))
    np.testing.assert_array_equal(told.demand.reshape(-1, DAYS), watched[2:])


def test_what_is_the_same_in_all_rows_is_left_empty_and_changes_no_forecast() -> None:
    sample, recipe = sample_of(noisy_week(1, 0.9)), recipe_of(PLANNED, 10_000, "US", {"min_child_weight": 1})
    rows, holdout = rows_of(sample), holdout_of(noisy_week(2, 0.9))
    constant = [feature_names(PLANNED).index(name) for name in ("log_level", "relative_mean_28", "category_code")]
    assert np.isnan(rows.frame.matrix[:, constant]).all()

    told = rows.frame.matrix.copy()
    told[:, constant] = watched_of(holdout).matrix[0, constant]
    both = [replace(rows, frame=Frame(matrix, rows.frame.level)) for matrix in (rows.frame.matrix, told)]
    empty, full = (fit_mean_model(part, recipe, 40, threads=1) for part in both)
    np.testing.assert_array_equal(empty.means(holdout.features, PLANNED), full.means(holdout.features, PLANNED))
    assert np.ptp(full.means(holdout.features, PLANNED)) > MEAN / 2


def test_of_many_series_every_second_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boosting, "WATCHED_ROWS", SERIES * DAYS - 1)
    watched = noisy_week(2, 0.5)
    told = watched_of(holdout_of(watched))
    np.testing.assert_array_equal(told.demand.reshape(-1, DAYS), watched[::2])


def test_boosters_that_are_told_their_rounds_have_as_many() -> None:
    model = fit_mean_model(rows_of(sample_of(noisy_week(1, 0.5))), recipe_of(PLANNED, 10_000, "US"), 7, threads=1)
    assert model.rounds == 7


counts = st.lists(st.integers(0, 50), min_size=2, max_size=20).filter(any)


@given(counts, st.data())
def test_the_loss_orders_forecasts_of_one_sum_as_the_poisson_deviance_does(
    units: list[int], data: st.DataObject
) -> None:
    demand = np.array(units, float)
    shares = st.lists(st.floats(0.1, 10), min_size=len(units), max_size=len(units))
    a, b = (np.array(data.draw(shares)) for _ in range(2))
    watched = Watched(np.empty((len(units), 0), np.float32), np.ones(len(units), np.float32), demand)
    loss = watched.loss(a.astype(np.float32)) - watched.loss(b.astype(np.float32))
    deviance = poisson_deviance(demand, a) - poisson_deviance(demand, b)
    assert loss * demand.sum() == pytest.approx(deviance / 2, abs=1e-4 * demand.sum())


def poisson_deviance(demand: NDArray[np.float64], shares: NDArray[np.float64]) -> float:
    """The textbook's, of the forecast in these shares that has the demand's sum."""
    forecast = shares * demand.sum() / shares.sum()
    logs = [d * np.log(d / f) if d else 0.0 for d, f in zip(demand, forecast, strict=True)]
    return 2 * float(np.sum(np.array(logs) - (demand - forecast)))


def test_where_nothing_was_sold_any_forecast_is_as_good() -> None:
    watched = Watched(np.empty((2, 0), np.float32), np.ones(2, np.float32), np.zeros(2))
    assert watched.loss(np.array([1.0, 2.0], np.float32)) == watched.loss(np.array([5.0, 1.0], np.float32))


@pytest.mark.parametrize(("span_days", "may_ask"), [(729, False), (730, True)])
def test_no_tree_asks_for_the_day_of_the_year_before_two_years_are_known(*, span_days: int, may_ask: bool) -> None:
    demand, later = noisy_week(1, 0), 3 * noisy_week(2, 0)  # the day of the year is all that tells them apart
    samples = [sample_of(demand, ORIGIN), sample_of(later, ORIGIN + timedelta(days=span_days - DAYS + 1))]
    recipe = recipe_of(PLANNED, 10_000, "US", {"min_child_weight": 1})
    model = fit_mean_model(rows_of(pa.concat_tables(samples)), recipe, 20, threads=1)
    asked = xgboost.Booster(model_file=bytearray(model.boosters[0])).get_score()
    day_of_year = f"f{feature_names(PLANNED).index('day_of_year')}"
    assert (day_of_year in asked) is may_ask
