"""Baselines are what their names say, and fit the table."""

from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from nexgen_assets.forecasting.baselines import (
    moving_average_28,
    naive_interval_demand,
    seasonal_naive,
    seasonal_naive_forecast,
)
from nexgen_assets.tables import CLEANED_FEATURES, FORECASTS, HORIZON_DAYS, QUANTILES, WEEKDAY_LAGS


def _features(**values: float) -> pa.Table:
    row = {c.name: 0.0 for c in CLEANED_FEATURES.columns}
    row |= {"day": date(2024, 3, 1), "product_id": "007", "location": "north", "product_name": None, "category": None}
    row |= {"is_new_item": False, "delisted_on": None}
    return pa.Table.from_pylist([row | values], schema=CLEANED_FEATURES.arrow_schema)


def test_the_seasonal_naive_repeats_the_last_week() -> None:
    features = _features(**{f"demand_lag_{k}": float(10 - k) for k in WEEKDAY_LAGS})
    last_week = [10.0 - k for k in reversed(WEEKDAY_LAGS)]
    np.testing.assert_array_equal(seasonal_naive(features)[0], last_week * 4)


def test_the_moving_average_is_the_same_every_day() -> None:
    np.testing.assert_allclose(moving_average_28(_features(demand_mean_28=1.5)), np.full((1, HORIZON_DAYS), 1.5))


def test_its_forecast_is_a_row_per_horizon_in_the_contract_s_columns() -> None:
    table = seasonal_naive_forecast(_features(demand_lag_0=2.0, demand_sd_28=2.0))
    assert table.schema.names == FORECASTS.names
    assert table.schema.types == FORECASTS.arrow_schema.types
    assert table["horizon"].to_pylist() == list(range(1, HORIZON_DAYS + 1))
    assert table["target_date"][0].as_py() == date(2024, 3, 2)
    assert set(table["model_version"].to_pylist()) == {"seasonal_naive"}


@pytest.mark.parametrize("spread", [0.0, 1.0, 3.0])
def test_quantiles_have_the_mean_and_spread_of_the_distribution(spread: float) -> None:
    table = seasonal_naive_forecast(_features(demand_sd_28=spread, **{f"demand_lag_{k}": 4.0 for k in WEEKDAY_LAGS}))
    for name, level in QUANTILES.items():
        expected = stats.poisson.ppf(level, 4) if spread <= 2 else stats.nbinom.ppf(level, 16 / 5, 4 / 9)
        assert table[name][0].as_py() == pytest.approx(expected)


def test_a_series_that_never_sold_is_forecast_as_zero() -> None:
    table = seasonal_naive_forecast(_features())
    assert all(sum(table[name].to_pylist()) == 0 for name in ("mean", *QUANTILES))


def test_quantiles_never_fall() -> None:
    table = seasonal_naive_forecast(_features(demand_lag_0=0.3, demand_lag_3=7.0, demand_sd_28=2.5))
    stacked = np.stack([table[name].to_numpy() for name in QUANTILES])
    assert (np.diff(stacked, axis=0) >= 0).all()


@pytest.mark.parametrize("length", [1, 5, 7, 28, 33])
def test_interval_demand_of_the_naive_is_the_sum_of_its_days(length: int) -> None:
    features = _features(demand_sd_28=3.0, **{f"demand_lag_{k}": float(k + 1) for k in WEEKDAY_LAGS})
    demand = naive_interval_demand(features, np.array([length]))
    mean = sum(7.0 - day % 7 if day < HORIZON_DAYS else 4.0 for day in range(length))
    variance = 9.0 * length
    assert demand.mean[0] == mean
    assert demand.is_beyond_horizon.tolist() == [length > HORIZON_DAYS]
    truth = stats.nbinom(mean**2 / (variance - mean), mean / variance)
    assert demand.quantile(0.95)[0] == truth.ppf(0.95)


def test_an_interval_of_no_days_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one day"):
        naive_interval_demand(_features(), np.array([0]))
