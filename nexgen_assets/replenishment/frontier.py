"""The frontier of service and stock: how much stock each rule needs for the same fill rate, and how sure that is.

What belongs here: sweeping a rule's parameter, stock at equal fill rates, and confidence in a difference. What does
not: simulating, rules, and drawing charts.

Rules are only comparable at equal service. Weighted by units, fill rate is units sold over units demanded and stock is
the sum of average stocks; by series, every series counts the same, and stock is days of its own average demand.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nexgen_assets.replenishment.kpis import Totals
from nexgen_assets.replenishment.simulation import OrderRule, Scenario, simulate

logger = logging.getLogger(__name__)

Floats = NDArray[np.float64]
Weighting = Literal["units", "series"]

FILL_RATES = (0.90, 0.95, 0.98, 0.99)
RESAMPLES = 1_000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Sweep:
    """The totals of one rule for each value of its parameter, of the same series over the same days."""

    parameters: tuple[float, ...]
    totals: tuple[Totals, ...]

    def rows(self, which: NDArray[np.integer[Any]]) -> "Sweep":
        """The same of these series, in this order."""
        return Sweep(self.parameters, tuple(totals.rows(which) for totals in self.totals))


@dataclass(frozen=True)
class Difference:
    """Stock that one rule needs beyond another's, as a share of the other's: -0.1 is a tenth less.

    `low` and `high` bound it with 95 % confidence. Not a number where a fill rate was not reached: by the series as
    they are, or, for the bounds, in a resample of them.
    """

    estimate: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """False if there is no difference to speak of: the bounds enclose 0, or are not known."""
        return bool(self.low > 0 or self.high < 0)


def sweep(scenario: Scenario, rule_of: Callable[[float], OrderRule], parameters: Sequence[float]) -> Sweep:
    """Simulate the rule with each value of its parameter."""
    totals: list[Totals] = []
    for value in parameters:
        totals.append(simulate(scenario, rule_of(value)).totals)
        logger.info("simulated %d of %d values of the parameter: %g", len(totals), len(parameters), value)
    return Sweep(tuple(parameters), tuple(totals))


def stock_needed(swept: Sweep, fill_rates: Sequence[float] = FILL_RATES, weighting: Weighting = "units") -> Floats:
    """Average stock at each of `fill_rates`, in units of all series, or in mean days of demand if weighted by series.

    Straight between the swept points; not a number for a fill rate that they do not enclose.
    """
    points = _points(swept, weighting)
    return points.stock_at(np.asarray(fill_rates), np.ones(len(points.wanted)))


def stock_difference(
    swept: Sweep, other: Sweep, fill_rate: float, weighting: Weighting = "units", seed: int = 0
) -> Difference:
    """How much more stock `swept` needs than `other` at `fill_rate`: paired bootstrap over series, 1,000 resamples.

    Both are measured on the same resampled series (Efron & Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13:
    percentile interval). Raises ValueError if the two are not of the same demand.
    """
    if not np.array_equal(swept.totals[0].demand, other.totals[0].demand):
        raise ValueError("only rules that met the same demand can be compared")
    ours, theirs = _points(swept, weighting), _points(other, weighting)
    series = len(ours.wanted)
    if not series:
        raise ValueError("without any series with demand there is nothing to compare")
    target = np.array([fill_rate])

    def difference(weights: Floats) -> float:
        return (ours.stock_at(target, weights) / theirs.stock_at(target, weights) - 1).item()

    random = np.random.default_rng(seed)
    resampled = [
        difference(np.bincount(random.integers(series, size=series), minlength=series).astype(np.float64))
        for _ in range(RESAMPLES)
    ]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])  # not a number if one of them is none
    return Difference(difference(np.ones(series)), float(low), float(high))


@dataclass(frozen=True)
class _Points:
    """What each series adds to fill rate and stock: `served` and `stock` [series, swept values], `wanted` [series]."""

    served: Floats
    wanted: Floats
    stock: Floats

    def stock_at(self, fill_rates: Floats, weights: Floats) -> Floats:
        """Stock at each fill rate with series weighted so [series]."""
        reached, stock = (weights @ self.served) / (weights @ self.wanted), weights @ self.stock
        by_stock = np.lexsort((-reached, stock))
        reached, stock = reached[by_stock], stock[by_stock]
        # a point that takes more stock and serves no more is no choice
        is_choice = reached > np.concatenate([[-np.inf], np.maximum.accumulate(reached)[:-1]])
        return np.interp(fill_rates, reached[is_choice], stock[is_choice], left=np.nan, right=np.nan)


def _points(swept: Sweep, weighting: Weighting) -> _Points:
    demand = swept.totals[0].demand
    sales = np.stack([totals.sales for totals in swept.totals], axis=1)
    stock = np.stack([totals.average_on_hand for totals in swept.totals], axis=1)
    if weighting == "units":
        return _Points(sales, demand, stock)
    sold = demand > 0  # without demand there is neither a fill rate nor a day's demand
    daily = demand[sold] / swept.totals[0].days
    return _Points(
        served=sales[sold] / demand[sold, None],
        wanted=np.ones(sold.sum()),
        stock=stock[sold] / daily[:, None] / sold.sum(),
    )
