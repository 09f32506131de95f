"""Backtests: what this code would have forecast at past origins, on any panel.

What belongs here: rolling origins through the same features, training and prediction as the assets. What does not:
reading files, scores of other methods.
"""

import tempfile
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812

from nexgen_assets.forecasting.features import cleaned_features
from nexgen_assets.forecasting.model import TrainedModel
from nexgen_assets.forecasting.outlook import outlook
from nexgen_assets.forecasting.panel import Panel
from nexgen_assets.forecasting.quantiles import Reals
from nexgen_assets.forecasting.training import train
from nexgen_assets.settings import Settings
from nexgen_assets.tables import DAY, HORIZON_DAYS, QUANTILES


class BacktestError(ValueError):
    """A backtest was asked for what the panel or the code cannot give."""


def backtest(  # noqa: PLR0917
    session: SparkSession,
    panel: Panel,
    origins: Sequence[date],
    horizon_days: int,
    intervals: Sequence[int],
    settings: Settings,
) -> Iterator[tuple[pa.Table, TrainedModel]]:
    """For each origin its forecasts and the model that made them.

    An origin is the last day whose sales are known. The table has one row per series x target day: `origin_date`,
    `product_id`, `location`, `target_date`, `mean` and the quantiles (`tables.QUANTILES`), and for each length n of
    `intervals` the distribution of the demand summed over the first n days as `cum{n}_mean`, `cum{n}_q05` ..., filled
    on the last of these days. Raises BacktestError as `refuse_impossible` does.
    """
    refuse_impossible(panel, origins, horizon_days, intervals)
    with tempfile.TemporaryDirectory() as folder:
        demand_file, features_file = Path(folder) / "demand.parquet", Path(folder) / "features"
        pq.write_table(panel.demand(max(origins)), demand_file)
        demand = session.read.parquet(str(demand_file))
        last = max(origins)
        promotions = panel.covariates.promotions()
        made = cleaned_features(demand, panel.first_day, last, settings.lookback_days, promotions)
        made.write.parquet(str(features_file))
        features = session.read.parquet(str(features_file))
        for origin in sorted(origins):
            model = train(
                features,
                demand,
                origin,
                panel.covariates,
                settings.training_rows,
                settings.country,
                settings.threads,
                horizon_days,
            )
            rows = features.where(F.col(DAY) == F.lit(origin)).toArrow()
            rows = rows.sort_by([("product_id", "ascending"), ("location", "ascending")])
            yield _forecast(model, rows, panel, horizon_days, intervals, settings.threads), model


def refuse_impossible(panel: Panel, origins: Sequence[date], horizon_days: int, intervals: Sequence[int]) -> None:
    """Raise BacktestError for an origin, horizon or interval out of range; it says which and what would do."""
    if not origins:
        raise BacktestError("a backtest needs at least one origin")
    if not 1 <= horizon_days <= HORIZON_DAYS:
        raise BacktestError(f"the horizon is {horizon_days} days; it can be 1 to {HORIZON_DAYS}")
    for origin in origins:
        if not panel.first_day < origin <= panel.last_day:
            raise BacktestError(
                f"origin {origin} is outside the days whose sales are known, {panel.first_day} to {panel.last_day}"
            )
    for length in intervals:
        if not 1 <= length <= horizon_days:
            raise BacktestError(f"an interval of {length} days does not fit into the horizon of {horizon_days}")


def rolling_origins(last_day: date, count: int, spacing_days: int, horizon_days: int = HORIZON_DAYS) -> list[date]:
    """Origins, oldest first, `spacing_days` apart; the horizon of the last one ends on the last day known.

    Raises BacktestError for a count or spacing below 1.
    """
    if count < 1 or spacing_days < 1:
        raise BacktestError(f"{count} origins {spacing_days} days apart: both must be at least 1")
    newest = last_day - timedelta(days=horizon_days)
    return [newest - timedelta(days=number * spacing_days) for number in reversed(range(count))]


def _forecast(  # noqa: PLR0917
    model: TrainedModel, rows: pa.Table, panel: Panel, horizon_days: int, intervals: Sequence[int], threads: int
) -> pa.Table:
    found = outlook(model, rows, panel.covariates, intervals, threads, horizon_days)
    origin: date = rows[DAY][0].as_py()
    series = np.repeat(np.arange(rows.num_rows), horizon_days)
    targets = [origin + timedelta(days=day) for day in range(1, horizon_days + 1)]
    columns = {
        "origin_date": pa.repeat(pa.scalar(origin), len(series)),
        "product_id": rows["product_id"].take(series),
        "location": rows["location"].take(series),
        "target_date": pa.array(targets * rows.num_rows, pa.date32()),
        "mean": _column(found.means),
    }
    columns |= {name: _column(q) for name, q in found.quantiles.items()}
    horizons = np.arange(1, horizon_days + 1)
    for length, total in found.totals.items():
        values = {"mean": total.mean} | {name: total.quantile(share) for name, share in QUANTILES.items()}
        is_earlier_or_later = np.tile(horizons != length, rows.num_rows)
        for name, value in values.items():
            spread = np.repeat(value, horizon_days).astype(np.float32)
            columns[f"cum{length}_{name}"] = pa.array(spread, mask=is_earlier_or_later)
    return pa.table(columns)


def _column(values: Reals) -> pa.Array:
    return pa.array(np.maximum(values, 0).astype(np.float32).ravel())
