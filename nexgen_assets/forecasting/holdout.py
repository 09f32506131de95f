"""The hold-out: days that a model has not learnt from, and how well a mean forecast did on them.

What belongs here: the demand after an origin, and what it takes to score a forecast of it. What does not: the measures
(`evaluation.py`), models.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from nexgen_assets.forecasting import evaluation
from nexgen_assets.forecasting.closings import was_told_closed
from nexgen_assets.forecasting.listing import is_listed_ahead
from nexgen_assets.forecasting.rows import SERIES, series_key
from nexgen_assets.forecasting.sampling import TrainingError
from nexgen_assets.tables import DAY, HORIZON_DAYS

Floats = NDArray[np.float64]
Reals = NDArray[np.floating[Any]]

VALUE_DAYS = 28


@dataclass(frozen=True)
class Holdout:
    """The last origin with all its targets past: demand and stockouts are [series, horizon days].

    Demand is not a number where it is unknown, or none was to be served: the location was told to be closed, or the
    product was known to be delisted.
    """

    features: pa.Table
    demand: Floats
    is_stockout: NDArray[np.bool_]
    scale: Floats
    sales_value: Floats

    def score(self, forecast: Reals) -> dict[str, float]:
        """All scores of a mean forecast; a day of unknown demand is no error, and one out of stock none of a day."""
        is_known = ~np.isnan(self.demand)
        actual, judged = (np.where(is_known, values, 0) for values in (self.demand, forecast))
        in_stock = [np.where(self.is_stockout, 0, values) for values in (actual, judged)]
        return {
            "wrmsse": evaluation.wrmsse(actual, judged, self.scale, self.sales_value),
            "wape_total": evaluation.wape_total(actual, judged),
            "wape": evaluation.wape(*in_stock),
            "bias": evaluation.bias(actual, judged),
        }


def holdout_at(features: DataFrame, demand: DataFrame, origin: date, horizon_days: int = HORIZON_DAYS) -> Holdout:
    """The series of an origin and what came after it; raises TrainingError where no series is known.

    New items are left out: their forecast is assumed, not learned.
    """
    learned = features.where((F.col(DAY) == F.lit(origin)) & ~F.coalesce("is_new_item", F.lit(False)))
    rows = learned.toArrow().sort_by([(name, "ascending") for name in SERIES])
    if not rows.num_rows:
        raise TrainingError(f"no series to judge the model on at {origin}")
    ahead = demand.where(
        F.col(DAY).between(F.lit(origin + timedelta(days=1)), F.lit(origin + timedelta(days=horizon_days)))
    )
    told = ahead.where(_is_no_target() | F.coalesce(F.col("demand_units") > 0, F.lit(False))).select(
        *SERIES,
        F.datediff(DAY, F.lit(origin)).alias("horizon"),
        F.col("demand_units").cast("double").alias("demand"),
        (F.col("demand_units").isNull() | was_told_closed()).cast("double").alias("is_unknown"),
        F.coalesce("is_stockout", F.lit(False)).cast("double").alias("is_stockout"),
    )
    facts = _past_facts(demand, origin).toArrow()
    names = ("demand", "is_unknown", "is_stockout")
    sold, is_unknown, is_stockout = by_series(rows, told.toArrow(), names, horizon_days)
    scale, value = (array[:, 0] for array in by_series(rows, facts, ("scale", "sales_value"), 1))
    is_known = (is_unknown == 0) & is_listed_ahead(rows, horizon_days)
    return Holdout(rows, np.where(is_known, sold, np.nan), is_stockout > 0, scale, value)


def _past_facts(demand: DataFrame, origin: date) -> DataFrame:
    """One row per series that sold: the scale of the RMSSE and the sales value of the last 28 days.

    A day-to-day change touches a day with a sale, so the days without one need not be looked at:
    a sale after a pause is a step up, and the sale before the pause was a step down.
    """
    past = demand.where((F.col(DAY) <= F.lit(origin)) & (F.col("demand_units") > 0)).select(
        *SERIES, DAY, F.col("demand_units").cast("double").alias("units"), F.col("revenue").cast("double")
    )
    by_day = Window.partitionBy(*SERIES).orderBy(DAY)
    steps = past.withColumns({"before": F.lag("units").over(by_day), "gap": F.datediff(DAY, F.lag(DAY).over(by_day))})
    change = (
        F.when(F.col("gap") == 1, (F.col("units") - F.col("before")) ** 2)
        .when(F.col("gap") > 1, F.col("units") ** 2 + F.col("before") ** 2)
        .otherwise(F.lit(0.0))
    )
    is_recent = F.col(DAY) > F.lit(origin - timedelta(days=VALUE_DAYS))
    sums = steps.groupBy(*SERIES).agg(
        F.sum(change).alias("changes"),
        F.datediff(F.lit(origin), F.min(DAY)).alias("steps"),
        F.max_by("units", DAY).alias("last_units"),
        F.max(DAY).alias("last_day"),
        F.sum(F.when(is_recent, F.col("revenue")).otherwise(F.lit(0.0))).alias("sales_value"),
    )
    pause = F.when(F.col("last_day") < F.lit(origin), F.col("last_units") ** 2).otherwise(F.lit(0.0))
    scale = F.coalesce((F.col("changes") + pause) / F.nullif(F.col("steps"), F.lit(0)), F.lit(0.0))
    return sums.select(*SERIES, F.lit(1).alias("horizon"), scale.alias("scale"), "sales_value")


def by_series(rows: pa.Table, facts: pa.Table, names: tuple[str, ...], days: int) -> list[Floats]:
    """Columns of `facts` as arrays [rows, days], in the order of `rows`; 0 where nothing is told."""
    index_in: Any = pc.index_in  # pyright: ignore[reportAttributeAccessIssue]
    place = index_in(series_key(facts), series_key(rows)).fill_null(-1).to_numpy()
    known = np.flatnonzero(place >= 0)
    horizon = facts["horizon"].to_numpy()[known] - 1
    arrays = []
    for name in names:
        array = np.zeros((rows.num_rows, days))
        array[place[known], horizon] = facts[name].to_numpy()[known]
        arrays.append(array)
    return arrays


def _is_no_target() -> Column:
    return F.col("demand_units").isNull() | was_told_closed() | F.coalesce("is_stockout", F.lit(False))
