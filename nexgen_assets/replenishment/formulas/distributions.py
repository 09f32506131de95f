"""Distributions of demand, each with all that a stocking decision asks of it: quantile, cdf, expected shortage.

What belongs here: distributions known by their parameters, their sums over several periods and their mixtures. What
does not: decisions. A distribution fits `policy.IntervalDistribution` where its parameters are arrays.

Units: demand and its mean in units, variance in units squared. The quantile is min{x : P(X <= x) >= p} and never
interpolated (Snyder & Shen 2e, section 4.3); probabilities that differ by less than 1e-12 count as equal, so that the
last bits of a double cost no unit of stock.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy import special

from nexgen_assets.replenishment.formulas import loss as losses
from nexgen_assets.replenishment.formulas.arguments import (
    Floats,
    Number,
    require_finite,
    require_not_negative,
    require_positive,
    require_whole,
    require_within,
)

SAME_PROBABILITY = 1e-12
BISECTIONS = 200
MOST_PERIODS_OF_A_TABLE = 10_000


class Demand(Protocol):
    """A random demand in units: of one period, or of an interval (see `over`)."""

    @property
    def is_whole(self) -> bool:
        """True if demand only takes whole numbers: levels of stock are then whole, too."""
        ...

    @property
    def mean(self) -> Number:
        """Expected demand, in units."""
        ...

    @property
    def variance(self) -> Number:
        """Variance, in units squared."""
        ...

    def cdf(self, x: Number, /) -> Number:
        """P(X <= x)."""
        ...

    def probability_below(self, x: Number, /) -> Number:
        """P(X < x)."""
        ...

    def quantile(self, p: Number, /) -> Number:
        """min{x : P(X <= x) >= p}, in units; infinite where no x is enough. `p` within 0 and 1."""
        ...

    def expected_shortage(self, x: Number, /) -> Number:
        """E[(X - x)+], in units: what a stock of x is expected to be short of."""
        ...

    def expected_leftover(self, x: Number, /) -> Number:
        """E[(x - X)+], in units: what is expected to be left of a stock of x."""
        ...

    def over(self, periods: float) -> "Demand":
        """The sum of `periods` independent periods of this demand. Raises ValueError where it has no closed form."""
        ...


class _Shared:
    """What demands have in common unless they say otherwise; they take any number."""

    is_whole = False

    def probability_below(self: Demand, x: Number, /) -> Number:
        return self.cdf(x)

    def expected_leftover(self: Demand, x: Number, /) -> Number:
        return np.maximum(x - self.mean + self.expected_shortage(x), 0.0)


class _Whole(_Shared):
    """What demands have in common that take the values 0, 1, 2, ..."""

    is_whole = True

    def probability_below(self: Demand, x: Number, /) -> Number:
        return self.cdf(np.ceil(x) - 1)

    def quantile(self: Demand, p: Number, /) -> Number:
        require_within(0, 1, p=p)
        is_certain = np.asarray(p) == 1
        within = np.where(is_certain, 0.5, p)
        high = np.ceil(self.mean + 10 * np.sqrt(self.variance) + 10) + np.zeros_like(within)
        while np.any(is_short := ~_is_enough(self.cdf(high), within)):
            high = np.where(is_short, 2 * high, high)
        level = _smallest_whole(self.cdf, within, high)
        return np.where(is_certain & (np.asarray(self.variance) > 0), np.inf, level)[()]


@dataclass(frozen=True)
class Normal(_Shared):
    """Normal demand. `mean` and `sd` >= 0 in units; sd 0 is certain demand."""

    mean: Number
    sd: Number

    def __post_init__(self) -> None:
        require_finite(mean=self.mean, sd=self.sd)
        require_not_negative(sd=self.sd)

    @property
    def variance(self) -> Number:
        return self.sd**2

    def cdf(self, x: Number, /) -> Number:
        return np.where(np.asarray(self.sd) == 0, np.asarray(x) >= self.mean, special.ndtr(self._z(x)))[()]

    def probability_below(self, x: Number, /) -> Number:
        return np.where(np.asarray(self.sd) == 0, np.asarray(x) > self.mean, special.ndtr(self._z(x)))[()]

    def quantile(self, p: Number, /) -> Number:
        require_within(0, 1, p=p)
        is_certain = np.asarray(self.sd) == 0
        return (self.mean + np.where(is_certain, 0.0, np.where(is_certain, 1.0, self.sd) * special.ndtri(p)))[()]

    def expected_shortage(self, x: Number, /) -> Number:
        return losses.normal_loss(x, self.mean, self.sd).loss

    def over(self, periods: float) -> "Normal":
        require_not_negative(periods=periods)
        return Normal(self.mean * periods, self.sd * np.sqrt(periods))

    def _z(self, x: Number) -> Number:
        with np.errstate(over="ignore"):
            return (x - self.mean) / np.where(np.asarray(self.sd) == 0, 1.0, self.sd)


@dataclass(frozen=True)
class Poisson(_Whole):
    """Poisson demand: customers come independently, each for one unit. `mean` >= 0 in units."""

    mean: Number

    def __post_init__(self) -> None:
        require_finite(mean=self.mean)
        require_not_negative(mean=self.mean)

    @property
    def variance(self) -> Number:
        return self.mean

    def cdf(self, x: Number, /) -> Number:
        whole = np.floor(x)
        return np.where(whole < 0, 0.0, special.gammaincc(np.maximum(whole, 0) + 1, self.mean))[()]

    def expected_shortage(self, x: Number, /) -> Number:
        return losses.poisson_loss(x, self.mean).loss

    def over(self, periods: float) -> "Poisson":
        require_not_negative(periods=periods)
        return Poisson(self.mean * periods)


@dataclass(frozen=True)
class NegativeBinomial(_Whole):
    """Negative binomial demand: more variable than a Poisson's (Axsater, Inventory Control 3e (2015), section 5.1.3).

    `mean` in units, `variance` >= mean in units squared (equal: a Poisson). The sum of independent periods of the same
    ratio variance / mean is negative binomial again.
    """

    mean: Number
    variance: Number

    def __post_init__(self) -> None:
        require_finite(mean=self.mean, variance=self.variance)
        losses.negative_binomial_parameters(self.mean, self.variance)

    def cdf(self, x: Number, /) -> Number:
        size, chance, is_poisson = losses.negative_binomial_parameters(self.mean, self.variance)
        whole = np.maximum(np.floor(x), 0)
        wide = special.betainc(size, whole + 1, chance)
        cdf = np.where(is_poisson, special.gammaincc(whole + 1, self.mean), wide)
        return np.where(np.floor(x) < 0, 0.0, cdf)[()]

    def expected_shortage(self, x: Number, /) -> Number:
        return losses.negative_binomial_loss(x, self.mean, self.variance).loss

    def over(self, periods: float) -> "NegativeBinomial":
        require_not_negative(periods=periods)
        return NegativeBinomial(self.mean * periods, self.variance * periods)


@dataclass(frozen=True)
class Gamma(_Shared):
    """Gamma demand: positive and skewed. `shape` > 0, `scale` > 0 in units; mean = shape * scale."""

    shape: Number
    scale: Number

    def __post_init__(self) -> None:
        require_positive(shape=self.shape, scale=self.scale)
        require_finite(shape=self.shape, scale=self.scale)

    @classmethod
    def of_moments(cls, mean: Number, variance: Number) -> Self:
        """The gamma with this mean (units) and variance (units squared), both > 0."""
        require_positive(mean=mean, variance=variance)
        return cls(mean**2 / variance, variance / mean)

    @property
    def mean(self) -> Number:
        return self.shape * self.scale

    @property
    def variance(self) -> Number:
        return self.shape * self.scale**2

    def cdf(self, x: Number, /) -> Number:
        return special.gammainc(self.shape, np.maximum(x, 0.0) / self.scale)

    def quantile(self, p: Number, /) -> Number:
        require_within(0, 1, p=p)
        return self.scale * special.gammaincinv(self.shape, p)

    def expected_shortage(self, x: Number, /) -> Number:
        return losses.gamma_loss(x, self.shape, self.scale).loss

    def over(self, periods: float) -> "Demand":
        require_not_negative(periods=periods)
        return Gamma(self.shape * periods, self.scale) if periods > 0 else Normal(0.0, 0.0)


@dataclass(frozen=True)
class Lognormal(_Shared):
    """Lognormal demand. `mu_log` and `sigma_log` >= 0 are mean and standard deviation of the logarithm of units."""

    mu_log: Number
    sigma_log: Number

    def __post_init__(self) -> None:
        require_finite(mu_log=self.mu_log, sigma_log=self.sigma_log)
        require_not_negative(sigma_log=self.sigma_log)

    @property
    def mean(self) -> Number:
        return np.exp(self.mu_log + self.sigma_log**2 / 2)

    @property
    def variance(self) -> Number:
        return np.expm1(self.sigma_log**2) * self.mean**2

    def cdf(self, x: Number, /) -> Number:
        logarithm = np.log(np.where(np.asarray(x) > 0, x, 1.0))
        return np.where(np.asarray(x) > 0, Normal(self.mu_log, self.sigma_log).cdf(logarithm), 0.0)[()]

    def quantile(self, p: Number, /) -> Number:
        return np.exp(Normal(self.mu_log, self.sigma_log).quantile(p))

    def expected_shortage(self, x: Number, /) -> Number:
        return losses.lognormal_loss(x, self.mu_log, self.sigma_log).loss

    def over(self, periods: float) -> "Lognormal":
        if periods != 1:
            raise ValueError("a sum of lognormal periods has no closed form: fit the demand of the whole interval")
        return self


class Discrete(_Shared):
    """Demand that takes a few known values: of a table, or observed totals of equal weight. No array parameters."""

    def __init__(self, pmf: Mapping[float, float]) -> None:
        """`pmf`: probability by units; raises ValueError if the probabilities do not sum to 1."""
        self._values, self._probabilities = losses.probabilities_of(pmf)
        self._cumulative = np.cumsum(self._probabilities)
        self._cumulative[-1] = 1.0
        self.is_whole = bool(np.all(self._values == np.floor(self._values)) and self._values[0] >= 0)

    @classmethod
    def of_samples(cls, totals: Sequence[float] | Floats) -> Self:
        """The empirical distribution of `totals` (units), such as observed or simulated demands of one interval."""
        if not len(totals):
            raise ValueError("an empirical distribution needs at least one observation")
        require_finite(totals=totals)
        values, counts = np.unique(np.asarray(totals, np.float64), return_counts=True)
        return cls(dict(zip(values.tolist(), (counts / counts.sum()).tolist(), strict=True)))

    @property
    def mean(self) -> float:
        return float(self._values @ self._probabilities)

    @property
    def variance(self) -> float:
        return float((self._values - self.mean) ** 2 @ self._probabilities)

    def cdf(self, x: Number, /) -> Number:
        return self._up_to(np.searchsorted(self._values, x, side="right"))

    def probability_below(self, x: Number, /) -> Number:
        return self._up_to(np.searchsorted(self._values, x, side="left"))

    def quantile(self, p: Number, /) -> Number:
        require_within(0, 1, p=p)
        first = np.searchsorted(self._cumulative, np.asarray(p) - SAME_PROBABILITY, side="left")
        return self._values[first]

    def expected_shortage(self, x: Number, /) -> Number:
        return np.maximum(self._values - np.asarray(x, np.float64)[..., None], 0.0) @ self._probabilities

    def over(self, periods: float) -> "Discrete":
        require_not_negative(periods=periods)
        require_whole(periods=periods)
        if not self.is_whole:
            raise ValueError("a table of demands that are not whole units cannot be summed over periods")
        if periods * self._values[-1] > MOST_PERIODS_OF_A_TABLE * 100:
            raise ValueError(f"a table of {periods:g} periods of up to {self._values[-1]:g} units is too large")
        once = np.zeros(int(self._values[-1]) + 1)
        once[self._values.astype(int)] = self._probabilities
        total = np.ones(1)
        for _ in range(int(periods)):
            total = np.convolve(total, once)
        return Discrete(dict(enumerate((total / total.sum()).tolist())))

    def _up_to(self, n: NDArray[np.intp]) -> Number:
        return np.append(0.0, self._cumulative)[n]


class Mixture(_Shared):
    """Demand that is one of several distributions, each with its weight: the exact answer to an uncertain lead time."""

    def __init__(self, components: Sequence[Demand], weights: Sequence[float] | Floats) -> None:
        """One weight >= 0 per component; raises ValueError if they do not sum to 1."""
        if not components or len(components) != len(weights):
            raise ValueError(f"a mixture needs a weight for each component, not {len(weights)} for {len(components)}")
        which, self._weights = losses.probabilities_of(dict(enumerate(np.asarray(weights, np.float64).tolist())))
        self._components = [components[int(i)] for i in which]
        self.is_whole = all(component.is_whole for component in self._components)

    @property
    def mean(self) -> Number:
        return self._average(lambda demand: demand.mean)

    @property
    def variance(self) -> Number:
        mean = self.mean
        return self._average(lambda demand: demand.variance + (demand.mean - mean) ** 2)

    def cdf(self, x: Number, /) -> Number:
        return self._average(lambda demand: demand.cdf(x))

    def probability_below(self, x: Number, /) -> Number:
        return self._average(lambda demand: demand.probability_below(x))

    def quantile(self, p: Number, /) -> Number:
        of_components = np.stack(np.broadcast_arrays(*(demand.quantile(p) for demand in self._components)))
        low, high = of_components.min(axis=0), of_components.max(axis=0)
        if np.any(np.isinf(of_components)):
            raise ValueError("no finite level meets a probability of 0 or 1 of this demand")
        if self.is_whole:
            return _smallest_whole(self.cdf, p, high)
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            enough = _is_enough(self.cdf(middle), p)
            low, high = np.where(enough, low, middle), np.where(enough, middle, high)
        return high[()]

    def expected_shortage(self, x: Number, /) -> Number:
        return self._average(lambda demand: demand.expected_shortage(x))

    def over(self, periods: float) -> "Mixture":
        if periods != 1:
            raise ValueError("what periods of a mixture have in common is not known: mix the sums instead")
        return self

    def _average(self, value: Callable[[Demand], Number]) -> Number:
        return sum((w * value(demand) for w, demand in zip(self._weights, self._components, strict=True)), 0.0)


def _is_enough(cdf: Number, p: Number) -> np.ndarray:
    return np.asarray(cdf) >= np.asarray(p) - SAME_PROBABILITY


def _smallest_whole(cdf: Callable[[Number], Number], p: Number, high: Number) -> Number:
    """The smallest whole x >= 0 with cdf(x) >= p, given a `high` that is one."""
    low, high = np.full_like(np.asarray(high, np.float64), -1.0), np.asarray(high, np.float64)
    while np.any(high - low > 1):
        middle = np.floor((low + high) / 2)
        enough = _is_enough(cdf(middle), p)
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return high[()]
