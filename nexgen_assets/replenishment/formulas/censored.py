"""Demand behind sales that a stockout cut short: what customers wanted, not what they got.

What belongs here: estimates of demand from sales of which some days sold out. What does not: finding those days.

On a day that sold out demand was at least the sales: P(D >= s) in the likelihood in place of P(D = s). Leaving such
days out is worse than taking sales for demand, because stock runs out on days of high demand.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from nexgen_assets.replenishment.formulas.arguments import (
    Floats,
    require_finite,
    require_not_negative,
    require_whole,
    require_within,
)

SMALLEST_TAIL = 1e-200
GRADIENT_TOLERANCE = 1e-6


@dataclass(frozen=True)
class CensoredPoisson:
    """Units per day: the estimated `mean` of demand, the mean of the sales, and that of the days that did not sell out.

    The last two are biased, the last one most; `in_stock_mean` is NaN if every day sold out.
    """

    mean: float
    naive_mean: float
    in_stock_mean: float


@dataclass(frozen=True)
class CensoredNormal:
    """Units per day: estimated `mean` and `sd` of demand, and those of the sales (`naive_sd` with n - 1)."""

    mean: float
    sd: float
    naive_mean: float
    naive_sd: float


def poisson_mean_of_censored_sales(sales: Sequence[float], is_stockout: Sequence[bool]) -> CensoredPoisson:
    """Maximum likelihood estimate of the mean of Poisson demand (Conrad 1976).

    `sales` in whole units, one per day; `is_stockout` where demand may have been more. Solves
    sum_{in stock} (s / m - 1) + sum_{stockout} P(D = s - 1) / P(D >= s) = 0. Raises ValueError if every day that sold
    anything sold out: then more is always more likely.
    """
    sold, is_out = _observations(sales, is_stockout)
    require_whole(sales=sold)
    require_not_negative(sales=sold)
    naive = float(sold.mean())
    in_stock = float(sold[~is_out].mean()) if not is_out.all() else float("nan")
    # selling out of nothing says nothing: demand is at least 0 anyway
    exact, at_least = sold[~is_out], sold[is_out & (sold > 0)]
    if not len(at_least):
        return CensoredPoisson(_mean_or_refuse(exact), naive, in_stock)
    if not len(exact):
        raise ValueError("every day sold out: how much more was wanted cannot be estimated")

    def score(mean: float) -> float:
        return float(exact.sum() / mean - len(exact) + _poisson_hazard(at_least, mean).sum())

    # sales of the informative days are a lower bound: at their mean the likelihood still rises
    low = float((exact.sum() + at_least.sum()) / (len(exact) + len(at_least)))
    high = 2 * low
    while score(high) > 0:
        high *= 2
    mean = optimize.brentq(score, low, high, xtol=1e-12)
    return CensoredPoisson(float(mean), naive, in_stock)  # pyright: ignore[reportArgumentType]


def normal_moments_of_censored_sales(sales: Sequence[float], is_stockout: Sequence[bool]) -> CensoredNormal:
    """Maximum likelihood estimate of mean and standard deviation of normal demand (Nahmias 1994): the Tobit model.

    `sales` in units, one per day, at least two. Log-likelihood: sum_{in stock} ln(phi(z) / sd) + sum_{stockout}
    ln(1 - Phi(z)), z = (s - mean) / sd, concave in mean / sd and 1 / sd (Olsen 1978). Without spread among the days in
    stock, and none above them sold out, sd is 0. Raises ValueError if every day sold out.
    """
    sold, is_out = _observations(sales, is_stockout)
    if len(sold) < 2:
        raise ValueError("a standard deviation needs sales of at least two days")
    if is_out.all():
        raise ValueError("every day sold out: how much more was wanted cannot be estimated")
    naive_mean, naive_sd = float(sold.mean()), float(sold.std(ddof=1))
    exact, at_least = sold[~is_out], sold[is_out]
    if np.ptp(exact) == 0 and not np.any(at_least > exact[0]):
        return CensoredNormal(float(exact[0]), 0.0, naive_mean, naive_sd)
    mean, sd = _tobit((exact - naive_mean) / naive_sd, (at_least - naive_mean) / naive_sd)
    return CensoredNormal(naive_mean + naive_sd * mean, naive_sd * sd, naive_mean, naive_sd)


def demand_of_partial_day(sales: float, hourly_profile: Sequence[float], hours_in_stock: float) -> float:
    """Demand (units) of a day whose stockout time is known: sales / share of the day's demand before it.

    `hourly_profile` is the usual demand of each opening hour in any unit, `hours_in_stock` how many of them there was
    stock, fractions included. Raises ValueError where nothing is usually sold by then: it tells nothing about the day.
    """
    require_not_negative(sales=sales, hourly_profile=hourly_profile)
    require_finite(sales=sales, hourly_profile=hourly_profile)
    require_within(0, len(hourly_profile), hours_in_stock=hours_in_stock)
    by_hour = np.append(0.0, np.cumsum(hourly_profile))
    before = float(np.interp(hours_in_stock, np.arange(len(by_hour)), by_hour))
    if not before > 0:
        raise ValueError(f"nothing is usually sold in the first {hours_in_stock:g} hours: demand cannot be scaled up")
    return float(sales * by_hour[-1] / before)


def _observations(sales: Sequence[float], is_stockout: Sequence[bool]) -> tuple[Floats, NDArray[np.bool_]]:
    sold, is_out = np.asarray(sales, np.float64), np.asarray(is_stockout, np.bool_)
    if len(sold) != len(is_out) or not len(sold):
        raise ValueError(f"each day needs its sales and its stockout flag, not {len(sold)} and {len(is_out)} of them")
    require_finite(sales=sold)
    return sold, is_out


def _mean_or_refuse(exact: Floats) -> float:
    if not len(exact):
        raise ValueError("there was never any stock: demand cannot be estimated")
    return float(exact.mean())


def _poisson_hazard(at_least: Floats, mean: float) -> Floats:
    """P(D = s - 1) / P(D >= s), also where both are too small for a double."""
    tail = special.gammainc(at_least, mean)
    mass = np.exp((at_least - 1) * np.log(mean) - mean - special.gammaln(at_least))
    far = at_least / (mean * special.hyp1f1(1.0, at_least + 1, np.minimum(mean, at_least)))
    return np.where(tail > SMALLEST_TAIL, mass / np.maximum(tail, SMALLEST_TAIL), far)


def _tobit(exact: Floats, at_least: Floats) -> tuple[float, float]:
    """Mean and standard deviation; works on sales of about mean 0 and deviation 1."""

    def loss(point: Floats) -> tuple[float, Floats]:
        shift, log_scale = point  # z = scale * sales - shift, with scale = 1 / sd and shift = mean / sd
        scale = np.exp(log_scale)
        z, out = scale * exact - shift, scale * at_least - shift
        log_tail = special.log_ndtr(-out)
        hazard = np.exp(-(out**2) / 2 - np.log(2 * np.pi) / 2 - log_tail)
        value = (z**2).sum() / 2 - len(exact) * log_scale - log_tail.sum()
        by_shift = -z.sum() - hazard.sum()
        by_scale = (z * exact).sum() - len(exact) / scale + (hazard * at_least).sum()
        return float(value), np.array([by_shift, by_scale * scale])

    found = optimize.minimize(loss, np.zeros(2), jac=True, method="BFGS", options={"gtol": 1e-9})
    if np.abs(found.jac).max() > GRADIENT_TOLERANCE * (len(exact) + len(at_least)):
        raise ValueError(f"no normal demand explains these sales best: {found.message}")
    shift, scale = found.x[0], np.exp(found.x[1])
    return float(shift / scale), float(1 / scale)
