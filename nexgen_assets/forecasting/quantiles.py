"""Quantiles of demand, from the errors a model made on days it had not seen.

What belongs here: the calibration and the distributions derived from it, as pure functions of arrays. What does not:
models, tables, engines.

An error is a ratio: demand / max(mean forecast, a floor from the series' level). Ratios are pooled over forecasts of
like size, for demand summed over an interval apart for each length: sums of daily quantiles are no quantiles of the
sum. Not the series' level decides how much of demand is zeros, but what is expected that day.
"""

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nexgen_assets.forecasting.censoring import uncensored
from nexgen_assets.tables import QUANTILES

Reals = NDArray[np.floating[Any]]
Floats = NDArray[np.float64]

LEVELS = (
    *(0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85),
    *(0.9, 0.95, 0.975, 0.99, 0.995, 0.999),
)
FLOOR_SHARE = 0.2
# at most so many segments, and at least so many errors of a step in each: those of one series' days are much alike
DAILY_SEGMENTS, DAILY_ERRORS = 32, 1_000
INTERVAL_SEGMENTS, INTERVAL_ERRORS = 8, 150
SMALLEST_SHARE = 2.0**-11
DECIMALS = 6


@dataclass(frozen=True)
class RatioTable:
    """Quantiles of error ratios: `ratios` [segment][step][LEVELS], never falling along the levels.

    `edges` are the inner borders of the segments, in units a day of the forecast.
    """

    edges: tuple[float, ...]
    ratios: tuple[tuple[tuple[float, ...], ...], ...]

    @cached_property
    def array(self) -> Floats:
        return np.asarray(self.ratios, dtype=np.float64)

    def segment(self, forecast: Reals) -> NDArray[np.intp]:
        """The segment of each forecast, in units a day."""
        return np.searchsorted(np.asarray(self.edges), forecast, side="right")


@dataclass(frozen=True)
class Calibration:
    """Error ratios of daily demand (one step), and of demand over the next 1..H days (a step for each length)."""

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


def calibrate(actuals: Reals, means: Reals, level: Reals, is_censored: NDArray[np.bool_] | None = None) -> Calibration:
    """Calibration from out-of-sample daily demand and mean forecasts [series, days], and levels [series].

    Demand that is not a number is unknown, and so is every sum over such a day: they teach nothing. Days that
    `is_censored` (out of stock) teach nothing of daily demand; in sums they count as `uncensored` says. Raises
    ValueError without any series.
    """
    if not len(level):
        raise ValueError("no series to calibrate on")
    censored = np.zeros(actuals.shape, bool) if is_censored is None else is_censored
    scale = _scale(means, level[:, None])
    daily = np.where(censored, np.nan, actuals) / scale
    lengths = np.arange(1, actuals.shape[1] + 1)
    sums = np.cumsum(uncensored(actuals, means, censored), axis=1)
    sums_scale = _scale(np.cumsum(means, axis=1), level[:, None] * lengths)
    return Calibration(
        _pool(daily.reshape(-1, 1), scale.reshape(-1, 1), DAILY_SEGMENTS, DAILY_ERRORS),
        _pool(sums / sums_scale, sums_scale / lengths, INTERVAL_SEGMENTS, INTERVAL_ERRORS),
    )


def _scale(means: Reals, level: Reals) -> Floats:
    return np.maximum(np.asarray(means, np.float64), FLOOR_SHARE * np.asarray(level, np.float64))


def _pool(ratios: Floats, forecast: Floats, segments: int, errors: int) -> RatioTable:
    """Quantiles of the ratios [rows, steps] by segment of their forecasts in units a day [rows, steps]."""
    is_known = np.isfinite(ratios)
    edges = _segment_edges(forecast[is_known], int(is_known.sum()) // ratios.shape[1], segments, errors)
    segment = np.searchsorted(np.asarray(edges), forecast, side="right")
    pooled = tuple(
        tuple(_levels_of(ratios[segment[:, step] == s, step]) for step in range(ratios.shape[1]))
        for s in range(len(edges) + 1)
    )
    return RatioTable(edges, pooled)


def _segment_edges(forecast: Floats, rows: int, segments: int, errors: int) -> tuple[float, ...]:
    """Borders of segments of equal size, the uppermost halved on: few fast movers differ more than many slow ones."""
    count = min(segments, rows // errors)
    if count < 2:
        return ()
    shares = [k / count for k in range(1, count)]
    above = 1 / (2 * count)
    while above >= max(SMALLEST_SHARE, errors / rows):
        shares.append(1 - above)
        above /= 2
    # borders are forecasts that occur, above the lowest: no segment is empty, however many are equal
    borders = np.unique(np.quantile(forecast, shares, method="inverted_cdf"))
    return tuple(float(border) for border in borders[borders > forecast.min()])


def _levels_of(ratios: Floats) -> tuple[float, ...]:
    known = ratios[~np.isnan(ratios)]
    if not len(known):
        known = np.ones(1)  # nothing is known of a segment on these days: its forecasts stand alone
    values = np.quantile(known, LEVELS, method="inverted_cdf")
    return tuple(float(value) for value in np.round(values, DECIMALS))


def daily_quantiles(means: Reals, level: Reals, calibration: Calibration) -> dict[str, Floats]:
    """Quantiles of each day's demand by name (`tables.QUANTILES`), each [series, days]: never falling, >= 0."""
    table = calibration.daily
    scale = _scale(means, level[:, None])
    segment = table.segment(scale)
    return {name: scale * table.array[segment, 0, LEVELS.index(share)] for name, share in QUANTILES.items()}
