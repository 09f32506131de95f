"""What raw sales to features cost: a backfill of a year, and one day on a short and on a long history.

    python benchmarks/history.py build /tmp/one --years 1      # lands and builds; seconds and memory
    python benchmarks/history.py day --home /tmp/one --home /tmp/three --repeats 5

10,000 series (2,000 products x 5 locations), each selling on half of its days: about 1.8 million lines a year, landed
as one CSV a month. `SPARK_REMOTE=local[*]` measures Apache Spark on the JVM. Peak memory is that of the process with
the embedded engine in it, without the S3 server; the JVM is a process of its own (its peak: `/proc/PID/status`).
"""

import os
import resource
import statistics
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow as pa
import typer
from pyarrow import csv
from rich.console import Console

from nexgen_assets.jobs import HISTORY, INGEST
from nexgen_assets.launcher import PlannedRun, execute, open_instance
from nexgen_assets.partitions import DayRange
from nexgen_assets.settings import Settings

LAST_DAY = date(2025, 12, 31)
PRODUCTS, LOCATIONS, SELLING_SHARE = 2_000, 5, 0.5

app = typer.Typer()
console = Console()


def settings_of(home: Path) -> Settings:
    os.environ["NEXGEN_HOME"] = str(home)
    return Settings(home=home)


def land(settings: Settings, first: date) -> int:
    """One file a month from `first` to LAST_DAY; returns the lines."""
    from nexgen_assets.landing_zone import LandingZone
    from nexgen_assets.resources.lake import open_lake

    random = np.random.default_rng(7)
    zone, lines = LandingZone(open_lake(settings), settings), 0
    days = DayRange(first, LAST_DAY)
    for month in sorted({day.replace(day=1) for day in days}):
        path = settings.home_path / f"{month:%Y-%m}.csv"
        table = pa.concat_tables([sales_of(day, random) for day in days if day.replace(day=1) == month])
        csv.write_csv(table, path)
        zone.put("sales", path)
        path.unlink()
        lines += table.num_rows
    return lines


def sales_of(day: date, random: np.random.Generator) -> pa.Table:
    series = np.flatnonzero(random.random(PRODUCTS * LOCATIONS) < SELLING_SHARE)
    quantity = 1 + random.poisson(2, len(series))
    price = 1 + (series // LOCATIONS) % 40 / 2
    return pa.table(
        {
            "product_id": [f"{product:05}" for product in series // LOCATIONS],
            "location": [f"store {location}" for location in series % LOCATIONS],
            "date_of_purchase": [day.isoformat()] * len(series),
            "quantity": quantity,
            "unit_price": price,
            "amount": quantity * price,
            "is_promotion": random.random(len(series)) < 0.1,
        }
    )


def peak_gigabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def timed(settings: Settings, run: PlannedRun) -> float:
    with open_instance(settings) as instance:
        began = time.monotonic()
        execute(instance, run)
        return time.monotonic() - began


@app.command()
def build(home: Path, years: int = 1) -> None:
    """Land so many years up to the end of 2025 and build their features in one run."""
    settings = settings_of(home)
    home.mkdir(parents=True, exist_ok=True)
    first = LAST_DAY.replace(year=LAST_DAY.year - years) + timedelta(days=1)
    lines = land(settings, first)
    ingest = timed(settings, PlannedRun(INGEST))
    days = DayRange(first, LAST_DAY)
    seconds = timed(settings, PlannedRun(HISTORY, days))
    console.print(
        f"{lines:,} lines, {len(days)} days: registered in {ingest:.1f} s; raw sales to features in {seconds:.1f} s, "
        f"one run; peak {peak_gigabytes():.2f} GB"
    )


@app.command()
def day(home: Annotated[list[Path], typer.Option()], repeats: int = 5) -> None:
    """The last day again, by turns on each home, each time in a new process with a warm engine."""
    seconds: dict[Path, list[float]] = {path: [] for path in home}
    for _ in range(repeats):
        for path in home:
            command = [sys.executable, __file__, "last-day", str(path)]
            answer = subprocess.run(command, check=True, capture_output=True, text=True)
            seconds[path].append(float(answer.stdout.split()[-1]))
    for path, measured in seconds.items():
        console.print(f"{path}: median {statistics.median(measured):.2f} s of {[round(s, 2) for s in measured]}")
    medians = [statistics.median(measured) for measured in seconds.values()]
    console.print(f"ratio to the first: {', '.join(f'{median / medians[0]:.2f}' for median in medians)}")


@app.command()
def last_day(home: Path) -> None:
    """One day's run, raw sales to features; the first one warms the engine and is not counted."""
    settings = settings_of(home)
    run = PlannedRun(HISTORY, DayRange(LAST_DAY, LAST_DAY))
    timed(settings, run)
    console.print(timed(settings, run))


if __name__ == "__main__":
    app()
