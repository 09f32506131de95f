"""Supply that may fail: stock against disruptions of the supplier.

What belongs here: formulas for known demand and an unreliable supplier. What does not: random lead times
(`base_stock.py`).
"""

from dataclasses import dataclass

import numpy as np

from nexgen_assets.replenishment.formulas.arguments import require_inside, require_not_negative, require_positive
from nexgen_assets.replenishment.formulas.newsvendor import critical_ratio

NEGLIGIBLE_PROBABILITY = 1e-16


@dataclass(frozen=True)
class DisruptionStock:
    """`base_stock_level` in units and its expected `cost` in money per period."""

    base_stock_level: float
    cost: float


def newsvendor_with_disruptions(
    *,
    holding_cost: float,
    stockout_cost: float,
    demand: float,
    disruption_prob: float,
    recovery_prob: float,
    base_stock_level: float | None = None,
) -> DisruptionStock:
    """Base stock for certain `demand` (units per period) from a supplier that fails (Snyder & Shen 2e, 9.14, 9.18).

    A working supplier fails with `disruption_prob` a, a failed one recovers with `recovery_prob` b per period. The
    share of periods that are at least n + 1 periods after the last delivery is 1 - F(n) = a / (a + b) (1 - b)^n, and
    S* = d (1 + n*) with the smallest n* that has F(n*) >= p / (p + h). Cost: sum over n of P(n) [h (S - (n + 1) d)+ +
    p ((n + 1) d - S)+]; with `base_stock_level` given, that of this level.
    """
    require_positive(holding_cost=holding_cost, stockout_cost=stockout_cost, demand=demand)
    require_inside(0, 1, disruption_prob=disruption_prob, recovery_prob=recovery_prob)
    ratio = float(critical_ratio(underage_cost=stockout_cost, overage_cost=holding_cost))
    is_down, stays_down = disruption_prob / (disruption_prob + recovery_prob), 1 - recovery_prob
    longest = int(np.ceil(np.log(NEGLIGIBLE_PROBABILITY) / np.log(stays_down)))
    n = np.arange(longest + 1)
    share = np.where(n == 0, 1 - is_down, is_down * recovery_prob * stays_down ** (n - 1.0))
    if base_stock_level is None:
        enough = 1 - is_down * stays_down**n >= ratio - 1e-12
        base_stock_level = float(demand * (1 + int(np.argmax(enough))))
    require_not_negative(base_stock_level=base_stock_level)
    left = base_stock_level - (n + 1) * demand
    cost = share @ (holding_cost * np.maximum(left, 0.0) + stockout_cost * np.maximum(-left, 0.0))
    return DisruptionStock(base_stock_level, float(cost))
