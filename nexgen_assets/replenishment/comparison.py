"""Order rules that are compared with each other: those without a model, and that of our forecasts.

What belongs here: which rules there are, how far each one's parameter is swept, and the simulations of all of them.
What does not: the levels of a rule (`baselines.py`, `forecast_levels.py`), stock at equal service (`frontier.py`), what
is told of them (`comparison_report.py`).

All of them raise the inventory position to a level at every review (R, S); they differ in the level alone.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nexgen_assets.replenishment.baselines import (
    DemandMoments,
    days_of_supply_levels,
    moving_average_moments,
    weekday_moments,
)
from nexgen_assets.replenishment.forecast_levels import RollingForecasts, forecast_levels, surely_sold_until_receipt
from nexgen_assets.replenishment.foresight import perfect_foresight
from nexgen_assets.replenishment.frontier import Sweep, sweep
from nexgen_assets.replenishment.kpis import Totals
from nexgen_assets.replenishment.lead_times import LeadTimes
from nexgen_assets.replenishment.order_rules import BaseStock
from nexgen_assets.replenishment.promise import Service, service
from nexgen_assets.replenishment.simulation import Scenario, simulate

logger = logging.getLogger(__name__)

Floats = NDArray[np.float64]
Whole = NDArray[np.integer[Any]]

FORECAST = "forecast"
DAYS_OF_SUPPLY = "days_of_supply"
MOVING_AVERAGE = "moving_average"
WEEKDAY_PROFILE = "weekday_profile"
PERFECT_FORESIGHT = "perfect_foresight"

# the promise that is set beforehand: no stockout in 95 of 100 protection intervals
SERVICE_LEVEL = 0.95
NORMAL_95 = 1.625  # 1.645 on the grid of safety factors
PROMISES = (0.9, 0.95, 0.99)
# between two levels of a model's calibration its quantiles run straight; so do its levels here
SERVICE_LEVELS = (
    *(0.2, 0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.825, 0.85, 0.875),
    *(0.9, 0.91, 0.92, 0.93, 0.94, 0.95, 0.9625, 0.975, 0.9825, 0.99, 0.995, 0.999, 0.9999),
)
SAFETY_FACTORS = (*np.arange(-1.0, 3.0, 0.125).tolist(), *np.arange(3.0, 8.5, 0.5).tolist())
DAYS = (*np.arange(1.0, 8.0, 0.25).tolist(), *np.arange(8.0, 15.0, 0.5).tolist(), *np.arange(15.0, 62.0, 3.0).tolist())


@dataclass(frozen=True)
class Contender:
    """A rule with one parameter, swept over `values`; `untuned` is the value for a promise of 95 % set beforehand.

    `untuned` is None for a rule that promises nothing.
    """

    name: str
    values: tuple[float, ...]
    untuned: float | None
    levels: Callable[[float], Floats]  # [series, simulated days]

    def swept(self, scenario: Scenario) -> Sweep:
        return sweep(scenario, lambda value: BaseStock(self.levels(value)), self.values)


def of_moments(name: str, moments: DemandMoments) -> Contender:
    """Mean + z standard deviations of the demand over the protection interval, z being swept."""
    return Contender(name, SAFETY_FACTORS, NORMAL_95, moments.levels)


def baselines(demand: Floats, lead_times: LeadTimes, review_period_days: Whole, days: int) -> list[Contender]:
    """The rules without a model. `demand` is [series, history + simulated days]; the last `days` are simulated."""
    average = moving_average_moments(demand, lead_times, review_period_days).last(days)
    weekday = weekday_moments(demand, lead_times, review_period_days).last(days)
    return [
        Contender(DAYS_OF_SUPPLY, DAYS, None, lambda cover: days_of_supply_levels(demand, cover)[:, -days:]),
        of_moments(MOVING_AVERAGE, average),
        of_moments(WEEKDAY_PROFILE, weekday),
    ]


def of_forecasts(
    forecasts: RollingForecasts,
    lead_times: LeadTimes,
    review_period_days: Whole,
    service_levels: Sequence[float] = SERVICE_LEVELS,
) -> Contender:
    """The product's own rule: the quantile of the demand over the protection interval, its level being swept."""
    levels = forecast_levels(forecasts, lead_times, review_period_days, service_levels)
    return Contender(FORECAST, tuple(service_levels), SERVICE_LEVEL, levels.__getitem__)


@dataclass(frozen=True)
class Comparison:
    """What was simulated: by rule its contender and its sweep; and what the forecasts promised, by service level."""

    scenario: Scenario
    contenders: Mapping[str, Contender]
    sweeps: Mapping[str, Sweep]
    foresight: Totals
    promised: Mapping[float, Service]


def compare(
    scenario: Scenario,
    demand: Floats,
    lead_times: LeadTimes,
    forecasts: RollingForecasts,
    others: Sequence[Contender] = (),
) -> Comparison:
    """All rules in the same scenario: that of the forecasts, those without a model, and `others`.

    `demand` [series, history + simulated days] ends with the scenario's; the history must be long enough for the
    baselines (`baselines.py`). Where stock is limited, an order of any rule finds the room that orders reckon with:
    what, by the forecasts, is surely sold before it arrives takes none.
    """
    scenario = _with_room(scenario, lead_times, forecasts)
    review = scenario.review_period_days
    own = of_forecasts(forecasts, lead_times, review)
    rules = [own, *baselines(demand, lead_times, review, scenario.days), *others]
    sweeps: dict[str, Sweep] = {}
    for rule in rules:
        sweeps[rule.name] = rule.swept(scenario)
        logger.info("simulated %s with %d values of its parameter", rule.name, len(rule.values))
    promised: dict[float, Service] = {}
    for share in PROMISES:
        levels = own.levels(share)
        trace = simulate(scenario, BaseStock(levels), range(scenario.series)).trace
        promised[share] = service(scenario, lead_times, forecasts, levels, trace)
    contenders = {rule.name: rule for rule in rules}
    return Comparison(scenario, contenders, sweeps, perfect_foresight(scenario).totals, promised)


def _with_room(scenario: Scenario, lead_times: LeadTimes, forecasts: RollingForecasts) -> Scenario:
    limited = np.flatnonzero(np.isfinite(scenario.max_stock))
    sold = np.zeros(scenario.demand.shape)
    sold[limited] = surely_sold_until_receipt(forecasts, lead_times, limited)
    return replace(scenario, surely_sold=sold)
