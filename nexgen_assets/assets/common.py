"""What all assets of the graph share: owners, one backfill policy, and how an asset states its lookback."""

from typing import NotRequired, TypedDict

import dagster as dg

from nexgen_assets.io_managers.catalog import table_metadata
from nexgen_assets.io_managers.delta import LOOKBACK
from nexgen_assets.tables import Table

OWNERS = ["team:data-platform"]
SPARK_KINDS = {"pyspark", "deltalake", "s3"}
PYTHON_KINDS = {"python", "deltalake", "s3"}


class TableArguments(TypedDict):
    """The keyword arguments of `@dg.asset` that follow from a table and its stage."""

    name: str
    io_manager_key: str
    metadata: dict[str, object]
    group_name: str
    kinds: set[str]
    owners: list[str]
    code_version: str
    partitions_def: NotRequired[dg.DailyPartitionsDefinition]
    backfill_policy: NotRequired[dg.BackfillPolicy]


def daily_table(
    table: Table, days: dg.DailyPartitionsDefinition, *, group: str, kinds: set[str], code_version: str
) -> TableArguments:
    """Keyword arguments of `@dg.asset` for a daily table: any range of days is one run."""
    return {
        "name": table.name,
        "partitions_def": days,
        "backfill_policy": dg.BackfillPolicy.single_run(),
        "io_manager_key": "tables",
        "metadata": table_metadata(table),
        "group_name": group,
        "kinds": kinds,
        "owners": OWNERS,
        "code_version": code_version,
    }


def small_table(table: Table, *, group: str, code_version: str) -> TableArguments:
    """Keyword arguments of `@dg.asset` for a table that is replaced as a whole."""
    return {
        "name": table.name,
        "io_manager_key": "tables",
        "metadata": table_metadata(table),
        "group_name": group,
        "kinds": PYTHON_KINDS,
        "owners": OWNERS,
        "code_version": code_version,
    }


def lookback(key: str, days: int) -> dg.AssetIn:
    """An input that also holds the `days` before the run's days. The edge itself stays day to day."""
    return dg.AssetIn(key=key, metadata={LOOKBACK: days})
