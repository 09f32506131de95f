"""Goods that expire: the largest stock that is sold in time, found by trying every one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nexgen_assets.replenishment.ahead import DemandOver
from nexgen_assets.replenishment.expiry import days_to_sell, expected_waste, sellable_position
from nexgen_assets_tests.replenishment.distributions import Floats, Poisson


def at_rates(*rates: float) -> DemandOver:
    return lambda which, lengths: Poisson(np.array(rates)[which] * lengths)


def waste(mean: float, position: int) -> float:
    """E[(position - demand)+] of Poisson demand, summed up."""
    units = np.arange(position + 1)
    return float(((position - units) * stats.poisson.pmf(units, mean)).sum())


def sellable(rate: float, days: int, wanted: float, share: float) -> float:
    rows, until = np.array([0]), np.array([days])
    return sellable_position(at_rates(rate), rows, until, np.array([wanted], np.float64), share)[0]


@pytest.mark.parametrize(("life", "days"), [(5.0, 8), (1.0, 4), (0.5, 4), (0.0, 4), (2.9, 5)])
def test_an_order_is_sold_from_its_receipt_until_its_life_is_over(life: float, days: int) -> None:
    # it can be sold on day 4; of a life of 5 days that is the first
    assert days_to_sell(np.array([3]), np.array([life])).tolist() == [days]


def test_expected_waste_is_what_demand_leaves() -> None:
    found = expected_waste(Poisson(np.array([4.0, 4.0])), np.array([6.0, 0.0]))

    assert found == pytest.approx([waste(4.0, 6), 0])


@given(
    rate=st.floats(0.01, 20),
    days=st.integers(1, 20),
    wanted=st.integers(0, 120),
    share=st.sampled_from([0, 0.1, 0.2, 1]),
)
def test_the_largest_stock_with_little_enough_waste_is_found(rate: float, days: int, wanted: int, share: float) -> None:
    allowed = [n for n in range(wanted + 1) if waste(rate * days, n) <= share * n + 1e-9]

    assert min(sellable(rate, days, wanted, share), wanted) == max(allowed)


def test_a_stock_that_is_sold_in_time_is_not_limited() -> None:
    assert sellable(10, 5, 30, 0.2) == np.inf


def test_a_fraction_of_a_unit_counts_as_more_than_the_whole_units_below() -> None:
    assert waste(4, 5) <= 0.3 * 5
    assert waste(4, 6) > 0.3 * 6
    assert sellable(4, 1, 5.75, 0.3) in (5, np.inf)
    assert sellable(4, 1, 6.25, 0.3) == 5


def test_rows_are_limited_by_their_own_demand() -> None:
    rows, days, wanted = np.array([0, 2]), np.array([3, 3]), np.array([9.0, 9.0])

    found: Floats = sellable_position(at_rates(0.1, 50.0, 50.0), rows, days, wanted, 0.2)

    assert found.tolist() == [0, np.inf]
