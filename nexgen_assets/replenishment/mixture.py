"""Demand over an interval whose length is random, because the lead time is.

What belongs here: the mixture of distributions, whatever they are and wherever they come from. What does not: how
likely a lead time is (`lead_times.py`), and the demand in an interval of known length.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nexgen_assets.replenishment.lead_times import LeadTimes
from nexgen_assets.replenishment.policy import Floats, IntervalDistribution

TOLERANCE_UNITS = 1e-7
TOLERANCE_PROBABILITY = 1e-12


@dataclass(frozen=True)
class MixedDemand:
    """Demand of each row over its random interval: P(demand <= x) = sum over l of P(lead time = l) P(demand_l <= x).

    `parts` are the distributions of demand_l, one for each entry of `lead_times`: over the interval that this lead
    time makes. Mean, probability and shortage are weighted means of theirs; a quantile is not, and is searched for
    (Axsater, Inventory Control, 3e, section 5.7; Silver, Pyke & Thomas, Inventory and Production Management in Supply
    Chains, 4e, section 6.10). Where the lead time is certain, all is as in its part.
    """

    parts: IntervalDistribution
    lead_times: LeadTimes

    @property
    def mean(self) -> Floats:
        """Expected demand, in units."""
        return self.lead_times.expectation(self.parts.mean)

    @property
    def is_beyond_horizon(self) -> NDArray[np.bool_]:
        """True where one of the intervals reaches beyond the forecast and was extrapolated."""
        return self.lead_times.expectation(self.parts.is_beyond_horizon.astype(np.float64)) > 0

    def cdf(self, x: Floats) -> Floats:
        """P(demand <= x), with one number for each row."""
        return self.lead_times.expectation(self.parts.cdf(x[self.lead_times.row]))

    def expected_shortage(self, x: Floats) -> Floats:
        """E[max(0, demand - x)] in units, with one number for each row."""
        return self.lead_times.expectation(self.parts.expected_shortage(x[self.lead_times.row]))

    def quantile(self, p: float | Floats) -> Floats:
        """The least units that demand does not exceed with probability `p`, 0 <= p < 1, or TOLERANCE_UNITS more.

        `p` is one for all rows or one per row. They lie between the least and the largest quantile of the parts;
        bisection finds them.
        """
        if not len(self.lead_times.row):
            return np.empty(0)
        of_parts = np.broadcast_to(p, len(self.lead_times.first))[self.lead_times.row]
        quantiles = np.asarray(self.parts.quantile(of_parts), np.float64)
        low, high = (of.reduceat(quantiles, self.lead_times.first) for of in (np.minimum, np.maximum))
        # the last bits of a sum of probabilities must not cost a step of the distribution
        enough = p - TOLERANCE_PROBABILITY
        tolerance = np.maximum(TOLERANCE_UNITS, 4 * np.spacing(high))
        while np.any(high - low > tolerance):
            middle = low + (high - low) / 2
            is_enough = self.cdf(middle) >= enough
            low, high = np.where(is_enough, low, middle), np.where(is_enough, middle, high)
        return high
