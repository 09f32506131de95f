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
from nexgen_assets.replenishment.ahead import DemandAhead, demand_ahead
from nexgen_assets.replenishment.lead_times import LeadTimes
from nexgen_assets.replenishment.line_policies import line_policies
from nexgen_assets.replenishment.orders import lead_times_of, mean_lead_times, reorder_recommendations
from nexgen_assets.replenishment.policy import Policy
from nexgen_assets.replenishment.segments import SEGMENTS, with_segments
from nexgen_assets.replenishment.shared_orders import SharedChange, shared_change
from nexgen_assets.tables import HORIZON_DAYS, ORDER_POLICIES, REORDER_RECOMMENDATIONS

SERIES = ["product_id", "location"]
# lead times of rows that are worked on at a time
BATCH_ENTRIES = 100_000
Integers = NDArray[np.int64]
KNOWN_COLUMNS = ("product_name", "category", "unit_price", "is_new_item", "delisted_on")
FORECAST_COLUMNS = [*SERIES, "horizon", "mean", "model_version"]


NO_UPLOADS = ORDER_POLICIES.arrow_schema.empty_table()


def orders_of_origin(  # noqa: PLR0917  # a table each
    positions: pa.Table,
    features: pa.Table,
    forecasts: pa.Table,
    calibration: Calibration | None,
    policy: Policy,
    order_policies: pa.Table = NO_UPLOADS,
) -> pa.Table:
    """Rows of `tables.REORDER_RECOMMENDATIONS`, one per row of `positions`, in the order of the grain.

    The first three tables are of one day: rows of `tables.INVENTORY_POSITIONS`, `tables.CLEANED_FEATURES` and
    `tables.FORECASTS` (FORECAST_COLUMNS suffice); `order_policies` holds all of `tables.ORDER_POLICIES`. `calibration`
    is that of the model that made the forecasts, None if they are the seasonal naive's. Raises ValueError if the tables
    are not of the same series.
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
    segments = with_segments(known.append_column("unit_cost", stock["unit_cost"]), policy.default_margin)
    for name in SEGMENTS:
        rows = rows.append_column(name, segments[name])
    lines = line_policies(rows, order_policies, policy)
    means = ahead["mean"].to_numpy().reshape(stock.num_rows, HORIZON_DAYS)

    def over(which: Integers, lengths: Integers) -> IntervalDemand:
        return demand_over(known.take(which), means[which], lengths, calibration)

    def ahead_of(which: Integers) -> DemandAhead:
        some = rows.take(which)
        return demand_ahead(
            lambda few, lengths: over(which[few], lengths),
            lead_times_of(some),
            mean_lead_times(some),
            lines.review_period_days[which],
        )

    def orders(which: Integers, shared: SharedChange | None = None) -> pa.Table:
        return reorder_recommendations(rows.take(which), ahead_of(which), policy, lines.take(which), shared)

    batches = _batches(lead_times_of(rows))
    alone = pa.concat_tables([orders(np.arange(batch.start, batch.stop)) for batch in batches])
    change = shared_change(alone, over, batches, ahead_of, policy)
    together = [orders(which, change.rows(which)) for which in _split(change.changed, batches)]
    return _replaced(alone, change.changed, together)


def demand_over(known: pa.Table, means: Reals, lengths: Integers, calibration: Calibration | None) -> IntervalDemand:
    """Demand over intervals of `lengths` [rows] days, or as long as the product is listed; none over 0 days.

    `known` are rows of `tables.CLEANED_FEATURES`, `means` [rows, horizon] their forecasts.
    """

    def over(days: Integers) -> IntervalDemand:
        if calibration is None:
            return naive_interval_demand(known, days)
        return interval_demand(means, level_of(known), days, calibration)

    return until_delisted(over, lengths, days_listed(known))


def _split(which: Integers, batches: list[slice]) -> list[Integers]:
    """The rows `which`, rising, by their batches; no batch without any."""
    parts = np.split(which, np.searchsorted(which, [batch.stop for batch in batches[:-1]]))
    return [part for part in parts if len(part)]


def _replaced(table: pa.Table, which: Integers, others: list[pa.Table]) -> pa.Table:
    """The table with its rows `which` replaced by those of `others`, in their order."""
    if not len(which):
        return table
    taken = np.arange(table.num_rows)
    taken[which] = table.num_rows + np.arange(len(which))
    return pa.concat_tables([table, *others]).take(taken)


def _batches(lead_times: LeadTimes) -> list[slice]:
    """Rows side by side, so many that their distributions fit into memory."""
    batch_of_row = lead_times.first // BATCH_ENTRIES
    starts = np.flatnonzero(np.diff(batch_of_row, prepend=-1)).tolist()
    return [slice(start, end) for start, end in pairwise([*starts, len(batch_of_row)])]


def _sorted(table: pa.Table, names: list[str]) -> pa.Table:
    return table.sort_by([(name, "ascending") for name in names])
