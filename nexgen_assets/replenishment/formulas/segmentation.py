"""Segments of products: by what they are worth (ABC), how steady they sell (XYZ), and how their demand comes about.

What belongs here: the rules. What does not: which columns they are applied to (`forecasting/segments.py`).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nexgen_assets.replenishment.formulas.arguments import (
    Floats,
    Number,
    require_finite,
    require_not_negative,
    require_positive,
)

Labels = NDArray[Any]

A_SHARE, B_SHARE = 0.8, 0.95  # of the value: the classes' upper borders
X_VARIATION, Y_VARIATION = 0.5, 1.0  # coefficients of variation: the classes' upper borders
FREQUENT_INTERVAL, EVEN_SIZES = 1.32, 0.49
SAME_SHARE = 1e-12


@dataclass(frozen=True)
class DemandProfile:
    """How the demand of one series comes about.

    `interval` is the mean number of periods per period with demand (ADI), infinite without any; `size_variation` the
    squared coefficient of variation of the demands that are not 0 (CV2); `variation` the coefficient of variation over
    all periods, infinite without demand.
    """

    interval: float
    size_variation: float
    variation: float


def abc_class(value: Floats, a_share: float = A_SHARE, b_share: float = B_SHARE) -> Labels:
    """A for the items that make the first 80 % of the value, B for the next 15 %, C for the rest.

    (Silver, Pyke & Thomas, Inventory and Production Management in Supply Chains, 4th ed. 2017, ch. 2.) `value` in money
    or units, one per item. The item that reaches a border still belongs above it; items worth nothing are C; of equal
    items the first ranks first.
    """
    if not 0 < a_share <= b_share <= 1:
        raise ValueError(f"shares must rise from 0 to 1, unlike {a_share} and {b_share}")
    value = np.asarray(value, np.float64)
    order = np.argsort(-value, kind="stable")
    before = np.cumsum(value[order]) - value[order]
    share = np.empty(len(value))
    share[order] = before / max(value.sum(), np.finfo(float).tiny)
    share = share + SAME_SHARE  # a border that is reached up to the last bits is reached
    return np.where(value <= 0, "C", np.where(share < a_share, "A", np.where(share < b_share, "B", "C")))


def xyz_class(variation: Number, x_variation: float = X_VARIATION, y_variation: float = Y_VARIATION) -> Labels:
    """X up to a coefficient of variation of 0.5 (steady), Y up to 1 (changing), Z above (hardly to be forecast).

    The borders are a convention and differ between books. NaN, the variation of no demand, is Z.
    """
    if not 0 <= x_variation <= y_variation:
        raise ValueError(f"borders must rise, unlike {x_variation} and {y_variation}")
    variation = np.asarray(variation, np.float64)
    return np.where(variation <= x_variation, "X", np.where(variation <= y_variation, "Y", "Z"))


def demand_pattern(
    interval: Number,
    size_variation: Number,
    frequent_interval: float = FREQUENT_INTERVAL,
    even_sizes: float = EVEN_SIZES,
) -> Labels:
    """smooth, erratic, intermittent or lumpy (Syntetos, Boylan & Croston, J. Operational Research Society 56, 2005).

    By the mean `interval` between periods with demand (ADI, border 1.32 periods) and the squared coefficient of
    variation of their sizes (CV2, border 0.49); the borders themselves count as frequent and even.
    """
    is_frequent = np.asarray(interval) <= frequent_interval
    is_even = np.asarray(size_variation) <= even_sizes
    frequent, rare = np.where(is_even, "smooth", "erratic"), np.where(is_even, "intermittent", "lumpy")
    return np.where(is_frequent, frequent, rare)


def demand_profile(demand: Floats) -> DemandProfile:
    """ADI, CV2 and coefficient of variation of the demand (units) of one series, a value per period, zeros included.

    Variances divide by n. Without any demand the interval and the variation are infinite and CV2 is 0.
    """
    demand = np.asarray(demand, np.float64)
    require_positive(number_of_periods=len(demand))
    require_finite(demand=demand)
    require_not_negative(demand=demand)
    sizes = demand[demand > 0]
    if not len(sizes):
        return DemandProfile(float("inf"), 0.0, float("inf"))
    size_variation = float((sizes.std() / sizes.mean()) ** 2)
    return DemandProfile(len(demand) / len(sizes), size_variation, float(demand.std() / demand.mean()))
