"""Reorder recommendations: the policy's numbers as rows that a person can recompute, with risk, reason and revision.

What belongs here: Arrow rows in, `tables.REORDER_RECOMMENDATIONS` out. What does not: the policy's arithmetic
(`policy.py`), the words (`explanation.py`), where stock figures come from (`positions.py`), forecasts, and storage.
"""

from hashlib import sha256
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nexgen_assets.replenishment.explanation import assumptions, explanations
from nexgen_assets.replenishment.lead_times import LeadTimes, lead_times_of_moments
from nexgen_assets.replenishment.policy import (
    UNIT_DECIMALS,
    Floats,
    IntervalDistribution,
    Policy,
    order_quantities,
    order_up_to_level,
    protection_interval_days,
)
from nexgen_assets.tables import INVENTORY_POSITIONS, REORDER_RECOMMENDATIONS

ORIGIN_COLUMNS = (
    *INVENTORY_POSITIONS.names,
    *("product_name", "category", "unit_price", "is_new_item", "delisted_on", "model_version"),
)
RISK_DECIMALS = 6
PRICE_DECIMALS = 4
REVISION_LENGTH = 16
# the sentence only says what the other columns hold: better words are not a new order
NOT_CONTENT = ("explanation", "revision")


def reorder_recommendations(
    origin_rows: pa.Table,
    demand: IntervalDistribution,
    policy: Policy,
    demand_at_certain_lead_time: IntervalDistribution | None = None,
) -> pa.Table:
    """One row of `tables.REORDER_RECOMMENDATIONS` per row of `origin_rows`, in their order, no need included.

    `origin_rows` holds ORIGIN_COLUMNS (raises ValueError if one is missing), of one or several origin days;
    `demand` is the distribution over each row's protection interval, `demand_at_certain_lead_time` the one over its
    `interval_lengths`, as if every lead time were certain: None if `demand` is that already. What the level owes to
    the difference is the safety stock for the lead time. Every origin is taken for a review day, and nothing is ordered
    that `arrives_delisted`. Each row depends on itself alone, so batches may be split anywhere.
    """
    _require_origin_columns(origin_rows)
    certain = demand if demand_at_certain_lead_time is None else demand_at_certain_lead_time
    columns = _terms(origin_rows, policy) | _quantities(origin_rows, demand, certain, policy)
    columns |= _risk(columns, origin_rows, demand)
    columns |= {
        "assumptions": assumptions(origin_rows),
        "explanation": explanations(columns, arrives_delisted(origin_rows)),
    }
    columns["revision"] = _revisions(columns)
    return pa.table({c.name: columns[c.name] for c in REORDER_RECOMMENDATIONS.columns}).cast(
        REORDER_RECOMMENDATIONS.arrow_schema
    )


def interval_lengths(origin_rows: pa.Table, policy: Policy) -> NDArray[np.int64]:
    """Days over which the demand of each row must be summed if its lead time is certain: its protection interval."""
    return protection_interval_days(_numbers(origin_rows, "lead_time_days").astype(np.int64), policy)


def arrives_delisted(origin_rows: pa.Table) -> NDArray[np.bool_]:
    """True where the product is delisted by the day on which an order placed now can be sold: nothing is ordered."""
    first_sellable = _days_after(origin_rows["day"], 1 + _numbers(origin_rows, "lead_time_days").astype(np.int64))
    is_delisted = pc.call_function("less_equal", [origin_rows["delisted_on"], first_sellable])
    return is_delisted.fill_null(False).to_numpy().astype(bool)


def lead_times_of(origin_rows: pa.Table) -> LeadTimes:
    """The distribution of each row's lead time, from what was told of its mean and standard deviation."""
    return lead_times_of_moments(_numbers(origin_rows, "lead_time_days"), _numbers(origin_rows, "lead_time_sd_days"))


def most_urgent(orders: pa.Table, n: int) -> pa.Table:
    """The first `n` orders by money at risk, largest first; rows of unknown price follow, by expected lost units."""
    keys = [
        ("money_at_risk", "descending"),
        ("expected_lost_units", "descending"),
        *((name, "ascending") for name in REORDER_RECOMMENDATIONS.grain),
    ]
    return orders.sort_by(keys).slice(0, n)  # sort_by puts nulls last


def _require_origin_columns(origin_rows: pa.Table) -> None:
    if missing := [name for name in ORIGIN_COLUMNS if name not in origin_rows.column_names]:
        raise ValueError(f"origin rows lack the columns {missing}")


def _numbers(table: pa.Table, name: str) -> Floats:
    """A column as doubles; null becomes NaN."""
    values = table[name].cast(pa.float64()).to_numpy()
    return np.asarray(values, np.float64)


def _nullable(values: Floats) -> pa.Array:
    """Doubles as an Arrow column; NaN becomes null."""
    return pa.array(values, from_pandas=True)


def _days_after(days: pa.ChunkedArray, more: NDArray[np.int64]) -> pa.Array:
    ordinals = days.cast(pa.int32()).to_numpy().astype(np.int64) + more
    return pa.array(ordinals.astype(np.int32)).cast(pa.date32())


def _terms(rows: pa.Table, policy: Policy) -> dict[str, Any]:
    """Who, when, and on which terms: what the order starts from."""
    n = rows.num_rows
    lead_time = _numbers(rows, "lead_time_days").astype(np.int64)
    who = ("day", "product_id", "location", "product_name", "category", "delisted_on", "supplier_id")
    return {name: rows[name] for name in (*who, "inventory_source", "model_version")} | {
        "order_date": _days_after(rows["day"], np.full(n, 1)),
        "receipt_date": _days_after(rows["day"], 1 + lead_time),
        "next_order_date": _days_after(rows["day"], np.full(n, 1 + policy.review_period_days)),
        "lead_time_days": lead_time,
        "lead_time_sd_days": rows["lead_time_sd_days"],
        "review_period_days": np.full(n, policy.review_period_days),
        "protection_interval_days": protection_interval_days(lead_time, policy),
        "service_level": np.full(n, policy.service_level),
        "policy_version": pa.array([policy.version] * n, pa.string()),
    }


def _quantities(
    rows: pa.Table, demand: IntervalDistribution, certain: IntervalDistribution, policy: Policy
) -> dict[str, Any]:
    """From the order-up-to level to the order: every number is a sum or difference of others in the row."""
    expected_demand = np.round(np.asarray(demand.mean, np.float64), UNIT_DECIMALS)
    level = order_up_to_level(demand, policy)
    safety_stock = level - expected_demand
    safety_stock_for_lead_time = level - order_up_to_level(certain, policy)
    on_hand = np.nan_to_num(_numbers(rows, "on_hand"), nan=0.0)
    on_order = _numbers(rows, "on_order_units")
    position = on_hand + on_order
    moq, pack = _numbers(rows, "min_order_quantity"), _numbers(rows, "pack_size")
    order = order_quantities(np.where(arrives_delisted(rows), 0.0, level), position, moq, pack)
    unit_cost = _numbers(rows, "unit_cost")
    return {
        "expected_demand": expected_demand,
        "safety_stock": safety_stock,
        "safety_stock_for_demand": safety_stock - safety_stock_for_lead_time,
        "safety_stock_for_lead_time": safety_stock_for_lead_time,
        "order_up_to_level": level,
        "on_hand": on_hand,
        "on_order_units": on_order,
        "inventory_position": position,
        "net_requirement": order.net_requirement,
        "min_order_quantity": moq,
        "moq_units": order.moq_units,
        "pack_size": pack,
        "pack_units": order.pack_units,
        "order_units": order.order_units,
        "unit_cost": _nullable(unit_cost),
        "order_value": _nullable(order.order_units * unit_cost),
        "is_beyond_horizon": np.asarray(demand.is_beyond_horizon, np.bool_),
    }


def _risk(columns: dict[str, Any], rows: pa.Table, demand: IntervalDistribution) -> dict[str, Any]:
    """What happens over the protection interval if nothing is ordered now."""
    position = cast("Floats", columns["inventory_position"])
    stockout_probability = np.clip(1 - np.asarray(demand.cdf(position), np.float64), 0.0, 1.0)
    lost = np.round(np.maximum(np.asarray(demand.expected_shortage(position), np.float64), 0.0), RISK_DECIMALS)
    # prices are money of four decimals, whatever type brought them here
    unit_price = np.round(_numbers(rows, "unit_price"), PRICE_DECIMALS)
    with np.errstate(divide="ignore", invalid="ignore"):
        days_of_cover = position * columns["protection_interval_days"] / columns["expected_demand"]
    return {
        "stockout_probability": np.round(stockout_probability, RISK_DECIMALS),
        "expected_lost_units": lost,
        "unit_price": _nullable(unit_price),
        "money_at_risk": _nullable(lost * unit_price),
        "days_of_cover": _nullable(np.where(columns["expected_demand"] > 0, days_of_cover, np.nan)),
    }


def _revisions(columns: dict[str, Any]) -> list[str]:
    """SHA-256 of each row's content, shortened; doubles are written so that they read back exactly."""
    names = [name for name in REORDER_RECOMMENDATIONS.names if name not in NOT_CONTENT]
    texts = [_texts(columns[name], REORDER_RECOMMENDATIONS.by_name[name].type) for name in names]
    options = pc.JoinOptions("replace", null_replacement="\x00")
    contents = pc.call_function("binary_join_element_wise", [*texts, pa.scalar("\x1f")], options)
    return [sha256(content.encode()).hexdigest()[:REVISION_LENGTH] for content in contents.to_pylist()]


def _texts(values: Any, type_: pa.DataType) -> pa.ChunkedArray:
    column = values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([pa.array(values)])
    return column.cast(type_).cast(pa.string())
