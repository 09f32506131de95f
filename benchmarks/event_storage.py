"""Seconds Dagster spends on bookkeeping for a range of days: its SQLite event log as shipped against NexGen's.

    python benchmarks/event_storage.py --days 120

Nine chained assets with empty bodies and metadata for each day, one run over the whole range, nothing else.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Annotated

import typer
from dagster import AssetExecutionContext, AssetKey, AssetsDefinition, DagsterInstance, asset, materialize
from dagster import DailyPartitionsDefinition as Daily
from rich.console import Console
from rich.table import Table

from nexgen_assets.event_storage import (
    EVENT_BATCH_SIZE_VARIABLE,
    BatchedSqliteEventLogStorage,
    enable_event_batching,
)

ASSETS = 9
FIRST_DAY = date(2024, 1, 1)
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def chained_assets() -> list[AssetsDefinition]:
    """Assets stage_0 -> stage_1 -> ..., daily, that store nothing."""

    def stage(number: int) -> AssetsDefinition:
        upstream = [AssetKey(f"stage_{number - 1}")] if number else []

        @asset(name=f"stage_{number}", deps=upstream, partitions_def=Daily(FIRST_DAY.isoformat()))
        def body(context: AssetExecutionContext) -> None:
            for day in context.partition_keys:
                context.add_asset_metadata({"rows": 1}, partition_key=day)

        return body

    return [stage(number) for number in range(ASSETS)]


@contextmanager
def instance_of(storage: type | None) -> Iterator[DagsterInstance]:
    """A Dagster instance in a temporary folder; `storage` is the event log class, None for the shipped one."""
    os.environ.pop(EVENT_BATCH_SIZE_VARIABLE, None)
    with tempfile.TemporaryDirectory() as folder:
        overrides: dict[str, object] = {"telemetry": {"enabled": False}}
        if storage:
            enable_event_batching(os.environ)
            config = {"module": storage.__module__, "class": storage.__name__, "config": {"base_dir": folder}}
            overrides["event_log_storage"] = config
        instance = DagsterInstance.local_temp(folder, overrides=overrides)
        yield instance
        instance.dispose()


def seconds_of_range(storage: type | None, days: int) -> float:
    """Wall-clock seconds of one run over `days` days; checks that every day ended up materialized."""
    first, last = FIRST_DAY.isoformat(), (FIRST_DAY + timedelta(days=days - 1)).isoformat()
    with instance_of(storage) as instance:
        start = time.perf_counter()
        materialize(chained_assets(), instance=instance, tags={RANGE_START: first, RANGE_END: last})
        seconds = time.perf_counter() - start
        found = len(instance.get_materialized_partitions(AssetKey(f"stage_{ASSETS - 1}")))
        if found != days:
            raise RuntimeError(f"{found} of {days} days are materialized")
    return seconds


def main(days: Annotated[int, typer.Option(min=2, help="Days in the range")] = 120) -> None:
    """Time both storages on the same range and print them side by side."""
    table = Table("event log", "seconds", "ms per event", title=f"{days} days x {ASSETS} assets, one run")
    events = 2 * days * ASSETS
    for name, storage in [
        ("SQLite, NexGen (batched)", BatchedSqliteEventLogStorage),
        ("SQLite, as Dagster ships it", None),
    ]:
        seconds = seconds_of_range(storage, days)
        table.add_row(name, f"{seconds:.1f}", f"{1000 * seconds / events:.2f}")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
