"""Promised and achieved service: levels held against demand that is drawn from the forecast distribution itself."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nexgen_assets.forecasting.interval import IntervalDemand, interval_demand
from nexgen_assets.forecasting.quantiles import calibrate
from nexgen_assets.replenishment.cycle_service import cycle_service
from nexgen_assets.replenishment.order_rules import BaseStock
from nexgen_assets.replenishment.policy import order_up_to_level
from nexgen_assets.replenishment.simulation import Scenario, scenario, simulate
from nexgen_assets_tests.replenishment.distributions import Poisson
from nexgen_assets_tests.replenishment.scenarios import scenarios

# a busy machine is no failure
steady = settings(deadline=None)


def test_an_interval_ends_before_the_order_of_the_next_review_can_be_sold() -> None:
    # reviews on days 0, 2 and 4; lead time 1, of the order of day 2 it is 2
    world = scenario([[9, 1, 2, 3, 4, 5, 6, 7]], [[1, 1, 2, 1, 1, 1, 1, 1]], 0, review_period_days=2)

    def covered(level: float) -> int:
        return cycle_service(world, np.full((1, 8), level)).covered.item()

    # 10 units on days 1 to 4, 12 on 3 to 5, 18 on 5 to 7; the interval of day 6 reaches beyond the end
    assert cycle_service(world, np.zeros((1, 8))).closed.tolist() == [3]
    assert [covered(level) for level in (9, 10, 11, 12, 17, 18)] == [0, 1, 1, 2, 2, 3]


def test_reviews_of_the_warm_up_are_left_out() -> None:
    world = scenario([[9, 9, 1, 1, 1]], 0, 0, warm_up_days=1)

    service = cycle_service(world, np.full((1, 5), 5.0))

    assert (service.closed.item(), service.covered.item()) == (3, 3)
    assert service.achieved.item() == 1


def test_without_a_closed_interval_nothing_is_achieved() -> None:
    assert np.isnan(cycle_service(scenario([[1, 1]], 5, 0), np.ones((1, 2))).achieved).all()


def binomial_band(share: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    low, high = stats.binom.interval(confidence, n, share)
    return float(low), float(high)


@pytest.mark.parametrize("daily_mean", [0.05, 0.8, 6.0, 40.0])
@pytest.mark.parametrize("service_level", [0.8, 0.9, 0.95, 0.99])
def test_levels_keep_their_promise_when_demand_is_as_forecast(daily_mean: float, service_level: float) -> None:
    # one interval of a review every 3 days and a lead time of 2 days, in many series
    n, review, lead_time = 4_000, 3, 2
    forecast = Poisson(np.array([daily_mean * (review + lead_time)]))
    level = order_up_to_level(forecast, service_level)
    world = scenario(
        np.random.default_rng(12).poisson(daily_mean, (n, 1 + review + lead_time)),
        lead_time,
        0,
        review_period_days=review,
    )

    service = cycle_service(world, np.full((n, world.days), level))

    promised = forecast.cdf(level).item()  # of whole units: at least the target
    low, high = binomial_band(promised, n)
    assert promised >= service_level
    assert service.closed.sum() == n
    assert low <= service.covered.sum() <= high


@steady
@given(st.floats(0.02, 60), st.floats(0.5, 0.995), st.integers(1, 7), st.integers(0, 7), st.integers(0, 10_000))
def test_levels_keep_any_promise(
    daily_mean: float, service_level: float, review: int, lead_time: int, seed: int
) -> None:
    n = 2_000
    forecast = Poisson(np.array([daily_mean * (review + lead_time)]))
    level = order_up_to_level(forecast, service_level)
    demand = np.random.default_rng(seed).poisson(daily_mean, (n, 1 + review + lead_time))

    service = cycle_service(
        scenario(demand, lead_time, 0, review_period_days=review), np.full((n, demand.shape[1]), level)
    )

    # wide enough for the hundreds of examples that are tried
    low, high = binomial_band(forecast.cdf(level).item(), n, 1 - 1e-8)
    assert low <= service.covered.sum() <= high


def forecast_of_a_model(series: int, days: int) -> IntervalDemand:
    """Demand of `days` days of like series, from the errors of a model whose forecasts are a third off on average."""
    random = np.random.default_rng(2)
    means = np.full((600, 28), 90.0)
    errors = calibrate(means * random.gamma(9.0, 1 / 9, means.shape), means, np.full(600, 90.0))
    return interval_demand(np.full((series, 28), 90.0), np.full(series, 90.0), np.full(series, days), errors)


def weeks_of(forecast: IntervalDemand, weeks: int, seed: int) -> Scenario:
    """Demand drawn from the forecast, week by week, spread over the days at random; reviewed weekly, no lead time."""
    random = np.random.default_rng(seed)
    series = len(forecast.mean)
    drawn = np.stack([forecast.quantile(random.random(series)) for _ in range(weeks)], axis=1)
    # rounded up: against whole levels that changes nothing, and orders need no rounding to packs
    by_day = random.multinomial(np.ceil(drawn).astype(np.int64), np.full(7, 1 / 7))
    demand = np.concatenate([np.zeros((series, 1)), by_day.reshape(series, -1)], axis=1)
    return scenario(demand, 0, 0, review_period_days=7)


@pytest.mark.parametrize("service_level", [0.8, 0.9, 0.95, 0.99])
def test_cycles_without_a_stockout_are_as_many_as_the_models_forecast_promised(service_level: float) -> None:
    series, weeks = 200, 20
    forecast = forecast_of_a_model(series, 7)
    level = order_up_to_level(forecast, service_level)
    world = weeks_of(forecast, weeks, seed=7)

    trace = simulate(world, BaseStock(level[:, None]), traced_series=range(series)).trace
    service = cycle_service(world, np.broadcast_to(level[:, None], world.demand.shape))

    lost_by_week = trace.lost[:, 1:].reshape(series, weeks, 7).sum(axis=2)
    promised = forecast.cdf(level)[0].item()
    low, high = binomial_band(promised, series * weeks)
    assert promised == pytest.approx(service_level, abs=0.005)
    assert low <= (lost_by_week == 0).sum() <= high
    np.testing.assert_array_equal(service.covered, (lost_by_week == 0).sum(axis=1))


@steady
@given(scenarios(), st.integers(0, 40))
def test_every_closed_interval_is_demand_between_two_days(world: Scenario, level: int) -> None:
    service = cycle_service(world, np.full(world.demand.shape, float(level)))

    for series in range(world.series):
        reviews = [day for day in range(world.days) if world.is_review(day)[series]]
        sums = []
        for day, following in pairwise(reviews):
            last = following + world.lead_time_days[series, following]
            if last < world.days:
                sums.append(world.demand[series, day + 1 : last + 1].sum())
        assert (service.closed[series], service.covered[series]) == (len(sums), sum(units <= level for units in sums))
