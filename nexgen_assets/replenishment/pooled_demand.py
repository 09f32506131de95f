"""The demand of several locations together, where it meets one stock.

What belongs here: distributions made of others, row by row. What does not: what a centre's locations order of it
(`centre_orders.py`), and random intervals (`mixture.py`).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from nexgen_assets.replenishment.policy import Floats, IntervalDistribution

Integers = NDArray[np.int64]

SPREAD_QUANTILES = 50
LEAST_SHARE = 1e-6  # of the mean: a smaller standard deviation is none


@dataclass(frozen=True)
class ShiftedGamma:
    """max(0, shift + G), [rows], with G gamma distributed: of `gamma_mean` and standard deviation `sd`, in units.

    A gamma, as sums of demand are skew and never negative (Silver, Pyke & Thomas, Inventory and Production Management
    in Supply Chains, 4e, section 6.7.14; Burgin 1975). Where sd is next to nothing, demand is certain.
    """

    gamma_mean: Floats
    sd: Floats
    shift: Floats
    is_beyond_horizon: NDArray[np.bool_]

    @property
    def mean(self) -> Floats:
        return self.expected_shortage(np.zeros_like(self.shift))

    def quantile(self, p: float | Floats) -> Floats:
        shape, scale, certain = self._gamma()
        drawn = special.gammaincinv(shape, np.broadcast_to(p, shape.shape)) * scale
        return np.maximum(self.shift + np.where(certain, self.gamma_mean, drawn), 0.0)

    def cdf(self, x: Floats) -> Floats:
        shape, scale, certain = self._gamma()
        above = x - self.shift
        chance = special.gammainc(shape, np.maximum(above, 0.0) / scale)
        return np.where(x < 0, 0.0, np.where(certain, (above >= self.gamma_mean).astype(np.float64), chance))

    def expected_shortage(self, x: Floats) -> Floats:
        """E[(D - x)+]; of the gamma mean P(G' > y) - y P(G > y), the shape of G' being one more (Zipkin, page 457)."""
        shape, scale, certain = self._gamma()
        below, x = np.maximum(-x, 0.0), np.maximum(x, 0.0)
        y = x - self.shift
        at = np.maximum(y, 0.0) / scale
        loss = self.gamma_mean * special.gammaincc(shape + 1, at) - np.maximum(y, 0.0) * special.gammaincc(shape, at)
        loss = np.where(certain, np.maximum(self.gamma_mean - np.maximum(y, 0.0), 0.0), loss)
        return np.maximum(loss, 0.0) + np.maximum(-y, 0.0) + below

    def _gamma(self) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        """Shape and scale; 1 and 1 where demand is certain."""
        certain = self.sd <= LEAST_SHARE * self.gamma_mean
        mean, sd = np.where(certain, 1.0, self.gamma_mean), np.where(certain, 1.0, self.sd)
        return (mean / sd) ** 2, sd**2 / mean, certain


@dataclass(frozen=True)
class JoinedDemand:
    """The demand of rows of two distributions: those of `others` stand where `is_other` [rows] says, in their order."""

    ones: IntervalDistribution
    others: IntervalDistribution
    is_other: NDArray[np.bool_]

    @property
    def mean(self) -> Floats:
        return self._joined(self.ones.mean, self.others.mean)

    @property
    def is_beyond_horizon(self) -> NDArray[np.bool_]:
        return self._joined(self.ones.is_beyond_horizon, self.others.is_beyond_horizon) > 0

    def quantile(self, p: float | Floats) -> Floats:
        share = np.broadcast_to(p, self.is_other.shape)
        return self._joined(*(of.quantile(share[which]) for of, which in self._parts()))

    def cdf(self, x: Floats) -> Floats:
        return self._joined(*(of.cdf(x[which]) for of, which in self._parts()))

    def expected_shortage(self, x: Floats) -> Floats:
        return self._joined(*(of.expected_shortage(x[which]) for of, which in self._parts()))

    def _parts(self) -> tuple[tuple[IntervalDistribution, NDArray[np.bool_]], ...]:
        return (self.ones, ~self.is_other), (self.others, self.is_other)

    def _joined(self, ones: NDArray[Any], others: NDArray[Any]) -> Floats:
        values = np.empty(len(self.is_other))
        values[~self.is_other], values[self.is_other] = ones, others
        return values


def standard_deviation(demand: IntervalDistribution) -> Floats:
    """Units [rows], from quantiles evenly spread over the probabilities."""
    shares = (np.arange(SPREAD_QUANTILES) + 0.5) / SPREAD_QUANTILES
    return np.std([np.asarray(demand.quantile(share), np.float64) for share in shares], axis=0)


def pooled_sds(sds: Floats, owner: Integers, owners: int, correlation: float) -> Floats:
    """Standard deviation of the sum of each owner's demands: sqrt(sum_ij sd_i rho_ij sd_j), rho the same for all pairs.

    (Eppen 1979; `formulas.echelons.pooled_sd` is the same for one owner.)
    """
    squares, sums = (np.bincount(owner, values, owners) for values in (sds**2, sds))
    return np.sqrt((1 - correlation) * squares + correlation * sums**2)
