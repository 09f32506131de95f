"""Closings: days ahead on which a location is known to be shut, whatever a model makes of them.

What belongs here: what the calendar told of them by the origin, and that nothing is forecast for them, nor learnt from
them. What does not: whether a location was open on a past day (`sales/opening.py`, whose order of precedence holds here
too).
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyspark.sql import Column
from pyspark.sql import functions as F  # noqa: N812

from nexgen_assets.forecasting.rows import day_numbers
from nexgen_assets.tables import DAY, HORIZON_DAYS, QUANTILES

Flags = NDArray[np.bool_]

IN_FORCE_ORDER = ("is_local", "effective_date", "file_key", "line_number")


class PlannedOpening:
    """The lines of `tables.CALENDAR` that say whether a location is open, from the weakest to the strongest.

    A line that names the location goes before one that holds everywhere, then the one that became known last.
    """

    def __init__(self, calendar: pa.Table) -> None:
        told = calendar.filter(pc.field("is_open").is_valid())
        is_local = pc.call_function("not_equal", [told["location"], pa.scalar("")])
        order = [(name, "ascending") for name in IN_FORCE_ORDER]
        lines = told.append_column("is_local", is_local).sort_by(order)
        self._where = lines["location"].to_pylist()
        self._is_open = lines["is_open"].to_numpy(zero_copy_only=False).astype(bool)
        self._start, self._end, self._effective = (
            day_numbers(lines[name]) for name in ("start_date", "end_date", "effective_date")
        )

    def ahead(self, locations: list[str], origin: int) -> Flags:
        """Whether each location is open on each of the next days [locations, HORIZON_DAYS]; open unless told.

        As known at `origin`, in days since 1970.
        """
        is_open = np.ones((len(locations), HORIZON_DAYS), bool)
        where = np.array(locations, object)
        known = (self._effective <= origin) & (self._end > origin) & (self._start <= origin + HORIZON_DAYS)
        for line in np.flatnonzero(known):
            first, last = (day - origin - 1 for day in (self._start[line], self._end[line]))
            at = (where == self._where[line]) | (self._where[line] == "")
            is_open[at, max(first, 0) : last + 1] = self._is_open[line]
        return is_open


def without_closed_days(forecasts: pa.Table, opening: PlannedOpening) -> pa.Table:
    """Rows of `tables.FORECASTS` with mean and quantiles 0 on days on which the location will be closed."""
    is_open = _is_open(forecasts, opening)
    if is_open.all():
        return forecasts
    for name in ("mean", *QUANTILES):
        values = np.where(is_open, forecasts[name].to_numpy(), 0)
        index = forecasts.schema.get_field_index(name)
        forecasts = forecasts.set_column(index, forecasts.schema.field(name), pa.array(values, forecasts[name].type))
    return forecasts


def _is_open(forecasts: pa.Table, opening: PlannedOpening) -> Flags:
    origin, horizon = day_numbers(forecasts[DAY]), forecasts["horizon"].to_numpy().astype(np.int64)
    location: Any = forecasts["location"].combine_chunks().dictionary_encode()
    code, names = location.indices.to_numpy(), location.dictionary.to_pylist()
    is_open = np.ones(forecasts.num_rows, bool)
    for day in np.unique(origin):
        rows = np.flatnonzero(origin == day)
        is_open[rows] = opening.ahead(names, int(day))[code[rows], horizon[rows] - 1]
    return is_open


def was_told_closed() -> Column:
    """Whether the calendar closed the location on the day of a row of `tables.DAILY_DEMAND`, and nothing sold there."""
    is_told = ~F.col("is_open") & ~F.col("is_open_inferred")
    return F.coalesce(is_told & (F.coalesce(F.col("demand_units"), F.lit(0)) == 0), F.lit(False))
