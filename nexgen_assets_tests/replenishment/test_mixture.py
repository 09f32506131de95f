"""Demand over a random interval: textbook levels, and a distribution that agrees with itself and with draws from it."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from nexgen_assets.forecasting.interval import IntervalDemand
from nexgen_assets.forecasting.quantiles import LEVELS
from nexgen_assets.replenishment.lead_times import lead_times, lead_times_of_moments
from nexgen_assets.replenishment.mixture import MixedDemand
from nexgen_assets.replenishment.policy import order_up_to_level
from nexgen_assets_tests.replenishment.distributions import Floats, Normal, Poisson

# a busy machine is no failure

PMFS = st.dictionaries(st.integers(0, 20), st.integers(1, 20), min_size=1, max_size=7).map(
    lambda weights: {day: weight / sum(weights.values()) for day, weight in weights.items()}
)
SHARES = st.floats(0.001, 0.999)


def poisson(daily_mean: float, *pmfs: dict[int, float], review: int = 1) -> MixedDemand:
    """Poisson demand of each row until the order after the next arrives."""
    told = lead_times(pmfs)
    return MixedDemand(Poisson(daily_mean * (told.days + float(review))), told)


def of_knots(seed: int, pmfs: list[dict[int, float]]) -> MixedDemand:
    """Forecast demand as of a model: more in longer intervals, some quantiles equal, tails exponential."""
    rng = np.random.default_rng(seed)
    told = lead_times(pmfs)
    knots = np.sort(rng.gamma(0.7, 10, (len(told.days), len(LEVELS))), axis=1) * (told.days[:, None] + 1)
    knots = np.where(rng.random() < 0.5, np.round(knots), knots)
    return MixedDemand(IntervalDemand(knots.mean(axis=1), told.days > 9, knots), told)


# Poisson demand of 4 a day, lead time 2, 3 or 5 days, daily review (Axsater, Inventory Control, 3e, section 5.7)
@pytest.mark.parametrize(
    ("service_level", "level", "achieved"),
    [(0.9, 21, 0.9009857260156477), (0.95, 25, 0.9590704446055152), (0.99, 30, 0.990242964)],
)
def test_level_of_a_random_lead_time_is_the_textbook_base_stock(
    service_level: float, level: int, achieved: float
) -> None:
    demand = poisson(4, {2: 0.6, 3: 0.3, 5: 0.1})

    result = order_up_to_level(demand, service_level)

    assert result.tolist() == [level]
    assert demand.cdf(result)[0] == pytest.approx(achieved)
    assert demand.cdf(result - 1)[0] < service_level
    assert demand.mean[0] == pytest.approx(14.4)


def test_mean_and_variance_are_the_textbook_ones() -> None:
    # E[X] = mean_D (E[L] + R), Var[X] = sd_D^2 (E[L] + R) + mean_D^2 Var[L]
    told = lead_times_of_moments(np.array([6.0]), np.array([2.0]))
    days = told.days + 1.0
    demand = MixedDemand(Normal(20 * days, 8 * np.sqrt(days)), told)

    drawn = np.array([demand.quantile(p)[0] for p in (np.arange(400) + 0.5) / 400])

    assert demand.mean[0] == pytest.approx(20 * 7)
    assert drawn.mean() == pytest.approx(20 * 7, rel=2e-3)
    assert drawn.std() == pytest.approx(np.sqrt(8**2 * 7 + 20**2 * 2.0**2), rel=0.02)


@given(pmf=PMFS, daily_mean=st.floats(0.05, 30), p=SHARES)
def test_quantile_of_whole_units_is_the_smallest_that_suffices(
    pmf: dict[int, float], daily_mean: float, p: float
) -> None:
    exact = np.arange(0, 2_000)
    cdf = sum(share * stats.poisson.cdf(exact, daily_mean * (day + 1)) for day, share in pmf.items())
    smallest = int(np.argmax(cdf >= p - 1e-12))

    assert poisson(daily_mean, pmf).quantile(p)[0] == pytest.approx(smallest, abs=1e-6)


@given(pmfs=st.lists(PMFS, min_size=1, max_size=4), p=SHARES, seed=st.integers(0, 999))
def test_a_quantile_is_enough_and_no_more_than_that(pmfs: list[dict[int, float]], p: float, seed: int) -> None:
    demand = of_knots(seed, pmfs)

    units = demand.quantile(p)

    assert (demand.cdf(units) >= p - 1e-12).all()
    less = units - 1e-6
    assert ((demand.cdf(less) < p) | (less < 0)).all()


@given(pmfs=st.lists(PMFS, min_size=1, max_size=4), a=SHARES, b=SHARES, seed=st.integers(0, 999))
def test_quantiles_never_fall(pmfs: list[dict[int, float]], a: float, b: float, seed: int) -> None:
    demand = of_knots(seed, pmfs)
    low, high = (demand.quantile(p) for p in sorted((a, b)))

    assert (low <= high + 1e-6).all()


@settings(max_examples=30)
@given(pmf=PMFS, seed=st.integers(0, 999), x=st.floats(0, 400))
def test_expected_shortage_is_the_integral_of_the_probability_of_more(
    pmf: dict[int, float], seed: int, x: float
) -> None:
    demand = of_knots(seed, [pmf])
    at = np.linspace(x, max(x, float(demand.quantile(1 - 1e-9)[0])) + 1, 2_001)
    more = 1 - np.array([demand.cdf(np.array([units]))[0] for units in at])

    assert demand.expected_shortage(np.array([x]))[0] == pytest.approx(np.trapezoid(more, at), rel=0.01, abs=0.05)


def test_it_is_the_distribution_of_drawing_first_a_lead_time_and_then_its_demand() -> None:
    pmf = {2: 0.5, 4: 0.3, 9: 0.2}
    rng = np.random.default_rng(8)
    days = rng.choice(list(pmf), 400_000, p=list(pmf.values()))
    drawn = rng.poisson(3.5 * (days + 7)).astype(float)

    demand = poisson(3.5, pmf, review=7)

    assert demand.mean[0] == pytest.approx(drawn.mean(), rel=2e-3)
    for x in (20.0, 35.0, 50.0, 65.0):
        assert demand.cdf(np.array([x]))[0] == pytest.approx(np.mean(drawn <= x), abs=3e-3)
        assert demand.expected_shortage(np.array([x]))[0] == pytest.approx(np.maximum(drawn - x, 0).mean(), abs=0.05)


@given(days=st.lists(st.integers(0, 20), min_size=1, max_size=5), p=SHARES, seed=st.integers(0, 999))
def test_where_the_lead_time_is_certain_all_is_as_in_its_part(days: list[int], p: float, seed: int) -> None:
    demand = of_knots(seed, [{day: 1.0} for day in days])
    x = np.linspace(0, 90, len(days))

    assert demand.quantile(p).tolist() == demand.parts.quantile(p).tolist()
    assert demand.mean.tolist() == demand.parts.mean.tolist()
    assert demand.cdf(x).tolist() == demand.parts.cdf(x).tolist()
    assert demand.expected_shortage(x).tolist() == demand.parts.expected_shortage(x).tolist()


def test_no_row_depends_on_its_neighbours() -> None:
    pmfs = [{2: 0.6, 3: 0.3, 5: 0.1}, {4: 1.0}, {1: 0.5, 9: 0.5}]

    together = poisson(4, *pmfs).quantile(0.95)

    assert together.tolist() == pytest.approx([poisson(4, pmf).quantile(0.95)[0] for pmf in pmfs], abs=1e-6)


@given(
    mean=st.integers(1, 20),
    shares=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    daily_mean=st.floats(0.05, 50),
    service_level=st.floats(0.8, 0.995),
)
def test_a_less_certain_lead_time_never_lowers_the_level(
    mean: int, shares: tuple[float, float], daily_mean: float, service_level: float
) -> None:
    # below a service level of 0.8 it may: most deliveries of a skewed lead time come before its mean
    told = [lead_times_of_moments(np.array([mean]), np.array([share * mean])) for share in sorted(shares)]
    more, less = (
        order_up_to_level(MixedDemand(Poisson(daily_mean * (each.days + 1.0)), each), service_level)[0]
        for each in reversed(told)
    )

    assert less <= more


@dataclass(frozen=True)
class Certain:
    """Demand of these totals, for sure."""

    mean: Floats

    @property
    def is_beyond_horizon(self) -> NDArray[np.bool_]:
        return np.zeros(len(self.mean), np.bool_)

    def quantile(self, _p: float | Floats, /) -> Floats:
        return self.mean

    def cdf(self, x: Floats, /) -> Floats:
        return (self.mean <= x).astype(np.float64)

    def expected_shortage(self, x: Floats, /) -> Floats:
        return np.maximum(self.mean - x, 0)


@pytest.mark.parametrize("twelfths", range(1, 12))
def test_a_probability_met_exactly_is_enough(twelfths: int) -> None:
    # in doubles, six twelfths added up are less than a half
    demand = MixedDemand(Certain(np.arange(1.0, 13.0)), lead_times([dict.fromkeys(range(12), 1 / 12)]))

    assert order_up_to_level(demand, twelfths / 12).tolist() == [twelfths]


def test_an_interval_that_may_reach_beyond_the_forecast_says_so() -> None:
    assert of_knots(1, [{2: 0.9, 12: 0.1}, {2: 0.9, 5: 0.1}]).is_beyond_horizon.tolist() == [True, False]


def test_no_rows_have_no_demand() -> None:
    demand = MixedDemand(Poisson(np.empty(0)), lead_times([]))

    assert demand.quantile(0.95).tolist() == demand.mean.tolist() == demand.cdf(np.empty(0)).tolist() == []


@pytest.mark.parametrize("p", [1.0, -0.1])
def test_what_is_no_probability_has_no_quantile(p: float) -> None:
    with pytest.raises(ValueError, match="probability"):
        of_knots(1, [{2: 0.5, 3: 0.5}]).quantile(p)
