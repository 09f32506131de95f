"""Goods that expire: how much stock can be sold in time, and what is expected to be wasted.

What belongs here: one delivery against the demand over its life. What does not: stock by age, which nobody tells:
units at hand are taken to be sold first, and to keep as long as those that are ordered.

A delivery that can be sold L days after the order and keeps m days lasts through the demand of L + m days, D. Of an
inventory position y, E[(y - D)+] units are then expected to be left, and wasted (Snyder & Shen, Fundamentals of Supply
Chain Theory, 2e, appendix C): a share of y that grows with y.
"""

import numpy as np
from numpy.typing import NDArray

from nexgen_assets.replenishment.ahead import DemandOver
from nexgen_assets.replenishment.policy import IntervalDistribution

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

NO_WASTE_UNITS = 1e-9


def days_to_sell(lead_time_days: Integers, shelf_life_days: Floats) -> Integers:
    """Days from the origin to the last one on which an order can be sold; of a life below a day, that of its receipt.

    Shelf lives that are not told (NaN) must be left out.
    """
    return lead_time_days + np.maximum(shelf_life_days.astype(np.int64), 1)


def expected_waste(demand: IntervalDistribution, inventory_position: Floats) -> Floats:
    """E[(y - D)+] in units, of `demand` over all days on which the position can be sold."""
    # not y - mean + n(y): the mean may differ from that of the quantiles by what they leave out
    sold = demand.expected_shortage(np.zeros_like(inventory_position)) - demand.expected_shortage(inventory_position)
    return np.maximum(inventory_position - np.asarray(sold, np.float64), 0.0)


def sellable_position(
    over: DemandOver, rows: Integers, days: Integers, wanted: Floats, max_waste_share: float
) -> Floats:
    """The largest whole position of each of `rows`, up to the one `wanted` [rows], of which at most a share is wasted.

    Infinite where the wanted one is no more than that. `days` [rows] is until when it can be sold.
    """
    sellable = np.full_like(wanted, np.inf)

    def is_too_much(of: IntervalDistribution, position: Floats) -> NDArray[np.bool_]:
        return expected_waste(of, position) > max_waste_share * position + NO_WASTE_UNITS

    too_much = np.flatnonzero(is_too_much(over(rows, days), wanted)) if len(rows) else rows
    if not len(too_much):
        return sellable
    demand = over(rows[too_much], days[too_much])
    low, high = np.zeros(len(too_much)), np.ceil(wanted[too_much])  # enough, too much
    while np.any(high - low > 1):
        middle = np.floor((low + high) / 2)
        is_high = is_too_much(demand, middle)
        low, high = np.where(is_high, low, middle), np.where(is_high, middle, high)
    sellable[too_much] = low
    return sellable
