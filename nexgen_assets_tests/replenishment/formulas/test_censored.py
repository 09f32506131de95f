"""Censored demand: the estimates are the most likely ones, and come near the truth where the means of sales do not."""

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import optimize, stats

from nexgen_assets.replenishment.formulas.censored import (
    demand_of_partial_day,
    normal_moments_of_censored_sales,
    poisson_mean_of_censored_sales,
)
from nexgen_assets_tests.replenishment.formulas.oracles import steady

poisson_days = st.lists(st.tuples(st.integers(0, 40), st.booleans()), min_size=2, max_size=15)
normal_days = st.lists(st.tuples(st.floats(0, 40), st.booleans()), min_size=2, max_size=15)


def columns(days: list[tuple[Any, bool]]) -> tuple[np.ndarray, np.ndarray]:
    sales, is_out = zip(*days, strict=True)
    return np.array(sales, np.float64), np.array(is_out)


@steady
@given(poisson_days)
def test_no_poisson_mean_is_more_likely(days: list[tuple[int, bool]]) -> None:
    sales, is_out = columns(days)
    assume(not is_out.all())
    found = poisson_mean_of_censored_sales(sales, is_out)

    def unlikeliness(means: np.ndarray) -> np.ndarray:
        log_tails = stats.poisson.logsf(sales[is_out] - 1, means[:, None])
        return -(stats.poisson.logpmf(sales[~is_out], means[:, None]).sum(axis=1) + log_tails.sum(axis=1))

    best = unlikeliness(np.array([max(found.mean, 1e-9)]))[0]
    assert best <= unlikeliness(np.linspace(1e-6, 120, 2000)).min() + 1e-6


@steady
@given(poisson_days)
def test_the_estimate_of_a_poisson_mean_is_never_below_the_mean_of_the_sales(days: list[tuple[int, bool]]) -> None:
    sales, is_out = columns(days)
    assume(not is_out.all())
    found = poisson_mean_of_censored_sales(sales, is_out)
    assert found.mean >= found.naive_mean - 1e-9
    assert found.naive_mean == pytest.approx(sales.mean())


@steady
@given(normal_days)
def test_no_normal_moments_are_more_likely(days: list[tuple[float, bool]]) -> None:
    sales, is_out = columns(days)
    assume((~is_out).sum() > 1 and np.ptp(sales[~is_out]) > 1)
    found = normal_moments_of_censored_sales(sales, is_out)

    def unlikeliness(point: Any) -> float:
        mean, sd = point[0], np.exp(point[1])
        log_tail = stats.norm.logsf(sales[is_out], mean, sd)
        return -float(stats.norm.logpdf(sales[~is_out], mean, sd).sum() + log_tail.sum())

    best = unlikeliness((found.mean, np.log(found.sd)))
    other = optimize.minimize(unlikeliness, [sales.mean() + 1, np.log(sales.std() + 1)], method="Nelder-Mead")
    assert best <= other.fun + 1e-6
    assert found.mean >= found.naive_mean - 1e-6


def test_without_stockouts_the_estimates_are_the_plain_moments() -> None:
    sales = [3.0, 5.0, 10.0]
    poisson = poisson_mean_of_censored_sales(sales, [False] * 3)
    normal = normal_moments_of_censored_sales(sales, [False] * 3)
    assert poisson.mean == poisson.naive_mean == poisson.in_stock_mean == 6
    assert (normal.mean, normal.sd) == pytest.approx((6, np.std(sales)))


def test_dropping_the_stockout_days_is_worse_than_taking_sales_for_demand() -> None:
    demand = np.random.default_rng(3).poisson(6.0, 5000)
    sales, is_out = np.minimum(demand, 7), demand >= 7
    found = poisson_mean_of_censored_sales(sales, is_out)
    assert found.in_stock_mean < found.naive_mean < 5.6
    assert found.mean == pytest.approx(6.0, abs=0.1)


def test_normal_demand_is_found_behind_its_censored_sales() -> None:
    demand = np.random.default_rng(4).normal(100.0, 20.0, 5000)
    stock = np.where(np.arange(5000) % 2, 90.0, 115.0)
    found = normal_moments_of_censored_sales(np.minimum(demand, stock), demand >= stock)
    assert (found.mean, found.sd) == pytest.approx((100, 20), rel=0.02)


def test_sales_of_any_size_are_answered() -> None:
    assert poisson_mean_of_censored_sales([1, 0, 2000], [0, 0, 1]).mean > 2001 / 3
    far = normal_moments_of_censored_sales([1e6, 1.1e6, 1.2e6, 1.15e6], [0, 0, 0, 1])
    near = normal_moments_of_censored_sales([0.0, 0.1, 0.2, 0.15], [0, 0, 0, 1])
    assert (far.mean - 1e6, far.sd) == pytest.approx((near.mean * 1e6, near.sd * 1e6), rel=1e-5)


def test_days_that_sold_out_of_nothing_tell_nothing() -> None:
    found = poisson_mean_of_censored_sales([4, 6, 0, 0], [0, 0, 1, 1])
    assert (found.mean, found.naive_mean) == (5, 2.5)


def test_sales_without_spread_have_none() -> None:
    found = normal_moments_of_censored_sales([5.0, 5.0, 3.0], [0, 0, 1])
    assert (found.mean, found.sd) == (5, 0)


@pytest.mark.parametrize(("hours", "demand"), [(4, 6), (2, 20), (2.5, 6 * 10 / 4.5), (1, 60)])
def test_a_day_that_sold_out_early_is_scaled_by_its_usual_course(hours: float, demand: float) -> None:
    assert demand_of_partial_day(6, [1, 2, 3, 4], hours) == pytest.approx(demand)


@pytest.mark.parametrize(
    ("refused", "reason"),
    [
        (lambda: poisson_mean_of_censored_sales([3, 4], [1, 1]), "every day sold out"),
        (lambda: poisson_mean_of_censored_sales([0, 0], [1, 1]), "never any stock"),
        (lambda: poisson_mean_of_censored_sales([3.5], [0]), "sales must be a whole number"),
        (lambda: poisson_mean_of_censored_sales([-1], [0]), "sales must not be negative"),
        (lambda: poisson_mean_of_censored_sales([3, 4], [1]), "stockout flag"),
        (lambda: poisson_mean_of_censored_sales([], []), "stockout flag"),
        (lambda: normal_moments_of_censored_sales([3, 4], [1, 1]), "every day sold out"),
        (lambda: normal_moments_of_censored_sales([3], [0]), "at least two days"),
        (lambda: demand_of_partial_day(3, [0, 0, 5], 2), "nothing is usually sold"),
        (lambda: demand_of_partial_day(3, [1, 1], 3), "hours_in_stock must lie within 0 and 2"),
    ],
)
def test_what_cannot_be_meant_is_refused(refused: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        refused()
