"""Orders that are late: what the open lines of a day say of each of its order rows.

What belongs here: matching `tables.OPEN_ORDERS` with order rows, and which lines are late. What does not: which lines
are open (`open_orders.py`), and what is at risk because of them (`exceptions.py`).
"""

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nexgen_assets.forecasting.rows import day_numbers, series_key

Floats = NDArray[np.float64]

# a line that was due and that no stock figure has confirmed: stock counted once a week would have
UNCONFIRMED_DAYS = 7.0


class OpenLines(NamedTuple):
    """Of each order row [rows]: its late lines, and its next receipt.

    `days_overdue` counts from the due date of the line that is late longest, not a number where none is late;
    `tolerated_days` is what it is beyond. `late_units` is the sum of the late lines, `unconfirmed_units` the part of it
    that counts as on hand. `days_to_receipt` is that from the origin to the next day on which a line can be sold that
    is not yet due, infinite without one.
    """

    days_overdue: Floats
    tolerated_days: Floats
    late_units: Floats
    unconfirmed_units: Floats
    days_to_receipt: Floats


def open_lines(orders: pa.Table, lines: pa.Table) -> OpenLines:
    """Match the rows of `tables.OPEN_ORDERS` of a day with order rows of that day.

    A line is late from the day after its due date on if a stock file says that it has not come, and after
    UNCONFIRMED_DAYS if nobody says anything: until then it is assumed received. Without a due date none is late.
    """
    dated = lines.filter(pc.field("due_date").is_valid())
    index_in: Any = pc.index_in  # pyright: ignore[reportAttributeAccessIssue]
    known = index_in(series_key(dated), series_key(orders))
    dated, place = dated.filter(known.is_valid()), known.drop_null().to_numpy().astype(np.int64)
    overdue = (day_numbers(dated["day"]) - day_numbers(dated["due_date"])).astype(np.float64)
    is_assumed = dated["is_assumed_received"].to_numpy().astype(bool)
    units = dated["order_units"].to_numpy().astype(np.float64)
    is_late = overdue > np.where(is_assumed, UNCONFIRMED_DAYS, 0.0)

    def over(values: Floats, which: NDArray[np.bool_], most: np.ufunc, start: float) -> Floats:
        found = np.full(orders.num_rows, start)
        most.at(found, place[which], values[which])
        return found

    days_overdue = over(overdue, is_late, np.maximum, -np.inf)
    told_late = over(np.ones_like(units), is_late & ~is_assumed, np.add, 0.0) > 0
    return OpenLines(
        days_overdue=np.where(np.isfinite(days_overdue), days_overdue, np.nan),
        tolerated_days=np.where(told_late, 0.0, UNCONFIRMED_DAYS),
        late_units=over(units, is_late, np.add, 0.0),
        unconfirmed_units=over(units, is_late & is_assumed, np.add, 0.0),
        days_to_receipt=over(-overdue, overdue < 0, np.minimum, np.inf),
    )
