"""Levels: how far stock must reach for each line's target, and how much an order adds to that.

What belongs here: from a target (cycle service level, fill rate, critical ratio) to the level, and the lots of (s, S)
and (s, nQ) policies. What does not: which line has which target (`line_policies.py`), and constraints.

The level covers the protection interval, from the order to the receipt of the next review's order. An order is placed
once the inventory position is below it: raised to the level (R, S), by a lot above it (R, s, S), or by whole lots until
it is reached (R, s, nQ) (Silver, Pyke & Thomas, Inventory and Production Management in Supply Chains, 4e, section 6.3).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nexgen_assets.replenishment.ahead import DemandAhead
from nexgen_assets.replenishment.formulas.lot_sizes import eoq
from nexgen_assets.replenishment.line_policies import LinePolicies
from nexgen_assets.replenishment.policy import (
    Floats,
    IntervalDistribution,
    Policy,
    order_up_to_level,
    round_up_to_whole_units,
)

Integers = NDArray[np.int64]

DAYS_A_YEAR = 365
# of a critical ratio: beyond, the tail of a forecast says little
LEAST_RATIO, LARGEST_RATIO = 0.05, 0.999


@dataclass(frozen=True)
class Levels:
    """Of each line, [rows]: the level in units, that of a certain lead time, and the cycle service level it stands for.

    Of a fill-rate target that is what the level reaches, else what it was made for.
    """

    level: Floats
    if_certain: Floats
    service_level: Floats


def levels(
    demand: DemandAhead, lines: LinePolicies, lead_time_days: Integers, unit_price: Floats, unit_cost: Floats
) -> Levels:
    """The level of each row; `lead_time_days` is what a certain lead time would last, prices are in money per unit."""
    service_level = np.where(
        lines.kind == "newsvendor",
        critical_ratio(unit_price, unit_cost, lines.salvage_share, otherwise=lines.service_level),
        lines.service_level,
    )
    level = order_up_to_level(demand.until_next_receipt, service_level)
    if_certain = order_up_to_level(demand.if_certain, service_level)
    rows = np.flatnonzero(~np.isnan(lines.fill_rate))
    if len(rows):
        target, mean_lead = lines.fill_rate[rows], lead_time_days[rows]
        some = demand.of(rows)
        level[rows] = fill_rate_level(some.until_next_receipt, some.until_receipt, target)
        if_certain[rows] = fill_rate_level(some.if_certain, demand.over(rows, mean_lead), target)
        reached = np.asarray(some.until_next_receipt.cdf(level[rows]), np.float64)
        service_level[rows] = np.clip(reached, LEAST_RATIO, LARGEST_RATIO)
    return Levels(level, if_certain, service_level)


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


def fill_rate_level(until_next: IntervalDistribution, until_receipt: IntervalDistribution, target: Floats) -> Floats:
    """The smallest whole S of which the share `target` of the demand between two receipts is served from stock.

    beta = 1 - [n_P(S) - n_L(S)] / (mean_P - mean_L), n being expected shortages until the next receipt and until this
    one (Axsater, Inventory Control, 3e, section 5.3; Hadley & Whitin): as if customers waited, which promises less than
    lost sales serve. 0 where no demand is expected between the two.
    """
    between = np.asarray(until_next.mean, np.float64) - until_receipt.mean
    allowed = (1 - target) * between

    def is_enough(level: Floats) -> NDArray[np.bool_]:
        short = np.asarray(until_next.expected_shortage(level), np.float64) - until_receipt.expected_shortage(level)
        return (short <= allowed + 1e-9) | (between <= 0)

    low, high = np.full_like(between, -1.0), order_up_to_level(until_next, LARGEST_RATIO)
    while np.any(is_short := ~is_enough(high)):
        low, high = np.where(is_short, high, low), np.where(is_short, 2 * high + 1, high)
    while np.any(high - low > 1):
        middle = np.floor((low + high) / 2)
        enough = is_enough(np.maximum(middle, 0.0)) & (middle >= 0)
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return high


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
