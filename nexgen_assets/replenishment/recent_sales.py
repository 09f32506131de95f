"""What the last days' sales say of each order row: a silence that is no chance, and sales far from their forecast.

What belongs here: both measures, from the daily tables of a bounded number of days. What does not: what follows from
them (`exceptions.py`), the judgement of all forecasts together (`forecasting/drift.py`), and reading tables.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nexgen_assets.forecasting.interval import IntervalDemand
from nexgen_assets.forecasting.quantiles import Calibration
from nexgen_assets.forecasting.rows import series_key
from nexgen_assets.replenishment.origins import DailyForecasts, listed_demand

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
DayOf = Callable[[date], pa.Table]

SILENT_DAYS = 28  # days looked back on for a silence
SILENCE_CHANCE = 0.001
RATE_DAYS = 91
JUDGED_DAYS = 7  # whole weeks: every weekday counts alike
JUDGED_WEEKS = 2
# on either side, of each week: the tails beyond are measured poorly where a model learned from few series
FORECAST_CHANCE = 0.05
DEMAND_COLUMNS = ("product_id", "location", "demand_units", "is_open", "is_stockout", "is_stockout_assumed")
STOCK_COLUMNS = ("product_id", "location", "on_hand")
RATE_COLUMNS = ("product_id", "location", "days_since_sale", "age_days", f"zero_share_{RATE_DAYS}")


class RecentSales(NamedTuple):
    """Of each order row [rows]; not a number where nothing can be said.

    `silent_days` are days without a sale though there was stock and the location was open; `longest_silence` of them
    are as likely as SILENCE_CHANCE. `sold_units` of the last JUDGED_DAYS stand beside what was forecast for them:
    `forecast_units` on average, below `least_units` or above `most_units` with FORECAST_CHANCE each. `side_before` says
    where the JUDGED_DAYS before those were beside their own forecast: 1 above, -1 below, 0 within.
    """

    silent_days: Floats
    longest_silence: Floats
    sold_units: Floats
    forecast_units: Floats
    least_units: Floats
    most_units: Floats
    side_before: Floats


def nothing_known(rows: int) -> RecentSales:
    """Of so many order rows."""
    return RecentSales(*(np.full(rows, np.nan) for _ in RecentSales._fields))


@dataclass(frozen=True)
class Outlook:
    """What one origin forecast for the JUDGED_DAYS after it: the mean of each [series, JUDGED_DAYS], and their sum."""

    series: pa.Array
    means: Floats
    demand: IntervalDemand


def outlook(features: pa.Table, forecasts: pa.Table, calibration: Calibration | None) -> Outlook:
    """From rows of `tables.CLEANED_FEATURES` and `tables.FORECASTS` of one origin; series that only one has are left.

    `calibration` is that of the model that made the forecasts, None if they are the seasonal naive's.
    """
    ahead = forecasts.sort_by([(name, "ascending") for name in ("product_id", "location", "horizon")])
    told = DailyForecasts.of(ahead)
    series = series_key(ahead.filter(pc.field("horizon") == pa.scalar(1)))
    place = _place(series, series_key(features))
    is_known = place >= 0
    told, known = told.take(np.flatnonzero(is_known)), features.take(pa.array(place[is_known]))
    demand = listed_demand(known, told, np.full(known.num_rows, JUDGED_DAYS), calibration)
    return Outlook(series.filter(pa.array(is_known)), told.means[:, :JUDGED_DAYS].astype(np.float64), demand)


def recent_sales(
    day: date,
    orders: pa.Table,
    *,
    demand: DayOf,
    positions: DayOf,
    features: pa.Table,
    forecasts: Sequence[Outlook | None],
) -> RecentSales:
    """What the days up to `day` say of the order rows of that day.

    `demand` and `positions` give the rows of `tables.DAILY_DEMAND` (DEMAND_COLUMNS) and `tables.INVENTORY_POSITIONS`
    (STOCK_COLUMNS) of a day, none of a day that was never built; `features` those of `tables.CLEANED_FEATURES`
    (RATE_COLUMNS) of `day`; `forecasts` are the outlooks of its `judged_origins`, None without one.
    """
    series = series_key(orders)
    days = [_Day.of(series, demand(on), positions(on)) for on in (day - timedelta(days=n) for n in range(SILENT_DAYS))]
    last, before = (
        _beside_forecast(series, days[JUDGED_DAYS * week :][:JUDGED_DAYS], forecasts[week])
        for week in range(JUDGED_WEEKS)
    )
    return RecentSales(_silence(days), _longest_silence(series, features), *last, side_before=_side(*before))


def judged_origins(day: date) -> list[date]:
    """The origins whose forecasts the sales up to `day` stand beside, the newest first."""
    return [day - timedelta(days=JUDGED_DAYS * (week + 1)) for week in range(JUDGED_WEEKS)]


@dataclass(frozen=True)
class _Day:
    """One day of the series [rows]."""

    units: Floats  # not a number where unknown
    has_row: Flags
    is_open: Flags
    has_stock: Flags
    is_out_of_stock: Flags

    @classmethod
    def of(cls, series: pa.Array, demand: pa.Table, positions: pa.Table) -> "_Day":
        place, stock_place = _place(series, series_key(demand)), _place(series, series_key(positions))
        has_row, on_hand = place >= 0, _at(positions["on_hand"], stock_place)
        told, assumed = (_at(demand[name], place) > 0 for name in ("is_stockout", "is_stockout_assumed"))
        return cls(
            # a series without a row sold nothing
            units=np.where(has_row, _at(demand["demand_units"], place), 0.0),
            has_row=has_row,
            is_open=_at(demand["is_open"], place) > 0,
            has_stock=on_hand > 0,
            is_out_of_stock=told | assumed | (on_hand <= 0),
        )

    def served(self, forecast: Floats) -> Floats:
        """Units sold; as much as was forecast where less could be sold, closed or out of stock."""
        could_not = self.is_out_of_stock | (self.has_row & ~self.is_open)
        return np.where(could_not, np.fmax(self.units, forecast), self.units)


def _silence(days: list[_Day]) -> Floats:
    """Days in stock and open since the last sale, the newest first; a day that nobody knows does not count."""
    silent, is_silent = np.zeros(len(days[0].units)), np.ones(len(days[0].units), bool)
    for day in days:
        is_silent &= ~(day.units > 0)
        silent += is_silent & (day.units == 0) & day.is_open & day.has_stock
    return silent


def _longest_silence(series: pa.Array, features: pa.Table) -> Floats:
    """Days without a sale that are as likely as SILENCE_CHANCE, by the share of days with one before the silence.

    With s days with a sale of m, the share is (s + 1) / (m + 2): Laplace's rule of succession, so that few days do not
    promise much. Days count as independent.
    """
    place = _place(series, series_key(features))
    since, age, zeros = (_at(features[name], place) for name in RATE_COLUMNS[2:])
    known = np.minimum(age + 1, RATE_DAYS)
    before = known - since
    with_sale = np.minimum((1 - zeros) * known, before)
    with np.errstate(invalid="ignore", divide="ignore"):
        longest = np.log(SILENCE_CHANCE) / np.log1p(-(with_sale + 1) / (before + 2))
    return np.where((before > 0) & (with_sale > 0), longest, np.nan)


def _side(sold: Floats, _: Floats, least: Floats, most: Floats) -> Floats:
    return (sold > most).astype(np.float64) - (sold < least)


def _beside_forecast(
    series: pa.Array, days: list[_Day], forecast: Outlook | None
) -> tuple[Floats, Floats, Floats, Floats]:
    """Units sold, the mean forecast and its bounds; `days` are those of the forecast, the newest first."""
    if forecast is None:
        unknown = np.full(len(series), np.nan)
        return unknown, unknown, unknown, unknown
    place = _place(series, forecast.series)
    low, high = (forecast.demand.quantile(p) for p in (FORECAST_CHANCE, 1 - FORECAST_CHANCE))
    mean, least, most = (_values_at(values, place) for values in (forecast.demand.mean, low, high))
    means = [_values_at(forecast.means[:, JUDGED_DAYS - 1 - n], place) for n in range(JUDGED_DAYS)]
    sold = np.sum([day.units for day in days], axis=0)
    served = np.sum([day.served(of_day) for day, of_day in zip(days, means, strict=True)], axis=0)
    # what a day counts as, because nothing could be sold, may not make a week too high
    return np.where(sold > most, sold, np.minimum(served, most)), mean, least, most


def _place(series: pa.Array, among: pa.Array) -> NDArray[np.int64]:
    """Where each series stands among others; -1 where it does not."""
    index_in: Any = pc.index_in  # pyright: ignore[reportAttributeAccessIssue]
    return index_in(series, among).fill_null(-1).to_numpy().astype(np.int64)


def _at(column: pa.ChunkedArray, place: NDArray[np.int64]) -> Floats:
    """The values at these places as doubles; not a number where there is no place or no value."""
    values = column.cast(pa.int8()) if pa.types.is_boolean(column.type) else column
    return _values_at(values.cast(pa.float64()).to_numpy(), place)


def _values_at(values: Floats, place: NDArray[np.int64]) -> Floats:
    return np.append(values, np.nan)[place]
