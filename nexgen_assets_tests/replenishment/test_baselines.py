"""Baselines: levels by hand and beside slow oracles, from demand up to the day alone."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexgen_assets.replenishment.baselines import (
    DemandMoments,
    days_of_supply_levels,
    moving_average_moments,
    weekday_moments,
)
from nexgen_assets.replenishment.lead_times import lead_times
from nexgen_assets.replenishment.order_rules import BaseStock
from nexgen_assets.replenishment.simulation import scenario, simulate
from nexgen_assets_tests.replenishment.scenarios import Floats

# a busy machine is no failure
steady = settings(deadline=None)

EVERY_DAY = np.array([1])
HISTORY = 130


def random_demand(series: int, days: int, seed: int = 5) -> Floats:
    random = np.random.default_rng(seed)
    weekday = random.gamma(2.0, 2.0, (series, 7))[:, np.arange(days) % 7]
    return random.poisson(weekday).astype(np.float64)


def test_days_of_supply_cover_that_many_average_days() -> None:
    demand = np.array([[0.0] * 28 + [6.0] * 14 + [0.0] * 14])

    levels = days_of_supply_levels(demand, 4.5)

    assert np.isnan(levels[0, :27]).all()
    assert levels[0, [27, 28, 41, 55]].tolist() == [0, 1, 14, 14]  # 6/28 x 4.5 = 0.96; 3 x 4.5 = 13.5


def test_the_textbook_level_adds_the_variance_of_demand_and_of_lead_time() -> None:
    demand = np.array([[12.0, 28.0] * 14])  # mean 20, sample variance 64 x 28 / 27

    moments = moving_average_moments(demand, lead_times([{4: 0.5, 7: 0.5}]), EVERY_DAY).last(1)

    # P = 1 + 5.5 days, variance of the lead time 1.5^2
    assert moments.mean.item() == pytest.approx(6.5 * 20)
    assert moments.sd.item() == pytest.approx(math.sqrt(6.5 * 64 * 28 / 27 + 20**2 * 2.25))


def test_levels_are_mean_plus_z_standard_deviations_in_whole_units() -> None:
    moments = DemandMoments(np.array([[10.0, 10, 1]]), np.array([[2.0, 2.1, 5]]))

    assert moments.levels(1.5).tolist() == [[13, 14, 9]]
    assert moments.levels(-1).tolist() == [[8, 8, 0]]


def test_a_week_that_repeats_is_foreseen_exactly() -> None:
    week = [3.0, 0, 8, 2, 5, 1, 9]
    demand = np.array([week * 30])

    moments = weekday_moments(demand, lead_times([{4: 1.0}]), np.array([5]))

    assert moments.mean[0, -1] == pytest.approx(sum((week * 2)[:9]))
    assert moments.mean[0, -4] == pytest.approx(sum((week * 2)[4:13]))
    assert moments.sd[0, -1] == pytest.approx(0, abs=1e-6)


def test_after_a_year_without_a_sale_every_day_is_average() -> None:
    demand = np.array([[0.0] * 600 + [7.0]])

    moments = weekday_moments(demand, lead_times([{1: 1.0}]), EVERY_DAY)

    assert moments.mean[0, 598:600].tolist() == [0, 0]
    assert moments.sd[0, 598:600].tolist() == [0, 0]
    # the one sale fell on today's weekday, which comes back in 7 days: not within the next two
    assert moments.mean[0, 600] == 0


def slow_weekday_moments(demand: list[float], day: int, interval: float, variance: float) -> tuple[float, float]:
    """Mean and standard deviation at the close of `day`, by the words of the definition."""

    def average(origin: int) -> float:
        return sum(demand[origin - 27 : origin + 1]) / 28

    def forecast(origin: int) -> float:
        usual = {}
        for weekday in range(7):
            days = [demand[d] for d in range(origin + 1) if d % 7 == weekday][-52:]
            usual[weekday] = sum(days) / len(days)
        week = sum(usual.values()) / 7
        parts = [(h, min(1.0, interval - h + 1)) for h in range(1, math.ceil(interval) + 1)]
        return average(origin) * sum(part * usual[(origin + h) % 7] / week for h, part in parts)

    def actual(origin: int) -> float:
        whole = int(interval)
        rest = interval - whole
        return sum(demand[origin + 1 : origin + 1 + whole]) + (rest * demand[origin + 1 + whole] if rest else 0.0)

    last_origin = day - math.ceil(interval)
    errors = [actual(origin) - forecast(origin) for origin in range(27, last_origin + 1)][-364:]
    mean_square = sum(error**2 for error in errors) / len(errors)
    return forecast(day), math.sqrt(mean_square + average(day) ** 2 * variance)


@pytest.mark.parametrize(
    ("pmf", "review"),
    [({2: 1.0}, 1), ({0: 1.0}, 7), ({9: 1.0}, 7), ({3: 0.8, 4: 0.2}, 1), ({1: 0.5, 6: 0.3, 20: 0.2}, 2)],
)
def test_the_weekday_baseline_is_what_its_definition_says(pmf: dict[int, float], review: int) -> None:
    demand = random_demand(2, 460)

    moments = weekday_moments(demand, lead_times([pmf, pmf]), np.array([review, review]))

    mean = sum(days * share for days, share in pmf.items())
    variance = sum((days - mean) ** 2 * share for days, share in pmf.items())
    for series, day in [(0, 90), (1, 200), (0, 459)]:
        found = (moments.mean[series, day], moments.sd[series, day])
        assert found == pytest.approx(slow_weekday_moments(demand[series].tolist(), day, review + mean, variance))


def test_series_with_other_intervals_do_not_disturb_each_other() -> None:
    demand = random_demand(3, 200)
    pmfs, review = [{1: 0.5, 4: 0.5}, {9: 1.0}, {3: 0.2, 4: 0.8}], np.array([7, 1, 2])

    for of in (moving_average_moments, weekday_moments):
        together = of(demand, lead_times(pmfs), review)
        for k in range(3):
            alone = of(demand[[k]], lead_times([pmfs[k]]), review[[k]])
            np.testing.assert_array_equal(alone.mean, together.mean[[k]])
            np.testing.assert_array_equal(alone.sd, together.sd[[k]])


def test_without_enough_history_there_is_no_level() -> None:
    moments = weekday_moments(random_demand(1, 90), lead_times([{2: 1.0}]), EVERY_DAY)

    levels = moments.levels(1.0)

    # 28 days of average, an interval of 3 days, then 28 errors
    assert np.isnan(levels[0, : 27 + 3 + 27]).all()
    assert np.isfinite(levels[0, 27 + 3 + 27 :]).all()


def baseline_levels(demand: Floats) -> dict[str, Floats]:
    deliveries, review = lead_times([{2: 0.5, 5: 0.5}, {4: 1.0}]), np.array([1, 3])
    return {
        "B0": days_of_supply_levels(demand, 6),
        "B1": moving_average_moments(demand, deliveries, review).levels(1.3),
        "B2": weekday_moments(demand, deliveries, review).levels(1.3),
    }


@steady
@given(st.integers(0, 39), st.integers(100, 500), st.integers(0, 1000))
def test_demand_after_a_day_changes_no_baseline_order_up_to_it(day: int, more: int, seed: int) -> None:
    demand = random_demand(2, HISTORY + 40, seed)
    changed = demand.copy()
    changed[:, HISTORY + day + 1 :] += more

    def orders(units: Floats, levels: Floats) -> Floats:
        world = scenario(units[:, HISTORY:], 2, 10, review_period_days=[1, 3])
        return simulate(world, BaseStock(levels[:, HISTORY:]), traced_series=[0, 1]).trace.ordered

    before, after = baseline_levels(demand), baseline_levels(changed)
    for name in before:
        np.testing.assert_array_equal(
            orders(demand, before[name])[:, : day + 1], orders(changed, after[name])[:, : day + 1], name
        )
        if day < 39:
            assert not np.array_equal(before[name], after[name], equal_nan=True)
