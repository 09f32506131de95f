"""Plots of forecasts and models, as small PNG images.

What belongs here: how a finding is drawn. What does not: computing it, and where the image goes.
Images end up in the records of runs and in the registry: few colours and no more pixels than one needs to read them.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nexgen_assets.forecasting.attribution import Attribution
from nexgen_assets.forecasting.judging import ALL_DAYS, DAY_AHEAD, TOTAL, scores
from nexgen_assets.forecasting.segments import ABC, ALL, PATTERN
from nexgen_assets.tables import HORIZON_DAYS, QUANTILES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT, DOTS_PER_INCH, COLOURS = 8.0, 3.4, 90, 48
STYLES: dict[str, dict[str, Any]] = {
    "model": {"color": "#1f5fbf", "linewidth": 2.2},
    "champion": {"color": "#e07b00", "linewidth": 1.8},
    "seasonal_naive": {"color": "#777777", "linewidth": 1.3, "linestyle": "--"},
    "moving_average_28": {"color": "#3a9a5b", "linewidth": 1.3, "linestyle": ":"},
}
FEATURES_SHOWN = 14


class Canvas:
    """A figure that becomes an image when it is drawn."""

    def __init__(self, panels: int, height: float) -> None:
        from matplotlib.figure import Figure

        self.figure: Figure = Figure(figsize=(WIDTH, height), dpi=DOTS_PER_INCH, layout="constrained")
        self.panels: list[Axes] = list(np.atleast_1d(self.figure.subplots(1, panels)))
        self.image = b""


@contextmanager
def drawing(panels: int = 1, height: float = HEIGHT) -> Iterator[Canvas]:
    """Axes side by side; on leaving they are an image of few colours."""
    from PIL import Image

    canvas, drawn, small = Canvas(panels, height), BytesIO(), BytesIO()
    yield canvas
    canvas.figure.savefig(drawn, format="png")
    Image.open(drawn).convert("RGB").quantize(COLOURS).save(small, format="png", optimize=True)
    canvas.image = small.getvalue()


def error_by_origin(sums: pd.DataFrame) -> bytes:
    """Error of the horizon total and bias of each method, origin by origin."""
    chosen = _of_all(sums, TOTAL, HORIZON_DAYS)
    with drawing(2) as canvas:
        for axes, name, title in zip(
            canvas.panels, ("wape", "bias"), (f"WAPE of the {HORIZON_DAYS}-day total", "Bias"), strict=True
        ):
            for method, found in _by_method(chosen, "origin_date"):
                days = pd.to_datetime(found.index.to_series())
                axes.plot(days, found[name], marker="o", markersize=4, label=method, **STYLES[method])
            axes.set_title(title)
            axes.set_xticks(sorted(pd.to_datetime(chosen["origin_date"].unique())))
            axes.tick_params(axis="x", labelrotation=30, labelsize=8)
            axes.grid(alpha=0.3)
        _percent(canvas.panels[1])
        canvas.panels[1].axhline(0, color="black", linewidth=0.8)
        canvas.panels[0].set_ylim(bottom=0)
        name_lines(canvas)
    return canvas.image


def error_by_horizon(sums: pd.DataFrame) -> bytes:
    """WAPE and wQL of each method, day by day ahead, all origins together."""
    chosen = _of_all(sums, DAY_AHEAD)
    with drawing(2) as canvas:
        for axes, name in zip(canvas.panels, ("wape", "wql"), strict=True):
            for method, found in _by_method(chosen, "horizon"):
                axes.plot(found.index, found[name], label=method, **STYLES[method])
            axes.set_title({"wape": "WAPE of a day", "wql": "wQL of a day (all quantiles)"}[name])
            axes.set_xlabel("days ahead")
            axes.set_ylim(bottom=0)
            axes.grid(alpha=0.3)
        name_lines(canvas)
    return canvas.image


def error_by_segment(sums: pd.DataFrame) -> bytes:
    """WAPE of the horizon total of each method, by class of sales value and by pattern of demand."""
    of_total = _rows(sums, (sums["target"] == TOTAL) & (sums["horizon"] == HORIZON_DAYS))
    with drawing(2) as canvas:
        for axes, kind, title in zip(canvas.panels, (ABC, PATTERN), ("by sales value", "by pattern"), strict=True):
            found = scores(_rows(of_total, of_total["segment_kind"] == kind), "method", "segment")["wape"].unstack(
                "segment"
            )
            methods = [method for method in STYLES if method in found.index]
            for place, method in enumerate(methods):
                x = np.arange(found.shape[1]) + (place - (len(methods) - 1) / 2) * 0.8 / len(methods)
                axes.bar(x, found.loc[method], 0.8 / len(methods), label=method, color=STYLES[method]["color"])
            axes.set_xticks(np.arange(found.shape[1]), list(found.columns))
            axes.set_title(f"WAPE of the {HORIZON_DAYS}-day total {title}")
            axes.grid(alpha=0.3, axis="y")
        name_lines(canvas)
    return canvas.image


def calibration_of_backtest(sums: pd.DataFrame) -> bytes:
    """Nominal against actual coverage, of days and of totals, all origins together.

    Demand comes in whole units: of a right quantile, the share of demands below it and the share at or below it lie on
    either side of its level. The band spans both.
    """
    parts = {"days": _of_all(sums, ALL_DAYS), f"{HORIZON_DAYS}-day totals": _of_all(sums, TOTAL, HORIZON_DAYS)}
    with drawing(2, 4.0) as canvas:
        for axes, (title, chosen) in zip(canvas.panels, parts.items(), strict=True):
            levels = list(QUANTILES.values())
            for method, found in _by_method(chosen, "segment"):
                at_or_below, below = (
                    [float(found[f"{name}_{q}"].iloc[0]) for q in QUANTILES] for name in ("coverage", "coverage_below")
                )
                if np.isfinite(at_or_below).all():
                    axes.fill_between(levels, below, at_or_below, color=STYLES[method]["color"], alpha=0.18, lw=0)
                    axes.plot(levels, at_or_below, marker="o", markersize=3, label=method, **STYLES[method])
            _calibration_axes(axes, f"Coverage of {title}")
        name_lines(canvas)
    return canvas.image


def calibration_of_model(coverage: Mapping[float, float]) -> bytes:
    """Nominal against actual coverage of one model's daily quantiles, by level."""
    with drawing(1, 4.0) as canvas:
        [axes] = canvas.panels
        axes.plot(list(coverage), list(coverage.values()), marker="o", label="model", **STYLES["model"])
        _calibration_axes(axes, "Coverage of days it had not learnt from")
    return canvas.image


def feature_contributions(found: Attribution) -> bytes:
    """The features that move forecasts most: how much on average, and which way at high and low values."""
    names = list(found.importance)[:FEATURES_SHOWN][::-1]
    rng = np.random.default_rng(0)
    with drawing(2, 4.6) as canvas:
        bars, swarm = canvas.panels
        bars.barh(names, [found.importance[name] for name in names], color=STYLES["model"]["color"])
        bars.set_title("Mean size of contribution")
        bars.tick_params(axis="y", labelsize=8)
        for place, name in enumerate(names):
            column = found.names.index(name)
            values, contributions = found.values[:, column], found.contributions[:, column]
            known = np.isfinite(values)
            rank = np.zeros(len(values))
            rank[known] = np.argsort(np.argsort(values[known])) / max(known.sum() - 1, 1)
            height = place + rng.uniform(-0.3, 0.3, len(values))
            dots: dict[str, Any] = {"s": 4, "linewidths": 0}
            swarm.scatter(contributions[~known], height[~known], color="#bbbbbb", **dots)
            swarm.scatter(contributions[known], height[known], c=rank[known], cmap="coolwarm", **dots)
        swarm.axvline(0, color="black", linewidth=0.8)
        swarm.set_yticks([])
        swarm.set_title("Contribution: blue low, red high value")
        for axes in canvas.panels:
            axes.set_xlabel("log of the forecast (0.1 = 10 %)")
            axes.grid(alpha=0.3, axis="x")
    return canvas.image


def scores_of_model(errors: Mapping[str, Mapping[str, float]]) -> bytes:
    """Errors of a model and of what it was compared with, in words -> method -> error."""
    with drawing(len(errors)) as canvas:
        for axes, (title, by_method) in zip(canvas.panels, errors.items(), strict=True):
            colours = [STYLES[method]["color"] for method in by_method]
            axes.bar(list(by_method), list(by_method.values()), color=colours)
            axes.set_title(title)
            axes.tick_params(axis="x", labelsize=7)
            axes.grid(alpha=0.3, axis="y")
    return canvas.image


def trials_of_search(values: Sequence[float]) -> bytes:
    """The value of each trial in order (not a number: given up), and the best so far; the first is to be beaten."""
    number, known = np.arange(1, len(values) + 1), np.array(values, dtype=float)
    with drawing() as canvas:
        [axes] = canvas.panels
        axes.scatter(number, known, s=18, color=STYLES["model"]["color"], label="trial")
        best = np.fmin.accumulate(known)
        axes.step(number, best, where="post", color=STYLES["champion"]["color"], label="best so far")
        axes.axhline(known[0], color="black", linewidth=0.8, linestyle="--", label="the code's own parameters")
        given_up = np.isnan(known)
        axes.scatter(number[given_up], np.full(given_up.sum(), np.nanmax(known)), marker="x", s=18, color="#bbbbbb")
        axes.set_xlabel("trial (a grey cross was given up early)")
        axes.set_title("Errors over those of the code's own parameters")
        axes.grid(alpha=0.3)
        name_lines(canvas)
    return canvas.image


def _of_all(sums: pd.DataFrame, target: str, horizon: int | None = None) -> pd.DataFrame:
    chosen = (sums["segment_kind"] == ALL) & (sums["target"] == target)
    return _rows(sums, chosen if horizon is None else chosen & (sums["horizon"] == horizon))


def _rows(sums: Any, chosen: Any) -> pd.DataFrame:
    return sums[chosen]


def _by_method(sums: pd.DataFrame, by: str) -> Iterator[tuple[str, pd.DataFrame]]:
    for method in STYLES:
        if len(of_method := _rows(sums, sums["method"] == method)):
            yield method, scores(of_method, by).sort_index()


def name_lines(canvas: Canvas) -> None:
    """One legend below all panels, where it hides nothing."""
    lines, names = canvas.panels[0].get_legend_handles_labels()
    canvas.figure.legend(lines, names, fontsize=8, loc="outside lower center", ncols=len(names), frameon=False)


def _calibration_axes(axes: "Axes", title: str) -> None:
    axes.plot([0, 1], [0, 1], color="black", linewidth=0.8)
    axes.set_title(title)
    axes.set_xlabel("probability told")
    axes.set_ylabel("share of demands at or below")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.01)
    axes.grid(alpha=0.3)


def _percent(axes: "Axes") -> None:
    from matplotlib.ticker import PercentFormatter

    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
