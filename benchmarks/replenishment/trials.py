"""The trials: panels of real demand, the day the model is trained, and the days that orders are simulated on.

What belongs here: what happened (demand), what was delivered (lead times), and the terms that all rules share. What
does not: forecasts, rules.

Goods are taken for storable, and what was sold for what was wanted: where the source was out of stock it is less.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from benchmarks.forecasting.panels import BenchmarkPanel
from nexgen_assets.forecasting.panel import Panel, PanelColumns, read_panel
from nexgen_assets.replenishment.deliveries import drawn_lead_times
from nexgen_assets.replenishment.lead_times import LeadTimes, lead_times
from nexgen_assets.replenishment.simulation import Scenario, scenario

Floats = NDArray[np.float64]

LEAD_TIME = {2: 0.80, 3: 0.15, 5: 0.05}  # days -> probability: 2 days, and a delay of 1 or 3
REVIEW_PERIOD_DAYS = 1
INITIAL_DAYS_OF_SUPPLY = 5.0
RECENT_DAYS = 28
SEED = 20


@dataclass(frozen=True)
class Trial:
    """A panel, and how its days are split: learnt from up to `cutoff`, then simulated, a warm-up first.

    `is_conclusive` is False where there is no year of days to judge after training: such a panel is reported only.
    """

    panel: BenchmarkPanel
    cutoff: date
    warm_up_days: int
    judged_days: int
    is_conclusive: bool

    @property
    def days(self) -> int:
        return self.warm_up_days + self.judged_days

    @property
    def origins(self) -> list[date]:
        """Each simulated day: its close is the origin of a forecast."""
        return [self.cutoff + timedelta(days=day) for day in range(1, self.days + 1)]

    @cached_property
    def source(self) -> Panel:
        return read_panel(self.panel.path, PanelColumns(self.panel.known, self.panel.static, self.panel.stockout))

    @cached_property
    def rows(self) -> NDArray[np.intp]:
        """The series of the panel that are simulated: those with a sale by the cutoff."""
        until = (self.cutoff - self.source.first_day).days + 1
        return np.flatnonzero(np.nan_to_num(self.source.quantity[:, :until]).sum(axis=1) > 0)

    @cached_property
    def demand(self) -> Floats:
        """Units [series, days] from the panel's first day to the last simulated one; a day without a row: nothing."""
        until = (self.origins[-1] - self.source.first_day).days + 1
        return np.nan_to_num(self.source.quantity[self.rows, :until].astype(np.float64))

    @cached_property
    def keys(self) -> list[str]:
        """Product and location of each series as one text, as in `rows.series_key`."""
        columns = (column.take(self.rows).to_pylist() for column in (self.source.product, self.source.location))
        return ["\n".join(of_series) for of_series in zip(*columns, strict=True)]

    @cached_property
    def lead_times(self) -> LeadTimes:
        return same_lead_times(len(self.rows))

    @cached_property
    def review_period_days(self) -> NDArray[np.int64]:
        return same_review_period(len(self.rows))

    @cached_property
    def scenario(self) -> Scenario:
        """What all rules share, initial stock included."""
        history = self.demand[:, : -self.days]
        return scenario(
            self.demand[:, -self.days :],
            drawn_lead_times(self.lead_times, self.keys, self.days, SEED),
            np.ceil(INITIAL_DAYS_OF_SUPPLY * history[:, -RECENT_DAYS:].mean(axis=1)),
            review_period_days=REVIEW_PERIOD_DAYS,
            warm_up_days=self.warm_up_days,
        )


def same_lead_times(series: int) -> LeadTimes:
    return lead_times([LEAD_TIME], np.zeros(series, np.int64))


def same_review_period(series: int) -> NDArray[np.int64]:
    return np.full(series, REVIEW_PERIOD_DAYS)


def trial_of(panel: BenchmarkPanel) -> Trial:
    """A year of judged days after a warm-up of four weeks; of a shorter panel its last days."""
    last = panel.origins[-1] + timedelta(days=panel.horizon_days)
    warm_up, judged = _DAYS[panel.name]
    return Trial(panel, last - timedelta(days=warm_up + judged), warm_up, judged, judged >= 365)


# warm-up, judged
_DAYS = {"bakery": (28, 365), "store-items": (28, 365), "complete-journey": (28, 56), "freshretail": (7, 21)}
