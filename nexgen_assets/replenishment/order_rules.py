"""Order rules for the simulation: how far to raise the inventory position, from levels computed beforehand.

What belongs here: the classical rules (Silver, Pyke & Thomas, Inventory and Production Management in Supply Chains, 4e,
section 6.3). What does not: computing levels (`baselines.py`, or a forecast: any levels of a day that rest on nothing
later than that day will do), and constraints on orders (`policy.py`).

Levels are in units, [series, days] with one column per simulated day; 1 in place of either if they are all the same.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nexgen_assets.replenishment.simulation import Known

Floats = NDArray[np.float64]

NO_ORDER = 0.0  # every position has reached it


@dataclass(frozen=True)
class BaseStock:
    """(R, S): at every review, raise the inventory position to the level."""

    levels: Floats

    def raise_to(self, known: Known, /) -> Floats:
        return _on(self.levels, known.day)


@dataclass(frozen=True)
class ReorderPointUpTo:
    """(s, S): once the inventory position is at the reorder point or below, raise it to the level."""

    reorder_points: Floats
    levels: Floats

    def raise_to(self, known: Known, /) -> Floats:
        return _if_low(known, _on(self.reorder_points, known.day), _on(self.levels, known.day))


@dataclass(frozen=True)
class ReorderPointQuantity:
    """(s, Q): once the inventory position is at the reorder point or below, order this many units."""

    reorder_points: Floats
    quantities: Floats

    def raise_to(self, known: Known, /) -> Floats:
        level = known.inventory_position + _on(self.quantities, known.day)
        return _if_low(known, _on(self.reorder_points, known.day), level)


@dataclass(frozen=True)
class PlannedOrders:
    """Order what was planned for the day, whatever the stock."""

    order_units: Floats

    def raise_to(self, known: Known, /) -> Floats:
        return known.inventory_position + _on(self.order_units, known.day)


def _if_low(known: Known, reorder_point: Floats, level: Floats) -> Floats:
    # a reorder point that is no number decides nothing: neither to order nor to wait
    decided = np.where(known.inventory_position <= reorder_point, level, NO_ORDER)
    return np.where(np.isnan(reorder_point), np.nan, decided)


def _on(daily: Floats, day: int) -> Floats:
    return daily[:, 0 if daily.shape[1] == 1 else day]
