"""Boosting: how the mean model learns from sampled rows, and when it has learnt enough.

What belongs here: parameters of XGBoost, and growing the boosters. What does not: what a row teaches (`lessons.py`),
forecasting with a model (`model.py`), how far off the mean is (`spread.py`).

The number of rounds is read off the data, not set: slow movers are soon learnt by heart, while forecasts of a bakery's
busy days get better for several times as long. It is found on days after those learnt from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nexgen_assets.forecasting.frame import LEVEL_FLOOR, Covariates, all_horizons, expand, level_of
from nexgen_assets.forecasting.holdout import Holdout
from nexgen_assets.forecasting.lessons import TrainingRows
from nexgen_assets.forecasting.model import MeanModel, average_forecast
from nexgen_assets.forecasting.recipes import Recipe

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


def fit_mean_model(rows: TrainingRows, recipe: Recipe, watched: "Watched | int", threads: int) -> MeanModel:
    """The mean model of some rows by a recipe.

    `watched` are days after those of the rows, on which the number of rounds is found, or that number.
    """
    growing = [_Growing.of(rows, part, recipe, threads) for part in rows.parts]
    if isinstance(watched, Watched):
        rounds = _grow_until_best(growing, watched, recipe.rounds)
    else:
        rounds = watched
        _grow(growing, 0, rounds)
    boosters = [grown.booster[:rounds] for grown in growing]
    recent, frame = rows.lessons.recent_rows, rows.frame
    forecast = average_forecast(boosters, frame.matrix[recent]) * frame.level[recent]
    factor = rows.lessons.demand_over(forecast, recent)
    for booster in boosters:
        booster.set_param({"nthread": 0})  # the number of threads is no part of the model
    return MeanModel(tuple(bytes(b.save_raw("ubj")) for b in boosters), rows.categories, rows.country, factor)


@dataclass(frozen=True)
class _Growing:
    """A booster, and the rows that it learns from."""

    booster: "xgboost.Booster"
    data: "xgboost.QuantileDMatrix"

    @classmethod
    def of(cls, rows: TrainingRows, part: slice, recipe: Recipe, threads: int) -> "_Growing":
        import xgboost

        level = rows.frame.level[part]
        weight = level * rows.lessons.weight[part]
        data = xgboost.QuantileDMatrix(
            np.ascontiguousarray(rows.frame.matrix[part]),
            rows.lessons.target[part] / level,
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
        """Those of a hold-out, every second, third ... of its series where they are many.

        Without those that had not sold for a season: one that wakes up, as a shop that opens, sells thousands of times
        what any number of rounds expects, and would alone decide on it.
        """
        series, days = holdout.demand.shape
        chosen = slice(None, None, -(-series * days // WATCHED_ROWS))
        features, demand = holdout.features.take(np.arange(series)[chosen]), holdout.demand[chosen].ravel()
        rows, horizons = all_horizons(features.num_rows, days)
        is_awake = np.repeat(level_of(features) > LEVEL_FLOOR, days)
        told = np.flatnonzero(np.isfinite(demand) & ~holdout.is_stockout[chosen].ravel() & is_awake)
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
