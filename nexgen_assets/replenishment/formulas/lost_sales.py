"""Lost sales: what a base stock achieves when customers do not wait.

What belongs here: exact results where a small Markov chain gives them. What does not: policies with backorders
(`fill_rates.py`), simulation.
"""

from dataclasses import dataclass

import numpy as np

from nexgen_assets.replenishment.formulas.arguments import Floats, require_not_negative, require_positive, require_whole
from nexgen_assets.replenishment.formulas.distributions import Demand


@dataclass(frozen=True)
class LostSalesService:
    """Long-run averages: `fill_rate` is the share of demand sold, `mean_end_of_day_on_hand` is in units."""

    fill_rate: float
    mean_end_of_day_on_hand: float


def lost_sales_base_stock(demand: Demand, base_stock_level: int) -> LostSalesService:
    """Exact service of base stock S with daily review, lost sales and one full day in transit.

    Each day: the order of the evening before last arrives; demand; in the evening S - on hand - on order is ordered.
    The stock y at the start of a day then is a Markov chain by itself, y' = S - min(y, D), of S + 1 states
    (compare Zipkin, Operations Research 56 (2008) 1256). `demand` of one day, and `base_stock_level`, in whole units;
    the chain starts with a full stock.
    """
    require_whole(base_stock_level=base_stock_level)
    require_not_negative(base_stock_level=base_stock_level)
    require_positive(demand_mean=demand.mean)
    if not demand.is_whole:
        raise ValueError("the chain of lost sales needs demand in whole units")
    stock = np.arange(base_stock_level + 1.0)
    share_of_days = _stationary(_transitions(demand, int(base_stock_level)))
    short, left = np.asarray(demand.expected_shortage(stock)), np.asarray(demand.expected_leftover(stock))
    return LostSalesService(float(1 - share_of_days @ short / demand.mean), float(share_of_days @ left))


def _transitions(demand: Demand, level: int) -> Floats:
    """P(next y | y): from y the sales are min(y, D), and all that was not sold is missing two days later."""
    units = np.arange(level + 1.0)
    pmf = np.asarray(demand.cdf(units)) - np.asarray(demand.cdf(units - 1))
    at_least = 1 - np.asarray(demand.probability_below(units))
    matrix = np.zeros((level + 1, level + 1))
    for y in range(level + 1):
        matrix[y, level - np.arange(y)] = pmf[:y]
        matrix[y, level - y] += at_least[y]
    return matrix


def _stationary(matrix: Floats) -> Floats:
    """The long-run share of days in each state, starting in the last one."""
    reached = np.zeros(len(matrix), np.bool_)
    reached[-1] = True
    while np.any(new := (matrix[reached] > 0).any(axis=0) & ~reached):
        reached |= new
    inner = matrix[np.ix_(reached, reached)]
    equations = np.vstack([inner.T - np.eye(len(inner)), np.ones(len(inner))])
    solution = np.linalg.lstsq(equations, np.append(np.zeros(len(inner)), 1.0))[0]
    shares = np.zeros(len(matrix))
    shares[reached] = solution
    return shares
