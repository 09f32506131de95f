"""Order cycles: where the inventory position stands after a review, when orders come in lots.

What belongs here: how lots, smallest orders and packs spread the position above the level, and means over that. What
does not: the level that a target needs then (`levels.py`), and rounding orders (`constraints.py`).

An order is placed once the position is below the level, and mostly brings more than was missing; until the next one the
position falls through all that is above the level. So between the orders it stands, after a review:

- with whole lots of Q, (R, s, nQ), equally likely at 0 .. Q - 1 above the level, whatever the demand (Hadley & Whitin,
  Analysis of Inventory Systems, section 5-3; Axsater, Inventory Control, 3e, section 5.3). Packs are such lots.
- with a smallest order m, above the step g by which larger orders grow: at 0 .. m - 1 in m P(D <= m) / E[D] parts, and
  at 0 .. g - 1 in P(D > m) parts, D being the demand between two reviews. If m is g, that is the line above; if m is
  far more than D, all but the first part vanishes, as in (s, Q) (Silver, Pyke & Thomas, Inventory and Production
  Management in Supply Chains, 4e, section 6.7: shortage of a cycle over Q).
- with an order up to Q above the level, (R, s, S): at Q in half a part, and at 0 .. Q - 1 in Q / E[D] parts, after the
  renewal theorem: there are Q / E[D] + (1 + cv^2) / 2 reviews in a cycle, the first of them at the top. That holds for
  Q >= 1.5 E[D] (Tijms & Groenevelt, European Journal of Operational Research 17, 1984). For less it is a bound: at Q in
  P(D > Q) parts, since each review but the first follows a D of Q at most, and else no higher than the level.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nexgen_assets.replenishment.policy import IntervalDistribution

Floats = NDArray[np.float64]

# of the spread above the level: finer near the level, where stock runs out
STRATA = 8
REVIEWS_AT_THE_TOP = 0.5  # the least of (1 + cv^2) / 2
LEAST_REVIEWS = 1.5  # of demand in a lot, for the renewal theorem to hold


@dataclass(frozen=True)
class CountedLots:
    """The lots that a level counts on, in whole units, [rows].

    `smallest` is the least an order brings, at least `step`, by which larger ones grow; `above` is how far above the
    level an order aims. 1, 1 and 0 where orders bring what is missing. The position is never above `most`.
    """

    smallest: Floats
    step: Floats
    above: Floats
    most: Floats

    def take(self, which: NDArray[np.int64]) -> "CountedLots":
        return CountedLots(**{name: values[which] for name, values in vars(self).items()})


@dataclass(frozen=True)
class OrderCycle:
    """The position above the level after a review, [rows], in units.

    In `wide_share` of the reviews equally likely 0 .. `wide` - 1, else `narrow_from` .. `narrow_from` + `narrow` - 1.
    """

    wide: Floats
    wide_share: Floats
    narrow_from: Floats
    narrow: Floats

    @property
    def mean(self) -> Floats:
        """Units above the level on average."""
        narrow = self.narrow_from + (self.narrow - 1) / 2
        return self.wide_share * (self.wide - 1) / 2 + (1 - self.wide_share) * narrow

    def mean_of(self, function: Callable[[Floats], NDArray[np.floating]], level: Floats) -> Floats:
        """The mean of a function of the position [rows] over the cycle."""
        wide = _mean_above(function, level, self.wide)
        if np.all(self.wide_share == 1):
            return wide
        narrow = _mean_above(function, level + self.narrow_from, self.narrow)
        return self.wide_share * wide + (1 - self.wide_share) * narrow


def order_cycle(lots: CountedLots, level: Floats, review_demand: IntervalDistribution) -> OrderCycle:
    """The cycle of orders placed below `level` (units); `review_demand` is that between two reviews."""
    room = np.maximum(lots.most - level, 1.0)
    wide = np.minimum(np.maximum(lots.smallest, lots.above), room)
    demand = np.asarray(review_demand.mean, np.float64)
    is_covered = np.clip(np.asarray(review_demand.cdf(wide), np.float64), 0.0, 1.0)
    aims_above = lots.above >= lots.smallest
    is_renewed = aims_above & (wide >= LEAST_REVIEWS * demand)
    is_bound = aims_above & ~is_renewed
    falling = np.select([is_renewed, is_bound], [wide, is_covered], default=is_covered * wide)
    rest = np.select([is_renewed, is_bound], [REVIEWS_AT_THE_TOP * demand, 1 - is_covered], (1 - is_covered) * demand)
    share = np.divide(falling, falling + rest, out=np.ones_like(wide), where=rest > 0)
    narrow = np.minimum(np.where(aims_above, 1.0, lots.step), room)
    highest = np.minimum(lots.above, np.maximum(room - narrow, 0.0))
    return OrderCycle(np.where(is_bound, 1.0, wide), share, highest, narrow)


def _mean_above(function: Callable[[Floats], NDArray[np.floating]], start: Floats, width: Floats) -> Floats:
    """The mean of the function over `start`, .. `start` + `width` - 1, by strata, in each at its middle."""
    total, before = np.zeros_like(start), np.zeros_like(start)
    for number in range(1, STRATA + 1):
        end = np.rint(width * (number / STRATA) ** 2)
        if np.any(end > before):
            values = np.asarray(function(start + np.maximum(before + end - 1, 0.0) / 2), np.float64)
            total += (end - before) / width * values
            before = end
    return total
