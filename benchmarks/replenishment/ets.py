"""Exponential smoothing by statsforecast, the library that one would take for it.

AutoETS chooses a model with a weekly season for each series from the days up to the cutoff; its parameters stay, and it
goes on from the close of every day. Its standard deviation is that of the weekday profile: of past errors of the demand
summed over the protection interval. AutoETS itself tells the errors of single days only.
"""

import logging

import numpy as np
from numpy.typing import NDArray

from benchmarks.replenishment.trials import same_lead_times, same_review_period
from nexgen_assets.replenishment.baselines import ERROR_DAYS, SEASON_DAYS, mean_interval, moments_of_forecasts
from nexgen_assets.replenishment.comparison import Contender, of_moments

logger = logging.getLogger(__name__)

Floats = NDArray[np.float64]

AUTO_ETS = "AutoETS"
REPORT_EVERY = 25


def auto_ets(demand: Floats, days: int) -> Contender:
    """The rule for series of `demand` [series, history + simulated days], of which the last `days` are simulated."""
    lead_times, review = same_lead_times(len(demand)), same_review_period(len(demand))
    interval = mean_interval(lead_times, review)
    mean = np.full(demand.shape, np.nan)
    for row, units in enumerate(demand):
        mean[row] = _interval_means(units, days, float(interval[row]))
        if (row + 1) % REPORT_EVERY == 0:
            logger.info("AutoETS: %d of %d series", row + 1, len(mean))
    return of_moments(AUTO_ETS, moments_of_forecasts(demand, mean, lead_times, review).last(days))


def _interval_means(units: Floats, simulated_days: int, interval: float) -> Floats:
    """Forecasts [days] of the next `interval` days' demand, from the year before the simulation on."""
    from statsforecast.models import AutoETS

    cutoff = len(units) - simulated_days
    model = AutoETS(season_length=SEASON_DAYS).fit(units[:cutoff])
    # the last day may count in part
    share = np.clip(interval - np.arange(np.ceil(interval)), 0, 1)
    means = np.full(len(units), np.nan)
    for day in range(max(cutoff - ERROR_DAYS, 2 * SEASON_DAYS), len(units)):
        ahead = model.forward(units[: day + 1], len(share))["mean"]
        means[day] = share @ np.maximum(ahead, 0.0)
    return means
