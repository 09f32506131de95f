"""Outlooks: what a method says at an origin, in the one form in which methods are compared.

What belongs here: asking a model or a baseline for means, daily quantiles and the distribution of sums. What does not:
fitting, judging (`judging.py`), the form in which forecasts are stored (`rows.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from nexgen_assets.forecasting import baselines
from nexgen_assets.forecasting.frame import Covariates, level_of
from nexgen_assets.forecasting.interval import IntervalDemand, interval_demand
from nexgen_assets.forecasting.model import TrainedModel
from nexgen_assets.forecasting.quantiles import Reals, daily_quantiles
from nexgen_assets.tables import HORIZON_DAYS, QUANTILES


@dataclass(frozen=True)
class Outlook:
    """Means and daily quantiles (by name, as in `tables.QUANTILES`) [series, days], in units.

    `totals` holds by length n the distribution of the demand summed over the first n days. A method without
    distributions has no quantiles and no totals.
    """

    means: Reals
    quantiles: Mapping[str, Reals] = field(default_factory=dict)
    totals: Mapping[int, IntervalDemand] = field(default_factory=dict)


def outlook(  # noqa: PLR0917
    model: TrainedModel,
    rows: pa.Table,
    covariates: Covariates,
    lengths: Sequence[int],
    threads: int = 1,
    horizon_days: int = HORIZON_DAYS,
) -> Outlook:
    """What a model says of the series `rows` (of `tables.CLEANED_FEATURES`) of one origin."""
    means, spread = model.means_and_spread(rows, covariates, threads, horizon_days)
    level, calibration = level_of(rows), model.calibration
    totals = {n: interval_demand(means, level, np.full(rows.num_rows, n), calibration, spread) for n in lengths}
    return Outlook(means, daily_quantiles(means, level, calibration, spread), totals)


def seasonal_naive_outlook(rows: pa.Table, lengths: Sequence[int]) -> Outlook:
    """The same of the seasonal naive, as it is published where no model may serve."""
    forecast = baselines.seasonal_naive_forecast(rows)
    shape = (rows.num_rows, HORIZON_DAYS)
    quantiles = {name: forecast[name].to_numpy().reshape(shape) for name in QUANTILES}
    totals = {n: baselines.naive_interval_demand(rows, np.full(rows.num_rows, n)) for n in lengths}
    return Outlook(forecast["mean"].to_numpy().reshape(shape), quantiles, totals)


def moving_average_outlook(rows: pa.Table) -> Outlook:
    """The same of the moving average, which knows means only."""
    return Outlook(baselines.moving_average_28(rows))
