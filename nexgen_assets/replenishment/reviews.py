"""Reviews: on which days orders are placed, and how long it is to the next of them.

What belongs here: the calendar of reviews, on numpy arrays, one element per order line. What does not: what an order of
a review day must cover (`levels.py`), and where order days are told.
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nexgen_assets.sales.masterdata import WEEKDAYS

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

WEEK = len(WEEKDAYS)
MONDAY = -3  # in days since the epoch, which was a Thursday: reviews of a period are counted from here


def reviews(
    order_dates: Integers, order_days: pa.Array | pa.ChunkedArray, review_period_days: Integers
) -> tuple[Flags, Integers]:
    """Whether orders are placed on each order date, and the days from it to the next review, [rows].

    `order_dates` are days since the epoch, `order_days` weekdays such as `mon thu`, which go before the period: those
    on which the supplier takes orders. Where nobody told any, every `review_period_days`-th day is a review, counted
    from a Monday long ago: of 7 days each Monday, of 1 every day.
    """
    since_monday = order_dates - MONDAY
    into_period = since_monday % review_period_days
    is_review, next_review = into_period == 0, review_period_days - into_period
    encoded = pa.chunked_array(order_days).combine_chunks().dictionary_encode()
    calendars = encoded.dictionary.to_pylist()
    which = np.asarray(encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)
    is_told = np.array([bool(calendar) for calendar in calendars] + [False])[which]
    ahead = np.array([_days_ahead(calendar) for calendar in calendars] + [[1] * WEEK], np.int64)
    weekday = since_monday % WEEK
    next_by_calendar = ahead[which, weekday]
    is_order_day = ahead[which, (weekday - 1) % WEEK] == 1  # the next one after yesterday is today
    return np.where(is_told, is_order_day, is_review), np.where(is_told, next_by_calendar, next_review)


def _days_ahead(calendar: str) -> list[int]:
    """Of each weekday, the days to the next order day after it."""
    days = [WEEKDAYS.index(name) for name in calendar.split()]
    return [min(((day - weekday - 1) % WEEK + 1 for day in days), default=1) for weekday in range(WEEK)]
