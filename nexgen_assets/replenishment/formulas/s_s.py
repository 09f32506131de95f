"""The (s, S) policy: at every review, if the position is s or less, order up to S.

What belongs here: cost of a policy, the exact optimum for whole-unit demand and the power approximation. What does
not: policies without a fixed cost per order (`base_stock.py`).

Unmet demand waits. Costs: `holding_cost` h and `stockout_cost` p in money per unit and period, `fixed_cost` K in money
per order. An order of this period's review arrives L periods later, so that cost rests on the demand of L + 1 periods.
Source: Snyder & Shen, Fundamentals of Supply Chain Theory, 2e (2019), chapter 4.
"""

from dataclasses import dataclass

import numpy as np

from nexgen_assets.replenishment.formulas.arguments import (
    Floats,
    require_finite,
    require_not_negative,
    require_positive,
    require_whole,
)
from nexgen_assets.replenishment.formulas.distributions import Demand
from nexgen_assets.replenishment.formulas.newsvendor import newsvendor_cost

TABLE_STEP = 256


@dataclass(frozen=True)
class MinMaxPolicy:
    """`reorder_point` s and `order_up_to_level` S in units, `cost` in money per period."""

    reorder_point: float
    order_up_to_level: float
    cost: float


@dataclass(frozen=True)
class MinMaxLevels:
    """`reorder_point` s and `order_up_to_level` S in units."""

    reorder_point: float
    order_up_to_level: float


def s_s_cost(
    demand: Demand,
    reorder_point: float,
    order_up_to_level: float,
    *,
    holding_cost: float,
    stockout_cost: float,
    fixed_cost: float,
    lead_time: float = 0,
) -> float:
    """Exact cost in money per period: (K + sum_{j < S - s} m(j) g(S - j)) / sum_{j < S - s} m(j) (4.71 to 4.75).

    m(j) is how often the position is j below S between two orders, g the newsvendor's cost of L + 1 periods. `demand`
    is that of one period, in whole units; `reorder_point` < `order_up_to_level`, both whole.
    """
    require_whole(reorder_point=reorder_point, order_up_to_level=order_up_to_level)
    if reorder_point >= order_up_to_level:
        raise ValueError(f"reorder_point {reorder_point} must lie below order_up_to_level {order_up_to_level}")
    model = _Model(demand, holding_cost, stockout_cost, fixed_cost, lead_time)
    return model.cost(int(reorder_point), int(order_up_to_level))


def s_s_optimal(
    demand: Demand, *, holding_cost: float, stockout_cost: float, fixed_cost: float, lead_time: float = 0
) -> MinMaxPolicy:
    """The cheapest whole s and S: the algorithm of Zheng & Federgruen (1991), algorithm 4.2.

    Arguments as in `s_s_cost`. From the newsvendor's level S0 up, an S is better if its cost with the s so far is
    lower; s then rises while the cost is at most g(s + 1). No S beyond the one with g(S) > cost so far can be better.
    """
    model = _Model(demand, holding_cost, stockout_cost, fixed_cost, lead_time)
    ratio = stockout_cost / (stockout_cost + holding_cost)
    best_level = int(demand.over(lead_time + 1).quantile(ratio))
    s = best_level - 1
    while model.cost(s, best_level) > model.rate(s):
        s -= 1
    cost, level = model.cost(s, best_level), best_level + 1
    while model.rate(level) <= cost:
        if model.cost(s, level) < cost:
            best_level = level
            while model.cost(s, best_level) <= model.rate(s + 1):
                s += 1
            cost = model.cost(s, best_level)
        level += 1
    return MinMaxPolicy(s, best_level, cost)


def s_s_power_approximation(
    *,
    holding_cost: float,
    stockout_cost: float,
    fixed_cost: float,
    demand_mean: float,
    demand_sd: float,
    lead_time: float = 0,
) -> MinMaxLevels:
    """Levels of the revised power approximation of Ehrhardt & Mosier (1984); 4.77 to 4.80 for L = 0.

    With m, v the moments of one period, M = (L + 1) m and V^2 = (L + 1) v^2:
    Q = 1.30 m^0.494 (K / h)^0.506 (1 + V^2 / m^2)^0.116, z = sqrt(Q h / (V p)),
    s = 0.973 M + V (0.183 / z + 1.063 - 2.192 z), S = s + Q. `demand_mean` > 0 and `demand_sd` in units per period;
    with sd 0 the limit s = 0.973 M.
    """
    require_positive(holding_cost=holding_cost, stockout_cost=stockout_cost, fixed_cost=fixed_cost)
    require_positive(demand_mean=demand_mean)
    require_not_negative(demand_sd=demand_sd, lead_time=lead_time)
    mean, sd = (lead_time + 1) * demand_mean, np.sqrt(lead_time + 1) * demand_sd
    spread = (1 + (sd / demand_mean) ** 2) ** 0.116
    quantity = 1.30 * demand_mean**0.494 * (fixed_cost / holding_cost) ** 0.506 * spread
    ratio = quantity * holding_cost / stockout_cost  # z = sqrt(ratio / sd), written so that sd may be 0
    s = 0.973 * mean + 0.183 * sd**1.5 / np.sqrt(ratio) + 1.063 * sd - 2.192 * np.sqrt(ratio * sd)
    return MinMaxLevels(float(s), float(s + quantity))


class _Model:
    """g(y), m(j) and the cost of (s, S) of one instance; both tables are extended as far as they are asked for."""

    def __init__(
        self, demand: Demand, holding_cost: float, stockout_cost: float, fixed_cost: float, lead_time: float
    ) -> None:
        require_positive(holding_cost=holding_cost, stockout_cost=stockout_cost)
        require_not_negative(fixed_cost=fixed_cost, lead_time=lead_time)
        require_finite(holding_cost=holding_cost, stockout_cost=stockout_cost, fixed_cost=fixed_cost)
        if not demand.is_whole:
            raise ValueError("an exact (s, S) policy needs demand in whole units")
        if not float(demand.cdf(0)) < 1:
            raise ValueError("demand is always 0: there is nothing to order")
        self._demand, self._protected = demand, demand.over(lead_time + 1)
        self._holding_cost, self._stockout_cost, self._fixed_cost = holding_cost, stockout_cost, fixed_cost
        self._visits = np.zeros(0)
        self._first_level, self._rates = 0, np.zeros(0)

    def rate(self, level: int) -> float:
        return float(self._rates_of(level, level)[0])

    def cost(self, s: int, level: int) -> float:
        if level - s > len(self._visits):
            self._visits = _visits(self._demand, max(TABLE_STEP, 2 * (level - s)))
        visits = self._visits[: level - s]
        return float((self._fixed_cost + visits @ self._rates_of(s + 1, level)[::-1]) / visits.sum())

    def _rates_of(self, first: int, last: int) -> Floats:
        """g(first), ..., g(last)."""
        if first < self._first_level or last >= self._first_level + len(self._rates):
            margin = max(TABLE_STEP, last - first)
            self._first_level = first - margin
            levels = np.arange(float(first - margin), last + margin + 1)
            rates = newsvendor_cost(
                self._protected, levels, holding_cost=self._holding_cost, stockout_cost=self._stockout_cost
            )
            self._rates = np.asarray(rates)
        return self._rates[first - self._first_level : last - self._first_level + 1]


def _visits(demand: Demand, n: int) -> Floats:
    """m(0..n-1): m(0) = 1 / (1 - p(0)), m(j) = sum_{l=1..j} p(l) m(j - l) / (1 - p(0))."""
    units = np.arange(float(n))
    pmf = np.asarray(demand.cdf(units)) - np.asarray(demand.cdf(units - 1))
    moves = 1 - pmf[0]
    visits = np.zeros(n)
    visits[0] = 1 / moves
    for j in range(1, n):
        visits[j] = pmf[1 : j + 1] @ visits[j - 1 :: -1] / moves
    return visits
