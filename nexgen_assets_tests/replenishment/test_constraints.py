"""The constraints of an order, one after another: each of them alone, together, and what holds for every order."""

import itertools
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexgen_assets.replenishment.constraints import Limits, OrderSteps, PackRounding, order_steps
from nexgen_assets_tests.replenishment.distributions import Floats, Poisson

STEPS = ("net_requirement", "display_units", "moq_units", "pack_units", "max_stock_units", "shelf_life_units")
ROUNDINGS = ("up", "nearest", "cost")

units = st.integers(0, 500).map(float)
thousandths = st.integers(0, 500_000).map(lambda n: n / 1000)
packs = st.integers(1, 48_000).map(lambda n: n / 1000)


def one(value: float) -> Floats:
    return np.array([float(value)])


def steps_of(  # noqa: PLR0917
    level: float,
    position: float,
    moq: float = 0,
    pack: float = 1,
    display: float = 0,
    room: float = np.inf,
    *,
    rounding: PackRounding = "up",
    sellable: float | None = None,
) -> OrderSteps:
    """The steps of one order; a position costs as far as it is from the level."""
    return order_steps(
        one(level),
        one(position),
        Limits(one(display), one(moq), one(pack), one(room)),
        rounding=rounding,
        cost=lambda of: np.abs(of - level),
        sellable=None if sellable is None else lambda _: one(sellable),
    )


def told(steps: OrderSteps) -> dict[str, float]:
    """The steps that changed something, and the order."""
    found = {name: getattr(steps, name)[0] for name in (*STEPS, "order_units")}
    return {name: value for name, value in found.items() if value or name == "order_units"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, {"net_requirement": 13, "order_units": 13}),
        ({"display": 20}, {"net_requirement": 13, "display_units": 5, "order_units": 18}),
        ({"moq": 24}, {"net_requirement": 13, "moq_units": 11, "order_units": 24}),
        ({"pack": 6}, {"net_requirement": 13, "pack_units": 5, "order_units": 18}),
        ({"pack": 6, "rounding": "nearest"}, {"net_requirement": 13, "pack_units": -1, "order_units": 12}),
        ({"pack": 6, "rounding": "cost"}, {"net_requirement": 13, "pack_units": -1, "order_units": 12}),
        (
            {"pack": 6, "room": 15},
            {"net_requirement": 13, "pack_units": 5, "max_stock_units": -6, "order_units": 12},
        ),
        (
            {"pack": 6, "sellable": 9},
            {"net_requirement": 13, "pack_units": 5, "shelf_life_units": -12, "order_units": 6},
        ),
        (
            {"display": 20, "moq": 19, "pack": 6, "room": 25, "sellable": 25},
            {"net_requirement": 13, "display_units": 5, "moq_units": 1, "pack_units": 5, "order_units": 24}
            | {"max_stock_units": -24, "order_units": 0},  # room for 23, below the MOQ in full packs
        ),
    ],
)
def test_each_constraint_tells_what_it_changed(arguments: dict[str, Any], expected: dict[str, float]) -> None:
    # a level of 15, of which 2 are there
    assert told(steps_of(15, 2, **arguments)) == expected


@pytest.mark.parametrize(("need", "moq", "pack", "order"), [(13, 0, 6, 18), (13, 24, 6, 24), (7, 10, 4, 12)])
def test_moq_comes_before_packs(need: float, moq: float, pack: float, order: float) -> None:
    assert steps_of(need, 0, moq, pack).order_units.tolist() == [order]


def test_noise_of_a_sum_of_stock_figures_does_not_order_a_pack() -> None:
    position = sum([0.1] * 10)
    assert position < 1

    assert steps_of(1, position, 1, 12).order_units.tolist() == [0]


def test_a_pack_above_the_room_for_it_is_blocked_and_one_that_fits_later_is_not() -> None:
    never, later = steps_of(15, 5, pack=24, room=20), steps_of(25, 15, pack=12, room=20)

    assert (never.order_units[0], later.order_units[0]) == (0, 0)
    assert (never.is_pack_above_max_stock[0], later.is_pack_above_max_stock[0]) == (True, False)


def test_a_minimum_order_above_the_room_for_it_is_blocked() -> None:
    assert steps_of(15, 5, moq=24, room=20).is_pack_above_max_stock[0]


def test_a_pack_that_cannot_be_sold_in_time_is_blocked() -> None:
    steps = steps_of(5, 0, pack=12, sellable=8)

    assert (steps.order_units[0], steps.is_pack_above_shelf_life[0]) == (0, True)


@pytest.mark.parametrize("rounding", ["nearest", "cost"])
def test_packs_are_not_rounded_down_below_what_must_be_on_show(rounding: PackRounding) -> None:
    assert steps_of(13, 0, pack=12, rounding=rounding).order_units.tolist() == [12]
    assert steps_of(13, 0, pack=12, display=13, rounding=rounding).order_units.tolist() == [24]


@given(level=st.integers(1, 80), position=st.integers(0, 80), pack=st.integers(1, 30), mean=st.floats(1, 60))
def test_packs_rounded_by_cost_are_the_cheapest_of_all(level: int, position: int, pack: int, mean: float) -> None:
    demand = Poisson(one(mean))
    level = int(demand.quantile(0.9)[0])  # the cheapest of all positions for these costs

    def cost(of: Floats) -> Floats:
        return 0.1 * of + demand.expected_shortage(of)

    limits = Limits(one(0), one(0), one(pack), one(np.inf))
    order = order_steps(one(level), one(position), limits, rounding="cost", cost=cost).order_units[0]

    assert cost(one(position + order))[0] == pytest.approx(min(cost(one(position + n))[0] for n in range(0, 200, pack)))


def test_rounding_by_cost_needs_a_cost() -> None:
    with pytest.raises(ValueError, match="cost"):
        order_steps(one(5), one(0), Limits(one(0), one(0), one(6), one(np.inf)), rounding="cost")


def test_a_pack_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="pack_size"):
        steps_of(5, 0, pack=0.0004)


@given(
    level=units,
    position=thousandths,
    moq=thousandths,
    pack=packs,
    display=thousandths,
    room=thousandths | st.just(np.inf),
    rounding=st.sampled_from(ROUNDINGS),
    sellable=st.none() | thousandths,
)
def test_what_holds_for_every_order(**arguments: Any) -> None:
    steps = steps_of(**arguments)
    exact = {name: Decimal(str(getattr(steps, name)[0])) for name in (*STEPS, "order_units")}
    order, position, pack = (Decimal(str(n)) for n in (steps.order_units[0], arguments["position"], arguments["pack"]))

    assert sum(exact[name] for name in STEPS) == order
    assert order % pack == 0
    assert order == 0 or order >= Decimal(str(arguments["moq"]))
    assert order == 0 or float(position + order) <= min(arguments["room"], arguments["sellable"] or np.inf)
    assert order == 0 or arguments["position"] < max(arguments["level"], arguments["display"])
    assert exact["max_stock_units"] <= 0
    assert exact["shelf_life_units"] <= 0


@given(level=st.integers(0, 60), position=st.integers(0, 60), moq=st.integers(0, 40), pack=st.integers(1, 13))
def test_order_is_the_smallest_that_satisfies_every_constraint(level: int, position: int, moq: int, pack: int) -> None:
    order = steps_of(level, position, moq, pack).order_units[0]

    smallest = next(n for n in itertools.count(0, pack) if n >= max(level - position, moq))
    assert order == (smallest if position < level else 0)
