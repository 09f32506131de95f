"""Quantiles of demand, from the errors a model made on days it had not seen.

What belongs here: the calibration and the distributions derived from it, as pure functions of arrays. What does not:
models, tables, engines.

An error is a ratio: demand / max(mean forecast, a floor from the series' level). Ratios are pooled over series of like
level, apart for each step: a range of horizons (daily demand) or a length in days (demand summed over an interval).
Sums of daily quantiles are no quantiles of the sum; that is why intervals have ratios of their own.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nexgen_assets.tables import HORIZON_DAYS, QUANTILES

Reals = NDArray[np.floating[Any]]
Floats = NDArray[np.float64]
Whole = NDArray[np.integer[Any]]

LEVELS = (
    *(0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85),
    *(0.9, 0.95, 0.975, 0.99, 0.995, 0.999),
)
FLOOR_SHARE = 0.2
SEGMENT_SERIES = 150
DECIMALS = 6
HORIZON_STEPS = ((1, 7), (8, 14), (15, HORIZON_DAYS))
EXTRAPOLATION_DAYS = 7


@dataclass(frozen=True)
class RatioTable:
    """Quantiles of error ratios: `ratios` [segment][step][LEVELS], never falling along the levels.

    `edges` are the inner borders of the segments, in units a day of the series' level.
    """

    edges: tuple[float, ...]
    ratios: tuple[tuple[tuple[float, ...], ...], ...]

    @cached_property
    def array(self) -> Floats:
        return np.asarray(self.ratios, dtype=np.float64)

    def segment(self, level: Reals) -> NDArray[np.intp]:
        return np.searchsorted(np.asarray(self.edges), level, side="right")


@dataclass(frozen=True)
class Calibration:
    """Error ratios of daily demand by range of horizons, and of demand over the next 1..H days by length."""

    daily: RatioTable
    interval: RatioTable

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Calibration":
        return cls(**{name: _table_from_json(content[name]) for name in ("daily", "interval")})


def _table_from_json(content: dict[str, Any]) -> RatioTable:
    ratios = tuple(tuple(tuple(step) for step in segment) for segment in content["ratios"])
    return RatioTable(tuple(content["edges"]), ratios)


def calibrate(actuals: Reals, means: Reals, level: Reals) -> Calibration:
    """Calibration from out-of-sample daily demand and mean forecasts [series, days], and levels [series].

    Demand that is not a number is unknown, and so is every sum over such a day: they teach nothing.
    Raises ValueError without any series.
    """
    if not len(level):
        raise ValueError("no series to calibrate on")
    edges = _segment_edges(level)
    days = actuals.shape[1]
    steps = [(first, last) for first, last in HORIZON_STEPS if first <= days]
    daily = [_ratios(actuals[:, a - 1 : b], means[:, a - 1 : b], level[:, None]) for a, b in steps]
    lengths = np.arange(1, actuals.shape[1] + 1)
    interval = _ratios(np.cumsum(actuals, axis=1), np.cumsum(means, axis=1), level[:, None] * lengths)
    return Calibration(_pool(daily, level, edges), _pool(list(interval.T[:, :, None]), level, edges))


def _segment_edges(level: Reals) -> tuple[float, ...]:
    """Eighths of the series, the uppermost halved on: few fast movers differ more than many slow ones."""
    shares = [k / 8 for k in range(1, 8)] + [1 - 2.0**-k for k in range(4, 12)]
    wide_enough = [s for s in shares if min(1 / 8, 1 - s) * len(level) >= SEGMENT_SERIES]
    if not wide_enough:
        return ()
    # borders are levels that occur, above the lowest: no segment is empty, however many levels are equal
    borders = np.unique(np.quantile(level, wide_enough, method="inverted_cdf"))
    return tuple(float(border) for border in borders[borders > level.min()])


def _ratios(actuals: Reals, means: Reals, level: Reals) -> Floats:
    return np.asarray(actuals, np.float64) / _scale(means, level)


def _scale(means: Reals, level: Reals) -> Floats:
    return np.maximum(np.asarray(means, np.float64), FLOOR_SHARE * np.asarray(level, np.float64))


def _pool(steps: Sequence[Floats], level: Reals, edges: tuple[float, ...]) -> RatioTable:
    segment = np.searchsorted(np.asarray(edges), level, side="right")
    pooled = tuple(tuple(_levels_of(step[segment == s]) for step in steps) for s in range(len(edges) + 1))
    return RatioTable(edges, pooled)


def _levels_of(ratios: Floats) -> tuple[float, ...]:
    known = ratios[~np.isnan(ratios)]
    if not len(known):
        known = np.ones(1)  # nothing is known of a segment on these days: its forecasts stand alone
    values = np.quantile(known, LEVELS, method="inverted_cdf")
    return tuple(float(value) for value in np.round(values, DECIMALS))


def daily_quantiles(means: Reals, level: Reals, calibration: Calibration) -> dict[str, Floats]:
    """Quantiles of each day's demand by name (`tables.QUANTILES`), each [series, HORIZON_DAYS]: never falling, >= 0."""
    table = calibration.daily
    horizons = np.arange(1, means.shape[1] + 1)
    step = np.searchsorted([last for _, last in HORIZON_STEPS[:-1]], horizons, side="left")
    step = np.minimum(step, table.array.shape[1] - 1)
    scale = _scale(means, level[:, None])
    segment = table.segment(level)[:, None]
    return {name: scale * table.array[segment, step[None, :], LEVELS.index(share)] for name, share in QUANTILES.items()}


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


def interval_demand(daily_means: Reals, level: Reals, lengths: Whole, calibration: Calibration) -> IntervalDemand:
    """Demand summed over the next `lengths` [rows] days, from mean forecasts [rows, H] and levels [rows].

    Beyond the forecast the mean of its last 7 days goes on, with the errors of the longest length. Raises ValueError
    for a length below 1.
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
    ratios = table.array[table.segment(level), step]
    return IntervalDemand(mean, lengths > horizon, _scale(mean, level * lengths)[:, None] * ratios)
