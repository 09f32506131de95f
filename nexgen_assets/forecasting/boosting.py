"""Boosting: how the mean model learns from sampled rows, and when it has learnt enough.

What belongs here: parameters of XGBoost, what a row teaches, and growing the boosters. What does not: drawing rows
(`sampling.py`), the design matrix (`frame.py`), forecasting with a model (`model.py`).

The number of rounds is read off the data, not set: slow movers are soon learnt by heart, while forecasts of a bakery's
busy days get better for several times as long. It is found on days after those learnt from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nexgen_assets.forecasting.censoring import uncensored
from nexgen_assets.forecasting.frame import DAY_OF_YEAR, Covariates, Frame, all_horizons, expand, feature_names
from nexgen_assets.forecasting.holdout import VALUE_DAYS, Holdout
from nexgen_assets.forecasting.model import MeanModel, average_forecast
from nexgen_assets.forecasting.recipes import Recipe
from nexgen_assets.forecasting.sampling import TrainingError, target_days

if TYPE_CHECKING:
    import xgboost

Real32 = NDArray[np.float32]
Floats = NDArray[np.float64]

PARAMETERS: dict[str, Any] = {
    # Poisson with the level as exposure: its equations balance the demand of every group of rows that the trees tell
    # apart, so that no volume segment is biased; chosen among Tweedie's powers by bias and error of the horizon total
    "objective": "count:poisson",
    "max_depth": 8,
    "eta": 0.1,
    "min_child_weight": 20,
    "subsample": 0.8,
    "colsample_bynode": 0.4,  # of the features at each split: by tree, those that matter on few days were missing
    "reg_lambda": 10.0,
    "max_bin": 128,
    "seed": 7,
}
BASE_SCORE = 1.0  # of the level: no parameter, as its logarithm of 0 is counted on
MOST_ROUNDS = 500
ROUNDS_AT_ONCE = 20
PATIENCE = 0.2  # the share of rounds, the last ones, that may bring nothing: the loss of averaged boosters is smooth
WATCHED_ROWS = 200_000
BOOSTERS = 2  # each learns from every second row: as fast as one of all rows, and what they err by chance averages out
DAYS_TO_LEARN_THE_YEAR = 730
FACTOR_DAYS = 91  # the mean is right over the last season: a year's average lags behind growth and the time of year
CENSORED_WEIGHT = 0.4  # of a day out of stock; at 1 the errors of days in stock grow, at 0 those of totals


def fit_mean_model(
    sample: pa.Table, covariates: Covariates, recipe: Recipe, watched: Holdout | int, threads: int
) -> MeanModel:
    """The mean model of a sample (`sampling.training_frame`) by a recipe.

    `watched` are days after the sample's, on which the number of rounds is found, or that number. Raises TrainingError
    for an empty sample.
    """
    if sample.num_rows < BOOSTERS:
        raise TrainingError("no rows to train on: too few days of history before the days held out")
    categories = tuple(sorted({name for name in sample["category"].unique().to_pylist() if name is not None}))
    horizons = sample["horizon"].to_numpy().astype(np.int64)
    frame = expand(sample, np.arange(sample.num_rows), horizons, covariates, categories, recipe.country)
    lessons = Lessons.of(sample, frame.level)
    if np.ptp(lessons.day) < DAYS_TO_LEARN_THE_YEAR:
        # of a day of the year seen once nothing can be told apart from that month's chance: no tree may ask for it
        frame.matrix[:, feature_names(covariates).index(DAY_OF_YEAR)] = np.nan
    growing = [_Growing.of(frame, lessons, slice(i, None, BOOSTERS), recipe, threads) for i in range(BOOSTERS)]
    if isinstance(watched, Holdout):
        rounds = _grow_until_best(growing, Watched.of(watched, covariates, categories, recipe.country), recipe.rounds)
    else:
        rounds = watched
        _grow(growing, 0, rounds)
    boosters = [grown.booster[:rounds] for grown in growing]
    recent = lessons.recent_rows
    factor = lessons.demand_over(average_forecast(boosters, frame.matrix[recent]) * frame.level[recent], recent)
    for booster in boosters:
        booster.set_param({"nthread": 0})  # the number of threads is no part of the model
    return MeanModel(tuple(bytes(b.save_raw("ubj")) for b in boosters), categories, recipe.country, factor)


@dataclass(frozen=True)
class _Growing:
    """A booster, and the rows that it learns from."""

    booster: "xgboost.Booster"
    data: "xgboost.QuantileDMatrix"

    @classmethod
    def of(cls, frame: Frame, lessons: "Lessons", rows: slice, recipe: Recipe, threads: int) -> "_Growing":
        import xgboost

        level = frame.level[rows]
        weight = level * lessons.weight[rows]
        data = xgboost.QuantileDMatrix(
            np.ascontiguousarray(frame.matrix[rows]),
            lessons.target[rows] / level,
            weight=weight / weight.mean(),
            max_bin=recipe.parameters["max_bin"],
        )
        return cls(xgboost.Booster({**recipe.parameters, "base_score": BASE_SCORE, "nthread": threads}, [data]), data)

    def margins(self, matrix: Real32, first: int, last: int) -> Real32:
        """What the rounds from `first` to before `last` add to the logarithm of the forecast."""
        return self.booster.inplace_predict(matrix, iteration_range=(first, last), predict_type="margin")


def _grow(growing: Sequence[_Growing], first: int, last: int) -> None:
    for grown in growing:
        for i in range(first, last):
            grown.booster.update(grown.data, i)


def _grow_until_best(growing: Sequence[_Growing], watched: "Watched", most_rounds: int) -> int:
    """Grow until the watched days are told no better; the number of rounds after which they were told best."""
    margins = np.zeros((len(growing), len(watched.demand)), np.float32)  # the base score adds nothing
    grown, best, least = 0, 0, np.inf
    while grown < most_rounds and grown - best < max(ROUNDS_AT_ONCE, PATIENCE * grown):
        first, grown = grown, min(grown + ROUNDS_AT_ONCE, most_rounds)
        _grow(growing, first, grown)
        margins += np.stack([one.margins(watched.matrix, first, grown) for one in growing])
        loss = watched.loss(np.exp(margins).mean(axis=0))
        if loss < least:
            best, least = grown, loss
    return best


@dataclass(frozen=True)
class Watched:
    """Days in stock after those learnt from: design matrix [rows, features], level and demand [rows] in units a day."""

    matrix: Real32
    level: Real32
    demand: Floats

    @classmethod
    def of(cls, holdout: Holdout, covariates: Covariates, categories: tuple[str, ...], country: str) -> "Watched":
        """Those of a hold-out, every second, third ... of its series where they are many."""
        series, days = holdout.demand.shape
        chosen = slice(None, None, -(-series * days // WATCHED_ROWS))
        features, demand = holdout.features.take(np.arange(series)[chosen]), holdout.demand[chosen].ravel()
        rows, horizons = all_horizons(features.num_rows, days)
        told = np.flatnonzero(np.isfinite(demand) & ~holdout.is_stockout[chosen].ravel())
        frame = expand(features, rows[told], horizons[told], covariates, categories, country)
        return cls(frame.matrix, frame.level, demand[told])

    def loss(self, relative: Real32) -> float:
        """How badly forecasts, relative to the level, tell how demand is spread over rows; 0 if there is none.

        The multinomial log-likelihood, negative and per unit: Poisson's given the sum. That the whole assortment sells
        more one month says nothing about the trees, and the mean's own factor follows it.
        """
        forecast, units = np.asarray(relative * self.level, np.float64), self.demand.sum()
        if not units:
            return 0.0
        return float(np.log(forecast.sum()) - (self.demand * np.log(forecast)).sum() / units)


@dataclass(frozen=True)
class Lessons:
    """What each training row teaches: demand in units, its weight, and the target's day (days since 1970)."""

    target: Real32
    weight: Real32
    day: NDArray[np.int64]

    @classmethod
    def of(cls, table: pa.Table, level: Real32) -> "Lessons":
        """Lessons of the rows of a training frame; days out of stock teach less, and as `uncensored` says."""
        sold, weight = (table[name].to_numpy().astype(np.float64) for name in ("target", "sampling_weight"))
        is_censored = table["is_censored"].to_numpy()
        usual = table[f"in_stock_mean_{VALUE_DAYS}"].to_numpy().astype(np.float64)
        usual = np.where(np.isnan(usual), level, usual)
        target = uncensored(sold * weight, usual * weight, is_censored) / weight
        weight = np.where(is_censored, CENSORED_WEIGHT * weight, weight)
        return cls(target.astype(np.float32), weight.astype(np.float32), target_days(table))

    @property
    def recent_rows(self) -> NDArray[np.intp]:
        """Those of the last FACTOR_DAYS."""
        return np.flatnonzero(self.day > self.day.max() - FACTOR_DAYS)

    def demand_over(self, forecast: Real32, rows: NDArray[np.intp]) -> float:
        """Demand of some rows over their forecast; 1 if nothing is forecast."""
        weight = self.weight[rows]
        demand, forecasted = ((units * weight).sum(dtype=np.float64) for units in (self.target[rows], forecast))
        return float(demand / forecasted) if forecasted > 0 else 1.0
