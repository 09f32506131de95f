"""What counts as drift: large, and no chance."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from nexgen_assets.forecasting import drift
from nexgen_assets.forecasting.drift import (
    BIAS,
    COVERAGE,
    ERRORS,
    INPUTS,
    MOST_DRIFT,
    Promise,
    Spread,
    chance_stability,
    class_counts,
    errors_as_expected,
    familiar_inputs,
    forecasts_unbiased,
    is_no_chance,
    population_stability,
    quantiles_cover,
    tracking_signal,
)
from nexgen_assets.tables import CLEANED_FEATURES, FORECAST_ACCURACY, QUANTILES
from nexgen_assets.verdicts import Verdict

TODAY = date(2024, 6, 30)
PROMISES = {"m1": Promise(0.6, {"q90": 0.1, "q95": 0.05, "q99": 0.01})}
Row = dict[str, Any]


def accuracy(days: int = 28, seed: int = 1, **factors: float) -> list[Row]:
    """Days of a model whose errors are 0.6 of the naive's and whose sums and quantiles are right, with chance.

    Factors change that: `error`, `forecast`, `above`.
    """
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for back in range(days):
        weather = rng.normal(1, 0.05)  # moves all of a day's sales
        row = dict.fromkeys(FORECAST_ACCURACY.names, 0) | {"day": TODAY - timedelta(days=back), "horizon": 1}
        row |= {"model_version": "m1", "volume_class": "1_to_10", "series_days": 1_000, "demand_units": 1_000 * weather}
        row["forecast_units"] = 1_000 * factors.get("forecast", 1.0)
        row["seasonal_naive_absolute_error_units"] = 500 * rng.normal(1, 0.05)
        row["absolute_error_units"] = 300 * factors.get("error", 1.0) * rng.normal(1, 0.05)
        for name in ("q90", "q95", "q99"):
            share = (1 - QUANTILES[name]) * factors.get("above", 1.0)
            row[f"above_{name}"] = int(rng.binomial(1_000, share))
        rows.append(row)
    return rows


def table(rows: list[Row]) -> pa.Table:
    return pa.Table.from_pylist(rows, FORECAST_ACCURACY.arrow_schema)


CHECKS: dict[str, Callable[..., Verdict]] = drift.ERROR_CHECKS


# ---- the tracking signal


@pytest.mark.parametrize(
    ("errors", "signal"), [([1, 2, 3], 1), ([-1, -1], -1), ([1, -1], 0), ([3, -1], 0.5), ([0, 0], 0)]
)
def test_the_tracking_signal_is_the_sum_of_errors_over_the_sum_of_their_sizes(
    errors: list[float], signal: float
) -> None:
    assert tracking_signal(np.array(errors, float)) == signal


def test_independent_errors_are_rarely_called_no_chance() -> None:
    """Beyond three standard deviations of a normal distribution, on both sides: 0.27 %, of a few days less."""
    rng = np.random.default_rng(3)
    found = {days: np.mean([is_no_chance(rng.normal(size=days)) for _ in range(20_000)]) for days in (28, 200)}
    assert all(0.0005 < share < 0.0045 for share in found.values()), found


# ---- errors, bias, coverage


@pytest.mark.parametrize("name", CHECKS)
def test_a_model_that_does_as_promised_gives_no_warning(name: str) -> None:
    verdicts = [CHECKS[name](TODAY, table(accuracy(seed=seed)), PROMISES) for seed in range(200)]
    assert all(verdict.passed for verdict in verdicts)
    assert {verdict.name for verdict in verdicts} == {name}


DRIFTS: dict[str, tuple[str, dict[str, float], str]] = {
    "errors of which half of the advantage is gone": (
        ERRORS,
        {"error": 1.4},
        "0.8[0-9] times .*; the hold-out had 0.60",
    ),
    "forecasts too high": (BIAS, {"forecast": 1.2}, r"\+[12][0-9]\.[0-9]% off in sum"),
    "forecasts too low": (BIAS, {"forecast": 0.8}, r"-[12][0-9]\.[0-9]% off in sum"),
    "quantiles too low": (COVERAGE, {"above": 1.7}, r"% is above q95, where 3\.3% to 7\.5% are expected"),
    "quantiles too high": (COVERAGE, {"above": 0.5}, r"% is above q95, where 3\.3% to 7\.5% are expected"),
}


@pytest.mark.parametrize("case", DRIFTS)
def test_a_drift_is_found_by_its_own_check_only(case: str) -> None:
    name, factors, words = DRIFTS[case]
    verdicts = {check: judge(TODAY, table(accuracy(**factors)), PROMISES) for check, judge in CHECKS.items()}
    assert {check for check, verdict in verdicts.items() if not verdict.passed} == {name}
    assert re.search(words, verdicts[name].reason), verdicts[name].reason
    assert verdicts[name].numbers["judged_days"] == 28
    assert verdicts[name].chart


def test_the_bound_of_errors_is_half_way_between_the_promise_and_the_seasonal_naive() -> None:
    verdict = errors_as_expected(TODAY, table(accuracy()), PROMISES)
    assert verdict.numbers["bound"] == pytest.approx((1 + 0.6) / 2)


def test_a_model_that_was_little_better_may_err_a_tenth_more() -> None:
    weak = {"m1": Promise(0.96, PROMISES["m1"].above)}
    verdicts = [errors_as_expected(TODAY, table(accuracy(error=error)), weak) for error in (1.7, 1.9)]
    assert [verdict.passed for verdict in verdicts] == [True, False]
    assert verdicts[0].numbers["bound"] == pytest.approx(1.1 * 0.96)


def test_days_out_of_stock_are_told_and_judge_nothing() -> None:
    out = [row | {"horizon": 2, "series_days": 0, "stockout_days": 5} for row in accuracy()]
    out = [row | dict.fromkeys(("above_q90", "above_q95", "above_q99"), 0) for row in out]
    assert quantiles_cover(TODAY, table(accuracy() + out), PROMISES).numbers["stockout_days"] == 28 * 5
    assert "0 days with forecasts" in quantiles_cover(TODAY, table(out), PROMISES).reason


def test_days_that_are_hard_for_the_seasonal_naive_too_are_no_drift() -> None:
    harder = [
        row | {name: 3 * row[name] for name in ("absolute_error_units", "seasonal_naive_absolute_error_units")}
        for row in accuracy()
    ]
    assert errors_as_expected(TODAY, table(harder), PROMISES).passed


def test_one_terrible_day_is_no_drift() -> None:
    """Its error is large in sum, but one day is no pattern."""
    rows = accuracy()
    rows[5] |= {"forecast_units": 20_000.0, "absolute_error_units": 19_000.0}
    verdicts = [judge(TODAY, table(rows), PROMISES) for judge in (forecasts_unbiased, errors_as_expected)]
    assert float(verdicts[0].numbers["bias"]) > 0.5
    assert all(verdict.passed for verdict in verdicts)


@pytest.mark.parametrize("name", CHECKS)
def test_too_few_days_decide_nothing(name: str) -> None:
    wrong = accuracy(days=20, error=3.0, forecast=2.0, above=3.0)
    verdict = CHECKS[name](TODAY, table(wrong), PROMISES)
    assert verdict.passed
    assert "20 days with forecasts by a model, too few to judge (21)" in verdict.reason


@pytest.mark.parametrize("name", CHECKS)
def test_first_days_without_any_forecast_pass(name: str) -> None:
    assert CHECKS[name](TODAY, table([]), {}).passed


def test_the_seasonal_naive_and_unknown_models_are_not_judged() -> None:
    rows = [row | {"model_version": "seasonal_naive"} for row in accuracy(forecast=2.0)]
    assert "0 days with forecasts by a model" in forecasts_unbiased(TODAY, table(rows), PROMISES).reason


def test_days_before_the_window_do_not_count() -> None:
    rows = accuracy() + [
        row | {"day": row["day"] - timedelta(days=28)} for row in accuracy(forecast=5.0, error=5.0, above=5.0)
    ]
    for name, judge in CHECKS.items():
        assert judge(TODAY, table(rows), PROMISES) == judge(TODAY, table(accuracy()), PROMISES), name


def test_each_model_is_held_to_its_own_promise() -> None:
    """Half of the naive's errors were made by a model that promised 0.6, half by one that promised 0.8."""
    rows = accuracy() + [row | {"model_version": "m2", "horizon": 2} for row in accuracy(seed=2)]
    promises = PROMISES | {"m2": Promise(0.8, PROMISES["m1"].above)}
    verdict = errors_as_expected(TODAY, table(rows), promises)
    assert verdict.numbers["expected_errors_over_seasonal_naive"] == pytest.approx(0.7, abs=0.01)


def test_what_a_hold_out_saw_of_slow_movers_is_no_drift() -> None:
    """Where most days sell nothing, right quantiles are exceeded less often than their level says."""
    rows = table(accuracy(above=0.5))
    slow = {"m1": Promise(0.6, {name: (1 - QUANTILES[name]) / 2 for name in ("q90", "q95", "q99")})}
    assert not quantiles_cover(TODAY, rows, PROMISES).passed
    assert quantiles_cover(TODAY, rows, slow).passed


def test_few_misses_decide_nothing() -> None:
    """Of 12 series no quantile of 99 % is judged: three misses are expected in four weeks."""
    few = [row | {"series_days": 12} | {f"above_{name}": 0 for name in ("q90", "q95", "q99")} for row in accuracy()]
    verdict = quantiles_cover(TODAY, table(few), PROMISES)
    assert not verdict.passed
    assert "q90" in verdict.reason
    assert "q95" not in verdict.reason


def test_a_promise_is_read_from_the_scores_of_a_version() -> None:
    scores = {"model": {"wape": 0.5, "coverage_q95": 0.96}, "seasonal_naive": {"wape": 0.8}}
    promise = Promise.of(scores)
    assert promise.error_ratio == pytest.approx(0.625)
    assert promise.above == pytest.approx({"q90": 0.1, "q95": 0.04, "q99": 0.01})
    unknown = Promise.of({"model": {"wape": 0.5, "coverage_q95": float("nan")}, "seasonal_naive": {"wape": 0.8}})
    assert unknown.above["q95"] == pytest.approx(0.05)


# ---- inputs


def test_the_population_stability_index_by_hand() -> None:
    """(0.2 - 0.5) ln(0.2 / 0.5) + (0.8 - 0.5) ln(0.8 / 0.5) = 0.3 ln 4."""
    expected, found = np.array([50_000, 50_000, 0]), np.array([20_000, 80_000, 0])
    assert population_stability(expected, found) == pytest.approx(0.3 * np.log(4), abs=1e-4)
    assert population_stability(expected, expected) == 0


def test_two_samples_of_one_population_are_rarely_further_apart_than_chance_says() -> None:
    rng, shares = np.random.default_rng(6), np.array([0.4, 0.3, 0.2, 0.1])
    pairs = [(rng.multinomial(800, shares), rng.multinomial(300, shares)) for _ in range(5_000)]
    beyond = np.mean([population_stability(a, b) > chance_stability(a, b) for a, b in pairs])
    assert beyond < 0.004
    nearly = np.mean([population_stability(a, b) > 0.7 * chance_stability(a, b) for a, b in pairs])
    assert nearly > 0.004, "the bound is not far out"


def features(**columns: NDArray[np.floating[Any]] | float) -> pa.Table:
    size = max(np.size(values) for values in columns.values())
    usual = dict.fromkeys(INPUTS, 0.5) | columns
    return pa.table({name: pa.array(np.broadcast_to(values, size), pa.float32()) for name, values in usual.items()})


def test_features_are_counted_by_class_with_the_unknown_last() -> None:
    level = np.array([0.0, 0.05, 0.1, 0.2, 2.0, 100.0, np.nan])
    assert class_counts(features(demand_mean_28=level))["demand_mean_28"].tolist() == [1, 2, 1, 0, 1, 0, 0, 1, 1]


def test_every_input_is_a_column_of_the_features() -> None:
    assert set(INPUTS) <= set(CLEANED_FEATURES.names)


def spread(series: int, days: int, *, cheaper: float = 0.0, seed: int = 1) -> Spread:
    """Days of series with levels of all sizes; the share `cheaper` of them costs half of what is usual."""
    rng = np.random.default_rng(seed)
    counts = []
    for _ in range(days):
        ratio = np.where(np.arange(series) < cheaper * series, 0.5, rng.normal(1, 0.02, series))
        counts.append(class_counts(features(demand_mean_28=rng.lognormal(0, 2, series), price_ratio_91=ratio)))
    return Spread.over(counts)


def test_the_same_spread_of_features_is_familiar() -> None:
    verdict = familiar_inputs(TODAY, spread(300, 7), spread(300, 13, seed=2), "m1")
    assert verdict.passed
    assert verdict.reason == "2024-06-30: against the training of m1, features are spread as usual"


def test_prices_that_the_training_never_saw_are_not() -> None:
    verdict = familiar_inputs(TODAY, spread(300, 7, cheaper=0.3), spread(300, 13, seed=2), "m1")
    assert not verdict.passed
    assert "price_ratio_91 has drifted (PSI " in verdict.reason
    assert "demand_mean_28" not in verdict.reason
    assert float(verdict.numbers["psi_price_ratio_91"]) > MOST_DRIFT


def test_a_smaller_shift_is_told_and_gives_no_warning() -> None:
    verdict = familiar_inputs(TODAY, spread(1_000, 7, cheaper=0.03), spread(1_000, 13, seed=2), "m1")
    assert verdict.passed
    assert "price_ratio_91 has somewhat (PSI 0.2" in verdict.reason


def test_a_handful_of_series_differ_by_chance() -> None:
    """Three series of six in another class than ever before are no drift: with so few that happens."""
    few, usual = spread(6, 7, cheaper=0.34), spread(6, 13, seed=2)
    assert population_stability(usual.counts["price_ratio_91"], few.counts["price_ratio_91"]) > MOST_DRIFT
    assert familiar_inputs(TODAY, few, usual, "m1").passed


def test_without_features_of_the_training_nothing_is_compared() -> None:
    assert familiar_inputs(TODAY, spread(10, 7), Spread.over([]), "m1").passed


def test_the_reference_days_are_of_all_weekdays_of_the_year_before_the_cutoff() -> None:
    known = {TODAY - timedelta(days=back) for back in range(800)}
    days = drift.reference_days(TODAY, known)
    assert days[-1] == TODAY
    assert (TODAY - days[0]).days < 365
    assert len({day.weekday() for day in days}) == 7
    assert drift.reference_days(TODAY, known - {TODAY}) == days[:-1]
