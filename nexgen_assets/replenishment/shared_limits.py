"""Limits that the orders of a day share: the smallest order in money that a supplier takes, and a budget.

What belongs here: which lines are raised or cut for the sake of others, as arrays with one element per line. What does
not: the constraints of a single line (`constraints.py`), where orders come from (`origins.py`).

A supplier whose lines are worth less than its minimum gets more of what lasts shortest: all its lines are raised, in
full packs, to the same days of cover, as few as reach the minimum. Lines of unknown cost count nothing and are not
raised. Where MOST_COVER_DAYS do not suffice, the supplier would refuse: its lines are blocked.

A budget buys, one after another, the packs that are expected to earn most per money and still fit (`formulas/budget.py`
has the theory). What it leaves a supplier is not bought either if that is below the minimum again.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nexgen_assets.replenishment.constraints import in_parts, in_units
from nexgen_assets.replenishment.formulas.rounding import round_down_to_pack, round_up_to_pack

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]
# units that some lines [lines] are expected to lose with inventory positions [lots, lines]
Losses = Callable[[Integers, Floats], Floats]

MOST_COVER_DAYS = 56.0
COVER_HALVINGS = 30
SAME_MONEY = 1e-9
MOST_LOTS = 16


@dataclass(frozen=True)
class Lines:
    """The orders of a day as each line alone wants them, [lines]: units, money per unit, and units a day.

    `supplier` numbers the suppliers, -1 where none is told; `min_order_value` (money) is not a number where none is
    told. `is_open` is false where a line is blocked and must not be raised.
    """

    order_units: Floats
    inventory_position: Floats
    daily_demand: Floats
    pack_size: Floats
    min_order_quantity: Floats
    unit_cost: Floats
    supplier: Integers
    min_order_value: Floats
    is_open: Flags


@dataclass(frozen=True)
class Raised:
    """Units that the supplier's minimum adds to a line, or takes away from one it leaves nothing of; [lines]."""

    units: Floats
    is_blocked: Flags


@dataclass(frozen=True)
class Spent:
    """What a budget takes away [lines], in units, and where it leaves nothing that could be ordered otherwise.

    `value_of_last_money` is what the worst lot that was bought is expected to earn per money; not a number without one.
    """

    units: Floats
    is_blocked: Flags
    value_of_last_money: float


def raised_to_supplier_minimum(lines: Lines, largest_position: Callable[[Integers], Floats]) -> Raised:
    """What makes the orders of each supplier worth its minimum.

    `largest_position` tells, of some lines, the most units there may be of each with its order.
    """
    units, blocked = np.zeros_like(lines.order_units), np.zeros(len(lines.order_units), np.bool_)
    members = np.flatnonzero(_is_short(lines, lines.order_units))
    if not len(members):
        return Raised(units, blocked)
    few, supplier = _of(lines, members), np.unique(lines.supplier[members], return_inverse=True)[1]
    most = np.where(few.is_open & ~np.isnan(few.unit_cost), largest_position(members), 0.0)
    minimum = _per_supplier_minimum(few, supplier)

    def value(cover_days: Floats) -> Floats:
        worth = _value(few, _covering(few, cover_days[supplier], most))
        return np.bincount(supplier, worth, len(minimum)).astype(np.float64)

    low, high = np.zeros(len(minimum)), np.full(len(minimum), MOST_COVER_DAYS)
    refused = value(high) < minimum - SAME_MONEY
    for _ in range(COVER_HALVINGS):
        middle = (low + high) / 2
        is_enough = value(middle) >= minimum - SAME_MONEY
        low, high = np.where(is_enough, low, middle), np.where(is_enough, middle, high)
    wanted = np.where(refused[supplier], 0.0, _covering(few, high[supplier], most))
    units[members] = in_units(in_parts(wanted) - in_parts(few.order_units))
    blocked[members] = refused[supplier] & (few.order_units > 0)
    return Raised(units, blocked)


def cut_to_budget(lines: Lines, budget: float, unit_margin: Floats, expected_lost: Losses) -> Spent:
    """What a `budget` (money) does not buy. Lines of unknown cost are blocked: nobody knows what they take from it.

    `unit_margin` (money, [lines]) is earned by each unit that is sold. An order of more than MOST_LOTS packs is bought
    in so many lots. Of lots that earn the same per money, those of the earlier line are bought first.
    """
    blocked = (lines.order_units > 0) & np.isnan(lines.unit_cost)
    rows = np.flatnonzero((lines.order_units > 0) & ~blocked)
    line, units, gain = lots(lines, rows, unit_margin, expected_lost)
    cost = units * lines.unit_cost[line]
    per_money = np.divide(gain, cost, out=np.full_like(gain, np.inf), where=cost > 0)
    bought = np.zeros_like(lines.order_units)
    left, worst, is_closed = budget, math.nan, np.zeros(len(bought), np.bool_)
    for lot in np.argsort(-per_money, kind="stable").tolist():
        if is_closed[line[lot]]:
            continue
        if cost[lot] > left + SAME_MONEY:
            is_closed[line[lot]] = True
            continue
        left -= cost[lot]
        bought[line[lot]] += units[lot]
        worst = float(per_money[lot]) if cost[lot] > 0 else worst
    refused = _is_short(lines, bought) & (bought > 0)
    bought = np.where(refused, 0.0, bought)
    return Spent(in_units(in_parts(bought) - in_parts(lines.order_units)), blocked | refused, worst)


def lots(
    lines: Lines, rows: Integers, unit_margin: Floats, expected_lost: Losses, *, most: int = MOST_LOTS
) -> tuple[Integers, Floats, Floats]:
    """Line, units and expected gain (money) of each lot; those of a line in the order in which they can be bought.

    Lots of the lines `rows`, at most `most` of each, lines in their order. The first lot holds the MOQ at least. A lot
    is expected to earn no more per unit than the one before.
    """
    pack, order = lines.pack_size[rows], lines.order_units[rows]
    first = np.minimum(np.maximum(round_up_to_pack(lines.min_order_quantity[rows], pack), pack), order)
    lot = np.ceil(np.rint((order - first) / pack) / (most - 1)) * pack
    up_to = np.minimum(first + np.arange(most)[:, None] * lot, order)  # [lots, rows]
    up_to = np.concatenate([np.zeros((1, len(rows))), up_to])
    lost = expected_lost(rows, lines.inventory_position[rows] + up_to)
    gain = np.maximum(-np.diff(lost, axis=0), 0.0) * np.maximum(unit_margin[rows], 0.0)
    units = np.diff(up_to, axis=0)
    # rounding errors of the losses must not put a lot before the one that it follows
    per_unit = np.minimum.accumulate(np.divide(gain, units, out=np.zeros_like(gain), where=units > 0), axis=0)
    number, row = np.nonzero((units > 0).T)[::-1]
    return rows[row], units[number, row], (per_unit * units)[number, row]


def _is_short(lines: Lines, order_units: Floats) -> Flags:
    """Lines of suppliers whose orders are worth something, and less than the minimum."""
    is_told = (lines.supplier >= 0) & ~np.isnan(lines.min_order_value)
    supplier = np.maximum(lines.supplier, 0)
    size = int(supplier.max(initial=0)) + 1
    value = np.bincount(supplier, np.where(is_told, _value(lines, order_units), 0.0), size)
    is_ordered = np.bincount(supplier, is_told & (order_units > 0), size) > 0
    return is_told & is_ordered[supplier] & (value[supplier] < lines.min_order_value - SAME_MONEY)


def _per_supplier_minimum(lines: Lines, supplier: Integers) -> Floats:
    minimum = np.zeros(int(supplier.max(initial=-1)) + 1)
    np.maximum.at(minimum, supplier, lines.min_order_value)
    return minimum


def _value(lines: Lines, order_units: Floats) -> Floats:
    return order_units * np.nan_to_num(lines.unit_cost, nan=0.0)


def _covering(lines: Lines, cover_days: Floats, most: Floats) -> Floats:
    """The own orders, or more full packs, up to so many days of demand and to the most there may be."""
    target = np.minimum(lines.daily_demand * cover_days, most)
    packs = round_down_to_pack(np.maximum(target - lines.inventory_position, 0.0), lines.pack_size)
    return np.maximum(lines.order_units, np.where(packs >= lines.min_order_quantity, packs, 0.0))


def _of(lines: Lines, which: Integers) -> Lines:
    return Lines(**{name: values[which] for name, values in vars(lines).items()})
