"""A store's stock along given demand: weekly review, order-up-to level, lead time, full packs.

What belongs here: the simulation that gives sample data a stock. What does not: the order engine of the product
(`replenishment/`); this planner is deliberately plain, so that its stock runs out now and then.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

REVIEW_DAYS = 7


@dataclass(frozen=True)
class StockPath:
    """What happened to the stock; every array is series x day, in whole units at the close of the day."""

    sold: NDArray[np.int64]
    on_hand: NDArray[np.int64]
    on_order: NDArray[np.int64]
    next_due: NDArray[np.int64]
    """Index of the day on which the oldest outstanding order arrives; -1 with nothing on order."""


def order_up_to_level(expected_daily: NDArray[np.float64], days: NDArray[np.int64], factor: float) -> NDArray[np.int64]:
    """Units that cover `days` of Poisson demand: mean + factor * sqrt(mean), at least one unit to show.

    Source: Silver, Pyke, Thomas, "Inventory and Production Management in Supply Chains", (R, S) policy.
    """
    mean = expected_daily * days
    return np.maximum(np.ceil(mean + factor * np.sqrt(mean)), 1).astype(np.int64)


def simulate_stock(
    demand: NDArray[np.int64],
    expected_daily: NDArray[np.float64],
    *,
    lead_time: NDArray[np.int64],
    pack_size: NDArray[np.int64],
    first_review: NDArray[np.int64],
    safety_factor: float,
    delay: NDArray[np.int64] | None = None,
) -> StockPath:
    """Run the stock of n series through t days; the first day opens with the stock at its order-up-to level.

    demand, expected_daily (what the planner expects per day, as known at that day's close), delay (days by which an
    order of that day is late): n x t. lead_time (days), pack_size (units), first_review (day index below 7): n.
    Reviews are weekly, after the close of day d; the order is dated d+1 and sellable at the opening of d+1+lead time.
    """
    series, days = demand.shape
    delay = np.zeros_like(demand) if delay is None else delay
    row = np.arange(series)
    never = days + int(lead_time.max(initial=0)) + int(delay.max(initial=0)) + 1
    arrivals = np.zeros((series, never), dtype=np.int64)
    sold, on_hand, on_order = (np.zeros_like(demand) for _ in range(3))

    protected = lead_time + REVIEW_DAYS
    stock = order_up_to_level(expected_daily[:, 0], protected, safety_factor)
    outstanding = np.zeros(series, dtype=np.int64)
    for day in range(days):
        stock = stock + arrivals[:, day]
        outstanding = outstanding - arrivals[:, day]
        sold[:, day] = np.minimum(demand[:, day], stock)
        stock = stock - sold[:, day]
        on_hand[:, day], on_order[:, day] = stock, outstanding

        level = order_up_to_level(expected_daily[:, day], protected, safety_factor)
        missing = np.where(day % REVIEW_DAYS == first_review, np.maximum(level - stock - outstanding, 0), 0)
        ordered = -(-missing // pack_size) * pack_size
        arrivals[row, day + 1 + lead_time + delay[:, day]] += ordered
        outstanding = outstanding + ordered
    return StockPath(sold, on_hand, on_order, _next_arrival(arrivals, on_order))


def _next_arrival(arrivals: NDArray[np.int64], on_order: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each close of day, the index of the first later day on which something arrives."""
    days = on_order.shape[1]
    index = np.where(arrivals > 0, np.arange(arrivals.shape[1]), arrivals.shape[1])
    first_from = np.minimum.accumulate(index[:, ::-1], axis=1)[:, ::-1]
    return np.where(on_order > 0, first_from[:, 1 : days + 1], -1)
