"""Exact interval-demand distributions: the independent oracles of the policy tests. No tests stand here."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Poisson:
    """Poisson demand; `mean` over the whole interval."""

    mean: Floats

    @property
    def is_beyond_horizon(self) -> NDArray[np.bool_]:
        return np.zeros(len(self.mean), np.bool_)

    def quantile(self, p: float, /) -> Floats:
        return np.where(self.mean > 0, stats.poisson.ppf(p, self.mean), 0.0)

    def cdf(self, x: Floats, /) -> Floats:
        return stats.poisson.cdf(x, self.mean)

    def expected_shortage(self, x: Floats, /) -> Floats:
        """E[(X-x)+] = (mean - x) P(X >= x) + mean pmf(x - 1) for whole x >= 0 (Snyder & Shen, C.41, rearranged)."""
        return (self.mean - x) * stats.poisson.sf(x - 1, self.mean) + self.mean * stats.poisson.pmf(x - 1, self.mean)

    def rows(self, which: NDArray[np.integer[Any]]) -> "Poisson":
        return Poisson(self.mean[which])


@dataclass(frozen=True)
class Normal:
    """Normal demand; mean and standard deviation over the whole interval."""

    mean: Floats
    sd: Floats

    @property
    def is_beyond_horizon(self) -> NDArray[np.bool_]:
        return np.zeros(len(self.mean), np.bool_)

    def quantile(self, p: float, /) -> Floats:
        return stats.norm.ppf(p, self.mean, self.sd)

    def cdf(self, x: Floats, /) -> Floats:
        return stats.norm.cdf(x, self.mean, self.sd)

    def expected_shortage(self, x: Floats, /) -> Floats:
        """sd G(z) with the unit normal loss G(z) = phi(z) - z (1 - Phi(z)) (Snyder & Shen, appendix C)."""
        z = (x - self.mean) / self.sd
        return self.sd * (stats.norm.pdf(z) - z * stats.norm.sf(z))


@dataclass(frozen=True)
class Totals:
    """Demand drawn with equal probability from equally likely totals, the same for each of `rows` rows."""

    totals: Floats
    rows: int = 1

    @property
    def mean(self) -> Floats:
        return np.full(self.rows, self.totals.mean())

    @property
    def is_beyond_horizon(self) -> NDArray[np.bool_]:
        return np.ones(self.rows, np.bool_)

    def quantile(self, p: float, /) -> Floats:
        return np.full(self.rows, np.quantile(self.totals, p, method="inverted_cdf"))

    def cdf(self, x: Floats, /) -> Floats:
        return (self.totals[None, :] <= x[:, None]).mean(axis=1)

    def expected_shortage(self, x: Floats, /) -> Floats:
        return np.maximum(self.totals[None, :] - x[:, None], 0).mean(axis=1)
