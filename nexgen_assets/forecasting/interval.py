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
        tail = self._quantiles[-1] + self._tail * np.log(_TAIL_SHARE / np.minimum(1 - p, _TAIL_SHARE))
        return np.where(p > LEVELS[-1], tail, inside)

    def cdf(self, x: float | Reals) -> Floats:
        """P(demand <= x), for a number or one for each row."""
        x = np.broadcast_to(np.asarray(x, np.float64), self.mean.shape)
        below = self._below(x)
        return np.where(below > len(LEVELS), 1 - self._tail_probability(x), self._cdf_within(x, below))

    def expected_shortage(self, x: float | Reals) -> Floats:
        """E[max(0, demand - x)] in units: the integral of P(demand > u) over u above x."""
        x = np.broadcast_to(np.asarray(x, np.float64), self.mean.shape)
        below = self._below(x)
        end = np.minimum(below, len(LEVELS))
        # up to the next quantile the probability of more falls straight; what is beyond it is known
        until_next = self._at(end) - x
        more = 1 - _PROBABILITIES[end] + self._at(end, self._densities) * until_next / 2
        within = until_next * more + self._at(end, self._shortages)
        is_beyond = below > len(LEVELS)
        return np.where(is_beyond, self._tail * self._tail_probability(x), within) if is_beyond.any() else within

    @cached_property
    def _quantiles(self) -> Floats:
        """The knots, and 0 units before them: [LEVELS + 1, rows]."""
        return np.ascontiguousarray(np.concatenate([np.zeros((1, len(self.mean))), self.knots.T]))

    @cached_property
    def _shortages(self) -> Floats:
        """The expected shortage at each of the quantiles, [LEVELS + 1, rows]."""
        more = 1 - (_PROBABILITIES[:-1] + _PROBABILITIES[1:]) / 2  # on average between two of them
        between = np.diff(self._quantiles, axis=0) * more[:, None]
        tail = (self._tail * _TAIL_SHARE)[None]
        return np.ascontiguousarray(np.cumsum(np.concatenate([tail, between[::-1]]), axis=0)[::-1])

    @cached_property
    def _densities(self) -> Floats:
        """Probability per unit before each quantile, [LEVELS + 1, rows]; 0 where the one before is the same."""
        width = np.ascontiguousarray(np.diff(self._quantiles, axis=0, prepend=0.0))
        probability = np.broadcast_to(np.diff(_PROBABILITIES, prepend=0.0)[:, None], width.shape)
        return np.divide(probability, width, out=np.zeros_like(width), where=width > 0)

    def _below(self, x: Floats) -> NDArray[np.intp]:
        """How many of the quantiles are at most x."""
        return np.asarray(np.sum(self._quantiles <= x, axis=0, dtype=np.int8)).astype(np.intp)

    def _cdf_within(self, x: Floats, below: NDArray[np.intp]) -> Floats:
        """P(demand <= x) for x up to the last knot."""
        start, end = np.maximum(below - 1, 0), np.minimum(below, len(LEVELS))
        left, right, low, high = self._at(start), self._at(end), _PROBABILITIES[start], _PROBABILITIES[end]
        return low + (high - low) * np.divide(x - left, right - left, out=np.zeros_like(x), where=right > left)

    @cached_property
    def _tail(self) -> Floats:
        """Units by which the quantile grows when the probability of more falls by the factor e."""
        spread = self.knots[:, -1] - self.knots[:, LEVELS.index(0.99)]
        return spread / np.log((1 - 0.99) / _TAIL_SHARE)

    def _tail_probability(self, x: Floats) -> Floats:
        """P(demand > max(x, last knot))."""
        beyond = np.maximum(x - self._quantiles[-1], 0)
        with np.errstate(over="ignore"):  # so far out that nothing is left
            steps = np.divide(beyond, self._tail, out=np.full_like(beyond, np.inf), where=self._tail > 0)
        return _TAIL_SHARE * np.exp(-steps)

    def _at(self, index: Whole, values: Floats | None = None) -> Floats:
        """Of each row the quantile, or one of other `values` [LEVELS + 1, rows], with its index."""
        of = self._quantiles if values is None else values
        return of.ravel().take(index * len(self.mean) + self._rows)

    @cached_property
    def _rows(self) -> NDArray[np.intp]:
        return np.arange(len(self.mean))


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
