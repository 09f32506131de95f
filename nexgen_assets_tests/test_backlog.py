"""The backlog: which run is needed next, decided by what landed and what was built."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexgen_assets.backlog import Backlog, affected_ranges, next_run
from nexgen_assets.jobs import DAILY, HISTORY
from nexgen_assets.launcher import PlannedRun
from nexgen_assets.partitions import DayRange

FIRST = date(2024, 1, 1)
MONDAY, TUESDAY = datetime(2024, 6, 3, tzinfo=UTC), datetime(2024, 6, 4, tzinfo=UTC)
ORIGINS, REACH = 28, 490
some_days = st.sets(st.integers(0, 200).map(lambda i: FIRST + timedelta(days=i)), min_size=1, max_size=12)


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def days(first: int, last: int) -> DayRange:
    return DayRange(day(first), day(last))


def built(last: int, orders_from: int | None = None, **changes: object) -> Backlog:
    """Days 0..last landed on Monday and were built in full; orders exist for the last 28, or from `orders_from` on."""
    every = list(days(0, last))
    first_order = max(0, last - ORIGINS + 1) if orders_from is None else orders_from
    told = {
        "landed": dict.fromkeys(every, MONDAY),
        "read": dict.fromkeys(every, MONDAY),
        "raw": dict.fromkeys(every, 1),
        "features": dict.fromkeys(every, 2),
        "orders": {d: 3 for d in every if d >= day(first_order)},
    }
    return Backlog(**{**told, **changes})  # pyright: ignore[reportArgumentType]


def needed(backlog: Backlog) -> PlannedRun | None:
    return next_run(backlog, ORIGINS, REACH)


def test_nothing_landed_needs_nothing() -> None:
    assert needed(Backlog({}, {}, {}, {}, {})) is None


def test_what_is_built_needs_nothing() -> None:
    assert needed(built(99)) is None


def test_a_new_history_is_built_up_to_its_features() -> None:
    assert needed(Backlog(dict.fromkeys(days(0, 99), MONDAY), {}, {}, {}, {})) == PlannedRun(HISTORY, days(0, 99))


def test_days_without_a_file_between_landed_days_are_built_too() -> None:
    landed = dict.fromkeys([day(0), day(60)], MONDAY)
    assert needed(Backlog(landed, {}, {}, {}, {})) == PlannedRun(HISTORY, days(0, 60))


def test_orders_of_the_last_origins_follow_a_history() -> None:
    assert needed(built(99, orders_from=100)) == PlannedRun(DAILY, days(72, 99))


def test_a_new_day_is_one_daily_run() -> None:
    before = built(99)
    with_new_day = built(99, landed={**before.landed, day(100): TUESDAY})
    assert needed(with_new_day) == PlannedRun(DAILY, days(100, 100))


def test_a_file_of_last_week_rebuilds_every_day_since() -> None:
    before = built(99)
    assert needed(built(99, landed={**before.landed, day(92): TUESDAY})) == PlannedRun(DAILY, days(92, 99))


def test_a_file_of_last_quarter_rebuilds_features_since_then_and_orders_afterwards() -> None:
    before = built(99)
    late = built(99, landed={**before.landed, day(10): TUESDAY})
    assert needed(late) == PlannedRun(HISTORY, days(10, 99))
    rebuilt = dict.fromkeys(days(10, 99), 5)
    after = built(
        99,
        landed=late.landed,
        read={**late.read, **dict.fromkeys(days(10, 99), TUESDAY)},
        raw={**late.raw, **dict.fromkeys(days(10, 99), 4)},
        features={**late.features, **rebuilt},
    )
    assert needed(after) == PlannedRun(DAILY, days(72, 99))


def test_a_change_reaches_no_further_than_anything_looks_back() -> None:
    before = built(900)
    late = built(900, landed={**before.landed, day(10): TUESDAY})
    assert needed(late) == PlannedRun(HISTORY, days(10, 10 + REACH - 1))


def test_a_short_range_of_long_ago_gets_no_orders() -> None:
    late = built(900, landed={**built(900).landed, day(10): TUESDAY})
    run = next_run(late, ORIGINS, lookback_days=5)
    assert run == PlannedRun(HISTORY, days(10, 14))


def test_a_run_that_ended_after_its_sales_is_made_up_for() -> None:
    before = built(99)
    assert needed(built(99, raw={**before.raw, day(99): 7})) == PlannedRun(DAILY, days(99, 99))


def test_a_run_that_ended_before_its_orders_is_made_up_for() -> None:
    before = built(99)
    interrupted = built(99, raw={**before.raw, day(99): 7}, features={**before.features, day(99): 8})
    assert needed(interrupted) == PlannedRun(DAILY, days(99, 99))


def test_a_change_that_came_while_its_day_was_built_is_not_lost() -> None:
    # the run read Monday's state and ended on Tuesday, after the change
    before = built(99)
    assert needed(built(99, landed={**before.landed, day(99): MONDAY + timedelta(microseconds=1)})) is not None


@pytest.mark.parametrize("reach", [1, 30, REACH])
@given(stale=some_days)
def test_every_day_that_looks_back_on_a_stale_one_is_in_exactly_one_range(reach: int, stale: set[date]) -> None:
    newest = day(230)
    ranges = affected_ranges(stale, reach, newest)
    reached = {d + timedelta(days=k) for d in stale for k in range(reach) if d + timedelta(days=k) <= newest}
    covered = [d for found in ranges for d in found]
    assert reached <= set(covered)
    assert len(covered) == len(set(covered))
    assert covered == sorted(covered)
    assert all(d in reached or any(abs((d - other).days) <= 7 for other in reached) for d in covered)
