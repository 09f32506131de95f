"""Loss functions: what demand is expected to exceed a level by, and to fall short of it by.

What belongs here: E[(X - x)+] and E[(x - X)+] of one random demand X. What does not: choosing x.

Levels and losses are in units of demand. Scalars give scalars, arrays broadcast. Source: Snyder & Shen, Fundamentals of
Supply Chain Theory, 2e (2019), appendix C; gamma and negative binomial: Zipkin, Foundations of Inventory Management
(2000), section C.2.3.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from nexgen_assets.replenishment.formulas.arguments import (
    Floats,
    Number,
    require_finite,
    require_not_negative,
    require_positive,
)

PROBABILITY_SUM_TOLERANCE = 1e-6
POISSON_LIMIT = 1e-9
SOLVER_TOLERANCE = 1e-13
NO_TAIL = 40.0  # standard deviations: the density is 0 in doubles


@dataclass(frozen=True)
class Loss:
    """Expected units short and left over at a level x of stock.

    `loss` is n(x) = E[(X - x)+], `complementary` is E[(x - X)+] = x - E[X] + n(x).
    """

    loss: Number
    complementary: Number


@dataclass(frozen=True)
class SecondOrderLoss(Loss):
    """A loss with the integral of n(y) from x to infinity, `second_order_loss` = E[((X - x)+)^2] / 2 (units^2)."""

    second_order_loss: Number


def standard_normal_loss(z: Number) -> SecondOrderLoss:
    """Loss of the standard normal: G(z) = phi(z) - z (1 - Phi(z)), second order ((z^2 + 1)(1 - Phi(z)) - z phi(z)) / 2.

    `z` in standard deviations, finite (C.22 to C.28; Silver, Pyke & Thomas 4e (2017), appendix II). Relative accuracy
    is kept in the far tail, where the terms of the formula nearly cancel.
    """
    return normal_loss(z, 0.0, 1.0)


def standard_normal_loss_inverse(loss: float) -> float:
    """The z with G(z) = `loss` (standard deviations); `loss` > 0. Every z has one, so negative values come out too."""
    require_positive(loss=loss)
    require_finite(loss=loss)
    # G is convex and falls: Newton's steps from a point left of the solution never pass it
    z, step = -loss, np.inf
    while step > SOLVER_TOLERANCE * max(1.0, abs(z)):
        step = (float(standard_normal_loss(z).loss) - loss) / float(special.ndtr(-z))
        z += step
    return z


def normal_loss(x: Number, mean: Number, sd: Number) -> SecondOrderLoss:
    """Loss of N(mean, sd^2): sd G(z), second order sd^2 H(z), z = (x - mean) / sd (C.31 to C.34); sd 0 is certain."""
    require_finite(x=x, mean=mean, sd=sd)
    require_not_negative(sd=sd)
    gap, sd = np.asarray(x, np.float64) - mean, np.asarray(sd, np.float64)
    with np.errstate(over="ignore"):
        distance = np.minimum(np.abs(gap) / np.where(sd == 0, 1.0, sd), NO_TAIL)
        square = (gap**2 + sd**2) / 2
    density = np.exp(-(distance**2) / 2) / np.sqrt(2 * np.pi)
    mills = np.sqrt(np.pi / 2) * special.erfcx(distance / np.sqrt(2))  # (1 - Phi) / phi
    tail = sd * density * (1 - distance * mills)
    second_tail = sd**2 * density * ((distance**2 + 1) * mills - distance) / 2
    return SecondOrderLoss(
        # G(-z) = z + G(z), and H(-z) + H(z) = (z^2 + 1) / 2
        loss=(tail + np.maximum(-gap, 0.0))[()],
        complementary=(tail + np.maximum(gap, 0.0))[()],
        second_order_loss=np.where(gap >= 0, second_tail, square - second_tail)[()],
    )


def poisson_loss(x: Number, mean: Number) -> Loss:
    """Loss of Poisson demand: n(x) = mean P(X >= floor(x)) - x P(X > x) for x >= 0 (C.41, rearranged).

    `x` need not be whole, and may be negative (backorders); `mean` >= 0.
    """
    require_finite(x=x, mean=mean)
    require_not_negative(mean=mean)
    whole = np.floor(np.maximum(x, 0.0))
    at_least = np.where(whole > 0, special.gammainc(np.maximum(whole, 1), mean), 1.0)
    return _from_tails(x, mean, at_least, special.gammainc(whole + 1, mean))


def negative_binomial_loss(x: Number, mean: Number, variance: Number) -> Loss:
    """Loss of negative binomial demand with these moments; equal moments are a Poisson's.

    With r = mean^2 / (variance - mean) and q = mean / variance: n(x) = mean P(X' >= floor(x)) - x P(X > x) for x >= 0,
    where X' has r + 1 in place of r, because k P_r(k) = mean P_{r+1}(k - 1). Raises ValueError if variance < mean.
    """
    require_finite(x=x, mean=mean, variance=variance)
    size, chance, is_poisson = negative_binomial_parameters(mean, variance)
    whole = np.floor(np.maximum(x, 0.0))
    at_least = np.where(whole > 0, special.betaincc(size + 1, np.maximum(whole, 1), chance), 1.0)
    wide = _from_tails(x, mean, at_least, special.betaincc(size, whole + 1, chance))
    if not np.any(is_poisson):
        return wide
    narrow = poisson_loss(x, mean)
    return Loss(
        np.where(is_poisson, narrow.loss, wide.loss)[()],
        np.where(is_poisson, narrow.complementary, wide.complementary)[()],
    )


def negative_binomial_parameters(mean: Number, variance: Number) -> tuple[Number, Number, NDArray[np.bool_]]:
    """(r, q, is_poisson) of a negative binomial: r successes of chance q are waited for.

    r and q are 1 and 1/2, without a meaning, where variance = mean. Raises ValueError if variance < mean.
    """
    require_not_negative(mean=mean, variance=variance)
    excess = np.asarray(variance, np.float64) - mean
    if np.any(excess < -POISSON_LIMIT * np.asarray(mean)):
        raise ValueError(f"variance {variance} is below the mean {mean}: no negative binomial has it, use a Poisson")
    if np.any((np.asarray(mean) == 0) & (excess > 0)):
        raise ValueError(f"demand of mean 0 has no variance, not {variance}")
    is_poisson = excess <= POISSON_LIMIT * np.asarray(mean)
    size = np.where(is_poisson, 1.0, np.asarray(mean) ** 2 / np.where(is_poisson, 1.0, excess))
    chance = np.where(is_poisson, 0.5, mean / np.where(is_poisson, 1.0, np.asarray(variance)))
    return size[()], chance[()], np.asarray(is_poisson)


def gamma_loss(x: Number, shape: Number, scale: Number) -> Loss:
    """Loss of gamma demand: n(x) = shape scale P(X' > x) - x P(X > x) for x >= 0; X' has shape + 1.

    `shape` > 0 is a number, `scale` > 0 is in units.
    """
    require_finite(x=x)
    require_positive(shape=shape, scale=scale)
    ratio = np.maximum(x, 0.0) / scale
    mean = np.asarray(shape, np.float64) * scale
    return _from_tails(x, mean, special.gammaincc(shape + 1.0, ratio), special.gammaincc(shape, ratio))


def lognormal_loss(x: Number, mu_log: Number, sigma_log: Number) -> Loss:
    """Loss of lognormal demand: n(x) = E[X] Phi((mu + sigma^2 - ln x) / sigma) - x Phi((mu - ln x) / sigma) for x > 0.

    (4.102). `mu_log` and `sigma_log` >= 0 are mean and standard deviation of ln X; E[X] = exp(mu + sigma^2 / 2).
    """
    require_finite(x=x, mu_log=mu_log, sigma_log=sigma_log)
    require_not_negative(sigma_log=sigma_log)
    mean = np.exp(mu_log + np.asarray(sigma_log, np.float64) ** 2 / 2)
    is_certain = np.asarray(sigma_log) == 0
    sigma = np.where(is_certain, 1.0, sigma_log)
    z = (mu_log - np.log(np.where(np.asarray(x) > 0, x, 1.0))) / sigma
    spread = _from_tails(x, mean, special.ndtr(z + sigma), special.ndtr(z))
    return Loss(
        np.where(is_certain, np.maximum(mean - x, 0.0), spread.loss)[()],
        np.where(is_certain, np.maximum(x - mean, 0.0), spread.complementary)[()],
    )


def discrete_loss(x: Number, pmf: Mapping[float, float]) -> Loss:
    """Loss of demand that takes the values (units) with these probabilities: sums of p (value - x)+ (C.36, C.37)."""
    require_finite(x=x)
    values, probabilities = probabilities_of(pmf)
    gaps = values - np.asarray(x, np.float64)[..., None]
    return Loss(np.maximum(gaps, 0.0) @ probabilities, np.maximum(-gaps, 0.0) @ probabilities)


def probabilities_of(pmf: Mapping[float, float]) -> tuple[Floats, Floats]:
    """Values in rising order and their probabilities, without those of probability 0.

    Raises ValueError for a negative probability, or if they do not sum to 1; a rest of 1e-6 is spread over all.
    """
    values = np.array(sorted(pmf), np.float64)
    probabilities = np.array([pmf[value] for value in sorted(pmf)], np.float64)
    require_finite(value=values, probability=probabilities)
    require_not_negative(probability=probabilities)
    if not abs(probabilities.sum() - 1) <= PROBABILITY_SUM_TOLERANCE:
        raise ValueError(f"probabilities must sum to 1, not {probabilities.sum()}")
    is_possible = probabilities > 0
    return values[is_possible], probabilities[is_possible] / probabilities.sum()


def _from_tails(x: Number, mean: Number, weighted: Number, above: Number) -> Loss:
    """n(x) = mean `weighted` - x P(X > x): `weighted` is E[X; X > x] / E[X]. Below 0 demand is never short of x."""
    is_negative = np.asarray(x) < 0
    loss = np.where(is_negative, np.asarray(mean) - x, np.maximum(np.asarray(mean) * weighted - x * above, 0.0))
    return Loss(loss[()], np.where(is_negative, 0.0, np.maximum(x - mean + loss, 0.0))[()])
