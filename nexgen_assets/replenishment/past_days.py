"""Past days of the shop as a scenario: what was demanded, on which terms, and what would have been forecast.

What belongs here: from rows of tables to the arrays of a simulation, series by series. What does not: reading tables,
training, rules and their comparison.

Demand is what was sold, which is less where stock ran out; a day without a row, or of unknown demand, counts as a day
without demand. Terms are those of the newest positions, on all days; a series that has none by now has the defaults.
Nothing is known of open orders and stock on the first day that all rules could share fairly: all start from the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nexgen_assets.forecasting.closings import PlannedOpening
from nexgen_assets.forecasting.frame import EPOCH, Covariates, level_of
from nexgen_assets.forecasting.listing import days_listed
from nexgen_assets.forecasting.model import TrainedModel
from nexgen_assets.forecasting.rows import SERIES, day_numbers, series_key
from nexgen_assets.replenishment.baselines import FEWEST_ERRORS, WINDOW_DAYS
from nexgen_assets.replenishment.deliveries import drawn_lead_times
from nexgen_assets.replenishment.forecast_levels import RollingForecasts
from nexgen_assets.replenishment.lead_times import LeadTimes, lead_times_of_moments
from nexgen_assets.replenishment.positions import DEFAULT_MIN_ORDER_QUANTITY, DEFAULT_PACK_SIZE
from nexgen_assets.replenishment.simulation import Scenario, scenario
from nexgen_assets.tables import DAY, HORIZON_DAYS

Floats = NDArray[np.float64]

SEED = 11


class ShortHistoryError(ValueError):
    """There are too few days of sales before the first simulated one; the message says how many it takes."""


@dataclass(frozen=True)
class Terms:
    """Terms of supply, each [series]; not a number where nobody told a cost, a shelf life or a limit of stock."""

    lead_time_days: Floats
    lead_time_sd_days: Floats
    pack_size: Floats
    min_order_quantity: Floats
    unit_cost: Floats
    shelf_life_days: Floats
    max_stock: Floats
    is_default: NDArray[np.bool_]  # nothing is known of the series by now

    @property
    def lead_times(self) -> LeadTimes:
        return lead_times_of_moments(self.lead_time_days, self.lead_time_sd_days)


def sampled_series(rows: pa.Table, most: int) -> pa.Table:
    """`rows` by product and location, or so many of them, the same every time, if there are more.

    Tables come back in any order; neither a sample nor a bootstrap may depend on it.
    """
    ordered = rows.sort_by([(name, "ascending") for name in SERIES])
    if rows.num_rows <= most:
        return ordered
    return ordered.take(np.sort(np.random.default_rng(SEED).choice(rows.num_rows, most, replace=False)))


def first_day(rows: pa.Table) -> date:
    """The first day of any rows: before it the shop's history does not reach."""
    return pc.min(rows[DAY]).as_py()  # pyright: ignore[reportAttributeAccessIssue]


def censored_share(rows: pa.Table, cutoff: date) -> float:
    """Share of the rows of `tables.DAILY_DEMAND` after that day that were out of stock: demand may have been more."""
    day, is_stockout = (rows[name].to_pandas() for name in (DAY, "is_stockout"))
    return float((is_stockout[day > cutoff] == True).mean())  # noqa: E712  # null is not known to be one


def terms_of(series: pa.Table, positions: pa.Table, default_lead_time_days: int) -> Terms:
    """Terms of the rows of `series`, from rows of `tables.INVENTORY_POSITIONS` of one day."""
    place = _places(series, positions)

    def told(name: str, default: float = np.nan) -> Floats:
        values = np.append(positions[name].cast(pa.float64()).to_numpy(), np.nan)[place]
        return np.where(place < 0, default, values)

    return Terms(
        told("lead_time_days", default_lead_time_days),
        told("lead_time_sd_days"),
        told("pack_size", DEFAULT_PACK_SIZE),
        told("min_order_quantity", DEFAULT_MIN_ORDER_QUANTITY),
        told("unit_cost"),
        told("shelf_life_days"),
        told("max_stock"),
        place < 0,
    )


def demand_grid(series: pa.Table, rows: pa.Table, first: date, days: int) -> Floats:
    """Units [series, days] from `first` on, of rows of `tables.DAILY_DEMAND`; those of other series are left out."""
    grid = np.zeros((series.num_rows, days))
    place = _places(rows, series)
    day = day_numbers(rows[DAY]) - (first - EPOCH).days
    units = np.nan_to_num(rows["demand_units"].cast(pa.float64()).to_numpy())
    is_inside = (place >= 0) & (day >= 0) & (day < days)
    grid[place[is_inside], day[is_inside]] = units[is_inside]
    return grid


def past_scenario(
    series: pa.Table, demand: Floats, terms: Terms, *, days: int, review_period_days: int, warm_up_days: int
) -> Scenario:
    """The last `days` days of `demand` [series, history + days] on these terms, `warm_up_days` of them not counted.

    All rules start with what the average of the last 28 days sells in a protection interval. Raises ShortHistoryError
    if the rules without a model know too little of the days before.
    """
    history = demand[:, : demand.shape[1] - days]
    interval = terms.lead_time_days + review_period_days
    needed = WINDOW_DAYS + FEWEST_ERRORS + int(np.ceil(interval.max(initial=0)))
    if history.shape[1] < needed:
        raise ShortHistoryError(
            f"{history.shape[1]} days of sales before the first simulated day are too few: the rules without a model "
            f"need {needed}"
        )
    # a part of a day of life is none
    life = np.maximum(np.floor(terms.shelf_life_days), 1)
    return scenario(
        demand[:, -days:],
        drawn_lead_times(terms.lead_times, series_key(series).to_pylist(), days, SEED),
        np.ceil(interval * history[:, -WINDOW_DAYS:].mean(axis=1)),
        # a day of life that is not whole is none
        shelf_life_days=np.where(np.isnan(life), np.inf, life),
        review_period_days=review_period_days,
        min_order_quantity=terms.min_order_quantity,
        pack_size=terms.pack_size,
        max_stock=np.where(np.isnan(terms.max_stock), np.inf, terms.max_stock),
        warm_up_days=warm_up_days,
    )


def rolling_forecasts(  # noqa: PLR0917
    model: TrainedModel,
    covariates: Covariates,
    opening: PlannedOpening,
    series: pa.Table,
    origins: Sequence[date],
    features_of: Callable[[date], pa.Table],
    longest_interval_days: int,
    threads: int = 1,
) -> RollingForecasts:
    """What the model says at the close of each of `origins`; `features_of` gives a day's `tables.CLEANED_FEATURES`.

    Nothing is expected of days on which a location was told to be closed (`opening`), of days after a delisting, nor of
    a series without a row on the origin: it was not active any more, and nothing would be ordered.
    """
    horizon_days = min(HORIZON_DAYS, longest_interval_days)
    means = np.zeros((series.num_rows, len(origins), horizon_days), np.float32)
    spread = np.ones_like(means)
    level = np.zeros((series.num_rows, len(origins)), np.float32)
    listed = np.zeros((series.num_rows, len(origins)), np.int64)
    for number, origin in enumerate(origins):
        rows = features_of(origin)
        place = _places(rows, series)
        known = rows.filter(pa.array(place >= 0))
        place = place[place >= 0]
        is_open = opening.ahead(known["location"].to_pylist(), (origin - EPOCH).days)[:, :horizon_days]
        expected, spread[place, number] = model.means_and_spread(known, covariates, threads, horizon_days)
        means[place, number] = expected * is_open
        level[place, number] = level_of(known)
        listed[place, number] = days_listed(known)
    return RollingForecasts(means, level, model.calibration, listed, spread)


def _places(rows: pa.Table, among: pa.Table) -> NDArray[np.int64]:
    """Where the series of each row stands in `among`, -1 if it does not."""
    index_in: Any = pc.index_in  # pyright: ignore[reportAttributeAccessIssue]
    return index_in(series_key(rows), series_key(among)).fill_null(-1).to_numpy().astype(np.int64)
