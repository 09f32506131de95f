"""Baselines that need no training: what a model must beat, and what serves where no model may.

What belongs here: forecasts read straight off a row of `cleaned_features`. What does not: anything fitted.
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nexgen_assets.forecasting.frame import level_of
from nexgen_assets.forecasting.interval import IntervalDemand
from nexgen_assets.forecasting.listing import is_new_item
from nexgen_assets.forecasting.quantiles import LEVELS
from nexgen_assets.forecasting.rows import forecast_rows
from nexgen_assets.tables import HORIZON_DAYS, QUANTILES, WEEKDAY_LAGS

SEASONAL_NAIVE = "seasonal_naive"
SEASON_DAYS = len(WEEKDAY_LAGS)

Floats = NDArray[np.float64]


def seasonal_naive(features: pa.Table) -> Floats:
    """The last seven days repeated, for a day of unknown demand the usual one: means [rows, HORIZON_DAYS].

    A new item has no last week: it is forecast at its assumed level.
    """
    lag = (-np.arange(1, HORIZON_DAYS + 1)) % SEASON_DAYS
    last_week = np.stack([_column(features, f"demand_lag_{k}") for k in WEEKDAY_LAGS], axis=1)
    is_unknown = np.isnan(last_week) | is_new_item(features)[:, None]
    return np.where(is_unknown, _usual(features)[:, None], last_week)[:, lag]


def moving_average_28(features: pa.Table) -> Floats:
    """The mean of the last 28 days on every day: means [rows, HORIZON_DAYS]."""
    return np.repeat(_usual(features)[:, None], HORIZON_DAYS, axis=1)


def _usual(features: pa.Table) -> Floats:
    """The mean of the last 28 days; where nothing is known of them, of the last year, then 0; a new item's level."""
    recent, year = _column(features, "demand_mean_28"), _column(features, "demand_mean_364")
    mean = np.nan_to_num(np.where(np.isnan(recent), year, recent))
    return np.where(is_new_item(features), level_of(features), mean)


def seasonal_naive_forecast(features: pa.Table) -> pa.Table:
    """Rows of `tables.FORECASTS` for every horizon of these origins.

    Quantiles are those of a negative binomial with the forecast as mean and the spread of the last 28 days (a Poisson
    where the spread is below a Poisson's; Syntetos & Boylan, Int. J. Forecasting 21, 2005).
    """
    means = seasonal_naive(features)
    variance = np.nan_to_num(_column(features, "demand_sd_28"))[:, None] ** 2
    quantiles = {name: _quantile(level, means, variance) for name, level in QUANTILES.items()}
    return forecast_rows(features, means, quantiles, SEASONAL_NAIVE)


def naive_interval_demand(features: pa.Table, lengths: NDArray[np.int64]) -> IntervalDemand:
    """Demand summed over the next `lengths` [rows] days as the seasonal naive sees it.

    Days are taken as independent: mean and variance add up (Silver, Pyke & Thomas, Inventory and Production Management,
    4th ed. 2017, ch. 6), and a negative binomial has them. Beyond the forecast its last seven days' mean goes on.
    Raises ValueError for a length below 1.
    """
    if np.any(lengths < 1):
        raise ValueError("an interval lasts at least one day")
    means = seasonal_naive(features)
    within = np.minimum(lengths, means.shape[1])
    mean = np.cumsum(means, axis=1)[np.arange(len(means)), within - 1]
    mean = mean + (lengths - within) * means[:, -SEASON_DAYS:].mean(axis=1)
    variance = lengths * np.nan_to_num(_column(features, "demand_sd_28")) ** 2
    knots = np.stack([_quantile(level, mean, variance) for level in LEVELS], axis=1)
    return IntervalDemand(mean, lengths > means.shape[1], knots)


def _quantile(level: float, mean: Floats, variance: Floats) -> Floats:
    from scipy import stats

    # a week without a sale is no promise of another: the spread needs a mean to act on
    mean = np.maximum(mean, np.where(variance > 0, 1e-3, 0))
    is_wide = variance > mean * 1.001
    excess = np.where(is_wide, variance - mean, 1.0)
    size = np.where(is_wide, mean**2 / excess, 1.0)
    wide = stats.nbinom.ppf(level, size, size / (size + mean))
    return np.where(is_wide, wide, stats.poisson.ppf(level, mean))


def _column(features: pa.Table, name: str) -> Floats:
    return features.column(name).cast(pa.float64()).to_numpy()
