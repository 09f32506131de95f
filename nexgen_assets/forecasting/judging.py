"""What forecasts were worth: errors by segment and horizon as sums that add up, and the measures that are their ratios.

What belongs here: comparing any method's outlook with what came. What does not: fitting, choosing origins, plots.

Sums (`SUMS`) add up over segments of a kind, horizons and origins; every measure (`measures`) is a ratio of such sums,
so that it is computed alike for a row of the table `backtest` and for many of them together.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from nexgen_assets.forecasting import evaluation
from nexgen_assets.forecasting.baselines import SEASON_DAYS
from nexgen_assets.forecasting.holdout import Holdout
from nexgen_assets.forecasting.outlook import Outlook
from nexgen_assets.forecasting.rows import SERIES
from nexgen_assets.forecasting.segments import Segments, segments_of
from nexgen_assets.tables import BACKTEST, DAY, QUANTILES

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Sums = Mapping[str, Floats]

DAY_AHEAD, ALL_DAYS, TOTAL = "day", "all_days", "total"
TOTAL_DAYS = (7, 14, 28)
KEYS = ["method", "recipe", "origin_date", "segment_kind", "segment", "target", "horizon"]
POINT_SUMS = ("observations", "demand_units", "forecast_units", "absolute_error_units")
SCALED_SUMS = (
    *("scaled_absolute_error", "scaled_observations", "root_scaled_error", "scaled_series"),
    *("weighted_root_scaled_error", "weight"),
)
QUANTILE_SUMS = (
    "in_stock_observations",
    "in_stock_demand_units",
    *(f"{name}_{q}" for q in QUANTILES for name in ("pinball", "at_or_below", "below")),
)
SUMS = (*POINT_SUMS, *SCALED_SUMS, *QUANTILE_SUMS)


@dataclass(frozen=True)
class Ahead:
    """The series of an origin, what came after it, and how to scale and group their errors.

    `seasonal_scale` [series] is the mean change of demand from a day to the same weekday a week later, up to the
    origin.
    """

    holdout: Holdout
    seasonal_scale: Floats
    segments: Segments

    @classmethod
    def of(cls, holdout: Holdout, demand: DataFrame, origin: date) -> "Ahead":
        """From the days held out at an origin, and rows of `tables.DAILY_DEMAND` of which later ones are ignored."""
        scale = seasonal_scales(demand, origin).toPandas().set_index(SERIES)["scale"]
        series = pd.MultiIndex.from_arrays([holdout.features[name].to_pylist() for name in SERIES])
        segments = segments_of(holdout.features, holdout.sales_value)
        return cls(holdout, scale.reindex(series).to_numpy(np.float64), segments)


def seasonal_scales(demand: DataFrame, origin: date) -> DataFrame:
    """One row per series that sold: the scale of its MASE, the mean of |y(t) - y(t - 7)| since its first sale.

    (Hyndman & Koehler, Int. J. Forecasting 22, 2006.) Empty for series younger than eight days. A change touches a day
    with a sale, so days without one need not be looked at: a sale without one a week before or after is a change of
    its own size.
    """
    sold = demand.where((F.col(DAY) <= F.lit(origin)) & (F.col("demand_units") > 0)).select(
        *SERIES, DAY, F.col("demand_units").cast("double").alias("units")
    )
    first = sold.groupBy(*SERIES).agg(F.min(DAY).alias("first_day"))
    before = sold.select(*SERIES, F.date_add(DAY, SEASON_DAYS).alias(DAY), F.col("units").alias("before"))
    both = sold.join(before, [*SERIES, DAY], "full").join(first, SERIES)
    is_pair = (F.col(DAY) >= F.date_add("first_day", SEASON_DAYS)) & (F.col(DAY) <= F.lit(origin))
    change = F.abs(F.coalesce("units", F.lit(0.0)) - F.coalesce("before", F.lit(0.0)))
    sums = both.groupBy(*SERIES).agg(
        F.sum(F.when(is_pair, change).otherwise(F.lit(0.0))).alias("changes"),
        (F.datediff(F.lit(origin), F.max("first_day")) + 1 - SEASON_DAYS).alias("pairs"),
    )
    scale = F.when(F.col("pairs") > 0, F.col("changes") / F.nullif(F.col("pairs"), F.lit(0)))
    return sums.select(*SERIES, scale.alias("scale"))


def judge(outlook: Outlook, ahead: Ahead, method: str, recipe: str | None, origin: date) -> pd.DataFrame:
    """`SUMS` of a method at an origin by `KEYS`: every segment, with each day ahead, all days, and totals.

    A day of unknown demand is no error. Errors of days are judged on days in stock, quantiles of totals on totals of
    such days: what was sold out of stock is not all that was wanted. Means of totals, and RMSSE, are judged on all.
    """
    membership = ahead.segments.membership
    parts = []
    for target, horizons, sums in _targets(outlook, ahead):
        summed = {name: membership @ values for name, values in sums.items()}
        keys = pd.MultiIndex.from_product([range(len(membership)), horizons], names=["number", "horizon"])
        part = pd.DataFrame({name: values.ravel() for name, values in summed.items()}, index=keys).reset_index()
        part["series"] = np.repeat(membership.sum(axis=1), len(horizons)).astype(np.int64)
        parts.append(part.assign(target=target))
    rows = pd.concat(parts, ignore_index=True)
    kinds, names = (np.array(found, dtype=object) for found in zip(*ahead.segments.names, strict=True))
    number = rows.pop("number").to_numpy()
    rows = rows.assign(
        method=method, recipe=recipe, origin_date=origin, segment_kind=kinds[number], segment=names[number]
    )
    return rows.reindex(columns=[*KEYS, "series", *SUMS])


def measures(sums: pd.DataFrame) -> pd.DataFrame:
    """The measures of rows of `SUMS`, by the columns of `tables.BACKTEST`; not a number where undefined."""
    demand, in_stock = sums["demand_units"], sums["in_stock_demand_units"]
    of_days = sums["in_stock_observations"]
    found = {
        "wape": _ratio(sums["absolute_error_units"], demand),
        "bias": _ratio(sums["forecast_units"] - demand, demand),
        "mase": _ratio(sums["scaled_absolute_error"], sums["scaled_observations"]),
        "rmsse": _ratio(sums["root_scaled_error"], sums["scaled_series"]),
        "wrmsse": _ratio(sums["weighted_root_scaled_error"], sums["weight"]),
        **{f"wql_{q}": _ratio(2 * sums[f"pinball_{q}"], in_stock) for q in QUANTILES},
        **{f"coverage_{q}": _ratio(sums[f"at_or_below_{q}"], of_days) for q in QUANTILES},
        **{f"coverage_below_{q}": _ratio(sums[f"below_{q}"], of_days) for q in QUANTILES},
    }
    found["wql"] = sum(found[f"wql_{q}"] for q in QUANTILES) / len(QUANTILES)
    return pd.DataFrame(found, index=sums.index)


def scores(sums: pd.DataFrame, *by: str) -> pd.DataFrame:
    """Measures of all rows of each group together, by the columns `by`."""
    # a sum that a method does not have stays without value: it must not become 0
    summed: Any = sums.groupby(list(by), sort=False, dropna=False)[list(SUMS)].sum(min_count=1)
    return measures(summed)


def backtest_rows(sums: pd.DataFrame) -> pa.Table:
    """Rows of `tables.BACKTEST`: the sums of units, and the measures."""
    found = pd.concat([sums, measures(sums)], axis=1)
    columns = []
    for column in BACKTEST.columns:
        values: Any = found[column.name]
        columns.append(pa.Array.from_pandas(values, type=column.type))
    return pa.Table.from_arrays(columns, schema=BACKTEST.arrow_schema)


def item_errors(outlook: Outlook, ahead: Ahead) -> pd.DataFrame:
    """One row per series: demand and forecast of the whole horizon, and the error of that total in units and money."""
    rows = ahead.holdout.features
    actual, forecast = (values.sum(axis=1) for values in _known(outlook, ahead))
    price = rows["unit_price"].cast(pa.float64()).to_numpy()
    return pd.DataFrame(
        {
            **{name: rows[name].to_pylist() for name in (*SERIES, "product_name")},
            "demand_units": actual,
            "forecast_units": forecast,
            "error_units": np.abs(forecast - actual),
            "error_value": np.abs(forecast - actual) * price,
        }
    )


def worst_items(errors: Sequence[pd.DataFrame], count: int) -> pd.DataFrame:
    """The series with the largest errors of their totals in sum over the origins: in money, without prices in units."""
    by_series: Any = pd.concat(errors).groupby(SERIES, sort=True)
    summed = by_series[["demand_units", "forecast_units", "error_units"]].sum()
    summed["error_value"] = by_series["error_value"].sum(min_count=1)
    summed.insert(0, "product_name", by_series["product_name"].last())
    return summed.sort_values(["error_value", "error_units"], ascending=False, na_position="last").head(count)


def _ratio(numerator: Any, denominator: Any) -> Any:
    return numerator / denominator.where(denominator != 0)


def _known(outlook: Outlook, ahead: Ahead) -> tuple[Floats, Floats]:
    """Demand and forecast [series, days], both 0 where demand is unknown."""
    is_known = ~np.isnan(ahead.holdout.demand)
    return np.where(is_known, ahead.holdout.demand, 0), np.where(is_known, outlook.means, 0).astype(np.float64)


def _targets(outlook: Outlook, ahead: Ahead) -> Iterator[tuple[str, Sequence[int], dict[str, Floats]]]:
    """Kind of target, its horizons, and the sums of each series [series, horizons]."""
    holdout = ahead.holdout
    actual, forecast = _known(outlook, ahead)
    is_known, days = ~np.isnan(holdout.demand), actual.shape[1]
    in_stock = is_known & ~holdout.is_stockout
    sold, told = np.where(in_stock, actual, 0), np.where(in_stock, forecast, 0)
    of_days: dict[str, Floats] = {
        **_point(sold, told, in_stock),
        **_absolute_scaled(sold, told, in_stock, ahead.seasonal_scale),
        **_quantiles(actual, outlook.quantiles, in_stock),
    }
    yield DAY_AHEAD, range(1, days + 1), {**of_days, **_root_scaled(actual[:, :, None], forecast[:, :, None], holdout)}
    over_days = {name: values.sum(axis=1, keepdims=True) for name, values in of_days.items()}
    yield ALL_DAYS, [days], {**over_days, **_root_scaled(actual[:, None], forecast[:, None], holdout)}
    lengths = [n for n in TOTAL_DAYS if n <= days]
    last = np.array(lengths, np.intp) - 1
    sums, forecasts = (np.cumsum(values, axis=1)[:, last] for values in (actual, forecast))
    is_whole = np.logical_and.accumulate(in_stock, axis=1)[:, last]
    totals = [outlook.totals[n] for n in lengths if n in outlook.totals]
    quantiles = {q: np.stack([t.quantile(p) for t in totals], axis=1) for q, p in QUANTILES.items()} if totals else {}
    any_known = np.logical_or.accumulate(is_known, axis=1)[:, last]
    yield TOTAL, lengths, {**_point(sums, forecasts, any_known), **_quantiles(sums, quantiles, is_whole)}


def _point(actual: Floats, forecast: Floats, is_known: Flags) -> dict[str, Floats]:
    return {
        "observations": is_known.astype(np.float64),
        "demand_units": actual,
        "forecast_units": forecast,
        "absolute_error_units": np.abs(forecast - actual),
    }


def _absolute_scaled(actual: Floats, forecast: Floats, is_known: Flags, scale: Floats) -> dict[str, Floats]:
    has_scale = (np.nan_to_num(scale) > 0)[:, None]
    error = np.abs(forecast - actual) / np.where(has_scale, scale[:, None], np.inf)
    return {"scaled_absolute_error": error, "scaled_observations": (is_known & has_scale).astype(np.float64)}


def _root_scaled(actual: Floats, forecast: Floats, holdout: Holdout) -> dict[str, Floats]:
    """RMSSE of each series [series, horizons] over the days of the last axis, and their weights by sales value."""
    horizons = range(actual.shape[1])
    error = np.stack([evaluation.rmsse(actual[:, h], forecast[:, h], holdout.scale) for h in horizons], axis=1)
    is_defined = np.isfinite(error)
    weight = np.where(is_defined, np.maximum(holdout.sales_value, 0)[:, None], 0)
    error = np.nan_to_num(error).astype(np.float64)
    return {
        "root_scaled_error": error,
        "scaled_series": is_defined.astype(np.float64),
        "weighted_root_scaled_error": error * weight,
        "weight": weight,
    }


def _quantiles(actual: Floats, quantiles: Mapping[str, Any], is_judged: Flags) -> dict[str, Floats]:
    """Nothing of a method without quantiles."""
    if not quantiles:
        return {}
    found = {
        "in_stock_observations": is_judged.astype(np.float64),
        "in_stock_demand_units": np.where(is_judged, actual, 0),
    }
    for name, level in QUANTILES.items():
        error = actual - quantiles[name]
        found[f"pinball_{name}"] = np.where(is_judged, evaluation.pinball_losses(actual, quantiles[name], level), 0)
        found[f"at_or_below_{name}"] = (is_judged & (error <= 0)).astype(np.float64)
        found[f"below_{name}"] = (is_judged & (error < 0)).astype(np.float64)
    return found
