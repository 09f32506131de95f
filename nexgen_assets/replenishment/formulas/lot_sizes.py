"""Lot sizes for demand that is known: how much to order at once when every order has a fixed cost.

What belongs here: the economic order quantity and its relatives, orders shared by several products, and demand that
changes from period to period. What does not: uncertain demand (`r_q.py`, `s_s.py`).

Source: Snyder & Shen, Fundamentals of Supply Chain Theory, 2e (2019), chapter 3, unless a function names another.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nexgen_assets.replenishment.formulas.arguments import (
    Floats,
    Number,
    require_finite,
    require_not_negative,
    require_positive,
    require_within,
)


@dataclass(frozen=True)
class LotSize:
    """`order_quantity` in units and what it `cost`s in money per period: orders and holding, without the goods."""

    order_quantity: Number
    cost: Number


@dataclass(frozen=True)
class BackorderedLotSize(LotSize):
    """A lot size with the share of demand that waits for the next order (`stockout_fraction`)."""

    stockout_fraction: Number


@dataclass(frozen=True)
class DiscountedLotSize:
    """`order_quantity` in units, the `region` of its price (0 is the dearest), and the `cost` including the goods."""

    order_quantity: float
    region: int
    cost: float


@dataclass(frozen=True)
class LotSizes:
    """`order_quantities` in units, one per period, and the `cost` of the whole plan in money."""

    order_quantities: list[float]
    cost: float


@dataclass(frozen=True)
class JointOrders:
    """Products ordered together every `base_cycle_time` periods or a whole multiple of it.

    `order_quantities` in units and `order_multiples`, one per product; `cost` in money per period.
    """

    order_quantities: list[float]
    base_cycle_time: float
    order_multiples: list[int]
    cost: float


def eoq(
    *, fixed_cost: Number, holding_cost: Number, demand_rate: Number, order_quantity: Number | None = None
) -> LotSize:
    """Economic order quantity Q* = sqrt(2 K d / h), or the cost K d / Q + h Q / 2 of the given one (3.4, 3.5).

    `fixed_cost` K in money per order, `holding_cost` h in money per unit and period, `demand_rate` d in units per
    period. Without demand or without a fixed cost Q* is 0: nothing is worth waiting for.
    """
    require_not_negative(fixed_cost=fixed_cost, demand_rate=demand_rate)
    require_positive(holding_cost=holding_cost)
    require_finite(fixed_cost=fixed_cost, holding_cost=holding_cost, demand_rate=demand_rate)
    if order_quantity is None:
        best = np.sqrt(2 * np.asarray(fixed_cost, np.float64) * demand_rate / holding_cost)
        return LotSize(best, best * holding_cost)
    require_positive(order_quantity=order_quantity)
    return LotSize(order_quantity, fixed_cost * demand_rate / order_quantity + holding_cost * order_quantity / 2)


def eoq_with_backorders(
    *,
    fixed_cost: Number,
    holding_cost: Number,
    stockout_cost: Number,
    demand_rate: Number,
    order_quantity: Number | None = None,
    stockout_fraction: Number | None = None,
) -> BackorderedLotSize:
    """EOQ where demand may wait: Q* = sqrt(2 K d (h + p) / (h p)), x* = h / (h + p), or the cost of the given Q and x.

    `stockout_cost` p > 0 in money per waiting unit and period; the rest as in `eoq`. Cost of Q and x:
    K d / Q + h Q (1 - x)^2 / 2 + p Q x^2 / 2 (3.27 to 3.29). Give both Q and x or neither.
    """
    require_not_negative(fixed_cost=fixed_cost, demand_rate=demand_rate)
    require_positive(holding_cost=holding_cost, stockout_cost=stockout_cost)
    if (order_quantity is None) != (stockout_fraction is None):
        raise ValueError("give both order_quantity and stockout_fraction, or neither of them")
    if order_quantity is None or stockout_fraction is None:
        fraction = holding_cost / (np.asarray(holding_cost) + stockout_cost)
        best = np.sqrt(2 * np.asarray(fixed_cost, np.float64) * demand_rate / (fraction * stockout_cost))
        return BackorderedLotSize(best, best * stockout_cost * fraction, fraction)
    require_positive(order_quantity=order_quantity)
    require_within(0, 1, stockout_fraction=stockout_fraction)
    holding = holding_cost * (1 - stockout_fraction) ** 2 + stockout_cost * stockout_fraction**2
    cost = fixed_cost * demand_rate / order_quantity + holding * order_quantity / 2
    return BackorderedLotSize(order_quantity, cost, stockout_fraction)


def eoq_with_all_units_discount(
    *,
    fixed_cost: float,
    holding_cost_rate: float,
    demand_rate: float,
    breakpoints: Sequence[float],
    unit_costs: Sequence[float],
) -> DiscountedLotSize:
    """The best order when a quantity of `breakpoints[j]` or more has the price `unit_costs[j]` for all its units.

    `breakpoints` (units) start with 0 and rise, `unit_costs` (money per unit) fall; a unit costs its price times
    `holding_cost_rate` per period to hold. Candidates are the EOQ of each price where it gets that price, and the
    breakpoints. Cost: c_j d + K d / Q + i c_j Q / 2 (3.18, 3.19).
    """
    prices = _prices(fixed_cost, holding_cost_rate, demand_rate, breakpoints, unit_costs)
    candidates = [
        DiscountedLotSize(q, region, _cost(q, price * demand_rate, fixed_cost * demand_rate, holding_cost_rate * price))
        for region, (start, end, price) in enumerate(prices)
        for q in {max(start, float(np.sqrt(2 * fixed_cost * demand_rate / (holding_cost_rate * price))))}
        if q < end
    ]
    return min(candidates, key=lambda lot: lot.cost)


def eoq_with_incremental_discount(
    *,
    fixed_cost: float,
    holding_cost_rate: float,
    demand_rate: float,
    breakpoints: Sequence[float],
    unit_costs: Sequence[float],
) -> DiscountedLotSize:
    """The best order when only the units beyond `breakpoints[j]` have the lower price `unit_costs[j]`.

    Arguments as in `eoq_with_all_units_discount`. Within region j the dearer units before it act as a fixed cost
    e_j = sum_{i<j} c_i (b_{i+1} - b_i) - c_j b_j, so that the best quantity is sqrt(2 (K + e_j) d / (i c_j)) and the
    cost c_j d + i e_j / 2 + (K + e_j) d / Q + i c_j Q / 2 (3.20 to 3.22). The best is never a breakpoint.
    """
    prices = _prices(fixed_cost, holding_cost_rate, demand_rate, breakpoints, unit_costs)
    candidates, dearer = [], 0.0
    for region, (start, end, price) in enumerate(prices):
        extra = dearer - price * start
        fixed = (fixed_cost + extra) * demand_rate
        q = float(np.sqrt(2 * fixed / (holding_cost_rate * price)))
        if start <= q < end:
            goods = price * demand_rate + holding_cost_rate * extra / 2
            candidates.append(DiscountedLotSize(q, region, _cost(q, goods, fixed, holding_cost_rate * price)))
        dearer += price * (end - start)
    return min(candidates, key=lambda lot: lot.cost)


def joint_replenishment(
    *,
    shared_fixed_cost: float,
    individual_fixed_costs: Sequence[float],
    holding_costs: Sequence[float],
    demand_rates: Sequence[float],
) -> JointOrders:
    """Products of one supplier: each order costs K, and k_n more for each product n in it (heuristic of Silver 1976).

    The product of the smallest k_n / (h_n d_n) is in every order; another is in every m_n-th, with m_n =
    sqrt(k_n / (h_n d_n) * h_1 d_1 / (K + k_1)) rounded to a whole number of at least 1; then the best base cycle is
    T = sqrt(2 (K + sum k_n / m_n) / sum h_n m_n d_n). Also Silver, Pyke & Thomas 4e (2017), chapter 10. Costs in money
    per order, holding in money per unit and period, demand > 0 in units per period.
    """
    require_not_negative(shared_fixed_cost=shared_fixed_cost, individual_fixed_costs=individual_fixed_costs)
    require_positive(holding_costs=holding_costs, demand_rates=demand_rates)
    k, h, d = (np.asarray(values, np.float64) for values in (individual_fixed_costs, holding_costs, demand_rates))
    if not len(k) == len(h) == len(d) > 0:
        raise ValueError(f"each product needs its three numbers, not {len(k)}, {len(h)} and {len(d)} of them")
    first = int(np.argmin(k / (h * d)))
    require_positive(cost_of_the_most_frequent_order=shared_fixed_cost + k[first])
    often = h[first] * d[first] / (shared_fixed_cost + k[first])
    multiples = np.maximum(1, np.rint(np.sqrt(k / (h * d) * often)))
    multiples[first] = 1
    orders, holding = shared_fixed_cost + np.sum(k / multiples), np.sum(h * multiples * d)
    cycle = float(np.sqrt(2 * orders / holding))
    cost = float(orders / cycle + holding * cycle / 2)
    return JointOrders((cycle * multiples * d).tolist(), cycle, multiples.astype(int).tolist(), cost)


def wagner_whitin(
    demand: Sequence[float],
    *,
    fixed_cost: float | Sequence[float],
    holding_cost: float | Sequence[float],
    purchase_cost: float | Sequence[float] = 0.0,
) -> LotSizes:
    """The cheapest plan for known `demand` (units, one per period): Wagner & Whitin 1958 (3.39).

    An order arrives in its own period and covers whole periods: theta_t = min_s K_t + cost of holding t..s-1 + theta_s.
    `fixed_cost` in money per order, `holding_cost` in money per unit left at the end of a period, `purchase_cost` in
    money per unit; each one number, or one per period. Periods without demand need no order.
    """
    need = np.asarray(demand, np.float64)
    fixed, holding, purchase = (_per_period(v, len(need)) for v in (fixed_cost, holding_cost, purchase_cost))
    require_not_negative(demand=need, fixed_cost=fixed, holding_cost=holding, purchase_cost=purchase)
    require_finite(demand=need, fixed_cost=fixed, holding_cost=holding, purchase_cost=purchase)
    best, next_order = np.zeros(len(need) + 1), np.zeros(len(need), np.int64)
    for t in reversed(range(len(need))):
        held_for = np.append(0.0, np.cumsum(holding[t:-1]))  # a unit ordered in t and needed in t, t + 1, ...
        goods = np.cumsum(need[t:] * (purchase[t] + held_for))
        orders = np.where(np.cumsum(need[t:]) > 0, fixed[t], 0.0)
        costs = orders + goods + best[t + 1 :]
        next_order[t] = t + 1 + int(np.argmin(costs))
        best[t] = costs.min()
    quantities, t = np.zeros(len(need)), 0
    while t < len(need):
        quantities[t] = need[t : next_order[t]].sum()
        t = int(next_order[t])
    return LotSizes(quantities.tolist(), float(best[0]))


def _per_period(value: float | Sequence[float], periods: int) -> Floats:
    values = np.asarray(value, np.float64)
    if values.ndim and len(values) != periods:
        raise ValueError(f"costs must be one number or one for each of the {periods} periods, not {len(values)}")
    return np.broadcast_to(values, periods)


def _prices(
    fixed_cost: float,
    holding_cost_rate: float,
    demand_rate: float,
    breakpoints: Sequence[float],
    unit_costs: Sequence[float],
) -> list[tuple[float, float, float]]:
    """Regions of quantities as (from, to, price of a unit in it)."""
    require_not_negative(fixed_cost=fixed_cost)
    require_positive(holding_cost_rate=holding_cost_rate, demand_rate=demand_rate, unit_costs=unit_costs)
    if len(breakpoints) != len(unit_costs) or not len(breakpoints) or breakpoints[0] != 0:
        raise ValueError(f"breakpoints must start with 0 and be as many as unit_costs, not {breakpoints}, {unit_costs}")
    if np.any(np.diff(breakpoints) <= 0) or np.any(np.diff(unit_costs) > 0):
        raise ValueError(f"breakpoints must rise and unit_costs must not, unlike {breakpoints}, {unit_costs}")
    return list(zip(breakpoints, [*breakpoints[1:], np.inf], unit_costs, strict=True))


def _cost(quantity: float, goods: float, ordering: float, holding: float) -> float:
    """Money per period: the goods, `ordering` / Q (none if orders are free) and `holding` Q / 2."""
    return float(goods + (ordering / quantity if ordering > 0 else 0.0) + holding * quantity / 2)
