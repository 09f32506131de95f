"""Warnings about a day: what is ordinary stays silent, what is not is told with its numbers."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexgen_assets.sales import quality
from nexgen_assets.sales.quality import PriceJump
from nexgen_assets.verdicts import Verdict

DAY = date(2024, 5, 6)  # a Monday


def weeks_before(weeks: int) -> list[date]:
    return [DAY - timedelta(weeks=back) for back in range(1, weeks + 1)]


# ---- volume


@pytest.mark.parametrize(("units", "passed"), [(50, True), (49, False), (100, True), (200, True), (201, False)])
def test_volume_is_half_to_twice_the_median_of_the_same_weekday(units: float, passed: bool) -> None:
    usual = dict(zip(weeks_before(3), (90.0, 100.0, 5000.0), strict=True))
    verdict = quality.usual_volume(DAY, {**usual, DAY: units})
    assert verdict.passed is passed
    assert verdict.numbers["usual_units"] == 100
    assert verdict.reason == f"2024-05-06: {units} units, {units}% of the 100 that are usual on a Monday"


def test_volume_ignores_other_weekdays() -> None:
    sundays = {of - timedelta(days=1): 1.0 for of in weeks_before(8)}
    mondays = dict.fromkeys(weeks_before(8), 100.0)
    assert quality.usual_volume(DAY, {**sundays, **mondays, DAY: 100.0}).passed


def test_a_day_without_any_sale_is_told() -> None:
    assert not quality.usual_volume(DAY, dict.fromkeys(weeks_before(8), 100.0)).passed


def test_a_weekday_on_which_nobody_sells_stays_silent() -> None:
    assert quality.usual_volume(DAY, dict.fromkeys([*weeks_before(8), DAY], 0.0)).passed


def test_two_known_weeks_say_nothing_about_what_is_usual() -> None:
    verdict = quality.usual_volume(DAY, {**dict.fromkeys(weeks_before(2), 100.0), DAY: 1.0})
    assert verdict.passed
    assert "too few weeks" in verdict.reason


@given(st.dictionaries(st.sampled_from([DAY, *weeks_before(8)]), st.floats(0, 1e9)), st.floats(0.01, 100))
def test_the_unit_of_volume_does_not_matter(units: dict[date, float], factor: float) -> None:
    # values on a threshold may fall on either side when scaled
    ratio = quality.usual_volume(DAY, units).numbers.get("ratio", 1.0)
    if isinstance(ratio, float) and min(abs(ratio - 0.5), abs(ratio - 2.0)) > 1e-6:
        scaled = {of: value * factor for of, value in units.items()}
        assert quality.usual_volume(DAY, scaled).passed == quality.usual_volume(DAY, units).passed


# ---- locations


def test_a_location_that_sold_on_three_of_four_such_weekdays_is_missed() -> None:
    lines = {key: {"north": 5, "south": 2} for key in weeks_before(4)} | {weeks_before(2)[1]: {"north": 5}}
    verdict = quality.all_locations_report(DAY, {**lines, DAY: {"north": 3, "south": 0}})
    assert not verdict.passed
    assert verdict.reason == "2024-05-06: 1 locations report; 1 that usually do on a Monday are missing: south"
    assert (verdict.numbers["expected_locations"], verdict.numbers["missing_locations"]) == (2, 1)


def test_a_location_that_is_often_closed_on_that_weekday_is_not_missed() -> None:
    weeks = {key: {"north": 5} for key in weeks_before(4)} | {key: {"north": 5, "south": 2} for key in weeks_before(2)}
    assert quality.all_locations_report(DAY, {**weeks, DAY: {"north": 3}}).passed


def test_a_location_that_the_calendar_calls_closed_is_not_missed() -> None:
    weeks = {key: {"north": 5, "south": 2} for key in weeks_before(4)}
    assert quality.all_locations_report(DAY, {**weeks, DAY: {"north": 3}}, closed={"south"}).passed


def test_a_new_location_is_welcome() -> None:
    weeks = {key: {"north": 5} for key in weeks_before(4)}
    verdict = quality.all_locations_report(DAY, {**weeks, DAY: {"north": 3, "new": 1}})
    assert verdict.passed
    assert verdict.numbers["reporting_locations"] == 2


# ---- prices


@pytest.mark.parametrize(("jumped", "passed"), [(0, True), (5, True), (6, False)])
def test_a_twentieth_of_the_prices_may_jump(jumped: int, passed: bool) -> None:
    assert quality.usual_prices(DAY, 100, [], jumped).passed is passed


def test_a_price_jump_is_shown_with_both_prices() -> None:
    verdict = quality.usual_prices(DAY, 1, [PriceJump("01", "north", 2.0, 200.0)], 1)
    assert "1 of 1 prices (100.0%) jumped by more than 50%, such as 01 at north: 2 -> 200" in verdict.reason
    assert verdict.chart == {"01 at north": 100.0}


def test_a_day_without_prices_passes() -> None:
    assert quality.usual_prices(DAY, 0, [], 0).passed


# ---- rejects and stock


@pytest.mark.parametrize(("refused", "passed"), [(0, True), (20, True), (21, False)])
def test_a_fiftieth_of_the_lines_may_be_refused(refused: int, passed: bool) -> None:
    verdict = quality.few_rejected_lines(DAY, {DAY: 1000}, {DAY: refused}, {"quantity_zero": refused})
    assert verdict.passed is passed
    assert f"{refused} of 1,000 lines" in verdict.reason
    assert f"quantity_zero {refused}" in verdict.reason
    assert verdict.numbers["refused_share"] == refused / 1000


def test_the_rules_that_refuse_most_come_first() -> None:
    verdict = quality.few_rejected_lines(DAY, {DAY: 100}, {DAY: 30}, {"a": 1, "b": 20, "c": 9})
    assert verdict.reason.endswith("b 20, c 9, a 1")


@pytest.mark.parametrize(("unknown", "passed"), [(0, True), (10, True), (11, False)])
def test_a_tenth_of_the_stock_may_be_unknown(unknown: int, passed: bool) -> None:
    verdict = quality.stock_is_known(DAY, {DAY: 100}, {DAY: unknown})
    assert verdict.passed is passed
    assert f"{unknown} of 100 products x locations" in verdict.reason


@pytest.mark.parametrize("check", [quality.amounts_fit_prices, quality.few_near_duplicates])
@pytest.mark.parametrize(("found", "passed"), [(0, True), (2, True), (3, False)])
def test_a_hundredth_of_the_lines_may_be_suspicious(check: Callable[..., Verdict], found: int, passed: bool) -> None:
    verdict = check(DAY, {DAY: 200}, {DAY: found})
    assert verdict.passed is passed
    assert f"{found} of 200" in verdict.reason


def test_a_day_without_rows_has_no_share_to_complain_about() -> None:
    assert quality.few_rejected_lines(DAY, {}, {}, {}).passed
    assert quality.stock_is_known(DAY, {}, {}).passed
    assert quality.amounts_fit_prices(DAY, {}, {}).passed


# ---- freshness

DUE = datetime(2024, 5, 7, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("present", "minutes", "passed", "reason"),
    [
        (True, 5, True, "2024-05-06 is there"),
        (False, -5, True, "2024-05-06 is not there yet; due by 06:00"),
        (False, 90, False, "2024-05-06 is 1.5 hours late; the newest day is 2024-05-04"),
    ],
)
def test_yesterday_is_late_only_after_its_deadline(present: bool, minutes: int, passed: bool, reason: str) -> None:
    now = DUE + timedelta(minutes=minutes)
    verdict = quality.yesterday_is_there(DAY, present=present, newest=date(2024, 5, 4), due=DUE, now=now)
    assert (verdict.passed, verdict.reason) == (passed, reason)


def test_every_warning_says_in_its_description_what_it_holds_a_day_to() -> None:
    assert all(any(sign.isdigit() for sign in text) for text in quality.DESCRIPTIONS.values())
