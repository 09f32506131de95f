"""What one large sales file costs: registered, then read into `raw_sales`; seconds and peak memory of each.

    python benchmarks/large_file.py run --lines 5000000

A file of so many lines over --days days is landed on an embedded S3 server of its own; each step is a process of its
own, as under `nexgen up`, and its progress is shown. Peak memory is that of the process, without the S3 server.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import pyarrow as pa
import typer
from pyarrow import csv
from rich.console import Console

from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.jobs import HISTORY, INGEST
from nexgen_assets.landing_zone import LandingZone
from nexgen_assets.launcher import PlannedRun, open_instance
from nexgen_assets.partitions import DayRange
from nexgen_assets.resources.lake import open_lake
from nexgen_assets.settings import Settings
from nexgen_assets.tables import RAW_SALES

LAST_DAY = date(2025, 12, 31)
CHUNK = 500_000
SEGMENTS, WEATHER = ("regular", "premium", "occasional"), ("sunny", "rain", "cloudy")

app = typer.Typer()
console = Console()


def write_file(path: Path, lines: int, days: int) -> None:
    """About 120 bytes a line, the days in order, as an export of a year is."""
    random = np.random.default_rng(7)
    with csv.CSVWriter(path, some_lines(random, 0, 1, lines, days).schema) as file:
        for first in range(0, lines, CHUNK):
            file.write(some_lines(random, first, min(CHUNK, lines - first), lines, days))


def some_lines(random: np.random.Generator, first: int, count: int, lines: int, days: int) -> pa.Table:
    number = np.arange(first, first + count)
    product, quantity = random.integers(0, 2_000, count), random.integers(1, 9, count)
    cents = 100 + product % 4_000
    start = LAST_DAY - timedelta(days=days - 1)
    return pa.table(
        {
            "customer_id": [f"C{n:06}" for n in random.integers(0, 200_000, count)],
            "customer_segment": np.array(SEGMENTS)[random.integers(0, 3, count)],
            "weather_condition": np.array(WEATHER)[random.integers(0, 3, count)],
            "product_id": [f"{n:06}" for n in product],
            "product_name": [f"Product number {n}" for n in product],
            "category": [f"Category {n % 40}" for n in product],
            "location": [f"Store {n:02}" for n in random.integers(0, 20, count)],
            "date_of_purchase": [str(start + timedelta(days=int(n))) for n in number * days // lines],
            "quantity": quantity,
            "unit_price": cents / 100,
            "amount": quantity * cents / 100,
            "is_promotion": random.random(count) < 0.1,
            "stock_level": random.integers(0, 500, count),
        }
    )


@app.command()
def run(lines: int = 5_000_000, days: int = 365, limit_gb: float = 2.0) -> None:
    """Land, register and read the file; fails if a step needs more than `limit_gb`."""
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_of(Path(folder))
        path = settings.home_path / "year.csv"
        write_file(path, lines, days)
        size = path.stat().st_size / 1e6
        access = open_lake(settings)  # holds the S3 server for the steps
        LandingZone(access, settings).put("sales", path)
        path.unlink()
        worst = 0.0
        for step in ("register", "read"):
            command = [sys.executable, __file__, step, folder, str(days)]
            answer = subprocess.run(command, check=True, capture_output=True, text=True)
            told, last = answer.stdout.splitlines()[:-1], answer.stdout.splitlines()[-1]
            seconds, peak = map(float, last.split())
            for line in told:
                console.print(line, highlight=False)
            console.print(f"{step}: {seconds:.1f} s, peak {peak:.2f} GB")
            worst = max(worst, peak)
        rows = DeltaTables(access).row_count(RAW_SALES)
        console.print(f"{lines:,} lines ({size:,.0f} MB), {days} days: {rows:,} rows in raw_sales")
        if rows != lines or worst > limit_gb:
            raise typer.Exit(1)


@app.command()
def register(home: Path, days: int) -> None:  # noqa: ARG001  # both steps are called alike
    measure(home, PlannedRun(INGEST))


@app.command()
def read(home: Path, days: int) -> None:
    only_raw = PlannedRun(HISTORY, DayRange(LAST_DAY - timedelta(days=days - 1), LAST_DAY))
    measure(home, only_raw, RAW_SALES.name)


def measure(home: Path, planned: PlannedRun, asset: str | None = None) -> None:
    """Print the progress that the run logged, its seconds, and this process's peak gigabytes."""
    from nexgen_assets.definitions import defs

    settings = settings_of(home)
    wanted = [dg.AssetKey(asset)] if asset else None
    job = defs.get_repository_def().get_job(planned.job)
    with open_instance(settings) as instance:
        began = time.monotonic()
        done = job.execute_in_process(instance=instance, tags=planned.tags, asset_selection=wanted)
        seconds = time.monotonic() - began
        for entry in instance.all_logs(done.run_id):
            if "lines" in entry.user_message and not entry.is_dagster_event:
                console.print(entry.user_message)
    console.print(f"{seconds} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6}")


def settings_of(home: Path) -> Settings:
    os.environ["NEXGEN_HOME"] = str(home)
    return Settings(home=home)


if __name__ == "__main__":
    app()
