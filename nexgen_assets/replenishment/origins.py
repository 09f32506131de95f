"""The orders of one forecast origin: stock, features and forecasts of the same series, side by side.

What belongs here: lining the tables of one day up and choosing the distribution of demand that they imply. What does
not: the order's arithmetic (`policy.py`, `orders.py`), reading tables, finding models.
"""

from dataclasses import dataclass
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
from nexgen_assets.replenishment.ahead import DemandAhead, DemandOver, demand_ahead
from nexgen_assets.replenishment.centre_orders import (
    centre_rows,
    lacking_units,
    members_of,
    smallest_orders,
    with_centres,
)
from nexgen_assets.replenishment.lead_times import LeadTimes
from nexgen_assets.replenishment.line_policies import line_policies
from nexgen_assets.replenishment.orders import lead_times_of, mean_lead_times, reorder_recommendations
from nexgen_assets.replenishment.policy import IntervalDistribution, Policy
from nexgen_assets.replenishment.segments import SEGMENTS, with_segments
from nexgen_assets.replenishment.shared_orders import SharedChange, shared_change
from nexgen_assets.tables import CENTRE_STOCK, HORIZON_DAYS, ORDER_POLICIES, REORDER_RECOMMENDATIONS

SERIES = ["product_id", "location"]
# lead times of rows that are worked on at a time
BATCH_ENTRIES = 100_000
Integers = NDArray[np.int64]
KNOWN_COLUMNS = ("product_name", "category", "unit_price", "is_new_item", "delisted_on")
FORECAST_COLUMNS = [*SERIES, "horizon", "mean", "spread", "model_version"]


NO_UPLOADS = ORDER_POLICIES.arrow_schema.empty_table()
NO_CENTRES = CENTRE_STOCK.arrow_schema.empty_table()


def orders_of_origin(  # noqa: PLR0917  # a table each
    positions: pa.Table,
    features: pa.Table,
    forecasts: pa.Table,
    calibration: Calibration | None,
    policy: Policy,
    order_policies: pa.Table = NO_UPLOADS,
    centre_stock: pa.Table = NO_CENTRES,
) -> pa.Table:
    """Rows of `tables.REORDER_RECOMMENDATIONS`, one per row of `positions` and per centre, in the order of the grain.

    The first three tables are of one day: rows of `tables.INVENTORY_POSITIONS`, `tables.CLEANED_FEATURES` and
    `tables.FORECASTS` (FORECAST_COLUMNS suffice), and so is `centre_stock`, `tables.CENTRE_STOCK`; `order_policies`
    holds all of `tables.ORDER_POLICIES`. A product that locations get from a centre, and of which the centre's stock is
    known, has a row there too, for their orders (`centre_orders.py`). `calibration` is that of the model that made the
    forecasts, None if they are the seasonal naive's. Raises ValueError if the tables are not of the same series.
    """
    stock, known, ahead, first = lined_up(positions, features, forecasts)
    if not stock.num_rows:
        return REORDER_RECOMMENDATIONS.arrow_schema.empty_table()

    places = _origin_rows(stock, known, first, centre_stock, policy)
    held, members = members_of(places, centre_stock)
    kept = np.setdiff1d(np.arange(places.num_rows), members.row[members.is_own])  # a centre has one row
    sold = np.asarray(known["demand_mean_28"].fill_null(0.0).to_numpy(), np.float64)
    rows = pa.concat_tables([places.take(kept), centre_rows(held, members, places, sold)])
    lines = line_policies(rows, order_policies, policy)
    of_places, stores = demand_over(known, ahead, calibration), len(kept)

    def orders(over: DemandOver, which: Integers, shared: SharedChange | None = None) -> pa.Table:
        return reorder_recommendations(rows.take(which), ahead_of(over, which), policy, lines.take(which), shared)

    def ahead_of(over: DemandOver, which: Integers) -> DemandAhead:
        some = rows.take(which)
        return demand_ahead(
            lambda few, lengths: over(which[few], lengths),
            lead_times_of(some),
            mean_lead_times(some),
            lines.review_period_days[which],
        )

    def of_stores(which: Integers, lengths: Integers) -> IntervalDistribution:
        return of_places(kept[which], lengths)

    batches = _batches(lead_times_of(rows), np.concatenate([np.ones(stores, np.int64), members.count]), stores)
    parts = [orders(of_stores, _inside(batch)) for batch in batches if batch.stop <= stores]
    over: DemandOver = of_stores
    if held.num_rows:
        lacking, smallest = np.zeros((2, places.num_rows))
        alone = pa.concat_tables(parts)
        of_kept = lines.take(np.arange(stores))
        smallest[kept] = smallest_orders(alone, of_kept, policy)
        lacking[kept] = lacking_units(alone, of_kept, smallest[kept], of_stores)
        of = members.row
        over = with_centres(of_places, kept, members, lacking[of], smallest[of], policy.store_correlation)
        parts += [orders(over, _inside(batch)) for batch in batches if batch.start >= stores]
    alone = pa.concat_tables(parts)
    change = shared_change(alone, over, batches, lambda which: ahead_of(over, which), policy)
    together = [orders(over, which, change.rows(which)) for which in _split(change.changed, batches)]
    made = _replaced(alone, change.changed, together)
    return _sorted(made, SERIES) if held.num_rows else made


def _origin_rows(stock: pa.Table, known: pa.Table, first: pa.Table, centre_stock: pa.Table, policy: Policy) -> pa.Table:
    """The rows of the locations, with `orders.ORIGIN_COLUMNS`."""
    rows = stock
    for name in KNOWN_COLUMNS:
        rows = rows.append_column(name, known[name])
    rows = rows.append_column("model_version", first["model_version"])
    rows = rows.append_column("centre_on_hand", _centre_on_hand(rows, centre_stock))
    rows = rows.append_column("supplied_locations", pa.nulls(rows.num_rows, pa.int64()))
    segments = with_segments(known.append_column("unit_cost", stock["unit_cost"]), policy.default_margin)
    for name in SEGMENTS:
        rows = rows.append_column(name, segments[name])
    return rows


def _inside(batch: slice) -> Integers:
    return np.arange(batch.start, batch.stop)


def lined_up(
    positions: pa.Table, features: pa.Table, forecasts: pa.Table
) -> tuple[pa.Table, pa.Table, pa.Table, pa.Table]:
    """Positions (or orders), features, forecasts, and the forecasts of the first day, by product x location.

    All of one day; raises ValueError if they are not of the same series.
    """
    stock, known = _sorted(positions, SERIES), _sorted(features, SERIES)
    ahead = _sorted(forecasts, [*SERIES, "horizon"])
    first = ahead.filter(pc.equal(ahead["horizon"], 1))  # pyright: ignore[reportAttributeAccessIssue]
    for name, other in (("features", known), ("forecasts", first)):
        if not all(stock[column].equals(other[column]) for column in SERIES):
            raise ValueError(f"positions and {name} differ in their products: rebuild that day")
    return stock, known, ahead, first


def demand_over(known: pa.Table, ahead: pa.Table, calibration: Calibration | None) -> DemandOver:
    """The demand of the rows of `known` and `ahead`, features and forecasts that are lined up, over any days."""
    forecasts = DailyForecasts.of(ahead)

    def over(which: Integers, lengths: Integers) -> IntervalDemand:
        return listed_demand(known.take(which), forecasts.take(which), lengths, calibration)

    return over


@dataclass(frozen=True)
class DailyForecasts:
    """Mean forecasts in units and their spread, both [series, HORIZON_DAYS]."""

    means: Reals
    spread: Reals

    @classmethod
    def of(cls, ahead: pa.Table) -> "DailyForecasts":
        """Those of rows of `tables.FORECASTS` of one origin, by series and horizon; forecasts of old have spread 1."""
        columns = ahead["mean"], ahead["spread"].fill_null(1.0)
        return cls(*(column.to_numpy().reshape(-1, HORIZON_DAYS) for column in columns))

    def take(self, which: Integers) -> "DailyForecasts":
        return DailyForecasts(self.means[which], self.spread[which])


def listed_demand(
    known: pa.Table, forecasts: DailyForecasts, lengths: Integers, calibration: Calibration | None
) -> IntervalDemand:
    """Demand over intervals of `lengths` [rows] days, or as long as the product is listed; none over 0 days."""

    def over(days: Integers) -> IntervalDemand:
        if calibration is None:
            return naive_interval_demand(known, days)
        return interval_demand(forecasts.means, level_of(known), days, calibration, forecasts.spread)

    return until_delisted(over, lengths, days_listed(known))


def _centre_on_hand(rows: pa.Table, centre_stock: pa.Table) -> pa.ChunkedArray:
    """Of each row the units that its centre has; null without a centre, or where nobody told."""
    separator = pa.scalar("\x1f")
    keys = pc.call_function("binary_join_element_wise", [rows["product_id"], rows["supplied_by"], separator])
    told = [centre_stock["product_id"], centre_stock["location"], separator]
    held = pc.call_function("binary_join_element_wise", told).combine_chunks()
    return centre_stock["on_hand"].take(
        pc.call_function("index_in", [keys], pc.SetLookupOptions(held, skip_nulls=True))
    )


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


def _batches(lead_times: LeadTimes, weights: Integers, border: int) -> list[slice]:
    """Rows side by side, so many that their distributions fit into memory, and none across the row `border`.

    `weights` [rows] are the distributions that each lead time of a row takes.
    """
    entries = np.diff(lead_times.first, append=len(lead_times.row)) * weights
    batch_of_row = (np.cumsum(entries) - entries) // BATCH_ENTRIES
    is_new = np.diff(batch_of_row, prepend=-1) != 0
    is_new[border : border + 1] = True
    starts = np.flatnonzero(is_new).tolist()
    return [slice(start, end) for start, end in pairwise([*starts, len(batch_of_row)])]


def _sorted(table: pa.Table, names: list[str]) -> pa.Table:
    return table.sort_by([(name, "ascending") for name in names])
