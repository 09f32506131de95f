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

from nexgen_assets.forecasting import plots
from nexgen_assets.forecasting.attribution import Attribution, attribution
from nexgen_assets.forecasting.frame import Covariates
from nexgen_assets.forecasting.judging import ALL_DAYS, TOTAL, scores, worst_items
from nexgen_assets.forecasting.model import TrainedModel
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
Record = dict[str, str | float]


@dataclass(frozen=True)
class Report:
    """What somebody looks at first: numbers by method, two small tables, and images (PNG) by name."""

    overall: Mapping[str, Mapping[str, float]]
    scores: Sequence[Record]
    worst_items: Sequence[Record]
    images: Mapping[str, bytes]

    @classmethod
    def of(cls, sums: pd.DataFrame, items: Sequence[pd.DataFrame], moved_by: Attribution) -> "Report":
        """From the sums of all origins, the errors by series of each, and what moves the newest model."""
        found = overall(sums)
        images = {
            "error_by_origin": plots.error_by_origin(sums),
            "error_by_horizon": plots.error_by_horizon(sums),
            "error_by_segment": plots.error_by_segment(sums),
            "calibration": plots.calibration_of_backtest(sums),
            "feature_contributions": plots.feature_contributions(moved_by),
        }
        return cls(found, _score_records(found), _worst_records(worst_items(items, WORST_ITEMS)), images)

    @property
    def numbers(self) -> dict[str, float]:
        """The same numbers in one row."""
        return {f"{method}_{name}": value for method, found in self.overall.items() for name, value in found.items()}


def model_plots(model: TrainedModel, features: pa.Table, covariates: Covariates) -> dict[str, bytes]:
    """Plots of a trained model by name: its errors, the coverage of its quantiles, what moves its next forecasts.

    `features` are the rows of `tables.CLEANED_FEATURES` that it will be asked about first. Without the scores that it
    takes (nothing sold, one series only) a plot is left out.
    """
    images = {"feature_contributions": plots.feature_contributions(attribution(model.mean_model, features, covariates))}
    errors = {
        words: {method: found[name] for method, found in model.metrics.items()}
        for name, words in JUDGED.items()
        if all(math.isfinite(found[name]) for found in model.metrics.values())
    }
    if errors:
        images["scores"] = plots.scores_of_model(errors)
    judged = model.metrics["model"]
    coverage = {level: judged[f"coverage_{q}"] for q, level in QUANTILES.items() if f"coverage_{q}" in judged}
    if coverage:
        images["calibration"] = plots.calibration_of_model(coverage)
    return images


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
