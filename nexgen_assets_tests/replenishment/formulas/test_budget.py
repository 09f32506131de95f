"""A shared budget buys the packs that earn most: compared with every purchase there is."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nexgen_assets.replenishment.formulas.budget import BudgetLine, allocate_budget, exchange_packs
from nexgen_assets.replenishment.formulas.distributions import NegativeBinomial, Poisson
from nexgen_assets_tests.replenishment.formulas.oracles import steady

few = settings(steady, max_examples=40)


few_units = st.integers(1, 3)
prices = st.integers(1, 20)
one = st.just(1)


@st.composite
def baskets(draw: Any, costs: Any = prices, packs: Any = few_units) -> list[BudgetLine]:
    return [
        BudgetLine(
            sku,
            Poisson(draw(st.floats(0.2, 5))),
            draw(st.integers(0, 3)),
            unit_cost=draw(costs),
            underage_cost=draw(st.integers(1, 20)),
            overage_cost=draw(st.integers(1, 5)),
            pack_size=draw(packs),
            min_order_quantity=draw(st.sampled_from([0, 0, 4])),
            max_order_quantity=draw(st.sampled_from([np.inf, 6])),
        )
        for sku in "ABC"[: draw(st.integers(1, 3))]
    ]


def possible_quantities(line: BudgetLine) -> list[float]:
    top = min(24, line.max_order_quantity)
    packs = [n * line.pack_size for n in range(1, int(top // line.pack_size) + 1)]
    return [0, *(quantity for quantity in packs if quantity >= line.min_order_quantity)]


def gain_by_hand(line: BudgetLine, quantity: float) -> float:
    """Sum over the units of c_u P(X >= ip + k) - c_o P(X < ip + k)."""
    k = line.inventory_position + np.arange(1, quantity + 1)
    below = stats.poisson.cdf(k - 1, line.demand.mean)
    return float(np.sum(line.underage_cost * (1 - below) - line.overage_cost * below))


def best_by_hand(lines: list[BudgetLine], budget: float) -> float:
    """The largest gain of all combinations of possible quantities."""
    cost, gain = np.zeros(1), np.zeros(1)
    for line in lines:
        quantities = possible_quantities(line)
        gains = np.array([gain_by_hand(line, quantity) for quantity in quantities])
        cost = np.add.outer(cost, line.unit_cost * np.array(quantities)).ravel()
        gain = np.add.outer(gain, gains).ravel()
    return float(gain[cost <= budget].max())


@few
@given(baskets(), st.integers(0, 200))
def test_purchases_are_possible_and_add_up(lines: list[BudgetLine], budget: int) -> None:
    for found in (first := allocate_budget(lines, budget), exchange_packs(lines, first, budget)):
        assert found.spend <= budget + 1e-9
        for line in lines:
            quantity = found.quantities[line.sku]
            assert quantity == 0 or quantity >= line.min_order_quantity
            assert quantity % line.pack_size == 0
            assert quantity <= line.max_order_quantity
        by_hand = sum(gain_by_hand(line, found.quantities[line.sku]) for line in lines)
        assert found.expected_gain == pytest.approx(by_hand, abs=1e-9)
        assert found.spend == pytest.approx(sum(line.unit_cost * found.quantities[line.sku] for line in lines))


@few
@given(baskets(costs=one, packs=one), st.integers(0, 25))
def test_where_units_cost_the_same_nothing_is_better(lines: list[BudgetLine], budget: int) -> None:
    lines = [line for line in lines if line.min_order_quantity == 0]
    if lines:
        found = allocate_budget(lines, budget)
        assert found.expected_gain == pytest.approx(best_by_hand(lines, budget))


@few
@given(baskets(), st.integers(0, 120))
def test_exchange_never_loses_and_tells_how_much_is_missed_at_most(lines: list[BudgetLine], budget: int) -> None:
    first = allocate_budget(lines, budget)
    second = exchange_packs(lines, first, budget)
    best = best_by_hand(lines, budget)
    assert first.expected_gain - 1e-9 <= second.expected_gain <= best + 1e-9
    for found in (first, second):
        assert best <= found.expected_gain + found.largest_missed_gain + 1e-9


@pytest.mark.parametrize("budget", range(0, 101, 10))
def test_exchange_finds_the_best_of_the_textbook_basket(budget: int) -> None:
    lines = [
        BudgetLine("A", Poisson(10.0), 6, 4.0, 3.0, 1.0),
        BudgetLine("B", Poisson(3.0), 1, 10.0, 9.0, 2.0),
        BudgetLine("C", Poisson(25.0), 20, 1.5, 0.6, 0.3),
        BudgetLine("D", Poisson(0.7), 0, 20.0, 25.0, 5.0),
    ]
    found = exchange_packs(lines, allocate_budget(lines, budget), budget)
    assert found.expected_gain == pytest.approx(best_by_hand(lines, budget), rel=1e-4, abs=1e-9)


@few
@given(baskets(), st.lists(st.integers(0, 150), min_size=2, max_size=2))
def test_more_budget_never_gains_less(lines: list[BudgetLine], budgets: list[int]) -> None:
    less, more = (allocate_budget(lines, budget) for budget in sorted(budgets))
    assert more.expected_gain >= less.expected_gain - 1e-9


@few
@given(baskets(costs=one, packs=one), st.integers(0, 40))
def test_each_money_unit_is_worth_less_than_the_one_before(lines: list[BudgetLine], budget: int) -> None:
    lines = [line for line in lines if line.min_order_quantity == 0]
    found = allocate_budget(lines, budget)
    worth = [pack.gain_per_money for pack in found.purchases]
    assert worth == sorted(worth, reverse=True)
    if worth:
        assert found.value_of_last_money == worth[-1] >= (found.value_of_next_money or 0)


def test_without_money_the_next_money_is_worth_the_best_pack_and_without_needs_nothing() -> None:
    lines = [BudgetLine("A", Poisson(10.0), 0, 4.0, 3.0, 1.0)]
    broke, rich = allocate_budget(lines, 0), allocate_budget(lines, np.inf)
    assert broke.value_of_next_money == pytest.approx(gain_by_hand(lines[0], 1) / 4)
    assert (broke.value_of_last_money, rich.value_of_next_money, rich.largest_missed_gain) == (None, None, 0)


@few
@given(baskets(), st.integers(0, 150), st.randoms())
def test_the_order_of_the_lines_does_not_matter(lines: list[BudgetLine], budget: int, random: Any) -> None:
    shuffled = random.sample(lines, len(lines))
    one, other = (exchange_packs(some, allocate_budget(some, budget), budget) for some in (lines, shuffled))
    assert one.quantities == other.quantities
    assert one.purchases == other.purchases


def test_an_unlimited_budget_buys_every_newsvendor_quantity() -> None:
    lines = [
        BudgetLine("A", Poisson(10.0), 6, 4.0, 3.0, 1.0),
        BudgetLine("B", NegativeBinomial(3.0, 9.0), 0, 10.0, 9.0, 2.0),
        BudgetLine("C", Poisson(4.0), 20, 10.0, 9.0, 2.0),
    ]
    bought = allocate_budget(lines, np.inf).quantities
    assert bought == {
        "A": float(Poisson(10.0).quantile(3 / 4)) - 6,
        "B": float(NegativeBinomial(3.0, 9.0).quantile(9 / 11)),
        "C": 0,
    }


def test_a_backlog_is_served_first() -> None:
    line = BudgetLine("A", Poisson(2.0), -3, 1.0, 5.0, 1.0)
    assert line.expected_gain(3) == pytest.approx(15)
    assert allocate_budget([line], 3).quantities == {"A": 3}


def test_the_minimum_order_is_bought_whole_or_not_at_all() -> None:
    large = BudgetLine("A", Poisson(10.0), 0, 1.0, 5.0, 1.0, pack_size=3, min_order_quantity=7)
    assert allocate_budget([large], 8).quantities == {"A": 0}
    assert allocate_budget([large], 9).quantities == {"A": 9}
    assert allocate_budget([large], 9).purchases[0].units == 9


def test_thousands_of_products_are_bought_for_in_seconds() -> None:
    rng = np.random.default_rng(1)
    lines = [
        BudgetLine(f"P{i:05}", Poisson(m), 0, c, 0.4 * c, 0.05 * c, pack_size=float(pack))
        for i, (m, c, pack) in enumerate(
            zip(rng.gamma(2, 3, 3000), rng.uniform(1, 30, 3000), rng.integers(1, 7, 3000), strict=True)
        )
    ]
    found = allocate_budget(lines, 50_000)
    assert 50_000 - 6 * 30 <= found.spend <= 50_000
    assert found.value_of_last_money == pytest.approx(found.value_of_next_money, rel=0.05)


@pytest.mark.parametrize(
    ("refused", "reason"),
    [
        (lambda: BudgetLine("A", Poisson(1.0), 0, 0.0, 1.0, 1.0), "unit_cost must be greater than 0"),
        (lambda: BudgetLine("A", Poisson(1.0), 0, 1.0, -1.0, 1.0), "underage_cost must not be negative"),
        (lambda: BudgetLine("A", Poisson(1.0), 0, 1.0, 1.0, 1.0, pack_size=0), "pack_size must be greater than 0"),
        (lambda: allocate_budget([], -1), "budget must not be negative"),
        (lambda: allocate_budget([BudgetLine("A", Poisson(1.0), 0, 1.0, 1.0, 1.0)] * 2, 5), "stands in two lines"),
        (
            lambda: exchange_packs(
                lines := [BudgetLine("A", Poisson(9.0), 0, 1.0, 1.0, 1.0)], allocate_budget(lines, 5), 3
            ),
            "more than the budget",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(refused: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        refused()
