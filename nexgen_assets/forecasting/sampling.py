"""Sampling: the rows that a model learns from, origins x horizons with the demand that came.

What belongs here: which rows are drawn, and their targets. What does not: the design matrix (`frame.py`), learning
(`boosting.py`).
"""

import math
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from nexgen_assets.forecasting.closings import was_told_closed
from nexgen_assets.forecasting.rows import SERIES
from nexgen_assets.tables import CLEANED_FEATURES, DAY, HORIZON_DAYS

WARM_UP_DAYS = 91  # origins before know too little of their own past to be like those that will be forecast
SHORTEST_WARM_UP_DAYS = 14  # a short history gives a third of itself
FEWEST_ROWS = 60_000
# more of a series' days are too alike to teach more; those of a fast mover less so, as there is less chance in them
ROWS_A_SERIES, ROWS_A_ROOT_UNIT = 80, 48


class TrainingError(ValueError):
    """There is too little history to train on; the message says how much there is."""


def training_frame(
    features: DataFrame, demand: DataFrame, as_of: date, rows: int, horizon_days: int = HORIZON_DAYS
) -> pa.Table:
    """Sampled origins (the columns of `features`) with `horizon`, `target` (units) and `sampling_weight`.

    Sampled from the origin's side, by a hash: whether a target row exists must not matter, since none means no sale.
    Targets lie at `as_of` or before. Days of unknown demand are no targets; on those known to be out of stock
    (`is_censored`) the target is what was sold, which is not all that was wanted. What the model is not asked, it does
    not learn: new items, days after a delisting that was known at the origin, and days on which the location was told
    to be closed.
    Busy series are sampled more often, and `sampling_weight` undoes it. In the order of the table's grain, so that
    the same data gives the same model.
    """
    known = features.where((F.col(DAY) < F.lit(as_of)) & ~F.coalesce("is_new_item", F.lit(False)))
    warm = _after_warm_up(known, as_of, horizon_days)
    if warm is None:
        raise TrainingError(
            f"no forecast origins before {as_of} to train on: at most {SHORTEST_WARM_UP_DAYS} days of history"
        )
    origins = known.where(F.col(DAY) >= F.lit(warm.first_origin))
    share = min(rows, warm.rows_worth_drawing) / warm.interest
    sampled = _sampled(origins, share, horizon_days).where(F.date_add(DAY, F.col("horizon")) <= F.lit(as_of))
    targets = demand.where(F.col(DAY) <= F.lit(as_of)).select(
        *SERIES,
        F.col(DAY).alias("target_date"),
        F.col("demand_units").cast("double").alias("sold"),
        (F.col("demand_units").isNull() | was_told_closed()).alias("is_unknown"),
        F.col("is_stockout").alias("is_censored"),
    )
    dated = sampled.withColumn("target_date", F.date_add(DAY, F.col("horizon"))).where(
        F.coalesce(F.col("target_date") < F.col("delisted_on"), F.lit(True))
    )
    joined = dated.join(targets, [*SERIES, "target_date"], "left")
    sold = joined.where(~F.coalesce("is_unknown", F.lit(False))).select(
        *features.columns,
        "horizon",
        "sampling_weight",
        F.coalesce("sold", F.lit(0.0)).alias("target"),
        F.coalesce("is_censored", F.lit(False)).alias("is_censored"),
    )
    return sold.toArrow().sort_by([(name, "ascending") for name in (*CLEANED_FEATURES.grain, "horizon")])


def target_days(table: pa.Table) -> NDArray[np.int64]:
    """The day of each row's target, in days since 1970."""
    days, horizons = (table[name].cast(pa.int32()).to_numpy().astype(np.int64) for name in (DAY, "horizon"))
    return days + horizons


@dataclass(frozen=True)
class _Origins:
    """What the origins from the first one that knows enough of its past have to teach.

    `interest` is summed over them, `series` the most of a day, `root_units` the mean square root of units a day.
    """

    first_origin: date
    interest: float
    series: int
    root_units: float

    @property
    def rows_worth_drawing(self) -> float:
        return max(FEWEST_ROWS, self.series * max(ROWS_A_SERIES, ROWS_A_ROOT_UNIT * self.root_units))


def _after_warm_up(origins: DataFrame, as_of: date, horizon_days: int) -> _Origins | None:
    """None if no origin knows enough. The interest of one whose horizon ends after `as_of` counts in part."""
    facts = {"interest": _interest(), "root": _root_units(), "series": F.lit(1)}
    daily = origins.groupBy(DAY).agg(*(F.sum(fact).alias(name) for name, fact in facts.items())).toArrow().sort_by(DAY)
    if not daily.num_rows:
        return None
    first, last = (daily[DAY][i].as_py() for i in (0, -1))
    warm_up = min(WARM_UP_DAYS, max(SHORTEST_WARM_UP_DAYS, (last - first).days // 3))
    warm = daily.filter(pc.field(DAY) >= first + timedelta(days=warm_up))
    if not warm.num_rows:
        return None
    interest, root, series = (warm[name].to_numpy().astype(np.float64) for name in facts)
    days_ahead = np.array([(as_of - day).days for day in warm[DAY].to_pylist()])
    return _Origins(
        warm[DAY][0].as_py(),
        float((interest * np.minimum(1.0, days_ahead / horizon_days)).sum()),
        int(series.max()),
        float(root.sum() / series.sum()),
    )


def _root_units() -> Column:
    return F.sqrt(F.coalesce(F.col("demand_mean_28").cast("double"), F.lit(0.0)))


def _interest() -> Column:
    """How often an origin is sampled: errors grow about with the square root of demand, so does what a row teaches."""
    return F.greatest(F.lit(0.35), F.least(F.lit(4.0), 2.2 * _root_units()))


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
