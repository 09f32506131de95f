"""Reports of backtests and of trained models: headline numbers, tables and plots.

What belongs here: which of all the numbers one looks at first. What does not: the sums (`judging.py`), how a plot is
drawn (`plots.py`), and where the report is shown.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa

from nexgen_assets.forecasting.attribution import Attribution, attribution
from nexgen_assets.forecasting.frame import Covariates
from nexgen_assets.forecasting.judging import ALL_DAYS, TOTAL, scores, worst_items
from nexgen_assets.forecasting.model import TrainedModel
from nexgen_assets.forecasting.plots import (
    calibration_of_backtest,
    calibration_of_model,
    error_by_horizon,
    error_by_origin,
    error_by_segment,
    feature_contributions,
    scores_of_model,
    trials_of_search,
)
from nexgen_assets.forecasting.promotion import JUDGED
from nexgen_assets.forecasting.segments import ALL
from nexgen_assets.tables import HORIZON_DAYS, QUANTILES

WORST_ITEMS = 15
TITLES = {
    "wape_total": f"WAPE of {HORIZON_DAYS}-day total",
    "wape": "WAPE of a day",
    "bias": "bias",
    "mase": "MASE",
    "rmsse": "RMSSE",
    "wrmsse": "WRMSSE",
    "wql": "wQL",
    "coverage_q95": "coverage at 0.95",
    "coverage_total_q95": "of totals at 0.95",
}
CONTRIBUTIONS = (
    "What moves the newest model's forecasts (TreeSHAP). Left: how much, on average. Right: a dot per series and day; "
    "right of 0 the feature's value raised the forecast."
)
Record = dict[str, str | float]


@dataclass(frozen=True)
class Plot:
    """An image (PNG) with a name for files, and a sentence that says how to read it."""

    name: str
    caption: str
    png: bytes


@dataclass(frozen=True)
class Report:
    """What somebody looks at first: numbers by method, two small tables, and plots."""

    overall: Mapping[str, Mapping[str, float]]
    scores: Sequence[Record]
    worst_items: Sequence[Record]
    plots: Sequence[Plot]

    @classmethod
    def of(cls, sums: pd.DataFrame, items: Sequence[pd.DataFrame], moved_by: Attribution) -> "Report":
        """From the sums of all origins, the errors by series of each, and what moves the newest model."""
        found = overall(sums)
        drawn = [
            Plot("error_by_origin", "A point per origin: low errors and bias near 0 are good.", error_by_origin(sums)),
            Plot(
                "error_by_horizon", "All origins together: what forecasts lose with distance.", error_by_horizon(sums)
            ),
            Plot("error_by_segment", "Where it is good, where not: all origins together.", error_by_segment(sums)),
            Plot(
                "calibration",
                "A right quantile has the diagonal within its band: demands below it are fewer than it tells, those at "
                "or below it as many or more. Above the diagonal orders are too large, below it too small.",
                calibration_of_backtest(sums),
            ),
            Plot("feature_contributions", CONTRIBUTIONS, feature_contributions(moved_by)),
        ]
        return cls(found, _score_records(found), _worst_records(worst_items(items, WORST_ITEMS)), drawn)

    @property
    def numbers(self) -> dict[str, float]:
        """The same numbers in one row."""
        return {f"{method}_{name}": value for method, found in self.overall.items() for name, value in found.items()}


def model_plots(model: TrainedModel, features: pa.Table, covariates: Covariates) -> list[Plot]:
    """Plots of a trained model: its errors, the coverage of its quantiles, what moves its next forecasts.

    `features` are the rows of `tables.CLEANED_FEATURES` that it will be asked about first. Without the scores that it
    takes (nothing sold, one series only) a plot is left out.
    """
    drawn = []
    errors = {
        words: {method: found[name] for method, found in model.metrics.items()}
        for name, words in JUDGED.items()
        if all(math.isfinite(found[name]) for found in model.metrics.values())
    }
    if errors:
        caption = "On the last 28 days, which the judged fit had not learnt from: lower is better."
        drawn.append(Plot("scores", caption, scores_of_model(errors)))
    judged = model.metrics["model"]
    coverage = {level: judged[f"coverage_{q}"] for q, level in QUANTILES.items() if f"coverage_{q}" in judged}
    if coverage:
        caption = "On the same days in stock; where most days sell nothing, low quantiles are 0 and cover them all."
        drawn.append(Plot("calibration", caption, calibration_of_model(coverage)))
    moved_by = attribution(model.mean_model, features, covariates)
    return [*drawn, Plot("feature_contributions", CONTRIBUTIONS, feature_contributions(moved_by))]


def search_plot(values: Sequence[float | None]) -> Plot:
    """The value of each trial of a search, in order; those given up have none."""
    known = [math.nan if value is None else value for value in values]
    caption = "Mean of the errors over those of the code's own parameters: below 1 is better."
    return Plot("trials", caption, trials_of_search(known))


def overall(sums: pd.DataFrame) -> dict[str, dict[str, float]]:
    """By method the measures in `TITLES`, all series and origins together; those that are undefined are left out."""
    rows: Any = sums
    of_all = rows[rows["segment_kind"] == ALL]
    days = scores(of_all[of_all["target"] == ALL_DAYS], "method")
    totals = scores(of_all[(of_all["target"] == TOTAL) & (of_all["horizon"] == HORIZON_DAYS)], "method")
    found: Any = days.assign(wape_total=totals["wape"], coverage_total_q95=totals["coverage_q95"])[list(TITLES)]
    return {
        str(method): {str(name): float(value) for name, value in row.dropna().items()}
        for method, row in found.iterrows()
    }


def _score_records(found: Mapping[str, Mapping[str, float]]) -> list[Record]:
    return [
        {"method": method, **{title: _shown(name, of_method.get(name)) for name, title in TITLES.items()}}
        for method, of_method in found.items()
    ]


def _shown(name: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:+.1%}" if name == "bias" else f"{value:.3f}"


def _worst_records(found: pd.DataFrame) -> list[Record]:
    rows: list[dict[str, Any]] = found.reset_index().to_dict("records")  # pyright: ignore[reportAssignmentType]
    return [
        {
            "product_id": row["product_id"],
            "product_name": row["product_name"] or "",
            "location": row["location"],
            **{name: round(float(row[name]), 1) for name in ("demand_units", "forecast_units", "error_units")},
            "error_value": "" if pd.isna(row["error_value"]) else f"{row['error_value']:,.2f}",
        }
        for row in rows
    ]
