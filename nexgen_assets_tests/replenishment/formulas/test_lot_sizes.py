"""Lot sizes: nothing else that could be ordered is cheaper."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexgen_assets.replenishment.formulas.lot_sizes import (
    eoq,
    eoq_with_all_units_discount,
    eoq_with_backorders,
    eoq_with_incremental_discount,
    joint_replenishment,
    wagner_whitin,
)
from nexgen_assets_tests.replenishment.formulas.oracles import eoq as stockpyl_eoq
from nexgen_assets_tests.replenishment.formulas.oracles import steady
from nexgen_assets_tests.replenishment.formulas.oracles import wagner_whitin as stockpyl_wagner_whitin

money = st.floats(0.5, 500)
rates = st.floats(1, 5000)
plans = st.lists(st.integers(0, 200), min_size=1, max_size=7)


@steady
@given(money, st.floats(0.1, 20), rates, st.floats(0.5, 2))
def test_no_other_quantity_is_cheaper_than_the_eoq(k: float, h: float, d: float, share: float) -> None:
    instance = {"fixed_cost": k, "holding_cost": h, "demand_rate": d}
    best = eoq(**instance)
    other = eoq(**instance, order_quantity=best.order_quantity * share)
    # Snyder & Shen 2e, section 3.2.3: (q + 1 / q) / 2 times as dear at q times the quantity
    assert other.cost == pytest.approx(best.cost * (share + 1 / share) / 2)


@steady
@given(money, st.floats(0.1, 20), st.floats(0.1, 50), rates)
def test_eoq_with_backorders_is_that_of_stockpyl(k: float, h: float, p: float, d: float) -> None:
    found = eoq_with_backorders(fixed_cost=k, holding_cost=h, stockout_cost=p, demand_rate=d)
    q, x, cost = stockpyl_eoq.economic_order_quantity_with_backorders(k, h, p, d)
    assert (found.order_quantity, found.stockout_fraction, found.cost) == pytest.approx((q, x, cost))
    same = eoq_with_backorders(
        fixed_cost=k, holding_cost=h, stockout_cost=p, demand_rate=d, order_quantity=q, stockout_fraction=x
    )
    assert same.cost == pytest.approx(cost)


def test_backorders_that_cost_a_fortune_leave_the_eoq() -> None:
    plain = eoq(fixed_cost=8, holding_cost=0.225, demand_rate=1300)
    waiting = eoq_with_backorders(fixed_cost=8, holding_cost=0.225, stockout_cost=1e9, demand_rate=1300)
    assert (waiting.order_quantity, waiting.stockout_fraction) == pytest.approx((plain.order_quantity, 0), abs=1e-6)


@pytest.mark.parametrize(("k", "d"), [(0, 100), (10, 0)])
def test_free_orders_or_no_demand_need_no_lot(k: float, d: float) -> None:
    assert (eoq(fixed_cost=k, holding_cost=1, demand_rate=d).order_quantity) == 0


discounts = st.tuples(
    st.floats(10, 500),
    st.floats(0.1, 0.5),
    st.floats(100, 5000),
    st.lists(st.integers(1, 1000), min_size=1, max_size=3, unique=True),
    st.lists(st.floats(0.7, 0.99), min_size=3, max_size=3),
)


def priced(drawn: tuple[float, float, float, list[int], list[float]]) -> dict[str, Any]:
    k, rate, d, breaks, falls = drawn
    breakpoints = [0, *sorted(breaks)]
    return {
        "fixed_cost": k,
        "holding_cost_rate": rate,
        "demand_rate": d,
        "breakpoints": breakpoints,
        "unit_costs": (100 * np.cumprod([1, *falls]))[: len(breakpoints)].tolist(),
    }


@steady
@given(discounts)
def test_no_quantity_is_cheaper_under_an_all_units_discount(drawn: Any) -> None:
    i = priced(drawn)
    found = eoq_with_all_units_discount(**i)
    q = np.append(np.linspace(1, 5000, 20_000), i["breakpoints"][1:])
    price = np.array(i["unit_costs"])[np.searchsorted(i["breakpoints"], q, side="right") - 1]
    cost = price * i["demand_rate"] + i["fixed_cost"] * i["demand_rate"] / q + i["holding_cost_rate"] * price * q / 2
    assert found.cost == pytest.approx(cost.min(), rel=1e-5)
    assert found.cost <= cost.min() + 1e-6


@steady
@given(discounts)
def test_no_quantity_is_cheaper_under_an_incremental_discount(drawn: Any) -> None:
    i = priced(drawn)
    found = eoq_with_incremental_discount(**i)
    q = np.linspace(1, 20_000, 40_000)
    bounds = np.append(i["breakpoints"], np.inf)
    within = np.clip(q[:, None] - bounds[:-1], 0, np.diff(bounds))
    paid = within @ np.array(i["unit_costs"])  # for an order of q units
    cost = (i["fixed_cost"] + paid) * i["demand_rate"] / q + i["holding_cost_rate"] * paid / 2
    assert found.cost <= cost.min() + 1e-6
    assert found.cost == pytest.approx(cost.min(), rel=1e-4)


@steady
@given(plans, money, st.floats(0, 5))
def test_no_plan_is_cheaper_than_wagner_whitins(demand: list[int], k: float, h: float) -> None:
    found = wagner_whitin(demand, fixed_cost=k, holding_cost=h)

    def cost(periods_with_orders: tuple[bool, ...]) -> float:
        total, last = 0.0, None
        for t, is_order in enumerate(periods_with_orders):
            if is_order:
                last, total = t, total + k
            if demand[t]:
                total += np.inf if last is None else h * (t - last) * demand[t]
        return total

    assert found.cost == pytest.approx(min(map(cost, itertools.product([False, True], repeat=len(demand)))))
    assert sum(found.order_quantities) == sum(demand)
    assert all(np.cumsum(found.order_quantities) >= np.cumsum(demand))


@steady
@given(plans, st.lists(money, min_size=7, max_size=7), st.floats(0, 5), st.lists(money, min_size=7, max_size=7))
def test_wagner_whitin_with_costs_of_each_period_is_that_of_stockpyl(
    demand: list[int], fixed: list[float], h: float, purchase: list[float]
) -> None:
    n = len(demand)
    found = wagner_whitin(demand, fixed_cost=fixed[:n], holding_cost=h, purchase_cost=purchase[:n])
    _, cost, *_ = stockpyl_wagner_whitin.wagner_whitin(
        n, [0, *[h] * n], [0, *fixed[:n]], [0, *demand], [0, *purchase[:n]]
    )
    assert found.cost == pytest.approx(cost)


def test_holding_is_paid_for_each_period_a_unit_waits() -> None:
    # 10 units of period 3, ordered in period 1, wait in periods 1 and 2
    found = wagner_whitin([5, 0, 10], fixed_cost=[1, 1000, 1000], holding_cost=[2, 3, 7])
    assert found.cost == 1 + 10 * (2 + 3)


@steady
@given(st.floats(0, 1000), st.lists(st.tuples(money, money, st.floats(0.5, 100)), min_size=1, max_size=5))
def test_joint_orders_are_those_of_stockpyl(shared: float, products: list[tuple[float, float, float]]) -> None:
    k, h, d = (list(values) for values in zip(*products, strict=True))
    found = joint_replenishment(shared_fixed_cost=shared, individual_fixed_costs=k, holding_costs=h, demand_rates=d)
    quantities, cycle, multiples, cost = stockpyl_eoq.joint_replenishment_problem_silver_heuristic(shared, k, h, d)
    assert found.order_multiples == multiples
    assert found.order_quantities == pytest.approx(quantities)
    assert (found.base_cycle_time, found.cost) == pytest.approx((cycle, cost))


@pytest.mark.parametrize(
    ("refused", "reason"),
    [
        (lambda: eoq(fixed_cost=-1, holding_cost=1, demand_rate=1), "fixed_cost must not be negative"),
        (lambda: eoq(fixed_cost=1, holding_cost=0, demand_rate=1), "holding_cost must be greater than 0"),
        (lambda: eoq(fixed_cost=1, holding_cost=1, demand_rate=1, order_quantity=0), "order_quantity must be greater"),
        (
            lambda: eoq_with_backorders(fixed_cost=1, holding_cost=1, stockout_cost=1, demand_rate=1, order_quantity=3),
            "both order_quantity and stockout_fraction",
        ),
        (
            lambda: eoq_with_all_units_discount(
                fixed_cost=1, holding_cost_rate=1, demand_rate=1, breakpoints=[5], unit_costs=[1]
            ),
            "start with 0",
        ),
        (
            lambda: eoq_with_incremental_discount(
                fixed_cost=1, holding_cost_rate=1, demand_rate=1, breakpoints=[0, 5], unit_costs=[1, 2]
            ),
            "unit_costs must not",
        ),
        (lambda: wagner_whitin([1, -1], fixed_cost=1, holding_cost=1), "demand must not be negative"),
        (lambda: wagner_whitin([1, 1], fixed_cost=[1], holding_cost=1), "one for each of the 2 periods"),
        (
            lambda: joint_replenishment(
                shared_fixed_cost=0, individual_fixed_costs=[0], holding_costs=[1], demand_rates=[1]
            ),
            "cost_of_the_most_frequent_order",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(refused: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        refused()
