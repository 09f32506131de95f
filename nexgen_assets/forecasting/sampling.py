"""Sampling: the rows that a model learns from, origins x horizons with the demand that came.

What belongs here: which rows are drawn, and their targets. What does not: the design matrix (`frame.py`), learning
(`boosting.py`).
"""

import math
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from nexgen_assets.forecasting.frame import EPOCH
from nexgen_assets.forecasting.rows import SERIES
from nexgen_assets.tables import CLEANED_FEATURES, DAY, HORIZON_DAYS

WARM_UP_DAYS = 91  # origins before know too little of their own past to be like those that will be forecast
SHORTEST_WARM_UP_DAYS = 14  # a short history gives a third of itself
ROWS_A_SERIES, FEWEST_ROWS = 80, 60_000  # more of a series' days are too alike to teach more


class TrainingError(ValueError):
    """There is too little history to train on; the message says how much there is."""


def training_frame(
    features: DataFrame, demand: DataFrame, as_of: date, rows: int, horizon_days: int = HORIZON_DAYS
) -> pa.Table:
    """Sampled origins (columns of `tables.CLEANED_FEATURES`) with `horizon`, `target` (units) and `sampling_weight`.

    Sampled from the origin's side, by a hash: whether a target row exists must not matter, since none means no sale.
    Targets lie at `as_of` or before. Days of unknown demand are no targets; on those known to be out of stock
    (`is_censored`) the target is what was sold, which is not all that was wanted.
    Busy series are sampled more often, and `sampling_weight` undoes it. In the order of the table's grain, so that
    the same data gives the same model.
    """
    known = features.where(F.col(DAY) < F.lit(as_of))
    first_origin, interest, series = _interest_after_warm_up(known, as_of, horizon_days)
    if first_origin is None:
        raise TrainingError(
            f"no forecast origins before {as_of} to train on: at most {SHORTEST_WARM_UP_DAYS} days of history"
        )
    origins = known.where(F.col(DAY) >= F.lit(first_origin))
    rows = min(rows, max(FEWEST_ROWS, ROWS_A_SERIES * series))
    sampled = _sampled(origins, rows / interest, horizon_days).where(F.date_add(DAY, F.col("horizon")) <= F.lit(as_of))
    targets = demand.where(F.col(DAY) <= F.lit(as_of)).select(
        *SERIES,
        F.col(DAY).alias("target_date"),
        F.col("demand_units").cast("double").alias("sold"),
        F.col("demand_units").isNull().alias("is_unknown"),
        F.col("is_stockout").alias("is_censored"),
    )
    dated = sampled.withColumn("target_date", F.date_add(DAY, F.col("horizon")))
    joined = dated.join(targets, [*SERIES, "target_date"], "left")
    sold = joined.where(~F.coalesce("is_unknown", F.lit(False))).select(
        *CLEANED_FEATURES.names,
        "horizon",
        "sampling_weight",
        F.coalesce("sold", F.lit(0.0)).alias("target"),
        F.coalesce("is_censored", F.lit(False)).alias("is_censored"),
    )
    return sold.toArrow().sort_by([(name, "ascending") for name in (*CLEANED_FEATURES.grain, "horizon")])


def with_targets_until(table: pa.Table, last: date) -> pa.Table:
    """The rows that a training on that day could have had: whether a row is sampled knows nothing of its target."""
    return table.filter(pa.array(target_days(table) <= (last - EPOCH).days))


def target_days(table: pa.Table) -> NDArray[np.int64]:
    """The day of each row's target, in days since 1970."""
    days, horizons = (table[name].cast(pa.int32()).to_numpy().astype(np.int64) for name in (DAY, "horizon"))
    return days + horizons


def _interest_after_warm_up(origins: DataFrame, as_of: date, horizon_days: int) -> tuple[date | None, float, int]:
    """The first origin that knows enough of its past, the summed interest from it on, and the most series of a day.

    An origin whose horizon ends after `as_of` counts in part. (None, 0, 0) if no origin knows enough.
    """
    facts = (F.sum(_interest()).alias("interest"), F.count("*").alias("series"))
    daily = origins.groupBy(DAY).agg(*facts).toArrow().sort_by(DAY)
    days, interests, series = (daily[name].to_pylist() for name in (DAY, "interest", "series"))
    if not days:
        return None, 0.0, 0
    warm_up = min(WARM_UP_DAYS, max(SHORTEST_WARM_UP_DAYS, (days[-1] - days[0]).days // 3))
    warm = [i for i, day in enumerate(days) if day >= days[0] + timedelta(days=warm_up)]
    if not warm:
        return None, 0.0, 0
    interest = sum(interests[i] * min(1.0, (as_of - days[i]).days / horizon_days) for i in warm)
    return days[warm[0]], interest, max(series)


def _interest() -> Column:
    """How often an origin is sampled: errors grow about with the square root of demand, so does what a row teaches."""
    return F.greatest(F.lit(0.35), F.least(F.lit(4.0), 2.2 * F.sqrt(F.col("demand_mean_28").cast("double"))))


def _sampled(origins: DataFrame, share: float, horizon_days: int) -> DataFrame:
    """A share of the origins x horizons: one horizon of each origin, more where history is short (`share` above 1).

    The horizons of an origin lie evenly spread from one that its hash names; each is drawn by a hash of its own.
    """
    horizons = min(horizon_days, max(1, math.ceil(share)))
    first = F.pmod(F.xxhash64(*SERIES, F.date_format(DAY, "yyyy-MM-dd")), F.lit(horizon_days))
    step = F.explode(F.array([F.lit(i * horizon_days // horizons) for i in range(horizons)]))
    spread = origins.withColumn("step", step).withColumn(
        "horizon", (F.pmod(first + F.col("step"), F.lit(horizon_days)) + 1).cast("int")
    )
    draw = F.pmod(F.xxhash64(*SERIES, F.date_format(DAY, "yyyy-MM-dd"), "horizon"), F.lit(1_000_003)) / F.lit(1_000_003)
    probability = F.least(F.lit(1.0), _interest() * share / horizons)
    weight = horizon_days / (horizons * probability)
    return spread.withColumn("sampling_weight", weight).where(draw < probability).drop("step")
