"""Spread: how far demand is expected to be from its forecast, by series, day and horizon.

What belongs here: learning it. What does not: asking it (`model.py`), and how far errors go beyond it (`quantiles.py`).

It is learnt where the mean was not: rows of one booster of the mean are forecast by the other one. Few small trees tell
which products, days and horizons are harder to forecast than others; more do no better.
"""

from typing import Any

import numpy as np

from nexgen_assets.forecasting.lessons import TrainingRows
from nexgen_assets.forecasting.model import SMALLEST_SPREAD, MeanModel, SpreadModel, average_forecast
from nexgen_assets.forecasting.quantiles import TINY, scale_of

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
    """How far demand lies from what `model`, which learnt from these rows, says of rows that it had not seen.

    The rows of the first booster alone, forecast by the others: as good as all, in half the time.
    """
    import xgboost

    part = rows.parts[0]
    matrix, level = np.ascontiguousarray(rows.frame.matrix[part]), rows.frame.level[part]
    others = model.loaded[1:]
    for booster in others:
        booster.set_param({"nthread": threads})
    forecast = average_forecast(others, matrix) * level * np.float32(model.mean_factor)
    error = np.minimum(np.abs(rows.lessons.target[part] - forecast) / scale_of(forecast, level), LARGEST_ERROR)
    weight = rows.lessons.weight[part] * np.maximum(forecast, TINY)  # each unit counts the same
    data = xgboost.QuantileDMatrix(matrix, error, weight=weight / weight.mean(), max_bin=PARAMETERS["max_bin"])
    usual = max(float(np.average(error, weights=weight)), SMALLEST_SPREAD)
    booster = xgboost.train({**PARAMETERS, "base_score": usual, "nthread": threads}, data, ROUNDS)
    booster.set_param({"nthread": 0})  # the number of threads is no part of the model
    return SpreadModel(bytes(booster.save_raw("ubj")))
