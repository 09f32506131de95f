"""Spread: how far demand is expected to be from its forecast, by series, day and horizon.

What belongs here: learning it. What does not: asking it (`model.py`), and how far errors go beyond it (`quantiles.py`).

It is learnt where the mean was not: each booster of the mean forecasts the rows of the other one. Few small trees tell
which products, days and horizons are harder to forecast than others; more do no better.
"""

from typing import Any

import numpy as np

from nexgen_assets.forecasting.lessons import TrainingRows
from nexgen_assets.forecasting.model import MeanModel, Real32, SpreadModel, average_forecast
from nexgen_assets.forecasting.quantiles import scale_of

PARAMETERS: dict[str, Any] = {
    "objective": "count:poisson",  # a mean that is never negative
    "max_depth": 5,
    "eta": 0.15,
    "min_child_weight": 20,
    "subsample": 0.8,
    "colsample_bynode": 0.5,
    "reg_lambda": 10.0,
    "max_bin": 128,
    "seed": 7,
}
ROUNDS = 40
LARGEST_ERROR = 10.0  # of the forecast: a series that wakes up says nothing of how far those that sell are told


def fit_spread_model(rows: TrainingRows, model: MeanModel, threads: int) -> SpreadModel:
    """How far these rows' demand lies from what `model`, which learnt from them, says of it without having seen it."""
    import xgboost

    forecast = _unseen(rows, model, threads)
    error = np.minimum(np.abs(rows.lessons.target - forecast) / scale_of(forecast, rows.frame.level), LARGEST_ERROR)
    weight = rows.lessons.weight * forecast  # each unit counts the same
    data = xgboost.QuantileDMatrix(
        rows.frame.matrix, error, weight=weight / weight.mean(), max_bin=PARAMETERS["max_bin"]
    )
    usual = float(np.average(error, weights=weight))
    booster = xgboost.train({**PARAMETERS, "base_score": usual, "nthread": threads}, data, ROUNDS)
    booster.set_param({"nthread": 0})  # the number of threads is no part of the model
    return SpreadModel(bytes(booster.save_raw("ubj")))


def _unseen(rows: TrainingRows, model: MeanModel, threads: int) -> Real32:
    """Forecasts of the rows, in units, each by the boosters that did not learn from it."""
    for booster in model.loaded:
        booster.set_param({"nthread": threads})
    relative = np.empty(len(rows.frame.level), np.float32)
    for number, part in enumerate(rows.parts):
        others = [booster for i, booster in enumerate(model.loaded) if i != number]
        relative[part] = average_forecast(others, np.ascontiguousarray(rows.frame.matrix[part]))
    return relative * rows.frame.level * np.float32(model.mean_factor)
