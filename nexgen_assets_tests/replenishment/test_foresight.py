"""Perfect foresight: a bound that every plan of orders and every rule respects, and that the best plan reaches."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexgen_assets.replenishment.deliveries import drawn_lead_times
from nexgen_assets.replenishment.foresight import perfect_foresight
from nexgen_assets.replenishment.lead_times import lead_times
from nexgen_assets.replenishment.order_rules import BaseStock, PlannedOrders
from nexgen_assets.replenishment.simulation import OrderRule, Scenario, scenario, simulate
from nexgen_assets_tests.replenishment.scenarios import rules, scenarios

# a busy machine is no failure


def test_a_delivery_brings_what_is_demanded_until_the_next_one() -> None:
    # reviews on days 0, 3 and 6: deliveries on days 2, 5 and 8
    world = scenario([[3, 1, 4, 1, 5, 9, 2, 6, 5, 3]], 1, 5, review_period_days=3)

    trace = perfect_foresight(world, [0]).trace

    assert trace.ordered.tolist() == [[9, 0, 0, 17, 0, 0, 8, 0, 0, 0]]
    assert trace.on_hand.tolist() == [[2, 1, 6, 5, 0, 8, 6, 0, 3, 0]]
    assert trace.lost.sum() == 0


def test_of_two_orders_that_arrive_together_the_later_is_placed() -> None:
    world = scenario([[0, 0, 0, 7]], [[2, 1, 0, 0]], 0)

    assert perfect_foresight(world, [0]).trace.ordered.tolist() == [[0, 0, 7, 0]]


def test_demand_before_the_first_delivery_is_lost_and_not_ordered() -> None:
    world = scenario([[3, 4, 5, 6]], 1, 1, first_review_day=1)

    trace = perfect_foresight(world, [0]).trace

    assert trace.lost.tolist() == [[2, 4, 5, 0]]
    assert trace.ordered.tolist() == [[0, 6, 0, 0]]


def test_stock_that_will_expire_is_replaced_in_time() -> None:
    # one delivery on day 1, of goods that last 2 days; the 9 units in stock are wasted after day 1
    world = scenario([[1, 1, 5, 5]], 0, 9, initial_life_days=2, shelf_life_days=2, review_period_days=9)

    trace = perfect_foresight(world, [0]).trace

    assert trace.ordered.tolist() == [[5, 0, 0, 0]]  # day 3 is beyond the life of what arrives on day 1
    assert trace.waste.tolist() == [[0, 7, 0, 0]]
    assert trace.lost.tolist() == [[0, 0, 0, 5]]


def assert_is_a_bound(world: Scenario, rule: OrderRule) -> int:
    """How many series the rule served in full, none of them with less stock on any day."""
    trace = simulate(world, rule, traced_series=range(world.series)).trace
    bound = perfect_foresight(world, range(world.series)).trace
    is_served = (trace.lost == 0).all(axis=1)

    assert np.all(bound.lost[is_served] == 0)
    assert np.all(bound.on_hand[is_served] <= trace.on_hand[is_served] + 1e-9)
    return int(is_served.sum())


@given(scenarios(expires=False), rules(), st.integers(0, 60))
def test_no_rule_serves_all_with_less_stock(world: Scenario, rule: OrderRule, more: int) -> None:
    assert_is_a_bound(replace(world, initial_on_hand=world.initial_on_hand + more), rule)


@given(scenarios(constrained=False), rules(), st.integers(0, 60))
def test_no_rule_serves_all_with_less_stock_of_perishables_sold_singly(
    world: Scenario, rule: OrderRule, more: int
) -> None:
    singly = replace(
        world,
        initial_on_hand=world.initial_on_hand + more,
        initial_life_days=np.minimum(world.initial_life_days, world.shelf_life_days),
        pack_size=np.ones(world.series),
    )

    assert_is_a_bound(singly, rule)


def test_rules_that_serve_all_do_need_more_stock() -> None:
    demand = np.random.default_rng(8).poisson(3, (200, 60))
    deliveries = lead_times([{2: 0.8, 3: 0.15, 5: 0.05}] * 200)
    world = scenario(
        demand,
        drawn_lead_times(deliveries, [str(k) for k in range(200)], 60, seed=1),
        30,
        pack_size=np.resize([1.0, 6, 12], 200),
        review_period_days=np.resize([1, 2], 200),
    )

    served = [assert_is_a_bound(world, BaseStock(np.full((1, 1), level))) for level in (20.0, 30.0, 40.0)]

    assert served[0] < served[1] < served[2]
    assert served[2] > 150


@settings(max_examples=300)
@given(st.data())
def test_it_is_the_best_of_all_plans(data: st.DataObject) -> None:
    days = 5
    life = data.draw(st.sampled_from([2, 3, np.inf]))
    world = scenario(
        [data.draw(st.lists(st.integers(0, 2), min_size=days, max_size=days))],
        [data.draw(st.lists(st.integers(0, 2), min_size=days, max_size=days))],
        data.draw(st.integers(0, 5)),
        review_period_days=data.draw(st.integers(1, 2)),
        pack_size=data.draw(st.integers(1, 4)),
        shelf_life_days=life,
        initial_life_days=min(life, data.draw(st.integers(1, 4))),
    )
    # up to four days of two units between two deliveries
    packs = [range(9) if world.is_review(day)[0] and day < days - 1 else (0,) for day in range(days)]
    plans = np.array(list(itertools.product(*packs))) * world.pack_size

    each_plan = world.rows(np.zeros(len(plans), np.int64))
    tried = simulate(each_plan, PlannedOrders(plans)).totals
    best = perfect_foresight(world).totals

    assert best.lost.item() == tried.lost.min()
    assert best.average_on_hand.item() == tried.average_on_hand[tried.lost == tried.lost.min()].min()


def test_stock_that_outlives_deliveries_is_refused() -> None:
    with pytest.raises(ValueError, match="initial_life_days of at most shelf_life_days"):
        perfect_foresight(scenario([[1]], 0, 1, initial_life_days=3, shelf_life_days=2))


def test_moq_and_maximum_stock_are_waived_so_that_it_stays_a_bound() -> None:
    # with an MOQ of 10, one order of 11 serves all, while 10 and then 10 more would leave more in stock
    world = scenario([[0, 10, 1, 0, 0, 0]], 0, 0, min_order_quantity=10, max_stock=15)

    assert assert_is_a_bound(world, PlannedOrders(np.array([[11.0, 0, 0, 0, 0, 0]]))) == 1
    assert perfect_foresight(world, [0]).trace.ordered.tolist() == [[10, 1, 0, 0, 0, 0]]
    assert perfect_foresight(replace(world, max_stock=np.array([4.0]))).totals.lost.item() == 0
