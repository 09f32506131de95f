"""What an order is expected to prevent, against day-by-day simulated lost sales."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexgen_assets.replenishment.policy import Policy
from nexgen_assets.replenishment.risk import Risk, risk
from nexgen_assets_tests.replenishment.distributions import Floats, Poisson, ahead

RUNS = 200_000
REVIEW = 2
POLICY = Policy(0.95, REVIEW)


def one(value: float) -> Floats:
    return np.array([float(value)])


def risk_of(daily_mean: float, lead_time: int, position: float, order: float) -> Risk:
    demand = Poisson(one(daily_mean * (lead_time + REVIEW)))
    return risk(ahead(demand, np.array([lead_time]), np.array([POLICY.review_period_days])), one(position), one(order))


def lived(daily_mean: float, lead_time: int, position: float, order: float) -> dict[str, float]:
    """The same, counted: stock is sold, customers do not wait, the order comes after the lead time."""
    rng = np.random.default_rng(7)
    before, after = (rng.poisson(daily_mean * days, RUNS).astype(np.float64) for days in (lead_time, REVIEW))
    lost_before = np.maximum(before - position, 0)
    lost_after = np.maximum(after - (np.maximum(position - before, 0) + order), 0)
    return {
        "before": lost_before.mean(),
        "after": lost_after.mean(),
        "stockout": ((lost_before > 0) | (lost_after > 0)).mean(),
        "fill_rate": 1 - lost_after.mean() / after.mean(),
    }


CASES = [(3.0, 2, 8, 6), (3.0, 2, 4, 8), (0.4, 5, 1, 2), (10.0, 7, 20, 70), (10.0, 0, 12, 15), (2.0, 4, 16, 0)]


@pytest.mark.parametrize("case", CASES)
def test_no_order_is_promised_more_than_it_brings(case: tuple[float, int, float, float]) -> None:
    found, truth, noise = risk_of(*case), lived(*case), 0.03

    assert found.expected_lost_units_until_receipt[0] == pytest.approx(truth["before"], abs=noise)
    assert found.expected_lost_units_with_order[0] >= truth["before"] + truth["after"] - noise
    assert found.stockout_probability_with_order[0] >= truth["stockout"] - noise
    assert found.promised_fill_rate[0] <= truth["fill_rate"] + noise / 5


@pytest.mark.parametrize(
    "case", [(3.0, 2, 11, 5), (0.4, 5, 4, 2), (10.0, 7, 85, 20), (10.0, 0, 12, 15), (2.0, 4, 16, 0)]
)
def test_promises_are_close_where_the_stock_is_likely_to_last_until_the_receipt(
    case: tuple[float, int, float, float],
) -> None:
    found, truth = risk_of(*case), lived(*case)

    assert found.promised_fill_rate[0] == pytest.approx(truth["fill_rate"], abs=0.025)
    assert found.stockout_probability_with_order[0] == pytest.approx(truth["stockout"], abs=0.03)


@given(
    daily_mean=st.floats(0, 20),
    lead_time=st.integers(0, 10),
    position=st.integers(0, 200),
    orders=st.tuples(st.integers(0, 100), st.integers(0, 100)).map(sorted),
)
def test_a_larger_order_never_promises_less(
    daily_mean: float, lead_time: int, position: int, orders: list[int]
) -> None:
    less, more = (risk_of(daily_mean, lead_time, position, order) for order in orders)

    assert more.expected_lost_units_with_order[0] <= less.expected_lost_units_with_order[0] + 1e-9
    assert more.stockout_probability_with_order[0] <= less.stockout_probability_with_order[0] + 1e-9
    assert less.expected_lost_units_with_order[0] <= less.expected_lost_units[0] + 1e-9
    assert daily_mean == 0 or more.promised_fill_rate[0] >= less.promised_fill_rate[0] - 1e-9


def test_nothing_expected_promises_no_fill_rate() -> None:
    assert np.isnan(risk_of(0, 3, 5, 0).promised_fill_rate[0])
