"""Lessons: what the rows of a sample teach, as arrays that boosters learn from.

What belongs here: design matrix, target and weight of each row, and which rows a training of an earlier day could have
had. What does not: drawing rows (`sampling.py`), growing boosters (`boosting.py`, `spread.py`).
"""

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nexgen_assets.forecasting.censoring import uncensored
from nexgen_assets.forecasting.frame import DAY_OF_YEAR, EPOCH, Covariates, Frame, expand, feature_names
from nexgen_assets.forecasting.holdout import VALUE_DAYS
from nexgen_assets.forecasting.sampling import TrainingError, target_days

Real32 = NDArray[np.float32]

BOOSTERS = 2  # each learns from every second row: as fast as one of all rows, and what they err by chance averages out
DAYS_TO_LEARN_THE_YEAR = 730
FACTOR_DAYS = 91  # the mean is right over the last season: a year's average lags behind growth and the time of year
CENSORED_WEIGHT = 0.4  # of a day out of stock; at 1 the errors of days in stock grow, at 0 those of totals


@dataclass(frozen=True)
class TrainingRows:
    """The rows of a sample (`sampling.training_frame`) with their design matrix, and what they teach.

    `categories` are those that a model of these rows knows, `country` that of its holidays.
    """

    sample: pa.Table
    frame: Frame
    categories: tuple[str, ...]
    country: str

    @classmethod
    def of(cls, sample: pa.Table, covariates: Covariates, country: str) -> "TrainingRows":
        """Raises TrainingError for an empty sample, as `until` does for an empty rest."""
        _refuse_too_few(sample.num_rows)
        categories = tuple(sorted({name for name in sample["category"].unique().to_pylist() if name is not None}))
        horizons = sample["horizon"].to_numpy().astype(np.int64)
        frame = expand(sample, np.arange(sample.num_rows), horizons, covariates, categories, country)
        if np.ptp(target_days(sample)) < DAYS_TO_LEARN_THE_YEAR:
            # of a day of the year seen once nothing can be told apart from that month's chance: no tree may ask for it
            frame.matrix[:, feature_names(covariates).index(DAY_OF_YEAR)] = np.nan
        # what is the same in all rows parts none of them: empty, it costs the boosters no time
        frame.matrix[:, frame.matrix.min(axis=0) == frame.matrix.max(axis=0)] = np.nan
        return cls(sample, frame, categories, country)

    def until(self, last: date) -> "TrainingRows":
        """The rows that a training on that day could have had: whether a row is sampled knows nothing of its target."""
        known = target_days(self.sample) <= (last - EPOCH).days
        _refuse_too_few(int(known.sum()))
        frame = Frame(self.frame.matrix[known], self.frame.level[known])
        return TrainingRows(self.sample.filter(pa.array(known)), frame, self.categories, self.country)

    @property
    def parts(self) -> list[slice]:
        """The rows of each booster."""
        return [slice(i, None, BOOSTERS) for i in range(BOOSTERS)]

    @cached_property
    def lessons(self) -> "Lessons":
        return Lessons.of(self.sample, self.frame.level)


def _refuse_too_few(rows: int) -> None:
    if rows < BOOSTERS:
        raise TrainingError("no rows to train on: too few days of history before the days held out")


@dataclass(frozen=True)
class Lessons:
    """What each training row teaches: demand in units, its weight, and the target's day (days since 1970)."""

    target: Real32
    weight: Real32
    day: NDArray[np.int64]

    @classmethod
    def of(cls, table: pa.Table, level: Real32) -> "Lessons":
        """Lessons of the rows of a training frame; days out of stock teach less, and as `uncensored` says."""
        sold, weight = (table[name].to_numpy().astype(np.float64) for name in ("target", "sampling_weight"))
        is_censored = table["is_censored"].to_numpy()
        usual = table[f"in_stock_mean_{VALUE_DAYS}"].to_numpy().astype(np.float64)
        usual = np.where(np.isnan(usual), level, usual)
        target = uncensored(sold * weight, usual * weight, is_censored) / weight
        weight = np.where(is_censored, CENSORED_WEIGHT * weight, weight)
        return cls(target.astype(np.float32), weight.astype(np.float32), target_days(table))

    @property
    def recent_rows(self) -> NDArray[np.intp]:
        """Those of the last FACTOR_DAYS."""
        return np.flatnonzero(self.day > self.day.max() - FACTOR_DAYS)

    def demand_over(self, forecast: Real32, rows: NDArray[np.intp]) -> float:
        """Demand of some rows over their forecast; 1 if nothing is forecast."""
        weight = self.weight[rows]
        demand, forecasted = ((units * weight).sum(dtype=np.float64) for units in (self.target[rows], forecast))
        return float(demand / forecasted) if forecasted > 0 else 1.0
