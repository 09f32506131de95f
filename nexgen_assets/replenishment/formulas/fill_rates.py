"""Fill rates: the share of demand that is served at once from stock, and the stock that reaches a promised share.

What belongs here: fill rates of the textbook policies and their inverses. What does not: the probability of no
stockout (`base_stock.py`), costs (`newsvendor.py`, `r_q.py`). The two services differ: a level of 98 % fill rate may
well have a cycle service level of 82 %.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from nexgen_assets.replenishment.formulas.arguments import (
    Number,
    require_finite,
    require_inside,
    require_not_negative,
    require_positive,
)
from nexgen_assets.replenishment.formulas.distributions import Demand
from nexgen_assets.replenishment.formulas.loss import standard_normal_loss_inverse

LEVEL_TOLERANCE = 1e-10
SAME_FILL_RATE = 1e-12


@dataclass(frozen=True)
class OrderCycleService:
    """What an (s, Q) policy achieves.

    `cycle_service_level` is P(no stockout in a lead time), `expected_shortage_per_cycle` in units, `fill_rate` a
    share of demand, `average_inventory` in units on hand: Q / 2 + safety stock.
    """

    cycle_service_level: Number
    expected_shortage_per_cycle: Number
    fill_rate: Number
    average_inventory: Number


@dataclass(frozen=True)
class PeriodicService:
    """What an order-up-to level achieves under periodic review.

    `fill_rate` is a share of demand, `cycle_service_level` the probability that the stock lasts until the next receipt.
    """

    fill_rate: Number
    cycle_service_level: Number


@dataclass(frozen=True)
class FillRateLevel(PeriodicService):
    """The `order_up_to_level` (units) that reaches a fill rate, and what it achieves."""

    order_up_to_level: float


@dataclass(frozen=True)
class FillRateSafetyStock:
    """The `safety_factor` k (standard deviations) and `safety_stock` (units) that reach a fill rate."""

    safety_factor: float
    safety_stock: float


def s_q_fill_rate(
    lead_time_demand: Demand, *, order_quantity: Number, safety_stock: Number, lost_sales: bool = False
) -> OrderCycleService:
    """Fill rate of an (s, Q) policy with s = E[X] + safety stock, X the `lead_time_demand` in units.

    Shortage per cycle n(s) = E[(X - s)+]. Backorders: 1 - n(s) / Q; lost sales: 1 - n(s) / (Q + n(s)) (Silver, Pyke &
    Thomas 4e (2017), section 6.7). The backorder formula takes the stock for full after each receipt; raises
    ValueError if Q is smaller than the shortage, where it has no meaning.
    """
    require_positive(order_quantity=order_quantity)
    require_finite(order_quantity=order_quantity, safety_stock=safety_stock)
    level = np.asarray(lead_time_demand.mean) + safety_stock
    short = lead_time_demand.expected_shortage(level)
    if not lost_sales and np.any(short > order_quantity):
        raise ValueError(
            f"an order of {order_quantity} does not make up for the {short} units that each cycle is short of:"
            " the formula has no meaning, order more or hold more safety stock"
        )
    fill_rate = 1 - short / (np.asarray(order_quantity) + (short if lost_sales else 0.0))
    average = np.asarray(order_quantity) / 2 + safety_stock
    return OrderCycleService(lead_time_demand.cdf(level), short, fill_rate, average)


def s_q_safety_stock_for_fill_rate(
    *, order_quantity: float, lead_time_demand_sd: float, target_fill_rate: float, lost_sales: bool = False
) -> FillRateSafetyStock:
    """Safety stock of an (s, Q) policy for a fill rate with normal demand; the inverse of `s_q_fill_rate`.

    Backorders: G(k) = Q (1 - beta) / sd; lost sales: G(k) = (Q / sd) (1 - beta) / beta (Silver, Pyke & Thomas 4e
    (2017), section 6.7). With a large Q a negative k is enough: stock may run out before each order and still serve
    most demand. With sd 0 nothing is uncertain, and k and safety stock are 0.
    """
    require_positive(order_quantity=order_quantity)
    require_not_negative(lead_time_demand_sd=lead_time_demand_sd)
    require_finite(order_quantity=order_quantity, lead_time_demand_sd=lead_time_demand_sd)
    require_inside(0, 1, target_fill_rate=target_fill_rate)
    if lead_time_demand_sd == 0:
        return FillRateSafetyStock(0.0, 0.0)
    short = order_quantity * (1 - target_fill_rate) / (target_fill_rate if lost_sales else 1.0)
    factor = standard_normal_loss_inverse(short / lead_time_demand_sd)
    return FillRateSafetyStock(factor, factor * lead_time_demand_sd)


def periodic_review_fill_rate(
    demand: Demand, *, lead_time: float, review_period: float, order_up_to_level: Number
) -> PeriodicService:
    """Fill rate of an (R, S) policy with backorders: 1 - (n_{L+R}(S) - n_L(S)) / E[D_R].

    n_P is the expected shortage over P periods; what was already short before the receipt (n_L) must not count again
    (Axsater, Inventory Control 3e (2015), section 5.3; Hadley & Whitin 1963). `demand` is that of one period; an order
    of the start of a review period arrives `lead_time` later, before that period's demand.
    """
    require_not_negative(lead_time=lead_time)
    if not review_period > 0:
        raise ValueError(
            f"review_period must be greater than 0, not {review_period}: use continuous_base_stock_fill_rate"
        )
    require_finite(lead_time=lead_time, review_period=review_period, order_up_to_level=order_up_to_level)
    require_positive(demand_mean=demand.mean)
    before, until_next = demand.over(lead_time), demand.over(lead_time + review_period)
    short = until_next.expected_shortage(order_up_to_level) - before.expected_shortage(order_up_to_level)
    return PeriodicService(1 - short / (demand.mean * review_period), until_next.cdf(order_up_to_level))


def order_up_to_level_for_fill_rate(
    demand: Demand, *, lead_time: float, review_period: float, target_fill_rate: float
) -> FillRateLevel:
    """The smallest order-up-to level of an (R, S) policy with this fill rate; the inverse of the function above.

    A whole number of units where demand is whole, and then the fill rate is the target or more.
    """
    require_inside(0, 1, target_fill_rate=target_fill_rate)

    def service(level: float) -> PeriodicService:
        return periodic_review_fill_rate(
            demand, lead_time=lead_time, review_period=review_period, order_up_to_level=level
        )

    def excess(level: float) -> float:
        return float(service(level).fill_rate) - target_fill_rate

    low, high = 0.0, max(1.0, float(demand.mean) * (lead_time + review_period))
    while excess(high) < 0:
        high *= 2
    while excess(low) > SAME_FILL_RATE and not demand.is_whole:
        low -= high  # normal demand reaches low targets with a negative level
    level = _smallest_whole(excess, high) if demand.is_whole else _root(excess, low, high)
    reached = service(level)
    return FillRateLevel(reached.fill_rate, reached.cycle_service_level, level)


def continuous_base_stock_fill_rate(lead_time_demand: Demand, base_stock_level: Number) -> Number:
    """Fill rate of an (S - 1, S) policy with backorders: P(D_L <= S - 1), D_L the whole-unit demand of a lead time.

    Every customer takes one unit and finds one if fewer than S are on order (Axsater, Inventory Control 3e (2015),
    5.45). Exact for Poisson demand.
    """
    if not lead_time_demand.is_whole:
        raise ValueError("continuous review of single units needs demand in whole units")
    require_finite(base_stock_level=base_stock_level)
    return lead_time_demand.cdf(np.asarray(base_stock_level) - 1)


def _smallest_whole(excess: Callable[[float], float], high: float) -> float:
    low, high = -1.0, float(np.ceil(high))
    while high - low > 1:
        middle = float(np.floor((low + high) / 2))
        low, high = (low, middle) if excess(middle) >= -SAME_FILL_RATE else (middle, high)
    return high


def _root(excess: Callable[[float], float], low: float, high: float) -> float:
    return float(optimize.brentq(excess, low, high, xtol=LEVEL_TOLERANCE))  # pyright: ignore[reportArgumentType]
