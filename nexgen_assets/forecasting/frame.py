"""The design matrix: what a model sees of series x origin x horizon, the same in training and in prediction.

What belongs here: joining an origin's features with what is known of the target date (calendar, covariates), and
scaling by the series' level. What does not: choosing rows to train on, targets, models.

Of the target date only what was known at the origin is used: its calendar and the promotions planned by then. Prices
and promotions read off sales lines are history only: on a target day they would tell that a sale happened.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nexgen_assets.forecasting.effects import effect_of
from nexgen_assets.forecasting.grid import EPOCH
from nexgen_assets.forecasting.listing import is_new_item
from nexgen_assets.forecasting.rows import day_numbers
from nexgen_assets.tables import (
    DAY,
    DEMAND_WINDOWS,
    HORIZON_DAYS,
    IN_STOCK_WINDOWS,
    SPREAD_WINDOWS,
    STOCKOUT_WINDOWS,
    WEEKDAY_LAGS,
)

Real32 = NDArray[np.float32]
Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]

LEVEL_FLOOR = 1 / 91  # units a day: one sale in the activity window
COVARIATE_HISTORY_DAYS = 28
KNOWN_DAYS = COVARIATE_HISTORY_DAYS + HORIZON_DAYS
HOLIDAY_REACH_DAYS = 14
UNKNOWN = -1

PRODUCT_TRENDS = (7, 91)  # of the product at all locations, against its last 28 days
EXPECTED_EFFECT = "expected_promotion_effect"
DAY_OF_YEAR = "day_of_year"
CALENDAR_FEATURES = ("weekday", "day_of_month", DAY_OF_YEAR, "is_holiday", "days_to_holiday", "days_from_holiday")
PRICES_AND_PROMOTIONS = (
    *("price_ratio_91", "category_price_ratio", "days_since_price_change"),
    *("promotion_share_28", "days_since_promotion"),
)
OWN_FEATURES = (
    "log_level",
    *(f"relative_mean_{w}" for w in DEMAND_WINDOWS),
    *(f"relative_in_stock_mean_{w}" for w in IN_STOCK_WINDOWS),
    *(f"relative_sd_{w}" for w in SPREAD_WINDOWS),
    *(f"zero_share_{w}" for w in SPREAD_WINDOWS),
    "relative_last_day",
    "relative_next_28_last_year",
    "relative_category_mean",
    "relative_location_mean",
    "relative_product_mean",
    *(f"product_trend_{w}" for w in PRODUCT_TRENDS),
    "days_since_sale",
    "age_days",
    "log_unit_price",
    *PRICES_AND_PROMOTIONS,
    *(f"stockout_share_{w}" for w in STOCKOUT_WINDOWS),
    "category_code",
)
WEEKDAY_FEATURES = ("relative_weekday_mean", "relative_weekday_last")


class Covariates(Protocol):
    """What is known of a series beside its demand: facts of the days ahead, and facts that never change."""

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def promotion_names(self) -> tuple[str, ...]:
        """Those of `names` whose effect on each product is a feature (`effects.effect_of`)."""
        ...

    @property
    def static_names(self) -> tuple[str, ...]: ...

    def around(self, features: pa.Table, origin: Whole) -> Sequence[Real32]:
        """For each name, values [rows, KNOWN_DAYS] of the days from 27 before to 28 after each origin, as known at it.

        `features` are rows of `tables.CLEANED_FEATURES`, `origin` their days since 1970; not a number stands for
        unknown.
        """
        ...

    def holidays(self, features: pa.Table, origin: Whole) -> Flags | None:
        """Which of these days [rows, KNOWN_DAYS] are holidays, beside those of the country; None if none is told."""
        ...

    def static(self, features: pa.Table) -> Real32:
        """Values [rows, static_names]."""
        ...


def feature_names(covariates: Covariates) -> tuple[str, ...]:
    """The columns of the design matrix, in order."""
    known = [column for name in covariates.names for column in (name, f"{name}_change")]
    fixed = ("horizon", *OWN_FEATURES, *WEEKDAY_FEATURES, *CALENDAR_FEATURES)
    return (*fixed, *known, EXPECTED_EFFECT, *covariates.static_names)


@dataclass(frozen=True)
class Frame:
    """Rows of series x origin x horizon: `matrix` [rows, feature_names], `level` [rows] in units a day."""

    matrix: Real32
    level: Real32


def level_of(features: pa.Table) -> Real32:
    """A series' recent level at each origin, in units a day: the unit in which the model thinks.

    Of a new item it is assumed: what the product sells at the other locations, else what a product of its category
    sells here, else (the feature says so) at all locations.
    """
    year, season, month = (_column(features, f"demand_mean_{days}") for days in (364, 91, 28))
    season = np.where(np.isnan(season), year, season)
    month = np.where(np.isnan(month), season, month)
    elsewhere, category = _column(features, "product_mean_28"), _column(features, "category_mean_28")
    assumed = np.where(np.isnan(elsewhere), category, elsewhere)
    level = np.where(is_new_item(features), assumed, 0.5 * month + 0.5 * season)
    return np.fmax(level, LEVEL_FLOOR).astype(np.float32)


def all_horizons(origins: int, horizon_days: int = HORIZON_DAYS) -> tuple[Whole, Whole]:
    """Row number and horizon of each origin x horizon, horizons running fastest."""
    horizons = np.arange(1, horizon_days + 1)
    return np.repeat(np.arange(origins), horizon_days), np.tile(horizons, origins)


def expand(  # noqa: PLR0917
    features: pa.Table,
    rows: Whole,
    horizons: Whole,
    covariates: Covariates,
    categories: Sequence[str],
    country: str,
) -> Frame:
    """The frame of the pairs (`rows`, `horizons`): numbers of rows of `features` (`tables.CLEANED_FEATURES`), and days.

    `categories` are those the model knows, in its order; others count as unknown. `country` is an ISO code.
    """
    level = level_of(features)
    origin = day_numbers(features.column(DAY))
    known = _known(covariates.around(features, origin), rows, horizons)
    blocks = [
        horizons[:, None].astype(np.float32),
        _own(features, level, categories)[rows],
        _weekday(features, level, rows, horizons),
        _calendar(origin[rows] + horizons, country, covariates.holidays(features, origin), rows, horizons),
        known,
        _expected_effect(features, known, rows, covariates),
        covariates.static(features)[rows],
    ]
    return Frame(np.concatenate(blocks, axis=1), level[rows])


def _own(features: pa.Table, level: Real32, categories: Sequence[str]) -> Real32:
    category_code = positions(features.column("category").cast(pa.string()), pa.array(categories, pa.string()))
    means = [f"demand_mean_{w}" for w in DEMAND_WINDOWS] + [f"in_stock_mean_{w}" for w in IN_STOCK_WINDOWS]
    relative = means + [f"demand_sd_{w}" for w in SPREAD_WINDOWS]
    product_mean = _column(features, "product_mean_28")
    with np.errstate(divide="ignore"):
        log_price = np.log(_column(features, "unit_price"))
    columns = (
        np.log(level),
        *(_column(features, name) / level for name in relative),
        *(_column(features, f"zero_share_{w}") for w in SPREAD_WINDOWS),
        _column(features, "demand_lag_0") / level,
        _column(features, "demand_mean_next_28_last_year") / level,
        _column(features, "category_mean_28") / level,
        _column(features, "location_mean_28") / level,
        product_mean / level,
        *(_ratio(_column(features, f"product_mean_{w}"), product_mean) for w in PRODUCT_TRENDS),
        _column(features, "days_since_sale"),
        _column(features, "age_days"),
        np.where(np.isfinite(log_price), log_price, np.nan),
        *(_column(features, name) for name in PRICES_AND_PROMOTIONS),
        *(_column(features, f"stockout_share_{w}") for w in STOCKOUT_WINDOWS),
        category_code,
    )
    return np.stack(columns, axis=1).astype(np.float32)


def _weekday(features: pa.Table, level: Real32, rows: Whole, horizons: Whole) -> Real32:
    """Mean and latest demand on the target's weekday: the last such day lies (-h) mod 7 days before the origin."""
    lag = (-horizons) % len(WEEKDAY_LAGS)
    blocks = []
    for name in ("weekday_mean", "demand_lag"):
        by_lag = np.stack([_column(features, f"{name}_{k}") for k in WEEKDAY_LAGS], axis=1)
        blocks.append(by_lag[rows, lag] / level[rows])
    return np.stack(blocks, axis=1).astype(np.float32)


def _calendar(target: Whole, country: str, told: Flags | None, rows: Whole, horizons: Whole) -> Real32:
    """The target day's, from the nearest holiday of the country or among those `told` [origins, KNOWN_DAYS]."""
    if not len(target):
        return np.empty((0, len(CALENDAR_FEATURES)), np.float32)
    first, last = int(target.min()), int(target.max())
    calendar = _calendar_table(first, last, country)[target - first]
    if told is not None:
        to_holiday, from_holiday = (_days_to(told, rows, horizons, step) for step in (1, -1))
        distances = np.minimum(calendar[:, -2:], np.stack([to_holiday, from_holiday], axis=1))
        calendar[:, -3:] = np.column_stack([distances[:, 0] == 0, distances])
    return calendar


def _days_to(told: Flags, rows: Whole, horizons: Whole, step: int) -> Real32:
    """Days from the target to the next holiday told (`step` 1) or the last (-1), at most HOLIDAY_REACH_DAYS."""
    days = np.full(len(rows), HOLIDAY_REACH_DAYS, np.float32)
    for distance in reversed(range(HOLIDAY_REACH_DAYS)):
        day = COVARIATE_HISTORY_DAYS - 1 + horizons + step * distance
        within = np.clip(day, 0, KNOWN_DAYS - 1)
        days[told[rows, within] & (day == within)] = distance
    return days


@lru_cache(maxsize=16)
def _calendar_table(first: int, last: int, country: str) -> Real32:
    """One row per day first..last: CALENDAR_FEATURES, distances to holidays capped at HOLIDAY_REACH_DAYS."""
    import holidays

    days = [EPOCH + timedelta(days=number) for number in range(first, last + 1)]
    known = holidays.country_holidays(country, years=range(days[0].year - 1, days[-1].year + 2))
    number = np.arange(first, last + 1)
    free = np.sort(np.array([(day - EPOCH).days for day in known], dtype=np.int64))
    after = np.searchsorted(free, number, side="left")
    to_holiday = np.minimum(free[after] - number, HOLIDAY_REACH_DAYS)
    from_holiday = np.minimum(number - free[np.searchsorted(free, number, side="right") - 1], HOLIDAY_REACH_DAYS)
    weekday, day_of_month = [day.weekday() for day in days], [day.day for day in days]
    day_of_year = [day.timetuple().tm_yday for day in days]
    columns = (weekday, day_of_month, day_of_year, to_holiday == 0, to_holiday, from_holiday)
    return np.stack([np.asarray(column, dtype=np.float32) for column in columns], axis=1)


def _known(values: Sequence[Real32], rows: Whole, horizons: Whole) -> Real32:
    """Each covariate on the target day, and its change against its mean over the last 28 days."""
    columns = []
    for value in values:
        on_target = value[rows, COVARIATE_HISTORY_DAYS - 1 + horizons]
        columns += [on_target, on_target - _known_mean(value[:, :COVARIATE_HISTORY_DAYS])[rows]]
    return np.stack(columns, axis=1).astype(np.float32) if columns else np.empty((len(rows), 0), np.float32)


def _expected_effect(features: pa.Table, known: Real32, rows: Whole, covariates: Covariates) -> Real32:
    """By how much promotions change demand against the last 28 days, in multiples of the level without them."""
    expected = np.zeros((len(rows), 1), np.float32)
    for name in covariates.promotion_names:
        change = known[:, 2 * covariates.names.index(name) + 1]
        expected[:, 0] += np.nan_to_num(_column(features, effect_of(name))[rows] * change)
    return expected


def _known_mean(values: Real32) -> Real32:
    known = np.isfinite(values)
    days = known.sum(axis=1)
    return np.where(days > 0, np.where(known, values, 0).sum(axis=1) / np.maximum(days, 1), np.nan)


def _ratio(part: Real32, whole: Real32) -> Real32:
    """Not a number where there is nothing to divide by."""
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)


def _column(features: pa.Table, name: str) -> Real32:
    """A column as numbers, empty values as not-a-number."""
    return features.column(name).cast(pa.float32()).to_numpy()


def positions(values: pa.Array | pa.ChunkedArray, known: pa.Array) -> Whole:
    """Where each value stands among the known ones, UNKNOWN if it does not."""
    index_in: Any = pc.index_in  # pyright: ignore[reportAttributeAccessIssue]
    return index_in(values, known).fill_null(UNKNOWN).to_numpy().astype(np.int64)
