"""The newsvendor: one decision on stock before an uncertain demand, with a cost for each unit too many or too few.

What belongs here: expected cost and profit of a level, and the level that is best. What does not: orders that are
fixed costs (`lot_sizes.py`, `r_q.py`, `s_s.py`), service targets (`base_stock.py`).

Source: Snyder & Shen, Fundamentals of Supply Chain Theory, 2e (2019), section 4.3.
"""

from dataclasses import dataclass

import numpy as np

from nexgen_assets.replenishment.formulas.arguments import (
    Number,
    require_finite,
    require_not_negative,
    require_positive,
)
from nexgen_assets.replenishment.formulas.distributions import Demand


@dataclass(frozen=True)
class Newsvendor:
    """`base_stock_level` in units, its expected `cost` in money per period, and the `critical_ratio` p / (p + h)."""

    base_stock_level: Number
    cost: Number
    critical_ratio: Number


@dataclass(frozen=True)
class NewsvendorProfit:
    """`order_quantity` in units, its expected `profit` in money, and the `critical_ratio` c_u / (c_u + c_o)."""

    order_quantity: Number
    profit: Number
    critical_ratio: Number


def newsvendor(
    demand: Demand,
    *,
    holding_cost: Number,
    stockout_cost: Number,
    lead_time: float = 0,
    base_stock_level: Number | None = None,
) -> Newsvendor:
    """The level S* = F^-1(p / (p + h)) and its cost, or the cost of the given `base_stock_level` (4.27, 4.30).

    `holding_cost` h per unit left and `stockout_cost` p per unit short, per period. With a `lead_time` of L periods
    and a review every period the level covers the demand of L + 1 periods. A level that may not be finite
    (h = 0 and unbounded demand) raises ValueError.
    """
    ratio = critical_ratio(underage_cost=stockout_cost, overage_cost=holding_cost)
    require_not_negative(lead_time=lead_time)
    protected = demand.over(lead_time + 1)
    level = _best_level(protected, ratio) if base_stock_level is None else base_stock_level
    require_finite(base_stock_level=level)
    cost = newsvendor_cost(protected, level, holding_cost=holding_cost, stockout_cost=stockout_cost)
    return Newsvendor(level, cost, ratio)


def newsvendor_cost(demand: Demand, level: Number, *, holding_cost: Number, stockout_cost: Number) -> Number:
    """g(S) = h E[(S - X)+] + p E[(X - S)+], in money, of a `level` of S units against the whole of `demand` (4.6)."""
    return holding_cost * demand.expected_leftover(level) + stockout_cost * demand.expected_shortage(level)


def newsvendor_profit(
    demand: Demand,
    *,
    revenue: Number,
    purchase_cost: Number,
    salvage_value: Number = 0.0,
    holding_cost: Number = 0.0,
    stockout_cost: Number = 0.0,
    order_quantity: Number | None = None,
) -> NewsvendorProfit:
    """The most profitable order for one selling season, or the profit of the given `order_quantity` (example 4.2).

    All in money per unit. c_u = revenue - purchase cost + stockout cost (goodwill), c_o = purchase cost - salvage value
    + holding cost; a negative salvage value is a cost of disposal. profit = revenue E[min(Q, X)] - purchase cost Q
    + (salvage value - holding cost) E[(Q - X)+] - stockout cost E[(X - Q)+].
    """
    ratio = critical_ratio(
        underage_cost=np.asarray(revenue) - purchase_cost + stockout_cost,
        overage_cost=np.asarray(purchase_cost) - salvage_value + holding_cost,
    )
    require_not_negative(purchase_cost=purchase_cost, holding_cost=holding_cost, stockout_cost=stockout_cost)
    quantity = _best_level(demand, ratio) if order_quantity is None else order_quantity
    require_finite(order_quantity=quantity)
    left, short = demand.expected_leftover(quantity), demand.expected_shortage(quantity)
    sales = demand.mean - short
    profit = revenue * sales - purchase_cost * quantity + (salvage_value - holding_cost) * left - stockout_cost * short
    return NewsvendorProfit(quantity, profit, ratio)


def critical_ratio(*, underage_cost: Number, overage_cost: Number) -> Number:
    """c_u / (c_u + c_o): the probability with which the best level covers demand; money per unit, not negative.

    Raises ValueError for a negative cost (a product that loses money when sold, or earns money when left over), and if
    both are 0.
    """
    require_not_negative(underage_cost=underage_cost, overage_cost=overage_cost)
    require_positive(underage_and_overage_cost=np.asarray(underage_cost) + overage_cost)
    require_finite(underage_cost=underage_cost, overage_cost=overage_cost)
    return (np.asarray(underage_cost) / (np.asarray(underage_cost) + overage_cost))[()]


def _best_level(demand: Demand, ratio: Number) -> Number:
    level = demand.quantile(ratio)
    if not np.all(np.isfinite(level)):
        raise ValueError(f"no finite level is best at a critical ratio of {ratio}: one of the costs is 0")
    return level
