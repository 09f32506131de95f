"""When a training is due, and why."""

from datetime import date, timedelta

import pytest

from nexgen_assets.forecasting.drift import BIAS, ERRORS
from nexgen_assets.forecasting.retraining import (
    DRIFT_DAYS,
    NO_RETRAINING_DUE,
    PAUSE_DAYS,
    Champion,
    Evidence,
    no_retraining_due,
)

TODAY = date(2024, 6, 30)
MOST_DAYS = 28


def champion(age_days: int) -> Champion:
    return Champion("20240601-abc", TODAY - timedelta(days=age_days))


def test_a_young_champion_without_drift_needs_no_training() -> None:
    verdict = no_retraining_due(Evidence(TODAY, champion(10)), MOST_DAYS)
    assert (verdict.name, verdict.passed) == (NO_RETRAINING_DUE, True)
    assert verdict.reason == "2024-06-30: 20240601-abc is 10 days old, and nothing has drifted for long"


@pytest.mark.parametrize(("age", "is_due"), [(MOST_DAYS, False), (MOST_DAYS + 1, True)])
def test_a_champion_older_than_the_setting_allows_needs_one(age: int, is_due: bool) -> None:
    verdict = no_retraining_due(Evidence(TODAY, champion(age)), MOST_DAYS)
    assert verdict.passed is not is_due
    assert ("knows no sales of the last 29 days; 28 are allowed" in verdict.reason) is is_due


@pytest.mark.parametrize(("days", "is_due"), [(DRIFT_DAYS - 1, False), (DRIFT_DAYS, True)])
def test_a_drift_that_lasts_needs_one(days: int, is_due: bool) -> None:
    verdict = no_retraining_due(Evidence(TODAY, champion(20), drifting_days={ERRORS: 0, BIAS: days}), MOST_DAYS)
    assert verdict.passed is not is_due
    assert (f"{BIAS} has failed {days} days in a row" in verdict.reason) is is_due
    assert ERRORS not in verdict.reason


def test_every_reason_is_told() -> None:
    evidence = Evidence(TODAY, champion(40), drifting_days={ERRORS: DRIFT_DAYS, BIAS: DRIFT_DAYS})
    verdict = no_retraining_due(evidence, MOST_DAYS)
    assert all(words in verdict.reason for words in ("the last 40 days", ERRORS, BIAS))


@pytest.mark.parametrize(("ago", "is_due"), [(PAUSE_DAYS - 1, False), (PAUSE_DAYS, True)])
def test_a_training_that_was_just_tried_is_not_repeated(ago: int, is_due: bool) -> None:
    tried = TODAY - timedelta(days=ago)
    verdict = no_retraining_due(Evidence(TODAY, champion(40), last_cutoff=tried), MOST_DAYS)
    assert verdict.passed is not is_due
    assert ("has just been tried" in verdict.reason) is not is_due


UNUSABLE = "made by code version 4, this is 5: retrain"


def test_a_young_champion_that_the_code_cannot_load_needs_one() -> None:
    verdict = no_retraining_due(Evidence(TODAY, champion(1), unusable=UNUSABLE), MOST_DAYS)
    assert not verdict.passed
    assert verdict.reason == f"2024-06-30: 20240601-abc serves no more: {UNUSABLE}"


@pytest.mark.parametrize(("ago", "is_due"), [(PAUSE_DAYS - 1, False), (PAUSE_DAYS, True)])
def test_in_its_place_a_training_of_this_code_is_tried_once_a_week(ago: int, is_due: bool) -> None:
    tried = TODAY - timedelta(days=ago)
    verdict = no_retraining_due(Evidence(TODAY, champion(1), last_cutoff=tried, unusable=UNUSABLE), MOST_DAYS)
    assert verdict.passed is not is_due


def test_without_a_champion_there_is_nothing_to_train_again() -> None:
    assert no_retraining_due(Evidence(TODAY, None, drifting_days={ERRORS: 9}), MOST_DAYS).passed
