"""Demand over an interval is a distribution: of the sum, and the same in its quantiles, probabilities and shortages."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nexgen_assets.forecasting.interval import IntervalDemand, interval_demand
from nexgen_assets.forecasting.quantiles import LEVELS, calibrate, daily_quantiles
from nexgen_assets.tables import HORIZON_DAYS
from nexgen_assets_tests.forecasting.poisson import Array, poisson_calibration, poisson_draws, random_panels


@pytest.mark.parametrize("length", [1, 7, 28])
@pytest.mark.parametrize("level", [1.0, 8.0])
def test_interval_demand_is_the_distribution_of_the_sum(level: float, length: int) -> None:
    demand = interval_demand(
        np.full((1, HORIZON_DAYS), level), np.array([level]), np.array([length]), poisson_calibration()
    )
    truth = poisson_draws(level * length)
    assert demand.mean[0] == pytest.approx(level * length)
    for share in (0.5, 0.9, 0.95, 0.99):
        tolerance = 1.001 + 0.02 * level * length
        assert demand.quantile(share)[0] == pytest.approx(np.quantile(truth, share), abs=tolerance)
    for x in (level * length, level * length + 2 * np.sqrt(level * length)):
        assert demand.expected_shortage(x)[0] == pytest.approx(np.maximum(truth - x, 0).mean(), abs=0.05 * x + 0.2)


def test_quantiles_of_the_sum_are_less_than_the_sum_of_quantiles() -> None:
    means, level = np.ones((1, HORIZON_DAYS)), np.ones(1)
    summed = daily_quantiles(means, level, poisson_calibration())["q95"][0, :14].sum()
    assert interval_demand(means, level, np.array([14]), poisson_calibration()).quantile(0.95)[0] < 0.8 * summed


def test_beyond_the_horizon_the_last_week_goes_on_and_says_so() -> None:
    means = np.ones((2, HORIZON_DAYS))
    means[:, -7:] = 3.0
    demand = interval_demand(means, np.ones(2), np.array([28, 30]), poisson_calibration())
    np.testing.assert_allclose(demand.mean, [21 + 21, 21 + 21 + 6])
    assert demand.is_beyond_horizon.tolist() == [False, True]


def test_an_interval_of_no_days_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one day"):
        interval_demand(np.ones((1, HORIZON_DAYS)), np.ones(1), np.array([0]), poisson_calibration())


def test_a_probability_of_one_has_no_quantile() -> None:
    demand = interval_demand(np.ones((1, HORIZON_DAYS)), np.ones(1), np.array([3]), poisson_calibration())
    with pytest.raises(ValueError, match="below 1"):
        demand.quantile(1.0)


@given(panel=random_panels(), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25)
def test_quantiles_never_fall_and_are_never_negative(panel: tuple[Array, Array, Array], seed: int) -> None:
    actuals, means, level = panel
    lengths = np.random.default_rng(seed).integers(1, 60, len(level))
    demand = interval_demand(means, level, lengths, calibrate(actuals, means, level))
    by_share = np.stack([demand.quantile(p) for p in (0, 0.001, 0.3, 0.7, 0.95, 0.999, 0.9995, 0.99999)])
    assert (by_share >= 0).all()
    assert (np.diff(by_share, axis=0) >= -1e-9).all()


_THOUSANDTHS = hnp.arrays(np.int64, len(LEVELS), elements=st.integers(0, 50_000))
_KNOTS = _THOUSANDTHS.map(lambda units: np.sort(units) / 1_000)


@given(knots=_KNOTS, x=st.integers(0, 120_000).map(lambda units: units / 1_000))
def test_cdf_and_shortage_are_those_of_draws_from_the_quantiles(knots: np.ndarray, x: float) -> None:
    probability = (np.arange(40_000) + 0.5) / 40_000
    rows = len(probability)
    demand = IntervalDemand(np.zeros(rows), np.zeros(rows, bool), np.tile(knots, (rows, 1)))
    draws = demand.quantile(probability)
    one = IntervalDemand(np.zeros(1), np.zeros(1, bool), knots[None, :])
    assert one.cdf(x)[0] == pytest.approx(np.mean(draws <= x), abs=2e-4)
    assert one.expected_shortage(x)[0] == pytest.approx(np.maximum(draws - x, 0).mean(), abs=0.03)
