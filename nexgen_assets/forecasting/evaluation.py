"""Accuracy of forecasts: the measures this field compares by, as plain functions of arrays.

What belongs here: definitions. What does not: choosing series, origins or models. `actual` and `forecast` are
[series, horizon] in units unless told otherwise. An error of 0/0 (no demand at all) is not a number: it is undefined.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.floating[Any]]


def wape(actual: Reals, forecast: Reals) -> float:
    """Weighted absolute percentage error: sum |f - y| / sum y (Kolassa & Schuetz, Foresight 6, 2007)."""
    return _ratio(np.abs(forecast - actual).sum(), actual.sum())


def wape_total(actual: Reals, forecast: Reals) -> float:
    """WAPE of each series' total over the horizon: the error that an order feels."""
    return wape(actual.sum(axis=1), forecast.sum(axis=1))


def bias(actual: Reals, forecast: Reals) -> float:
    """(sum f - sum y) / sum y: positive for forecasts that are too high."""
    return _ratio((forecast - actual).sum(), actual.sum())


def squared_step_mean(history: Reals) -> float:
    """Scale of the RMSSE of one series: mean squared day-to-day change since its first sale (M5 guide, 2020).

    `history` [days] up to the origin; not a number with fewer than two days since the first sale.
    """
    sold = np.flatnonzero(history > 0)
    steps = np.diff(history[sold[0] :]) if len(sold) else np.empty(0)
    return float(np.mean(steps**2)) if len(steps) else float("nan")


def rmsse(actual: Reals, forecast: Reals, scale: Reals) -> Reals:
    """Root mean squared scaled error [series]; `scale` [series] is `squared_step_mean`. Not a number where it is 0."""
    return np.sqrt(((forecast - actual) ** 2).mean(axis=1) / np.where(scale > 0, scale, np.nan))


def wrmsse(actual: Reals, forecast: Reals, scale: Reals, sales_value: Reals) -> float:
    """RMSSE weighted by `sales_value` [series], the money of the last 28 days; series without a scale are left out."""
    error = rmsse(actual, forecast, scale)
    weight = np.where(np.isfinite(error), np.maximum(sales_value, 0), 0)
    return _ratio((np.nan_to_num(error) * weight).sum(), weight.sum())


def pinball_loss(actual: Reals, quantile: Reals, level: float) -> float:
    """Sum of the quantile loss at `level`, in units (Koenker & Bassett, Econometrica 46, 1978)."""
    return float(pinball_losses(actual, quantile, level).sum())


def pinball_losses(actual: Reals, quantile: Reals, level: float) -> Reals:
    """The quantile loss of each forecast, in the shape of the arrays."""
    error = actual - quantile
    return np.maximum(level * error, (level - 1) * error)


def weighted_quantile_loss(actual: Reals, quantile: Reals, level: float) -> float:
    """wQL: twice the pinball loss per unit of demand."""
    return _ratio(2 * pinball_loss(actual, quantile, level), np.abs(actual).sum())


def coverage(actual: Reals, quantile: Reals) -> float:
    """Share of actuals at or below their quantile."""
    return float(np.mean(actual <= quantile))


def _ratio(numerator: float, denominator: float) -> float:
    return float(numerator / denominator) if denominator else float("nan")
