"""Levels for each target: a service level, a fill rate, a critical ratio; and lots."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nexgen_assets.replenishment.levels import critical_ratio, fill_rate_level, levels, lot_units
from nexgen_assets.replenishment.line_policies import LinePolicies
from nexgen_assets.replenishment.policy import Policy, order_up_to_level
from nexgen_assets_tests.replenishment.distributions import Floats, Nothing, Poisson, ahead

POLICY = Policy(0.95, 1, order_line_cost=4.0, holding_rate=0.365)


def one(value: float) -> Floats:
    return np.array([float(value)])


def lines_of(rows: int = 1, kind: str = "order_up_to", review: int = 1) -> LinePolicies:
    nothing = np.full(rows, np.nan)
    return LinePolicies(
        kind=np.full(rows, kind),
        service_level=np.full(rows, 0.95),
        fill_rate=nothing,
        lot_days=nothing,
        salvage_share=np.zeros(rows),
        is_review=np.ones(rows, np.bool_),
        review_period_days=np.full(rows, review),
        next_period_days=np.full(rows, review),
        source=np.full(rows, ""),
    )


def served_share(level: int, mean_before: float, mean: float) -> float:
    """Of the demand between two receipts, the share served from stock, by adding up over all demands there may be."""
    units = np.arange(4_000)

    def short(of: float) -> float:
        return float((np.maximum(units - level, 0) * stats.poisson.pmf(units, of)).sum())

    return 1 - (short(mean) - short(mean_before)) / (mean - mean_before)


@given(st.floats(0.01, 40), st.floats(0, 40), st.floats(0.5, 0.999))
def test_the_level_is_the_smallest_that_reaches_the_fill_rate(between: float, before: float, target: float) -> None:
    [level] = fill_rate_level(Poisson(one(before + between)), Poisson(one(before)), one(target))

    assert served_share(int(level), before, before + between) >= target - 1e-6
    assert level == 0 or served_share(int(level) - 1, before, before + between) < target + 1e-6


def test_nothing_is_kept_for_a_fill_rate_of_no_demand() -> None:
    assert fill_rate_level(Nothing(2), Nothing(2), np.array([0.9, 0.99])).tolist() == [0, 0]


# Snyder & Shen 2e, example 4.3 (newspapers): salvage .12, cost .30, price 1.00 make a critical ratio of .7955
def test_the_critical_ratio_is_that_of_the_textbook() -> None:
    ratio = critical_ratio(one(1.0), one(0.3), one(0.4), otherwise=one(0.95))
    assert ratio[0] == pytest.approx(0.70 / (0.70 + 0.18))


@pytest.mark.parametrize(("price", "cost"), [(np.nan, 1.0), (1.0, np.nan), (1.0, 1.0), (1.0, 2.0)])
def test_without_a_margin_the_service_level_decides(price: float, cost: float) -> None:
    assert critical_ratio(one(price), one(cost), one(0), otherwise=one(0.9)).tolist() == [0.9]


def test_each_line_has_the_level_of_its_own_target() -> None:
    mean, lead_time = np.full(4, 24.0), np.full(4, 5)
    demand = ahead(Poisson(mean), lead_time, np.ones(4, np.int64))
    lines = replace(
        lines_of(4),
        kind=np.array(["order_up_to", "order_up_to", "newsvendor", "order_up_to"]),
        service_level=np.array([0.95, 0.8, 0.95, 0.95]),
        fill_rate=np.array([np.nan, np.nan, np.nan, 0.98]),
    )

    found = levels(demand, lines, lead_time, np.full(4, 4.0), np.full(4, 1.0))

    expected = [stats.poisson.ppf(p, 24.0) for p in (0.95, 0.8, 0.75)]
    assert found.level.tolist()[:3] == expected
    assert found.service_level.tolist()[:3] == [0.95, 0.8, 0.75]
    assert found.level[3] == fill_rate_level(Poisson(one(24)), Poisson(one(20)), one(0.98))[0]
    assert found.service_level[3] == pytest.approx(stats.poisson.cdf(found.level[3], 24.0))
    assert found.if_certain.tolist() == found.level.tolist()


@given(st.lists(st.floats(0.05, 0.999), min_size=1, max_size=6))
def test_lines_with_service_levels_of_their_own_do_not_mix(shares: list[float]) -> None:
    together = order_up_to_level(Poisson(np.full(len(shares), 9.5)), np.array(shares))
    assert together.tolist() == [order_up_to_level(Poisson(one(9.5)), share)[0] for share in shares]


def test_a_lot_is_the_economic_order_quantity() -> None:
    # K 4 per order, h 10 * .365 / 365 = .01 a day, 2 units a day: sqrt(2 * 4 * 2 / .01) = 40
    assert lot_units(lines_of(kind="min_max"), one(2), one(10), POLICY).tolist() == [40]


def test_a_lot_is_the_demand_of_its_days_where_they_are_told() -> None:
    lines = replace(lines_of(kind="reorder_quantity"), lot_days=one(14))
    assert lot_units(lines, one(2.2), one(10), POLICY).tolist() == [31]


@pytest.mark.parametrize(
    ("kind", "daily", "cost", "policy"),
    [
        ("order_up_to", 2, 10, POLICY),
        ("newsvendor", 2, 10, POLICY),
        ("min_max", 0, 10, POLICY),
        ("min_max", 2, np.nan, POLICY),
        ("min_max", 2, 10, Policy(0.95, 1)),
    ],
)
def test_without_a_reason_for_lots_there_are_none(kind: str, daily: float, cost: float, policy: Policy) -> None:
    assert lot_units(lines_of(kind=kind), one(daily), one(cost), policy).tolist() == [0]
