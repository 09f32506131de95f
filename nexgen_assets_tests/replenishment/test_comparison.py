"""Rules compared in one scenario, where it is known which of them must win."""

from collections.abc import Iterable
from datetime import date

import numpy as np
import pyarrow.compute as pc
import pytest
from scipy import stats

from nexgen_assets.forecasting.quantiles import calibrate
from nexgen_assets.forecasting.segments import Segments
from nexgen_assets.replenishment.comparison import Comparison, compare
from nexgen_assets.replenishment.comparison_report import (
    Money,
    comparison_rows,
    difference_records,
    headlines,
    promise_records,
    stock_records,
)
from nexgen_assets.replenishment.deliveries import drawn_lead_times
from nexgen_assets.replenishment.forecast_levels import RollingForecasts
from nexgen_assets.replenishment.frontier import stock_difference
from nexgen_assets.replenishment.lead_times import lead_times
from nexgen_assets.replenishment.order_rules import BaseStock
from nexgen_assets.replenishment.simulation import scenario, simulate
from nexgen_assets_tests.forecasting.poisson import poisson_calibration
from nexgen_assets_tests.replenishment.scenarios import Floats

SERIES, HISTORY, DAYS, HORIZON = 30, 200, 120, 28
LEVEL = 8.0
CUTOFF = date(2024, 5, 31)
SEGMENTS = Segments(
    (("all", "all"), ("abc", "A"), ("abc", "B")),
    np.stack([np.ones(SERIES), np.arange(SERIES) < 10, np.arange(SERIES) >= 10]).astype(np.float64),
)


@pytest.fixture(scope="module")
def found() -> Comparison:
    """Demand that is Poisson around a mean that wanders, known to the forecasts and to nobody else."""
    rng = np.random.default_rng(8)
    mean = wandering_mean(rng, SERIES, HISTORY + DAYS + HORIZON)
    demand = rng.poisson(mean[:, : HISTORY + DAYS]).astype(np.float64)
    deliveries = lead_times([{2: 1.0}] * SERIES)
    names = [str(number) for number in range(SERIES)]
    world = scenario(demand[:, HISTORY:], drawn_lead_times(deliveries, names, DAYS, 1), 40, warm_up_days=20)
    ahead = np.stack([mean[:, HISTORY + 1 + step :][:, :DAYS] for step in range(HORIZON)], axis=2)
    others = wandering_mean(rng, 3_000, HORIZON)
    calibration = calibrate(rng.poisson(others).astype(np.float64), others, np.full(3_000, LEVEL))
    return compare(world, demand, deliveries, RollingForecasts(ahead, np.full((SERIES, DAYS), LEVEL), calibration))


def wandering_mean(rng: np.random.Generator, series: int, days: int) -> Floats:
    return LEVEL * np.exp(0.5 * np.sin(np.arange(days) / 4 + rng.uniform(0, 6, (series, 1))))


def test_who_knows_the_mean_needs_less_stock_than_who_averages(found: Comparison) -> None:
    for other in ("days_of_supply", "moving_average", "weekday_profile"):
        difference = stock_difference(found.sweeps["forecast"], found.sweeps[other], 0.95)
        assert difference.high < -0.2


def test_forecasts_that_are_right_keep_what_they_promise(found: Comparison) -> None:
    for share, by_series in found.promised.items():
        service = by_series.pooled(np.ones((1, SERIES)))
        assert service.achieved_cycle_service.item() == pytest.approx(share, abs=0.02)
        assert service.achieved_fill_rate.item() == pytest.approx(service.promised_fill_rate.item(), abs=0.01)


def test_orders_of_all_rules_find_the_room_that_orders_reckon_with() -> None:
    """8 units a day, 6 days on the way: 48 units on average, 37 with 95 %; one series has room for any stock."""
    days, history = 40, 80
    demand = np.random.default_rng(3).poisson(LEVEL, (2, history + days)).astype(np.float64)
    six, means = lead_times([{6: 1.0}] * 2), np.full((2, days, HORIZON), LEVEL)
    world = scenario(demand[:, history:], 6, 60, review_period_days=7, max_stock=[60, np.inf])
    forecasts = RollingForecasts(means, np.full((2, days), LEVEL), poisson_calibration())

    found = compare(world, demand, six, forecasts)

    assert found.scenario.surely_sold[0] == pytest.approx(stats.poisson(6 * LEVEL).ppf(0.05), abs=1)
    assert found.scenario.surely_sold[1].tolist() == [0] * days
    most = max(found.sweeps["forecast"].totals, key=lambda totals: totals.sales[0])
    as_a_whole = simulate(world, BaseStock(np.full((2, 1), 1_000.0))).totals
    assert most.fill_rate[0] > as_a_whole.fill_rate[0] + 0.1


def rows_of(found: Comparison, unit_cost: Iterable[float]):
    money = Money(np.fromiter(unit_cost, float), np.full(SERIES, 3.0), order_cost=0.5)
    return comparison_rows(found, SEGMENTS, money, CUTOFF)


def test_a_row_holds_the_sums_of_its_segment(found: Comparison) -> None:
    rows = rows_of(found, [2.0] * SERIES)

    swept = found.sweeps["weekday_profile"]
    for value, totals in zip(swept.parameters, swept.totals, strict=True):
        [row] = rows.filter(
            (pc.field("rule") == "weekday_profile") & (pc.field("parameter") == value) & (pc.field("segment") == "A")
        ).to_pylist()
        assert row["sales_units"] == pytest.approx(totals.sales[:10].sum())
        assert row["average_on_hand_units"] == pytest.approx(totals.on_hand_unit_days[:10].sum() / 100)
        assert row["mean_fill_rate"] == pytest.approx((totals.sales[:10] / totals.demand[:10]).mean())
        assert row["holding_cost"] == pytest.approx(totals.on_hand_unit_days[:10].sum() * 2 * 0.25 / 365)
        assert row["lost_margin"] == pytest.approx(totals.lost[:10].sum())
        assert row["order_cost"] == pytest.approx(totals.order_lines[:10].sum() / 2)
        assert row["promised_fill_rate"] is None


def test_the_days_that_count_follow_the_warm_up(found: Comparison) -> None:
    rows = rows_of(found, [2.0] * SERIES)

    assert pc.unique(rows["training_cutoff"]).to_pylist() == [CUTOFF]
    assert pc.unique(rows["first_day"]).to_pylist() == [date(2024, 6, 21)]
    assert pc.unique(rows["last_day"]).to_pylist() == [date(2024, 9, 28)]


def test_series_of_unknown_cost_cost_nothing_and_are_not_counted(found: Comparison) -> None:
    rows = rows_of(found, [float("nan")] * 10 + [2.0] * 20).filter(pc.field("rule") == "forecast")

    for row in rows.filter(pc.field("segment") == "A").to_pylist():
        assert (row["costed_series"], row["holding_cost"], row["lost_margin"], row["order_cost"]) == (0, 0, 0, 0)
    assert pc.unique(rows.filter(pc.field("segment") == "all")["costed_series"]).to_pylist() == [20]


def test_reports_name_every_rule_and_segment(found: Comparison) -> None:
    assert [record["rule"] for record in stock_records(found)] == [*found.sweeps, "perfect_foresight"]
    assert [record["other_rule"] for record in difference_records(found)] == [*found.sweeps][1:]
    assert [record["segment"] for record in promise_records(found, SEGMENTS)] == ["all", "abc A", "abc B"] * 3


def test_headlines_are_the_differences_to_the_weekday_profile(found: Comparison) -> None:
    difference = stock_difference(found.sweeps["forecast"], found.sweeps["weekday_profile"], 0.95)

    assert headlines(found)["stock_difference_at_95_percent_fill"] == difference.estimate
