"""Reviews: the days on which orders are placed, checked day by day against the calendar of the standard library."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexgen_assets.replenishment.reviews import reviews
from nexgen_assets.sales.masterdata import WEEKDAYS

EPOCH = date(1970, 1, 1)
MONDAY = date(2026, 3, 9)
calendars = st.lists(st.sampled_from(WEEKDAYS), min_size=1, unique=True).map(
    lambda days: " ".join(sorted(days, key=WEEKDAYS.index))
)


def reviews_of(day: date, calendar: str | None, period: int = 1) -> tuple[bool, int]:
    ordinal = np.array([(day - EPOCH).days])
    is_review, to_next = reviews(ordinal, pa.array([calendar], pa.string()), np.array([period]))
    return bool(is_review[0]), int(to_next[0])


@given(st.dates(date(2000, 1, 1), date(2040, 1, 1)), calendars, st.integers(1, 28))
def test_orders_are_placed_on_the_days_that_the_supplier_takes_them(day: date, calendar: str, period: int) -> None:
    is_review, to_next = reviews_of(day, calendar, period)

    def takes_orders(days_later: int) -> bool:
        return WEEKDAYS[(day + timedelta(days=days_later)).weekday()] in calendar.split()

    assert is_review == takes_orders(0)
    assert [takes_orders(later) for later in range(1, to_next + 1)] == [False] * (to_next - 1) + [True]


@given(st.dates(date(2000, 1, 1), date(2040, 1, 1)), st.integers(1, 28))
def test_without_order_days_a_review_comes_every_period(day: date, period: int) -> None:
    is_review, to_next = reviews_of(day, None, period)

    assert 1 <= to_next <= period
    assert is_review == (to_next == period)
    assert reviews_of(day + timedelta(days=to_next), None, period) == (True, period)
    assert [reviews_of(day + timedelta(days=later), None, period)[0] for later in range(1, to_next)] == (
        [False] * (to_next - 1)
    )


@pytest.mark.parametrize(("days_later", "expected"), [(0, (True, 7)), (1, (False, 6)), (6, (False, 1))])
def test_a_weekly_review_is_on_monday(days_later: int, expected: tuple[bool, int]) -> None:
    assert reviews_of(MONDAY + timedelta(days=days_later), None, 7) == expected


def test_a_line_with_order_days_and_one_without_do_not_mix() -> None:
    ordinals = np.full(3, (MONDAY - EPOCH).days)
    is_review, to_next = reviews(ordinals, pa.array(["tue", None, ""]), np.array([1, 1, 14]))

    assert is_review.tolist() == [False, True, (MONDAY - date(1969, 12, 29)).days % 14 == 0]
    assert to_next.tolist()[:2] == [1, 1]


def test_no_lines_have_no_reviews() -> None:
    is_review, to_next = reviews(np.empty(0, np.int64), pa.array([], pa.string()), np.empty(0, np.int64))
    assert (len(is_review), len(to_next)) == (0, 0)
