"""Demand distributions: scipy, sums over all that can happen and quadrature say the same."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from nexgen_assets.replenishment.formulas.distributions import (
    Demand,
    Discrete,
    Gamma,
    Lognormal,
    Mixture,
    NegativeBinomial,
    Normal,
    Poisson,
)
from nexgen_assets.replenishment.formulas.loss import (
    discrete_loss,
    gamma_loss,
    lognormal_loss,
    negative_binomial_loss,
    normal_loss,
    poisson_loss,
    standard_normal_loss,
    standard_normal_loss_inverse,
)
from nexgen_assets_tests.replenishment.formulas.oracles import expectation, loss_functions, steady

means = st.floats(0.01, 300)
levels = st.floats(-5, 400)
probabilities = st.floats(0.001, 0.999)
ratios = st.floats(1.01, 20)
units = st.dictionaries(st.integers(0, 30), st.integers(1, 50), min_size=1, max_size=6)


def table(weights: dict[int, int]) -> dict[float, float]:
    return {float(value): weight / sum(weights.values()) for value, weight in weights.items()}


def nbinom(mean: float, ratio: float) -> Any:
    return stats.nbinom(mean / (ratio - 1), 1 / ratio)


@steady
@given(st.floats(-8, 8))
def test_standard_normal_loss_is_that_of_stockpyl(z: float) -> None:
    found = standard_normal_loss(z)

    loss, complementary = loss_functions.standard_normal_loss(z)
    assert (found.loss, found.complementary) == pytest.approx((loss, complementary), abs=1e-12)
    assert found.second_order_loss == pytest.approx(loss_functions.standard_normal_second_loss(z)[0], abs=1e-12)


def test_standard_normal_loss_keeps_its_digits_in_the_far_tail() -> None:
    # Mills' series: G(z) = phi(z) / z^2 (1 - 3 / z^2 + 15 / z^4 - 105 / z^6 ...)
    z = 30.0

    series = 1 - 3 / z**2 + 15 / z**4 - 105 / z**6 + 945 / z**8
    assert standard_normal_loss(z).loss == pytest.approx(stats.norm.pdf(z) / z**2 * series, rel=1e-8)


@steady
@given(st.floats(-10, 10))
def test_the_inverse_of_the_loss_gives_its_point_back(z: float) -> None:
    assert standard_normal_loss_inverse(float(standard_normal_loss(z).loss)) == pytest.approx(z, abs=1e-7)


@steady
@given(means, st.floats(0.01, 50), st.floats(-6, 6))
def test_normal_loss_is_the_integral_of_the_tail(mean: float, sd: float, z: float) -> None:
    x = mean + z * sd
    tail = integrate.quad(lambda y: stats.norm.sf(y, mean, sd), x, mean + 12 * sd, limit=200)[0]
    found = normal_loss(x, mean, sd)
    assert found.loss == pytest.approx(tail, rel=1e-6, abs=1e-9)
    assert found.complementary == pytest.approx(x - mean + tail, rel=1e-6, abs=1e-6)


@steady
@given(means, levels)
def test_poisson_loss_is_the_sum_over_all_demands(mean: float, x: float) -> None:
    expected = expectation(stats.poisson(mean), lambda k: np.maximum(k - x, 0), 2000)
    found = poisson_loss(x, mean)
    assert found.loss == pytest.approx(expected, abs=1e-8)
    assert found.complementary == pytest.approx(x - mean + expected, abs=1e-8)


@steady
@given(st.floats(0.01, 100), ratios, levels)
def test_negative_binomial_loss_is_the_sum_over_all_demands(mean: float, ratio: float, x: float) -> None:
    expected = expectation(nbinom(mean, ratio), lambda k: np.maximum(k - x, 0))
    assert negative_binomial_loss(x, mean, mean * ratio).loss == pytest.approx(expected, rel=1e-7, abs=1e-7)


@steady
@given(st.floats(0.1, 50), st.floats(0.1, 20), st.floats(0.01, 400))
def test_gamma_loss_is_that_of_stockpyl(shape: float, scale: float, x: float) -> None:
    loss, complementary = loss_functions.gamma_loss(x, shape, scale)
    found = gamma_loss(x, shape, scale)
    assert (found.loss, found.complementary) == pytest.approx((loss, complementary), rel=1e-7, abs=1e-7)


@steady
@given(st.floats(-2, 5), st.floats(0.05, 1.5), st.floats(0.01, 300))
def test_lognormal_loss_is_that_of_stockpyl(mu: float, sigma: float, x: float) -> None:
    loss, complementary = loss_functions.lognormal_loss(x, mu, sigma)
    found = lognormal_loss(x, mu, sigma)
    assert (found.loss, found.complementary) == pytest.approx((loss, complementary), rel=1e-7, abs=1e-7)


@steady
@given(units, st.integers(-3, 35))
def test_discrete_loss_is_that_of_stockpyl(weights: dict[int, int], x: int) -> None:
    loss, complementary = loss_functions.discrete_loss(x, pmf=table(weights))
    found = discrete_loss(x, table(weights))
    assert (found.loss, found.complementary) == pytest.approx((loss, complementary), abs=1e-9)


@steady
@given(means, probabilities)
def test_poisson_quantile_is_the_smallest_sufficient_number_of_units(mean: float, p: float) -> None:
    demand = Poisson(mean)
    level = float(demand.quantile(p))
    assert demand.cdf(level) >= p - 1e-12
    assert level == 0 or float(demand.cdf(level - 1)) < p
    assert demand.cdf(level) == pytest.approx(stats.poisson.cdf(level, mean), abs=1e-12)


@steady
@given(means, ratios, probabilities)
def test_negative_binomial_quantile_is_that_of_scipy(mean: float, ratio: float, p: float) -> None:
    assert NegativeBinomial(mean, mean * ratio).quantile(p) == nbinom(mean, ratio).ppf(p)


@pytest.mark.parametrize("mean", [1e4, 1e6, 1e8])
def test_big_means_are_no_harder(mean: float) -> None:
    assert Poisson(mean).quantile(0.95) == stats.poisson.ppf(0.95, mean)
    assert Poisson(mean).expected_shortage(mean) == pytest.approx(np.sqrt(mean / 2 / np.pi), rel=1e-3)


@pytest.mark.parametrize(
    ("pmf", "p", "level"),
    [
        ({0: 0.75, 4: 0.125, 8: 0.125}, 0.75, 0),
        ({0: 0.1, 1: 0.2, 2: 0.7}, 0.3, 1),  # 0.1 + 0.2 is a little more than 0.3 in doubles
        ({0: 0.7, 1: 0.1, 2: 0.1, 3: 0.1}, 0.8, 1),  # 0.7 + 0.1 is a little less than 0.8
        ({0: 0.5, 3: 0.5}, 0.0, 0),
        ({0: 0.5, 3: 0.5}, 1.0, 3),
        ({0: 0.0, 2: 1.0}, 0.0, 2),
    ],
)
def test_a_probability_at_a_step_of_the_cdf_costs_no_further_unit(
    pmf: dict[float, float], p: float, level: float
) -> None:
    assert Discrete(pmf).quantile(p) == level


def test_a_critical_ratio_at_a_poisson_step_costs_no_further_unit() -> None:
    step = float(stats.poisson.cdf(7, 5.0))
    assert Poisson(5.0).quantile(step) == 7
    assert Poisson(5.0).quantile(step + 1e-9) == 8


@steady
@given(units, st.integers(0, 4))
def test_the_sum_of_periods_of_a_table_is_its_convolution(weights: dict[int, int], periods: int) -> None:
    once = np.bincount(list(weights), weights=list(weights.values()), minlength=31) / sum(weights.values())
    total = np.ones(1)
    for _ in range(periods):
        total = np.convolve(total, once)
    found = Discrete(table(weights)).over(periods)
    np.testing.assert_allclose(np.diff(found.cdf(np.arange(-1.0, len(total)))), total, atol=1e-12)


@pytest.mark.parametrize(
    "demand", [Poisson(2.5), NegativeBinomial(2.5, 6.0), Normal(9.0, 2.0), Gamma(2.0, 3.0)], ids=repr
)
def test_the_moments_of_independent_periods_add_up(demand: Demand) -> None:
    total = demand.over(3)
    assert (total.mean, total.variance) == pytest.approx((3 * demand.mean, 3 * demand.variance))


def test_the_sum_of_negative_binomial_days_is_their_convolution() -> None:
    daily = stats.nbinom(2, 0.4).pmf(np.arange(400))
    week = np.ones(1)
    for _ in range(7):
        week = np.convolve(week, daily)
    found = NegativeBinomial(3.0, 7.5).over(7)
    np.testing.assert_allclose(found.cdf(np.arange(80.0)), np.cumsum(week)[:80], atol=1e-12)


def test_a_negative_binomial_of_equal_moments_is_a_poisson() -> None:
    x = np.arange(20.0)
    wide, narrow = NegativeBinomial(4.0, 4.0), Poisson(4.0)
    np.testing.assert_allclose(wide.cdf(x), narrow.cdf(x))
    np.testing.assert_allclose(wide.expected_shortage(x), narrow.expected_shortage(x))
    np.testing.assert_allclose(NegativeBinomial(4.0, 4.0 + 1e-7).cdf(x), narrow.cdf(x), atol=1e-6)


@pytest.mark.parametrize(
    "demand",
    [
        Poisson(0.0),
        NegativeBinomial(0.0, 0.0),
        Normal(0.0, 0.0),
        Discrete({0: 1.0}),
        Mixture([Poisson(0.0), Normal(0.0, 0.0)], [0.5, 0.5]),
    ],
    ids=lambda d: type(d).__name__,
)
def test_no_demand_needs_no_stock(demand: Demand) -> None:
    assert demand.quantile(0.99) == pytest.approx(0, abs=1e-12)
    assert (demand.cdf(0.0), demand.expected_shortage(0.0), demand.expected_shortage(-2.0)) == (1, 0, 2)


def test_a_mixture_is_what_drawing_from_it_shows() -> None:
    demand = Mixture([Gamma(4.0, 2.0), Normal(30.0, 3.0)], [0.7, 0.3])
    rng = np.random.default_rng(1)
    drawn = np.where(rng.random(400_000) < 0.7, rng.gamma(4.0, 2.0, 400_000), rng.normal(30.0, 3.0, 400_000))

    level = float(demand.quantile(0.9))
    assert (drawn <= level).mean() == pytest.approx(0.9, abs=0.002)
    assert (demand.mean, np.sqrt(demand.variance)) == pytest.approx((drawn.mean(), drawn.std()), rel=0.005)
    assert demand.expected_shortage(20.0) == pytest.approx(np.maximum(drawn - 20, 0).mean(), rel=0.01)


def test_parameters_that_are_arrays_give_arrays() -> None:
    demand = Poisson(np.array([0.0, 0.5, 40.0]))
    assert demand.quantile(0.9).tolist() == [float(Poisson(m).quantile(0.9)) for m in (0.0, 0.5, 40.0)]
    assert demand.expected_shortage(np.array([0.0, 1.0, 45.0])).shape == (3,)


def test_an_unbounded_demand_has_no_finite_certain_level() -> None:
    assert Poisson(3.0).quantile(1.0) == np.inf
    assert Normal(3.0, 1.0).quantile(1.0) == np.inf


@pytest.mark.parametrize(
    ("refused", "reason"),
    [
        (lambda: Poisson(-1.0), "mean must not be negative"),
        (lambda: Poisson(float("nan")), "mean must be a finite number"),
        (lambda: Normal(1.0, -1.0), "sd must not be negative"),
        (lambda: NegativeBinomial(4.0, 3.0), "use a Poisson"),
        (lambda: Gamma(0.0, 1.0), "shape must be greater than 0"),
        (lambda: Discrete({0: 0.5, 1: 0.4}), "sum to 1"),
        (lambda: Discrete({0: 1.5, 1: -0.5}), "must not be negative"),
        (lambda: Discrete({0.5: 1.0}).over(2), "not whole units"),
        (lambda: Discrete.of_samples([]), "at least one observation"),
        (lambda: Lognormal(1.0, 0.5).over(2), "no closed form"),
        (lambda: Mixture([Poisson(1.0)], [0.5, 0.5]), "a weight for each component"),
        (lambda: Poisson(1.0).quantile(1.1), "p must lie within 0 and 1"),
        (lambda: standard_normal_loss_inverse(0.0), "loss must be greater than 0"),
    ],
)
def test_what_cannot_be_meant_is_refused(refused: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        refused()
