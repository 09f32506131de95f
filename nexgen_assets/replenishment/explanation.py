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


def assumptions(origin_rows: pa.Table) -> pa.Array | pa.ChunkedArray:
    """What nobody told, separated by commas: terms that are defaults, and how the stock figure was come by.

    `new_item`: the product is listed and has sold nothing yet, its demand is that of its category or of the other
    locations; `lead_time_sd`: a lead time was told without its spread, and is taken as certain; `on_hand`: no stock is
    known, 0 is used; `on_hand_estimated`: computed from an earlier day's stock; `on_hand_simulated`: the stock file
    itself says that it is simulated.
    """
    is_told = pc.call_function("invert", [origin_rows["is_default_lead_time"]])
    is_new_item = pc.call_function("coalesce", [origin_rows["is_new_item"], pa.scalar(False)])
    is_assumed = {"new_item": is_new_item} | {name: origin_rows[flag] for flag, name in DEFAULTED_TERMS.items()}
    is_assumed |= {
        "lead_time_sd": pc.call_function("and", [is_told, origin_rows["lead_time_sd_days"].is_null()]),
        "on_hand": origin_rows["on_hand"].is_null(),
        "on_hand_estimated": origin_rows["is_on_hand_estimated"],
        "on_hand_simulated": pc.call_function("equal", [origin_rows["inventory_source"], pa.scalar("simulated")]),
    }
    nothing = pa.scalar("")
    # not JoinOptions("skip"): it drops rows in which every value is null
    names = [pc.call_function("if_else", [flag, pa.scalar(f"{name},"), nothing]) for name, flag in is_assumed.items()]
    joined = pc.call_function("binary_join_element_wise", [*names, nothing])
    return pc.call_function("utf8_rtrim", [joined], pc.TrimOptions(","))


class _Shown(NamedTuple):
    """The numbers of a sentence: arrays over all rows, or those of one row."""

    order_units: Any
    expected_demand: Any
    protection_interval_days: Any
    safety_stock: Any
    safety_stock_for_lead_time: Any
    order_up_to_level: Any
    on_hand: Any
    on_order_units: Any
    net_requirement: Any
    moq_units: Any
    min_order_quantity: Any
    pack_units: Any
    pack_size: Any
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
    made |= {name: _as_text(columns[name]) for name in ("delisted_on", "receipt_date")}
    shown = _Shown(**{name: made.get(name, columns.get(name)) for name in _Shown._fields})
    return [_sentence(_Shown(*row)) for row in zip(*(values.tolist() for values in shown), strict=True)]


def _as_text(days: pa.Array | pa.ChunkedArray) -> NDArray[np.object_]:
    """Days as ISO dates, None where there is none."""
    return np.array(days.cast(pa.string()).to_pylist(), dtype=object)


def _sentence(row: _Shown) -> str:
    days = "1 day" if row.protection_interval_days == 1 else f"{row.protection_interval_days} days"
    stock = f"{row.on_hand:.10g} on hand and {row.on_order_units:.10g} on order"
    if row.arrives_delisted:
        return (
            f"No order: delisted from {row.delisted_on} on, and an order could be sold from {row.receipt_date} on; "
            f"expected demand until then {row.expected_demand:.10g}, {stock}."
        )
    until = f" (delisted from {row.delisted_on} on)" if row.delisted_on else ""
    target = (
        f"expected demand {row.expected_demand:.10g} in {days}{until}"
        f" + safety stock {row.safety_stock:.10g}{_causes(row)} = level {row.order_up_to_level:.10g}"
    )
    if row.order_units == 0:
        return f"No order: {target}, covered by {stock}."
    raised = f", raised to the minimum order of {row.min_order_quantity:.10g}" if row.moq_units > 0 else ""
    rounded = f", rounded up to packs of {row.pack_size:.10g}" if row.pack_units > 0 else ""
    return f"Order {row.order_units:.10g}: {target}, less {stock} = {row.net_requirement:.10g}{raised}{rounded}."


def _causes(row: _Shown) -> str:
    """What the safety stock is for, where it is not for uncertain demand alone."""
    if row.safety_stock_for_lead_time == 0:
        return ""
    for_demand = round(row.safety_stock - row.safety_stock_for_lead_time, SHOWN_DECIMALS) + 0.0
    return f" ({for_demand:.10g} for demand, {row.safety_stock_for_lead_time:.10g} for the lead time)"
