"""What the limits shared by the orders of a day change in each of them.

What belongs here: lining order rows up for the arithmetic of `shared_limits.py` and `fair_share.py`, and the demand
that it asks for. What does not: that arithmetic, and the orders themselves (`orders.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nexgen_assets.replenishment.ahead import DemandAhead, DemandOver
from nexgen_assets.replenishment.constraints import in_parts, in_units
from nexgen_assets.replenishment.expiry import days_to_sell, sellable_position
from nexgen_assets.replenishment.explanation import BUDGET, COST_UNKNOWN, SUPPLIER_MINIMUM
from nexgen_assets.replenishment.fair_share import allotted
from nexgen_assets.replenishment.policy import Floats, Policy
from nexgen_assets.replenishment.shared_limits import (
    MOST_COVER_DAYS,
    Lines,
    Losses,
    cut_to_budget,
    raised_to_supplier_minimum,
)

Integers = NDArray[np.int64]
Texts = NDArray[np.str_]

AheadOf = Callable[[Integers], DemandAhead]


@dataclass(frozen=True)
class SharedChange:
    """Changes of order lines, [rows]: units added or taken away, and why a line is blocked by them (else empty).

    `value_of_last_money` is what the budget's last money is expected to earn, per money; not a number without a budget.
    """

    supplier_minimum_units: Floats
    allocation_units: Floats
    budget_units: Floats
    blocked_reason: Texts
    value_of_last_money: Floats

    @property
    def changed(self) -> Integers:
        """The lines that something changes in."""
        units = (self.supplier_minimum_units, self.allocation_units, self.budget_units)
        return np.flatnonzero(np.any(units, axis=0) | (self.blocked_reason != ""))

    def rows(self, which: Integers) -> "SharedChange":
        return SharedChange(**{name: values[which] for name, values in vars(self).items()})


def no_change(rows: int) -> SharedChange:
    nothing = np.zeros(rows)
    return SharedChange(nothing, nothing, nothing, np.full(rows, ""), np.full(rows, np.nan))


def shared_change(
    orders: pa.Table, over: DemandOver, batches: list[slice], ahead_of: AheadOf, policy: Policy
) -> SharedChange:
    """What supplier minimums, short centres and the budget change in the orders of one day.

    `orders` holds `tables.REORDER_RECOMMENDATIONS` as each line alone wants it. A centre sends what it has, however
    little that is worth, so no smallest order holds for it once its stock is shared out. `over` and `ahead_of` tell the
    demand of any of the rows, `batches` how many of them fit into memory. The budget pays outside suppliers alone.
    """
    lines = _lines(orders)

    def largest_position(which: Integers) -> Floats:
        return _largest_position(orders, lines, which, over, policy)

    raised = raised_to_supplier_minimum(lines, largest_position)
    reason = np.where(raised.is_blocked, SUPPLIER_MINIMUM, "")
    lines = _ordering(lines, raised.units)

    def expected_lost(which: Integers, positions: Floats) -> Floats:
        lost = np.empty_like(positions)
        for batch in batches:
            inside = np.flatnonzero((which >= batch.start) & (which < batch.stop))
            if len(inside):
                demand = ahead_of(which[inside]).until_next_receipt
                lost[:, inside] = [demand.expected_shortage(units) for units in positions[:, inside]]
        return lost

    allocation = _sent(orders, lines, expected_lost)
    change = replace(
        no_change(orders.num_rows),
        supplier_minimum_units=raised.units,
        allocation_units=allocation,
        blocked_reason=reason,
    )
    if policy.daily_budget is None:
        return change
    # what a centre sends is paid for already
    is_paid = ~_is_empty(orders, "supplied_by")
    lines = replace(_ordering(lines, allocation), order_units=np.where(is_paid, 0.0, lines.order_units))
    spent = cut_to_budget(lines, policy.daily_budget, _unit_margin(orders, policy), expected_lost)
    is_cost_unknown = spent.is_blocked & np.isnan(lines.unit_cost)
    reason = np.select([is_cost_unknown, spent.is_blocked], [COST_UNKNOWN, BUDGET], default=reason)
    value = np.full(orders.num_rows, spent.value_of_last_money)
    return replace(change, budget_units=spent.units, blocked_reason=reason, value_of_last_money=value)


def _ordering(lines: Lines, more: Floats) -> Lines:
    """The lines with so many units more, or fewer, ordered."""
    return replace(lines, order_units=in_units(in_parts(lines.order_units) + in_parts(more)))


def _sent(orders: pa.Table, lines: Lines, expected_lost: Losses) -> Floats:
    """Minus the units that the centres do not have, [rows]; 0 where no centre supplies or nobody told its stock."""
    keys = pc.call_function(
        "binary_join_element_wise", [orders["product_id"], orders["supplied_by"], pa.scalar("\x1f")]
    )
    stocks = keys.combine_chunks().dictionary_encode()
    stock = np.asarray(stocks.indices.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)
    on_hand = np.full(len(stocks.dictionary), np.inf)
    told = np.nan_to_num(_numbers(orders, "centre_on_hand"), nan=np.inf)
    on_hand[stock[stock >= 0]] = told[stock >= 0]
    sent = allotted(lines, stock, on_hand, expected_lost)
    return in_units(in_parts(sent) - in_parts(lines.order_units))


def _lines(orders: pa.Table) -> Lines:
    suppliers = orders["supplier_id"].combine_chunks().dictionary_encode()
    columns = ("order_units", "inventory_position", "pack_size", "min_order_quantity", "unit_cost", "min_order_value")
    return Lines(
        **{name: _numbers(orders, name) for name in columns},
        daily_demand=_numbers(orders, "expected_demand") / _numbers(orders, "protection_interval_days"),
        supplier=np.asarray(suppliers.indices.fill_null(-1).to_numpy(zero_copy_only=False), np.int64),
        # what is to be delisted must not be stocked ahead
        is_open=_is_empty(orders, "blocked_reason") & _is_empty(orders, "delisted_on") & _flags(orders, "is_review"),
    )


def _largest_position(orders: pa.Table, lines: Lines, which: Integers, over: DemandOver, policy: Policy) -> Floats:
    """The most units that there is room for, and that can be sold before they expire."""
    leaving = _numbers(orders, "inventory_position") - _numbers(orders, "stock_on_arrival")  # before the order is there
    room = np.nan_to_num((_numbers(orders, "max_stock") + leaving)[which], nan=np.inf)
    wanted = np.minimum(lines.daily_demand[which] * MOST_COVER_DAYS, room)
    shelf_life = _numbers(orders, "shelf_life_days")[which]
    perishable = np.flatnonzero(~np.isnan(shelf_life))
    lead_time = _numbers(orders, "lead_time_days")[which[perishable]].astype(np.int64)
    days = days_to_sell(lead_time, shelf_life[perishable])
    sellable = sellable_position(over, which[perishable], days, wanted[perishable], policy.max_waste_share)
    room[perishable] = np.minimum(room[perishable], sellable)
    return room


def _unit_margin(orders: pa.Table, policy: Policy) -> Floats:
    """Price less cost; of an unknown price the default margin."""
    cost, price = _numbers(orders, "unit_cost"), _numbers(orders, "unit_price")
    return np.where(np.isnan(price), cost / (1 - policy.default_margin), price) - cost


def _is_empty(orders: pa.Table, name: str) -> NDArray[np.bool_]:
    return np.asarray(orders[name].is_null().to_numpy(), np.bool_)


def _flags(orders: pa.Table, name: str) -> NDArray[np.bool_]:
    return np.asarray(orders[name].to_numpy(), np.bool_)


def _numbers(table: pa.Table, name: str) -> Floats:
    return np.array(table[name].cast(pa.float64()).to_numpy(), np.float64)
