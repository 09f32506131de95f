"""One product under one policy, day by day, as a textbook writes it: numbers in, a row per day out.

What belongs here: the simulation of a single series with constant levels. What does not: the simulation itself
(`simulation.py`), many series, and levels that change (`order_rules.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nexgen_assets.replenishment.kpis import CostRates, costs
from nexgen_assets.replenishment.order_rules import BaseStock, ReorderPointQuantity, ReorderPointUpTo
from nexgen_assets.replenishment.simulation import OrderRule, Trace, scenario, simulate

Floats = NDArray[np.float64]


class TracedDay(NamedTuple):
    """Units of one day; `on_hand` and `on_order` at its close, after the order."""

    day: int  # 0: the first
    received: float
    demand: float
    sales: float
    lost: float
    waste: float
    on_hand: float
    ordered: float
    on_order: float


@dataclass(frozen=True)
class PolicyTrace:
    """The days, and what they sum to: units, but for the rate, the number of `orders` and the money of `total_cost`."""

    days: list[TracedDay]
    fill_rate: float  # share of demand that was served; not a number without demand
    average_on_hand: float  # at the close of a day
    lost: float
    waste: float
    orders: int  # days on which something was ordered
    total_cost: float


def trace_policy(
    demand: Sequence[float],
    *,
    lead_time_days: int | Sequence[int],
    initial_on_hand: float,
    order_up_to_level: float | None = None,
    reorder_point: float | None = None,
    order_quantity: float | None = None,
    review_period_days: int = 1,
    first_review_day: int = 0,
    shelf_life_days: float = np.inf,
    initial_life_days: float | None = None,
    min_order_quantity: float = 0.0,
    pack_size: float = 1.0,
    max_stock: float = np.inf,
    holding_cost: float = 0.0,
    lost_sale_cost: float = 0.0,
    order_cost: float = 0.0,
    waste_cost: float = 0.0,
) -> PolicyTrace:
    """Every day of one product whose daily `demand` (units) is met by a policy.

    A day: orders that are due arrive; demand is served, what expires first goes first, and the rest is lost; a day of
    life passes, and units without any left are wasted; if the day has a review, the policy sees on hand + on order. An
    order of day t arrives at the start of day t + 1 + L, L being the lead time (one, or one per day of order).

    The policy: `order_up_to_level` S alone is base stock, (R, S); with a `reorder_point` s it is (s, S), which orders
    at s or below; `reorder_point` with `order_quantity` Q is (s, Q). Reviews are due on `first_review_day` (0: the
    first) and every `review_period_days` from then on. An order is raised to `min_order_quantity`, rounded up to full
    packs, and cut so that on hand + on order stay within `max_stock`.

    `shelf_life_days` are those of units on receipt, `initial_life_days` those left to the initial stock; without any,
    goods do not expire, and initial stock is as fresh as a receipt. Costs are money per unit on hand at the close of
    a day, per unit lost, per order and per unit wasted. Raises ValueError for what cannot be meant.
    """
    rule = _rule(order_up_to_level, reorder_point, order_quantity)
    world = scenario(
        [demand],
        lead_time_days if np.ndim(lead_time_days) == 0 else [lead_time_days],
        initial_on_hand,
        shelf_life_days=shelf_life_days,
        initial_life_days=initial_life_days,
        review_period_days=review_period_days,
        first_review_day=first_review_day,
        min_order_quantity=min_order_quantity,
        pack_size=pack_size,
        max_stock=max_stock,
    )
    lived = simulate(world, rule, traced_series=[0])
    totals = lived.totals
    return PolicyTrace(
        days=_days(lived.trace),
        fill_rate=totals.fill_rate.item(),
        average_on_hand=totals.average_on_hand.item(),
        lost=totals.lost.item(),
        waste=totals.waste.item(),
        orders=int(totals.order_lines.item()),
        total_cost=costs(totals, CostRates(holding_cost, lost_sale_cost, order_cost, waste_cost)).total.item(),
    )


def _rule(level: float | None, reorder_point: float | None, quantity: float | None) -> OrderRule:
    if (level is None) == (quantity is None) or (level is None and reorder_point is None):
        raise ValueError(
            "a policy is order_up_to_level, order_up_to_level with reorder_point, or reorder_point with order_quantity"
        )
    if reorder_point is None:
        return BaseStock(_always(level))
    if quantity is not None:
        return ReorderPointQuantity(_always(reorder_point), _always(quantity))
    if level is not None and level < reorder_point:
        raise ValueError(f"order_up_to_level {level:g} is below reorder_point {reorder_point:g}")
    return ReorderPointUpTo(_always(reorder_point), _always(level))


def _always(units: float | None) -> Floats:
    return np.array([[units]], np.float64)


def _days(trace: Trace) -> list[TracedDay]:
    units = (getattr(trace, name)[0].tolist() for name in TracedDay._fields[1:])
    return [TracedDay(day, *values) for day, values in enumerate(zip(*units, strict=True))]
