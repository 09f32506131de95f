"""Levels of rolling forecasts: those that the order policy gives day by day, and nothing of later days."""

import numpy as np
import pytest
from scipy import stats

from nexgen_assets.replenishment.forecast_levels import (
    RollingForecasts,
    forecast_levels,
    surely_sold_until_receipt,
)
from nexgen_assets.replenishment.lead_times import lead_times
from nexgen_assets.replenishment.policy import order_up_to_level
from nexgen_assets_tests.forecasting.poisson import poisson_calibration

SERIES, DAYS, HORIZON = 40, 12, 28
REVIEW = np.full(SERIES, 1)
DELAYED = lead_times([{2: 0.8, 3: 0.15, 5: 0.05}, {0: 0.5, 1: 0.5}], np.arange(SERIES) % 2)


@pytest.fixture(scope="module")
def forecasts() -> RollingForecasts:
    rng = np.random.default_rng(2)
    level = rng.choice([0.1, 1.0, 8.0], (SERIES, DAYS))
    return RollingForecasts(level[:, :, None] * rng.uniform(0.5, 1.5, (1, 1, HORIZON)), level, poisson_calibration())


@pytest.mark.parametrize("share", [0.3, 0.5, 0.9, 0.95, 0.99, 0.9999])
def test_a_level_is_the_one_that_the_order_policy_gives_on_that_day(forecasts: RollingForecasts, share: float) -> None:
    levels = forecast_levels(forecasts, DELAYED, REVIEW, [share])[share]

    for day in range(DAYS):
        demand = forecasts.over_protection_interval(day, DELAYED, REVIEW)
        assert levels[:, day].tolist() == order_up_to_level(demand, share).tolist()


def test_a_level_rests_on_the_forecast_of_its_own_day(forecasts: RollingForecasts) -> None:
    means = forecasts.means.copy()
    means[:, 6:] *= 3
    changed = RollingForecasts(means, forecasts.level, forecasts.calibration)

    before, after = (forecast_levels(found, DELAYED, REVIEW, [0.95])[0.95] for found in (forecasts, changed))

    assert before[:, :6].tolist() == after[:, :6].tolist()
    assert np.all(before[:, 6:] <= after[:, 6:])
    assert np.any(before[:, 6:] < after[:, 6:])


def test_room_on_arrival_is_reckoned_with_as_in_orders() -> None:
    """Of 8 units a day 56 are sold in 7 days, and 44 or more in 95 of 100 such; over no days none are."""
    eight = np.full((SERIES, DAYS), 8.0)
    steady = RollingForecasts(np.repeat(eight[:, :, None], HORIZON, axis=2), eight, poisson_calibration())
    week_or_none = lead_times([{7: 1.0}, {0: 1.0}], np.arange(SERIES) % 2)

    found = surely_sold_until_receipt(steady, week_or_none, np.array([3, 4]))

    assert found[0].tolist() == [0] * DAYS
    assert found[1] == pytest.approx(stats.poisson(56).ppf(0.05), abs=1)


def test_nothing_is_ordered_of_a_series_of_which_nothing_is_expected() -> None:
    nothing = RollingForecasts(np.zeros((SERIES, 1, HORIZON)), np.zeros((SERIES, 1)), poisson_calibration())

    assert forecast_levels(nothing, DELAYED, REVIEW, [0.99])[0.99].tolist() == [[0.0]] * SERIES


def test_demand_ends_with_the_delisting_that_was_known_then(forecasts: RollingForecasts) -> None:
    listed = np.full((SERIES, DAYS), 100)
    listed[:, 4], listed[:, 5] = 1, 0
    ending = RollingForecasts(forecasts.means, forecasts.level, forecasts.calibration, listed)
    week = lead_times([{6: 1.0}] * SERIES)

    for_ever, until_then = (forecast_levels(found, week, REVIEW, [0.95])[0.95] for found in (forecasts, ending))
    a_day = forecast_levels(forecasts, lead_times([{0: 1.0}] * SERIES), REVIEW, [0.95])[0.95]

    assert until_then[:, 3].tolist() == for_ever[:, 3].tolist()
    assert until_then[:, 4].tolist() == a_day[:, 4].tolist()
    assert until_then[:, 5].tolist() == [0.0] * SERIES
