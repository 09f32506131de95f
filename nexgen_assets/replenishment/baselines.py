"""Order-up-to levels without a forecasting model: what shops and textbooks do, and what a model must beat.

What belongs here: levels for all series and days at once, from demand up to that day alone. What does not: the rules
that use the levels (`order_rules.py`), forecasts of our models, perfect foresight (`foresight.py`).

`demand` is [series, days] from the start of the history to the last simulated day. Results have its shape: column t
holds what the demand of columns 0..t says at the close of day t, not a number while the history is too short. Any other
method joins in with `DemandMoments` of its own, or with levels. Memory is that of about ten arrays of that shape;
series do not depend on each other, so many of them can go in parts.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nexgen_assets.replenishment.lead_times import LeadTimes
from nexgen_assets.replenishment.policy import round_up_to_whole_units

Floats = NDArray[np.float64]
Whole = NDArray[np.integer[Any]]

WINDOW_DAYS = 28
SEASON_DAYS = 7
PROFILE_WEEKS = 52
ERROR_DAYS = 364
FEWEST_ERRORS = 28


@dataclass(frozen=True)
class DemandMoments:
    """Demand over the protection interval from the next day on: mean and standard deviation, units [series, days]."""

    mean: Floats
    sd: Floats

    def levels(self, z: float) -> Floats:
        """Order-up-to levels mean + z sd, rounded up to whole units (Silver, Pyke & Thomas, 4e, section 6.10)."""
        return round_up_to_whole_units(self.mean + z * self.sd)

    def last(self, days: int) -> "DemandMoments":
        """Those of the last `days` days: the simulated ones, without the history."""
        return DemandMoments(self.mean[:, -days:], self.sd[:, -days:])


def days_of_supply_levels(demand: Floats, days_of_supply: float) -> Floats:
    """Levels that cover so many days of the average demand of the last 28 days."""
    return round_up_to_whole_units(days_of_supply * _moving_average(demand))


def moving_average_moments(demand: Floats, lead_times: LeadTimes, review_period_days: Whole) -> DemandMoments:
    """The textbook's: moving average and standard deviation of the last 28 days, days taken as independent.

    With P = r + E[L]: mean m P, variance s^2 P + m^2 Var[L] (Silver, Pyke & Thomas, 4e, section 6.10).
    """
    lead_time, lead_time_variance = _lead_time_moments(lead_times)
    interval = (review_period_days + lead_time)[:, None]
    mean = _moving_average(demand)
    variance = np.maximum(_moving_average(demand**2) - mean**2, 0.0) * WINDOW_DAYS / (WINDOW_DAYS - 1)
    return DemandMoments(mean * interval, np.sqrt(variance * interval + mean**2 * lead_time_variance[:, None]))


def weekday_moments(demand: Floats, lead_times: LeadTimes, review_period_days: Whole) -> DemandMoments:
    """The moving average of 28 days, spread over the weekdays as in the last year; and how wrong such forecasts were.

    The standard deviation is that of the errors of demand summed over the protection interval P = r + E[L], of those
    intervals of the last year that are over, about 0: a bias is a risk too (Saoud, Kourentzes & Boylan, Omega 110,
    2022). Random lead times add m^2 Var[L] to its square, m being the moving average. Of a last part of a day in P that
    part of its demand counts.
    """
    mean = _moving_average(demand) * _profile_sum(demand, mean_interval(lead_times, review_period_days))
    return moments_of_forecasts(demand, mean, lead_times, review_period_days)


def moments_of_forecasts(
    demand: Floats, mean: Floats, lead_times: LeadTimes, review_period_days: Whole
) -> DemandMoments:
    """Any method's forecasts `mean` [series, days] of demand over P = r + E[L], and how wrong they were.

    The standard deviation is that of `weekday_moments`. Not a number while there are fewer than 28 errors.
    """
    _, lead_time_variance = _lead_time_moments(lead_times)
    squared_error = _closed_interval_errors(demand, mean, mean_interval(lead_times, review_period_days)) ** 2
    random_lead_time = _moving_average(demand) ** 2 * lead_time_variance[:, None]
    return DemandMoments(mean, np.sqrt(_mean_of_known(squared_error) + random_lead_time))


def mean_interval(lead_times: LeadTimes, review_period_days: Whole) -> Floats:
    """P = r + E[L] [series], in days."""
    return review_period_days + _lead_time_moments(lead_times)[0]


def _lead_time_moments(lead_times: LeadTimes) -> tuple[Floats, Floats]:
    """Mean [series] in days, and variance."""
    mean = lead_times.expectation(lead_times.days)
    return mean, np.maximum(lead_times.expectation(lead_times.days**2) - mean**2, 0.0)


def _moving_average(values: Floats) -> Floats:
    average = _rolling_sum(values, WINDOW_DAYS) / WINDOW_DAYS
    average[:, : WINDOW_DAYS - 1] = np.nan
    return average


def _rolling_sum(values: Floats, window: int) -> Floats:
    """Sums of the last `window` columns, of fewer where there are no more."""
    sums = np.cumsum(values, axis=1)
    return sums - _shifted(sums, window, 0.0)


def _shifted(values: Floats, days: int, before: float) -> Floats:
    """Column t holds column t - days, `before` where there is none."""
    shifted = np.full_like(values, before)
    shifted[:, days:] = values[:, : max(values.shape[1] - days, 0)]
    return shifted


def _profile_sum(demand: Floats, interval: Floats) -> Floats:
    """Days of average demand that the next `interval` [series] days amount to, by the weekdays that are among them."""
    same_weekday = _same_weekday_average(demand)
    week = _rolling_sum(same_weekday, SEASON_DAYS) / SEASON_DAYS
    weekdays = sum(
        _days_that_repeat(lag, interval)[:, None] * _shifted(same_weekday, lag, np.nan) for lag in range(SEASON_DAYS)
    )
    # a year without a sale has no profile
    return np.divide(weekdays, week, out=np.broadcast_to(interval[:, None], week.shape).copy(), where=week > 0)


def _same_weekday_average(demand: Floats) -> Floats:
    """Average of a day and of those 7, 14, ... days before it, up to a year back."""
    average = np.empty_like(demand)
    for weekday in range(SEASON_DAYS):
        days = demand[:, weekday::SEASON_DAYS]
        count = np.minimum(np.arange(days.shape[1]) + 1, PROFILE_WEEKS)
        average[:, weekday::SEASON_DAYS] = _rolling_sum(days, PROFILE_WEEKS) / count
    return average


def _days_that_repeat(lag: int, interval: Floats) -> Floats:
    """How many of the next `interval` days fall on the weekday of `lag` days ago; the last one may count in part."""
    first = SEASON_DAYS - lag  # days ahead
    weeks = np.arange(np.ceil(interval.max(initial=0) / SEASON_DAYS))
    return np.clip(interval[:, None] - (first + SEASON_DAYS * weeks) + 1, 0, 1).sum(axis=1)


def _closed_interval_errors(demand: Floats, forecast: Floats, interval: Floats) -> Floats:
    """Demand less forecast of the interval that ended with each day; not a number where none had been forecast."""
    length = np.ceil(interval).astype(np.int64)[:, None]
    origin = np.arange(demand.shape[1]) - length
    is_known = origin >= 0
    origin = np.maximum(origin, 0)
    up_to = np.cumsum(demand, axis=1)
    # the last day counts in full if the interval is whole, else in part
    missing_part = (length[:, 0] - interval)[:, None] * demand
    actual = up_to - missing_part - np.take_along_axis(up_to, origin, axis=1)
    return np.where(is_known, actual - np.take_along_axis(forecast, origin, axis=1), np.nan)


def _mean_of_known(values: Floats) -> Floats:
    """Average of the numbers among the last year's; not a number if there are too few."""
    is_known = np.isfinite(values)
    count = _rolling_sum(is_known.astype(np.float64), ERROR_DAYS)
    total = np.maximum(_rolling_sum(np.where(is_known, values, 0.0), ERROR_DAYS), 0.0)
    return np.divide(total, count, out=np.full_like(values, np.nan), where=count >= FEWEST_ERRORS)
