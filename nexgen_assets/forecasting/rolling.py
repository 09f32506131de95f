"""Rolling origins on the product's own tables: every method judged on days that none of them had seen.

What belongs here: which methods are compared at an origin. What does not: choosing origins (`backtest.py`), the
measures (`judging.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import pandas as pd
from pyspark.sql import DataFrame

from nexgen_assets.forecasting.baselines import SEASONAL_NAIVE
from nexgen_assets.forecasting.frame import Covariates
from nexgen_assets.forecasting.holdout import holdout_at
from nexgen_assets.forecasting.judging import TOTAL_DAYS, Ahead, item_errors, judge
from nexgen_assets.forecasting.model import TrainedModel
from nexgen_assets.forecasting.outlook import Outlook, moving_average_outlook, outlook, seasonal_naive_outlook
from nexgen_assets.forecasting.recipes import Recipe
from nexgen_assets.forecasting.training import fit, training_data

MODEL, CHAMPION, MOVING_AVERAGE = "model", "champion", "moving_average_28"


@dataclass(frozen=True)
class JudgedOrigin:
    """What came out at an origin: sums of errors of all methods, errors of the model by series, and the model."""

    origin: date
    sums: pd.DataFrame
    items: pd.DataFrame
    model: TrainedModel


def judge_origin(  # noqa: PLR0917
    features: DataFrame,
    demand: DataFrame,
    origin: date,
    covariates: Covariates,
    recipes: Mapping[str, Recipe],
    threads: int = 1,
) -> JudgedOrigin:
    """Fit each recipe (by method, MODEL among them) on what was known at an origin, and judge it beside the baselines.

    Raises TrainingError without enough history before the origin.
    """
    ahead = Ahead.of(holdout_at(features, demand, origin), demand, origin)
    rows = ahead.holdout.features
    # recipes that sample alike learn from one sample
    sizes = {recipe.sampling_rows for recipe in recipes.values()}
    data = {size: training_data(features, demand, origin, size) for size in sizes}
    models = {
        method: fit(data[recipe.sampling_rows], covariates, recipe, threads) for method, recipe in recipes.items()
    }
    outlooks: dict[str, Outlook] = {
        **{method: outlook(model, rows, covariates, TOTAL_DAYS, threads) for method, model in models.items()},
        SEASONAL_NAIVE: seasonal_naive_outlook(rows, TOTAL_DAYS),
        MOVING_AVERAGE: moving_average_outlook(rows),
    }
    names = {method: recipe.name for method, recipe in recipes.items()}
    judged = [judge(found, ahead, method, names.get(method), origin) for method, found in outlooks.items()]
    return JudgedOrigin(
        origin, pd.concat(judged, ignore_index=True), item_errors(outlooks[MODEL], ahead), models[MODEL]
    )
