"""Quantiles come from out-of-sample errors and behave like those of a distribution."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nexgen_assets.forecasting.quantiles import (
    FLOOR_SHARE,
    LEVELS,
    Calibration,
    IntervalDemand,
    calibrate,
    daily_quantiles,
    interval_demand,
)
from nexgen_assets.tables import HORIZON_DAYS, QUANTILES

SERIES = 4_000


@pytest.fixture(scope="module")
def poisson() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Demand, its true means and levels: Poisson, so that every quantile is known."""
    rng = np.random.default_rng(3)
    level = rng.choice([0.1, 1.0, 8.0], SERIES)
    means = np.repeat(level[:, None], HORIZON_DAYS, axis=1)
    return rng.poisson(means).astype(float), means, level


@pytest.fixture(scope="module")
def calibration(poisson: tuple[np.ndarray, np.ndarray, np.ndarray]) -> Calibration:
    return calibrate(*poisson)


def _simulated(mean: float, draws: int = 200_000) -> np.ndarray:
    return np.random.default_rng(11).poisson(mean, draws).astype(float)


def test_a_calibration_survives_json(calibration: Calibration) -> None:
    assert Calibration.from_json(json.loads(json.dumps(calibration.to_json()))) == calibration


@pytest.mark.parametrize("level", [0.1, 1.0, 8.0])
def test_daily_quantiles_are_those_of_the_distribution(calibration: Calibration, level: float) -> None:
    quantiles = daily_quantiles(np.full((1, HORIZON_DAYS), level), np.array([level]), calibration)
    expected = np.quantile(_simulated(level), list(QUANTILES.values()), method="inverted_cdf")
    got = np.array([quantiles[name][0, 0] for name in QUANTILES])
    np.testing.assert_allclose(got, expected, atol=1.001)  # at most one step of a whole-number distribution


@pytest.mark.parametrize("length", [1, 7, 28])
@pytest.mark.parametrize("level", [1.0, 8.0])
def test_interval_demand_is_the_distribution_of_the_sum(calibration: Calibration, level: float, length: int) -> None:
    demand = interval_demand(np.full((1, HORIZON_DAYS), level), np.array([level]), np.array([length]), calibration)
    truth = _simulated(level * length)
    assert demand.mean[0] == pytest.approx(level * length)
    for share in (0.5, 0.9, 0.95, 0.99):
        tolerance = 1.001 + 0.02 * level * length
        assert demand.quantile(share)[0] == pytest.approx(np.quantile(truth, share), abs=tolerance)
    for x in (level * length, level * length + 2 * np.sqrt(level * length)):
        assert demand.expected_shortage(x)[0] == pytest.approx(np.maximum(truth - x, 0).mean(), abs=0.05 * x + 0.2)


def test_quantiles_of_the_sum_are_less_than_the_sum_of_quantiles(calibration: Calibration) -> None:
    means, level = np.ones((1, HORIZON_DAYS)), np.ones(1)
    summed = daily_quantiles(means, level, calibration)["q95"][0, :14].sum()
    assert interval_demand(means, level, np.array([14]), calibration).quantile(0.95)[0] < 0.8 * summed


def test_beyond_the_horizon_the_last_week_goes_on_and_says_so(calibration: Calibration) -> None:
    means = np.ones((2, HORIZON_DAYS))
    means[:, -7:] = 3.0
    demand = interval_demand(means, np.ones(2), np.array([28, 30]), calibration)
    np.testing.assert_allclose(demand.mean, [21 + 21, 21 + 21 + 6])
    assert demand.is_beyond_horizon.tolist() == [False, True]


def test_an_interval_of_no_days_is_refused(calibration: Calibration) -> None:
    with pytest.raises(ValueError, match="at least one day"):
        interval_demand(np.ones((1, HORIZON_DAYS)), np.ones(1), np.array([0]), calibration)


def test_a_probability_of_one_has_no_quantile(calibration: Calibration) -> None:
    demand = interval_demand(np.ones((1, HORIZON_DAYS)), np.ones(1), np.array([3]), calibration)
    with pytest.raises(ValueError, match="below 1"):
        demand.quantile(1.0)


def test_without_series_there_is_nothing_to_calibrate_on() -> None:
    with pytest.raises(ValueError, match="no series"):
        calibrate(np.empty((0, HORIZON_DAYS)), np.empty((0, HORIZON_DAYS)), np.empty(0))


@given(
    series=st.integers(1, 700),
    distinct=st.integers(1, 5),
    zeros=st.floats(0, 1),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=25, deadline=None)
def test_quantiles_never_fall_and_are_never_negative(series: int, distinct: int, zeros: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    level = rng.lognormal(0, 1, distinct)[rng.integers(0, distinct, series)]
    means = level[:, None] * rng.random((series, HORIZON_DAYS))
    actuals = rng.poisson(3, (series, HORIZON_DAYS)) * (rng.random((series, HORIZON_DAYS)) >= zeros)
    calibration = calibrate(actuals, means, level)
    stacked = np.stack(list(daily_quantiles(means, level, calibration).values()))
    assert (stacked >= 0).all()
    assert (np.diff(stacked, axis=0) >= 0).all()
    demand = interval_demand(means, level, rng.integers(1, 60, series), calibration)
    by_share = np.stack([demand.quantile(p) for p in (0, 0.001, 0.3, 0.7, 0.95, 0.999, 0.9995, 0.99999)])
    assert (by_share >= 0).all()
    assert (np.diff(by_share, axis=0) >= -1e-9).all()


_THOUSANDTHS = hnp.arrays(np.int64, len(LEVELS), elements=st.integers(0, 50_000))
_KNOTS = _THOUSANDTHS.map(lambda units: np.sort(units) / 1_000)


@given(knots=_KNOTS, x=st.integers(0, 120_000).map(lambda units: units / 1_000))
@settings(deadline=None)
def test_cdf_and_shortage_are_those_of_draws_from_the_quantiles(knots: np.ndarray, x: float) -> None:
    probability = (np.arange(40_000) + 0.5) / 40_000
    rows = len(probability)
    demand = IntervalDemand(np.zeros(rows), np.zeros(rows, bool), np.tile(knots, (rows, 1)))
    draws = demand.quantile(probability)
    one = IntervalDemand(np.zeros(1), np.zeros(1, bool), knots[None, :])
    assert one.cdf(x)[0] == pytest.approx(np.mean(draws <= x), abs=2e-4)
    assert one.expected_shortage(x)[0] == pytest.approx(np.maximum(draws - x, 0).mean(), abs=0.03)


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
    expected = np.quantile(_simulated(FLOOR_SHARE * 100.0), [0.05, 0.5])
    np.testing.assert_allclose([slow["q05"].mean(), slow["q50"].mean()], expected, atol=0.5)
    assert not quantiles["q99"][level > 50][:, 6::7].any()


def test_too_few_forecasts_below_the_floor_have_the_errors_of_the_smallest() -> None:
    rng, level, means = np.random.default_rng(6), np.full(100, 10.0), np.full((100, HORIZON_DAYS), 10.0)
    means[0, 0] = 1.0
    demand = rng.poisson(means).astype(float)
    calibration = calibrate(demand, means, level)
    assert calibration.daily.ratios[0] == calibration.daily.ratios[1]
    assert calibration.interval.ratios[0] == calibration.interval.ratios[1]
