"""Panels: any table of daily sales, as the demand rows and covariates that the forecasting code works on.

What belongs here: reading a panel and saying clearly what is wrong with it. What does not: features, models, origins.

A panel has one row per product x location x day with `quantity`, and columns of covariates. An absent row means that
the day's sales are unknown, not that nothing sold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from nexgen_assets.forecasting.effects import SHARE_SCALE, Promotions
from nexgen_assets.forecasting.frame import COVARIATE_HISTORY_DAYS, EPOCH, KNOWN_DAYS, Real32, Whole
from nexgen_assets.tables import DAILY_DEMAND, DAY, HORIZON_DAYS

REQUIRED = ("product_id", "location", "date", "quantity")


class PanelError(ValueError):
    """A panel cannot be used; the message names file, column, value and what to do."""


@dataclass(frozen=True)
class PanelColumns:
    """Which columns of a panel hold what, beside the required ones."""

    known: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    stockout: str | None = None

    @property
    def all(self) -> tuple[str, ...]:
        return (*REQUIRED, *self.known, *self.static, *((self.stockout,) if self.stockout else ()))


@dataclass(frozen=True)
class Panel:
    """A panel on a dense grid: arrays are [series, days] from `first_day` on; not a number stands for unknown."""

    product: pa.Array
    location: pa.Array
    first_day: date
    quantity: Real32
    is_stockout: NDArray[np.bool_]
    first_row: Whole
    category: pa.Array
    covariates: "PanelCovariates"

    @property
    def last_day(self) -> date:
        """The last day on which any sales are known."""
        return self.first_day + timedelta(days=int(np.flatnonzero(np.isfinite(self.quantity).any(axis=0))[-1]))

    def demand(self, until: date) -> pa.Table:
        """Rows of `tables.DAILY_DEMAND`: every series from its first row to that day, `demand_units` empty if unknown.

        Revenue counts units, so that sales value weighs by volume.
        """
        days = (until - self.first_day).days + 1
        number = np.arange(days)
        series, day = np.nonzero(number[None, :] >= self.first_row[:, None])
        sold = self.quantity[:, :days]
        sold_on = np.where(sold > 0, number, -1)
        last_sale = np.maximum.accumulate(sold_on, axis=1)
        start = np.minimum(self.first_row, days - 1)[:, None]
        since = number - np.where(last_sale >= 0, last_sale, start)
        units = pa.array(sold[series, day].astype(np.float64), from_pandas=True).cast(pa.float64())
        columns: dict[str, Any] = {
            DAY: pa.array(((self.first_day - EPOCH).days + day).astype(np.int32)).cast(pa.date32()),
            "product_id": self.product.take(pa.array(series)),
            "location": self.location.take(pa.array(series)),
            "category": self.category.take(pa.array(series)),
            "demand_units": _decimal(units, pa.decimal128(18, 3)),
            "revenue": _decimal(units, pa.decimal128(18, 4)),
            "days_since_sale": pa.array(since[series, day]),
            "is_stockout": pa.array(self.is_stockout[:, :days][series, day]),
        }
        schema = pa.schema([field.with_nullable(True) for field in DAILY_DEMAND.arrow_schema])
        arrays = [columns.get(f.name, pa.nulls(len(series), f.type)) for f in schema]
        return pa.Table.from_arrays(arrays, schema=schema)


@dataclass(frozen=True)
class PanelCovariates:
    """A panel's covariates, asked by product, location and origin (see `frame.Covariates`).

    `values` [names, series, days] from `first_day` on, `fixed` [series, static_names].
    """

    names: tuple[str, ...]
    static_names: tuple[str, ...]
    keys: pd.Index
    first_day: int
    values: Real32
    fixed: Real32

    def around(self, features: pa.Table, origin: Whole) -> list[Real32]:
        """Values [rows, KNOWN_DAYS] of each name around origins within the panel; beyond its days they are unknown."""
        return list(self._windows[:, self._series(features), origin - self.first_day])

    def holidays(self, features: pa.Table, origin: Whole) -> None:
        """None: a panel's own are covariates of its."""

    @cached_property
    def _windows(self) -> Real32:
        """A view [names, series, days, KNOWN_DAYS]: the days around each, to be copied in one piece."""
        margins = ((0, 0), (0, 0), (COVARIATE_HISTORY_DAYS - 1, HORIZON_DAYS))
        return sliding_window_view(np.pad(self.values, margins, constant_values=np.nan), KNOWN_DAYS, axis=2)

    def static(self, features: pa.Table) -> Real32:
        return self.fixed[self._series(features)]

    @property
    def promotion_names(self) -> tuple[str, ...]:
        """Those that look like promotions: shares from 0 to 1, on days on which any series has one, of few series."""
        return self._promotion_names

    @cached_property
    def _promotion_names(self) -> tuple[str, ...]:
        return tuple(name for name, values in zip(self.names, self.values, strict=True) if _is_promotion(values))

    def promotions(self) -> tuple[Promotions, ...]:
        """What of these covariates was on promotion on each day."""
        keys = pa.array(self.keys.to_numpy(dtype=object), pa.string())
        return tuple(self._runs(name, keys) for name in self.promotion_names)

    def _runs(self, name: str, keys: pa.Array) -> Promotions:
        share = np.rint(np.nan_to_num(self.values[self.names.index(name)]) * SHARE_SCALE).astype(np.int64)
        before, after = (np.pad(share, ((0, 0), sides)) for sides in ((1, 0), (0, 1)))
        starts = (share > 0) & (share != before[:, :-1])
        ends = (share > 0) & (share != after[:, 1:])
        (series, start), (_, end) = np.nonzero(starts), np.nonzero(ends)
        encoded = pa.DictionaryArray.from_arrays(pa.array(series.astype(np.int32)), keys)
        return Promotions(name, encoded, start + self.first_day, end + self.first_day, share[series, start])

    def _series(self, features: pa.Table) -> NDArray[np.intp]:
        return self.keys.get_indexer(_key(features["product_id"].to_pandas(), features["location"].to_pandas()))


def read_panel(path: Path, columns: PanelColumns) -> Panel:
    """The panel in a Parquet file; raises PanelError with file, column, value and what to do."""
    names = pq.read_schema(path).names
    if missing := [name for name in columns.all if name not in names]:
        raise PanelError(f"{path}: there is no column {missing[0]!r}; the file has {', '.join(names)}")
    rows = pq.read_table(path, columns=list(dict.fromkeys(columns.all))).to_pandas()
    return panel_of(rows, columns, str(path))


def panel_of(rows: pd.DataFrame, columns: PanelColumns, source: str = "panel") -> Panel:
    """The panel in a table with the columns named; raises PanelError, naming `source`."""
    _refuse_unusable(rows, source)
    key = _key(rows["product_id"], rows["location"])
    series, keys = pd.factorize(key, sort=True)
    days = pd.to_datetime(rows["date"]).to_numpy().astype("datetime64[D]").astype(np.int64)
    first = int(days.min())
    shape = (len(keys), int(days.max()) - first + 1)
    place = (series, days - first)
    if len(np.unique(series * shape[1] + days - first)) < len(rows):
        twice = rows[rows.duplicated(["product_id", "location", "date"])].iloc[0]
        raise PanelError(
            f"{source}: product {twice['product_id']}, location {twice['location']}, {twice['date']} has two rows; "
            "a panel has one row per product, location and day"
        )
    first_row = np.full(shape[0], shape[1])
    np.minimum.at(first_row, *place)
    some_row = np.zeros(shape[0], np.int64)
    some_row[series] = np.arange(len(rows))
    fixed = [_codes(_column(rows, name), name, source)[some_row] for name in columns.static]
    covariates = PanelCovariates(
        columns.known,
        columns.static,
        pd.Index(keys),
        first,
        np.stack([_grid(shape, place, _numbers(_column(rows, name))) for name in columns.known])
        if columns.known
        else np.empty((0, *shape), np.float32),
        np.stack(fixed, axis=1) if fixed else np.empty((shape[0], 0), np.float32),
    )
    stockout = _grid(shape, place, _numbers(_column(rows, columns.stockout))) if columns.stockout else np.zeros(shape)
    category = rows[columns.static[0]].iloc[some_row] if columns.static else pd.Series([None] * shape[0], dtype=object)
    return Panel(
        product=pa.array(rows["product_id"].iloc[some_row].astype(str), pa.string()),
        location=pa.array(rows["location"].iloc[some_row].astype(str), pa.string()),
        first_day=EPOCH + timedelta(days=first),
        quantity=_grid(shape, place, _numbers(_column(rows, "quantity"))),
        is_stockout=np.nan_to_num(stockout) > 0,
        first_row=first_row,
        category=pa.array([None if pd.isna(name) else str(name) for name in category], pa.string()),
        covariates=covariates,
    )


def _refuse_unusable(rows: pd.DataFrame, source: str) -> None:
    if rows.empty:
        raise PanelError(f"{source} has no rows")
    for name in ("product_id", "location", "date"):
        if missing := int(_column(rows, name).isna().sum()):
            raise PanelError(f"{source}: {missing} rows have no {name}; every row needs one")
    quantity = _column(rows, "quantity")
    if not pd.api.types.is_numeric_dtype(quantity):
        raise PanelError(f"{source}: quantity holds {quantity.dtype}; it must hold numbers")
    negative = rows[quantity < 0]
    if len(negative):
        row = negative.iloc[0]
        raise PanelError(
            f"{source}: quantity is {row['quantity']} for product {row['product_id']}, location {row['location']}, "
            f"{row['date']}; it must be at least 0: take returns out of the demand"
        )


def _key(product: Any, location: Any) -> pd.Series:
    return product.astype(str) + "\n" + location.astype(str)


def _is_promotion(values: Real32) -> bool:
    known = np.isfinite(values)
    is_on = np.where(known, values, 0) > 0
    days = is_on.any(axis=0)
    is_share = bool(np.all((values[known] >= 0) & (values[known] <= 1)))
    return is_share and bool(days.any()) and is_on[:, days].sum() < known[:, days].sum() / 2


def _grid(shape: tuple[int, int], place: Sequence[Whole], values: Real32) -> Real32:
    grid = np.full(shape, np.nan, np.float32)
    grid[tuple(place)] = values
    return grid


def _numbers(column: pd.Series) -> Real32:
    """A covariate as numbers; names become codes in their order."""
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return column.to_numpy(dtype=np.float32, na_value=np.nan)
    codes = column.astype("category").cat.codes.to_numpy(np.float32)
    return np.where(codes < 0, np.nan, codes).astype(np.float32)


def _column(rows: pd.DataFrame, name: str) -> pd.Series:
    return pd.Series(rows[name])


def _codes(column: pd.Series, name: str, source: str) -> Real32:
    if column.isna().all():
        raise PanelError(f"{source}: column {name!r} is empty; leave it out")
    return pd.factorize(column, sort=True)[0].astype(np.float32)


def _decimal(units: pa.Array, decimal: pa.Decimal128Type) -> pa.Array:
    rounded = pa.array(np.round(units.to_numpy(zero_copy_only=False), decimal.scale), from_pandas=True)
    return rounded.cast(decimal, safe=False)
