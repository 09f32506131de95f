"""Exceptions: order rows that somebody should look at, each with a number, its threshold and the money at risk.

What belongs here: the definitions, as conditions on `tables.REORDER_RECOMMENDATIONS` and on what the day's open lines
and the last sales say of its rows, and their ranking. What does not: making orders, finding what those say
(`late_orders.py`, `recent_sales.py`), and showing exceptions.

A product x location has each exception at most once. What another exception says already is not said again: a line that
is out of stock is not also about to be, nor is its next receipt late for it, a blocked order is neither cut nor made of
assumptions, and where the shelf may be empty low sales are no break of the forecast.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nexgen_assets.replenishment.explanation import assumes
from nexgen_assets.replenishment.late_orders import OpenLines, open_lines
from nexgen_assets.replenishment.recent_sales import RecentSales, nothing_known
from nexgen_assets.tables import OPEN_ORDERS, ORDER_EXCEPTIONS

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

EXCESS_COVER_DAYS = 56.0
ADDED_COVER_DAYS = 28.0
CUT_SHARE = 0.25
DATA_ASSUMED = "data_assumed"
# kinds whose money at risk is customers' demand; that of the others is stock, or an order
LOST_SALES = ("stocked_out", "potential_stockout", "late_supplier_order", "order_blocked", "order_cut")
# assumptions that change what is ordered, or what it costs
GRAVE_ASSUMPTIONS = ("lead_time", "pack_size", "unit_cost", "unit_cost_unknown", "on_hand")
NO_LINES = OPEN_ORDERS.arrow_schema.empty_table()


class _Found(NamedTuple):
    """What a definition finds in each row: whether it holds, the number that says so, and the money at risk."""

    holds: Flags
    number: Floats
    threshold: Floats | float
    money: Floats


class Definition(NamedTuple):
    """One kind of exception: the unit of its number, its meaning, what to do, and the rows it holds of."""

    unit: str
    meaning: str
    action: str
    find: "Callable[[_Orders], _Found]"


class _Orders:
    """The columns of order rows as arrays, and what open lines and sales say of them."""

    def __init__(self, rows: pa.Table, lines: OpenLines, sales: RecentSales) -> None:
        self._rows = rows
        self._found: Mapping[str, Floats] = lines._asdict() | sales._asdict()

    def __getattr__(self, name: str) -> Floats:
        if name in self._found:
            return self._found[name]
        return np.array(self._rows[name].cast(pa.float64()).to_numpy(), np.float64)

    @property
    def is_blocked(self) -> Flags:
        return np.asarray(self._rows["blocked_reason"].is_valid().to_numpy(), np.bool_)

    @property
    def is_stock_known(self) -> Flags:
        return ~self.assumes("on_hand")

    @property
    def available_units(self) -> Floats:
        """On hand and promised to nobody."""
        return self.on_hand - self.committed_units

    @property
    def is_out_of_stock(self) -> Flags:
        return self.is_stock_known & (self.available_units <= 0) & (self.expected_demand > 0)

    @property
    def is_potentially_out_of_stock(self) -> Flags:
        is_likely = self.stockout_probability_until_receipt > 1 - self.service_level
        return self.is_stock_known & ~self.is_out_of_stock & is_likely

    @property
    def has_silent_shelf(self) -> Flags:
        # on hand besides what is late itself
        stock = self.on_hand - self.unconfirmed_units
        return (
            self.is_stock_known & (stock > 0) & (self.expected_demand > 0) & (self.silent_days > self.longest_silence)
        )

    @property
    def daily_demand(self) -> Floats:
        return self.expected_demand / self.protection_interval_days

    @property
    def days_without_stock(self) -> Floats:
        """Days between the day the stock is expected to last and the next receipt on order; 0 if none is on order.

        A receipt of this order counts too, if it comes earlier.
        """
        ordered = np.where(self.order_units > 0, self.lead_time_days + 1, np.inf)
        first = np.minimum(self.days_to_receipt, ordered)
        gap = first - 1 - _ratio(np.maximum(self.available_units, 0.0), self.daily_demand, self.daily_demand > 0)
        is_waited_for = np.isfinite(self.days_to_receipt) & (self.daily_demand > 0)
        return np.where(is_waited_for, np.maximum(gap, 0.0), 0.0)

    @property
    def lost_before_receipt(self) -> Floats:
        """Units lost until an order can be sold; more if what is on order, and counts for the order, comes later."""
        return np.maximum(self.expected_lost_units_until_receipt, self.daily_demand * self.days_without_stock)

    @property
    def wanted_units(self) -> Floats:
        return self.net_requirement + self.display_units

    def assumes(self, name: str) -> Flags:
        return assumes(self._rows["assumptions"], name)


def _stocked_out(of: _Orders) -> _Found:
    return _Found(of.is_out_of_stock, of.available_units, 0.0, of.lost_before_receipt * of.unit_price)


def _potential_stockout(of: _Orders) -> _Found:
    allowed, number = 1 - of.service_level, of.stockout_probability_until_receipt
    return _Found(of.is_potentially_out_of_stock, number, allowed, of.lost_before_receipt * of.unit_price)


def _late_supplier_order(of: _Orders) -> _Found:
    is_overdue, is_told = np.isfinite(of.days_overdue), of.is_out_of_stock | of.is_potentially_out_of_stock
    gap = np.where(is_told | ~of.is_stock_known, 0.0, of.days_without_stock)
    until = np.minimum(of.days_to_receipt, of.lead_time_days + 1) - 1
    uncovered = of.daily_demand * until - np.maximum(of.available_units - of.unconfirmed_units, 0.0)
    missing = np.where(is_overdue, np.clip(uncovered, 0.0, of.late_units), 0.0)
    return _Found(
        is_overdue | (gap > 0),
        np.where(is_overdue, of.days_overdue, gap),
        np.where(is_overdue, of.tolerated_days, 0.0),
        np.maximum(missing, of.daily_demand * gap) * of.unit_price,
    )


def _phantom_stock(of: _Orders) -> _Found:
    money = np.minimum(of.on_hand, of.expected_demand) * of.unit_price
    return _Found(of.has_silent_shelf, of.silent_days, of.longest_silence, money)


def _forecast_break(of: _Orders) -> _Found:
    is_more = (of.sold_units > of.most_units) & (of.side_before > 0)
    is_less = (of.sold_units < of.least_units) & (of.side_before < 0) & ~of.has_silent_shelf
    money = np.abs(of.sold_units - of.forecast_units) * of.unit_price
    return _Found(is_more | is_less, of.sold_units, np.where(is_more, of.most_units, of.least_units), money)


def _order_blocked(of: _Orders) -> _Found:
    return _Found(of.is_blocked, of.wanted_units, 0.0, of.money_at_risk)


def _surplus_on_order(of: _Orders) -> _Found:
    number = np.minimum(of.surplus_units, of.on_order_units)
    return _Found(number >= of.pack_size, number, of.pack_size, number * of.unit_cost)


def _excess_stock(of: _Orders) -> _Found:
    number = _ratio(of.available_units, of.daily_demand, of.available_units > 0)
    surplus = np.maximum(of.available_units - of.order_up_to_level, 0.0)
    holds = (number > EXCESS_COVER_DAYS) & (surplus > 0)
    return _Found(holds, number, EXCESS_COVER_DAYS, surplus * of.unit_cost)


def _expiry_risk(of: _Orders) -> _Found:
    number = _ratio(of.expected_waste_units, of.inventory_position + of.order_units, of.expected_waste_units > 0)
    return _Found(number > of.max_waste_share, number, of.max_waste_share, of.expected_waste_units * of.unit_cost)


def _order_cut(of: _Orders) -> _Found:
    limits = (of.max_stock_units, of.shelf_life_units, of.allocation_units, of.budget_units)
    is_cut = np.min(limits, axis=0) < 0
    cut = np.where(is_cut, np.maximum(of.wanted_units - of.order_units, 0.0), 0.0)
    number = _ratio(cut, of.wanted_units, cut > 0)
    lost = of.expected_lost_units_with_order - of.expected_lost_units_until_receipt
    return _Found((number > CUT_SHARE) & ~of.is_blocked, number, CUT_SHARE, lost * of.unit_price)


def _order_raised(of: _Orders) -> _Found:
    added = np.maximum(of.order_units - of.wanted_units, 0.0)
    number = _ratio(added, of.daily_demand, added > 0)
    return _Found(number > ADDED_COVER_DAYS, number, ADDED_COVER_DAYS, added * of.unit_cost)


def _data_assumed(of: _Orders) -> _Found:
    number = np.sum([of.assumes(name) for name in GRAVE_ASSUMPTIONS], axis=0).astype(np.float64)
    return _Found((number > 0) & (of.order_units > 0) & ~of.is_blocked, number, 0.0, of.order_value)


def _ratio(part: Floats, whole: Floats, where: Flags) -> Floats:
    """Part of the whole; infinite of nothing, 0 elsewhere."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(where, part / whole, 0.0)


DEFINITIONS: dict[str, Definition] = {
    "stocked_out": Definition(
        "units",
        "nothing is on hand that is not promised, and demand is expected; at risk is what is lost before an order can "
        "be sold",
        "expedite what is on order, or order elsewhere",
        _stocked_out,
    ),
    "potential_stockout": Definition(
        "probability",
        "the stock may run out before an order placed now can be sold, likelier than the service level allows",
        "expedite what is on order, or order elsewhere",
        _potential_stockout,
    ),
    "late_supplier_order": Definition(
        "days",
        "an order is overdue, told not to have come or unconfirmed for longer than the threshold; or the next receipt "
        "comes so many days after the stock is expected to last; at risk is the demand that is not covered until then",
        "ask the supplier, and order elsewhere if it does not come",
        _late_supplier_order,
    ),
    "phantom_stock": Definition(
        "days",
        "in stock and open, and no sale for longer than what this line sells leaves to chance (0.1 %); at risk is the "
        "expected demand that this stock is to serve",
        "look at the shelf, and count the stock",
        _phantom_stock,
    ),
    "forecast_break": Definition(
        "units",
        "sold in 7 days, outside of 90 % of what was forecast for them 7 days ago, as those of the week before were, "
        "on the same side; a day closed or out of stock counts as forecast; at risk is the difference to the mean",
        "find out why, and change the order if it goes on",
        _forecast_break,
    ),
    "order_blocked": Definition(
        "units",
        "units are needed and not ordered: data is missing, or no order fits; `blocked_reason` says which",
        "tell the data or change the limit",
        _order_blocked,
    ),
    "surplus_on_order": Definition(
        "units",
        "units on order, a pack or more, are above the order-up-to level",
        "cancel them or put them off",
        _surplus_on_order,
    ),
    "excess_stock": Definition(
        "days",
        "what is on hand and not promised lasts longer than the threshold, and is above the order-up-to level",
        "move it to another location or mark it down",
        _excess_stock,
    ),
    "expiry_risk": Definition(
        "share",
        "of the stock with this order more is expected to expire than may",
        "mark it down, move it, or order less",
        _expiry_risk,
    ),
    "order_cut": Definition(
        "share",
        "maximum stock, shelf life, the centre's stock or the budget took away more of a need than the threshold",
        "change the limit if the loss is more than it is worth",
        _order_cut,
    ),
    "order_raised": Definition(
        "days",
        "MOQ, packs or the supplier's minimum added units for more days of demand than the threshold",
        "agree on smaller packs or minimums, or order less often",
        _order_raised,
    ),
    DATA_ASSUMED: Definition(
        "terms",
        "so many of lead time, pack size, unit cost and stock are assumed in an order; at risk is its value",
        "tell what the order assumes",
        _data_assumed,
    ),
}


def order_exceptions(orders: pa.Table, open_orders: pa.Table = NO_LINES, sales: RecentSales | None = None) -> pa.Table:
    """Rows of `tables.ORDER_EXCEPTIONS` of the orders of one day, most money at risk first.

    `open_orders` holds the rows of `tables.OPEN_ORDERS` of that day, `sales` is what the last days say of the same
    order rows; without them, nothing is said of them.

    Exceptions whose money is not known follow, then DATA_ASSUMED, whose money is spent rather than lost; equal ones
    come in the order of the definitions, then of the rows.
    """
    columns = _Orders(orders, open_lines(orders, open_orders), sales or nothing_known(orders.num_rows))
    found = [_rows(orders, name, definition, definition.find(columns)) for name, definition in DEFINITIONS.items()]
    together = pa.concat_tables(found)
    money = np.nan_to_num(together["money_at_risk"].cast(pa.float64()).to_numpy(), nan=-1.0)
    is_assumed = pc.call_function("equal", [together["exception"], pa.scalar(DATA_ASSUMED)]).to_numpy()
    ranked = together.take(np.lexsort((-money, is_assumed)))
    ranked = ranked.append_column("exception_rank", pa.array(np.arange(1, ranked.num_rows + 1)))
    return ranked.select(ORDER_EXCEPTIONS.names).cast(ORDER_EXCEPTIONS.arrow_schema)


def _rows(orders: pa.Table, name: str, definition: Definition, found: _Found) -> pa.Table:
    which = np.flatnonzero(found.holds)
    number, threshold = found.number[which], np.broadcast_to(found.threshold, found.number.shape)[which]
    told: dict[str, Any] = {
        "exception": pa.array([name] * len(which), pa.string()),
        "number": pa.array(np.where(np.isfinite(number), number, np.nan), from_pandas=True),
        "threshold": pa.array(threshold, pa.float64()),
        "number_unit": pa.array([definition.unit] * len(which), pa.string()),
        "money_at_risk": pa.array(np.maximum(found.money[which], 0.0), from_pandas=True),
        "action": pa.array([definition.action] * len(which), pa.string()),
    }
    copied = ("day", "product_id", "location", "product_name", "category", "supplier_id", "blocked_reason", "revision")
    return pa.table({column: orders[column].take(pa.array(which)) for column in copied} | told)
