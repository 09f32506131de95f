"""Training: how a model is fitted, and how it is judged before it serves.

What belongs here: a recipe's two fits, scores and calibration. What does not: drawing rows (`sampling.py`), learning
from them (`lessons.py`, `boosting.py`, `spread.py`), the days held out (`holdout.py`), the measures (`evaluation.py`).

A model is fitted twice, on one sample. The first fit learns from targets up to 28 days before `as_of`; those 28 days
say after how many rounds it is best, and its errors on them give the scores and the quantiles. So scores flatter by
what one number chosen on the same days can: alike for all recipes, and a little against published forecasts. The second
fit takes as many rounds, sees everything up to `as_of`, and serves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame

from nexgen_assets.forecasting import baselines, evaluation
from nexgen_assets.forecasting.boosting import MOST_ROUNDS, PARAMETERS, Watched, fit_mean_model
from nexgen_assets.forecasting.frame import Covariates, feature_names, level_of
from nexgen_assets.forecasting.holdout import Holdout, by_series, holdout_at
from nexgen_assets.forecasting.lessons import TrainingRows
from nexgen_assets.forecasting.model import CODE_VERSION, MeanModel, Scores, TrainedModel, means_and_spread
from nexgen_assets.forecasting.quantiles import calibrate, daily_quantiles
from nexgen_assets.forecasting.recipes import ROUNDS_PARAMETER, Recipe, overridden
from nexgen_assets.forecasting.rows import SERIES
from nexgen_assets.forecasting.sampling import training_frame
from nexgen_assets.forecasting.spread import fit_spread_model
from nexgen_assets.tables import HORIZON_DAYS

Real32 = NDArray[np.float32]


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
    own = {**PARAMETERS, ROUNDS_PARAMETER: MOST_ROUNDS}
    parameters = overridden(own, overrides or {})
    changed = {name: value for name, value in parameters.items() if value != own[name]}
    rounds = parameters.pop(ROUNDS_PARAMETER)
    return Recipe(CODE_VERSION, feature_names(covariates), country, rows, rounds, parameters, changed)


@dataclass(frozen=True)
class TrainingData:
    """What a training learns from, up to `as_of`, and the days it is judged on, the last ones of these."""

    as_of: date
    sample: pa.Table
    holdout: Holdout

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
    rows = TrainingRows.of(data.sample, covariates, recipe.country)
    learnt = rows.until(data.holdout_origin)
    judged = _judged(learnt, holdout, covariates, recipe, threads)
    spread_model = fit_spread_model(learnt, judged, threads)
    del learnt  # the second fit needs the memory
    means, spread = means_and_spread(
        judged, spread_model, holdout.features, covariates, threads, horizon_days=data.horizon_days
    )
    return TrainedModel(
        mean_model=fit_mean_model(rows, recipe, judged.rounds, threads),
        spread_model=spread_model,
        training_cutoff=data.as_of,
        calibration=calibrate(holdout.demand, means, level, holdout.is_stockout, spread),
        metrics=_scores(holdout, means, level, spread),
        recipe=recipe,
        rows=data.sample.num_rows,
    )


def refit_scores(data: TrainingData, covariates: Covariates, recipe: Recipe, threads: int = 1) -> dict[str, float]:
    """How another recipe does on the hold-out: it learns up to its origin, and finds its rounds on it, as in `fit`."""
    learnt = TrainingRows.of(data.sample, covariates, recipe.country).until(data.holdout_origin)
    judged = _judged(learnt, data.holdout, covariates, recipe, threads)
    means = judged.means(data.holdout.features, covariates, threads, data.horizon_days)
    return data.holdout.score(means.astype(np.float64))


def published_scores(data: TrainingData, forecasts: pa.Table) -> dict[str, float] | None:
    """How the forecasts published at the hold-out's origin (rows of `tables.FORECASTS`) did.

    None if they lack a series or a day.
    """
    told = forecasts.select([*SERIES, "horizon", "mean"]).append_column(
        "is_told", pa.array(np.ones(forecasts.num_rows))
    )
    means, is_told = by_series(data.holdout.features, told, ("mean", "is_told"), data.horizon_days)
    return data.holdout.score(means) if is_told.all() else None


def _judged(learnt: TrainingRows, holdout: Holdout, covariates: Covariates, recipe: Recipe, threads: int) -> MeanModel:
    """The fit that saw its targets up to the hold-out's origin only, and stops when it does best after it."""
    watched = Watched.of(holdout, covariates, learnt.categories, learnt.country)
    return fit_mean_model(learnt, recipe, watched, threads)


def _scores(holdout: Holdout, means: Real32, level: Real32, spread: Real32) -> Scores:
    methods = {
        "model": means.astype(np.float64),
        "seasonal_naive": baselines.seasonal_naive(holdout.features),
        "moving_average_28": baselines.moving_average_28(holdout.features),
    }
    scores = {name: holdout.score(forecast[:, : means.shape[1]]) for name, forecast in methods.items()}
    scores["model"] |= _quantile_scores(holdout, means, level, spread)
    return scores


def _quantile_scores(holdout: Holdout, means: Real32, level: Real32, spread: Real32) -> dict[str, float]:
    """wQL and coverage of the daily quantiles: each half of the series judged by the errors of the other half."""
    halves = [np.arange(len(level)) % 2 == side for side in (0, 1)]
    if not all(half.any() for half in halves):
        return {}
    actual = np.concatenate([holdout.demand[half] for half in halves])
    is_known = ~np.isnan(actual) & ~np.concatenate([holdout.is_stockout[half] for half in halves])
    quantiles = []
    for half in halves:
        others = ~half
        calibration = calibrate(
            holdout.demand[others], means[others], level[others], holdout.is_stockout[others], spread[others]
        )
        quantiles.append(daily_quantiles(means[half], level[half], calibration, spread[half]))
    scores = {}
    for name, share in (("q10", 0.1), ("q50", 0.5), ("q90", 0.9), ("q95", 0.95), ("q99", 0.99)):
        forecast = np.concatenate([half[name] for half in quantiles])[is_known]
        scores[f"wql_{name}"] = evaluation.weighted_quantile_loss(actual[is_known], forecast, share)
        scores[f"coverage_{name}"] = evaluation.coverage(actual[is_known], forecast)
    return scores
