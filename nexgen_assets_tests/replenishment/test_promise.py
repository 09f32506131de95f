"""Promised service beside what a simulation achieves, on demand drawn from the forecast distribution itself."""

import numpy as np
import pytest

from nexgen_assets.replenishment.deliveries import drawn_lead_times
from nexgen_assets.replenishment.forecast_levels import RollingForecasts, forecast_levels
from nexgen_assets.replenishment.lead_times import lead_times
from nexgen_assets.replenishment.order_rules import BaseStock
from nexgen_assets.replenishment.promise import Service, promised, service
from nexgen_assets.replenishment.simulation import scenario, simulate
from nexgen_assets_tests.forecasting.poisson import poisson_calibration

SERIES, DAYS = 40, 300
MEAN = 8.0


def simulated(pmf: dict[int, float], review: int, share: float, pack_size: float = 1.0) -> Service:
    """Service of forecasts that know the demand, Poisson of 8 a day, at this service level."""
    demand = np.random.default_rng(6).poisson(MEAN, (SERIES, DAYS))
    deliveries = lead_times([pmf], np.zeros(SERIES, np.int64))
    days = drawn_lead_times(deliveries, [str(number) for number in range(SERIES)], DAYS, 4)
    world = scenario(demand, days, MEAN * 5, review_period_days=review, pack_size=pack_size, warm_up_days=40)
    told = RollingForecasts(np.full((SERIES, DAYS, 28), MEAN), np.full((SERIES, DAYS), MEAN), poisson_calibration())
    levels = forecast_levels(told, deliveries, world.review_period_days, [share])[share]
    trace = simulate(world, BaseStock(levels), range(SERIES)).trace
    return service(world, deliveries, told, levels, trace).pooled(np.ones((1, SERIES)))


@pytest.mark.parametrize("review", [1, 7])
@pytest.mark.parametrize(
    "pmf", [{2: 1.0}, {0: 1.0}, {2: 0.8, 3: 0.15, 5: 0.05}, {7: 1.0}], ids=["2", "0", "delayed", "7"]
)
@pytest.mark.parametrize("share", [0.9, 0.95])
def test_the_promised_fill_rate_is_kept_and_not_far_too_low(pmf: dict[int, float], review: int, share: float) -> None:
    found = simulated(pmf, review, share)

    kept = (found.achieved_fill_rate - found.promised_fill_rate).item()
    assert -0.004 < kept < (0.03 if (pmf, review) == ({7: 1.0}, 1) else 0.012)  # 7 orders on the way: most cautious


def test_full_packs_raise_the_promise_with_the_service() -> None:
    units, packs = simulated({2: 1.0}, 1, 0.9), simulated({2: 1.0}, 1, 0.9, pack_size=12)

    assert packs.promised_fill_rate.item() > units.promised_fill_rate.item() + 0.003
    assert packs.achieved_fill_rate.item() > units.achieved_fill_rate.item() + 0.003
    assert packs.promised_fill_rate.item() == pytest.approx(packs.achieved_fill_rate.item(), abs=0.01)


def test_cycle_service_is_that_of_the_levels() -> None:
    assert simulated({2: 1.0}, 1, 0.95).achieved_cycle_service.item() == pytest.approx(0.95, abs=0.02)


def test_with_nothing_in_stock_and_nothing_on_its_way_all_that_is_expected_is_lost() -> None:
    told = RollingForecasts(np.full((2, 1, 28), MEAN), np.full((2, 1), MEAN), poisson_calibration())

    expected, lost = promised(told, 0, np.zeros(2), np.zeros(2), lead_times([{0: 1.0}] * 2), np.array([1, 7]))

    assert expected.tolist() == pytest.approx([MEAN, 7 * MEAN])
    assert lost.tolist() == pytest.approx(expected.tolist(), rel=0.01)


def test_a_position_that_covers_everything_loses_nothing() -> None:
    told = RollingForecasts(np.full((1, 1, 28), MEAN), np.full((1, 1), MEAN), poisson_calibration())

    _, lost = promised(told, 0, np.array([500.0]), np.zeros(1), lead_times([{2: 1.0}]), np.array([1]))

    assert lost.item() == pytest.approx(0, abs=1e-6)


def test_a_trace_of_some_series_is_refused() -> None:
    world = scenario(np.ones((2, 5)), 1, 3)
    told = RollingForecasts(np.ones((2, 5, 28)), np.ones((2, 5)), poisson_calibration())
    levels = np.full((2, 5), 3.0)
    trace = simulate(world, BaseStock(levels), [0]).trace

    with pytest.raises(ValueError, match="the trace is of 1 series, not of all 2"):
        service(world, lead_times([{1: 1.0}] * 2), told, levels, trace)
