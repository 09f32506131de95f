"""The stock simulation of the sample data: weekly review, order-up-to level, lead time, packs."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexgen_assets.sample_data.stock import StockPath, order_up_to_level, simulate_stock

series = st.lists(st.integers(0, 30), min_size=1, max_size=40)


def run_one(
    demand: list[int], *, lead_time: int = 2, pack_size: int = 6, first_review: int = 0, rate: float = 4.0
) -> StockPath:
    return simulate_stock(
        np.array([demand]),
        np.full((1, len(demand)), rate),
        lead_time=np.array([lead_time]),
        pack_size=np.array([pack_size]),
        first_review=np.array([first_review]),
        safety_factor=1.0,
    )


def test_the_level_covers_mean_demand_and_a_multiple_of_its_poisson_spread():
    level = order_up_to_level(np.array([4.0]), np.array([9]), factor=1.5)
    assert level.tolist() == [36 + 9]


def test_an_order_reviewed_at_the_close_of_day_0_with_lead_time_2_is_sellable_on_day_3():
    # level for 9 days of 4 units: 36 + 6 = 42; day 0 sells 10, so 10 are missing: two packs of 6
    path = run_one([10, 0, 0, 0, 0])
    assert path.on_hand.tolist() == [[32, 32, 32, 44, 44]]
    assert path.on_order.tolist() == [[0, 12, 12, 0, 0]]
    assert path.next_due.tolist() == [[-1, 3, 3, -1, -1]]


def test_a_late_supplier_delivers_later_by_the_delay():
    path = simulate_stock(
        np.array([[10, 0, 0, 0, 0, 0]]),
        np.full((1, 6), 4.0),
        lead_time=np.array([2]),
        pack_size=np.array([6]),
        first_review=np.array([0]),
        safety_factor=1.0,
        delay=np.array([[2, 0, 0, 0, 0, 0]]),
    )
    assert path.on_hand.tolist() == [[32, 32, 32, 32, 32, 44]]


@given(
    demand=series,
    lead_time=st.integers(0, 9),
    pack_size=st.integers(1, 12),
    first_review=st.integers(0, 6),
    rate=st.floats(0, 15),
)
def test_the_vectorised_run_equals_a_plain_loop_over_one_series(
    demand: list[int], lead_time: int, pack_size: int, first_review: int, rate: float
):
    mean = rate * (lead_time + 7)
    level = max(math.ceil(mean + math.sqrt(mean)), 1)
    stock, orders, expected = level, {}, []
    for day, wanted in enumerate(demand):
        stock += orders.pop(day, 0)
        sold = min(wanted, stock)
        stock -= sold
        expected.append((sold, stock, sum(orders.values()), min(orders, default=-1)))
        missing = level - stock - sum(orders.values())
        if day % 7 == first_review and missing > 0:
            orders[day + 1 + lead_time] = math.ceil(missing / pack_size) * pack_size

    path = run_one(demand, lead_time=lead_time, pack_size=pack_size, first_review=first_review, rate=rate)

    actual = np.stack([path.sold[0], path.on_hand[0], path.on_order[0], path.next_due[0]], axis=1)
    assert actual.tolist() == [list(row) for row in expected]


@given(demand=series)
def test_no_more_is_sold_than_wanted_and_the_stock_is_never_negative(demand: list[int]):
    path = run_one(demand)
    assert (path.sold <= np.array([demand])).all()
    assert (path.on_hand >= 0).all()


@pytest.mark.parametrize("pack_size", [1, 6, 12])
def test_orders_are_full_packs(pack_size: int):
    path = run_one([5] * 40, pack_size=pack_size)
    assert (path.on_order % pack_size == 0).all()
    assert path.on_order.any()
