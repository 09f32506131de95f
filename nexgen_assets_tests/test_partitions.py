"""Ranges of days: what merging, bounding and looking back may never do. The oracle is counting days one by one."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from dagster import PartitionKeyRange
from hypothesis import assume, given
from hypothesis import strategies as st

from nexgen_assets.partitions import DayRange, affected_days, daily_partitions, key_range, merged
from nexgen_assets.settings import Settings

FIRST = date(2024, 2, 1)
some_day = st.integers(0, 120).map(lambda i: FIRST + timedelta(days=i))
some_days = st.lists(some_day, max_size=30)
some_range = st.tuples(some_day, some_day).map(lambda pair: DayRange(min(pair), max(pair)))


def test_a_range_holds_both_its_ends() -> None:
    assert list(DayRange(date(2024, 2, 28), date(2024, 3, 1))) == [
        date(2024, 2, 28),
        date(2024, 2, 29),
        date(2024, 3, 1),
    ]


def test_a_range_cannot_end_before_it_starts() -> None:
    with pytest.raises(ValueError, match=r"cannot end \(2024-01-01\) before it starts \(2024-01-02\)"):
        DayRange(date(2024, 1, 2), date(2024, 1, 1))


def test_one_day_is_written_as_that_day() -> None:
    assert str(DayRange(FIRST, FIRST)) == "2024-02-01"
    assert str(DayRange(FIRST, date(2024, 2, 3))) == "2024-02-01..2024-02-03"


def test_the_tags_make_dagster_run_the_whole_range_at_once() -> None:
    assert DayRange(FIRST, date(2024, 2, 3)).tags == {
        "dagster/asset_partition_range_start": "2024-02-01",
        "dagster/asset_partition_range_end": "2024-02-03",
    }


@given(some_range)
def test_a_range_survives_the_way_through_dagster(days: DayRange) -> None:
    assert key_range(PartitionKeyRange(days.start.isoformat(), days.end.isoformat())) == days


@given(some_range, st.integers(1, 200))
def test_the_last_days_are_the_tail_of_the_range(days: DayRange, n: int) -> None:
    assert list(days.last(n)) == list(days)[-n:]


@given(some_range, st.integers(0, 200))
def test_a_lookback_adds_exactly_the_days_before(days: DayRange, n: int) -> None:
    window = list(days.preceded_by(n))
    assert window[n:] == list(days)
    assert len(window) == len(days) + n


@given(some_day, st.integers(1, 50), some_day)
def test_affected_are_the_days_whose_lookback_reaches_the_changed_day(day: date, lookback: int, last: date) -> None:
    assume(last >= day)
    looking_back = {other for other in DayRange(FIRST, last) if day in DayRange(other, other).preceded_by(lookback - 1)}
    assert set(affected_days(day, lookback, last)) == looking_back


def test_a_changed_day_after_the_last_one_affects_itself_alone() -> None:
    assert list(affected_days(date(2024, 3, 5), 400, date(2024, 3, 1))) == [date(2024, 3, 5)]


@given(some_days, st.integers(0, 10))
def test_merging_covers_every_day_in_order(days: list[date], gap: int) -> None:
    ranges = merged(days, gap)
    assert set(days) <= {day for found in ranges for day in found}
    assert {found.start for found in ranges} | {found.end for found in ranges} <= set(days)
    assert ranges == sorted(ranges, key=lambda found: found.start)


@given(some_days, st.integers(0, 10))
def test_merging_fills_gaps_up_to_the_limit_and_no_longer_ones(days: list[date], gap: int) -> None:
    ranges = merged(days, gap)
    between = [(later.start - earlier.end).days - 1 for earlier, later in pairwise(ranges)]
    assert all(idle > gap for idle in between)
    wanted = set(days)
    for found in ranges:
        assert "0" * (gap + 1) not in "".join("1" if day in wanted else "0" for day in found)


def test_a_week_between_two_days_is_filled_and_eight_days_are_not() -> None:
    assert merged([FIRST, FIRST + timedelta(days=8)]) == [DayRange(FIRST, FIRST + timedelta(days=8))]
    assert len(merged([FIRST, FIRST + timedelta(days=9)])) == 2


def test_a_day_becomes_a_partition_when_it_closes_at_local_midnight() -> None:
    days = daily_partitions(Settings(timezone="America/New_York", calendar_start=date(2024, 3, 9)))
    assert days.get_partition_keys(datetime(2024, 3, 11, 3, 59, tzinfo=UTC)) == ["2024-03-09"]
    assert days.get_partition_keys(datetime(2024, 3, 11, 4, 0, tzinfo=UTC)) == ["2024-03-09", "2024-03-10"]
