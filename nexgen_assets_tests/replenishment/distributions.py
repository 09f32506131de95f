"""Exact interval-demand distributions: the independent oracles of the policy tests. No tests stand here."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from nexgen_assets.replenishment.ahead import DemandAhead
from nexgen_assets.replenishment.policy import IntervalDistribution

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Poisson:
    """Poisson demand; `mean` over the whole interval."""

    mean: Floats

    @property
    def is_beyond_horizon(self) -> NDArray[np.bool_]:
        return np.zeros(len(self.mean), np.bool_)

    def quantile(self, p: float | Floats, /) -> Floats:
        return np.where(self.mean > 0, stats.poisson.ppf(p, self.mean), 0.0)

    def cdf(self, x: Floats, /) -> Floats:
        return stats.poisson.cdf(x, self.mean)

    def expected_shortage(self, x: Floats, /) -> Floats:
        """E[(X-k)+] = (mean - k) P(X >= k) + mean pmf(k - 1) for whole k >= 0 (Snyder & Shen, C.41, rearranged).

        Between two whole numbers it runs straight.
        """
        k = np.floor(x)
        at_k = (self.mean - k) * stats.poisson.sf(k - 1, self.mean) + self.mean * stats.poisson.pmf(k - 1, self.mean)
        return at_k - (x - k) * stats.poisson.sf(k, self.mean)

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

    def quantile(self, p: float | Floats, /) -> Floats:
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

    def quantile(self, p: float | Floats, /) -> Floats:
        return np.broadcast_to(np.quantile(self.totals, p, method="inverted_cdf"), self.rows).copy()

    def cdf(self, x: Floats, /) -> Floats:
        return (self.totals[None, :] <= x[:, None]).mean(axis=1)

    def expected_shortage(self, x: Floats, /) -> Floats:
        return np.maximum(self.totals[None, :] - x[:, None], 0).mean(axis=1)


@dataclass(frozen=True)
class Nothing:
    """No demand at all."""

    rows: int

    @property
    def mean(self) -> Floats:
        return np.zeros(self.rows)

    @property
    def is_beyond_horizon(self) -> NDArray[np.bool_]:
        return np.zeros(self.rows, np.bool_)

    def quantile(self, _p: float | Floats, /) -> Floats:
        return np.zeros(self.rows)

    def cdf(self, x: Floats, /) -> Floats:
        return np.where(x >= 0, 1.0, 0.0)

    def expected_shortage(self, x: Floats, /) -> Floats:
        return np.maximum(-x, 0.0)


def ahead(
    demand: IntervalDistribution,
    lead_time_days: NDArray[np.int64],
    review_period_days: NDArray[np.int64],
    certain: IntervalDistribution | None = None,
) -> DemandAhead:
    """The demand ahead, given that of the protection interval; Poisson demand comes evenly, other demand at its end."""
    if not isinstance(demand, Poisson):
        nothing = Nothing(len(demand.mean))
        return DemandAhead(demand, certain or demand, nothing, lambda which, _: Nothing(len(which)), _none)
    mean_a_day = demand.mean / (lead_time_days + review_period_days)
    return DemandAhead(
        demand,
        certain or demand,
        Poisson(mean_a_day * lead_time_days),
        lambda which, lengths: Poisson(mean_a_day[which] * lengths),
        lambda which: ahead(demand.rows(which), lead_time_days[which], review_period_days[which]),
    )


def _none(_which: NDArray[np.int64]) -> DemandAhead:
    raise NotImplementedError
