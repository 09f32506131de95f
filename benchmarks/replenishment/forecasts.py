"""Our forecasts from the close of every simulated day, by a model that was trained once, before the first of them.

What belongs here: features, training and daily means on a panel. What does not: demand over an interval and orders,
which are the product's own code.
"""

import logging
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.replenishment.trials import REVIEW_PERIOD_DAYS, Trial
from nexgen_assets.forecasting.features import cleaned_features
from nexgen_assets.forecasting.frame import level_of
from nexgen_assets.forecasting.model import TrainedModel
from nexgen_assets.forecasting.quantiles import daily_quantiles
from nexgen_assets.forecasting.rows import series_key
from nexgen_assets.forecasting.training import train
from nexgen_assets.replenishment.comparison import SERVICE_LEVEL, Contender
from nexgen_assets.replenishment.forecast_levels import RollingForecasts
from nexgen_assets.replenishment.policy import round_up_to_whole_units
from nexgen_assets.resources.spark_engine import connect, embedded_engine
from nexgen_assets.settings import Settings
from nexgen_assets.tables import DAY, QUANTILES

logger = logging.getLogger(__name__)

SUM_OF_QUANTILES = "sum_of_daily_quantiles"
DAYS_AT_ONCE = 14


def rolling_forecasts(trial: Trial, settings: Settings) -> tuple[RollingForecasts, pa.Table]:
    """Forecasts of all simulated days, and the features of the cutoff: what was known when the model was trained.

    Series are those of the trial, in its order. The model sees nothing after the cutoff; each day's features see
    nothing after that day.
    """
    last = trial.origins[-1]
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, embedded_engine() as remote:
        session = connect(remote)
        demand_file, features_file = Path(folder) / "demand.parquet", Path(folder) / "features"
        pq.write_table(trial.source.demand(last), demand_file)
        demand = session.read.parquet(str(demand_file))
        made = cleaned_features(
            demand,
            trial.source.first_day,
            last,
            settings.lookback_days,
            trial.source.covariates.promotions(),
        )
        made.write.parquet(str(features_file))
        logger.info("features of %s to %s: %.0f s", trial.source.first_day, last, time.perf_counter() - began)
        features = session.read.parquet(str(features_file))
        model = train(
            features,
            demand,
            trial.cutoff,
            trial.source.covariates,
            settings.training_rows,
            settings.country,
            settings.threads,
        )
        session.stop()
        logger.info("trained on the days up to %s: %.0f s", trial.cutoff, time.perf_counter() - began)
        found = _forecasts(trial, model, features_file, settings.threads)
        logger.info("forecasts of %d days: %.0f s", trial.days, time.perf_counter() - began)
        return found, _in_order(trial, pq.read_table(features_file, filters=[(DAY, "=", trial.cutoff)]))


def _forecasts(trial: Trial, model: TrainedModel, features_file: Path, threads: int) -> RollingForecasts:
    longest = int(trial.lead_times.days.max()) + REVIEW_PERIOD_DAYS
    means, spread = (np.empty((len(trial.rows), trial.days, longest), np.float32) for _ in range(2))
    level = np.empty((len(trial.rows), trial.days), np.float32)
    for start in range(0, trial.days, DAYS_AT_ONCE):
        days = trial.origins[start : start + DAYS_AT_ONCE]
        rows = pq.read_table(features_file, filters=[(DAY, ">=", days[0]), (DAY, "<=", days[-1])])
        for number, day in enumerate(days, start=start):
            known = _in_order(trial, rows.filter(pc.field(DAY) == day))
            told = model.means_and_spread(known, trial.source.covariates, threads, longest)
            means[:, number], spread[:, number] = told
            level[:, number] = level_of(known)
    return RollingForecasts(means, level, model.calibration, spread=spread)


def _in_order(trial: Trial, rows: pa.Table) -> pa.Table:
    """The rows of one day, a row for each series of the trial."""
    index_in: Any = pc.index_in
    keys = pa.array(trial.keys)
    place = index_in(keys, series_key(rows))
    if place.null_count:
        raise ValueError(f"{trial.panel.name}: {place.null_count} series have no features on {rows[DAY][0]}")
    return rows.take(place)


def summed_quantiles(forecasts: RollingForecasts, interval_days: float) -> Contender:
    """Levels that are sums of daily quantiles, the usual mistake; of a last part of a day that part of its quantile."""
    share = np.clip(interval_days - np.arange(np.ceil(interval_days)), 0, 1)
    levels = {probability: np.empty(forecasts.level.shape) for probability in QUANTILES.values()}
    for day in range(forecasts.days):
        spread = None if forecasts.spread is None else forecasts.spread[:, day]
        found = daily_quantiles(forecasts.means[:, day], forecasts.level[:, day], forecasts.calibration, spread)
        for name, probability in QUANTILES.items():
            levels[probability][:, day] = round_up_to_whole_units(found[name][:, : len(share)] @ share)
    return Contender(SUM_OF_QUANTILES, tuple(levels), SERVICE_LEVEL, levels.__getitem__)
