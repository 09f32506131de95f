"""Forecasts beside what was sold: sums of errors from which every measure of accuracy follows.

What belongs here: judging the forecasts of one day once its demand is known. What does not: whether the errors are
what was to be expected (`drift.py`), and the scores of a model before it serves (`training.py`).

What counts is what counts in training. A series without a row on a day sold nothing. A day of unknown demand, be it the
one that was forecast or the one that the seasonal naive repeats, is left out. On a day known to be out of stock less
was sold than wanted: such days are counted apart, and tell only where even the units sold were above a quantile.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nexgen_assets.forecasting.baselines import SEASON_DAYS
from nexgen_assets.forecasting.evaluation import pinball_losses
from nexgen_assets.forecasting.rows import series_key
from nexgen_assets.tables import DAY, FORECAST_ACCURACY, HORIZON_DAYS, JUDGED_QUANTILES, QUANTILES, VOLUME_CLASSES

FORECAST_COLUMNS = ("product_id", "location", "horizon", "mean", *JUDGED_QUANTILES, "model_version")
DEMAND_COLUMNS = ("product_id", "location", "demand_units", "is_stockout")
GROUP = ("model_version", "horizon", "volume_class")

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def naive_days(day: date) -> dict[int, date]:
    """Lag -> the day that a seasonal naive repeats for `day`: the last same weekday up to the origin, by horizon.

    Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 3rd ed. 2021, section 5.2.
    """
    lags = sorted({_naive_lag(horizon) for horizon in range(1, HORIZON_DAYS + 1)})
    return {lag: day - timedelta(days=lag) for lag in lags}


def accuracy_of_day(day: date, forecasts: pa.Table, demand: Mapping[date, pa.Table]) -> pa.Table:
    """Rows of `tables.FORECAST_ACCURACY` of the day.

    `forecasts` are the rows of `tables.FORECASTS` (`FORECAST_COLUMNS`) that target the day, whatever their origin;
    `demand` holds the rows of `tables.DAILY_DEMAND` (`DEMAND_COLUMNS`) of the day and of its `naive_days`.
    """
    # in the order of the series: a sum of reals depends on it, and the same rows shall give the same table
    forecasts = forecasts.sort_by([(name, "ascending") for name in ("horizon", "product_id", "location")])
    keys = series_key(forecasts).dictionary_encode()
    series, place = keys.dictionary, keys.indices.to_numpy()
    sold, is_stockout = _sold(demand[day], series)
    lag = _naive_lag(_column(forecasts, "horizon"))
    naive = np.zeros(len(place))
    for days, repeated in naive_days(day).items():
        naive[lag == days] = _sold(demand[repeated], series)[0][place[lag == days]]
    actual, is_cut_short = sold[place], is_stockout[place]
    is_known = np.isfinite(actual) & np.isfinite(naive)
    judged, cut_short = is_known & ~is_cut_short, is_known & is_cut_short
    sums = _errors(forecasts, actual, naive, judged) | _misses_out_of_stock(forecasts, actual, cut_short)
    return _summed(day, forecasts, sums, judged | cut_short)


def _naive_lag(horizon: Any) -> Any:
    return -(-horizon // SEASON_DAYS) * SEASON_DAYS


def _sold(demand: pa.Table, series: pa.Array) -> tuple[Floats, Flags]:
    """Units sold by each series, and whether it is known to have been out of stock; unknown units are not a number."""
    index_in: Any = pc.index_in  # pyright: ignore[reportAttributeAccessIssue]
    place = index_in(series, series_key(demand)).to_numpy(zero_copy_only=False)
    has_row = np.isfinite(place)
    rows = place[has_row].astype(np.int64)
    units, is_stockout = np.zeros(len(series)), np.zeros(len(series), bool)
    units[has_row] = _column(demand, "demand_units")[rows]
    is_stockout[has_row] = demand["is_stockout"].fill_null(False).to_numpy()[rows]
    return units, is_stockout


def _errors(forecasts: pa.Table, actual: Floats, naive: Floats, judged: Flags) -> dict[str, NDArray[Any]]:
    """What each forecast adds to the sums of its group; days that are not judged add nothing."""
    mean = _column(forecasts, "mean")
    error = mean - actual
    found: dict[str, NDArray[Any]] = {
        "demand_units": actual,
        "forecast_units": mean,
        "absolute_error_units": np.abs(error),
        "squared_error": error**2,
        "seasonal_naive_absolute_error_units": np.abs(naive - actual),
    }
    for name in JUDGED_QUANTILES:
        quantile = _column(forecasts, name)
        found[f"pinball_loss_{name}"] = pinball_losses(actual, quantile, QUANTILES[name])
        found[f"above_{name}"] = (actual > quantile).astype(np.int64)
    return {"series_days": judged.astype(np.int64)} | {
        name: np.where(judged, values, np.zeros(1, values.dtype)) for name, values in found.items()
    }


def _misses_out_of_stock(forecasts: pa.Table, actual: Floats, cut_short: Flags) -> dict[str, NDArray[Any]]:
    above = {name: cut_short & (actual > _column(forecasts, name)) for name in JUDGED_QUANTILES}
    return {"stockout_days": cut_short.astype(np.int64)} | {
        f"stockout_above_{name}": missed.astype(np.int64) for name, missed in above.items()
    }


def _summed(day: date, forecasts: pa.Table, sums: Mapping[str, NDArray[Any]], counted: Flags) -> pa.Table:
    """The sums by group, in the order of the groups; groups of which nothing counts have no row."""
    groups = {name: forecasts[name] for name in ("model_version", "horizon")}
    rows = pa.table({**groups, "volume_class": _volume_class(_column(forecasts, "mean")), **sums})
    grouped = rows.filter(pa.array(counted)).group_by(list(GROUP), use_threads=False)
    found = grouped.aggregate([(name, "sum") for name in sums]).sort_by([(name, "ascending") for name in GROUP])
    columns = {DAY: pa.repeat(pa.scalar(day), found.num_rows)}
    columns |= {name: found[name] for name in GROUP} | {name: found[f"{name}_sum"] for name in sums}
    schema = FORECAST_ACCURACY.arrow_schema
    return pa.Table.from_arrays([columns[field.name].cast(field.type) for field in schema], schema=schema)


def _volume_class(mean: Floats) -> pa.Array:
    names, bounds = list(VOLUME_CLASSES), list(VOLUME_CLASSES.values())
    place = np.searchsorted(bounds, mean, side="right") - 1
    return pa.DictionaryArray.from_arrays(place.astype(np.int32), names).cast(pa.string())


def _column(table: pa.Table, name: str) -> Floats:
    """A column of numbers; null is not a number."""
    return table[name].cast(pa.float64()).to_numpy()
