"""Lead times as distributions: whole days, the moments that were told, and nothing that cannot be meant."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from nexgen_assets.replenishment.lead_times import (
    lead_time_pmf,
    lead_times,
    lead_times_of_moments,
    with_overtaking,
)

# a busy machine is no failure
steady = settings(deadline=None)

means = st.one_of(st.integers(0, 60).map(float), st.floats(0.01, 60))


def moments(pmf: dict[int, float]) -> tuple[float, float]:
    days, probability = np.array(list(pmf)), np.array(list(pmf.values()))
    mean = float(days @ probability)
    return mean, float(np.sqrt((days - mean) ** 2 @ probability))


def least_sd(mean: float) -> float:
    """That of the two whole days around the mean."""
    return float(np.sqrt((mean % 1) * (1 - mean % 1)))


@steady
@given(means, st.floats(0, 30))
def test_probabilities_lie_on_whole_days_side_by_side_and_add_up(mean: float, sd: float) -> None:
    pmf = lead_time_pmf(mean, sd)

    assert min(pmf) >= 0
    assert list(pmf) == list(range(min(pmf), max(pmf) + 1))
    assert min(pmf.values()) >= 0
    assert sum(pmf.values()) == pytest.approx(1, abs=1e-12)


@steady
@given(means, st.floats(0, 30))
def test_the_mean_is_the_one_told(mean: float, sd: float) -> None:
    assert moments(dict(lead_time_pmf(mean, sd)))[0] == pytest.approx(mean, abs=1e-9)


@steady
@given(st.floats(0.5, 60), st.floats(0, 3))
def test_the_standard_deviation_is_as_near_as_whole_days_allow(mean: float, cv: float) -> None:
    sd = min(cv * mean, 90.0)

    assert moments(dict(lead_time_pmf(mean, sd)))[1] == pytest.approx(max(sd, least_sd(mean)), rel=0.01, abs=0.01)


@pytest.mark.parametrize(("mean", "sd"), [(5.0, 2.0), (9.0, 3.0), (2.5, 1.0)])
def test_it_is_a_gamma_rounded_to_either_side_by_nearness(mean: float, sd: float) -> None:
    # P(l) = E[max(0, 1 - |X - l|)]; such rounding adds about 1/6 to the variance of a smooth X
    variance = sd**2 - 1 / 6
    gamma = stats.gamma(mean**2 / variance, scale=variance / mean)

    def rounded_to(day: int) -> float:
        parts = [(day - 1, day), (day, day + 1)]
        return sum(
            integrate.quad(lambda x: (1 - abs(x - day)) * gamma.pdf(x), max(a, 0), b)[0] for a, b in parts if b > 0
        )

    pmf = lead_time_pmf(mean, sd)
    assert list(pmf.values()) == pytest.approx([rounded_to(day) for day in pmf], abs=2e-3)


def test_far_too_late_is_likelier_than_far_too_early() -> None:
    pmf = lead_time_pmf(7.0, 1.5)

    assert sum(share for day, share in pmf.items() if day >= 11) > 2 * sum(
        share for day, share in pmf.items() if day <= 3
    )


@pytest.mark.parametrize(
    ("mean", "sd", "pmf"),
    [
        (7.0, 0.0, {7: 1.0}),
        (0.0, 0.0, {0: 1.0}),
        (0.0, 2.0, {0: 1.0}),
        (2.5, 0.0, {2: 0.5, 3: 0.5}),
        (2.25, 0.3, {2: 0.75, 3: 0.25}),
    ],
)
def test_without_spread_the_mean_or_the_days_around_it_are_certain(
    mean: float, sd: float, pmf: dict[int, float]
) -> None:
    assert dict(lead_time_pmf(mean, sd)) == pmf


def test_days_that_hardly_ever_happen_are_left_out() -> None:
    pmf = lead_time_pmf(7.0, 1.5)
    gamma = stats.gamma(7**2 / 1.5**2, scale=1.5**2 / 7)

    assert min(pmf) == pytest.approx(gamma.ppf(1e-4), abs=1.5)
    assert max(pmf) == pytest.approx(gamma.isf(1e-4), abs=1.5)


def test_rows_have_the_distribution_of_their_moments() -> None:
    rows = lead_times_of_moments(np.array([7, 3, 7, 2]), np.array([0.8, np.nan, 0.8, 0.0]))

    assert rows.row[rows.first].tolist() == [0, 1, 2, 3]
    assert rows.expectation(rows.days).tolist() == pytest.approx([7, 3, 7, 2])
    for row, pmf in enumerate([lead_time_pmf(7.0, 0.8), {3: 1.0}, lead_time_pmf(7.0, 0.8), {2: 1.0}]):
        told = rows.row == row
        assert dict(zip(rows.days[told].tolist(), rows.probability[told].tolist(), strict=True)) == dict(pmf)


def test_a_distribution_told_is_taken_as_it_is() -> None:
    rows = lead_times([{5: 0.1, 2: 0.6, 3: 0.3, 4: 0.0}])

    assert rows.days.tolist() == [2, 3, 5]
    assert rows.probability.tolist() == [0.6, 0.3, 0.1]
    assert rows.expectation(rows.days).tolist() == pytest.approx([2.6])


def test_no_rows_have_no_lead_times() -> None:
    rows = lead_times_of_moments(np.empty(0), np.empty(0))

    assert len(rows.row) == 0
    assert len(rows.expectation(rows.days)) == 0


@pytest.mark.parametrize("pmf", [{}, {1: 0.5}, {1: 1.5, 2: -0.5}, {-1: 1.0}, {1.5: 1.0}, {1: float("nan")}])
def test_what_is_no_distribution_over_whole_days_is_refused(pmf: dict[int, float]) -> None:
    with pytest.raises(ValueError, match="lead time"):
        lead_times([pmf])


@pytest.mark.parametrize(
    ("mean", "sd", "named"),
    [
        (-1.0, 0.0, "lead_time_days"),
        (0.001, 2.0, "lead_time_days"),
        (float("nan"), 0.0, "lead_time_days"),
        (3.0, -0.1, "lead_time_sd_days"),
        (3.0, 91.0, "correct the suppliers file"),
    ],
)
def test_moments_that_cannot_be_meant_are_refused(mean: float, sd: float, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        lead_time_pmf(mean, sd)


# ---- orders that overtake

DELAYS = {2: 0.8, 3: 0.15, 5: 0.05}


@pytest.mark.parametrize("review", [1, 2, 3, 7])
@pytest.mark.parametrize("pmf", [DELAYS, {0: 0.3, 4: 0.7}, {1: 0.2, 2: 0.2, 9: 0.6}])
def test_the_kth_arrival_comes_as_late_as_drawn_orders_say(pmf: dict[int, float], review: int) -> None:
    orders = 200_000
    placed = np.arange(orders) * review
    drawn = np.random.default_rng(1).choice(list(pmf), orders, p=list(pmf.values()))
    waited = np.sort(placed + drawn) - placed

    found = with_overtaking(lead_times([pmf]), np.array([review]))

    shares = [float((waited == day).mean()) for day in found.days]
    assert found.probability.tolist() == pytest.approx(shares, abs=0.005)


def test_overtaking_keeps_the_mean_and_each_row_its_own_terms() -> None:
    told = lead_times([DELAYS, {7: 1.0}, DELAYS])

    found = with_overtaking(told, np.array([1, 1, 7]))

    assert found.expectation(found.days).tolist() == pytest.approx([2.3, 7, 2.3])
    rows = [found.probability[found.row == row].tolist() for row in range(3)]
    assert rows[1] == [1.0]
    # orders a week apart do not overtake
    assert rows[2] == pytest.approx(list(DELAYS.values()))
    assert max(rows[0]) < 0.8
