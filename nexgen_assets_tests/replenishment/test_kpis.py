"""Rates and costs by their definitions."""

import json
from pathlib import Path

import numpy as np
import pytest

from nexgen_assets.replenishment.kpis import CostRates, Totals, costs, totals_of_days

CASE = json.loads(Path(__file__).with_name("simulation_cases.json").read_text())["kpi"][0]


def case_totals() -> Totals:
    told = CASE["inputs"]
    sales, lost, on_hand = (
        np.array([told[name]], np.float64) for name in ("daily_sales_units", "daily_lost_units", "end_of_day_on_hand")
    )
    waste = np.zeros_like(sales)
    waste[0, 3] = told["waste_units"]
    return totals_of_days(
        demand=sales + lost, sales=sales, waste=waste, received=sales * 0, ordered=sales * 0, on_hand=on_hand
    )


def test_the_rates_of_a_week_are_as_computed_by_hand() -> None:
    totals = case_totals()
    cost, price = np.array([CASE["inputs"]["unit_cost"]]), np.array([CASE["inputs"]["unit_price"]])
    found = {
        "units_demanded": totals.demand,
        "fill_rate": totals.fill_rate,
        "stockout_days": totals.stockout_days,
        "in_stock_rate": totals.in_stock_rate,
        "average_on_hand": totals.average_on_hand,
        "average_inventory_value": totals.average_stock_value(cost),
        "days_of_supply_hist": totals.days_of_supply,
        "annualised_turns": totals.turns_a_year,
        "gross_margin": totals.gross_margin(price, cost),
        "gmroi_annualised": totals.gmroi_a_year(price, cost),
        "waste_rate_of_supply": totals.waste_rate,
    }
    assert {name: value.item() for name, value in found.items()} == pytest.approx(CASE["expected"], rel=1e-12)


def days(demand: list[float], ordered: list[float]) -> Totals:
    units, orders = np.array([demand]), np.array([ordered])
    return totals_of_days(
        demand=units, sales=units, waste=units * 0, received=orders, ordered=orders, on_hand=units * 0 + 1
    )


def test_bullwhip_is_the_variance_of_orders_over_that_of_demand() -> None:
    demand, ordered = [4.0, 0, 2, 6, 1, 5, 3], [0.0, 0, 12, 0, 0, 0, 9]

    assert days(demand, ordered).bullwhip.item() == pytest.approx(np.var(ordered) / np.var(demand), rel=1e-12)
    assert days(demand, demand).bullwhip.item() == pytest.approx(1)


def test_orders_are_counted_a_week() -> None:
    assert days([1.0] * 14, [0.0, 5, 0, 0, 0, 0, 9, 0, 0, 3, 0, 0, 0, 0]).orders_a_week.item() == 1.5


def test_a_rate_of_nothing_is_not_a_number() -> None:
    idle = days([0.0, 0], [0.0, 0])

    assert np.isnan([idle.fill_rate, idle.days_of_supply, idle.waste_rate, idle.bullwhip]).all()
    assert idle.in_stock_rate.item() == 1


def test_noise_of_a_sum_is_not_stock() -> None:
    left = 0.1 + 0.1 + 0.1 - 0.3
    assert left > 0
    none = np.zeros((1, 1))

    totals = totals_of_days(
        demand=none, sales=none, waste=none, received=none, ordered=none, on_hand=np.array([[left]])
    )

    assert totals.stockout_days.item() == 1


def test_sums_of_two_periods_are_those_of_both() -> None:
    first, second = days([4.0, 0], [0.0, 6]), days([2.0, 6, 1], [3.0, 0, 0])

    both, whole = first + second, days([4.0, 0, 2, 6, 1], [0.0, 6, 3, 0, 0])

    assert vars(both) == vars(whole)


def test_costs_follow_their_rates() -> None:
    found = costs(case_totals(), CostRates(holding=0.1, lost_sale=np.array([2.0]), order=3, waste=1.5))

    assert (found.holding.item(), found.lost_sales.item()) == pytest.approx((6.0, 6.0))
    assert (found.orders.item(), found.waste.item()) == (0, 4.5)
    assert found.total.item() == pytest.approx(16.5)
