"""Rows of the forecasts table: made from arrays of means and quantiles, and matched with other tables by series."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nexgen_assets.forecasting.listing import is_listed_ahead
from nexgen_assets.tables import DAY, FORECASTS

Reals = NDArray[np.floating[Any]]

SERIES = ["product_id", "location"]


def forecast_rows(
    features: pa.Table, means: Reals, quantiles: Mapping[str, Reals], model_version: str, spread: Reals | None = None
) -> pa.Table:
    """Rows of `tables.FORECASTS` for the origins of `features`; arrays are [origins, horizons], in units but `spread`.

    From a delisting on that is known at the origin, mean and quantiles are 0. Baselines have no spread.
    """
    origins, horizon_days = means.shape
    is_listed = is_listed_ahead(features, horizon_days)
    origin = np.repeat(np.arange(origins), horizon_days)
    horizon = np.tile(np.arange(1, horizon_days + 1, dtype=np.int64), origins)
    day = day_numbers(features.column(DAY))
    columns: dict[str, Any] = {name: features.column(name).take(origin) for name in (DAY, "product_id", "location")}
    columns["target_date"] = pa.array((day[origin] + horizon).astype(np.int32)).cast(pa.date32())
    columns["horizon"] = horizon
    columns["mean"] = _real32(np.where(is_listed, means, 0))
    columns |= {name: _real32(np.where(is_listed, values, 0)) for name, values in quantiles.items()}
    columns["spread"] = pa.nulls(len(origin), pa.float32()) if spread is None else _real32(spread)
    columns["model_version"] = pa.repeat(pa.scalar(model_version), len(origin))
    schema = FORECASTS.arrow_schema
    arrays = [_cast(columns[field.name], field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def series_key(table: pa.Table) -> pa.Array:
    """Product and location of each row as one text, the same in every table."""
    return key_of(table["product_id"], table["location"])


def key_of(product: pa.Array | pa.ChunkedArray, location: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Both names of each row as one text."""
    join: Any = pc.binary_join_element_wise  # pyright: ignore[reportAttributeAccessIssue]
    keys = join(product.cast(pa.string()), location.cast(pa.string()), "\n")
    return keys.combine_chunks() if isinstance(keys, pa.ChunkedArray) else keys


def keys_that_hold(product: pa.Array | pa.ChunkedArray, location: pa.Array | pa.ChunkedArray) -> list[pa.Array]:
    """The keys of lines that hold for each row, the narrowest first: an empty product or location means every one."""
    every = pa.array([""] * len(product), pa.string())
    pairs = [(product, location), (product, every), (every, location), (every, every)]
    return [key_of(*pair) for pair in pairs]


def day_numbers(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """A column of dates as days since 1970."""
    return column.cast(pa.date32()).cast(pa.int32()).to_numpy().astype(np.int64)


def _cast(values: Any, arrow_type: pa.DataType) -> pa.Array | pa.ChunkedArray:
    array = pa.array(values) if isinstance(values, np.ndarray) else values
    return array.cast(arrow_type)


def _real32(values: Reals) -> NDArray[np.float32]:
    return np.maximum(values, 0).astype(np.float32).ravel()
