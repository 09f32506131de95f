"""Order-up-to levels of forecasts, day after day: what the policy would have ordered up to, had it run on each of them.

What belongs here: the distributions that a model's daily means imply at the close of each simulated day, for all series
at once. What does not: making forecasts, rules without a model (`baselines.py`), the policy's arithmetic (`policy.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nexgen_assets.forecasting.interval import IntervalDemand, interval_demand, until_delisted
from nexgen_assets.forecasting.listing import NO_END
from nexgen_assets.forecasting.quantiles import Calibration, Reals
from nexgen_assets.replenishment.lead_times import LeadTimes
from nexgen_assets.replenishment.mixture import TOLERANCE_PROBABILITY, MixedDemand
from nexgen_assets.replenishment.policy import round_up_to_whole_units, surely_sold

Floats = NDArray[np.float64]
Whole = NDArray[np.integer[Any]]

NOISE_UNITS = 5e-7  # what the rounding of levels forgives


@dataclass(frozen=True)
class RollingForecasts:
    """What a model said at the close of each day, from what was known then.

    `means` [series, days, horizons] units a day, `level` [series, days] units a day, and the calibration of the model,
    made with the spread of forecasts if `spread` [series, days, horizons] is told. `days_listed` [series, days] as in
    `listing.py`: how long each series went on, as was known then; None for ever.
    """

    means: Reals
    level: Reals
    calibration: Calibration
    days_listed: Whole | None = None
    spread: Reals | None = None

    @property
    def days(self) -> int:
        return self.means.shape[1]

    def over(self, day: int, which: Whole, lengths: Whole) -> IntervalDemand:
        """Demand of the series `which` over the next `lengths` days, 0 or more, as seen at the close of `day`."""

        def over(days: Whole) -> IntervalDemand:
            spread = None if self.spread is None else self.spread[which, day]
            return interval_demand(self.means[which, day], self.level[which, day], days, self.calibration, spread)

        listed = np.full(len(which), NO_END) if self.days_listed is None else self.days_listed[which, day]
        return until_delisted(over, lengths, listed)

    def over_protection_interval(self, day: int, lead_times: LeadTimes, review_period_days: Whole) -> MixedDemand:
        """Demand [series] that an order placed at the close of `day` must cover: review period and lead time."""
        row = lead_times.row
        return MixedDemand(self.over(day, row, lead_times.days + review_period_days[row]), lead_times)


def forecast_levels(
    forecasts: RollingForecasts, lead_times: LeadTimes, review_period_days: Whole, service_levels: Sequence[float]
) -> dict[float, Floats]:
    """Order-up-to levels [series, days] by cycle service level: each the quantile of that day's protection interval."""
    levels = {share: np.empty(forecasts.level.shape) for share in service_levels}
    for day in range(forecasts.days):
        demand = forecasts.over_protection_interval(day, lead_times, review_period_days)
        for share, of_share in levels.items():
            of_share[:, day] = _least_whole_units(demand, share)
    return levels


def surely_sold_until_receipt(forecasts: RollingForecasts, lead_times: LeadTimes, which: Whole) -> Floats:
    """Units [series of `which`, days] that are as good as certainly sold before an order of the day arrives."""
    of_those = lead_times.take(which)
    sold = np.empty((len(which), forecasts.days))
    for day in range(forecasts.days):
        sold[:, day] = surely_sold(MixedDemand(forecasts.over(day, which[of_those.row], of_those.days), of_those))
    return sold


def _least_whole_units(demand: MixedDemand, probability: float) -> Floats:
    """As `policy.order_up_to_level`, searched for in whole units: so many days would take long otherwise."""
    quantiles = np.asarray(demand.parts.quantile(probability), np.float64)
    low, high = (
        round_up_to_whole_units(of.reduceat(quantiles, demand.lead_times.first)) for of in (np.minimum, np.maximum)
    )
    while np.any(low < high):
        middle = np.floor((low + high) / 2)
        is_enough = demand.cdf(middle + NOISE_UNITS) >= probability - TOLERANCE_PROBABILITY
        low, high = np.where(is_enough, low, middle + 1), np.where(is_enough, middle, high)
    return high
