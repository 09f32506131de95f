"""Supplier minimums and budgets: against every possibility tried, and against the theory's own allocation."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nexgen_assets.replenishment.formulas import budget as theory
from nexgen_assets.replenishment.formulas.distributions import Poisson as PoissonDemand
from nexgen_assets.replenishment.shared_limits import (
    MOST_COVER_DAYS,
    Lines,
    Losses,
    cut_to_budget,
    raised_to_supplier_minimum,
)
from nexgen_assets_tests.replenishment.distributions import Floats, Poisson

Integers = NDArray[np.int64]


def lines_of(n: int, **given: Any) -> Lines:
    """Lines of one supplier without a minimum: 10 units of 2 money each, one unit a day, nothing in stock."""
    usual = {
        "order_units": 10.0,
        "inventory_position": 0.0,
        "daily_demand": 1.0,
        "pack_size": 1.0,
        "min_order_quantity": 1.0,
        "unit_cost": 2.0,
        "supplier": 0,
        "min_order_value": np.nan,
        "is_open": True,
    }
    return Lines(**{name: np.array(np.broadcast_to(given.get(name, value), n)) for name, value in usual.items()})


def no_limit(which: Integers) -> Floats:
    return np.full(len(which), np.inf)


def value(lines: Lines, units: Floats) -> float:
    return float(np.nansum(units * lines.unit_cost))


# ---- the supplier's minimum


def test_an_order_worth_enough_stays_as_it_is() -> None:
    raised = raised_to_supplier_minimum(lines_of(3, min_order_value=60.0), no_limit)

    assert raised.units.tolist() == [0, 0, 0]
    assert not raised.is_blocked.any()


def test_what_lasts_shortest_is_raised_first() -> None:
    # 10 units each are worth 40; a minimum of 60 wants 10 more: the fast one lasts 2 days, the slow one 10
    lines = lines_of(2, daily_demand=[5.0, 1.0], min_order_value=60.0)

    assert raised_to_supplier_minimum(lines, no_limit).units.tolist() == [10, 0]


def test_lines_without_an_order_are_ordered_ahead() -> None:
    lines = lines_of(2, order_units=[10.0, 0.0], inventory_position=[0.0, 3.0], min_order_value=40.0)

    raised = raised_to_supplier_minimum(lines, no_limit)

    # 12 days for both: 12 and 3 + 9 would be 21 units; 11.5 days suffice for 11 + 8, one short; so 12
    assert (raised.units + lines.order_units).tolist() == [12, 9]


def test_nothing_ordered_is_raised_to_nothing() -> None:
    raised = raised_to_supplier_minimum(lines_of(2, order_units=0.0, min_order_value=40.0), no_limit)

    assert raised.units.tolist() == [0, 0]
    assert not raised.is_blocked.any()


def test_a_minimum_out_of_reach_blocks_the_suppliers_lines_and_no_others() -> None:
    lines = lines_of(3, supplier=[0, 0, 1], order_units=[10.0, 0.0, 10.0], min_order_value=[1e6, 1e6, 20.0])

    raised = raised_to_supplier_minimum(lines, no_limit)

    assert raised.units.tolist() == [-10, 0, 0]
    assert raised.is_blocked.tolist() == [True, False, False]


def test_lines_that_are_full_blocked_or_of_unknown_cost_are_not_raised() -> None:
    lines = lines_of(4, unit_cost=[2.0, 2.0, np.nan, 2.0], is_open=[True, False, True, True], min_order_value=70.0)

    raised = raised_to_supplier_minimum(lines, lambda which: np.where(which == 0, 12.0, np.inf))

    assert raised.units.tolist() == [2, 0, 0, 3]


def test_lines_without_a_supplier_share_no_minimum() -> None:
    lines = lines_of(2, supplier=-1, min_order_value=1e6)

    assert raised_to_supplier_minimum(lines, no_limit).units.tolist() == [0, 0]


@st.composite
def a_supplier(draw: st.DrawFn) -> Lines:
    n = draw(st.integers(1, 5))

    def some(of: st.SearchStrategy[float]) -> list[float]:
        return draw(st.lists(of, min_size=n, max_size=n))

    pack, moq = np.array(some(st.sampled_from([1.0, 6.0, 0.5]))), np.array(some(st.sampled_from([0.0, 1.0, 12.0])))
    packs = np.array(some(st.integers(0, 8).map(float)))
    order = packs * pack
    return lines_of(
        n,
        order_units=np.where(order >= moq, order, 0.0),
        pack_size=pack,
        min_order_quantity=moq,
        inventory_position=some(st.integers(0, 30).map(float)),
        daily_demand=some(st.sampled_from([0.0, 0.2, 1.0, 7.0])),
        unit_cost=some(st.sampled_from([0.5, 2.0, 10.0, np.nan])),
        min_order_value=draw(st.sampled_from([5.0, 50.0, 500.0])),
    )


@given(lines=a_supplier(), most=st.sampled_from([20.0, 100.0, np.inf]))
def test_no_supplier_minimum_is_broken_silently(lines: Lines, most: float) -> None:
    raised = raised_to_supplier_minimum(lines, lambda which: np.full(len(which), most))
    order = lines.order_units + raised.units

    assert np.all(order % lines.pack_size == 0)
    assert np.all((order == 0) | (order >= lines.min_order_quantity))
    assert np.all((raised.units <= 0) | (lines.inventory_position + order <= most))
    assert np.all((raised.units <= 0) | (lines.inventory_position + order <= lines.daily_demand * MOST_COVER_DAYS))
    assert value(lines, order) >= lines.min_order_value[0] or not order.any()
    assert np.array_equal(raised.is_blocked, (order == 0) & (lines.order_units > 0))


@given(lines=a_supplier())
def test_a_supplier_gets_no_pack_more_than_reaches_its_minimum(lines: Lines) -> None:
    raised = raised_to_supplier_minimum(lines, no_limit)
    rate = np.maximum(lines.daily_demand, 1e-9)

    # without its last packs, those that last longest, the order would be worth too little
    grown = raised.units > 0
    if not grown.any() or raised.is_blocked.any():
        return
    order = lines.order_units + raised.units
    cover = np.where(grown, (lines.inventory_position + order) / rate, -np.inf)
    last = grown & (cover >= cover.max() - 1e-6)
    smallest = np.ceil(np.maximum(lines.min_order_quantity, lines.pack_size) / lines.pack_size) * lines.pack_size
    less = np.where(last, np.where(order > smallest, order - lines.pack_size, 0.0), order)
    assert value(lines, np.maximum(less, lines.order_units)) < lines.min_order_value[0]


# ---- the budget


def losses_of(lines: Lines, days: int = 10) -> Losses:
    def losses(which: Integers, positions: Floats) -> Floats:
        demand = Poisson(lines.daily_demand[which] * days)
        return np.stack([demand.expected_shortage(units) for units in positions])

    return losses


MARGIN = np.array([1.0, 1.0, 1.0, 1.0])


def test_a_budget_that_pays_for_everything_cuts_nothing() -> None:
    lines = lines_of(2)

    spent = cut_to_budget(lines, 40.0, MARGIN[:2], losses_of(lines))

    assert spent.units.tolist() == [0, 0]


def test_no_budget_buys_nothing() -> None:
    lines = lines_of(2)

    spent = cut_to_budget(lines, 0.0, MARGIN[:2], losses_of(lines))

    assert (lines.order_units + spent.units).tolist() == [0, 0]
    assert np.isnan(spent.value_of_last_money)


def test_lines_of_unknown_cost_are_blocked_by_a_budget() -> None:
    lines = lines_of(2, unit_cost=[np.nan, 2.0])

    spent = cut_to_budget(lines, 1e6, MARGIN[:2], losses_of(lines))

    assert (lines.order_units + spent.units).tolist() == [0, 10]
    assert spent.is_blocked.tolist() == [True, False]


def test_a_supplier_left_below_its_minimum_gets_nothing_and_says_so() -> None:
    lines = lines_of(2, supplier=[0, 1], min_order_value=20.0)

    spent = cut_to_budget(lines, 25.0, MARGIN[:2], losses_of(lines))

    order = lines.order_units + spent.units
    assert value(lines, order) <= 25
    assert all(units == 0 or units * 2 >= 20 for units in order)
    assert np.array_equal(spent.is_blocked, order == 0)


@given(
    n=st.integers(1, 4),
    seed=st.integers(0, 10_000),
    share=st.floats(0, 1.1),
)
def test_a_budget_buys_what_the_theory_would(n: int, seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    pack, cost = rng.choice([1.0, 2.0, 6.0], n), rng.choice([0.5, 1.25, 3.0], n)
    lines = lines_of(
        n,
        pack_size=pack,
        order_units=rng.integers(1, 9, n) * pack,
        unit_cost=cost,
        daily_demand=rng.uniform(0.3, 4, n),
        inventory_position=rng.integers(0, 6, n).astype(np.float64),
        min_order_quantity=np.zeros(n),
        supplier=np.arange(n),
    )
    margin = rng.uniform(0.2, 3, n)
    budget = share * value(lines, lines.order_units)
    demanded = [
        theory.BudgetLine(
            f"{i}",
            PoissonDemand(lines.daily_demand[i] * 10),
            lines.inventory_position[i],
            cost[i],
            margin[i],
            0.0,
            pack[i],
            0.0,
            lines.order_units[i],
        )
        for i in range(n)
    ]

    spent = cut_to_budget(lines, budget, margin, losses_of(lines))

    order = lines.order_units + spent.units
    bought = theory.allocate_budget(demanded, budget)
    gained = sum(line.expected_gain(units) for line, units in zip(demanded, order, strict=True))
    assert value(lines, order) <= budget * (1 + 1e-9) + 1e-9
    assert gained == pytest.approx(bought.expected_gain, rel=1e-6, abs=1e-6)


def test_of_orders_of_many_packs_the_budget_buys_lots_that_keep_the_minimum_order() -> None:
    lines = lines_of(2, order_units=1000.0, min_order_quantity=[300.0, 1.0], daily_demand=100.0)

    spent = cut_to_budget(lines, 1500.0, MARGIN[:2], losses_of(lines))

    order = lines.order_units + spent.units
    assert 1300 <= value(lines, order) <= 1500
    assert all(units == 0 or units >= moq for units, moq in zip(order, lines.min_order_quantity, strict=True))


def test_the_value_of_the_last_money_falls_with_the_budget() -> None:
    lines = lines_of(4, daily_demand=[0.5, 1.0, 1.5, 2.0])

    values = [cut_to_budget(lines, budget, MARGIN, losses_of(lines)).value_of_last_money for budget in (10, 30, 60, 80)]

    assert values == sorted(values, reverse=True)
    assert len(set(values)) == 4


def test_the_order_of_the_lines_decides_only_between_equals() -> None:
    lines = lines_of(4, daily_demand=[0.5, 1.0, 1.5, 2.0])
    turned = replace(lines, daily_demand=lines.daily_demand[::-1].copy())

    there, back = (cut_to_budget(of, 31.0, MARGIN, losses_of(of)).units for of in (lines, turned))

    assert there.tolist() == back[::-1].tolist()
