"""Stock on the shelves by remaining life: received, sold first what expires first, and wasted when its life is over.

What belongs here: what happens to units in stock within a day, for many series at once. What does not: demand, orders,
and counting what happened.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Shelves:
    """On hand of every series; of goods that expire also how many units have which remaining life.

    A unit with a remaining life of 1 day can be sold today and is wasted tonight. Lives are whole days, infinite where
    goods do not expire; only series whose goods can expire within `days` carry the cost of ages.
    """

    def __init__(self, on_hand: Floats, life_days: Floats, shelf_life_days: Floats, days: int) -> None:
        """`on_hand` [series] units with `life_days` left to start with; receipts come with `shelf_life_days`."""
        self.on_hand = on_hand.astype(np.float64)
        self._perishable = np.flatnonzero(np.minimum(life_days, shelf_life_days) <= days)
        # what outlives the simulation never expires in it
        first_life, self._life = (
            np.minimum(lives[self._perishable], days + 1).astype(np.int64) for lives in (life_days, shelf_life_days)
        )
        self._rows = np.arange(len(self._perishable))
        longest = max(first_life.max(initial=1), self._life.max(initial=1))
        self._by_life = np.zeros((len(self._perishable), longest))  # column k: k + 1 days left
        self._by_life[self._rows, first_life - 1] = on_hand[self._perishable]

    def receive(self, units: Floats) -> None:
        """New units [series] arrive, before the first sale of the day."""
        self.on_hand = self.on_hand + units
        self._by_life[self._rows, self._life - 1] += units[self._perishable]

    def sell(self, demand: Floats) -> Floats:
        """Units sold [series]: all that is asked for, or all there is. The oldest go first."""
        sold = np.minimum(demand, self.on_hand)
        self.on_hand = self.on_hand - sold
        if len(self._perishable):
            # units that expire no later than k, less the sold ones, are what is left of them
            left = np.maximum(np.cumsum(self._by_life, axis=1) - sold[self._perishable, None], 0.0)
            self._by_life = np.diff(left, axis=1, prepend=0.0)
            self.on_hand[self._perishable] = left[:, -1]
        return sold

    def expire(self) -> Floats:
        """A day passes: units wasted [series]."""
        wasted = np.zeros_like(self.on_hand)
        if len(self._perishable):
            wasted[self._perishable] = self._by_life[:, 0]
            self._by_life = np.concatenate([self._by_life[:, 1:], np.zeros((len(self._rows), 1))], axis=1)
            self.on_hand = self.on_hand - wasted
        return wasted
