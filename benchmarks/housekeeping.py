"""What housekeeping is worth: size and read time of a table of small days that was rewritten many times.

    python benchmarks/housekeeping.py --days 730 --rewrites 30

Two years of days are written at once and rewritten as often, on the embedded S3 server, then kept as if the retention
had passed. The rows must be the same before and after.
"""

import os
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import obstore
import pyarrow as pa
import typer
from rich.console import Console
from rich.table import Table as Report

from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.io_managers.maintenance import maintain
from nexgen_assets.resources.lake import open_lake
from nexgen_assets.settings import Settings
from nexgen_assets.tables import DAILY_DEMAND

FIRST_DAY = date(2024, 1, 1)


def rows(days: int, products: int, units: int) -> pa.Table:
    demand = {
        "demand_units": Decimal(units),
        "returned_units": Decimal(0),
        "revenue": Decimal(units),
        "sales_lines": 1,
        "days_since_sale": 0,
        "is_open": True,
        "is_open_inferred": True,
        "is_stockout_assumed": False,
    }
    keys = [(FIRST_DAY + timedelta(days=d), f"{p:05d}") for d in range(days) for p in range(products)]
    empty = dict.fromkeys(DAILY_DEMAND.names) | {"location": "north"} | demand
    return pa.Table.from_pylist(
        [empty | {"day": day, "product_id": product} for day, product in keys], schema=DAILY_DEMAND.arrow_schema
    )


def measured(tables: DeltaTables) -> tuple[list[str], pa.Table]:
    """A line of the report, and all rows: files, megabytes, seconds to open, to read all and to read four weeks."""
    sizes = [
        item["size"] for batch in obstore.list(tables.access.store(f"tables/{DAILY_DEMAND.name}")) for item in batch
    ]
    seconds = [
        best_of_three(lambda: tables.open(DAILY_DEMAND)),
        best_of_three(lambda: tables.read(DAILY_DEMAND)),
        best_of_three(lambda: tables.read(DAILY_DEMAND, FIRST_DAY, FIRST_DAY + timedelta(days=27))),
    ]
    return [str(len(sizes)), f"{sum(sizes) / 1e6:.1f}", *(f"{value:.2f}" for value in seconds)], tables.read(
        DAILY_DEMAND
    )


def best_of_three(act: Callable[[], object]) -> float:
    """Seconds."""

    def once() -> float:
        began = time.perf_counter()
        act()
        return time.perf_counter() - began

    return min(once() for _ in range(3))


def main(
    days: Annotated[int, typer.Option(min=28, help="Days in the table")] = 730,
    rewrites: Annotated[int, typer.Option(min=1, help="How often all of them are rewritten")] = 30,
    products: Annotated[int, typer.Option(min=1, help="Rows of a day")] = 100,
) -> None:
    """Measure before and after."""
    report = Report("", "files", "MB", "open s", "read all s", "read 28 days s", title=f"{days} days x {rewrites}")
    with tempfile.TemporaryDirectory() as folder:
        tables = DeltaTables(open_lake(Settings(home=Path(folder))))
        last = FIRST_DAY + timedelta(days=days - 1)
        for number in range(rewrites):
            tables.replace_days(DAILY_DEMAND, rows(days, products, number), FIRST_DAY, last, f"run-{number}")
        line, before = measured(tables)
        report.add_row("before", *line)
        began = time.perf_counter()
        # no retention and no grace: what was written a minute ago counts as superseded long ago
        maintain(tables, DAILY_DEMAND, 0, datetime.now(UTC), grace_hours=0)
        seconds = time.perf_counter() - began
        line, after = measured(tables)
        report.add_row("after", *line)
        order = [("day", "ascending"), ("product_id", "ascending")]
        if not before.sort_by(order).equals(after.sort_by(order)):
            raise RuntimeError("housekeeping changed rows")
    Console().print(report, f"housekeeping took {seconds:.1f} s")


if __name__ == "__main__":
    for name in [name for name in os.environ if name.startswith(("AWS_", "NEXGEN_"))]:
        del os.environ[name]
    typer.run(main)
