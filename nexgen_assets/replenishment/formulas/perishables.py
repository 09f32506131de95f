"""Perishable goods: what is expected to go to waste, and the batch that is worth it.

What belongs here: formulas for one fresh batch, and what stock of known ages will lose. What does not: the long run of
a policy for goods of mixed ages, which needs a simulation.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nexgen_assets.replenishment.formulas.arguments import Number, require_finite, require_inside, require_not_negative
from nexgen_assets.replenishment.formulas.distributions import SAME_PROBABILITY, Demand
from nexgen_assets.replenishment.formulas.newsvendor import NewsvendorProfit, newsvendor_profit


@dataclass(frozen=True)
class BatchWaste:
    """`expected_waste` and `expected_sales` of a batch in units, and the probability that anything is wasted."""

    expected_waste: Number
    expected_sales: Number
    probability_of_waste: Number


def batch_waste(shelf_life_demand: Demand, batch: Number) -> BatchWaste:
    """What becomes of a fresh `batch` (units) that is sold over its shelf life, with no other stock.

    Waste E[(Q - D_m)+], sales Q - waste, P(D_m < Q), with D_m the demand of the m days of the shelf life: the
    complementary loss function (Snyder & Shen 2e, appendix C). `shelf_life_demand` is `demand.over(days)`.
    """
    require_not_negative(batch=batch)
    require_finite(batch=batch)
    waste = shelf_life_demand.expected_leftover(batch)
    return BatchWaste(waste, batch - waste, shelf_life_demand.probability_below(batch))


def newsvendor_perishable(
    shelf_life_demand: Demand, *, price: Number, purchase_cost: Number, disposal_cost: Number = 0.0
) -> NewsvendorProfit:
    """The most profitable fresh batch when what is left at the end of the shelf life is thrown away.

    Critical ratio (price - cost) / (price + disposal cost); all in money per unit (Snyder & Shen 2e, section 4.3).
    """
    require_not_negative(disposal_cost=disposal_cost)
    return newsvendor_profit(
        shelf_life_demand, revenue=price, purchase_cost=purchase_cost, salvage_value=-np.asarray(disposal_cost)
    )


def largest_batch_for_waste(shelf_life_demand: Demand, waste_probability: float) -> float:
    """The largest whole batch (units) that is wasted in part with at most this probability: a cap for orders."""
    require_inside(0, 1, waste_probability=waste_probability)
    level = max(float(np.floor(shelf_life_demand.quantile(waste_probability))), 0.0)
    # at a step of the cdf exactly, one unit more is still wasted no more often than allowed
    more = float(shelf_life_demand.probability_below(level + 1))
    return level + 1 if more <= waste_probability + SAME_PROBABILITY else level


def estimated_outdating(units_by_remaining_life: Sequence[float], daily_demand: Sequence[float]) -> list[float]:
    """Units that will go to waste at the end of each day, if demand is as expected and the oldest are sold first.

    `units_by_remaining_life[i]` can still be sold on i + 1 days, today included; `daily_demand` is expected demand of
    today and the days after it. This is the correction of the EWA policy (Broekmeulen & van Donselaar, Computers &
    Operations Research 36 (2009) 3013): order as if the sum of it up to the next receipt were not in stock.
    """
    require_not_negative(units_by_remaining_life=units_by_remaining_life, daily_demand=daily_demand)
    require_finite(units_by_remaining_life=units_by_remaining_life, daily_demand=daily_demand)
    left, wasted = np.asarray(units_by_remaining_life, np.float64), []
    for demand in daily_demand:
        older = np.cumsum(left) - left  # sold before the units of this age
        left = left - np.clip(demand - older, 0.0, left)
        wasted.append(float(left[:1].sum()))
        left = left[1:]
    return wasted
