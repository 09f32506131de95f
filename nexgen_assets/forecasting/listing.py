"""Listing: what a row of `cleaned_features` knows of the assortment, whatever a model makes of the rest.

What belongs here: which days ahead a product is sold on, and which products have sold nothing yet. What does not: how
the level of a new item is assumed (`frame.level_of`), demand over intervals (`interval.py`).
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nexgen_assets.tables import DAY

Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]

NO_END = np.iinfo(np.int64).max


def is_new_item(features: pa.Table) -> Flags:
    """True for rows of products that are listed and have sold nothing yet [rows]."""
    return features["is_new_item"].fill_null(False).to_numpy().astype(bool)


def days_listed(features: pa.Table) -> Whole:
    """Days ahead before the delisting that is known at the origin: 0 if it has come, NO_END if none is known [rows]."""
    origin = features[DAY].cast(pa.date32()).cast(pa.int32()).to_numpy().astype(np.int64)
    delisted_on = features["delisted_on"].cast(pa.date32()).cast(pa.int32())
    ahead = delisted_on.fill_null(0).to_numpy().astype(np.int64) - origin - 1
    return np.where(delisted_on.is_valid().to_numpy(), np.maximum(ahead, 0), NO_END)


def is_listed_ahead(features: pa.Table, horizon_days: int) -> Flags:
    """Whether each of the next days is one on which the product is sold [rows, horizon_days]."""
    return np.arange(1, horizon_days + 1) <= days_listed(features)[:, None]
