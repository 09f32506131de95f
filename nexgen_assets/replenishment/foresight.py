"""Perfect foresight: the least stock with which all demand can be served, knowing demand and lead times in advance.

What belongs here: the bound that no rule passes in the same scenario. What does not: rules that know the past only.

Demand of a day is best served by the delivery that arrives last before it: from each delivery to the next one must be
in stock what is demanded until then, and no more. That is the least possible at the close of every single day, given
review days, lead times, initial stock and pack sizes. Where parts of packs expire it is the least on average: so says
the enumeration of all plans of small cases, not a proof.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nexgen_assets.replenishment.formulas.rounding import net_requirement, round_up_to_pack
from nexgen_assets.replenishment.order_rules import PlannedOrders
from nexgen_assets.replenishment.shelves import Shelves
from nexgen_assets.replenishment.simulation import Scenario, Simulation, simulate

Floats = NDArray[np.float64]

NEVER = -1


def perfect_foresight(scenario: Scenario, traced_series: Sequence[int] = ()) -> Simulation:
    """The simulation of the least stock. MOQ and maximum stock are waived, which can only lower the bound."""
    waived = replace(
        scenario,
        min_order_quantity=np.zeros(scenario.series),
        max_stock=np.full(scenario.series, np.inf),
    )
    return simulate(waived, PlannedOrders(foresight_orders(scenario)), traced_series)


def foresight_orders(scenario: Scenario) -> Floats:
    """Units [series, days] to order each day: full packs, as late and as few as serve all demand that can be served.

    Raises ValueError if stock to start with outlives what is delivered: it would not be the first to be sold.
    """
    if np.any(scenario.initial_life_days > scenario.shelf_life_days):
        raise ValueError("perfect foresight needs initial_life_days of at most shelf_life_days")
    order_day = _latest_order_day(scenario)
    next_delivery = _next_delivery(order_day)
    orders = np.zeros(scenario.demand.shape)
    shelves = Shelves(scenario.initial_on_hand, scenario.initial_life_days, scenario.shelf_life_days, scenario.days)
    for day in range(scenario.days):
        delivered = np.flatnonzero(order_day[:, day] != NEVER)
        units = np.zeros(scenario.series)
        if len(delivered):
            missing = net_requirement(_missing(scenario, shelves, day, next_delivery[:, day]), units)
            units[delivered] = round_up_to_pack(missing, scenario.pack_size)[delivered]
            orders[delivered, order_day[delivered, day]] = units[delivered]
        shelves.receive(units)
        shelves.sell(scenario.demand[:, day])
        shelves.expire()
    return orders


def _latest_order_day(scenario: Scenario) -> NDArray[np.int64]:
    """Last day [series, days] on which an order arrives on that day, NEVER if there is none."""
    order_day = np.full(scenario.demand.shape, NEVER)
    for day in range(scenario.days):
        arrival = day + 1 + scenario.lead_time_days[:, day]
        rows = np.flatnonzero(scenario.is_review(day) & (arrival < scenario.days))
        order_day[rows, arrival[rows]] = day
    return order_day


def _next_delivery(order_day: NDArray[np.int64]) -> NDArray[np.int64]:
    """First day [series, days] after each day on which an order can arrive, else the day after the last."""
    series, days = order_day.shape
    following = np.full((series, days), days)
    for day in range(days - 2, -1, -1):
        following[:, day] = np.where(order_day[:, day + 1] != NEVER, day + 1, following[:, day + 1])
    return following


def _missing(scenario: Scenario, shelves: Shelves, day: int, until: NDArray[np.int64]) -> Floats:
    """Demand [series] from `day` to before `until` that stock cannot serve, but units that arrive on `day` can."""
    stock = deepcopy(shelves)
    missing = np.zeros(scenario.series)
    for later in range(day, int(until.max())):
        demand = np.where(later < until, scenario.demand[:, later], 0.0)
        unserved = demand - stock.sell(demand)
        missing += np.where(later - day < scenario.shelf_life_days, unserved, 0.0)
        stock.expire()
    return missing
