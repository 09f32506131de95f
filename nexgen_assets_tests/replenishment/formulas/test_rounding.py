"""Rounding: an order is none, or full packs of at least the minimum order that fit into what there is room for."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexgen_assets.replenishment.formulas.base_stock import base_stock_for_cycle_service
from nexgen_assets.replenishment.formulas.distributions import Discrete, Poisson
from nexgen_assets.replenishment.formulas.newsvendor import newsvendor_cost
from nexgen_assets.replenishment.formulas.rounding import (
    round_down_to_pack,
    round_order,
    round_order_to_level,
    round_to_pack_by_cost,
)
from nexgen_assets_tests.replenishment.formulas.oracles import steady

units = st.integers(0, 200)
packs = st.integers(1, 30)
limits = st.integers(0, 300)


def ordered(level: float, position: float, **constraints: Any) -> float:
    return float(round_order_to_level(level, position, **constraints).order_units)


@steady
@given(need=st.integers(-20, 200), moq=units, pack=packs, most=limits, rounding=st.sampled_from(["up", "nearest"]))
def test_order_is_none_or_full_packs_within_its_limits(
    need: int, moq: int, pack: int, most: int, rounding: Any
) -> None:
    found = round_order(need, min_order_quantity=moq, pack_size=pack, max_order_quantity=most, rounding=rounding)
    order = found.order_units
    assert order >= 0
    assert order % pack == 0
    assert order == 0 or moq <= order <= most
    assert order == found.need + found.moq_units + found.pack_units + found.cap_units


@steady
@given(need=st.integers(-5, 60), moq=st.integers(0, 40), pack=st.integers(1, 13), most=st.integers(0, 90))
def test_order_is_the_smallest_possible_that_covers_the_need_or_else_the_largest(
    need: int, moq: int, pack: int, most: int
) -> None:
    found = round_order(need, min_order_quantity=moq, pack_size=pack, max_order_quantity=most)
    possible = [n for n in range(pack, 200, pack) if moq <= n <= most]
    enough = [n for n in possible if n >= need]
    if need <= 0:
        assert (found.order_units, found.is_blocked) == (0, False)
    elif enough:
        assert (found.order_units, found.is_blocked) == (min(enough), False)
    else:
        assert (found.order_units, found.is_blocked) == (max(possible, default=0), not possible)


@steady
@given(level=units, position=units, display=units, pack=packs, shelf=units)
def test_stock_after_the_order_fits_on_the_shelf_or_somebody_is_told(
    level: int, position: int, display: int, pack: int, shelf: int
) -> None:
    found = round_order_to_level(level, position, display_minimum=display, pack_size=pack, max_stock=shelf)
    assert position + found.order_units <= max(shelf, position)
    if position < max(level, display) and shelf - position < pack:
        assert found.is_blocked


@steady
@given(level=units, position=units, display=units)
def test_the_display_minimum_is_reached_though_demand_needs_less(level: int, position: int, display: int) -> None:
    assert position + ordered(level, position, display_minimum=display) == max(level, position, display)


def test_no_demand_and_no_display_minimum_order_nothing() -> None:
    level = float(Poisson(0.0).quantile(0.99))
    found = round_order_to_level(level, 0, min_order_quantity=12, pack_size=6)
    assert (found.need, found.order_units, found.is_blocked) == (0, 0, False)


@steady
@given(level=units, position=units, more=units, moq=units, pack=packs)
def test_more_stock_never_orders_more(level: int, position: int, more: int, moq: int, pack: int) -> None:
    constraints = {"min_order_quantity": moq, "pack_size": pack}
    assert ordered(level, position + more, **constraints) <= ordered(level, position, **constraints)


@steady
@given(level=units, position=units, moq=units, pack=packs, shelf=limits, k=st.sampled_from([0.5, 2, 12]))
def test_units_of_measure_do_not_matter(
    *, level: int, position: int, moq: int, pack: int, shelf: int, k: float
) -> None:
    one = ordered(level, position, min_order_quantity=moq, pack_size=pack, max_stock=shelf)
    other = ordered(k * level, k * position, min_order_quantity=k * moq, pack_size=k * pack, max_stock=k * shelf)
    assert other == k * one


@steady
@given(st.lists(units, min_size=1, max_size=20), st.floats(0.05, 0.95), units, packs, st.sampled_from([2, 12]))
def test_demand_stock_and_pack_in_other_units_are_the_same_order(
    totals: list[int], service: float, position: int, pack: int, k: int
) -> None:
    def order_in(unit: int) -> float:
        demand = Discrete.of_samples([unit * total for total in totals])
        level = float(base_stock_for_cycle_service(demand, service).order_up_to_level)
        return ordered(level, unit * position, pack_size=unit * pack)

    assert order_in(k) == k * order_in(1)


@steady
@given(st.lists(st.tuples(units, units, packs, limits), min_size=1, max_size=8), st.randoms())
def test_rows_are_answered_each_for_itself(rows: list[tuple[int, int, int, int]], random: Any) -> None:
    shuffled = random.sample(rows, len(rows))

    def orders(of: list[tuple[int, int, int, int]]) -> list[float]:
        need, moq, pack, most = (np.array(column, np.float64) for column in zip(*of, strict=True))
        found = round_order(need, min_order_quantity=moq, pack_size=pack, max_order_quantity=most)
        return found.order_units.tolist()

    together = dict(zip(shuffled, orders(shuffled), strict=True))
    assert [together[row] for row in rows] == [order for row in rows for order in orders([row])]


@pytest.mark.parametrize(
    ("need", "moq", "pack", "order"),
    [(13, 0, 12, 12), (18, 0, 12, 24), (2, 0, 12, 0), (2, 5, 12, 12), (13, 13, 12, 24)],
)
def test_nearest_pack_is_taken_unless_the_minimum_order_forbids(need: int, moq: int, pack: int, order: int) -> None:
    assert round_order(need, min_order_quantity=moq, pack_size=pack, rounding="nearest").order_units == order


@pytest.mark.parametrize(("need", "moq", "pack", "most"), [(4, 0, 12, 3), (4, 24, 6, 20), (4, 25, 6, 25), (4, 0, 1, 0)])
def test_an_order_that_fits_nowhere_is_none_and_somebody_is_told(need: int, moq: int, pack: int, most: int) -> None:
    found = round_order(need, min_order_quantity=moq, pack_size=pack, max_order_quantity=most)
    assert (found.order_units, found.is_blocked) == (0, True)


@pytest.mark.parametrize(("most", "pack", "order"), [(2.1, 0.7, 2.1), (0.7, 0.1, 0.7), (1.0, 0.3, 0.9)])
def test_packs_that_are_not_whole_fit_as_often_as_they_do(most: float, pack: float, order: float) -> None:
    assert round_down_to_pack(most, pack) == pytest.approx(order, abs=1e-12)


@steady
@given(mean=st.floats(1, 60), ratio=st.floats(0.1, 20), position=st.integers(0, 60), pack=packs, moq=st.integers(0, 40))
def test_no_possible_order_is_cheaper_than_the_one_chosen_by_cost(
    mean: float, ratio: float, position: int, pack: int, moq: int
) -> None:
    def cost(level: Any) -> Any:
        return newsvendor_cost(Poisson(mean), level, holding_cost=1.0, stockout_cost=ratio)

    level = float(Poisson(mean).quantile(ratio / (1 + ratio)))
    found = round_to_pack_by_cost(level, position, pack_size=pack, min_order_quantity=moq, cost=cost)
    possible = [0, *(n for n in range(pack, 400, pack) if n >= moq)]
    assert found.best_units in possible
    assert cost(position + found.best_units) == pytest.approx(min(cost(position + n) for n in possible))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"pack_size": 0}, "pack_size must be greater than 0"),
        ({"pack_size": -6}, "pack_size must be greater than 0"),
        ({"min_order_quantity": -1}, "min_order_quantity must not be negative"),
        ({"max_order_quantity": -1}, "max_order_quantity must not be negative"),
        ({"net_need": float("nan")}, "net_need must be a finite number"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: dict[str, float], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        round_order(**({"net_need": 5.0} | arguments))
