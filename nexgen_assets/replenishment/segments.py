"""Segments of order lines: what they are worth, how steady their demand is, and how it comes about.

What belongs here: which columns of an origin the classes are computed from. What does not: the classes' borders
(`formulas/segmentation.py`), and what is made of them (`line_policies.py`).
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nexgen_assets.forecasting.segments import pattern_of
from nexgen_assets.replenishment.formulas.segmentation import abc_class, xyz_class
from nexgen_assets.tables import WEEKDAY_LAGS

Floats = NDArray[np.float64]

SEGMENTS = ("abc_class", "xyz_class", "demand_class")
DAYS = 91
WEEK = len(WEEKDAY_LAGS)


def with_segments(rows: pa.Table, default_margin: float) -> pa.Table:
    """Rows of one day, with the columns of `tables.CLEANED_FEATURES` and `unit_cost`, and their SEGMENTS.

    ABC goes by the money of the last DAYS days over all rows, at the price or what the cost and the default margin make
    of it; by units if no row has either. XYZ goes by `week_variation`, the demand class by `pattern_of`.
    """
    return (
        rows.append_column("abc_class", pa.array(abc_class(_value(rows, default_margin)).astype(str)))
        .append_column("xyz_class", pa.array(xyz_class(week_variation(rows)).astype(str)))
        .append_column("demand_class", pa.array(pattern_of(rows).astype(str)))
    )


def week_variation(rows: pa.Table) -> Floats:
    """Coefficient of variation of the demand of a week; not a number without any demand.

    From the spread of days around their weekday's mean, as if days were independent: seven of their variances make the
    variance of a week. A profile within the week repeats itself and makes no week differ from another.
    """
    mean, spread = _numbers(rows, f"demand_mean_{DAYS}"), _numbers(rows, f"demand_sd_{DAYS}")
    profile = np.stack([_numbers(rows, f"weekday_mean_{k}") for k in WEEKDAY_LAGS])
    variance = np.maximum(spread**2 - np.nan_to_num(profile.var(axis=0)), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(mean > 0, np.sqrt(WEEK * variance) / (WEEK * mean), np.nan)


def _value(rows: pa.Table, default_margin: float) -> Floats:
    units = np.nan_to_num(_numbers(rows, f"demand_mean_{DAYS}")) * DAYS
    price, cost = _numbers(rows, "unit_price"), _numbers(rows, "unit_cost")
    value = units * np.nan_to_num(np.where(np.isnan(price), cost / (1 - default_margin), price))
    return value if value.any() else units


def _numbers(rows: pa.Table, name: str) -> Floats:
    return np.asarray(rows[name].cast(pa.float64()).to_numpy(), np.float64)
