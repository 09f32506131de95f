"""Cycle service level, promised and achieved: did the order-up-to levels cover what was demanded?

What belongs here: holding levels against demand, whatever was in stock. What does not: simulating stock, and computing
levels.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nexgen_assets.replenishment.formulas.rounding import NO_NEED_UNITS
from nexgen_assets.replenishment.simulation import Scenario

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CycleService:
    """Protection intervals that are over, and those of them in which demand did not exceed the level; each [series]."""

    closed: NDArray[np.int64]
    covered: NDArray[np.int64]

    @property
    def achieved(self) -> Floats:
        """Share of closed intervals that were covered; not a number without any."""
        return np.divide(self.covered, self.closed, out=np.full(len(self.closed), np.nan), where=self.closed > 0)


def cycle_service(scenario: Scenario, levels: Floats) -> CycleService:
    """Hold the order-up-to levels [series, days] of all reviews after the warm-up against demand.

    The level of day t must last until the day before the order of the next review, r days later with its lead time L',
    can be sold: t + 1 ... t + r + L'. An interval that reaches beyond the last day is left out.
    """
    closed, covered = np.zeros((2, scenario.series), np.int64)
    up_to = np.cumsum(scenario.demand, axis=1)
    for day in range(scenario.warm_up_days, scenario.days):
        end = _last_day(scenario, day)
        rows = np.flatnonzero(scenario.is_review(day) & (end < scenario.days))
        demand = up_to[rows, end[rows]] - up_to[rows, day]
        closed[rows] += 1
        covered[rows] += demand < levels[rows, day] + NO_NEED_UNITS
    return CycleService(closed, covered)


def _last_day(scenario: Scenario, day: int) -> NDArray[np.int64]:
    """Last day [series] that an order of `day` must cover, beyond the scenario if the next review is."""
    review = day + scenario.review_period_days
    within = np.minimum(review, scenario.days - 1)
    lead_time = np.take_along_axis(scenario.lead_time_days, within[:, None], axis=1)[:, 0]
    return np.where(review < scenario.days, review + lead_time, scenario.days)
