"""Levels: how far stock must reach for each line's target, and how much an order adds to that.

What belongs here: from a target (cycle service level, fill rate, critical ratio) to the level, and the lots of (s, S)
and (s, nQ) policies. What does not: which line has which target (`line_policies.py`), and constraints.

The level covers the protection interval, from the order to the receipt of the next review's order. An order is placed
once the inventory position is below it: raised to the level (R, S), by a lot above it (R, s, S), or by whole lots until
it is reached (R, s, nQ) (Silver, Pyke & Thomas, Inventory and Production Management in Supply Chains, 4e, section 6.3).

A fill rate is a share of all demand, so what lots bring above the level counts towards it (`order_cycles.py`). A cycle
service level speaks of the moment before a receipt, whatever the lots (ibid., section 6.6).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nexgen_assets.replenishment.ahead import DemandAhead
from nexgen_assets.replenishment.formulas.lot_sizes import eoq
from nexgen_assets.replenishment.formulas.rounding import round_up_to_pack
from nexgen_assets.replenishment.line_policies import LinePolicies
from nexgen_assets.replenishment.order_cycles import CountedLots, OrderCycle, order_cycle
from nexgen_assets.replenishment.policy import (
    Floats,
    IntervalDistribution,
    Policy,
    order_up_to_level,
    round_up_to_whole_units,
)
from nexgen_assets.replenishment.risk import short_between_receipts

Integers = NDArray[np.int64]

DAYS_A_YEAR = 365
# of a critical ratio: beyond, the tail of a forecast says little
LEAST_RATIO, LARGEST_RATIO = 0.05, 0.999


@dataclass(frozen=True)
class Levels:
    """Of each line, [rows]: the level in units, that of a certain lead time, and the cycle service level it stands for.

    Of a fill-rate target that is what the level reaches, on average over a cycle of orders, else what it was made for.
    `fill_rate` is the share of demand served over such a cycle, and `above_level` the units that the position stands
    above the level on average, as its lots have it; neither is a number where the target is no fill rate.
    """

    level: Floats
    if_certain: Floats
    service_level: Floats
    fill_rate: Floats
    above_level: Floats


def levels(  # noqa: PLR0917  # what decides on a level
    demand: DemandAhead,
    lines: LinePolicies,
    lead_time_days: Integers,
    unit_price: Floats,
    unit_cost: Floats,
    lots: CountedLots | None = None,
) -> Levels:
    """The level of each row; `lead_time_days` is what a certain lead time would last, prices are in money per unit.

    `lots` are those that fill rates may count on, none if that is None.
    """
    service_level = np.where(
        lines.kind == "newsvendor",
        critical_ratio(unit_price, unit_cost, lines.salvage_share, otherwise=lines.service_level),
        lines.service_level,
    )
    level = order_up_to_level(demand.until_next_receipt, service_level)
    if_certain = order_up_to_level(demand.if_certain, service_level)
    fill_rate, above_level = np.full((2, len(level)), np.nan)
    rows = np.flatnonzero(~np.isnan(lines.fill_rate))
    if len(rows):
        target, mean_lead = lines.fill_rate[rows], lead_time_days[rows]
        some, counted = demand.of(rows), (lots or no_lots(len(level))).take(rows)
        review = some.over(np.arange(len(rows)), lines.review_period_days[rows])
        found = fill_rate_level(some.until_next_receipt, some.until_receipt, target, counted, review)
        level[rows] = found
        if_certain[rows] = found
        if some.if_certain is not some.until_next_receipt:
            before = demand.over(rows, mean_lead)
            if_certain[rows] = fill_rate_level(some.if_certain, before, target, counted, review)
        cycle = order_cycle(counted, found, review)
        reached = cycle.mean_of(some.until_next_receipt.cdf, found)
        service_level[rows] = np.clip(reached, LEAST_RATIO, LARGEST_RATIO)
        fill_rate[rows] = served_share(some.until_next_receipt, some.until_receipt, found, cycle)
        above_level[rows] = cycle.mean
    return Levels(level, if_certain, service_level, fill_rate, above_level)


def critical_ratio(unit_price: Floats, unit_cost: Floats, salvage_share: Floats, *, otherwise: Floats) -> Floats:
    """Underage over underage + overage: a unit short loses the margin, one left over its cost less its salvage.

    (Snyder & Shen, Fundamentals of Supply Chain Theory, 2e, section 4.3.) `salvage_share` is that of the cost which a
    unit left over still brings. `otherwise` stands where price or cost is not known, or nothing is earned.
    """
    underage, overage = unit_price - unit_cost, unit_cost * (1 - salvage_share)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = underage / (underage + overage)
        is_known = (underage > 0) & (underage + overage > 0)
    return np.where(is_known, np.clip(ratio, LEAST_RATIO, LARGEST_RATIO), otherwise)


def fill_rate_level(
    until_next: IntervalDistribution,
    until_receipt: IntervalDistribution,
    target: Floats,
    lots: CountedLots | None = None,
    review_demand: IntervalDistribution | None = None,
) -> Floats:
    """The smallest whole S of which the share `target` of the demand between two receipts is served from stock.

    beta = 1 - E[n_P(y) - n_L(y)] / (mean_P - mean_L), n being expected shortages until the next receipt and until this
    one, y the position after a review: S, or above it by what `lots` bring (Axsater, Inventory Control, 3e, section
    5.3; Hadley & Whitin): as if customers waited, which promises less than lost sales serve. `review_demand` is that
    between two reviews, needed with lots. At least 1, since the first unit is ordered below it; 0 where no demand is
    expected between the two.
    """
    between = np.asarray(until_next.mean, np.float64) - until_receipt.mean
    counted, of_review = lots or no_lots(len(between)), review_demand or until_next

    def is_enough(level: Floats, lots: CountedLots) -> NDArray[np.bool_]:
        cycle = order_cycle(lots, level, of_review)
        short = cycle.mean_of(lambda position: short_between_receipts(until_next, until_receipt, position), level)
        return ((short <= (1 - target) * between + 1e-9) & (level >= 1)) | (between <= 0)

    without = np.full_like(between, -1.0), order_up_to_level(until_next, LARGEST_RATIO)
    none = no_lots(len(between))
    level = _smallest_enough(lambda at: is_enough(at, none), *without)
    if lots is None:
        return level
    # as many units lower all positions would be below the level without lots: too low
    widest = np.maximum(counted.smallest, counted.above)
    return _smallest_enough(lambda at: is_enough(at, counted), np.maximum(level - widest, 0.0) - 1, level)


def _smallest_enough(is_enough: Callable[[Floats], NDArray[np.bool_]], low: Floats, high: Floats) -> Floats:
    """The smallest whole number above `low` [rows] that is enough; it may lie above `high`, which is tried first."""
    while np.any(is_short := ~is_enough(high)):
        low, high = np.where(is_short, high, low), np.where(is_short, 2 * high + 1, high)
    while np.any(high - low > 1):
        middle = np.floor((low + high) / 2)
        enough = is_enough(np.maximum(middle, 0.0)) & (middle >= 0)
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return high


def served_share(
    until_next: IntervalDistribution, until_receipt: IntervalDistribution, level: Floats, cycle: OrderCycle
) -> Floats:
    """The fill rate of a level over a cycle of orders, [rows]; not a number where no demand is expected."""
    between = np.asarray(until_next.mean, np.float64) - until_receipt.mean
    short = cycle.mean_of(lambda position: short_between_receipts(until_next, until_receipt, position), level)
    lost = np.divide(np.maximum(short, 0.0), between, out=np.full_like(between, np.nan), where=between > 0)
    return 1 - np.minimum(lost, 1.0)


def no_lots(rows: int) -> CountedLots:
    """Orders bring what is missing, and there is room for all of it."""
    one = np.ones(rows)
    return CountedLots(one, one, np.zeros(rows), np.full(rows, np.inf))


def counted_lots(  # noqa: PLR0917  # what decides on lots
    kind: NDArray[np.str_],
    lot: Floats,
    min_order_quantity: Floats,
    pack_size: Floats,
    most: Floats,
    counts: NDArray[np.bool_],
) -> CountedLots:
    """The lots of each line that a fill rate can count on, [rows]; fractions of a unit are left out.

    `lot` as of `lot_units`, `most` the largest position there is room for, all in units. `counts` is false where an
    order may yet be cut or rounded down, so that the level must do without.
    """
    is_multiple = kind == "reorder_quantity"
    step = np.maximum(np.where(is_multiple, lot, 0.0), pack_size)
    smallest = np.maximum(round_up_to_pack(np.maximum(min_order_quantity, pack_size), pack_size), step)
    above = np.where(kind == "min_max", lot, 0.0)

    def whole(units: Floats, otherwise: float) -> Floats:
        return np.where(counts, np.maximum(np.floor(units), otherwise), otherwise)

    # an order is cut in full packs: it may end that much below the most
    return CountedLots(whole(smallest, 1.0), whole(step, 1.0), whole(above, 0.0), np.floor(most - pack_size) + 1)


def lot_units(lines: LinePolicies, daily_demand: Floats, unit_cost: Floats, policy: Policy) -> Floats:
    """Whole units in a lot of each line; 0 where the policy has none, or neither days nor costs say how many.

    The demand of `lot_days`, else the economic order quantity sqrt(2 K lambda / h) with K the cost of an order line and
    h the holding cost of a unit a day (Harris 1913; Snyder & Shen, section 3.2).
    """
    has_lots = np.isin(lines.kind, ("min_max", "reorder_quantity"))
    holding = np.nan_to_num(unit_cost) * policy.holding_rate / DAYS_A_YEAR
    is_priced = (holding > 0) & (daily_demand > 0)
    economic = np.zeros_like(daily_demand)
    economic[is_priced] = eoq(
        fixed_cost=policy.order_line_cost, holding_cost=holding[is_priced], demand_rate=daily_demand[is_priced]
    ).order_quantity
    wanted = np.where(np.isnan(lines.lot_days), economic, lines.lot_days * daily_demand)
    return np.where(has_lots, round_up_to_whole_units(wanted), 0.0)
