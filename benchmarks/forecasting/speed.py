"""Time and memory of a forecast of 28 days, beside mlforecast with XGBoost on the same file and cores.

    uv run --group benchmarks python -m benchmarks.forecasting.speed WORK [--series 1000 5000 10000] [--days 730]

Each run is a process of its own that reads the panel, computes features, trains and forecasts means and quantiles from
one origin; mlforecast once with intervals of two windows, as `peers.py` sets it up, and once without. Prints seconds,
the peak memory of the process (MB), both as a ratio to mlforecast with intervals, and how time grows with the series
(the exponent of a power law between the smallest and the largest panel).
"""

import argparse
import json
import math
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks.forecasting.__main__ import NEXGEN, forecast_with_nexgen, forecast_with_peer, peak_megabytes
from benchmarks.forecasting.panels import BenchmarkPanel
from benchmarks.forecasting.peers import mlforecast_mean, mlforecast_xgboost

WITH_INTERVALS = "mlforecast + XGBoost"
MEAN_ONLY = "mlforecast + XGBoost, mean only"
PEERS = {WITH_INTERVALS: mlforecast_xgboost, MEAN_ONLY: mlforecast_mean}
FIRST = date(2023, 1, 2)
HORIZON_DAYS = 28
STORES = 10


def main() -> None:
    options = _options()
    if options.method:
        _run_here(options.work, options.series[0], options.days, options.method)
        return
    options.work.mkdir(parents=True, exist_ok=True)
    grid = Table(title=f"features, training and {HORIZON_DAYS} days of forecasts, {options.days} days of history")
    for name in ("series", "method", "seconds", "MB", "time", "memory"):
        grid.add_column(name, justify="left" if name == "method" else "right")
    seconds: dict[int, float] = {}
    for series in options.series:
        make_panel(panel_of_size(options.work, series, options.days))
        costs = {method: _measured(options, series, method) for method in (NEXGEN, *PEERS)}
        seconds[series] = costs[NEXGEN]["seconds"]
        for method, cost in costs.items():
            ratios = (cost[name] / costs[WITH_INTERVALS][name] for name in ("seconds", "megabytes"))
            grid.add_row(
                f"{series:,}",
                method,
                f"{cost['seconds']:.1f}",
                f"{cost['megabytes']:,.0f}",
                *(f"{ratio:.2f}" for ratio in ratios),
            )
    console = Console(width=120)
    console.print(grid)
    if len(seconds) > 1:
        small, large = min(seconds), max(seconds)
        exponent = math.log(seconds[large] / seconds[small]) / math.log(large / small)
        console.print(f"{NEXGEN}: seconds grow with series ^ {exponent:.2f}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("work", type=Path, help="folder for panels and forecasts")
    parser.add_argument("--series", type=int, nargs="+", default=[1_000, 5_000, 10_000])
    parser.add_argument("--days", type=int, default=730)
    parser.add_argument("--method", help=argparse.SUPPRESS)
    return parser.parse_args()


def _measured(options: argparse.Namespace, series: int, method: str) -> dict[str, float]:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.forecasting.speed", str(options.work)]
    command += ["--series", str(series), "--days", str(options.days), "--method", method]
    started = time.perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "megabytes": json.loads(done.stdout.splitlines()[-1])["megabytes"]}


def _run_here(work: Path, series: int, days: int, method: str) -> None:
    panel, output = panel_of_size(work, series, days), work / "speed-forecasts.parquet"
    if method == NEXGEN:
        forecast_with_nexgen(panel, output)
    else:
        forecast_with_peer(panel, PEERS[method], output)
    sys.stdout.write(json.dumps({"megabytes": peak_megabytes()}) + "\n")


def panel_of_size(work: Path, series: int, days: int) -> BenchmarkPanel:
    """The invented panel of that size, which `make_panel` writes."""
    origin = FIRST + timedelta(days=days - 1)
    path = work / f"speed-{series}-{days}.parquet"
    return BenchmarkPanel(path.stem, path, HORIZON_DAYS, (origin,), ("price", "promotion"), ("category", "store"))


def make_panel(panel: BenchmarkPanel) -> None:
    """Negative binomial demand by item and store, from a seed: weeks, a year, price cuts, launches."""
    series, days = (int(part) for part in panel.path.stem.split("-")[1:])
    days += HORIZON_DAYS
    rng = np.random.default_rng(series)
    item, store = np.arange(series) // STORES, np.arange(series) % STORES
    day = np.arange(days)
    rate = rng.lognormal(-0.5, 1.1, item.max() + 1)[item] * rng.lognormal(0, 0.4, STORES)[store]
    week = 1 + 0.3 * np.cos(2 * np.pi * day / 7)
    season = 1 + 0.15 * np.cos(2 * np.pi * (day[None, :] - rng.uniform(0, 365, 7)[item % 7][:, None]) / 365)
    on_promotion = np.repeat(rng.random((item.max() + 1, days // 7 + 1)) < 0.06, 7, axis=1)[:, :days][item]
    mean = rate[:, None] * week * season * np.where(on_promotion, 1.8, 1.0)
    units = rng.poisson(mean * rng.gamma(1.5, 1 / 1.5, (series, days)))
    launch = np.where(rng.random(series) < 0.3, rng.integers(0, days * 3 // 4, series), 0)
    is_sold = (day[None, :] >= launch[:, None]).ravel()
    price = np.round(rng.lognormal(1.2, 0.5, item.max() + 1)[item][:, None] * np.where(on_promotion, 0.8, 1.0), 2)
    dates = np.datetime64(FIRST) + day
    columns = {
        "product_id": np.repeat(item, days).astype(str),
        "location": np.repeat(store, days).astype(str),
        "date": np.tile(dates.astype("datetime64[s]"), series),
        "quantity": units.ravel().astype(np.float32),
        "price": price.ravel().astype(np.float32),
        "promotion": on_promotion.ravel().astype(np.int8),
        "category": np.repeat(item % 7, days).astype(np.int8),
        "store": np.repeat(store, days).astype(np.int8),
    }
    pd.DataFrame({name: values[is_sold] for name, values in columns.items()}).to_parquet(panel.path)


if __name__ == "__main__":
    main()
