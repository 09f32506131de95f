"""Segments, several stages of stock, key figures."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexgen_assets.replenishment.formulas.distributions import Normal, Poisson
from nexgen_assets.replenishment.formulas.echelons import Stage, pooled_safety_stock, pooled_sd, serial_base_stock
from nexgen_assets.replenishment.formulas.kpis import stock_kpis
from nexgen_assets.replenishment.formulas.newsvendor import newsvendor
from nexgen_assets.replenishment.formulas.segmentation import abc_class, demand_pattern, demand_profile, xyz_class
from nexgen_assets_tests.replenishment.formulas.oracles import steady


def test_a_makes_most_of_the_value_and_what_earns_nothing_is_c() -> None:
    value = np.array([10.0, 0.0, 60.0, 25.0, 5.0])
    assert list(abc_class(value)) == ["B", "C", "A", "A", "C"]


@pytest.mark.parametrize(
    ("value", "classes"),
    [
        ([0.7, 0.1, 0.1, 0.1], "AABB"),  # 0.7 + 0.1 is a little less than 0.8 in doubles
        ([5.0], "A"),
        ([0.0, 0.0], "CC"),
        ([], ""),
        ([1.0] * 10, "AAAAAAAABB"),
    ],
)
def test_a_border_that_is_reached_is_reached(value: list[float], classes: str) -> None:
    assert "".join(abc_class(np.array(value))) == classes


@steady
@given(st.lists(st.integers(0, 1000), min_size=1, max_size=30))
def test_no_item_is_in_a_better_class_than_one_of_more_value(value: list[int]) -> None:
    classes = abc_class(np.array(value, np.float64))
    ranked = [classes[i] for i in np.argsort(-np.array(value), kind="stable")]
    assert ranked == sorted(ranked)


def test_steady_sales_are_x_and_wild_ones_z() -> None:
    assert list(xyz_class(np.array([0.0, 0.5, 0.51, 1.0, 1.01, np.inf, np.nan]))) == list("XXYYZZZ")


@pytest.mark.parametrize(
    ("interval", "variation", "pattern"),
    [(1.32, 0.49, "smooth"), (1.33, 0.49, "intermittent"), (1.32, 0.5, "erratic"), (1.33, 0.5, "lumpy")],
)
def test_the_borders_of_the_patterns_are_frequent_and_even(interval: float, variation: float, pattern: str) -> None:
    assert demand_pattern(interval, variation) == pattern


def test_the_profile_of_a_series_is_its_interval_and_variations() -> None:
    found = demand_profile(np.array([0.0, 4, 0, 8, 0, 0]))
    assert (found.interval, found.size_variation) == (3, pytest.approx((2 / 6) ** 2))
    assert found.variation == pytest.approx(np.sqrt(80 / 6 - 4) / 2)
    assert demand_pattern(found.interval, found.size_variation) == "intermittent"


def test_a_series_without_demand_is_infinitely_rare() -> None:
    found = demand_profile(np.zeros(5))
    assert (found.interval, found.size_variation, found.variation) == (np.inf, 0, np.inf)


@steady
@given(st.lists(st.floats(0, 20), min_size=1, max_size=6), st.floats(0, 1))
def test_pooling_never_needs_more_than_the_stores_do(sds: list[float], rho: float) -> None:
    found = pooled_safety_stock(sds, rho, lead_time=4, cycle_service_level=0.95)
    assert found.centralised <= found.decentralised + 1e-9
    drawn = np.array(sds) @ (rho + (1 - rho) * np.eye(len(sds))) @ np.array(sds)
    assert pooled_sd(sds, rho) == pytest.approx(np.sqrt(drawn), abs=1e-9)


def test_opposite_demands_cancel_out() -> None:
    assert pooled_sd([3.0, 3.0], -1.0) == pytest.approx(0, abs=1e-9)
    assert pooled_sd([3.0, 4.0], np.array([[1, 0.5], [0.5, 1]])) == pytest.approx(37**0.5)


@pytest.mark.parametrize("demand", [Normal(5.0, 1.0), Poisson(4.0), Normal(500.0, 3.0)], ids=repr)
def test_a_chain_of_one_stage_is_a_newsvendor(demand: Any) -> None:
    found = serial_base_stock(demand, [Stage(2, 3.0)], stockout_cost=30.0)
    alone = newsvendor(demand.over(2), holding_cost=3.0, stockout_cost=30.0)
    # echelon costs also charge what is short: h E[S - D] + (p + h) n(S)
    assert found.echelon_base_stock_levels == pytest.approx([alone.base_stock_level], abs=0.02)
    assert found.cost == pytest.approx(alone.cost, rel=1e-4)


def simulated_chain(levels: list[float], costs: list[float], lead_times: list[int], stockout: float) -> float:
    """Cost per period of echelon base stocks, Poisson(4) demand; stage 0 serves customers, the last one is supplied."""
    rng, n, periods = np.random.default_rng(6), len(levels), 50_000
    demand = rng.poisson(4.0, periods).astype(float)
    on_hand, backlog = np.zeros(n), np.zeros(n)
    pipeline = [np.zeros(max(lead, 1) + 1) for lead in lead_times]
    local = np.diff([0.0, *levels])
    on_hand += local
    total = 0.0
    for wanted in demand:
        # every period each stage passes the customers' demand on: an echelon base stock is a local one
        for j in reversed(range(n)):
            on_hand[j] += pipeline[j][0]
            pipeline[j] = np.append(pipeline[j][1:], 0.0)
        for j in range(n):
            backlog[j] += wanted
            sent = min(on_hand[j], backlog[j])
            on_hand[j], backlog[j] = on_hand[j] - sent, backlog[j] - sent
            if j:
                pipeline[j - 1][lead_times[j - 1] - 1] += sent
        pipeline[-1][lead_times[-1] - 1] += wanted
        echelon = np.cumsum(on_hand) + np.append(0.0, np.cumsum([p.sum() for p in pipeline[:-1]])) - backlog[0]
        total += float(np.dot(costs, echelon) + (stockout + sum(costs)) * backlog[0])
    return total / periods


def test_the_cost_of_a_chain_is_what_a_long_run_costs() -> None:
    stages = [Stage(1, 3.0), Stage(2, 2.0)]
    found = serial_base_stock(Poisson(4.0), stages, stockout_cost=30.0)
    cost = simulated_chain(found.echelon_base_stock_levels, [3.0, 2.0], [1, 2], 30.0)
    assert found.cost == pytest.approx(cost, rel=0.03)
    for stage in (0, 1):
        for step in (-1, 1):
            levels = list(found.echelon_base_stock_levels)
            levels[stage] += step
            assert simulated_chain(levels, [3.0, 2.0], [1, 2], 30.0) > cost * 0.995


def test_a_chain_of_certain_demand_holds_what_is_on_its_way() -> None:
    certain, nearly = (
        serial_base_stock(Normal(5.0, sd), [Stage(1, 3.0), Stage(1, 2.0), Stage(2, 2.0)], stockout_cost=37.0)
        for sd in (0.0, 1e-6)
    )
    assert certain.echelon_base_stock_levels == [5, 10, 20]
    assert nearly.echelon_base_stock_levels == pytest.approx([5, 10, 20], abs=1e-4)
    assert certain.cost == pytest.approx(nearly.cost, abs=1e-3) == 2 * 5 + 2 * 10


WEEK = {
    "daily_sales_units": [5, 0, 3, 6, 2, 4, 8],
    "daily_lost_units": [0, 1, 0, 2, 0, 0, 0],
    "end_of_day_on_hand": [20, 0, 14, 0, 10, 9, 7],
    "unit_cost": 4.0,
    "unit_price": 7.0,
}


def test_key_figures_of_nothing_are_unknown_and_not_zero() -> None:
    found = stock_kpis(**(WEEK | {name: [0, 0] for name in list(WEEK)[:3]}))
    unknown = ("fill_rate", "days_of_supply", "annualised_turns", "annualised_gmroi", "waste_rate")
    assert all(np.isnan(getattr(found, name)) for name in unknown)
    assert (found.in_stock_rate, found.stockout_days, found.average_on_hand) == (0, 2, 0)


def test_a_year_of_the_same_week_turns_as_often_as_the_week() -> None:
    year = {name: values * 52 if isinstance(values, list) else values for name, values in WEEK.items()}
    assert stock_kpis(**year).annualised_turns == pytest.approx(stock_kpis(**WEEK).annualised_turns)


@pytest.mark.parametrize(
    ("refused", "reason"),
    [
        (lambda: abc_class(np.array([1.0]), 0.9, 0.8), "shares must rise"),
        (lambda: xyz_class(0.3, 1.0, 0.5), "borders must rise"),
        (lambda: demand_profile(np.array([1.0, -1.0])), "demand must not be negative"),
        (lambda: demand_profile(np.array([])), "number_of_periods must be greater than 0"),
        (lambda: pooled_sd([1.0, 1.0, 1.0], -0.9), "cannot all have the correlation"),
        (lambda: pooled_sd([1.0, 1.0], 1.5), "correlation must lie within -1 and 1"),
        (lambda: serial_base_stock(Poisson(1.0), [], stockout_cost=1), "number_of_stages must be greater than 0"),
        (lambda: serial_base_stock(Poisson(1.0), [Stage(1, 0.0)], stockout_cost=1), "holding_cost must be greater"),
        (lambda: stock_kpis(**(WEEK | {"daily_lost_units": [1]})), "each day needs"),
        (lambda: stock_kpis(**(WEEK | {"unit_cost": -1})), "unit_cost must not be negative"),
    ],
)
def test_what_cannot_be_meant_is_refused(refused: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        refused()
