"""Quantiles of demand, from the errors a model made on days it had not learnt from.

What belongs here: the calibration and daily quantiles, as pure functions of arrays. What does not: the distribution of
sums (`interval.py`), models, tables, engines.

An error is a ratio: demand / max(mean forecast, a floor from the series' level), measured in the spread expected of it
(`standardised`). Such errors are pooled over forecasts of like size, for demand summed over an interval apart for each
length: sums of daily quantiles are no quantiles of the sum. Not the series' level decides how much of demand is zeros,
but what is expected that day. Forecasts below the floor have errors of their own: on a day on which a shop is closed a
fast mover is expected to sell as little as a slow one, and then sells nothing at all. Forecasts far below the others of
a pool are none of it: what a series sells that hardly sold is any multiple of its forecast.
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
Steps = tuple[tuple[float, ...], ...]  # [step][LEVELS]

LEVELS = (
    *(0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85),
    *(0.9, 0.95, 0.975, 0.99, 0.995, 0.999),
)
FLOOR_SHARE = 0.2  # of the level
FEWEST_ERRORS = 30  # of forecasts below the floor or far below the others, for quantiles of their own
SPAN = 256.0  # the largest forecast of a segment is at most so many times the least, where errors suffice
# at most so many segments, and at least so many errors of a step in each: those of one series' days are much alike
DAILY_SEGMENTS, DAILY_ERRORS = 32, 1_000
INTERVAL_SEGMENTS, INTERVAL_ERRORS = 8, 150
# of few series a few segments, and fewer errors in each: pooled with slow movers', a fast mover's tail is far too long
FEW_SEGMENTS, FEW_ERRORS, FEWEST_INTERVAL_ERRORS = 4, 40, 20
DAYS_A_WEEK = 7
SMALLEST_SHARE = 2.0**-11
TINY = 1e-9  # units a day: days on which nothing is expected are alike
DECIMALS = 6


@dataclass(frozen=True)
class RatioTable:
    """Quantiles of error ratios, `standardised`: `ratios` [segment][step][LEVELS], never falling along the levels.

    `edges` are the inner borders of the segments, in units a day of the forecast; the first segments, below the border
    0, are those of forecasts below the floor, by their level (`_size`).
    """

    edges: tuple[float, ...]
    ratios: tuple[Steps, ...]

    @cached_property
    def array(self) -> Floats:
        return np.asarray(self.ratios, dtype=np.float64)

    def segment(self, means: Reals, level: Reals) -> NDArray[np.intp]:
        """The segment of each mean forecast, given the series' level, both in units a day."""
        return np.searchsorted(np.asarray(self.edges), _size(means, level), side="right")


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


def calibrate(
    actuals: Reals,
    means: Reals,
    level: Reals,
    is_censored: NDArray[np.bool_] | None = None,
    spread: Reals | None = None,
) -> Calibration:
    """Calibration from out-of-sample daily demand, mean forecasts and their spread [series, days], levels [series].

    Without a spread that of all forecasts is the same. Demand that is not a number is unknown, and so is every sum over
    such a day: they teach nothing. Days that `is_censored` (out of stock) teach nothing of daily demand; in sums they
    count as `uncensored` says. Raises ValueError without any series.
    """
    if not len(level):
        raise ValueError("no series to calibrate on")
    censored = np.zeros(actuals.shape, bool) if is_censored is None else is_censored
    spread = np.ones(means.shape) if spread is None else spread
    level = level[:, None]
    daily = standardised(np.where(censored, np.nan, actuals) / scale_of(means, level), spread)
    return Calibration(
        _pool(daily.reshape(-1, 1), _size(means, level).reshape(-1, 1), DAILY_SEGMENTS, DAILY_ERRORS, FEWEST_ERRORS),
        _interval_table(uncensored(actuals, means, censored), means, spread, level),
    )


def _interval_table(actuals: Floats, means: Reals, spread: Reals, level: Reals) -> RatioTable:
    """Error ratios of demand summed over 1, 2 ... days, from starts a week apart.

    From one start alone, whatever befell all series at once (a holiday that nobody told) would count as what is to be
    expected. Every start goes once around all days, past the last one to the first: so there are as many errors of each
    length, and in each of them a day more only adds to what is sold.
    """
    number = np.arange(actuals.shape[1])
    orders = [np.roll(number, -start) for start in number[::DAYS_A_WEEK]]
    errors = [_of_intervals(actuals[:, days], means[:, days], spread[:, days], level) for days in orders]
    ratios, sizes = (np.concatenate(parts) for parts in zip(*errors, strict=True))
    enough, fewest = (len(orders) * count for count in (_errors_of_interval(len(level)), FEWEST_INTERVAL_ERRORS))
    return _pool(ratios, sizes, INTERVAL_SEGMENTS, enough, fewest)


def _of_intervals(actuals: Reals, means: Reals, spread: Reals, level: Reals) -> tuple[Floats, Floats]:
    """Error ratios and sizes [series, lengths] of demand summed over the first 1, 2 ... days."""
    lengths = np.arange(1, actuals.shape[1] + 1)
    sums, expected = (np.cumsum(units, axis=1) for units in (actuals, means))
    ratios = standardised(sums / scale_of(expected, level * lengths), spread_of_sums(means, spread))
    return ratios, _size(expected / lengths, level)


def _errors_of_interval(series: int) -> int:
    """The fewest errors of a segment of interval demand, one a series; two segments even of very few."""
    fewest = np.clip(series // 2, FEWEST_INTERVAL_ERRORS, FEW_ERRORS)
    return int(np.clip(series // FEW_SEGMENTS, fewest, INTERVAL_ERRORS))


def standardised(ratios: Reals, spread: Reals) -> Floats:
    """Ratios of demand to forecast as they would be if their spread were 1.

    The excess over 1 is a multiple of the spread. Below 1 the logarithm is: however wide the spread, demand is never
    negative, and no demand is none.
    """
    above = 1 + (ratios - 1) / spread
    return np.where(ratios > 1, above, np.clip(ratios, 0, 1) ** (1 / np.asarray(spread, np.float64)))


def unstandardised(ratios: Reals, spread: Reals) -> Floats:
    """Undoes `standardised`."""
    return np.where(ratios > 1, 1 + (ratios - 1) * spread, np.clip(ratios, 0, 1) ** np.asarray(spread, np.float64))


def spread_of_sums(means: Reals, spread: Reals) -> Floats:
    """The spread of demand summed over the next 1, 2 ... days [series, days]: the days' own, weighted by their mean.

    As if their errors went together, so that it is the same for equal days; how they average out the calibration says.
    """
    weights = np.maximum(np.asarray(means, np.float64), TINY)
    return np.cumsum(weights * spread, axis=1) / np.cumsum(weights, axis=1)


def scale_of(means: Reals, level: Reals) -> Floats:
    """What errors of these forecasts are divided by, in their units."""
    return np.maximum(np.asarray(means, np.float64), FLOOR_SHARE * np.asarray(level, np.float64))


def _size(means: Reals, level: Reals) -> Floats:
    """What forecasts are pooled by, in units a day: themselves, or below the floor the level, negative."""
    return np.where(means < FLOOR_SHARE * level, -level, means)


def _pool(ratios: Floats, size: Floats, segments: int, errors: int, fewest: int) -> RatioTable:
    """Quantiles of the ratios [rows, steps] by segment of the sizes of their forecasts [rows, steps].

    At most so many segments with so many errors each, and more to keep forecasts within SPAN, with `fewest` each.
    """
    is_known, is_small = np.isfinite(ratios), size < 0
    steps = range(ratios.shape[1])
    usual = is_known & ~is_small
    edges = _segment_edges(size[usual], int(usual.sum()) // len(steps), segments, errors)
    edges = _within_span(edges, size[usual], fewest * len(steps))
    segment = np.searchsorted(np.asarray(edges), size, side="right")
    pooled = [
        tuple(_levels_of(ratios[usual[:, step] & (segment[:, step] == s), step]) for step in steps)
        for s in range(len(edges) + 1)
    ]
    if edges and (usual & (segment == 0)).sum() < fewest * len(steps):
        pooled[0] = pooled[1]
    below, of_below = _pool_below_floor(ratios[is_known & is_small], size[is_known & is_small], pooled[0])
    return RatioTable((*below, 0.0, *edges), (*of_below, *pooled))


def _pool_below_floor(ratios: Floats, size: Floats, otherwise: Steps) -> tuple[tuple[float, ...], list[Steps]]:
    """Borders of negative sizes, and the quantiles of each segment: all steps' together, `otherwise` without errors.

    Levels of a segment keep within SPAN: what a shop sells that opened says nothing of the others' closed days.
    """
    borders = tuple(-border for border in reversed(_within_span((), -size, FEWEST_ERRORS)))
    segment = np.searchsorted(np.asarray(borders), size, side="right")
    pooled: list[Steps] = []
    for s in range(len(borders) + 1):
        errors = ratios[segment == s]
        enough = len(errors) >= FEWEST_ERRORS
        pooled.append((_levels_of(errors),) * len(otherwise) if enough else (pooled or [otherwise])[-1])
    return borders, pooled


def _within_span(edges: tuple[float, ...], sizes: Floats, fewest: int) -> tuple[float, ...]:
    """The borders, and more of them where forecasts of a segment differ by more than SPAN.

    A segment of fewer errors than `fewest` joins the one above, the uppermost the one below. Only the lowest may be
    smaller: its errors would be outliers in any other.
    """
    if not len(sizes):
        return edges
    borders = np.unique([*edges, *_cuts(np.array([max(sizes.min(), TINY), *edges, sizes.max()]))])
    counts = np.bincount(np.searchsorted(borders, sizes, side="right"), minlength=len(borders) + 1)
    kept, waiting = borders[:1].tolist(), 0
    for border, count in zip(borders[1:], counts[1:-1], strict=True):
        waiting += count
        if waiting >= fewest:
            kept.append(float(border))
            waiting = 0
    if waiting + counts[-1] < fewest:
        kept = kept[:-1]
    return tuple(kept)


def _cuts(borders: Floats) -> list[float]:
    """Sizes between the borders, each SPAN below the next."""
    steps = np.log(np.maximum(borders[1:] / borders[:-1], 1)) / np.log(SPAN)
    return [top / SPAN**k for top, count in zip(borders[1:], steps, strict=True) for k in range(1, int(np.ceil(count)))]


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
    # where nothing is known of a segment on these days its forecasts stand alone
    values = np.quantile(ratios if len(ratios) else np.ones(1), LEVELS, method="inverted_cdf")
    return tuple(float(value) for value in np.round(values, DECIMALS))


def daily_quantiles(
    means: Reals, level: Reals, calibration: Calibration, spread: Reals | None = None
) -> dict[str, Floats]:
    """Quantiles of each day's demand by name (`tables.QUANTILES`), each [series, days]: never falling, >= 0.

    `spread` is None if the calibration was made without one.
    """
    table = calibration.daily
    spread = np.ones(means.shape) if spread is None else spread
    level = level[:, None]
    scale, segment = scale_of(means, level), table.segment(means, level)
    return {
        name: scale * unstandardised(table.array[segment, 0, LEVELS.index(share)], spread)
        for name, share in QUANTILES.items()
    }
