"""The simulator: reference days, stock by age beside a slow oracle, ledgers that close, and nothing known early."""

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nexgen_assets.replenishment.kpis import CostRates, Totals, costs, totals_of_days
from nexgen_assets.replenishment.order_rules import BaseStock, PlannedOrders, ReorderPointQuantity, ReorderPointUpTo
from nexgen_assets.replenishment.simulation import (
    ConservationError,
    Known,
    OrderRule,
    Scenario,
    Simulation,
    Trace,
    check_conservation,
    scenario,
    simulate,
)
from nexgen_assets_tests.replenishment.scenarios import Floats, rules, scenarios, thousandths

CASES = json.loads(Path(__file__).with_name("simulation_cases.json").read_text())
NO_ORDERS = PlannedOrders(np.zeros((1, 1)))

# a busy machine is no failure
steady = settings(deadline=None)


def one(value: float) -> np.ndarray:
    return np.array([[value]], np.float64)


def rule_of(policy: dict[str, Any]) -> OrderRule:
    if policy["type"] == "base_stock":
        return BaseStock(one(policy["S"]))
    return ReorderPointUpTo(one(policy["s"]), one(policy["S"]))


def scenario_of(inputs: dict[str, Any]) -> Scenario:
    return scenario(
        [inputs["demand"]],
        inputs["lead_time"],
        inputs["initial_on_hand"],
        shelf_life_days=inputs.get("shelf_life_on_receipt", np.inf),
        initial_life_days=inputs.get("initial_remaining_life"),
        review_period_days=inputs["policy"].get("review_every", 1),
    )


def simulated(case: dict[str, Any]) -> Simulation:
    return simulate(scenario_of(case["inputs"]), rule_of(case["inputs"]["policy"]), traced_series=[0])


@pytest.mark.parametrize("case", CASES["simulator"], ids=lambda case: case["id"])
def test_every_day_is_as_computed_by_hand(case: dict[str, Any]) -> None:
    trace = simulated(case).trace
    names = {"on_hand_end": "on_hand", "on_order_after": "on_order"}
    expected = case["expected"]["rows"]
    found = [
        {"day": day} | {name: getattr(trace, names.get(name, name))[0, day] for name in row if name != "day"}
        for day, row in enumerate(expected)
    ]
    assert found == expected


@pytest.mark.parametrize("case", CASES["simulator"], ids=lambda case: case["id"])
def test_rates_and_costs_are_as_computed_by_hand(case: dict[str, Any]) -> None:
    totals = simulated(case).totals
    money = case["inputs"]["costs"]
    rates = CostRates(
        money["holding_per_unit_day"], money["lost_sale_per_unit"], money["order_fixed"], money["waste_per_unit"]
    )
    found = {
        "fill_rate": totals.fill_rate,
        "mean_on_hand_end": totals.average_on_hand,
        "lost": totals.lost,
        "waste": totals.waste,
        "orders": totals.order_lines,
        "total_cost": costs(totals, rates).total,
    }
    expected = {name: value for name, value in case["expected"].items() if name != "rows"}
    assert {name: values.item() for name, values in found.items()} == pytest.approx(expected, rel=1e-12)


def test_a_reorder_point_quantity_is_ordered_once_per_review_however_low_the_stock() -> None:
    rule = ReorderPointQuantity(one(5), one(4))

    trace = simulate(scenario([[9, 0, 0, 0]], 1, 10), rule, traced_series=[0]).trace

    # position 1, then 5 with the first order, then 9, above the reorder point
    assert trace.ordered.tolist() == [[4, 4, 0, 0]]


def test_orders_are_placed_on_review_days_alone() -> None:
    world = scenario(np.ones((2, 9)), 0, 0, review_period_days=np.array([3, 4]), first_review_day=np.array([0, 2]))

    ordered = simulate(world, BaseStock(one(20)), traced_series=[0, 1]).trace.ordered

    assert [np.flatnonzero(units).tolist() for units in ordered] == [[0, 3, 6], [2, 6]]


def test_an_order_may_overtake_an_earlier_one() -> None:
    plan = PlannedOrders(np.array([[5.0, 7, 0, 0, 0, 0]]))

    trace = simulate(scenario([[0] * 6], [[4, 0, 0, 0, 0, 0]], 0), plan, traced_series=[0]).trace

    assert trace.received.tolist() == [[0, 0, 7, 0, 0, 5]]
    assert trace.on_order.tolist() == [[5, 12, 5, 5, 5, 0]]


def test_orders_obey_moq_packs_and_maximum_stock() -> None:
    world = scenario(
        np.zeros((4, 1)), 0, 3, min_order_quantity=np.array([0, 24, 0, 20]), pack_size=6, max_stock=[99, 99, 20, 20]
    )

    ordered = simulate(world, BaseStock(one(16)), traced_series=range(4)).trace.ordered

    assert ordered[:, 0].tolist() == [18, 24, 12, 0]


@pytest.mark.parametrize(
    ("on_hand", "on_order", "surely_sold", "order"),
    [
        (12, 0, 0, 0),  # all of it may still be there
        (12, 0, 8, 6),  # as orders do: `test_an_order_finds_room_beside_what_is_there_when_it_arrives`
        (6, 0, 8, 10),
        (7, 9, 8, 1),  # what is on order may come on the same day
    ],
)
def test_an_order_finds_room_beside_what_is_there_when_it_arrives(
    on_hand: float, on_order: float, surely_sold: float, order: float
) -> None:
    world = scenario(np.zeros((1, 2)), 7, on_hand, max_stock=10, surely_sold=[[on_hand, surely_sold]])
    rule = PlannedOrders(np.array([[on_order, 20.0]]))

    assert simulate(world, rule, traced_series=[0]).trace.ordered.tolist() == [[on_order, order]]


def test_sums_leave_the_warm_up_out_and_the_trace_does_not() -> None:
    world = scenario([[4, 5, 6, 7]], 0, 3, warm_up_days=2)

    result = simulate(world, BaseStock(one(6)), traced_series=[0])

    assert result.trace.demand.tolist() == [[4, 5, 6, 7]]
    assert result.totals.days == 2
    assert (result.totals.demand.item(), result.totals.lost.item()) == (13, 1)


@dataclass
class LastWeekAgain:
    """A rule of a user's own: as much as was demanded in the last 7 days."""

    seen: list[Known]

    def raise_to(self, known: Known, /) -> Floats:
        self.seen.append(known)
        return known.demand[:, -7:].sum(axis=1)


def test_a_rule_sees_stock_orders_and_demand_up_to_today() -> None:
    rule = LastWeekAgain([])

    ordered = simulate(scenario([[2, 3, 4]], 1, 2), rule, traced_series=[0]).trace.ordered

    assert [known.demand.tolist() for known in rule.seen] == [[[2]], [[2, 3]], [[2, 3, 4]]]
    assert [known.on_hand.item() for known in rule.seen] == [0, 0, 0]
    assert [known.on_order.item() for known in rule.seen] == [0, 2, 3]
    assert ordered.tolist() == [[2, 3, 6]]


def test_a_rule_cannot_change_what_happens() -> None:
    class Thief:
        def raise_to(self, known: Known, /) -> Floats:
            known.on_hand[:] = 0
            return known.on_hand

    with pytest.raises(ValueError, match="read-only"):
        simulate(scenario([[2, 3, 4]], 1, 9), Thief())


# Markov chain of lost sales under base stock, lead time 1 (`lost_sales-01`, `-02`; setting of Zipkin, Operations
# Research 56, 2008): fill rate and mean stock at the close of a day
@pytest.mark.parametrize(
    ("level", "fill_rate", "on_hand"),
    [(8, 0.9268714185763706, 2.438771488541783), (10, 0.9795132796902307, 4.122920321858628)],
)
def test_base_stock_with_lost_sales_agrees_with_its_exact_markov_chain(
    level: float, fill_rate: float, on_hand: float
) -> None:
    demand = np.random.default_rng(3).poisson(3, (200, 2_100))

    totals = simulate(scenario(demand, 1, level, warm_up_days=100), BaseStock(one(level))).totals

    for found, exact in ((totals.fill_rate, fill_rate), (totals.average_on_hand, on_hand)):
        assert found.mean() == pytest.approx(exact, abs=4 * float(stats.sem(found)))


def test_waste_of_a_fresh_batch_agrees_with_its_loss_function() -> None:
    # a batch of 20 with 3 days to live, Poisson demand of 6 a day (`perishable-01`; Snyder & Shen 2e, appendix C)
    demand = np.random.default_rng(4).poisson(6, (20_000, 3))

    waste = simulate(scenario(demand, 0, 20, shelf_life_days=3), NO_ORDERS).totals.waste

    assert waste.mean() == pytest.approx(2.8979128108213645, abs=4 * float(stats.sem(waste)))
    assert (waste > 0).mean() == pytest.approx(0.6509161279807018, abs=0.0135)


def by_batches(world: Scenario, series: int, levels: list[float]) -> dict[str, list[float]]:
    """The days of one series under base stock, batch by batch: units of one expiry date, sold in its order."""
    batches = [{"units": world.initial_on_hand[series], "last_day": world.initial_life_days[series] - 1}]
    deliveries: list[dict[str, Any]] = []
    log: dict[str, list[float]] = {name: [] for name in ("received", "sales", "waste", "on_hand", "ordered")}
    for day, wanted in enumerate(world.demand[series].tolist()):
        arrived = [delivery for delivery in deliveries if delivery["day"] == day]
        deliveries = [delivery for delivery in deliveries if delivery["day"] != day]
        batches += [
            {"units": delivery["units"], "last_day": day + world.shelf_life_days[series] - 1} for delivery in arrived
        ]
        open_demand = wanted
        for batch in sorted(batches, key=lambda batch: batch["last_day"]):
            taken = min(open_demand, batch["units"])
            batch["units"] -= taken
            open_demand -= taken
        wasted = sum(batch["units"] for batch in batches if batch["last_day"] == day)
        batches = [batch for batch in batches if batch["last_day"] > day]
        on_hand = sum(batch["units"] for batch in batches)
        since = day - world.first_review_day[series]
        need = 0.0
        if since >= 0 and since % world.review_period_days[series] == 0:
            need = max(0.0, levels[day] - on_hand - sum(delivery["units"] for delivery in deliveries))
        if need:
            deliveries.append({"units": need, "day": day + 1 + world.lead_time_days[series, day]})
        values = (sum(delivery["units"] for delivery in arrived), wanted - open_demand, wasted, on_hand, need)
        for name, value in zip(log, values, strict=True):
            log[name].append(value)
    return log


@steady
@given(scenarios(constrained=False), st.lists(st.integers(0, 40).map(float), min_size=20, max_size=20))
def test_stock_by_age_agrees_with_batches_kept_one_by_one(world: Scenario, levels: list[float]) -> None:
    singly = replace(world, pack_size=np.ones(world.series))
    rule = BaseStock(np.array([levels]))

    trace = simulate(singly, rule, traced_series=range(world.series)).trace

    for series in range(world.series):
        expected = by_batches(singly, series, levels)
        assert {name: getattr(trace, name)[series].tolist() for name in expected} == expected


@steady
@given(scenarios(units=thousandths), rules())
def test_no_unit_appears_or_vanishes_on_any_day(world: Scenario, rule: OrderRule) -> None:
    trace = simulate(world, rule, traced_series=range(world.series)).trace

    moved = np.cumsum(trace.received - trace.sales - trace.waste, axis=1)
    np.testing.assert_allclose(world.initial_on_hand[:, None] + moved, trace.on_hand, rtol=0, atol=1e-10)
    np.testing.assert_allclose(np.cumsum(trace.ordered - trace.received, axis=1), trace.on_order, rtol=0, atol=1e-10)
    np.testing.assert_allclose(trace.sales + trace.lost, trace.demand, rtol=0, atol=1e-12)
    assert all(np.all(getattr(trace, field.name) >= -1e-12) for field in fields(Trace))


@steady
@given(scenarios(), rules())
def test_the_sums_are_those_of_the_days(world: Scenario, rule: OrderRule) -> None:
    result = simulate(world, rule, traced_series=range(world.series))

    names = ("demand", "sales", "waste", "received", "ordered", "on_hand")
    expected = totals_of_days(**{name: getattr(result.trace, name) for name in names})
    for field in fields(Totals):
        np.testing.assert_array_equal(getattr(result.totals, field.name), getattr(expected, field.name), field.name)


@steady
@given(scenarios(), rules())
def test_every_order_obeys_every_constraint(world: Scenario, rule: OrderRule) -> None:
    trace = simulate(world, rule, traced_series=range(world.series)).trace

    ordered = trace.ordered
    assert np.all(ordered % world.pack_size[:, None] == 0)
    assert np.all((ordered == 0) | (ordered >= world.min_order_quantity[:, None]))
    assert np.all((ordered == 0) | (trace.on_hand + trace.on_order <= world.max_stock[:, None]))
    is_review = np.stack([world.is_review(day) for day in range(world.days)], axis=1)
    assert np.all(ordered[~is_review] == 0)


@steady
@given(scenarios(expires=False))
def test_enough_stock_from_the_start_serves_all(world: Scenario) -> None:
    supplied = replace(world, initial_on_hand=world.demand.sum(axis=1))

    totals = simulate(supplied, NO_ORDERS).totals

    assert np.all(totals.lost == 0)
    assert np.all(totals.fill_rate[totals.demand > 0] == 1)


@steady
@given(scenarios())
def test_without_stock_and_orders_nothing_is_served(world: Scenario) -> None:
    totals = simulate(replace(world, initial_on_hand=np.zeros(world.series)), NO_ORDERS).totals

    assert np.all(totals.sales == 0)
    assert np.all(totals.fill_rate[totals.demand > 0] == 0)
    assert np.all(totals.in_stock_rate == 0)


@steady
@given(scenarios(), rules(), st.data())
def test_demand_after_a_day_changes_no_order_up_to_it(world: Scenario, rule: OrderRule, data: st.DataObject) -> None:
    day = data.draw(st.integers(0, world.days - 1))
    changed = world.demand.copy()
    changed[:, day + 1 :] += data.draw(st.integers(1, 99))

    before, after = (
        simulate(one_of, rule, traced_series=range(world.series)).trace.ordered
        for one_of in (world, replace(world, demand=changed))
    )

    np.testing.assert_array_equal(before[:, : day + 1], after[:, : day + 1])


@steady
@given(scenarios(units=thousandths), rules(), st.data())
def test_a_series_fares_the_same_in_any_company_and_order(
    world: Scenario, rule: OrderRule, data: st.DataObject
) -> None:
    chosen = np.array(data.draw(st.permutations(range(world.series))))[: data.draw(st.integers(1, world.series))]

    whole = simulate(world, rule, traced_series=range(world.series)).trace
    part = simulate(world.rows(chosen), rule, traced_series=range(len(chosen))).trace

    for field in fields(Trace):
        np.testing.assert_array_equal(getattr(whole, field.name)[chosen], getattr(part, field.name))


BALANCED = {"demand": 9, "sales": 7, "lost": 2, "waste": 1, "received": 6, "ordered": 8}


@pytest.mark.parametrize(
    ("name", "ledger"), [("waste", "on hand"), ("lost", "lost"), ("ordered", "on order"), ("received", "on hand")]
)
def test_ledgers_that_do_not_close_are_an_error_that_names_them(name: str, ledger: str) -> None:
    def check(units: dict[str, int]) -> None:
        sums = {field.name: np.array([0.0, units.get(field.name, 0)]) for field in fields(Totals)} | {"days": 3}
        initial, on_hand, on_order = np.array([[0, 5], [0, 3], [0, 2]], np.float64)
        check_conservation(initial, Totals(**sums), on_hand, on_order)

    check(BALANCED)
    with pytest.raises(ConservationError, match=f"{ledger} = .* in series 1"):
        check(BALANCED | {name: BALANCED[name] + 1})


def test_a_level_that_is_not_known_is_an_error_on_a_review_day_alone() -> None:
    unknown = BaseStock(np.array([[np.nan, np.nan, 9.0], [9.0, np.nan, 9.0]]))
    demand = np.ones((2, 3))

    simulate(scenario(demand, 0, 0, review_period_days=2, first_review_day=[2, 0]), unknown)
    with pytest.raises(ValueError, match="no level for series 1 on day 1: give it the history"):
        simulate(scenario(demand, 0, 0, first_review_day=[2, 0]), unknown)


def test_a_reorder_point_that_is_not_known_is_an_error() -> None:
    with pytest.raises(ValueError, match="no level for series 0 on day 0"):
        simulate(scenario([[1]], 0, 0), ReorderPointUpTo(one(np.nan), one(9)))


@pytest.mark.parametrize(
    ("term", "value", "complaint"),
    [
        ("demand", [[1, -1]], "demand must be at least 0"),
        ("demand", [[1, np.nan]], "demand must be at least 0"),
        ("demand", [[1, np.inf]], "demand and initial_on_hand must be known"),
        ("demand", [1, 2], r"demand must be \[series, days\]"),
        ("lead_time_days", 1.5, "lead_time_days must be whole"),
        ("lead_time_days", -1, "lead_time_days must be whole and at least 0"),
        ("initial_on_hand", -1, "initial_on_hand must be at least 0"),
        ("shelf_life_days", 0, "shelf_life_days must be whole and at least 1"),
        ("shelf_life_days", np.nan, "shelf_life_days must be whole and at least 1"),
        ("initial_life_days", 2.5, "initial_life_days must be whole and at least 1"),
        ("review_period_days", 0, "review_period_days must be whole and at least 1"),
        ("review_period_days", 1.5, "review_period_days must be whole"),
        ("first_review_day", -1, "first_review_day must be whole and at least 0"),
        ("pack_size", 0, "pack_size must be greater than 0"),
        ("min_order_quantity", np.nan, "min_order_quantity must be at least 0"),
        ("max_stock", -1, "max_stock must be at least 0"),
        ("warm_up_days", 2, "warm-up of 2 days leaves nothing of 2 days"),
    ],
)
def test_terms_that_cannot_be_meant_are_refused(term: str, value: Any, complaint: str) -> None:
    terms = {"demand": [[1, 2]], "lead_time_days": 1, "initial_on_hand": 5} | {term: value}
    with pytest.raises(ValueError, match=complaint):
        scenario(**terms)


def test_terms_of_other_series_are_refused() -> None:
    world = scenario(np.ones((2, 3)), 1, 5)
    with pytest.raises(ValueError, match=r"pack_size has the shape \(3,\), not \(2,\)"):
        replace(world, pack_size=np.ones(3))
