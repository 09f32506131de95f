"""The order-up-to policy: textbook levels, and what the policy refuses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nexgen_assets.replenishment.formulas.rounding import (
    apply_moq,
    cap_at_max_stock,
    net_requirement,
    round_order,
    round_up_to_pack,
)
from nexgen_assets.replenishment.policy import (
    Policy,
    cost_of_position,
    order_up_to_level,
)
from nexgen_assets_tests.replenishment.distributions import Floats, Normal, Poisson, Totals

# a busy machine is no failure
steady = settings(deadline=None)

units = st.integers(0, 500).map(float)
thousandths = st.integers(0, 500_000).map(lambda n: n / 1000)
packs = st.integers(1, 48).map(float)


def one(value: float) -> Floats:
    return np.array([value])


# base stock of Poisson demand: the smallest y with F(y) >= service level (Snyder & Shen 2e, section 4.3.4)
@pytest.mark.parametrize(
    ("daily_mean", "days", "service_level", "level", "achieved"),
    [(3.2, 5, 0.9, 21, 0.9107733721614383), (0.4, 9, 0.95, 7, 0.9692107246403425)],
)
def test_level_of_poisson_demand_is_the_textbook_base_stock(
    daily_mean: float, days: int, service_level: float, level: int, achieved: float
) -> None:
    demand = Poisson(one(daily_mean * days))

    result = order_up_to_level(demand, service_level)

    assert result.tolist() == [level]
    assert demand.cdf(result)[0] == pytest.approx(achieved)
    assert demand.cdf(result - 1)[0] < service_level


def test_level_covers_the_sum_of_days_and_not_the_sum_of_daily_quantiles() -> None:
    # very slow demand: every daily 0.9 quantile is 0, yet nine days need a unit (0.05 units a day)
    demand = Poisson(one(0.05 * 9))

    assert 9 * stats.poisson.ppf(0.9, 0.05) == 0
    assert order_up_to_level(demand, 0.9).tolist() == [1]


@pytest.mark.parametrize(("service_level", "level"), [(0.5, 1), (0.8, 3), (0.9, 4), (0.95, 5)])
def test_level_of_observed_totals_is_their_smallest_sufficient_value(service_level: float, level: int) -> None:
    totals = Totals(np.array([0, 0, 1, 3, 0, 2, 5, 0, 1, 0, 4, 2, 0, 0, 7, 1, 0, 2, 3, 0], np.float64))

    assert order_up_to_level(totals, service_level).tolist() == [level]


# safety stock z sd, with sd^2 = (E[L] + R) sd_D^2 + mean_D^2 Var[L] (Chopra & Meindl; Silver, Pyke & Thomas 4e)
@pytest.mark.parametrize(
    ("daily_mean", "daily_sd", "lead_time", "lead_time_sd", "review", "service_level", "safety_stock"),
    [
        (2500, 500, 7, 7, 0, 0.9, 22491.138696520975),
        (2500, 500, 7, 0, 0, 0.9, 1695.3333673682525),
        (2500, 500, 2, 0, 4, 0.9, 1569.5737073246112),
        (20, 8, 5, 1.5, 1, 0.95, 58.93995075548087),
    ],
)
def test_level_of_normal_demand_is_the_textbook_safety_stock_rounded_up(
    *,
    daily_mean: float,
    daily_sd: float,
    lead_time: float,
    lead_time_sd: float,
    review: float,
    service_level: float,
    safety_stock: float,
) -> None:
    days = lead_time + review
    demand = Normal(one(daily_mean * days), one(np.hypot(np.sqrt(days) * daily_sd, daily_mean * lead_time_sd)))

    level = order_up_to_level(demand, service_level)

    assert level.tolist() == [np.ceil(daily_mean * days + safety_stock)]


def test_level_of_certain_demand_is_that_demand() -> None:
    assert order_up_to_level(Totals(np.array([50.0])), 0.99).tolist() == [50]


def test_level_ignores_the_last_bits_of_a_quantile() -> None:
    assert order_up_to_level(Totals(np.array([26 + 4e-15])), 0.95).tolist() == [26]


@steady
@given(st.floats(0.01, 300), st.floats(0.05, 0.999), st.floats(0.05, 0.999))
def test_level_never_falls_when_the_service_level_rises(mean: float, a: float, b: float) -> None:
    demand = Poisson(one(mean))
    low, high = (order_up_to_level(demand, p)[0] for p in sorted((a, b)))

    assert low <= high


@steady
@given(st.floats(0.01, 20), st.floats(0.05, 0.999), st.integers(1, 30), st.integers(1, 30))
def test_level_never_falls_when_the_interval_grows(daily_mean: float, service_level: float, a: int, b: int) -> None:
    short, long = (order_up_to_level(Poisson(one(daily_mean * days)), service_level)[0] for days in sorted((a, b)))

    assert short <= long


def test_level_keeps_the_promised_service_when_demand_is_as_forecast() -> None:
    demand = Poisson(np.full(20_000, 6.5))
    drawn = np.random.default_rng(1).poisson(6.5, 20_000)

    served = (drawn <= order_up_to_level(demand, 0.9)).mean()

    exact = stats.poisson.cdf(10, 6.5)
    assert exact >= 0.9
    assert served == pytest.approx(exact, abs=3 * float(np.sqrt(exact * (1 - exact) / 20_000)))


def test_stock_above_the_level_needs_nothing() -> None:
    assert net_requirement(one(26), one(30)).tolist() == [0]


def test_moq_raises_small_orders_and_leaves_none_at_zero() -> None:
    assert apply_moq(np.array([0.0, 5, 20]), np.array([12.0, 12, 12])).tolist() == [0, 12, 20]


@pytest.mark.parametrize(
    ("ordered", "pack", "expected"), [(13, 6, 18), (12, 6, 12), (0, 6, 0), (2.1, 0.7, 2.1), (0.7, 0.1, 0.7)]
)
def test_orders_are_rounded_up_to_full_packs(ordered: float, pack: float, expected: float) -> None:
    assert round_up_to_pack(one(ordered), one(pack))[0] == pytest.approx(expected, abs=1e-12)


@steady
@given(level=units, position=units, received=units)
def test_a_unit_more_in_stock_is_a_unit_less_needed(level: float, position: float, received: float) -> None:
    before, after = (net_requirement(one(level), one(stock))[0] for stock in (position, position + received))

    assert after == max(0.0, before - received) if before else after == 0


@pytest.mark.parametrize("service_level", [0.0, 1.0, -0.1, float("nan")])
def test_a_service_level_outside_zero_and_one_is_refused(service_level: float) -> None:
    with pytest.raises(ValueError, match="service_level"):
        Policy(service_level, 1)


def test_a_review_period_below_a_day_is_refused() -> None:
    with pytest.raises(ValueError, match="review_period_days"):
        Policy(0.95, 0)


@pytest.mark.parametrize(
    ("order", "position", "max_stock", "moq", "pack", "capped"),
    [
        (18, 0, 15, 0, 6, 12),
        (36, 0, 30, 0, 12, 24),
        (12, 0, 3, 0, 12, 0),  # a pack is more than there is room for
        (24, 5, 20, 20, 5, 0),  # room for 15, below the MOQ
        (24, 0, np.inf, 24, 6, 24),
        (6, 40, 30, 0, 6, 0),
        (0, 0, 30, 24, 6, 0),
        (2.1, 0, 2.1, 0, 0.7, 2.1),
    ],
)
def test_orders_are_cut_to_the_maximum_stock_in_full_packs(
    *, order: float, position: float, max_stock: float, moq: float, pack: float, capped: float
) -> None:
    arguments = (one(value) for value in (order, position, max_stock, moq, pack))

    assert cap_at_max_stock(*arguments)[0] == pytest.approx(capped, abs=1e-12)


@steady
@given(level=units, position=thousandths, max_stock=units, moq=units, pack=packs)
def test_an_order_is_never_cut_further_than_the_maximum_stock_asks(
    level: float, position: float, max_stock: float, moq: float, pack: float
) -> None:
    uncut = round_order(net_requirement(level, position), min_order_quantity=moq, pack_size=pack).order_units
    order = cap_at_max_stock(one(uncut), one(position), one(max_stock), one(moq), one(pack))[0]

    assert order <= uncut
    assert order % pack == 0
    assert order == 0 or moq <= order <= max_stock - position + 0.0005
    one_more = max(order + pack, np.ceil(moq / pack) * pack)
    assert order == uncut or position + one_more > max_stock


def test_a_share_of_waste_outside_zero_and_one_is_refused() -> None:
    with pytest.raises(ValueError, match="max_waste_share"):
        Policy(0.95, 1, max_waste_share=1.5)


@given(mean=st.floats(0.5, 200), service_level=st.floats(0.05, 0.99))
def test_the_level_is_the_cheapest_position_for_the_costs_that_the_service_level_implies(
    mean: float, service_level: float
) -> None:
    demand = Poisson(one(mean))
    level = order_up_to_level(demand, service_level)

    cost, below, above = (cost_of_position(demand, level + more, service_level)[0] for more in (0, -1, 1))
    assert cost <= min(below, above) + 1e-9
