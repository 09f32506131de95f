"""Lost sales: what a base stock achieves when customers do not wait.

What belongs here: exact results where a small Markov chain gives them. What does not: policies with backorders
(`fill_rates.py`), simulation.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import spsolve

from nexgen_assets.replenishment.formulas.arguments import Floats, require_not_negative, require_positive, require_whole
from nexgen_assets.replenishment.formulas.distributions import Demand


@dataclass(frozen=True)
class LostSalesService:
    """Long-run averages: `fill_rate` is the share of demand sold, `mean_end_of_day_on_hand` is in units."""

    fill_rate: float
    mean_end_of_day_on_hand: float


def lost_sales_base_stock(demand: Demand, base_stock_level: int, *, lead_time: int = 1) -> LostSalesService:
    """Exact service of base stock S with daily review and lost sales.

    Each day: the order of the evening `lead_time` + 1 days ago arrives; demand; in the evening S - on hand - on order
    is ordered, which is what the day has sold. The sales of the last `lead_time` days then are a Markov chain by
    themselves, with S - their sum on the shelf (compare Zipkin, Operations Research 56 (2008) 1256). `demand` of one
    day, and `base_stock_level`, in whole units; the chain starts with a full stock. It has up to (S + L)! / (S! L!)
    states: seconds for thousands, too many for high levels and long lead times.
    """
    require_whole(base_stock_level=base_stock_level, lead_time=lead_time)
    require_not_negative(base_stock_level=base_stock_level, lead_time=lead_time)
    require_positive(demand_mean=demand.mean)
    if not demand.is_whole:
        raise ValueError("the chain of lost sales needs demand in whole units")
    on_shelf, share_of_days = _stationary(demand, int(base_stock_level), int(lead_time))
    short, left = np.asarray(demand.expected_shortage(on_shelf)), np.asarray(demand.expected_leftover(on_shelf))
    return LostSalesService(float(1 - share_of_days @ short / demand.mean), float(share_of_days @ left))


def _stationary(demand: Demand, level: int, lead_time: int) -> tuple[Floats, Floats]:
    """Units on the shelf in the morning, in each state that is reached, and the long-run share of days of each."""
    units = np.arange(level + 1.0)
    exactly = np.asarray(demand.cdf(units)) - np.asarray(demand.cdf(units - 1))
    at_least = 1 - np.asarray(demand.probability_below(units))
    # a state: sales of the last days, the newest first; all of it is on order
    waiting: list[tuple[int, ...]] = [(0,) * lead_time]
    number = {waiting[0]: 0}
    rows, columns, shares = list[int](), list[int](), list[float]()
    for state in waiting:
        shelf = level - sum(state)
        for sold in range(shelf + 1):
            if (probability := at_least[sold] if sold == shelf else exactly[sold]) <= 0:
                continue
            after = (sold, *state)[:lead_time]
            if after not in number:
                number[after] = len(waiting)
                waiting.append(after)
            rows.append(number[after])
            columns.append(number[state])
            shares.append(probability)
    on_shelf = level - np.array([sum(state) for state in waiting], np.float64)
    moves = sparse.csr_array((shares, (rows, columns)), (len(waiting), len(waiting)))
    return on_shelf, _long_run(moves, len(waiting))


def _long_run(moves: sparse.csr_array, size: int) -> Floats:
    """Share of days in each state, of the probabilities to get to a row's state from a column's."""
    balance = moves - sparse.eye_array(size, format="csr")
    # the balances sum to 0: one of them follows from the others, and the shares sum to 1 instead
    equations = sparse.vstack([balance[:-1], np.ones((1, size))], format="csc")
    return np.asarray(spsolve(equations, np.eye(1, size, size - 1)[0]))
