"""(r, Q) and (s, S) policies: enumeration, stockpyl and simulation agree on costs, and nothing is cheaper."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, stats

from nexgen_assets.replenishment.formulas.distributions import Discrete, NegativeBinomial, Normal, Poisson
from nexgen_assets.replenishment.formulas.lot_sizes import eoq_with_backorders
from nexgen_assets.replenishment.formulas.r_q import (
    ContinuousReview,
    r_q_cost,
    r_q_cost_poisson,
    r_q_eoq_plus_safety_stock,
    r_q_eoq_with_backorders,
    r_q_expected_inventory_level,
    r_q_loss_function,
    r_q_optimal,
    r_q_optimal_poisson,
)
from nexgen_assets.replenishment.formulas.s_s import s_s_cost, s_s_optimal, s_s_power_approximation
from nexgen_assets_tests.replenishment.formulas.oracles import rq, ss, steady

few = settings(steady, max_examples=25)
costs = st.tuples(st.floats(0.1, 5), st.floats(1, 100), st.floats(1, 300))  # h, p, K


def reviewed(demand: Normal | Poisson, lead_time: float, hpk: tuple[float, float, float]) -> ContinuousReview:
    return ContinuousReview(demand, lead_time, *hpk)


BOOK = reviewed(Normal(1300, 150), 1 / 12, (0.225, 7.5, 8))


@few
@given(st.floats(-50, 400), st.floats(10, 900))
def test_cost_of_r_and_q_is_the_integral_of_the_newsvendor(r: float, q: float) -> None:
    demand = stats.norm(1300 / 12, 150 / np.sqrt(12))

    def rate(y: float) -> float:
        short = demand.std() * (stats.norm.pdf(z := (y - demand.mean()) / demand.std()) - z * stats.norm.sf(z))
        return 0.225 * (y - demand.mean() + short) + 7.5 * short

    total = integrate.quad(rate, r, r + q, limit=200)[0]
    assert r_q_cost(r, q, BOOK) == pytest.approx((8 * 1300 + total) / q, rel=1e-6)


def test_cost_of_r_and_q_is_what_a_long_simulated_run_costs() -> None:
    # demand of a day as good as continuous: many small customers
    r, q, days_a_year = 126.8, 328.5, 2000
    rng = np.random.default_rng(3)
    years = 200
    demand = rng.normal(1300 / days_a_year, 150 / np.sqrt(days_a_year), years * days_a_year)
    total = np.cumsum(demand)
    # net stock = position of a lead time ago - demand since; the position stays within r .. r + Q
    position = r + q - np.mod(total, q)
    lag = round(days_a_year / 12)
    net = position[:-lag] - (total[lag:] - total[:-lag])
    cost = 0.225 * np.maximum(net, 0).mean() + 7.5 * np.maximum(-net, 0).mean() + 8 * 1300 / q
    assert r_q_cost(r, q, BOOK) == pytest.approx(cost, rel=0.02)


@few
@given(costs, st.floats(5, 2000), st.floats(0, 0.6), st.floats(0.02, 2))
def test_no_r_and_q_are_cheaper(hpk: tuple[float, float, float], mean: float, variation: float, lead: float) -> None:
    given_ = reviewed(Normal(mean, variation * mean), lead, hpk)
    best = r_q_optimal(given_)
    assert best.cost == pytest.approx(r_q_cost(best.reorder_point, best.order_quantity, given_))
    found = optimize.minimize(
        lambda x: r_q_cost(x[0], float(np.exp(x[1])), given_),
        [best.reorder_point * 1.02 + 1, np.log(best.order_quantity * 0.9)],
        method="Nelder-Mead",
        options={"xatol": 1e-6, "fatol": 1e-9},
    )
    assert best.cost <= found.fun * (1 + 1e-9)
    for heuristic in (r_q_eoq_with_backorders, r_q_eoq_plus_safety_stock, r_q_loss_function):
        assert heuristic(given_).cost >= best.cost * (1 - 1e-9)


@pytest.mark.parametrize(
    ("function", "of_stockpyl"),
    [
        (r_q_eoq_with_backorders, rq.r_q_eoqb_approximation),
        (r_q_eoq_plus_safety_stock, rq.r_q_eoqss_approximation),
        (r_q_expected_inventory_level, rq.r_q_eil_approximation),
        (r_q_loss_function, rq.r_q_loss_function_approximation),
    ],
)
@pytest.mark.parametrize("hpk", [(0.225, 7.5, 8), (2.0, 30.0, 50), (0.5, 60.0, 5)])
@pytest.mark.parametrize("demand", [(1300, 150, 1 / 12), (400, 90, 0.5)])
def test_approximations_are_those_of_stockpyl(
    function: Any, of_stockpyl: Any, hpk: tuple[float, float, float], demand: tuple[float, float, float]
) -> None:
    mean, sd, lead = demand
    found = function(reviewed(Normal(mean, sd), lead, hpk))
    r, q, *_ = of_stockpyl(*hpk, *demand)
    assert (found.reorder_point, found.order_quantity) == pytest.approx((r, q), rel=1e-4)


def test_without_uncertainty_the_best_policy_is_the_eoq_with_backorders() -> None:
    certain = replace(BOOK, demand=Normal(1300, 0))
    lot = eoq_with_backorders(fixed_cost=8, holding_cost=0.225, stockout_cost=7.5, demand_rate=1300)
    for policy in (r_q_optimal(certain), r_q_loss_function(certain)):
        assert (policy.order_quantity, policy.cost) == pytest.approx((lot.order_quantity, lot.cost), rel=1e-6)


@few
@given(costs, st.floats(0.1, 10), st.floats(0.05, 5))
def test_no_whole_r_and_q_are_cheaper_for_poisson_demand(
    hpk: tuple[float, float, float], mean: float, lead: float
) -> None:
    given_ = reviewed(Poisson(mean), lead, hpk)
    best = r_q_optimal_poisson(given_)
    assert best.cost == pytest.approx(r_q_cost_poisson(best.reorder_point, best.order_quantity, given_))
    assert best.cost == pytest.approx(rq.r_q_cost_poisson(best.reorder_point, best.order_quantity, *hpk, mean, lead))
    for r in range(int(best.reorder_point) - 4, int(best.reorder_point) + 5):
        for q in range(max(1, int(best.order_quantity) - 4), int(best.order_quantity) + 5):
            assert best.cost <= r_q_cost_poisson(r, q, given_) + 1e-9


@settings(steady, max_examples=8)
@given(st.tuples(st.floats(0.1, 5), st.floats(1, 100), st.floats(1, 60)), st.floats(0.3, 8))
def test_best_s_and_s_of_poisson_demand_are_those_of_stockpyl(hpk: tuple[float, float, float], mean: float) -> None:
    h, p, k = hpk
    found = s_s_optimal(Poisson(mean), holding_cost=h, stockout_cost=p, fixed_cost=k)
    assert found.cost == pytest.approx(ss.s_s_discrete_exact(h, p, k, True, mean)[2])


@pytest.mark.parametrize("lead_time", [0, 2])
@pytest.mark.parametrize(
    "demand",
    [Poisson(1.5), NegativeBinomial(1.5, 4.0), Discrete({0: 0.5, 2: 0.3, 5: 0.2}), Discrete({3: 1.0})],
    ids=lambda d: type(d).__name__,
)
def test_no_other_s_and_s_are_cheaper(demand: Any, lead_time: int) -> None:
    money = {"holding_cost": 1.0, "stockout_cost": 6.0, "fixed_cost": 12.0}
    best = s_s_optimal(demand, **money, lead_time=lead_time)
    every = {
        (s, level): s_s_cost(demand, s, level, **money, lead_time=lead_time)
        for s in range(-3, 12)
        for level in range(s + 1, 24)
    }
    assert best.cost == pytest.approx(min(every.values()))
    assert best.cost == pytest.approx(every[int(best.reorder_point), int(best.order_up_to_level)])


@pytest.mark.parametrize("lead_time", [0, 3])
def test_cost_of_s_and_s_is_what_a_long_simulated_run_costs(lead_time: int) -> None:
    money = {"holding_cost": 1.0, "stockout_cost": 9.0, "fixed_cost": 20.0}
    s, level, periods = 10, 24, 200_000
    demand = np.random.default_rng(4).poisson(3.0, periods)
    position, ordered = np.empty(periods), np.zeros(periods)
    now = level
    for t in range(periods):
        if now <= s:
            ordered[t], now = 1, level
        position[t] = now
        now -= demand[t]
    total = np.append(0, np.cumsum(demand))
    # position after the review of t, less the demand of t .. t + L, is net stock at the end of t + L
    net = position[: periods - lead_time] - (total[lead_time + 1 :] - total[: periods - lead_time])
    cost = np.maximum(net, 0).mean() + 9 * np.maximum(-net, 0).mean() + 20 * ordered.mean()
    assert s_s_cost(Poisson(3.0), s, level, **money, lead_time=lead_time) == pytest.approx(cost, rel=0.02)


def test_free_orders_make_a_base_stock_of_it() -> None:
    best = s_s_optimal(Poisson(6.0), holding_cost=1, stockout_cost=4, fixed_cost=0)
    assert (best.reorder_point, best.order_up_to_level) == (7, 8)


@few
@given(st.floats(0.1, 5), st.floats(1, 100), st.floats(1, 300), st.floats(1, 100), st.floats(0.5, 30))
def test_power_approximation_without_lead_time_is_that_of_stockpyl(
    h: float, p: float, k: float, mean: float, sd: float
) -> None:
    found = s_s_power_approximation(holding_cost=h, stockout_cost=p, fixed_cost=k, demand_mean=mean, demand_sd=sd)
    s, level = ss.s_s_power_approximation(h, p, k, mean, sd)
    assert (found.reorder_point, found.order_up_to_level) == pytest.approx((s, level), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("mean", "lead_time"), [(10.0, 0), (10.0, 4), (30.0, 2)])
def test_power_approximation_is_close_to_the_best(mean: float, lead_time: int) -> None:
    money = {"holding_cost": 1.0, "stockout_cost": 9.0, "fixed_cost": 64.0}
    best = s_s_optimal(Poisson(mean), **money, lead_time=lead_time)
    found = s_s_power_approximation(**money, demand_mean=mean, demand_sd=mean**0.5, lead_time=lead_time)
    levels = round(found.reorder_point), round(found.order_up_to_level)
    assert s_s_cost(Poisson(mean), *levels, **money, lead_time=lead_time) == pytest.approx(best.cost, rel=0.05)


@pytest.mark.parametrize(
    ("refused", "reason"),
    [
        (lambda: reviewed(Normal(0, 1), 1, (1, 1, 1)), "demand_mean must be greater than 0"),
        (lambda: reviewed(Normal(1, 1), -1, (1, 1, 1)), "lead_time must not be negative"),
        (lambda: reviewed(Normal(1, 1), 1, (0, 1, 1)), "holding_cost must be greater than 0"),
        (lambda: r_q_cost(1, 0, BOOK), "order_quantity must be greater than 0"),
        (lambda: r_q_cost(1, 1, reviewed(Poisson(1), 1, (1, 1, 1))), "for normal demand"),
        (lambda: r_q_cost_poisson(1, 1, BOOK), "for Poisson demand"),
        (lambda: r_q_cost_poisson(1.5, 1, reviewed(Poisson(1), 1, (1, 1, 1))), "reorder_point must be a whole number"),
        (lambda: r_q_expected_inventory_level(replace(BOOK, stockout_cost=0.01)), "stockout_cost 0.01 is too low"),
        (
            lambda: s_s_cost(Poisson(1), 5, 5, holding_cost=1, stockout_cost=1, fixed_cost=1),
            "reorder_point 5 must lie below",
        ),
        (lambda: s_s_optimal(Poisson(0), holding_cost=1, stockout_cost=1, fixed_cost=1), "nothing to order"),
        (lambda: s_s_optimal(Normal(5, 1), holding_cost=1, stockout_cost=1, fixed_cost=1), "whole units"),
        (
            lambda: s_s_power_approximation(holding_cost=1, stockout_cost=1, fixed_cost=1, demand_mean=0, demand_sd=1),
            "demand_mean must be greater than 0",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(refused: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        refused()
