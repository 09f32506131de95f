"""Training: which rows a model learns from, how it is fitted, and how it is judged before it serves.

What belongs here: sampling, fitting, hold-out. What does not: the design matrix (`frame.py`), the measures
(`evaluation.py`), the model's content (`model.py`).

A model is fitted twice, on one sample. The first fit sees its targets up to 28 days before `as_of`; its errors on those
28 days give the scores and the quantiles. The second fit sees everything up to `as_of` and serves.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from nexgen_assets.forecasting import baselines, evaluation
from nexgen_assets.forecasting.censoring import uncensored
from nexgen_assets.forecasting.frame import EPOCH, Covariates, Frame, expand, feature_names, level_of
from nexgen_assets.forecasting.model import CODE_VERSION, MeanModel, Scores, TrainedModel, average_forecast
from nexgen_assets.forecasting.quantiles import calibrate, daily_quantiles
from nexgen_assets.forecasting.recipes import ROUNDS_PARAMETER, Recipe, overridden
from nexgen_assets.forecasting.rows import series_key
from nexgen_assets.tables import CLEANED_FEATURES, DAY, HORIZON_DAYS

if TYPE_CHECKING:
    import xgboost

Real32 = NDArray[np.float32]
Floats = NDArray[np.float64]
Reals = NDArray[np.floating[Any]]

SERIES = ["product_id", "location"]
WARM_UP_DAYS = 91  # origins before know too little of their own past to be like those that will be forecast
SHORTEST_WARM_UP_DAYS = 14  # a short history gives a third of itself
VALUE_DAYS = 28
ROWS_A_SERIES, FEWEST_ROWS = 80, 60_000  # more of a series' days are too alike to teach more
PARAMETERS: dict[str, Any] = {
    # Poisson with the level as exposure: its equations balance the demand of every group of rows that the trees tell
    # apart, so that no volume segment is biased; chosen among Tweedie's powers by bias and error of the horizon total
    "objective": "count:poisson",
    "max_depth": 8,
    "eta": 0.1,
    "min_child_weight": 20,
    "subsample": 0.8,
    "colsample_bytree": 0.4,
    "reg_lambda": 10.0,
    "max_bin": 128,
    "seed": 7,
}
ROUNDS = 80
BOOSTERS = 2  # each learns from every second row: as fast as one of all rows, and what they err by chance averages out
FACTOR_DAYS = 91  # the mean is right over the last season: a year's average lags behind growth and the time of year
CENSORED_WEIGHT = 0.4  # of a day out of stock; at 1 the errors of days in stock grow, at 0 those of totals


class TrainingError(ValueError):
    """There is too little history to train on; the message says how much there is."""


def train(  # noqa: PLR0917
    features: DataFrame,
    demand: DataFrame,
    as_of: date,
    covariates: Covariates,
    rows: int,
    country: str,
    threads: int = 1,
    horizon_days: int = HORIZON_DAYS,
) -> TrainedModel:
    """One global model of all series that sees no sale after `as_of`.

    `features` and `demand` are rows of `tables.CLEANED_FEATURES` and `tables.DAILY_DEMAND`, later days are ignored;
    `rows` is the number of rows a fit samples at most (about). Raises TrainingError without enough history.
    """
    data = training_data(features, demand, as_of, rows, horizon_days)
    return fit(data, covariates, recipe_of(covariates, rows, country), threads)


def recipe_of(covariates: Covariates, rows: int, country: str, overrides: Mapping[str, float] | None = None) -> Recipe:
    """This code's recipe, with some of its parameters (or its rounds) replaced.

    Raises RecipeError for a parameter that it does not have.
    """
    own = {**PARAMETERS, ROUNDS_PARAMETER: ROUNDS}
    parameters = overridden(own, overrides or {})
    changed = {name: value for name, value in parameters.items() if value != own[name]}
    rounds = parameters.pop(ROUNDS_PARAMETER)
    return Recipe(CODE_VERSION, feature_names(covariates), country, rows, rounds, parameters, changed)


@dataclass(frozen=True)
class TrainingData:
    """What a training learns from, up to `as_of`, and the days it is judged on, the last ones of these."""

    as_of: date
    sample: pa.Table
    holdout: "Holdout"

    @property
    def horizon_days(self) -> int:
        return self.holdout.demand.shape[1]

    @property
    def holdout_origin(self) -> date:
        return self.as_of - timedelta(days=self.horizon_days)


def training_data(
    features: DataFrame, demand: DataFrame, as_of: date, rows: int, horizon_days: int = HORIZON_DAYS
) -> TrainingData:
    """Sample and hold-out of `train`, for fits by several recipes."""
    sample = training_frame(features, demand, as_of, rows, horizon_days)
    return TrainingData(as_of, sample, holdout_at(features, demand, as_of - timedelta(days=horizon_days), horizon_days))


def fit(data: TrainingData, covariates: Covariates, recipe: Recipe, threads: int = 1) -> TrainedModel:
    """The model of a recipe: one fit is judged, the other serves."""
    holdout, level = data.holdout, level_of(data.holdout.features)
    means = _judged_means(data, covariates, recipe, threads)
    return TrainedModel(
        mean_model=_fit(data.sample, covariates, recipe, threads),
        training_cutoff=data.as_of,
        calibration=calibrate(holdout.demand, means, level, holdout.is_stockout),
        metrics=_scores(holdout, means, level),
        recipe=recipe,
        rows=data.sample.num_rows,
    )


def refit_scores(data: TrainingData, covariates: Covariates, recipe: Recipe, threads: int = 1) -> dict[str, float]:
    """How another recipe does on the hold-out: fitted up to its origin, it has not seen these days."""
    return data.holdout.score(_judged_means(data, covariates, recipe, threads).astype(np.float64))


def published_scores(data: TrainingData, forecasts: pa.Table) -> dict[str, float] | None:
    """How the forecasts published at the hold-out's origin (rows of `tables.FORECASTS`) did.

    None if they lack a series or a day.
    """
    told = forecasts.select([*SERIES, "horizon", "mean"]).append_column(
        "is_told", pa.array(np.ones(forecasts.num_rows))
    )
    means, is_told = _by_series(data.holdout.features, told, ("mean", "is_told"), data.horizon_days)
    return data.holdout.score(means) if is_told.all() else None


def _judged_means(data: TrainingData, covariates: Covariates, recipe: Recipe, threads: int) -> Real32:
    """Forecasts of the hold-out by a fit that saw its targets up to the origin only."""
    judged = _fit(_with_targets_until(data.sample, data.holdout_origin), covariates, recipe, threads)
    return judged.means(data.holdout.features, covariates, threads)[:, : data.horizon_days]


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


def _is_no_target() -> Column:
    return F.col("demand_units").isNull() | F.coalesce("is_stockout", F.lit(False))


def _with_targets_until(table: pa.Table, last: date) -> pa.Table:
    """The rows that a training on that day could have had: whether a row is sampled knows nothing of its target."""
    days, horizons = (table[name].cast(pa.int32()).to_numpy() for name in (DAY, "horizon"))
    return table.filter(pa.array(days + horizons <= (last - EPOCH).days))


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


def _fit(table: pa.Table, covariates: Covariates, recipe: Recipe, threads: int) -> MeanModel:
    if table.num_rows < BOOSTERS:
        raise TrainingError("no rows to train on: too few days of history before the days held out")
    categories = tuple(sorted({name for name in table["category"].unique().to_pylist() if name is not None}))
    horizons = table["horizon"].to_numpy().astype(np.int64)
    frame = expand(table, np.arange(table.num_rows), horizons, covariates, categories, recipe.country)
    lessons = _Lessons.of(table, frame.level)
    boosters = [_booster(frame, lessons, slice(i, None, BOOSTERS), recipe, threads) for i in range(BOOSTERS)]
    factor = lessons.recent_demand_over(average_forecast(boosters, frame.matrix) * frame.level)
    for booster in boosters:
        booster.set_param({"nthread": 0})  # the number of threads is no part of the model
    return MeanModel(tuple(bytes(b.save_raw("ubj")) for b in boosters), categories, recipe.country, factor)


def _booster(frame: Frame, lessons: "_Lessons", rows: slice, recipe: Recipe, threads: int) -> "xgboost.Booster":
    import xgboost

    level = frame.level[rows]
    weight = level * lessons.weight[rows]
    data = xgboost.QuantileDMatrix(
        np.ascontiguousarray(frame.matrix[rows]),
        lessons.target[rows] / level,
        weight=weight / weight.mean(),
        max_bin=recipe.parameters["max_bin"],
    )
    return xgboost.train({**recipe.parameters, "nthread": threads}, data, recipe.rounds)


@dataclass(frozen=True)
class _Lessons:
    """What each training row teaches: demand in units, its weight, and the target's day (days since 1970)."""

    target: Real32
    weight: Real32
    day: NDArray[np.int64]

    @classmethod
    def of(cls, table: pa.Table, level: Real32) -> "_Lessons":
        """Lessons of the rows of a training frame; days out of stock teach less, and as `uncensored` says."""
        sold, weight = (table[name].to_numpy().astype(np.float64) for name in ("target", "sampling_weight"))
        is_censored = table["is_censored"].to_numpy()
        usual = table[f"in_stock_mean_{VALUE_DAYS}"].to_numpy().astype(np.float64)
        usual = np.where(np.isnan(usual), level, usual)
        target = uncensored(sold * weight, usual * weight, is_censored) / weight
        weight = np.where(is_censored, CENSORED_WEIGHT * weight, weight)
        day = table[DAY].cast(pa.int32()).to_numpy().astype(np.int64) + table["horizon"].to_numpy()
        return cls(target.astype(np.float32), weight.astype(np.float32), day)

    def recent_demand_over(self, forecast: Real32) -> float:
        """Demand over its forecast on the rows of the last FACTOR_DAYS; 1 if nothing is forecast."""
        recent = self.day > self.day.max() - FACTOR_DAYS
        demand, forecasted = (
            (units[recent] * self.weight[recent]).sum(dtype=np.float64) for units in (self.target, forecast)
        )
        return float(demand / forecasted) if forecasted > 0 else 1.0


@dataclass(frozen=True)
class Holdout:
    """The last origin with all its targets past: demand and stockouts are [series, horizon days].

    Demand is not a number where it is unknown.
    """

    features: pa.Table
    demand: Floats
    is_stockout: NDArray[np.bool_]
    scale: Floats
    sales_value: Floats

    def score(self, forecast: Reals) -> dict[str, float]:
        """All scores of a mean forecast; a day of unknown demand is no error."""
        is_known = ~np.isnan(self.demand)
        actual, judged = (np.where(is_known, values, 0) for values in (self.demand, forecast))
        return evaluation.point_scores(actual, judged, self.scale, self.sales_value)


def holdout_at(features: DataFrame, demand: DataFrame, origin: date, horizon_days: int = HORIZON_DAYS) -> Holdout:
    """The series of an origin and what came after it; raises TrainingError where no series is known."""
    rows = features.where(F.col(DAY) == F.lit(origin)).toArrow().sort_by([(name, "ascending") for name in SERIES])
    if not rows.num_rows:
        raise TrainingError(f"no series to judge the model on at {origin}")
    ahead = demand.where(
        F.col(DAY).between(F.lit(origin + timedelta(days=1)), F.lit(origin + timedelta(days=horizon_days)))
    )
    told = ahead.where(_is_no_target() | F.coalesce(F.col("demand_units") > 0, F.lit(False))).select(
        *SERIES,
        F.datediff(DAY, F.lit(origin)).alias("horizon"),
        F.col("demand_units").cast("double").alias("demand"),
        F.col("demand_units").isNull().cast("double").alias("is_unknown"),
        F.coalesce("is_stockout", F.lit(False)).cast("double").alias("is_stockout"),
    )
    facts = _past_facts(demand, origin).toArrow()
    names = ("demand", "is_unknown", "is_stockout")
    sold, is_unknown, is_stockout = _by_series(rows, told.toArrow(), names, horizon_days)
    scale, value = (array[:, 0] for array in _by_series(rows, facts, ("scale", "sales_value"), 1))
    return Holdout(rows, np.where(is_unknown > 0, np.nan, sold), is_stockout > 0, scale, value)


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


def _by_series(rows: pa.Table, facts: pa.Table, names: tuple[str, ...], days: int) -> list[Floats]:
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


def _scores(holdout: Holdout, means: Real32, level: Real32) -> Scores:
    methods = {
        "model": means.astype(np.float64),
        "seasonal_naive": baselines.seasonal_naive(holdout.features),
        "moving_average_28": baselines.moving_average_28(holdout.features),
    }
    scores = {name: holdout.score(forecast[:, : means.shape[1]]) for name, forecast in methods.items()}
    scores["model"] |= _quantile_scores(holdout, means, level)
    return scores


def _quantile_scores(holdout: Holdout, means: Real32, level: Real32) -> dict[str, float]:
    """wQL and coverage of the daily quantiles: each half of the series judged by the errors of the other half."""
    halves = [np.arange(len(level)) % 2 == side for side in (0, 1)]
    if not all(half.any() for half in halves):
        return {}
    actual = np.concatenate([holdout.demand[half] for half in halves])
    is_known = ~np.isnan(actual) & ~np.concatenate([holdout.is_stockout[half] for half in halves])
    quantiles = []
    for half in halves:
        calibration = calibrate(holdout.demand[~half], means[~half], level[~half], holdout.is_stockout[~half])
        quantiles.append(daily_quantiles(means[half], level[half], calibration))
    scores = {}
    for name, share in (("q10", 0.1), ("q50", 0.5), ("q90", 0.9), ("q95", 0.95), ("q99", 0.99)):
        forecast = np.concatenate([half[name] for half in quantiles])[is_known]
        scores[f"wql_{name}"] = evaluation.weighted_quantile_loss(actual[is_known], forecast, share)
        scores[f"coverage_{name}"] = evaluation.coverage(actual[is_known], forecast)
    return scores
