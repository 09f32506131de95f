"""The (r, Q) policy: stock is watched all the time, and Q units are ordered when the position falls to r.

What belongs here: cost of a policy, the exact optimum and the textbook approximations. What does not: fill rates
(`fill_rates.py`), periodic review (`s_s.py`, `base_stock.py`).

Unmet demand waits. Source: Snyder & Shen, Fundamentals of Supply Chain Theory, 2e (2019), chapter 5.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from nexgen_assets.replenishment.formulas.arguments import (
    Floats,
    require_finite,
    require_not_negative,
    require_positive,
    require_whole,
)
from nexgen_assets.replenishment.formulas.distributions import Normal, Poisson
from nexgen_assets.replenishment.formulas.loss import NO_TAIL, normal_loss, standard_normal_loss_inverse
from nexgen_assets.replenishment.formulas.lot_sizes import eoq, eoq_with_backorders
from nexgen_assets.replenishment.formulas.newsvendor import critical_ratio, newsvendor_cost

RELATIVE_TOLERANCE = 1e-12
MOST_ITERATIONS = 10_000


@dataclass(frozen=True)
class ContinuousReview:
    """What an (r, Q) policy is chosen for; raises ValueError where a number cannot be meant.

    `demand` of one unit of time in units, `lead_time` in units of time, `holding_cost` h and `stockout_cost` p in money
    per unit and unit of time, `fixed_cost` K in money per order.
    """

    demand: Normal | Poisson
    lead_time: float
    holding_cost: float
    stockout_cost: float
    fixed_cost: float

    def __post_init__(self) -> None:
        costs = {name: getattr(self, name) for name in ("holding_cost", "stockout_cost", "fixed_cost")}
        require_positive(demand_mean=self.demand.mean, **costs)
        require_not_negative(lead_time=self.lead_time)
        require_finite(lead_time=self.lead_time, **costs)

    @property
    def lead_time_demand(self) -> Normal | Poisson:
        return self.demand.over(self.lead_time)

    @property
    def normal_lead_time_demand(self) -> Normal:
        demand = self.lead_time_demand
        if not isinstance(demand, Normal):
            raise ValueError(f"this formula is for normal demand, not {self.demand}")
        return demand

    @property
    def poisson_lead_time_demand(self) -> Poisson:
        demand = self.lead_time_demand
        if not isinstance(demand, Poisson):
            raise ValueError(f"this formula is for Poisson demand, not {self.demand}")
        return demand

    @property
    def demand_rate(self) -> float:
        return float(self.demand.mean)

    @property
    def eoq(self) -> float:
        lot = eoq(fixed_cost=self.fixed_cost, holding_cost=self.holding_cost, demand_rate=self.demand_rate)
        return float(lot.order_quantity)

    @property
    def newsvendor_level(self) -> float:
        ratio = critical_ratio(underage_cost=self.stockout_cost, overage_cost=self.holding_cost)
        return float(self.lead_time_demand.quantile(ratio))

    def cost_rates(self, levels: Floats | float) -> Floats:
        """g(y) = h E[(y - X)+] + p E[(X - y)+]: cost per unit of time when y was the position a lead time ago."""
        rates = newsvendor_cost(
            self.lead_time_demand, levels, holding_cost=self.holding_cost, stockout_cost=self.stockout_cost
        )
        return np.asarray(rates)


@dataclass(frozen=True)
class ReorderPolicy:
    """`reorder_point` r and `order_quantity` Q in units, `cost` in money per unit of time."""

    reorder_point: float
    order_quantity: float
    cost: float


def r_q_cost(reorder_point: float, order_quantity: float, given: ContinuousReview) -> float:
    """Exact cost with normal demand: (K d + integral of g(y) from r to r + Q) / Q, in money per unit of time (5.7).

    The integral has a closed form: the second-order loss is the integral of the loss.
    """
    require_positive(order_quantity=order_quantity)
    require_finite(reorder_point=reorder_point, order_quantity=order_quantity)
    demand = given.normal_lead_time_demand
    low, high = reorder_point - demand.mean, reorder_point + order_quantity - demand.mean
    short, still_short = (float(normal_loss(gap, 0.0, demand.sd).second_order_loss) for gap in (low, high))
    total = given.holding_cost * (high**2 - low**2) / 2
    total += (given.holding_cost + given.stockout_cost) * (short - still_short)
    return float((given.fixed_cost * given.demand_rate + total) / order_quantity)


def r_q_optimal(given: ContinuousReview) -> ReorderPolicy:
    """The cheapest policy for normal demand: r and Q with g(r) = g(r + Q) = cost (5.9; Zheng 1992)."""

    def excess(q: float) -> float:
        policy = _best_for(given, q)
        return float(given.cost_rates(policy.reorder_point)) - policy.cost

    low, high = given.eoq / 2, given.eoq  # the best Q is never below the EOQ
    while excess(high) < 0:
        high *= 2
    return _best_for(given, _root(excess, low, high))


def r_q_eoq_with_backorders(given: ContinuousReview) -> ReorderPolicy:
    """Normal demand: Q is the EOQ with backorders, r the best for it; exact cost (3.27, 5.9; Zheng 1992)."""
    lot = eoq_with_backorders(
        fixed_cost=given.fixed_cost,
        holding_cost=given.holding_cost,
        stockout_cost=given.stockout_cost,
        demand_rate=given.demand_rate,
    )
    return _best_for(given, float(lot.order_quantity))


def r_q_eoq_plus_safety_stock(given: ContinuousReview) -> ReorderPolicy:
    """Normal demand: Q is the EOQ, r the newsvendor's level for the demand of a lead time; exact cost (5.21)."""
    r, q = given.newsvendor_level, given.eoq
    return ReorderPolicy(r, q, r_q_cost(r, q, given))


def r_q_expected_inventory_level(given: ContinuousReview) -> ReorderPolicy:
    """The expected-inventory-level approximation for normal demand (Hadley & Whitin 1963; 5.16 to 5.18).

    Here the stockout cost p is money per unit that is short, however long it waits. r and Q are improved in turn until
    they stay: P(X > r) = Q h / (p d) and Q = sqrt(2 d (K + p n(r)) / h). `cost` is the model's own,
    h (r - E[X] + Q / 2) + K d / Q + p d n(r) / Q. Raises ValueError if a unit short costs so little that no r is best.
    """
    demand, rate = given.normal_lead_time_demand, given.demand_rate

    def best_r(q: float) -> float:
        share = q * given.holding_cost / (given.stockout_cost * rate)
        if share >= 1:
            raise ValueError(f"stockout_cost {given.stockout_cost} is too low: to be always out of stock is cheaper")
        return float(demand.quantile(1 - share))

    def cycle_cost(r: float) -> float:
        return given.fixed_cost + given.stockout_cost * float(demand.expected_shortage(r))

    def best_q(r: float) -> float:
        return float(np.sqrt(2 * rate * cycle_cost(r) / given.holding_cost))

    r, q = _in_turn(best_r, best_q, given.eoq)
    return ReorderPolicy(r, q, float(given.holding_cost * (r - demand.mean + q / 2) + rate / q * cycle_cost(r)))


def r_q_loss_function(given: ContinuousReview) -> ReorderPolicy:
    """The loss-function approximation for normal demand (Hadley & Whitin 1963; 5.28, 5.29); exact cost.

    r and Q are improved in turn until they stay: n(r) = h Q / (h + p) and Q = sqrt(2 (K d + (h + p) n2(r)) / h), with
    n and n2 the first and second-order loss of the demand of a lead time.
    """
    demand, both_costs = given.normal_lead_time_demand, given.holding_cost + given.stockout_cost

    def best_r(q: float) -> float:
        short = given.holding_cost * q / both_costs
        if short > NO_TAIL * demand.sd:
            return float(demand.mean - short)  # n(r) = E[X] - r where demand is never below r
        return float(demand.mean + demand.sd * standard_normal_loss_inverse(short / float(demand.sd)))

    def best_q(r: float) -> float:
        second = float(normal_loss(r, demand.mean, demand.sd).second_order_loss)
        return float(np.sqrt(2 * (given.fixed_cost * given.demand_rate + both_costs * second) / given.holding_cost))

    r, q = _in_turn(best_r, best_q, given.eoq)
    return ReorderPolicy(r, q, r_q_cost(r, q, given))


def r_q_cost_poisson(reorder_point: float, order_quantity: float, given: ContinuousReview) -> float:
    """Exact cost with Poisson demand: (K d + sum of g(y) for y = r + 1 .. r + Q) / Q, in money per unit of time (5.48).

    `reorder_point` and `order_quantity` >= 1 are whole.
    """
    require_positive(order_quantity=order_quantity)
    require_whole(reorder_point=reorder_point, order_quantity=order_quantity)
    _ = given.poisson_lead_time_demand
    levels = reorder_point + np.arange(1.0, order_quantity + 1)
    return float((given.fixed_cost * given.demand_rate + given.cost_rates(levels).sum()) / order_quantity)


def r_q_optimal_poisson(given: ContinuousReview) -> ReorderPolicy:
    """The cheapest whole r and Q for Poisson demand: the algorithm of Federgruen & Zheng (1992), example 5.8.

    The levels r + 1 .. r + Q of the best policy are the Q cheapest by g, which falls and then rises: starting with the
    best single level, the cheaper of the two neighbours is added as long as it is not dearer than the average so far.
    """
    _ = given.poisson_lead_time_demand
    low = high = int(given.newsvendor_level)
    total, count = given.fixed_cost * given.demand_rate + float(given.cost_rates(high)), 1
    while True:
        below, above = float(given.cost_rates(low - 1)), float(given.cost_rates(high + 1))
        if min(below, above) > total / count:
            return ReorderPolicy(low - 1, count, total / count)
        low, high = (low - 1, high) if below < above else (low, high + 1)
        total, count = total + min(below, above), count + 1


def _best_for(given: ContinuousReview, order_quantity: float) -> ReorderPolicy:
    """The best r of a Q with normal demand: g(r) = g(r + Q), one left and one right of the lowest g."""

    def rise(r: float) -> float:
        return float(given.cost_rates(r + order_quantity)) - float(given.cost_rates(r))

    lowest = given.newsvendor_level
    r = _root(rise, lowest - order_quantity, lowest)
    return ReorderPolicy(r, order_quantity, r_q_cost(r, order_quantity, given))


def _in_turn(
    best_r: Callable[[float], float], best_q: Callable[[float], float], order_quantity: float
) -> tuple[float, float]:
    """r and Q that are the best for each other, found by improving one and then the other."""
    q = order_quantity
    for _ in range(MOST_ITERATIONS):
        r = best_r(q)
        before, q = q, best_q(r)
        if abs(q - before) <= RELATIVE_TOLERANCE * q:
            return r, q
    raise ValueError(f"r and Q still change after {MOST_ITERATIONS} improvements (Q = {q}): no pair is best")


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a rising function is 0; an end where rounding has the wrong sign is that root."""
    if function(low) >= 0:
        return low
    if function(high) <= 0:
        return high
    return float(optimize.brentq(function, low, high, xtol=1e-12, rtol=1e-14))  # pyright: ignore[reportArgumentType]
