"""The orders of one forecast origin: stock, features and forecasts of the same series, side by side.

What belongs here: lining the tables of one day up and choosing the distribution of demand that they imply. What does
not: the order's arithmetic (`policy.py`, `orders.py`), reading tables, finding models.
"""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nexgen_assets.forecasting.baselines import naive_interval_demand
from nexgen_assets.forecasting.frame import level_of
from nexgen_assets.forecasting.interval import IntervalDemand, interval_demand, until_delisted
from nexgen_assets.forecasting.listing import days_listed
from nexgen_assets.forecasting.quantiles import Calibration, Reals
from nexgen_assets.replenishment.lead_times import LeadTimes
from nexgen_assets.replenishment.mixture import MixedDemand
from nexgen_assets.replenishment.orders import interval_lengths, lead_times_of, reorder_recommendations
from nexgen_assets.replenishment.policy import IntervalDistribution, Policy, protection_interval_days
from nexgen_assets.tables import HORIZON_DAYS, REORDER_RECOMMENDATIONS

SERIES = ["product_id", "location"]
# lead times of rows that are worked on at a time
BATCH_ENTRIES = 100_000
Integers = NDArray[np.int64]
KNOWN_COLUMNS = ("product_name", "category", "unit_price", "is_new_item", "delisted_on")
FORECAST_COLUMNS = [*SERIES, "horizon", "mean", "model_version"]


def orders_of_origin(
    positions: pa.Table, features: pa.Table, forecasts: pa.Table, calibration: Calibration | None, policy: Policy
) -> pa.Table:
    """Rows of `tables.REORDER_RECOMMENDATIONS`, one per row of `positions`, in the order of the grain.

    All three tables are of one day: rows of `tables.INVENTORY_POSITIONS`, `tables.CLEANED_FEATURES` and
    `tables.FORECASTS` (FORECAST_COLUMNS suffice). `calibration` is that of the model that made the forecasts, None if
    they are the seasonal naive's. Raises ValueError if the tables are not of the same series.
    """
    stock, known = _sorted(positions, SERIES), _sorted(features, SERIES)
    ahead = _sorted(forecasts, [*SERIES, "horizon"])
    first = ahead.filter(pc.equal(ahead["horizon"], 1))  # pyright: ignore[reportAttributeAccessIssue]
    for name, other in (("features", known), ("forecasts", first)):
        if not all(stock[column].equals(other[column]) for column in SERIES):
            raise ValueError(f"positions and {name} differ in their products: rebuild that day")
    if not stock.num_rows:
        return REORDER_RECOMMENDATIONS.arrow_schema.empty_table()

    rows = stock
    for name in KNOWN_COLUMNS:
        rows = rows.append_column(name, known[name])
    rows = rows.append_column("model_version", first["model_version"])
    means = ahead["mean"].to_numpy().reshape(stock.num_rows, HORIZON_DAYS)
    batches = [
        _orders(rows[batch], known[batch], means[batch], calibration, policy) for batch in _batches(lead_times_of(rows))
    ]
    return pa.concat_tables(batches)


def _orders(rows: pa.Table, known: pa.Table, means: Reals, calibration: Calibration | None, policy: Policy) -> pa.Table:
    lead_times = lead_times_of(rows)

    def demand(which: Integers, lengths: Integers) -> IntervalDistribution:
        """Demand of the rows `which` over intervals of `lengths` days, or as long as they are listed."""
        features = known.take(which)

        def over(days: Integers) -> IntervalDemand:
            if calibration is None:
                return naive_interval_demand(features, days)
            return interval_demand(means[which], level_of(features), days, calibration)

        return until_delisted(over, lengths, days_listed(features))

    certain = demand(np.arange(rows.num_rows), interval_lengths(rows, policy))
    if len(lead_times.row) == rows.num_rows:  # one lead time each
        return reorder_recommendations(rows, certain, policy)
    mixed = MixedDemand(demand(lead_times.row, protection_interval_days(lead_times.days, policy)), lead_times)
    return reorder_recommendations(rows, mixed, policy, certain)


def _batches(lead_times: LeadTimes) -> list[slice]:
    """Rows side by side, so many that their distributions fit into memory."""
    batch_of_row = lead_times.first // BATCH_ENTRIES
    starts = np.flatnonzero(np.diff(batch_of_row, prepend=-1)).tolist()
    return [slice(start, end) for start, end in pairwise([*starts, len(batch_of_row)])]


def _sorted(table: pa.Table, names: list[str]) -> pa.Table:
    return table.sort_by([(name, "ascending") for name in names])
