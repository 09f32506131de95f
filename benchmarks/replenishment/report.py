"""What a trial found, as tables to print."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from rich.table import Table as Grid

from nexgen_assets.forecasting.segments import Segments
from nexgen_assets.replenishment.comparison import FORECAST, PERFECT_FORESIGHT, Comparison
from nexgen_assets.replenishment.cycle_service import cycle_service
from nexgen_assets.replenishment.frontier import FILL_RATES, Difference, Sweep, stock_difference, stock_needed
from nexgen_assets.replenishment.kpis import DAYS_A_YEAR, CostRates, Totals, costs
from nexgen_assets.replenishment.promise import Service

Floats = NDArray[np.float64]

# money, a unit costing 1: holding a quarter of it a year, margin 30 % of the price, and so much per order line
MARGIN = 0.3
RATES = CostRates(holding=0.25 / DAYS_A_YEAR, lost_sale=MARGIN / (1 - MARGIN), order=0.5, waste=1.0)


def stock_grid(title: str, sweeps: Mapping[str, Sweep], foresight: Totals) -> Grid:
    """Stock at equal fill rates: units of all series, and days of a series' demand, every series counting the same."""
    grid = Grid(title=f"{title}: average stock needed for a fill rate (units of all series | mean days per series)")
    grid.add_column("rule")
    for fill_rate in FILL_RATES:
        grid.add_column(f"{fill_rate:.0%}", justify="right")
    for name, swept in sweeps.items():
        units, days = stock_needed(swept), stock_needed(swept, weighting="series")
        grid.add_row(name, *(_needed(*stock) for stock in zip(units, days, strict=True)))
    reached, stock = foresight.sales.sum() / foresight.demand.sum(), foresight.average_on_hand.sum()
    grid.add_row(PERFECT_FORESIGHT, *[""] * (len(FILL_RATES) - 1), f"{stock:,.0f} at {reached:.1%}")
    return grid


def _needed(units: float, days: float) -> str:
    shown = ("-" if np.isnan(units) else f"{units:,.0f}", "-" if np.isnan(days) else f"{days:.2f}")
    return " | ".join(shown)


def difference_grid(title: str, sweeps: Mapping[str, Sweep], base: str = FORECAST) -> Grid:
    """How much more stock `base` needs than each other rule, with 95 % intervals; * where they leave 0 out."""
    grid = Grid(title=f"{title}: stock of '{base}' beyond that of the other rule")
    for name in ("rule", "weighted by", *(f"{fill_rate:.0%}" for fill_rate in FILL_RATES)):
        grid.add_column(name, justify="left" if name in ("rule", "weighted by") else "right")
    for name, swept in sweeps.items():
        if name != base:
            for weighting in ("units", "series"):
                found = [stock_difference(sweeps[base], swept, fill_rate, weighting) for fill_rate in FILL_RATES]
                grid.add_row(name, weighting, *(_told(one) for one in found))
    return grid


def _told(found: Difference) -> str:
    if np.isnan(found.estimate):
        return "not reached"
    if np.isnan(found.low) or np.isnan(found.high):
        return f"{found.estimate:+.1%} (bounds not known)"
    return f"{found.estimate:+.1%} ({found.low:+.1%} to {found.high:+.1%}){'*' if found.is_clear else ''}"


def untuned_grid(title: str, found: Comparison) -> Grid:
    """Each rule with its parameter set beforehand for a service of 95 %, and the least cost that any value gave."""
    grid = Grid(title=f"{title}: at the parameter set beforehand (95 %); costs with unit cost 1, see report.py")
    columns = (
        "parameter",
        "fill",
        "cycle service",
        "stock",
        "in stock",
        "orders/week",
        "bullwhip",
        "cost",
        "least",
        "at",
    )
    for name in ("rule", *columns):
        grid.add_column(name, justify="left" if name == "rule" else "right")
    for name, contender in found.contenders.items():
        swept = found.sweeps[name]
        total = [float(costs(totals, RATES).total.sum()) for totals in swept.totals]
        least = int(np.argmin(total))
        at_least = (f"{total[least]:,.0f}", f"{swept.parameters[least]:g}")
        if contender.untuned is None:
            grid.add_row(name, *[""] * (len(columns) - 2), *at_least)
            continue
        at = swept.parameters.index(contender.untuned)
        totals = swept.totals[at]
        cycles = cycle_service(found.scenario, contender.levels(swept.parameters[at]))
        grid.add_row(
            name,
            f"{swept.parameters[at]:g}",
            f"{totals.sales.sum() / totals.demand.sum():.2%}",
            f"{cycles.covered.sum() / cycles.closed.sum():.2%}",
            f"{totals.average_on_hand.sum():,.0f}",
            f"{totals.in_stock_rate.mean():.2%}",
            f"{totals.orders_a_week.mean():.2f}",
            f"{np.nanmedian(totals.bullwhip):.2f}",
            f"{total[at]:,.0f}",
            *at_least,
        )
    return grid


def promise_grid(title: str, found: Mapping[float, Service], segments: Segments) -> Grid:
    """Promised and achieved by segment and service level, weighted by units, and every series counting the same."""
    grid = Grid(title=f"{title}: what the forecast rule promised and achieved, %")
    columns = ("fill, promised", "achieved", "short by", "by series: promised", "achieved", "short by")
    for name in ("segment", "series", "cycle service, promised", "achieved", *columns):
        grid.add_column(name, justify="left" if name == "segment" else "right")
    for share, by_series in found.items():
        pooled = by_series.pooled(segments.membership)
        for row, (kind, name) in enumerate(segments.names):
            which = segments.membership[row] > 0
            fill = (pooled.promised_fill_rate[row], pooled.achieved_fill_rate[row])
            mean = [_mean(rate[which]) for rate in (by_series.promised_fill_rate, by_series.achieved_fill_rate)]
            grid.add_row(
                name if kind == name else f"{kind} {name}",
                f"{which.sum():,}",
                f"{100 * share:g}",
                f"{100 * pooled.achieved_cycle_service[row]:.1f}",
                *(f"{100 * rate:.1f}" for rate in (*fill, fill[0] - fill[1], *mean, mean[0] - mean[1])),
            )
        grid.add_section()
    return grid


def _mean(rates: Floats) -> float:
    known = rates[np.isfinite(rates)]
    return float(known.mean()) if len(known) else float("nan")
