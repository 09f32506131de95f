"""Stock that orders need for the same service, on real demand: our forecasts beside rules without a model.

    uv run --group benchmarks python -m benchmarks.replenishment WORK [--ddop FOLDER] [--freshretail FILE]
        [--panels NAME ...]

Per panel: one model, trained once before the first simulated day, forecasts from the close of every later day. All
rules meet the same demand and deliveries (lead time 2 days, delays, daily review, lost sales), and start from the same
stock. Prints the stock needed at equal fill rates, differences with 95 % intervals (bootstrap over series), what each
rule does at the parameter set beforehand, and the service that was promised and achieved.
"""

import argparse
import logging
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.logging import RichHandler
from rich.table import Table as Grid

from benchmarks.forecasting import panels
from benchmarks.forecasting.panels import BenchmarkPanel
from benchmarks.replenishment import report
from benchmarks.replenishment.ets import AUTO_ETS, auto_ets
from benchmarks.replenishment.forecasts import rolling_forecasts, summed_quantiles
from benchmarks.replenishment.trials import RECENT_DAYS, Trial, trial_of
from nexgen_assets.forecasting.segments import ABC, ALL, PATTERN, Segments, segments_of
from nexgen_assets.replenishment.baselines import mean_interval
from nexgen_assets.replenishment.comparison import FORECAST, WEEKDAY_PROFILE, Comparison, compare
from nexgen_assets.settings import load_settings

logger = logging.getLogger("benchmarks.replenishment")

MOST_ETS_SERIES = 100


def main() -> None:
    options = _options()
    console = Console(width=170)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[RichHandler(console=console)])
    logger.setLevel(logging.INFO)
    for panel in _panels(options):
        began = time.perf_counter()
        trial = trial_of(panel)
        found, segments = _tried(trial)
        # each as soon as it is known: the last ones take minutes on many series
        for grid in chain(_grids(trial, found, segments), _ets_grids(trial, found)):
            console.print(grid)
        console.print(f"{panel.name} took {time.perf_counter() - began:.0f} s")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("work", type=Path, help="folder for the panels")
    parser.add_argument("--ddop", type=Path, help="folder ddop/datasets/data of ddop's source package (PyPI, 0.7.6)")
    parser.add_argument("--freshretail", type=Path, help="a FreshRetailNet sample as Parquet")
    parser.add_argument("--panels", nargs="*", help="names of panels; all of those given if not told")
    return parser.parse_args()


def _panels(options: argparse.Namespace) -> Iterator[BenchmarkPanel]:
    options.work.mkdir(parents=True, exist_ok=True)
    sources = {"complete-journey": lambda: panels.complete_journey(options.work)}
    if options.freshretail:
        sources["freshretail"] = lambda: panels.freshretail(options.freshretail)
    if options.ddop:
        sources["bakery"] = lambda: panels.bakery(options.ddop, options.work)
        sources["store-items"] = lambda: panels.store_items(options.ddop, options.work)
    for name in options.panels or sources:
        if name not in sources:
            raise SystemExit(f"there is no panel {name}: one of {', '.join(sources)}, or tell its files")
        yield sources[name]()


def _tried(trial: Trial) -> tuple[Comparison, Segments]:
    forecasts, known = rolling_forecasts(trial, load_settings())
    interval = float(mean_interval(trial.lead_times, trial.review_period_days)[0])
    summed = summed_quantiles(forecasts, interval)
    began = time.perf_counter()
    found = compare(trial.scenario, trial.demand, trial.lead_times, forecasts, [summed])
    logger.info("levels and simulations of %d rules: %.0f s", len(found.sweeps), time.perf_counter() - began)
    return found, _segments(trial, known)


def _segments(trial: Trial, known: pa.Table) -> Segments:
    """Classes of value (units stand for money) and patterns of demand, by what was known at the cutoff."""
    recent = trial.demand[:, -trial.days - RECENT_DAYS : -trial.days].sum(axis=1)
    return segments_of(known, recent).of_kinds(ALL, ABC, PATTERN)


def _grids(trial: Trial, found: Comparison, segments: Segments) -> Iterator[Grid]:
    name = trial.panel.name
    title = f"{name}, {len(trial.rows):,} series, {trial.judged_days} days" + (
        "" if trial.is_conclusive else " (too short to conclude from)"
    )
    yield report.stock_grid(title, found.sweeps, found.foresight)
    yield report.difference_grid(title, found.sweeps)
    yield report.untuned_grid(title, found)
    yield report.promise_grid(title, found.promised, segments)


def _ets_grids(trial: Trial, found: Comparison) -> Iterator[Grid]:
    """AutoETS on a sample of the series, beside our forecasts and the weekday profile on the same."""
    which = np.arange(0, len(trial.rows), -(-len(trial.rows) // MOST_ETS_SERIES))
    began = time.perf_counter()
    ets = auto_ets(trial.demand[which], trial.days)
    logger.info("%s: fits and forecasts, %.0f s", ets.name, time.perf_counter() - began)
    scenario = trial.scenario.rows(which)
    sweeps = {name: found.sweeps[name].rows(which) for name in (FORECAST, WEEKDAY_PROFILE)}
    sweeps[AUTO_ETS] = ets.swept(scenario)
    title = f"{trial.panel.name}, a sample of {len(which)} series"
    yield report.stock_grid(title, sweeps, found.foresight.rows(which))
    yield report.difference_grid(title, sweeps)


if __name__ == "__main__":
    main()
