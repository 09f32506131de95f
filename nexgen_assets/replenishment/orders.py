"""Reorder recommendations: the policy's numbers as rows that a person can recompute, with risk, reason and revision.

What belongs here: Arrow rows in, `tables.REORDER_RECOMMENDATIONS` out. What does not: which policy a line has
(`line_policies.py`), the level (`levels.py`), the constraints (`constraints.py`, `expiry.py`), what is at risk
(`risk.py`), the words (`explanation.py`), where stock figures come from (`positions.py`), forecasts, and storage.
"""

from hashlib import sha256
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nexgen_assets.replenishment.ahead import DemandAhead
from nexgen_assets.replenishment.constraints import Limits, Lots, OrderSteps, in_parts, in_units, order_steps
from nexgen_assets.replenishment.expiry import days_to_sell, expected_waste, sellable_position
from nexgen_assets.replenishment.explanation import (
    PACK_ABOVE_MAX_STOCK,
    PACK_ABOVE_SHELF_LIFE,
    STOCK_UNKNOWN,
    assumptions,
    explanations,
)
from nexgen_assets.replenishment.lead_times import LeadTimes, lead_times_of_moments
from nexgen_assets.replenishment.levels import Levels, counted_lots, levels, lot_units
from nexgen_assets.replenishment.line_policies import LinePolicies
from nexgen_assets.replenishment.policy import Floats, Policy, cost_of_position, surely_sold
from nexgen_assets.replenishment.risk import risk
from nexgen_assets.replenishment.segments import SEGMENTS
from nexgen_assets.replenishment.shared_orders import SharedChange, no_change
from nexgen_assets.tables import INVENTORY_POSITIONS, REORDER_RECOMMENDATIONS

ORIGIN_COLUMNS = (
    *INVENTORY_POSITIONS.names,
    *("product_name", "category", "unit_price", "is_new_item", "delisted_on", "model_version", "centre_on_hand"),
    "supplied_locations",
    *SEGMENTS,
)
Texts = NDArray[np.str_]
RISK_DECIMALS = 6
PRICE_DECIMALS = 4
REVISION_LENGTH = 16
# the sentence only says what the other columns hold: better words are not a new order; nor is a centre's stock one that
# changes no line, and what it does change is `order_units` less the rest of the ledger
NOT_CONTENT = ("explanation", "revision", "supplied_by", "centre_on_hand", "allocation_units")


def reorder_recommendations(
    origin_rows: pa.Table,
    demand: DemandAhead,
    policy: Policy,
    lines: LinePolicies,
    shared: SharedChange | None = None,
) -> pa.Table:
    """One row of `tables.REORDER_RECOMMENDATIONS` per row of `origin_rows`, in their order, no need included.

    `origin_rows` holds ORIGIN_COLUMNS (raises ValueError if one is missing), of one or several origin days; `demand`
    and `lines`, their policies, are those of the same rows, `shared` what other orders of the day change in them.
    Nothing is ordered that `arrives_delisted`, nor where the order date is no review. Each row depends on itself alone,
    so batches may be split anywhere.
    """
    _require_origin_columns(origin_rows)
    columns = _terms(origin_rows, policy, lines)
    columns |= _quantities(origin_rows, demand, policy, lines, shared or no_change(origin_rows.num_rows))
    columns |= _risk(columns, origin_rows, demand)
    columns |= {
        "assumptions": assumptions(origin_rows),
        "explanation": explanations(columns, arrives_delisted(origin_rows)),
    }
    columns["revision"] = _revisions(columns)
    return pa.table({c.name: columns[c.name] for c in REORDER_RECOMMENDATIONS.columns}).cast(
        REORDER_RECOMMENDATIONS.arrow_schema
    )


def mean_lead_times(origin_rows: pa.Table) -> NDArray[np.int64]:
    """Days from order to receipt of each row, if its lead time is certain."""
    return _numbers(origin_rows, "lead_time_days").astype(np.int64)


def arrives_delisted(origin_rows: pa.Table) -> NDArray[np.bool_]:
    """True where the product is delisted by the day on which an order placed now can be sold: nothing is ordered."""
    first_sellable = _days_after(origin_rows["day"], 1 + mean_lead_times(origin_rows))
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


def _terms(rows: pa.Table, policy: Policy, lines: LinePolicies) -> dict[str, Any]:
    """Who, when, and on which terms: what the order starts from."""
    n = rows.num_rows
    lead_time, to_next_review = mean_lead_times(rows), lines.review_period_days
    who = ("day", "product_id", "location", "product_name", "category", *SEGMENTS, "delisted_on", "supplier_id")
    limits = ("order_days", "display_minimum", "max_stock", "shelf_life_days", "min_order_value")
    centre = ("supplied_by", "centre_on_hand", "supplied_locations")
    return {
        name: rows[name] for name in (*who, *limits, *centre, "lead_time_sd_days", "inventory_source", "model_version")
    } | {
        "order_date": _days_after(rows["day"], np.full(n, 1)),
        "receipt_date": _days_after(rows["day"], 1 + lead_time),
        "next_order_date": _days_after(rows["day"], 1 + to_next_review),
        "is_review": lines.is_review,
        "lead_time_days": lead_time,
        "review_period_days": to_next_review,
        "protection_interval_days": lead_time + to_next_review,
        "policy": pa.array(lines.kind, pa.string()),
        "policy_source": _texts_or_null(lines.source),
        "target_fill_rate": _nullable(lines.fill_rate),
        "pack_rounding": pa.array([policy.pack_rounding] * n, pa.string()),
        "max_waste_share": np.full(n, policy.max_waste_share),
        "policy_version": pa.array([policy.version] * n, pa.string()),
    }


def _quantities(
    rows: pa.Table, demand: DemandAhead, policy: Policy, lines: LinePolicies, shared: SharedChange
) -> dict[str, Any]:
    """From expected demand to the order: the ledger, in which every number is a sum or difference of others."""
    unit_cost, lot = _numbers(rows, "unit_cost"), _lots(rows, demand, policy, lines)
    counted = counted_lots(
        lines.kind,
        lot,
        _numbers(rows, "min_order_quantity"),
        _numbers(rows, "pack_size"),
        np.nan_to_num(_numbers(rows, "max_stock"), nan=np.inf),
        # what expires may be cut, and what is not rounded up may be less than is needed
        np.isnan(_numbers(rows, "shelf_life_days")) & (policy.pack_rounding == "up"),
    )
    aim = levels(demand, lines, mean_lead_times(rows), _unit_prices(rows), unit_cost, counted)
    target = _target(demand, aim)
    on_hand = in_units(in_parts(np.nan_to_num(_numbers(rows, "on_hand"), nan=0.0)))
    on_order = in_units(in_parts(_numbers(rows, "on_order_units")))
    committed = in_units(in_parts(_numbers(rows, "committed_units")))
    position = in_units(in_parts(on_hand) + in_parts(on_order) - in_parts(committed))
    # promised units are the first to be sold, nothing is before an order that arrives at once, and what is on order may
    # arrive on the same day
    leaving = np.where(mean_lead_times(rows) > 0, np.maximum(_sure_demand_until_receipt(rows, demand), committed), 0.0)
    on_arrival = in_units(np.maximum(in_parts(on_hand) - in_parts(leaving), 0.0) + in_parts(on_order))
    steps = _steps(rows, aim, (position, on_arrival), demand, policy, Lots(lot, lines.kind == "reorder_quantity"))
    surplus = in_parts(steps.net_requirement) - in_parts(target["order_up_to_level"]) + in_parts(position)
    is_delisted = arrives_delisted(rows)
    blocked = np.where(is_delisted | ~lines.is_review, "", _blocked_reasons(rows, steps, policy))
    delisted_units = np.where(is_delisted, -steps.order_units, 0.0) + 0.0
    review_units = np.where(~is_delisted & ~lines.is_review, -steps.order_units, 0.0) + 0.0
    blocked_units = np.where(blocked == STOCK_UNKNOWN, -steps.order_units, 0.0) + 0.0
    together = (shared.supplier_minimum_units, shared.allocation_units, shared.budget_units)
    later = (delisted_units, review_units, blocked_units, *together)
    order = in_units(in_parts(steps.order_units) + sum(in_parts(units) for units in later))
    return target | {
        "on_hand": on_hand,
        "on_order_units": on_order,
        "committed_units": committed,
        "inventory_position": position,
        "stock_on_arrival": _nullable(np.where(np.isnan(_numbers(rows, "max_stock")), np.nan, on_arrival)),
        "surplus_units": in_units(surplus),
        "net_requirement": steps.net_requirement,
        "display_units": steps.display_units,
        "lot_units": steps.lot_units,
        "min_order_quantity": _numbers(rows, "min_order_quantity"),
        "moq_units": steps.moq_units,
        "pack_size": _numbers(rows, "pack_size"),
        "pack_units": steps.pack_units,
        "max_stock_units": steps.max_stock_units,
        "shelf_life_units": steps.shelf_life_units,
        "delisted_units": delisted_units,
        "review_units": review_units,
        "blocked_units": blocked_units,
        "supplier_minimum_units": shared.supplier_minimum_units,
        "allocation_units": shared.allocation_units,
        "budget_units": shared.budget_units,
        "value_of_last_money": _nullable(np.where(shared.budget_units != 0, shared.value_of_last_money, np.nan)),
        "blocked_reason": _texts_or_null(np.where(blocked == "", shared.blocked_reason, blocked)),
        "order_units": order,
        "unit_cost": _nullable(unit_cost),
        "order_value": _nullable(order * unit_cost),
        "is_beyond_horizon": np.asarray(demand.until_next_receipt.is_beyond_horizon, np.bool_),
    }


def _target(demand: DemandAhead, aim: Levels) -> dict[str, Any]:
    """The level and its parts: the demand that is expected, before and after the receipt, and stock for the rest."""
    level, level_if_certain = aim.level, aim.if_certain
    expected = in_parts(demand.until_next_receipt.mean)
    until_receipt = np.minimum(in_parts(demand.until_receipt.mean), expected)
    return {
        "expected_demand": in_units(expected),
        "expected_demand_until_receipt": in_units(until_receipt),
        "expected_demand_after_receipt": in_units(expected - until_receipt),
        "safety_stock": in_units(in_parts(level) - expected),
        "safety_stock_for_demand": in_units(in_parts(level_if_certain) - expected),
        "safety_stock_for_lead_time": level - level_if_certain,
        "order_up_to_level": level,
        "service_level": aim.service_level,
        "cycle_fill_rate": _nullable(np.round(aim.fill_rate, RISK_DECIMALS)),
        "above_level_units": _nullable(np.round(aim.above_level, RISK_DECIMALS)),
    }


def _lots(rows: pa.Table, demand: DemandAhead, policy: Policy, lines: LinePolicies) -> Floats:
    """Units in a lot of each line, 0 for none."""
    daily_demand = np.asarray(demand.if_certain.mean, np.float64) / (mean_lead_times(rows) + lines.review_period_days)
    return lot_units(lines, daily_demand, _numbers(rows, "unit_cost"), policy)


def _steps(  # noqa: PLR0917  # what decides on an order
    rows: pa.Table, aim: Levels, stock: tuple[Floats, Floats], demand: DemandAhead, policy: Policy, lots: Lots
) -> OrderSteps:
    """The steps from the level to the order; `stock` is the inventory position, and what is there of it on arrival."""
    position, on_arrival = stock
    shelf_life = _numbers(rows, "shelf_life_days")
    perishable = np.flatnonzero(~np.isnan(shelf_life))
    days = days_to_sell(mean_lead_times(rows)[perishable], shelf_life[perishable])

    def sellable(wanted: Floats) -> Floats:
        most = np.full_like(wanted, np.inf)
        most[perishable] = sellable_position(demand.over, perishable, days, wanted[perishable], policy.max_waste_share)
        return most

    limits = Limits(
        display_minimum=np.nan_to_num(_numbers(rows, "display_minimum"), nan=0.0),
        min_order_quantity=_numbers(rows, "min_order_quantity"),
        pack_size=_numbers(rows, "pack_size"),
        max_stock=np.nan_to_num(_numbers(rows, "max_stock"), nan=np.inf),
    )
    return order_steps(
        aim.level,
        position,
        limits,
        lots=lots if lots.units.any() else None,
        rounding=policy.pack_rounding,
        cost=lambda of: cost_of_position(demand.until_next_receipt, of, aim.service_level),
        sellable=sellable,
        on_arrival=on_arrival,
    )


def _sure_demand_until_receipt(rows: pa.Table, demand: DemandAhead) -> Floats:
    """Whole units that are sold, as good as certainly, before the order arrives; 0 where there is room enough."""
    sure, limited = np.zeros(rows.num_rows), np.flatnonzero(~np.isnan(_numbers(rows, "max_stock")))
    if len(limited):
        sure[limited] = surely_sold(demand.of(limited).until_receipt)
    return sure


def _blocked_reasons(rows: pa.Table, steps: OrderSteps, policy: Policy) -> Texts:
    """Why a line that needs an order gets none before somebody has looked at it; empty where it is not blocked."""
    is_new_item = rows["is_new_item"].fill_null(False).to_numpy().astype(bool)
    is_stock_unknown = np.isnan(_numbers(rows, "on_hand")) & ~is_new_item & (policy.unknown_stock == "block")
    reasons = {
        STOCK_UNKNOWN: is_stock_unknown & (steps.order_units > 0),
        PACK_ABOVE_MAX_STOCK: steps.is_pack_above_max_stock,
        PACK_ABOVE_SHELF_LIFE: steps.is_pack_above_shelf_life,
    }
    return np.select(list(reasons.values()), list(reasons), default="")


def _texts_or_null(texts: Texts) -> pa.Array:
    """Texts as an Arrow column; an empty one becomes null."""
    return pa.array([text or None for text in texts.tolist()], pa.string())


def _risk(columns: dict[str, Any], rows: pa.Table, demand: DemandAhead) -> dict[str, Any]:
    """What happens until the order of the next review can be sold, with this order and without it."""
    position, order = cast("Floats", columns["inventory_position"]), cast("Floats", columns["order_units"])
    found = {name: np.round(values, RISK_DECIMALS) for name, values in vars(risk(demand, position, order)).items()}
    unit_price = _unit_prices(rows)
    with np.errstate(divide="ignore", invalid="ignore"):
        days_of_cover = np.maximum(position, 0.0) * columns["protection_interval_days"] / columns["expected_demand"]
    return found | {
        "promised_fill_rate": _nullable(found["promised_fill_rate"]),
        "unit_price": _nullable(unit_price),
        "money_at_risk": _nullable(found["expected_lost_units"] * unit_price),
        "expected_waste_units": _nullable(_waste(rows, position + order, demand)),
        "days_of_cover": _nullable(np.where(columns["expected_demand"] > 0, days_of_cover, np.nan)),
    }


def _unit_prices(rows: pa.Table) -> Floats:
    """Prices are money of four decimals, whatever type brought them here."""
    return np.round(_numbers(rows, "unit_price"), PRICE_DECIMALS)


def _waste(rows: pa.Table, position: Floats, demand: DemandAhead) -> Floats:
    """Expected waste of goods that expire; not a number where none is known to."""
    waste, shelf_life = np.full_like(position, np.nan), _numbers(rows, "shelf_life_days")
    if len(perishable := np.flatnonzero(~np.isnan(shelf_life))):
        days = days_to_sell(mean_lead_times(rows)[perishable], shelf_life[perishable])
        waste[perishable] = expected_waste(demand.over(perishable, days), position[perishable])
    return np.round(waste, RISK_DECIMALS)


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
