"""Service levels: base stock, fill rates and lost sales keep their promises in simulated long runs."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexgen_assets.replenishment.formulas.base_stock import (
    base_stock_for_cycle_service,
    demand_over_random_lead_time,
    safety_stock_normal,
    sd_of_correlated_sum,
)
from nexgen_assets.replenishment.formulas.distributions import Discrete, NegativeBinomial, Normal, Poisson
from nexgen_assets.replenishment.formulas.fill_rates import (
    continuous_base_stock_fill_rate,
    order_up_to_level_for_fill_rate,
    periodic_review_fill_rate,
    s_q_fill_rate,
    s_q_safety_stock_for_fill_rate,
)
from nexgen_assets.replenishment.formulas.lost_sales import lost_sales_base_stock
from nexgen_assets_tests.replenishment.formulas.oracles import steady

NORMAL = {"demand_mean": 20.0, "demand_sd": 8.0, "lead_time_mean": 5.0, "lead_time_sd": 1.5, "review_period": 1.0}


# the level never falls when more is promised or more is uncertain (normal demand, service above 1/2)
@pytest.mark.parametrize("rising", ["demand_mean", "demand_sd", "lead_time_mean", "lead_time_sd", "review_period"])
@steady
@given(st.floats(0, 5), st.floats(0.51, 0.999))
def test_level_never_falls_when_an_argument_rises(rising: str, more: float, service: float) -> None:
    before = safety_stock_normal(**NORMAL, cycle_service_level=service)
    after = safety_stock_normal(**(NORMAL | {rising: NORMAL[rising] + more}), cycle_service_level=service)
    assert after.level >= before.level


@steady
@given(st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_level_never_falls_when_the_service_rises(a: float, b: float) -> None:
    low, high = (safety_stock_normal(**NORMAL, cycle_service_level=service).level for service in sorted((a, b)))
    assert low <= high


@steady
@given(st.floats(0, 100), st.floats(0, 20), st.floats(0, 20), st.floats(0.01, 0.99))
def test_without_uncertainty_there_is_no_safety_stock(mean: float, lead: float, review: float, p: float) -> None:
    found = safety_stock_normal(
        demand_mean=mean, demand_sd=0, lead_time_mean=lead, review_period=review, cycle_service_level=p
    )
    assert (found.safety_stock, found.safety_factor) == (0, 0)
    assert found.level == pytest.approx(mean * (lead + review))


@steady
@given(st.floats(0.5, 20), st.floats(0.5, 0.99))
def test_units_of_measure_do_not_matter(k: float, service: float) -> None:
    scaled = NORMAL | {"demand_mean": 20 * k, "demand_sd": 8 * k}
    one, other = (safety_stock_normal(**i, cycle_service_level=service).level for i in (NORMAL, scaled))
    assert other == pytest.approx(k * one)


def test_arrays_of_products_are_answered_at_once() -> None:
    found = safety_stock_normal(
        demand_mean=np.array([10.0, 10.0]),
        demand_sd=np.array([0.0, 2.0]),
        lead_time_mean=6.5,
        cycle_service_level=0.9,
    )
    assert found.safety_stock.tolist() == pytest.approx([0, 6.5346564403873])


# the quantile of the sum, not the sum of the quantiles
def test_the_level_of_a_week_is_below_seven_daily_levels_of_a_fast_mover() -> None:
    daily = NegativeBinomial(3.0, 7.5)
    assert base_stock_for_cycle_service(daily.over(7), 0.95).order_up_to_level < 7 * daily.quantile(0.95)


def test_the_level_of_nine_days_is_above_nine_daily_levels_of_a_slow_mover() -> None:
    daily = Poisson(0.05)
    assert 9 * daily.quantile(0.9) == 0
    assert base_stock_for_cycle_service(daily.over(9), 0.9).order_up_to_level == 1


def test_random_lead_times_need_what_drawing_them_shows() -> None:
    demand = demand_over_random_lead_time(Poisson(4.0), {2: 0.6, 3: 0.3, 5: 0.1}, review_period=1)
    rng = np.random.default_rng(2)
    drawn = rng.poisson(4.0 * (1 + rng.choice([2, 3, 5], 400_000, p=[0.6, 0.3, 0.1])))

    found = base_stock_for_cycle_service(demand, 0.99)
    assert found.order_up_to_level == np.quantile(drawn, 0.99, method="inverted_cdf") == 30
    assert found.cycle_service_level == pytest.approx((drawn <= 30).mean(), abs=0.001)
    assert found.expected_shortage == pytest.approx(np.maximum(drawn - 30, 0).mean(), rel=0.05)
    assert (demand.mean, demand.variance) == pytest.approx((drawn.mean(), drawn.var()), rel=0.01)


def test_a_certain_lead_time_is_no_mixture() -> None:
    found = demand_over_random_lead_time(Poisson(4.0), {3: 1.0}, review_period=1)
    assert found.quantile(0.95) == Poisson(16.0).quantile(0.95)


@steady
@given(st.floats(0.1, 10), st.floats(-1, 1), st.integers(0, 30))
def test_correlated_errors_add_up_as_their_covariances_do(sd: float, rho: float, days: int) -> None:
    lags = np.abs(np.subtract.outer(np.arange(days), np.arange(days)))
    covariances = sd**2 * rho**lags if days else np.zeros((0, 0))
    assert sd_of_correlated_sum(sd, rho, days) == pytest.approx(np.sqrt(max(covariances.sum(), 0)), abs=1e-6)


@pytest.mark.parametrize(("rho", "expected"), [(0, 4 * 7**0.5), (1, 28)])
def test_independent_and_equal_errors_are_the_two_ends(rho: float, expected: float) -> None:
    assert sd_of_correlated_sum(4, rho, 7) == pytest.approx(expected)


def simulated_periodic(demand: np.ndarray, level: float, lead_time: int, review: int) -> tuple[float, float]:
    """Fill rate and share of cycles without stockout: each review's order up to S arrives before a day's demand."""
    days = len(demand)
    net, due, waiting = level, np.zeros(days + lead_time + 1), 0.0
    served, cycles_short = 0.0, np.zeros(days // review + 2)
    for t in range(days):
        if t % review == 0:
            order = level - net - waiting
            due[t + lead_time] += order
            waiting += order
        net, waiting = net + due[t], waiting - due[t]
        served += min(max(net, 0.0), demand[t])
        net -= demand[t]
        cycles_short[(t - lead_time) // review] += net < 0
    return served / demand.sum(), float((cycles_short[: days // review] == 0).mean())


@pytest.mark.parametrize(("mean", "lead_time", "review", "level"), [(5, 3, 1, 24), (2, 4, 7, 26), (3, 0, 4, 12)])
def test_fill_rate_of_periodic_review_is_what_a_long_run_shows(
    mean: float, lead_time: int, review: int, level: int
) -> None:
    found = periodic_review_fill_rate(Poisson(mean), lead_time=lead_time, review_period=review, order_up_to_level=level)
    drawn = np.random.default_rng(7).poisson(mean, 140_000).astype(float)
    fill_rate, no_stockout = simulated_periodic(drawn, level, lead_time, review)
    assert found.fill_rate == pytest.approx(fill_rate, abs=0.003)
    assert found.cycle_service_level == pytest.approx(no_stockout, abs=0.01)


@steady
@given(st.floats(0.2, 20), st.integers(0, 10), st.integers(1, 14), st.floats(0.05, 0.999))
def test_the_level_for_a_fill_rate_is_the_smallest(mean: float, lead: int, review: int, target: float) -> None:
    interval = {"lead_time": lead, "review_period": review}
    found = order_up_to_level_for_fill_rate(Poisson(mean), **interval, target_fill_rate=target)
    below = periodic_review_fill_rate(Poisson(mean), **interval, order_up_to_level=found.order_up_to_level - 1)
    assert found.fill_rate >= target - 1e-12
    assert below.fill_rate < target


@steady
@given(st.floats(0, 0.8), st.floats(0, 10), st.floats(0.2, 14), st.floats(0.05, 0.999))
def test_the_level_for_a_fill_rate_reaches_it(variation: float, lead: float, review: float, target: float) -> None:
    found = order_up_to_level_for_fill_rate(
        Normal(20.0, 20 * variation), lead_time=lead, review_period=review, target_fill_rate=target
    )
    assert found.fill_rate == pytest.approx(target, abs=1e-9)


def test_fill_rate_is_not_cycle_service() -> None:
    found = order_up_to_level_for_fill_rate(Normal(20, 8), lead_time=5, review_period=7, target_fill_rate=0.98)
    assert found.cycle_service_level < 0.82


@steady
@given(st.floats(0.5, 300), st.floats(1, 200), st.floats(0.05, 0.999), st.booleans())
def test_safety_stock_for_a_fill_rate_reaches_it(q: float, sd: float, target: float, lost: bool) -> None:
    stock = s_q_safety_stock_for_fill_rate(
        order_quantity=q, lead_time_demand_sd=sd, target_fill_rate=target, lost_sales=lost
    )
    found = s_q_fill_rate(Normal(500, sd), order_quantity=q, safety_stock=stock.safety_stock, lost_sales=lost)
    assert found.fill_rate == pytest.approx(target, abs=1e-8)


def test_certain_demand_needs_no_safety_stock_for_any_fill_rate() -> None:
    found = s_q_safety_stock_for_fill_rate(order_quantity=5, lead_time_demand_sd=0, target_fill_rate=0.9)
    assert (found.safety_factor, found.safety_stock) == (0, 0)


def test_continuous_base_stock_serves_what_a_long_run_shows() -> None:
    rate, lead_time, level = 1.2, 4.0, 8
    times = np.cumsum(np.random.default_rng(9).exponential(1 / rate, 200_000))
    # a customer finds a unit if fewer than S came within the lead time before
    recent = np.arange(len(times)) - np.searchsorted(times, times - lead_time)
    found = continuous_base_stock_fill_rate(Poisson(rate * lead_time), level)
    assert found == pytest.approx((recent < level).mean(), abs=0.004)


@pytest.mark.parametrize(
    ("demand", "level", "lead_time"),
    [
        (Poisson(3.0), 8, 1),
        (Poisson(0.3), 1, 1),
        (NegativeBinomial(3.0, 9.0), 10, 1),
        (Discrete({2: 0.5, 9: 0.5}), 5, 1),
        (Poisson(3.0), 5, 0),
        (Poisson(3.0), 11, 2),
        (NegativeBinomial(0.8, 1.6), 5, 4),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else type(value).__name__,
)
def test_lost_sales_are_what_a_long_run_shows(demand: Any, level: int, lead_time: int) -> None:
    found = lost_sales_base_stock(demand, level, lead_time=lead_time)
    drawn = demand.quantile(np.random.default_rng(11).random(200_000))
    on_hand, coming, sold, left = float(level), [0.0] * (lead_time + 1), 0.0, 0.0
    for wanted in drawn:
        on_hand += coming.pop(0)
        sales = min(on_hand, wanted)
        on_hand, sold = on_hand - sales, sold + sales
        left += on_hand
        coming.append(level - on_hand - sum(coming))
    assert found.fill_rate == pytest.approx(sold / drawn.sum(), abs=0.004)
    assert found.mean_end_of_day_on_hand == pytest.approx(left / len(drawn), abs=0.03)


def test_no_stock_sells_nothing_and_enough_stock_sells_all() -> None:
    assert lost_sales_base_stock(Poisson(3.0), 0).fill_rate == 0
    assert lost_sales_base_stock(Poisson(3.0), 60).fill_rate == pytest.approx(1)


@pytest.mark.parametrize(
    ("refused", "reason"),
    [
        (lambda: base_stock_for_cycle_service(Poisson(3.0), 1.0), "promise less"),
        (lambda: base_stock_for_cycle_service(Poisson(3.0), 95), "must lie within 0 and 1"),
        (lambda: safety_stock_normal(**NORMAL, cycle_service_level=1.0), "must lie between 0 and 1"),
        (lambda: safety_stock_normal(**(NORMAL | {"lead_time_sd": -1}), cycle_service_level=0.9), "lead_time_sd"),
        (lambda: demand_over_random_lead_time(Poisson(3.0), {2: 0.5, 3: 0.4}), "sum to 1"),
        (lambda: demand_over_random_lead_time(Poisson(3.0), {-1: 1.0}), "lead_time must not be negative"),
        (lambda: sd_of_correlated_sum(1, 1.1, 7), "autocorrelation must lie within -1 and 1"),
        (lambda: sd_of_correlated_sum(1, 0.5, 2.5), "days must be a whole number"),
        (
            lambda: periodic_review_fill_rate(Poisson(3.0), lead_time=1, review_period=0, order_up_to_level=5),
            "use continuous_base_stock_fill_rate",
        ),
        (
            lambda: periodic_review_fill_rate(Poisson(0.0), lead_time=1, review_period=1, order_up_to_level=5),
            "demand_mean must be greater than 0",
        ),
        (
            lambda: order_up_to_level_for_fill_rate(Poisson(3.0), lead_time=1, review_period=1, target_fill_rate=1.0),
            "target_fill_rate must lie between 0 and 1",
        ),
        (
            lambda: s_q_fill_rate(Normal(100, 50), order_quantity=5, safety_stock=-100),
            "the formula has no meaning",
        ),
        (lambda: continuous_base_stock_fill_rate(Normal(5, 1), 3), "whole units"),
        (lambda: lost_sales_base_stock(Poisson(3.0), -1), "base_stock_level must not be negative"),
        (lambda: lost_sales_base_stock(Normal(3, 1), 4), "whole units"),
        (lambda: lost_sales_base_stock(Poisson(3.0), 4, lead_time=-1), "lead_time must not be negative"),
    ],
)
def test_what_cannot_be_meant_is_refused(refused: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        refused()
