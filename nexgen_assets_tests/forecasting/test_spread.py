"""The spread tells which demand is hard to forecast, learnt on rows that the mean had not seen."""

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from nexgen_assets.forecasting.boosting import fit_mean_model
from nexgen_assets.forecasting.lessons import TrainingRows
from nexgen_assets.forecasting.model import SMALLEST_SPREAD, means_and_spread
from nexgen_assets.forecasting.spread import LARGEST_ERROR, fit_spread_model
from nexgen_assets.forecasting.training import recipe_of
from nexgen_assets_tests.forecasting.test_boosting import DAYS, MEAN, PLANNED, sample_of, series_rows

SERIES = 400
SHAPES = (50.0, 2.0)  # of gamma demand around one mean: calm, and wild
RECIPE = recipe_of(PLANNED, 10_000, "US")


def spread_learnt_from(demand: NDArray[np.float64], rounds: int = 20) -> tuple[NDArray[np.float32], bytes]:
    """Spread [series, DAYS] of the series of `demand`, the second half in a category of its own."""
    rows = TrainingRows.of(_in_halves(sample_of(demand), DAYS), PLANNED, "US")
    mean_model = fit_mean_model(rows, RECIPE, rounds, threads=1)
    spread_model = fit_spread_model(rows, mean_model, threads=1)
    asked = _in_halves(series_rows(len(demand)), 1)
    return means_and_spread(mean_model, spread_model, asked, PLANNED)[1], spread_model.booster


def _in_halves(rows: pa.Table, days: int) -> pa.Table:
    half = rows.num_rows // 2
    assert half % days == 0
    place = rows.column_names.index("category")
    return rows.set_column(place, "category", pa.array(["calm"] * half + ["wild"] * half))


def gamma_demand(shapes: tuple[float, float], seed: int = 3) -> NDArray[np.float64]:
    shape = np.repeat(shapes, SERIES // 2)[:, None]
    return MEAN * np.random.default_rng(seed).gamma(shape, 1 / shape, (SERIES, DAYS))


def test_it_is_the_mean_distance_of_demand_from_its_forecast() -> None:
    demand = gamma_demand(SHAPES)
    spread, _ = spread_learnt_from(demand)
    told = spread[: SERIES // 2].mean(), spread[SERIES // 2 :].mean()
    seen = np.abs(demand / MEAN - 1).reshape(2, -1).mean(axis=1)
    np.testing.assert_allclose(told, seen, rtol=0.15)


def test_noise_learnt_by_heart_does_not_narrow_it() -> None:
    """Each row is judged by the booster that did not learn from it: more rounds learn noise, and err more."""
    demand = gamma_demand((2.0, 2.0))
    few, many = (spread_learnt_from(demand, rounds)[0].mean() for rounds in (5, 300))
    assert many > 0.98 * few


def test_a_series_that_wakes_up_counts_as_far_as_it_goes() -> None:
    demand = gamma_demand((50.0, 50.0))
    demand[0] = 1e6
    spread, _ = spread_learnt_from(demand)
    assert 0 < spread.min() <= spread.max() <= LARGEST_ERROR


@pytest.mark.parametrize("units", [0.0, MEAN], ids=["nothing", "always the same"])
def test_what_never_errs_has_the_smallest_spread(units: float) -> None:
    spread, _ = spread_learnt_from(np.full((SERIES, DAYS), units))
    np.testing.assert_array_equal(spread, np.float32(SMALLEST_SPREAD))


def test_the_same_rows_give_the_same_bytes() -> None:
    demand = gamma_demand(SHAPES)
    assert spread_learnt_from(demand)[1] == spread_learnt_from(demand)[1]


@pytest.mark.parametrize("part", [0, 1])
def test_the_rows_of_the_boosters_are_told_apart(part: int) -> None:
    rows = TrainingRows.of(sample_of(gamma_demand(SHAPES)), PLANNED, "US")
    chosen = np.zeros(rows.sample.num_rows, bool)
    chosen[rows.parts[part]] = True
    assert chosen.mean() == 0.5
    assert not chosen[rows.parts[1 - part]].any()
