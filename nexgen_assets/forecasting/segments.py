"""Segments: the groups of series that errors are told apart by.

What belongs here: which series of an origin belongs to which group, by what was known at that origin. What does not:
errors. A series belongs to one segment of each kind.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nexgen_assets.forecasting.frame import level_of
from nexgen_assets.replenishment.formulas.segmentation import abc_class, demand_pattern

Floats = NDArray[np.float64]
Labels = NDArray[Any]

ALL, ABC, PATTERN, CATEGORY, LOCATION = "all", "abc", "pattern", "category", "location"
NO_CATEGORY = "(none)"


@dataclass(frozen=True)
class Segments:
    """Segments as pairs (kind, name), and which series belong to each: `membership` [segments, series] of 0 and 1."""

    names: tuple[tuple[str, str], ...]
    membership: Floats

    def of_kinds(self, *kinds: str) -> "Segments":
        """Those of some kinds only."""
        rows = [row for row, (kind, _) in enumerate(self.names) if kind in kinds]
        return Segments(tuple(self.names[row] for row in rows), self.membership[rows])


def segments_of(rows: pa.Table, sales_value: Floats) -> Segments:
    """Segments of the series `rows` (of `tables.CLEANED_FEATURES`) of one origin.

    `sales_value` [series] is the money of the last 28 days.
    """
    labels: dict[str, Labels] = {
        ALL: np.full(rows.num_rows, ALL),
        ABC: abc_class(sales_value if sales_value.sum() > 0 else level_of(rows).astype(np.float64)),
        PATTERN: pattern_of(rows),
        CATEGORY: np.array([name or NO_CATEGORY for name in rows["category"].to_pylist()], dtype=object),
        LOCATION: np.array(rows["location"].to_pylist(), dtype=object),
    }
    names = tuple((kind, str(name)) for kind, of_series in labels.items() for name in sorted(set(of_series)))
    return Segments(names, np.stack([(labels[kind] == name).astype(np.float64) for kind, name in names]))


def pattern_of(rows: pa.Table) -> Labels:
    """smooth, erratic, intermittent or lumpy, by the demand of the last 91 days; dormant without any.

    From the mean interval between days with demand and the squared coefficient of variation of their sizes
    (Syntetos, Boylan & Croston, J. Operational Research Society 56, 2005).
    """
    mean, spread, zeros = (_column(rows, f"{name}_91") for name in ("demand_mean", "demand_sd", "zero_share"))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = 1 - zeros
        size = mean / share
        variation = (spread**2 + mean**2) / share / size**2 - 1
        interval = 1 / np.maximum(share, 1e-9)
    patterns = demand_pattern(interval, variation)
    return np.where(np.nan_to_num(mean) > 0, patterns, "dormant")


def _column(rows: pa.Table, name: str) -> Floats:
    return rows[name].cast(pa.float64()).to_numpy()
