"""Demand over an interval of days: the distribution of a sum, which sums of daily quantiles are not.

What belongs here: that distribution and how it follows from mean forecasts and a calibration, as pure functions of
arrays. What does not: how a calibration is measured (`quantiles.py`), and intervals whose length is random
(`replenishment/lead_times.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nexgen_assets.forecasting.quantiles import (
    LEVELS,
    Calibration,
    Floats,
    Reals,
    scale_of,
    spread_of_sums,
    unstandardised,
)

Whole = NDArray[np.integer[Any]]

EXTRAPOLATION_DAYS = 7


@dataclass(frozen=True)
class IntervalDemand:
    """Distribution of each row's demand over its interval, in units.

    Quantiles run straight between `knots` [rows, LEVELS] (and 0 units at probability 0); beyond the last one the
    tail is exponential, as steep as the knots at 0.99 and 0.999 say.
    """

    mean: Floats
    is_beyond_horizon: NDArray[np.bool_]
    knots: Floats

    def quantile(self, p: float | Reals) -> Floats:
        """Units that demand does not exceed with probability `p`, 0 <= p < 1: a number, or one for each row."""
        p = np.broadcast_to(np.asarray(p, np.float64), self.mean.shape)
        if np.any((p < 0) | (p >= 1)):
            raise ValueError("a probability must be at least 0 and below 1")
        after = np.clip(np.searchsorted(_PROBABILITIES, p, side="right"), 1, len(LEVELS))
        low, high = _PROBABILITIES[after - 1], _PROBABILITIES[after]
        left, right = self._at(after - 1), self._at(after)
        inside = left + (right - left) * np.minimum((p - low) / (high - low), 1)
        tail = self._at(len(LEVELS)) + self._tail * np.log(_TAIL_SHARE / np.minimum(1 - p, _TAIL_SHARE))
        return np.where(p > LEVELS[-1], tail, inside)

    def cdf(self, x: float | Reals) -> Floats:
        """P(demand <= x), for a number or one for each row."""
        x = np.broadcast_to(np.asarray(x, np.float64), self.mean.shape)
        below = (self._quantiles <= x[:, None]).sum(axis=1)
        left, right = self._at(np.maximum(below - 1, 0)), self._at(np.minimum(below, len(LEVELS)))
        low, high = _PROBABILITIES[np.maximum(below - 1, 0)], _PROBABILITIES[np.minimum(below, len(LEVELS))]
        inside = low + (high - low) * np.divide(x - left, right - left, out=np.zeros_like(x), where=right > left)
        return np.where(below > len(LEVELS), 1 - self._tail_probability(x), np.where(below == 0, 0.0, inside))

    def expected_shortage(self, x: float | Reals) -> Floats:
        """E[max(0, demand - x)] in units: the integral of the quantiles above x."""
        x = np.broadcast_to(np.asarray(x, np.float64), self.mean.shape)
        above = self._quantiles - x[:, None]
        a, b = above[:, :-1], above[:, 1:]
        rises = np.divide(b**2, b - a, out=np.zeros_like(b), where=b > a)  # a < 0 < b: a triangle
        area = np.where(a >= 0, a + b, np.where(b > 0, rises, 0)) / 2
        inside = (area * np.diff(_PROBABILITIES)).sum(axis=1)
        missing = np.maximum(self._at(len(LEVELS)) - x, 0)
        return inside + missing * _TAIL_SHARE + self._tail * self._tail_probability(x)

    @cached_property
    def _quantiles(self) -> Floats:
        return np.concatenate([np.zeros((len(self.mean), 1)), self.knots], axis=1)

    @cached_property
    def _tail(self) -> Floats:
        """Units by which the quantile grows when the probability of more falls by the factor e."""
        spread = self.knots[:, -1] - self.knots[:, LEVELS.index(0.99)]
        return spread / np.log((1 - 0.99) / _TAIL_SHARE)

    def _tail_probability(self, x: Floats) -> Floats:
        """P(demand > max(x, last knot))."""
        beyond = np.maximum(x - self._at(len(LEVELS)), 0)
        with np.errstate(over="ignore"):  # so far out that nothing is left
            steps = np.divide(beyond, self._tail, out=np.full_like(beyond, np.inf), where=self._tail > 0)
        return _TAIL_SHARE * np.exp(-steps)

    def _at(self, index: int | Whole) -> Floats:
        return self._quantiles[np.arange(len(self.mean)), index]


_PROBABILITIES = np.array([0.0, *LEVELS])
_TAIL_SHARE = 1 - LEVELS[-1]


def until_delisted(
    demand_over: Callable[[NDArray[np.int64]], IntervalDemand], lengths: Whole, days_listed: Whole
) -> IntervalDemand:
    """Demand over intervals that a delisting cuts short: nothing is sold after the first `days_listed` [rows] days.

    `demand_over` gives the demand of all rows over intervals of some lengths, at least a day each.
    """
    days = np.minimum(lengths, days_listed).astype(np.int64)
    demand, is_sold = demand_over(np.maximum(days, 1)), days > 0
    return IntervalDemand(demand.mean * is_sold, demand.is_beyond_horizon & is_sold, demand.knots * is_sold[:, None])


def interval_demand(
    daily_means: Reals, level: Reals, lengths: Whole, calibration: Calibration, spread: Reals | None = None
) -> IntervalDemand:
    """Demand summed over the next `lengths` [rows] days, from mean forecasts and their spread [rows, H], levels [rows].

    `spread` is None if the calibration was made without one. Beyond the forecast the mean of its last 7 days goes on,
    with the errors of the longest length. Raises ValueError for a length below 1.
    """
    if np.any(lengths < 1):
        raise ValueError("an interval lasts at least one day")
    means = np.asarray(daily_means, np.float64)
    horizon, rows = means.shape[1], np.arange(len(means))
    within = np.minimum(lengths, horizon)
    mean = np.cumsum(means, axis=1)[rows, within - 1]
    mean = mean + (lengths - within) * means[:, -EXTRAPOLATION_DAYS:].mean(axis=1)
    table = calibration.interval
    step = np.minimum(within, table.array.shape[1]) - 1
    scale = scale_of(mean, level * lengths)
    ratios = table.array[table.segment(mean / lengths, level), step]
    if spread is not None:
        ratios = unstandardised(ratios, spread_of_sums(means, spread)[rows, within - 1][:, None])
    return IntervalDemand(mean, lengths > horizon, scale[:, None] * ratios)
