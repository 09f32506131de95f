"""The newsvendor: no other level is cheaper, and stockpyl and simulation agree on what it costs."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexgen_assets.replenishment.formulas.disruptions import newsvendor_with_disruptions
from nexgen_assets.replenishment.formulas.distributions import Discrete, Gamma, Lognormal, Normal, Poisson
from nexgen_assets.replenishment.formulas.newsvendor import (
    critical_ratio,
    newsvendor,
    newsvendor_cost,
    newsvendor_profit,
)
from nexgen_assets.replenishment.formulas.perishables import (
    batch_waste,
    estimated_outdating,
    largest_batch_for_waste,
    newsvendor_perishable,
)
from nexgen_assets_tests.replenishment.formulas.oracles import newsvendor as stockpyl_newsvendor
from nexgen_assets_tests.replenishment.formulas.oracles import steady

costs = st.floats(0.1, 50)
lead_times = st.integers(0, 6)


@steady
@given(costs, costs, st.floats(1, 500), st.floats(0.5, 60), lead_times)
def test_normal_newsvendor_is_that_of_stockpyl(h: float, p: float, mean: float, sd: float, lead_time: int) -> None:
    found = newsvendor(Normal(mean, sd), holding_cost=h, stockout_cost=p, lead_time=lead_time)
    level, cost = stockpyl_newsvendor.newsvendor_normal(h, p, mean, sd, lead_time)
    assert (found.base_stock_level, found.cost) == pytest.approx((level, cost), rel=1e-7)


@steady
@given(costs, costs, st.floats(0.05, 40), lead_times)
def test_no_level_of_poisson_demand_is_cheaper(h: float, p: float, mean: float, lead_time: int) -> None:
    found = newsvendor(Poisson(mean), holding_cost=h, stockout_cost=p, lead_time=lead_time)

    total = Poisson(mean).over(lead_time + 1)
    every = newsvendor_cost(total, np.arange(500.0), holding_cost=h, stockout_cost=p)
    assert found.cost == pytest.approx(every.min())
    assert found.cost == pytest.approx(every[int(found.base_stock_level)])


def test_of_equally_cheap_levels_the_smallest_is_taken() -> None:
    found = newsvendor(Discrete({0: 0.75, 4: 0.125, 8: 0.125}), holding_cost=1, stockout_cost=3)
    same = newsvendor(Discrete({0: 0.75, 4: 0.125, 8: 0.125}), holding_cost=1, stockout_cost=3, base_stock_level=4)
    assert (found.base_stock_level, found.cost) == (0, pytest.approx(same.cost))


@pytest.mark.parametrize("demand", [Normal(50.0, 8.0), Gamma(4.0, 12.0), Lognormal(3.5, 0.6)], ids=repr)
def test_profit_is_what_many_seasons_earn_and_no_other_order_earns_more(demand: Any) -> None:
    money = {"revenue": 10.0, "purchase_cost": 6.0, "salvage_value": 2.0, "holding_cost": 0.5, "stockout_cost": 1.0}
    found = newsvendor_profit(demand, **money)

    drawn = demand.quantile((np.arange(200_000) + 0.5) / 200_000)  # demand, stratified
    q = found.order_quantity
    sold, left = np.minimum(drawn, q), np.maximum(q - drawn, 0)
    earned = 10 * sold - 6 * q + (2 - 0.5) * left - np.maximum(drawn - q, 0)
    assert found.profit == pytest.approx(earned.mean(), rel=1e-4)
    others = [newsvendor_profit(demand, **money, order_quantity=q * share).profit for share in (0.9, 0.99, 1.01, 1.1)]
    assert found.profit > max(others)


def test_arrays_of_costs_give_arrays_of_levels() -> None:
    found = newsvendor(Poisson(6.0), holding_cost=np.array([1.0, 1.0]), stockout_cost=np.array([4.0, 9.0]))
    assert found.base_stock_level.tolist() == [8, 9]


@steady
@given(st.floats(0.5, 40), st.integers(0, 60))
def test_waste_and_sales_make_up_the_batch(mean: float, batch: int) -> None:
    found = batch_waste(Poisson(mean), batch)
    drawn = np.random.default_rng(0).poisson(mean, 200_000)
    assert found.expected_waste + found.expected_sales == pytest.approx(batch)
    assert found.expected_waste == pytest.approx(np.maximum(batch - drawn, 0).mean(), abs=0.1)
    assert found.probability_of_waste == pytest.approx((drawn < batch).mean(), abs=0.01)


@steady
@given(st.floats(0.1, 60), st.floats(0.01, 0.9))
def test_the_largest_batch_for_a_waste_is_the_largest(mean: float, share: float) -> None:
    batch = largest_batch_for_waste(Poisson(mean), share)
    assert batch == 0 or batch_waste(Poisson(mean), batch).probability_of_waste <= share + 1e-12
    assert batch_waste(Poisson(mean), batch + 1).probability_of_waste > share


def test_what_is_not_sold_before_its_last_day_goes_to_waste() -> None:
    # 5 units on their last day, 4 with two days more: 3 sell today, 2 are lost; 4 sell in time
    assert estimated_outdating([5, 0, 4], [3, 1, 3, 2]) == [2, 0, 0, 0]
    assert estimated_outdating([5, 0, 4], [0, 0, 0]) == [5, 0, 4]
    assert estimated_outdating([], [3, 3]) == [0, 0]


@steady
@given(st.lists(st.floats(0, 50), max_size=6), st.lists(st.floats(0, 30), min_size=8, max_size=8))
def test_outdating_is_that_of_single_units_sold_oldest_first(lives: list[float], demand: list[float]) -> None:
    stock, expected = [*lives], []
    for wanted in demand:
        for age, units in enumerate(stock):
            sold = min(units, wanted)
            stock[age], wanted = units - sold, wanted - sold  # noqa: PLW2901
        expected.append(stock.pop(0) if stock else 0.0)
    assert estimated_outdating(lives, demand) == pytest.approx(expected, abs=1e-9)


def test_disposal_makes_a_perishable_batch_smaller() -> None:
    free = newsvendor_perishable(Poisson(18.0), price=2.0, purchase_cost=1.2)
    paid = newsvendor_perishable(Poisson(18.0), price=2.0, purchase_cost=1.2, disposal_cost=0.5)
    assert paid.order_quantity < free.order_quantity


def test_stock_against_disruptions_costs_what_a_long_run_costs() -> None:
    instance = {"holding_cost": 0.25, "stockout_cost": 3.0, "demand": 20.0}
    found = newsvendor_with_disruptions(**instance, disruption_prob=0.04, recovery_prob=0.25)

    rng = np.random.default_rng(5)
    draws, down, cost, periods = rng.random(400_000), 0, 0.0, 400_000
    for draw in draws:
        down = (0 if draw < 0.25 else down + 1) if down else int(draw < 0.04)
        net = found.base_stock_level - (down + 1) * 20
        cost += 0.25 * max(net, 0) + 3 * max(-net, 0)
    assert found.cost == pytest.approx(cost / periods, rel=0.03)
    others = [
        newsvendor_with_disruptions(
            **instance, disruption_prob=0.04, recovery_prob=0.25, base_stock_level=20.0 * n
        ).cost
        for n in range(1, 12)
    ]
    assert found.cost == pytest.approx(min(others))


@pytest.mark.parametrize(
    ("refused", "reason"),
    [
        (lambda: newsvendor(Poisson(5.0), holding_cost=-1, stockout_cost=1), "overage_cost must not be negative"),
        (lambda: newsvendor(Poisson(5.0), holding_cost=0, stockout_cost=0), "must be greater than 0"),
        (lambda: newsvendor(Poisson(5.0), holding_cost=0, stockout_cost=1), "no finite level"),
        (lambda: newsvendor(Normal(5.0, 1.0), holding_cost=1, stockout_cost=0), "no finite level"),
        (lambda: newsvendor(Poisson(5.0), holding_cost=1, stockout_cost=1, lead_time=-1), "lead_time must not"),
        (lambda: newsvendor_profit(Poisson(5.0), revenue=1, purchase_cost=2), "underage_cost must not be negative"),
        (
            lambda: newsvendor_profit(Poisson(5.0), revenue=3, purchase_cost=1, salvage_value=2),
            "overage_cost must not be negative",
        ),
        (lambda: critical_ratio(underage_cost=float("nan"), overage_cost=1), "underage_cost"),
        (lambda: batch_waste(Poisson(5.0), -1), "batch must not be negative"),
        (
            lambda: newsvendor_with_disruptions(
                holding_cost=1, stockout_cost=1, demand=1, disruption_prob=0, recovery_prob=0.5
            ),
            "disruption_prob must lie between 0 and 1",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(refused: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        refused()
