"""Promised and achieved service: what the forecast of each order says it will serve, and what the simulation served.

What belongs here: the fill rate that an order row promises (`risk.py`), of the orders of a simulation; and sums of both
sides over groups of series. What does not: simulating stock, and computing levels.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nexgen_assets.replenishment.cycle_service import cycle_service
from nexgen_assets.replenishment.forecast_levels import RollingForecasts
from nexgen_assets.replenishment.lead_times import LeadTimes, with_overtaking
from nexgen_assets.replenishment.mixture import MixedDemand
from nexgen_assets.replenishment.risk import lost_between_receipts
from nexgen_assets.replenishment.simulation import Scenario, Trace

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Service:
    """Promised and achieved over the same review days, each [series]; units unless the name says otherwise."""

    expected_demand: Floats
    expected_lost: Floats
    demand: Floats
    sales: Floats
    intervals: Floats  # protection intervals that are over
    covered: Floats  # those of them whose demand did not exceed the level

    def pooled(self, membership: Floats) -> "Service":
        """Sums over groups of series; `membership` [groups, series] of 0 and 1."""
        names = ("expected_demand", "expected_lost", "demand", "sales", "intervals", "covered")
        return Service(**{name: membership @ getattr(self, name) for name in names})

    @property
    def promised_fill_rate(self) -> Floats:
        """Not a number where nothing was expected."""
        return 1 - _ratio(self.expected_lost, self.expected_demand)

    @property
    def achieved_fill_rate(self) -> Floats:
        return _ratio(self.sales, self.demand)

    @property
    def achieved_cycle_service(self) -> Floats:
        """The promised one is the service level itself."""
        return _ratio(self.covered, self.intervals)


def service(
    scenario: Scenario, lead_times: LeadTimes, forecasts: RollingForecasts, levels: Floats, trace: Trace
) -> Service:
    """What the reviews after the warm-up promised and achieved.

    `trace` is that of a simulation of `levels` [series, days] with all series traced, in their order. An order answers
    for the days from its arrival to that of the next review's order: promised is what the forecast expects of these
    days, whatever was ordered; achieved are the days that lie as far ahead, at the mean lead time. Reviews whose days
    lie beyond the last one are left out on both sides. As the simulation draws the lead time of every order by itself,
    the promise reckons with orders that overtake. Raises ValueError if the trace is not of all series.
    """
    if trace.demand.shape != scenario.demand.shape:
        raise ValueError(f"the trace is of {len(trace.demand)} series, not of all {scenario.series}")
    expected, lost, wanted, sold = np.zeros((4, scenario.series))
    arrival = with_overtaking(lead_times, scenario.review_period_days)
    way = np.rint(lead_times.expectation(lead_times.days)).astype(np.int64)
    sales_up_to, demand_up_to = (np.cumsum(units, axis=1) for units in (trace.sales, trace.demand))
    for day in range(scenario.warm_up_days, scenario.days):
        end = day + way + scenario.review_period_days
        rows = scenario.is_review(day) & (end < scenario.days)
        position = trace.on_hand[:, day] + trace.on_order[:, day]
        of_day = promised(forecasts, day, position, trace.ordered[:, day], arrival, scenario.review_period_days)
        expected += np.where(rows, of_day[0], 0.0)
        lost += np.where(rows, of_day[1], 0.0)
        wanted += np.where(rows, _at(demand_up_to, end) - _at(demand_up_to, day + way), 0.0)
        sold += np.where(rows, _at(sales_up_to, end) - _at(sales_up_to, day + way), 0.0)
    cycles = cycle_service(scenario, levels)
    return Service(expected, lost, wanted, sold, cycles.closed.astype(np.float64), cycles.covered.astype(np.float64))


def promised(  # noqa: PLR0917
    forecasts: RollingForecasts,
    day: int,
    position: Floats,
    order_units: Floats,
    lead_times: LeadTimes,
    review_period_days: NDArray[np.integer[Any]],
) -> tuple[Floats, Floats]:
    """Demand expected [series] of the days that an order of `day` answers for, and how much of it will be lost.

    `position` is the inventory position with the order. The loss is what order rows tell (`risk.py`). That is cautious:
    for demand drawn from the forecasts, lead times of 2 and 7 days and levels of 90 % and more it told 0 to 3 points of
    fill rate less than a simulation.
    """
    until_next = forecasts.over_protection_interval(day, lead_times, review_period_days)
    before = MixedDemand(forecasts.over(day, lead_times.row, lead_times.days), lead_times)
    lost = lost_between_receipts(until_next, before, position, before.expected_shortage(position - order_units))
    expected = np.maximum(until_next.mean - before.mean, 0.0)
    return expected, np.minimum(lost, expected)


def _at(up_to: Floats, day: NDArray[np.int64]) -> Floats:
    """Running totals at the close of each series' own day; of a day beyond the last, at the last."""
    return np.take_along_axis(up_to, np.minimum(day, up_to.shape[1] - 1)[:, None], axis=1)[:, 0]


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    return np.divide(numerator, denominator, out=np.full(np.shape(numerator), np.nan), where=denominator > 0)
