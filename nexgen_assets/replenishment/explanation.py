"""The order in words: one sentence with its numbers, and the list of what was assumed.

What belongs here: text made from the columns of an order row. What does not: computing any of those columns.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

# flag of `inventory_positions` -> name of the assumption
DEFAULTED_TERMS = {
    "is_default_lead_time": "lead_time",
    "is_default_pack_size": "pack_size",
    "is_default_min_order_quantity": "min_order_quantity",
    "is_default_unit_cost": "unit_cost",
}
SHOWN_DECIMALS = 2

STOCK_UNKNOWN = "stock_unknown"
PACK_ABOVE_MAX_STOCK = "pack_above_max_stock"
PACK_ABOVE_SHELF_LIFE = "pack_above_shelf_life"
SUPPLIER_MINIMUM = "supplier_minimum"
BUDGET = "supplier_minimum_within_budget"
COST_UNKNOWN = "unit_cost_unknown"
# reason why a line is blocked -> in words
BLOCKED = {
    STOCK_UNKNOWN: "nobody told the stock",
    PACK_ABOVE_MAX_STOCK: "the smallest order is more than the maximum stock",
    PACK_ABOVE_SHELF_LIFE: "too much of the smallest order would expire",
    SUPPLIER_MINIMUM: "the supplier takes no order of so little money",
    BUDGET: "the budget leaves less than the smallest order that the supplier takes",
    COST_UNKNOWN: "nobody told the unit cost, and there is a budget",
}


def assumptions(origin_rows: pa.Table) -> pa.Array | pa.ChunkedArray:
    """What nobody told, separated by commas: terms that are defaults, and how the stock figure was come by.

    `new_item`: the product is listed and has sold nothing yet, its demand is that of its category or of the other
    locations; `unit_cost_unknown`: without a price there is nothing to assume a cost from, and the order has no value;
    `supplier`: it goes to nobody in particular; `lead_time_sd`: a lead time was told without its spread, and is taken
    as certain; `on_hand`: no stock is known, 0 is used; `on_hand_estimated`: computed from an earlier day's stock;
    `on_hand_simulated`: the stock file itself says that it is simulated; `centre_stock`: a centre supplies the
    location, and nobody told what it has: it is taken to have enough.
    """
    is_told = pc.call_function("invert", [origin_rows["is_default_lead_time"]])
    is_of_centre = pc.call_function("is_valid", [origin_rows["supplied_by"]])
    is_new_item = pc.call_function("coalesce", [origin_rows["is_new_item"], pa.scalar(False)])
    is_assumed = {"new_item": is_new_item} | {name: origin_rows[flag] for flag, name in DEFAULTED_TERMS.items()}
    is_assumed |= {
        "unit_cost_unknown": origin_rows["unit_cost"].is_null(),
        "supplier": origin_rows["supplier_id"].is_null(),
        "lead_time_sd": pc.call_function("and", [is_told, origin_rows["lead_time_sd_days"].is_null()]),
        "on_hand": origin_rows["on_hand"].is_null(),
        "on_hand_estimated": origin_rows["is_on_hand_estimated"],
        "on_hand_simulated": pc.call_function("equal", [origin_rows["inventory_source"], pa.scalar("simulated")]),
        "centre_stock": pc.call_function("and", [is_of_centre, origin_rows["centre_on_hand"].is_null()]),
    }
    nothing = pa.scalar("")
    # not JoinOptions("skip"): it drops rows in which every value is null
    names = [pc.call_function("if_else", [flag, pa.scalar(f"{name},"), nothing]) for name, flag in is_assumed.items()]
    joined = pc.call_function("binary_join_element_wise", [*names, nothing])
    return pc.call_function("utf8_rtrim", [joined], pc.TrimOptions(","))


def assumes(assumptions: pa.ChunkedArray, name: str) -> NDArray[np.bool_]:
    """Where the column `assumptions` of order rows lists that name."""
    parts = [pa.scalar(""), assumptions, pa.scalar(""), pa.scalar(",")]
    listed = pc.call_function("binary_join_element_wise", parts)
    found = pc.call_function("match_substring", [listed], pc.MatchSubstringOptions(f",{name},"))
    return np.asarray(found.to_numpy(), np.bool_)


class _Shown(NamedTuple):
    """The numbers of a sentence: arrays over all rows, or those of one row."""

    order_units: Any
    expected_demand: Any
    protection_interval_days: Any
    safety_stock: Any
    safety_stock_for_lead_time: Any
    order_up_to_level: Any
    cycle_fill_rate: Any
    above_level_units: Any
    on_hand: Any
    on_order_units: Any
    committed_units: Any
    net_requirement: Any
    display_units: Any
    display_minimum: Any
    lot_units: Any
    moq_units: Any
    min_order_quantity: Any
    pack_units: Any
    pack_size: Any
    max_stock_units: Any
    max_stock: Any
    shelf_life_units: Any
    supplier_minimum_units: Any
    min_order_value: Any
    allocation_units: Any
    centre_on_hand: Any
    supplied_by: Any
    supplied_locations: Any
    budget_units: Any
    blocked_reason: Any
    is_review: Any
    next_order_date: Any
    delisted_on: Any
    receipt_date: Any
    arrives_delisted: Any


def explanations(columns: Mapping[str, Any], arrives_delisted: NDArray[np.bool_]) -> list[str]:
    """One sentence per row, such as "Order 24: expected demand 18.2 in 8 days + safety stock 6.8 = level 25, ...".

    `arrives_delisted` [rows] says where nothing is ordered because the product is delisted before it could be sold.
    Demand is shown to two decimals, and safety stock such that the sum shown is right.
    """
    mean = np.round(columns["expected_demand"], SHOWN_DECIMALS)
    safety = np.round(columns["order_up_to_level"] - mean, SHOWN_DECIMALS) + 0.0
    made = {"expected_demand": mean, "safety_stock": safety, "arrives_delisted": arrives_delisted}
    made |= {name: columns[name].cast(pa.string()) for name in ("delisted_on", "receipt_date", "next_order_date")}
    shown = _Shown(**{name: made.get(name, columns.get(name)) for name in _Shown._fields})
    return [_sentence(_Shown(*row)) for row in zip(*(_values(column) for column in shown), strict=True)]


def _values(column: Any) -> list[Any]:
    return column.to_pylist() if isinstance(column, pa.Array | pa.ChunkedArray) else column.tolist()


def _sentence(row: _Shown) -> str:
    days = "1 day" if row.protection_interval_days == 1 else f"{row.protection_interval_days} days"
    promised = f", {row.committed_units:.10g} of them promised," if row.committed_units else ""
    stock = f"{row.on_hand:.10g} on hand{promised} and {row.on_order_units:.10g} on order"
    if row.arrives_delisted:
        return (
            f"No order: delisted from {row.delisted_on} on, and an order could be sold from {row.receipt_date} on; "
            f"expected demand until then {row.expected_demand:.10g}, {stock}."
        )
    until = f" (delisted from {row.delisted_on} on)" if row.delisted_on else ""
    target = (
        f"expected demand {row.expected_demand:.10g} in {days}{until}{_of_locations(row)}"
        f" + safety stock {row.safety_stock:.10g}{_causes(row)} = level {row.order_up_to_level:.10g}"
        f"{_served(row)}"
    )
    verdict = f"Order {row.order_units:.10g}" if row.order_units else "No order"
    if row.net_requirement == row.display_units == row.order_units == 0:
        return f"{verdict}: {target}, covered by {stock}."
    steps = "".join(f", {step}" for step in _steps(row))
    return f"{verdict}: {target}, less {stock} = {row.net_requirement:.10g}{steps}{_why_not(row)}."


def _why_not(row: _Shown) -> str:
    """Why what is needed is not ordered."""
    if not row.is_review:
        return f"; not ordered: orders are placed next on {row.next_order_date}"
    return f"; blocked: {BLOCKED[row.blocked_reason]}" if row.blocked_reason else ""


def _steps(row: _Shown) -> list[str]:
    """What the constraints did, in their order."""
    rounded = "up" if row.pack_units > 0 else "down"
    raised = "raised" if row.supplier_minimum_units > 0 else "cut"
    steps = {
        f"raised to the display minimum of {_number(row.display_minimum)}": row.display_units,
        f"raised by {_number(row.lot_units)} for a full lot": row.lot_units,
        f"raised to the minimum order of {_number(row.min_order_quantity)}": row.moq_units,
        f"rounded {rounded} to packs of {_number(row.pack_size)}": row.pack_units,
        f"cut by {_number(-row.max_stock_units)} to the maximum stock of {_number(row.max_stock)}": row.max_stock_units,
        f"cut by {_number(-row.shelf_life_units)} of which too many would expire": row.shelf_life_units,
        f"{raised} by {_number(abs(row.supplier_minimum_units))} for the supplier's smallest order of"
        f" {_number(row.min_order_value)}": row.supplier_minimum_units,
        f"cut by {_number(-row.allocation_units)} to its share of the {_number(row.centre_on_hand)}"
        f" that {row.supplied_by} has": row.allocation_units,
        f"cut by {_number(-row.budget_units)} to the budget": row.budget_units,
    }
    return [words for words, units in steps.items() if units]


def _number(value: float | None) -> str:
    return f"{value:.10g}" if value is not None else ""


def _of_locations(row: _Shown) -> str:
    """Whose demand a centre meets."""
    if not row.supplied_locations:
        return ""
    places = "1 location" if row.supplied_locations == 1 else f"{row.supplied_locations} locations"
    return f" from {places} that it supplies"


def _served(row: _Shown) -> str:
    """What the level serves of a target that its lots help to reach."""
    if not row.above_level_units or row.cycle_fill_rate is None:
        return ""
    return (
        f" (serves {100 * row.cycle_fill_rate:.4g} % over a cycle of orders:"
        f" lots keep {row.above_level_units:.4g} above it on average)"
    )


def _causes(row: _Shown) -> str:
    """What the safety stock is for, where it is not for uncertain demand alone."""
    if row.safety_stock_for_lead_time == 0:
        return ""
    for_demand = round(row.safety_stock - row.safety_stock_for_lead_time, SHOWN_DECIMALS) + 0.0
    return f" ({for_demand:.10g} for demand, {row.safety_stock_for_lead_time:.10g} for the lead time)"
