"""Lead times as distributions over whole days: what is known of a delivery's day, one distribution per row.

What belongs here: how such distributions are told or follow from mean and standard deviation. What does not: demand
during a lead time (`mixture.py`), and where the two numbers come from (`positions.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nexgen_assets.tables import LARGEST_LEAD_TIME_SD_DAYS

Reals = NDArray[np.floating[Any]]
Whole = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]

CUT_PROBABILITY = 1e-4
NO_PROBABILITY = 1e-12
SMALLEST_MEAN_DAYS = 0.01


@dataclass(frozen=True)
class LeadTimes:
    """Distribution of each row's lead time: row `row[i]` waits `days[i]` whole days with `probability[i]` > 0.

    All three are [entries]: those of row 0 first, then those of row 1, at least one each; each row's sum to 1.
    """

    row: NDArray[np.int64]
    days: NDArray[np.int64]
    probability: Floats

    @cached_property
    def first(self) -> NDArray[np.int64]:
        """The first entry of each row [rows]."""
        return np.flatnonzero(np.diff(self.row, prepend=-1))

    def take(self, which: NDArray[np.integer[Any]]) -> "LeadTimes":
        """The lead times of the rows `which`, in their order."""
        counts = np.diff(self.first, append=len(self.row))[which]
        row = np.repeat(np.arange(len(which)), counts)
        entry = self.first[which][row] + np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        return LeadTimes(row, self.days[entry], self.probability[entry])

    def expectation(self, values: Reals | Whole) -> Floats:
        """Mean over each row's lead time of `values` [entries]."""
        return np.add.reduceat(self.probability * values, self.first) if len(self.row) else np.empty(0)


def lead_times(pmfs: Sequence[Mapping[int, float]], which: Whole | None = None) -> LeadTimes:
    """Lead times from probability mass functions, each days -> probability: one per row, or for row i `which[i]`.

    Raises ValueError if one of them is no distribution over whole days.
    """
    for pmf in pmfs:
        _require_distribution(pmf)
    kept = [{day: share for day, share in sorted(pmf.items()) if share > 0} for pmf in pmfs]
    which = np.arange(len(pmfs)) if which is None else which
    sizes = np.array([len(pmf) for pmf in kept], np.int64)
    row = np.repeat(np.arange(len(which)), sizes[which])
    place_in_row = np.arange(len(row)) - np.repeat(np.cumsum(sizes[which]) - sizes[which], sizes[which])
    entry = (np.cumsum(sizes) - sizes)[which][row] + place_in_row
    days = np.array([day for pmf in kept for day in pmf], np.int64)
    probability = np.array([share for pmf in kept for share in pmf.values()], np.float64)
    return LeadTimes(row, days[entry], probability[entry])


def lead_times_of_moments(mean_days: Reals | Whole, sd_days: Reals) -> LeadTimes:
    """Lead times of `lead_time_pmf`, for each row's mean and standard deviation; one that is NaN is taken as 0."""
    moments = np.stack([np.asarray(mean_days, np.float64), np.nan_to_num(sd_days, nan=0.0)], axis=1)
    distinct, which = np.unique(moments, axis=0, return_inverse=True)
    return lead_times([lead_time_pmf(float(mean), float(sd)) for mean, sd in distinct], which.reshape(-1))


@lru_cache(maxsize=10_000)
def lead_time_pmf(mean_days: float, sd_days: float) -> Mapping[int, float]:
    """Days -> probability: a gamma lead time in whole days, with this mean exactly and this standard deviation.

    The gamma is a usual distribution of lead times (Johansen & Thorstenson, International Journal of Production
    Economics 30-31, 1993): never negative, and more often far too late than far too early. It is put on whole days by
    local moment matching, which keeps the mean (Gerber, Insurance: Mathematics and Economics 1, 1982; Klugman, Panjer &
    Willmot, Loss Models, 4e, section 9.6.5). That widens it, so its variance is chosen such that the standard deviation
    in whole days is the one told.

    The least spread of a mean between two days is that of these two days alone; a smaller one, 0 included, gives those,
    and a mean of 0 has no spread. On either side the days that together are less likely than CUT_PROBABILITY count as
    the last day that is not: the standard deviation is that much smaller, by less than 1 % up to three times the mean.

    Raises ValueError for a mean that is neither 0 nor at least SMALLEST_MEAN_DAYS, and for a standard deviation that is
    negative or more than LARGEST_LEAD_TIME_SD_DAYS.
    """
    _require_moments(mean_days, sd_days)

    def excess_variance(gamma_variance: float) -> float:
        days, probability = _in_whole_days(mean_days, gamma_variance)
        return float(((days - mean_days) ** 2 * probability).sum() - sd_days**2)

    gamma_variance = 0.0
    if mean_days > 0 and excess_variance(0.0) < -NO_PROBABILITY:
        from scipy import optimize

        gamma_variance = optimize.root_scalar(excess_variance, bracket=(0.0, 2 * sd_days**2)).root
    days, probability = _without_tails(mean_days, *_in_whole_days(mean_days, gamma_variance))
    probability = _with_mean(mean_days, days, probability)
    return MappingProxyType(dict(zip(days.tolist(), probability.tolist(), strict=True)))


def _in_whole_days(mean: float, variance: float) -> tuple[NDArray[np.int64], Floats]:
    """Local moment matching: P(day) is the second difference of E[min(lead time, day)]."""
    from scipy import special

    low, high = mean, mean
    shape, scale = np.inf, 0.0
    if variance > 0:
        shape, scale = mean**2 / variance, variance / mean
        low, high = (
            float(inverse(shape, NO_PROBABILITY) * scale) for inverse in (special.gammaincinv, special.gammainccinv)
        )
    days = np.arange(int(low) - 1, int(high) + 3)
    if variance > 0:
        at = np.maximum(days, 0) / scale
        # E[min(X, d)] of a gamma (Klugman, Panjer & Willmot, appendix A)
        below = mean * special.gammainc(shape + 1, at) + days * special.gammaincc(shape, at)
    else:
        below = np.minimum(days, mean)
    probability = np.maximum(-np.diff(below, 2), 0.0)
    return days[1:-1], probability / probability.sum()


def _without_tails(mean: float, days: NDArray[np.int64], probability: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Unlikely days on either side count as the last day that is not; the days around the mean stay."""
    up_to, from_on = np.cumsum(probability), np.cumsum(probability[::-1])[::-1]
    is_likely = (up_to > CUT_PROBABILITY) & (from_on > CUT_PROBABILITY)
    kept = np.flatnonzero(is_likely | (np.abs(days - mean) < 1))
    first, last = kept[0], kept[-1]
    if first == last:
        return days[kept], np.ones(1)
    inside = probability[first + 1 : last]
    return days[first : last + 1], np.concatenate([up_to[[first]], inside, from_on[[last]]])


def _with_mean(mean: float, days: NDArray[np.int64], probability: Floats) -> Floats:
    """Moves what the cut took from the mean, or added to it, from the likeliest day to the day beside it."""
    missing = mean - float(days @ probability)
    likeliest = int(np.argmax(probability))
    beside = likeliest + (1 if missing > 0 else -1)
    if not 0 <= beside < len(days):
        return probability
    moved = probability.copy()
    moved[likeliest] -= abs(missing)
    moved[beside] += abs(missing)
    return moved


def _require_distribution(pmf: Mapping[int, float]) -> None:
    if wrong := [day for day in pmf if day != int(day) or day < 0]:
        raise ValueError(f"a lead time must be a whole number of days and not negative, not {wrong[0]}")
    if not all(share >= 0 for share in pmf.values()) or abs(sum(pmf.values()) - 1) > 1e-9:
        raise ValueError(f"probabilities of a lead time must not be negative and add up to 1, not {dict(pmf)}")


def _require_moments(mean_days: float, sd_days: float) -> None:
    if mean_days != 0 and not SMALLEST_MEAN_DAYS <= mean_days < np.inf:
        raise ValueError(f"lead_time_days must be 0 or at least {SMALLEST_MEAN_DAYS}, not {mean_days}")
    if not 0 <= sd_days <= LARGEST_LEAD_TIME_SD_DAYS:
        raise ValueError(
            f"lead_time_sd_days must lie between 0 and {LARGEST_LEAD_TIME_SD_DAYS:.10g}, not {sd_days}: "
            "correct the suppliers file that told it"
        )


def with_overtaking(told: LeadTimes, review_period_days: Whole) -> LeadTimes:
    """How long until as many orders have arrived as were placed up to each row's order, if orders can overtake.

    Where the lead time of every order is drawn by itself, a later one may arrive first and serve instead of the late
    one. The mean stays, the variance falls: to that of the number of orders on the way (Robinson, Bradley & Thomas,
    Manufacturing & Service Operations Management 3, 2001). With review periods at least as long as the spread of the
    lead time nothing overtakes, and the lead times come back as they are.
    """
    ends = [*told.first[1:], len(told.row)]
    entries = [
        (tuple(told.days[start:end].tolist()), tuple(told.probability[start:end].tolist()), int(review))
        for start, end, review in zip(told.first, ends, review_period_days, strict=True)
    ]
    distinct = {entry: number for number, entry in enumerate(dict.fromkeys(entries))}
    return lead_times([_overtaken(*entry) for entry in distinct], np.array([distinct[entry] for entry in entries]))


def _overtaken(days: tuple[int, ...], probability: tuple[float, ...], review: int) -> dict[int, float]:
    """The distribution, from P(longer than x): more orders are still on the way than were placed later."""
    longest = days[-1]
    longer = [sum(share for day, share in zip(days, probability, strict=True) if day > x) for x in range(longest)]
    # of x: the ages of all orders that may be on the way then, those placed since the order included
    ages = [range(x % review, longest, review) for x in range(longest)]
    later_than = [_probability_of_more(x // review, [longer[age] for age in ages[x]]) for x in range(longest)]
    pmf = -np.diff([1.0, *later_than, 0.0])
    return {day: float(max(share, 0.0)) for day, share in enumerate(pmf / pmf.sum())}


def _probability_of_more(count: int, chances: Sequence[float]) -> float:
    """P(more than `count` of these independent events happen): Poisson binomial."""
    happened = np.ones(1)
    for chance in chances:
        happened = np.convolve(happened, [1 - chance, chance])
    return float(happened[count + 1 :].sum())
