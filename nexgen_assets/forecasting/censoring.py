"""Sales of days out of stock: what is made of demand that was cut short.

What belongs here: the one correction that training and calibration share. What does not: finding such days (`sales/`).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.floating[Any]]
Floats = NDArray[np.float64]


def uncensored(sales: Reals, expected: Reals, is_censored: NDArray[np.bool_]) -> Floats:
    """Sales where those of censored days are scaled up to the ratio to the expected of other days, never down.

    In sum a day out of stock was asked for at least what others were. The larger of sales and expectation, day by day,
    would be biased: chance alone takes half of the sales below it. Sales that are not a number are unknown.
    """
    is_known = np.isfinite(sales)
    usual, cut_short = (_ratio(sales, expected, is_known & days) for days in (~is_censored, is_censored))
    factor = usual / cut_short if 0 < cut_short < usual else 1.0
    return np.where(is_censored, np.asarray(sales, np.float64) * factor, sales)


def _ratio(part: Reals, whole: Reals, chosen: NDArray[np.bool_]) -> float:
    """The ratio of the chosen sums, 0 if there is nothing to divide by."""
    total = whole[chosen].sum(dtype=np.float64)
    return float(part[chosen].sum(dtype=np.float64) / total) if total > 0 else 0.0
