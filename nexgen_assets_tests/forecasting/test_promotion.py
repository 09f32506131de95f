"""The rule of promotion: what a model must pass, and the words that say why it did not."""

import math
from collections.abc import Mapping

import numpy as np
import pytest

from nexgen_assets.forecasting.promotion import FirstForecasts, Opponent, fit_to_serve
from nexgen_assets.verdicts import Verdict

NAIVE = {"wape_total": 1.0, "wrmsse": 1.0, "bias": 0.0}
FIRST = FirstForecasts(units=100.0, recent_units=100.0, is_valid=True)
NO_CHAMPION = Opponent("there is no champion to compare it with")
CHAMPION = Opponent("recipe 1a2b3c4d", {"wape_total": 0.5, "wrmsse": 0.8})


def judged(
    wape_total: float = 0.5,
    wrmsse: float = 0.8,
    bias: float = 0.0,
    *,
    naive: Mapping[str, float] = NAIVE,
    first: FirstForecasts = FIRST,
    opponent: Opponent = NO_CHAMPION,
    objection: str | None = None,
) -> Verdict:
    scores = {"model": {"wape_total": wape_total, "wrmsse": wrmsse, "bias": bias}, "seasonal_naive": dict(naive)}
    return fit_to_serve(scores, first, opponent, objection)


# ---- sanity


def test_a_sane_model_without_an_opponent_is_promoted() -> None:
    verdict = judged()
    assert verdict.passed
    assert verdict.reason == "promoted: it beats the seasonal naive; there is no champion to compare it with"


@pytest.mark.parametrize(("wape_total", "wrmsse"), [(1.1, 0.8), (0.5, 1.1), (1.0, 0.8), (math.nan, 0.8)])
def test_the_seasonal_naive_is_to_be_beaten_in_the_day_and_in_the_total(wape_total: float, wrmsse: float) -> None:
    assert not judged(wape_total, wrmsse).passed


def test_where_no_sale_has_an_amount_the_total_is_judged_alone() -> None:
    naive = {**NAIVE, "wrmsse": math.nan}
    assert judged(0.5, math.nan, naive=naive).passed
    assert not judged(1.1, math.nan, naive=naive).passed
    champion = Opponent("recipe 1a2b3c4d", {"wape_total": 0.5, "wrmsse": math.nan})
    assert judged(0.4, math.nan, naive=naive, opponent=champion).passed
    assert not judged(0.5, math.nan, naive=naive, opponent=champion).passed


def test_days_without_a_sale_judge_no_model() -> None:
    nothing = {"wape_total": math.nan, "wrmsse": math.nan}
    verdict = judged(math.nan, math.nan, math.nan, naive=nothing)
    assert not verdict.passed
    assert "nothing was sold on the days it is judged on" in verdict.reason


@pytest.mark.parametrize(("bias", "passes"), [(0.29, True), (-0.29, True), (0.31, False), (-0.31, False)])
def test_the_bias_is_bounded_either_way(bias: float, passes: bool) -> None:
    assert judged(bias=bias).passed is passes


@pytest.mark.parametrize(("units", "passes"), [(100, True), (499, True), (501, False), (21, True), (19, False)])
def test_the_first_forecasts_are_near_the_recent_level(units: float, passes: bool) -> None:
    assert judged(first=FirstForecasts(units, 100.0, is_valid=True)).passed is passes


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -0.1])
def test_a_forecast_that_is_negative_or_no_number_is_not_valid(wrong: float) -> None:
    means = np.array([[1.0, 2.0], [3.0, wrong]], np.float32)
    first = FirstForecasts.of(means, np.array([1.0, 3.0], np.float32))
    assert not first.is_valid
    assert not judged(first=first).passed


def test_the_recent_level_counts_every_day_of_the_horizon() -> None:
    first = FirstForecasts.of(np.full((2, 28), 3.0, np.float32), np.array([2.0, 4.0], np.float32))
    assert first == FirstForecasts(units=168.0, recent_units=168.0, is_valid=True)


def test_an_objection_keeps_the_best_model_from_serving() -> None:
    verdict = judged(0.1, 0.1, objection="it was rolled back")
    assert (verdict.passed, verdict.reason) == (False, "not promoted: it was rolled back")


# ---- against the champion


@pytest.mark.parametrize(
    ("wape_total", "wrmsse", "passes"),
    [
        (0.49, 0.79, True),
        (0.504, 0.70, True),  # 0.8 % worse in one, much better in the other
        (0.506, 0.40, False),  # 1.2 % worse in one: no gain makes up for it
        (0.30, 0.81, False),
        (0.5, 0.8, False),  # as good is not better
        (0.504, 0.797, False),  # better in one, on average worse
    ],
)
def test_neither_error_is_more_than_1_percent_worse_and_their_mean_is_better(
    wape_total: float, wrmsse: float, passes: bool
) -> None:
    assert judged(wape_total, wrmsse, opponent=CHAMPION).passed is passes


def test_a_model_that_beats_the_champion_has_to_be_sane_as_well() -> None:
    assert not judged(0.4, 0.7, naive={**NAIVE, "wrmsse": 0.6}, opponent=CHAMPION).passed


def test_the_reason_names_every_rule_that_is_broken_with_its_numbers() -> None:
    verdict = judged(0.6, 1.2, 0.5, opponent=CHAMPION)
    assert verdict.reason == (
        "not promoted: its WRMSSE is 1.200, not below the 1.000 of the seasonal naive; "
        "its forecasts are +50% off in sum, more than 30%; "
        "its WAPE of the 28-day total is 0.600 against 0.500 of recipe 1a2b3c4d; "
        "its WRMSSE is 1.200 against 0.800 of recipe 1a2b3c4d; "
        "on average its errors are 1.350 times those of recipe 1a2b3c4d"
    )


def test_the_reason_of_a_promotion_tells_what_was_beaten() -> None:
    assert judged(0.4, 0.7, opponent=CHAMPION).reason == (
        "promoted: its WAPE of the 28-day total 0.400 against 0.500 and WRMSSE 0.700 against 0.800 of recipe 1a2b3c4d"
    )


def test_the_numbers_hold_every_score_that_decided() -> None:
    assert judged(0.4, 0.8, opponent=CHAMPION).numbers == {
        "wape_total": 0.4,
        "wrmsse": 0.8,
        "bias": 0.0,
        "seasonal_naive_wape_total": 1.0,
        "seasonal_naive_wrmsse": 1.0,
        "first_forecasts_units": 100.0,
        "recent_units": 100.0,
        "compared_with": "recipe 1a2b3c4d",
        "champion_wape_total": 0.5,
        "champion_wrmsse": 0.8,
        "errors_times_champion": 0.9,
    }


def test_an_opponent_without_an_error_is_not_beaten() -> None:
    assert not judged(0.4, 0.7, opponent=Opponent("an oracle", {"wape_total": 0.0, "wrmsse": 0.0})).passed
