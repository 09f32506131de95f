"""Orders of centres: the rows by which the locations that supply others are themselves ordered for.

What belongs here: which centres have a row, its terms, and its demand. What does not: what a centre has (`centres.py`),
how it is shared out (`fair_share.py`), and the order's arithmetic, which is that of any row (`orders.py`).

The demand that a centre meets are the orders of its locations, and what it sells itself. What location i orders from it
in the T days after the origin is

    A_i(T) = max(0, lacking_i + D_i(T - 1)),    A_i(0) = 0,

with D_i the demand of its customers and `lacking` what is missing to its own level when it next orders: negative where
it has more. Orders leave on their order date, so those of the last day answer to the demand of the day before. So the
centre sees through its locations: with base stock at either stage this is an echelon stock policy, whose level is that
of the centre on top of its locations' levels (Clark & Scarf 1960; Axsater & Rosling 1993; Silver, Pyke & Thomas,
Inventory and Production Management in Supply Chains, 4e, chapter 11). The locations keep their own safety stocks; that
of the centre is for the sum of their demands, which varies less than they do together.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nexgen_assets.replenishment.ahead import DemandOver
from nexgen_assets.replenishment.formulas.rounding import round_up_to_pack
from nexgen_assets.replenishment.levels import lot_units
from nexgen_assets.replenishment.line_policies import LinePolicies
from nexgen_assets.replenishment.policy import Floats, IntervalDistribution, Policy
from nexgen_assets.replenishment.pooled_demand import JoinedDemand, ShiftedGamma, pooled_sds, standard_deviation
from nexgen_assets.tables import INVENTORY_POSITIONS

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Members:
    """The rows whose demand each centre meets, side by side by centre: [members], and where each centre's begin.

    `is_own` is true of what the centre sells itself.
    """

    row: Integers
    first: Integers
    count: Integers
    is_own: NDArray[np.bool_]


def members_of(rows: pa.Table, centre_stock: pa.Table) -> tuple[pa.Table, Members]:
    """The rows of `tables.CENTRE_STOCK` that are ordered for, and who draws on them.

    `rows` are those of the locations, in which a centre that sells has one too. A product that no location gets from a
    centre is not ordered for it.
    """
    places = pc.SetLookupOptions(_keys(centre_stock, "location").combine_chunks(), skip_nulls=True)

    def centre(column: str) -> Integers:
        found = pc.call_function("index_in", [_keys(rows, column)], places)
        return np.asarray(found.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)

    supplied, own = centre("supplied_by"), centre("location")
    used = np.unique(supplied[supplied >= 0])
    number = np.full(centre_stock.num_rows + 1, -1)
    number[used] = np.arange(len(used))
    draws, sells = np.flatnonzero(supplied >= 0), np.flatnonzero(number[own] >= 0)
    row = np.concatenate([draws, sells])
    of = np.concatenate([number[supplied[draws]], number[own[sells]]])
    is_own = np.arange(len(row)) >= len(draws)
    order = np.argsort(of, kind="stable")
    count = np.bincount(of, minlength=len(used)).astype(np.int64)
    return centre_stock.take(used), Members(row[order], np.cumsum(count) - count, count, is_own[order])


def _keys(table: pa.Table, location: str) -> pa.ChunkedArray:
    return pc.call_function("binary_join_element_wise", [table["product_id"], table[location], pa.scalar("\x1f")])


def centre_rows(stock: pa.Table, members: Members, rows: pa.Table, sold: Floats) -> pa.Table:
    """Origin rows of the centres, with the columns of `rows`; `sold` [rows] units say which location sells most.

    `stock` are their rows of `tables.CENTRE_STOCK`. A centre counts as its largest location does in segments. Of an
    unknown cost, its locations' is taken.
    """
    largest = np.array([_largest(members, number, sold) for number in range(len(members.count))], np.int64)
    of = rows.take(largest)
    columns: dict[str, pa.Array | pa.ChunkedArray] = {name: stock[name] for name in INVENTORY_POSITIONS.names}
    # what is promised is on hand, and not to give
    columns["on_hand"] = pc.call_function("add", [stock["on_hand"], stock["committed_units"]])
    columns["unit_cost"] = pc.call_function("coalesce", [stock["unit_cost"], of["unit_cost"]])
    is_cost_told = stock["unit_cost"].is_valid()
    columns["is_default_unit_cost"] = pc.call_function(
        "if_else", [is_cost_told, stock["is_default_unit_cost"], of["is_default_unit_cost"]]
    )
    supplied = np.add.reduceat(~members.is_own, members.first) if len(members.first) else members.count
    columns["supplied_locations"] = pa.array(supplied.astype(np.int64))
    for field in rows.schema:
        if field.name not in columns:
            is_known = field.name not in ("delisted_on", "centre_on_hand", "is_new_item")
            columns[field.name] = of[field.name] if is_known else pa.nulls(stock.num_rows, field.type)
    return pa.table([columns[field.name].cast(field.type) for field in rows.schema], schema=rows.schema)


def _largest(members: Members, number: int, sold: Floats) -> int:
    own = members.row[members.first[number] :][: members.count[number]]
    return int(own[np.argmax(sold[own])])


def smallest_orders(orders: pa.Table, lines: LinePolicies, policy: Policy) -> Floats:
    """Units of the least that each row orders at once: full packs, the MOQ and a lot at least, if it has any."""
    pack = _numbers(orders, "pack_size")
    smallest = round_up_to_pack(np.maximum(_numbers(orders, "min_order_quantity"), pack), pack)
    daily = _numbers(orders, "expected_demand") / _numbers(orders, "protection_interval_days")
    return np.maximum(smallest, lot_units(lines, daily, _numbers(orders, "unit_cost"), policy))


def lacking_units(orders: pa.Table, lines: LinePolicies, smallest: Floats, over: DemandOver) -> Floats:
    """What each location [rows] will have ordered beyond its customers' demand: more than that, where negative.

    `orders` are the rows as each location alone wants them, `lines` their policies, `smallest` units of their smallest
    orders, `over` their demand. A location that does not order today does so on its next review, up to the level of
    that day. Between its orders it has, on average, half of its smallest order more than its level. One that is blocked
    lacks nothing, and one that orders no more has all it needs.
    """
    level = np.maximum(_numbers(orders, "order_up_to_level"), np.nan_to_num(_numbers(orders, "display_minimum")))
    rows, wanted = np.arange(orders.num_rows), _numbers(orders, "order_units")
    later = over(rows, lines.next_period_days).mean - over(rows, lines.review_period_days).mean
    later = np.where(lines.is_review, 0.0, np.maximum(later, 0.0))
    missing = level + later - _numbers(orders, "inventory_position") + np.maximum(smallest - 1, 0.0) / 2
    missing = np.where(wanted > 0, np.maximum(missing, wanted), missing)
    is_blocked = np.asarray(orders["blocked_reason"].is_valid().to_numpy(), np.bool_)
    is_over = _numbers(orders, "delisted_units") < 0
    return np.select([is_over, is_blocked], [-np.inf, 0.0], missing)


def with_centres(  # noqa: PLR0917  # what decides on demand
    over: DemandOver, kept: Integers, members: Members, lacking: Floats, smallest: Floats, correlation: float
) -> DemandOver:
    """The demand of the rows `kept`, and of the centres after them, over any days.

    `over` tells that of all locations; `lacking` and `smallest` [members] are units.
    """

    def of_centres(which: Integers, lengths: Integers) -> ShiftedGamma:
        count = members.count[which]
        owner = np.repeat(np.arange(len(which)), count)
        member = np.repeat(members.first[which] - np.cumsum(count) + count, count) + np.arange(count.sum())
        is_own, days = members.is_own[member], lengths[owner]
        demand = over(members.row[member], np.maximum(days - ~is_own, 0))
        mean = np.asarray(demand.mean, np.float64)
        begun = (days > 0) & ~is_own
        sds = standard_deviation(demand)
        rounding = np.where(begun, np.maximum(smallest[member] ** 2 - 1, 0.0) / 12, 0.0)
        shift = np.where(begun, np.maximum(lacking[member], -mean), 0.0)
        means, shifts, lots, beyond = (
            np.bincount(owner, values, len(which)).astype(np.float64)
            for values in (mean, shift, rounding, np.asarray(demand.is_beyond_horizon, np.float64))
        )
        sd = np.sqrt(pooled_sds(sds, owner, len(which), correlation) ** 2 + lots)
        return ShiftedGamma(means, np.where(means > 0, sd, 0.0), shifts, beyond > 0)

    def joined(which: Integers, lengths: Integers) -> IntervalDistribution:
        is_centre = which >= len(kept)
        if not is_centre.any():
            return over(kept[which], lengths)
        centres = of_centres(which[is_centre] - len(kept), lengths[is_centre])
        if is_centre.all():
            return centres
        return JoinedDemand(over(kept[which[~is_centre]], lengths[~is_centre]), centres, is_centre)

    return joined


def _numbers(table: pa.Table, name: str) -> Floats:
    return np.array(table[name].cast(pa.float64()).to_numpy(), np.float64)
