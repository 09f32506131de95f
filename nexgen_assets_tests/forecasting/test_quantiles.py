"""Quantiles come from out-of-sample errors and behave like those of a distribution."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from scipy import stats

from nexgen_assets.forecasting.interval import interval_demand
from nexgen_assets.forecasting.quantiles import FLOOR_SHARE, Calibration, calibrate, daily_quantiles
from nexgen_assets.tables import HORIZON_DAYS, QUANTILES
from nexgen_assets_tests.forecasting.poisson import Array, poisson_calibration, poisson_draws, random_panels


def test_a_calibration_survives_json() -> None:
    assert Calibration.from_json(json.loads(json.dumps(poisson_calibration().to_json()))) == poisson_calibration()


@pytest.mark.parametrize("level", [0.1, 1.0, 8.0])
def test_daily_quantiles_are_those_of_the_distribution(level: float) -> None:
    quantiles = daily_quantiles(np.full((1, HORIZON_DAYS), level), np.array([level]), poisson_calibration())
    expected = np.quantile(poisson_draws(level), list(QUANTILES.values()), method="inverted_cdf")
    got = np.array([quantiles[name][0, 0] for name in QUANTILES])
    np.testing.assert_allclose(got, expected, atol=1.001)  # at most one step of a whole-number distribution


def test_without_series_there_is_nothing_to_calibrate_on() -> None:
    with pytest.raises(ValueError, match="no series"):
        calibrate(np.empty((0, HORIZON_DAYS)), np.empty((0, HORIZON_DAYS)), np.empty(0))


@given(panel=random_panels())
@settings(max_examples=25)
def test_quantiles_never_fall_and_are_never_negative(panel: tuple[Array, Array, Array]) -> None:
    actuals, means, level = panel
    calibration = calibrate(actuals, means, level)
    stacked = np.stack(list(daily_quantiles(means, level, calibration).values()))
    assert (stacked >= 0).all()
    assert (np.diff(stacked, axis=0) >= 0).all()


CLOSED_SHARE = 0.05  # of the level: what is still expected of a day on which the shop is closed


@pytest.fixture(scope="module")
def closed_on_sundays() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fast movers that sell nothing on Sundays, and slow ones, at the floor of a fast one's forecast, that do."""
    level = np.repeat([100.0, FLOOR_SHARE * 100.0], 1_000)
    is_closed = (level[:, None] > 50) & (np.arange(HORIZON_DAYS) % 7 == 6)
    means = np.where(is_closed, CLOSED_SHARE, 1.0) * level[:, None]
    return np.random.default_rng(5).poisson(np.where(is_closed, 0, means)).astype(float), means, level


def test_closed_days_of_fast_movers_say_nothing_of_slow_movers(
    closed_on_sundays: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    demand, means, level = closed_on_sundays
    quantiles = daily_quantiles(means, level, calibrate(demand, means, level))
    slow = {name: quantiles[name][level < 50] for name in ("q05", "q50")}
    expected = np.quantile(poisson_draws(FLOOR_SHARE * 100.0), [0.05, 0.5])
    np.testing.assert_allclose([slow["q05"].mean(), slow["q50"].mean()], expected, atol=0.5)
    assert not quantiles["q99"][level > 50][:, 6::7].any()


def test_too_few_forecasts_below_the_floor_have_the_errors_of_the_smallest() -> None:
    rng, level, means = np.random.default_rng(6), np.full(100, 10.0), np.full((100, HORIZON_DAYS), 10.0)
    means[0, 0] = 1.0
    demand = rng.poisson(means).astype(float)
    calibration = calibrate(demand, means, level)
    assert calibration.daily.ratios[0] == calibration.daily.ratios[1]
    assert calibration.interval.ratios[0] == calibration.interval.ratios[1]


@pytest.mark.parametrize("series", [60, 100, 160, 200, 400])
def test_the_fast_movers_of_a_small_shop_are_not_as_uncertain_as_its_slow_movers(series: int) -> None:
    rng = np.random.default_rng(4)
    rates = np.where(np.arange(series) % 2 == 0, 20.0, 0.05)
    means = np.repeat(rates[:, None], 28, axis=1)
    calibration = calibrate(rng.poisson(means).astype(float), means, rates)

    fast, slow = (
        interval_demand(np.full((1, 28), rate), np.array([rate]), np.array([7]), calibration).quantile(0.99)[0]
        for rate in (20.0, 0.05)
    )

    assert fast == pytest.approx(stats.poisson.ppf(0.99, 140), rel=0.1)
    assert slow == pytest.approx(stats.poisson.ppf(0.99, 0.35), abs=1)
