"""Plots of simulated order rules, as small PNG images.

What belongs here: how a finding is drawn. What does not: computing it, and where the image goes.
"""

import numpy as np

from nexgen_assets.forecasting.plots import drawing, name_lines
from nexgen_assets.forecasting.report import Plot
from nexgen_assets.forecasting.segments import Segments
from nexgen_assets.replenishment.comparison import (
    DAYS_OF_SUPPLY,
    FORECAST,
    MOVING_AVERAGE,
    WEEKDAY_PROFILE,
    Comparison,
)
from nexgen_assets.replenishment.frontier import Weighting, stock_needed

STYLES = {
    FORECAST: {"color": "#1f5fbf", "linewidth": 2.2},
    WEEKDAY_PROFILE: {"color": "#e07b00", "linewidth": 1.8},
    MOVING_AVERAGE: {"color": "#3a9a5b", "linewidth": 1.3, "linestyle": ":"},
    DAYS_OF_SUPPLY: {"color": "#777777", "linewidth": 1.3, "linestyle": "--"},
}
SHOWN_FILL_RATES = np.arange(0.80, 0.9951, 0.005)
PANELS: tuple[tuple[str, Weighting], ...] = (("Stock, units of all series", "units"), ("Stock, mean days", "series"))


def comparison_plots(found: Comparison, segments: Segments) -> list[Plot]:
    return [
        Plot(
            "stock_by_fill_rate",
            "The average stock that each rule needs for a fill rate: of two lines the lower one is better.",
            stock_by_fill_rate(found),
        ),
        Plot(
            "service",
            "Promised against achieved by segment: points below the diagonal got less than they were promised.",
            promised_and_achieved(found, segments),
        ),
    ]


def stock_by_fill_rate(found: Comparison) -> bytes:
    """Stock needed at fill rates from 80 to 99.5 %, weighted by units and by series."""
    with drawing(2) as canvas:
        for axes, (title, weighting) in zip(canvas.panels, PANELS, strict=True):
            for name, style in STYLES.items():
                stock = stock_needed(found.sweeps[name], SHOWN_FILL_RATES.tolist(), weighting)
                axes.plot(100 * SHOWN_FILL_RATES, stock, label=name, **style)
            axes.set_title(title)
            axes.set_xlabel("fill rate, %")
            axes.set_ylim(bottom=0)
            axes.grid(alpha=0.3)
        name_lines(canvas)
    return canvas.image


def promised_and_achieved(found: Comparison, segments: Segments) -> bytes:
    """Cycle service and fill rate of the forecast's rule; a point per segment, a colour per service level."""
    with drawing(2, 4.0) as canvas:
        cycles, fill = canvas.panels
        for share, by_series in found.promised.items():
            pooled = by_series.pooled(segments.membership)
            size = 12 + 60 * segments.membership.mean(axis=1)
            promised = np.full(len(size), 100 * share)
            dots = {"s": size, "alpha": 0.6, "label": f"{share:.0%}"}
            cycles.scatter(promised, 100 * pooled.achieved_cycle_service, **dots)
            fill.scatter(100 * pooled.promised_fill_rate, 100 * pooled.achieved_fill_rate, **dots)
        for axes, title in ((cycles, "Cycle service level, %"), (fill, "Fill rate, %")):
            axes.axline((100, 100), slope=1, color="black", linewidth=0.8)
            axes.set_title(title)
            axes.set_xlabel("promised")
            axes.set_ylabel("achieved")
            axes.grid(alpha=0.3)
        name_lines(canvas)
    return canvas.image
