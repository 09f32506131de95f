"""The search tries parameters by refits from past days, the same ones for the same seed."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from pyspark.sql import SparkSession

from nexgen_assets.forecasting.boosting import PARAMETERS
from nexgen_assets.forecasting.features import cleaned_features
from nexgen_assets.forecasting.plans import Plans
from nexgen_assets.forecasting.recipes import Recipe
from nexgen_assets.forecasting.search import SPACE, Found, SearchError, Trial, search
from nexgen_assets.forecasting.training import TrainingData, recipe_of, refit_scores, training_data
from nexgen_assets.tables import CLEANED_FEATURES, DAILY_DEMAND
from nexgen_assets_tests.forecasting.trends import trending_panel

FIRST, DAYS, ROWS = date(2024, 1, 1), 170, 600
LAST = FIRST + timedelta(days=DAYS - 1)
PLANNED = Plans.none()


def own_recipe(told: Mapping[str, float]) -> Recipe:
    return recipe_of(PLANNED, ROWS, "US", told)


@pytest.fixture(scope="module")
def data(spark: SparkSession) -> list[TrainingData]:
    demand = spark.createDataFrame(trending_panel(FIRST, DAYS, series=12), DAILY_DEMAND.spark_ddl)
    features = spark.createDataFrame(cleaned_features(demand, FIRST, LAST, 400).toArrow(), CLEANED_FEATURES.spark_ddl)
    return [training_data(features, demand, end, ROWS) for end in (LAST, LAST - timedelta(days=28))]


def searched(data: Sequence[TrainingData], trials: int = 4, seed: int = 7) -> Found:
    return search(data, PLANNED, own_recipe, trials, seed, tell=lambda _: None)


@pytest.fixture(scope="module")
def found(data: list[TrainingData]) -> Found:
    return searched(data)


def test_the_first_trial_is_the_codes_own_recipe(found: Found) -> None:
    assert len(found.trials) == 4
    assert own_recipe(found.trials[0].parameters) == own_recipe({})
    assert found.trials[0].value == 1


def test_a_value_is_the_mean_of_the_errors_over_the_own_at_every_origin(found: Found, data: list[TrainingData]) -> None:
    trial = found.trials[-1]
    errors = [
        [refit_scores(part, PLANNED, own_recipe(told))[name] for name in ("wape_total", "wrmsse") for part in data]
        for told in (trial.parameters, {})
    ]
    assert trial.value == pytest.approx(np.mean(np.divide(*errors)))


def test_the_same_seed_tries_the_same_parameters_and_another_seed_others(
    found: Found, data: list[TrainingData]
) -> None:
    assert searched(data, trials=3).trials == found.trials[:3]
    assert searched(data, trials=2, seed=8).trials[1].parameters != found.trials[1].parameters


def test_what_is_tried_lies_within_the_space(found: Found) -> None:
    for trial in found.trials:
        for name, value in trial.parameters.items():
            assert SPACE[name].low <= value <= SPACE[name].high


def test_the_codes_own_parameters_lie_within_the_space() -> None:
    for name, values in SPACE.items():
        assert values.low <= PARAMETERS[name] <= values.high


@pytest.mark.parametrize(
    ("values", "best", "is_better"),
    [((1.0, 1.2, None, 0.9), 3, True), ((1.0, 1.2, None), 0, False), ((1.0, 0.0, 0.9), 1, True)],
)
def test_the_best_trial_is_the_smallest_that_was_not_given_up(
    values: tuple[float | None, ...], best: int, *, is_better: bool
) -> None:
    trials = tuple(Trial({"eta": 0.1 + number}, value) for number, value in enumerate(values))
    assert Found(trials).best is trials[best]
    assert Found(trials).is_better == is_better


def test_days_on_which_nothing_was_sold_judge_nothing(data: list[TrainingData]) -> None:
    without_sales = replace(
        data[0],
        holdout=replace(
            data[0].holdout,
            demand=np.zeros_like(data[0].holdout.demand),
            sales_value=np.zeros_like(data[0].holdout.sales_value),
        ),
    )
    assert searched([without_sales, data[1]], trials=2) == searched([data[1]], trials=2)
    with pytest.raises(SearchError, match="nothing was sold"):
        searched([without_sales])


def test_without_optuna_the_error_says_what_to_install(
    data: list[TrainingData], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(SearchError, match="uv sync --extra search"):
        searched(data)
