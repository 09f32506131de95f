"""Accuracy of forecasts on real sales, beside the libraries that people would use instead.

    uv run --group benchmarks python -m benchmarks.forecasting WORK [--freshretail FILE] [--ddop FOLDER] [--panels NAME]

Every method sees the same files, origins, covariates known ahead and cores, each in a process of its own. Prints one
table of scores per panel, with seconds (all origins) and the peak memory of the process (MB), and one of how often
NexGen's quantiles cover the demand.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks.forecasting import panels
from benchmarks.forecasting.calibration import calibration
from benchmarks.forecasting.panels import BenchmarkPanel
from benchmarks.forecasting.peers import PEERS, Peer
from benchmarks.forecasting.scores import judged, scores

NEXGEN = "NexGen"
SHOWN = ("wrmsse", "wape_total", "wape", "bias", "wql", "wql_q95", "wql_q99", "cov_q90", "cov_q95", "cov_q99")


def main() -> None:
    options = _options()
    found = _panels(options)
    if options.method:
        _forecast_here(next(panel for panel in found if panel.name == options.panel), options)
        return
    for panel in (panel for panel in found if not options.panels or panel.name in options.panels):
        _compare(panel, options.work, options.methods or [NEXGEN, *PEERS])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("work", type=Path, help="folder for panels and forecasts")
    parser.add_argument("--freshretail", type=Path, help="a FreshRetailNet sample as Parquet")
    parser.add_argument("--ddop", type=Path, help="folder ddop/datasets/data of ddop's source package (PyPI, 0.7.6)")
    parser.add_argument("--panels", nargs="*", help="names of panels; all of those given if not told")
    parser.add_argument("--synthetic", type=Path, help="an M5-shaped panel with known demand as Parquet")
    parser.add_argument("--methods", nargs="*", help=f"some of: {', '.join([NEXGEN, *PEERS])}")
    parser.add_argument("--method", help=argparse.SUPPRESS)
    parser.add_argument("--panel", help=argparse.SUPPRESS)
    return parser.parse_args()


def _panels(options: argparse.Namespace) -> list[BenchmarkPanel]:
    options.work.mkdir(parents=True, exist_ok=True)
    found = [panels.complete_journey(options.work)]
    found += [panels.freshretail(options.freshretail)] if options.freshretail else []
    if options.ddop:
        found += [panels.bakery(options.ddop, options.work), panels.store_items(options.ddop, options.work)]
    found += [panels.synthetic(options.synthetic, options.work)] if options.synthetic else []
    return found


def _compare(panel: BenchmarkPanel, work: Path, methods: list[str]) -> None:
    grid = Table(title=f"{panel.name}: {len(panel.origins)} origins, {panel.horizon_days} days")
    for name in ("method", *SHOWN, "seconds", "MB"):
        grid.add_column(name, justify="left" if name == "method" else "right")
    covered: pd.DataFrame | None = None
    for method in methods:
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.forecasting", *sys.argv[1:]]
        done = subprocess.run(
            [*command, "--method", method, "--panel", panel.name], check=True, stdout=subprocess.PIPE, text=True
        )
        cost = json.loads(done.stdout.splitlines()[-1])
        rows = judged(panel, str(_output(panel, work, method)))
        result = scores(rows)
        shown = [f"{result[name]:.4f}" if name in result else "" for name in SHOWN]
        grid.add_row(method, *shown, f"{cost['seconds']:.1f}", f"{cost['megabytes']:,.0f}")
        if method == NEXGEN:
            covered = calibration(rows)
    console = Console(width=160)
    console.print(grid)
    if covered is not None:
        console.print(_coverage_grid(panel, covered))


def _coverage_grid(panel: BenchmarkPanel, covered: pd.DataFrame) -> Table:
    grid = Table(title=f"{panel.name}: coverage of {NEXGEN}'s quantiles by units a day (see calibration.py)")
    for name in covered.columns:
        grid.add_column(name, justify="left" if covered[name].dtype == object else "right")
    for row in covered.itertuples(index=False):
        grid.add_row(*(f"{value:.1f}" if isinstance(value, float) else f"{value}" for value in row))
    return grid


def _output(panel: BenchmarkPanel, work: Path, method: str) -> Path:
    return work / f"{panel.name}-{method.replace(' ', '-')}.parquet"


def _forecast_here(panel: BenchmarkPanel, options: argparse.Namespace) -> None:
    output = _output(panel, options.work, options.method)
    started = time.perf_counter()
    if options.method == NEXGEN:
        forecast_with_nexgen(panel, output)
    else:
        forecast_with_peer(panel, PEERS[options.method], output)
    sys.stdout.write(json.dumps({"seconds": time.perf_counter() - started, "megabytes": peak_megabytes()}) + "\n")
    sys.stdout.flush()


def peak_megabytes() -> float:
    """The peak memory of this process; `ru_maxrss` would start from that of the parent."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def forecast_with_peer(panel: BenchmarkPanel, peer: Peer, output: Path) -> None:
    """Write what a peer forecasts from every origin of a panel."""
    rows = pd.read_parquet(panel.path, columns=list(panel.columns))
    rows["date"] = pd.to_datetime(rows["date"])
    pd.concat([peer(panel, rows, origin) for origin in panel.origins]).to_parquet(output)


def forecast_with_nexgen(panel: BenchmarkPanel, output: Path) -> None:
    """Write what `nexgen backtest` forecasts from every origin of a panel."""
    from nexgen_assets.commands.backtest import run_backtest
    from nexgen_assets.forecasting.panel import PanelColumns
    from nexgen_assets.settings import load_settings

    columns = PanelColumns(panel.known, panel.static, panel.stockout)
    with Path(os.devnull).open("w") as nowhere:
        quiet = Console(file=nowhere)
        run_backtest(panel.path, columns, panel.origins, panel.horizon_days, [7, 14], output, load_settings(), quiet)


if __name__ == "__main__":
    main()
