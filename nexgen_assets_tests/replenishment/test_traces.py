"""One product day by day, beside a slow model that moves single units with their last day."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexgen_assets.replenishment.traces import PolicyTrace, trace_policy

CASES = json.loads(Path(__file__).with_name("simulation_cases.json").read_text())["simulator"]


def answered(case: dict[str, Any]) -> PolicyTrace:
    """The case's inputs as they stand, each under the name the function gives it."""
    i, policy, money = case["inputs"], case["inputs"]["policy"], case["inputs"]["costs"]
    life = {"shelf_life_on_receipt": "shelf_life_days", "initial_remaining_life": "initial_life_days"}
    return trace_policy(
        i["demand"],
        lead_time_days=i["lead_time"],
        initial_on_hand=i["initial_on_hand"],
        order_up_to_level=policy["S"],
        reorder_point=policy.get("s"),
        review_period_days=policy.get("review_every", 1),
        **{name: i[given_name] for given_name, name in life.items() if given_name in i},
        holding_cost=money["holding_per_unit_day"],
        lost_sale_cost=money["lost_sale_per_unit"],
        order_cost=money["order_fixed"],
        waste_cost=money["waste_per_unit"],
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_a_reference_case_is_answered(case: dict[str, Any]) -> None:
    found, expected = answered(case), case["expected"]
    renamed = {"on_hand": "on_hand_end", "on_order": "on_order_after"}
    days = [{renamed.get(name, name): value for name, value in day._asdict().items()} for day in found.days]
    assert days == expected["rows"]
    sums = vars(found) | {"mean_on_hand_end": found.average_on_hand}
    assert {name: sums[name] for name in expected if name != "rows"} == pytest.approx(
        {name: value for name, value in expected.items() if name != "rows"}, rel=1e-12
    )


class Timing(NamedTuple):
    """Days."""

    lead_time_days: int
    review_period_days: int
    first_review_day: int
    shelf_life_days: int
    initial_life_days: int


TIMINGS = st.builds(
    Timing, st.integers(0, 5), st.integers(1, 7), st.integers(0, 6), st.integers(1, 6), st.integers(1, 6)
)


def unit_by_unit(demand: list[int], start: int, point: int, level: int, timing: Timing) -> list[tuple[int, ...]]:
    """Single units, each with the last day on which it can be sold; no arrays, no code of ours."""
    lead, review, first, life, start_life = timing
    shelf, due, rows = [start_life - 1] * start, dict[int, int](), []
    for day, wanted in enumerate(demand):
        received = due.pop(day, 0)
        shelf = sorted(shelf + [day + life - 1] * received)
        sold = min(wanted, len(shelf))
        shelf = shelf[sold:]
        waste = sum(last <= day for last in shelf)
        shelf = [last for last in shelf if last > day]
        position, ordered = len(shelf) + sum(due.values()), 0
        if day >= first and (day - first) % review == 0 and position <= point:
            ordered = max(level - position, 0)
            due[day + 1 + lead] = ordered
        rows.append((day, received, wanted, sold, wanted - sold, waste, len(shelf), ordered, sum(due.values())))
    return rows


@settings(deadline=None)
@given(
    demand=st.lists(st.integers(0, 9), min_size=1, max_size=25),
    start=st.integers(0, 20),
    levels=st.tuples(st.integers(0, 30), st.integers(0, 30)),
    timing=TIMINGS,
)
def test_any_policy_and_any_shelf_life_is_what_single_units_do(
    demand: list[int], start: int, levels: tuple[int, int], timing: Timing
) -> None:
    point, level = sorted(levels)
    terms: dict[str, Any] = timing._asdict() | {"initial_on_hand": start, "order_up_to_level": level}

    assert trace_policy(demand, reorder_point=point, **terms).days == unit_by_unit(demand, start, point, level, timing)
    assert trace_policy(demand, **terms).days == unit_by_unit(demand, start, level, level, timing)


def test_a_reorder_point_with_a_quantity_orders_it_once_per_review() -> None:
    found = trace_policy([9, 0, 0, 0], lead_time_days=1, initial_on_hand=10, reorder_point=5, order_quantity=4)
    assert [day.ordered for day in found.days] == [4, 4, 0, 0]


def test_orders_obey_the_minimum_the_pack_and_the_room() -> None:
    found = trace_policy(
        [4, 3, 0],
        lead_time_days=[2, 0, 0],
        initial_on_hand=8,
        order_up_to_level=9,
        min_order_quantity=8,
        pack_size=6,
        max_stock=17,
    )
    # 5 units are needed: 8 at least, 12 in packs, 16 on the way: no room for another pack
    assert [(day.received, day.ordered, day.on_hand) for day in found.days] == [(0, 12, 4), (0, 0, 1), (0, 0, 1)]


def test_without_demand_there_is_no_fill_rate_and_no_order() -> None:
    found = trace_policy([0, 0], lead_time_days=0, initial_on_hand=3, order_up_to_level=3)
    assert str(found.fill_rate) == "nan"
    assert found.orders == 0


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ({}, "a policy is"),
        ({"reorder_point": 3}, "a policy is"),
        ({"order_up_to_level": 5, "order_quantity": 3}, "a policy is"),
        ({"order_up_to_level": 5, "reorder_point": 6}, "below reorder_point"),
        ({"order_up_to_level": 5, "pack_size": 0}, "pack_size must be greater than 0"),
        ({"order_up_to_level": 5, "shelf_life_days": 0}, "shelf_life_days must be"),
    ],
)
def test_what_cannot_be_meant_is_refused(policy: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        trace_policy([1, 2], lead_time_days=1, initial_on_hand=3, **policy)
