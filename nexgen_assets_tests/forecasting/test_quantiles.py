"""Quantiles come from out-of-sample errors and behave like those of a distribution."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nexgen_assets.forecasting.interval import interval_demand
from nexgen_assets.forecasting.quantiles import (
    FLOOR_SHARE,
    Calibration,
    calibrate,
    daily_quantiles,
    spread_of_sums,
    standardised,
    unstandardised,
)
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


def test_a_shop_that_opens_says_nothing_of_the_closed_days_of_others(
    closed_on_sundays: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """Forecasts of a shop that has not sold yet are far below a level that is itself next to nothing."""
    demand, means, level = closed_on_sundays
    opened = 5
    calibration = calibrate(
        np.vstack([demand, np.full((opened, HORIZON_DAYS), 80.0)]),
        np.vstack([means, np.full((opened, HORIZON_DAYS), 0.001)]),
        np.append(level, np.full(opened, 0.01)),
    )
    quantiles = daily_quantiles(means, level, calibration)
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


@pytest.mark.parametrize("woken", [3, 40])
def test_series_that_wake_up_do_not_widen_what_is_said_of_others(woken: int) -> None:
    """A shop that opens sells thousands of times what was expected of it; the others' demand is as it was."""
    rng, others = np.random.default_rng(8), 100
    level = np.concatenate([np.linspace(10, 30, others), np.full(woken, 0.01)])
    means = np.repeat(level[:, None], HORIZON_DAYS, axis=1)
    demand = rng.poisson(np.where(means < 1, 70.0, means)).astype(float)
    calibration = calibrate(demand, means, level)

    usual = np.full((1, HORIZON_DAYS), 11.0), np.array([11.0])
    assert daily_quantiles(*usual, calibration)["q99"][0, 0] == pytest.approx(stats.poisson.ppf(0.99, 11), abs=2)
    week = interval_demand(*usual, np.array([7]), calibration).quantile(0.99)[0]
    assert week == pytest.approx(stats.poisson.ppf(0.99, 77), rel=0.1)


def test_a_holiday_that_nobody_told_does_not_make_every_week_a_week_with_a_holiday() -> None:
    """Once all shops were closed on the second and third day: such a week is possible, the usual one is expected."""
    rng, level = np.random.default_rng(10), np.linspace(50, 500, 200)
    means = np.repeat(level[:, None], HORIZON_DAYS, axis=1)
    demand = rng.poisson(means).astype(float)
    demand[:, 1:3] = 0
    week = interval_demand(means, level, np.full(200, 7), calibrate(demand, means, level))
    usual, cut_short = 7 * level, 5 * level
    for share in (0.5, 0.95):
        np.testing.assert_allclose(week.quantile(share) / usual, 1.0, atol=0.1)
    assert np.median(week.quantile(0.1) / cut_short) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("week", range(4))
def test_a_day_more_never_sells_less_whichever_week_had_the_holidays(week: int) -> None:
    rng, level = np.random.default_rng(12), np.linspace(50, 60, 200)
    means = np.repeat(level[:, None], HORIZON_DAYS, axis=1)
    demand = rng.poisson(means).astype(float)
    demand[:, 7 * week + 1 : 7 * week + 3] = 0
    calibration, shares = calibrate(demand, means, level), np.arange(0.05, 1, 0.05)
    demand_over = [interval_demand(means, level, np.full(200, n), calibration) for n in range(1, HORIZON_DAYS + 1)]
    sold = np.array([[over.quantile(share).mean() for share in shares] for over in demand_over])
    assert (np.diff(sold, axis=0) > -0.1 * level.mean()).all()


def test_few_series_of_a_size_share_the_errors_of_the_next_larger() -> None:
    rng, level = np.random.default_rng(9), np.array([0.1] * 5 + [40.0] * 95)
    means = np.repeat(level[:, None], HORIZON_DAYS, axis=1)
    interval = calibrate(rng.poisson(means).astype(float), means, level).interval
    small, large = interval.segment(np.array([0.1, 40.0]), np.array([0.1, 40.0]))
    assert small < large
    assert interval.ratios[small] == interval.ratios[small + 1]


ratios = st.floats(0, 1e6)
spreads = st.floats(0.02, 20)


@given(ratios, ratios, spreads)
def test_a_ratio_is_found_again_and_the_larger_stays_the_larger(one: float, other: float, spread: float) -> None:
    low, high = np.sort([one, other])
    told = standardised(np.array([low, high]), np.full(2, spread))
    assert told[0] <= told[1]
    back = unstandardised(told, np.full(2, spread))
    # a ratio so small that its power is 0 is none
    np.testing.assert_allclose(np.where(told > 0, back, [low, high]), [low, high], rtol=1e-6)


def test_no_demand_is_none_and_what_was_expected_is_so_however_wide_the_spread() -> None:
    assert unstandardised(standardised(np.array([0.0, 1.0]), np.array([0.3, 4.0])), np.ones(2)).tolist() == [0.0, 1.0]


def test_forecasts_of_one_size_have_quantiles_as_wide_as_their_spread() -> None:
    """Half of the series sell near their forecast, the other half far from it; the spread tells which."""
    rng, shapes = np.random.default_rng(10), np.repeat([100.0, 4.0], 2_000)
    level, means = np.full(4_000, 30.0), np.full((4_000, HORIZON_DAYS), 30.0)
    demand = 30 * rng.gamma(shapes[:, None], 1 / shapes[:, None], means.shape)
    spread = np.repeat(np.abs(demand / 30 - 1).reshape(2, -1).mean(axis=1), 2_000)[:, None] * np.ones(HORIZON_DAYS)
    calibration = calibrate(demand, means, level, spread=spread)

    daily = daily_quantiles(means, level, calibration, spread)
    sums = interval_demand(means, level, np.full(4_000, 7), calibration, spread)
    # shapes differ as well as spreads, and are pooled; without the spread the calm half is 40 % off
    for half, shape in ((slice(0, 2_000), 100.0), (slice(2_000, None), 4.0)):
        assert daily["q95"][half].mean() == pytest.approx(30 * stats.gamma.ppf(0.95, shape) / shape, rel=0.05)
        of_week = 30 * stats.gamma.ppf(0.95, 7 * shape) / shape
        assert sums.quantile(0.95)[half].mean() == pytest.approx(of_week, rel=0.05)


def test_the_spread_of_a_sum_is_that_of_its_days_weighted_by_what_they_are_to_sell() -> None:
    means, spread = np.array([[9.0, 1.0, 0.0]]), np.array([[0.2, 1.0, 5.0]])
    np.testing.assert_allclose(spread_of_sums(means, spread)[0], [0.2, 0.28, 0.28], rtol=1e-6)
