"""The IO manager of all tables: which days an asset reads and writes, and what Dagster is told about it.

An input gets one frame of the type it is annotated with, over the run's days and the lookback it declares in
`metadata={"lookback_days": n}`, whose days must exist unless it says `"lookback_may_have_gaps": True`. An output
replaces exactly the run's days, in one commit; what its audit found is recorded as asset checks, also when it stops the
write.
"""

import time
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any
from uuid import uuid4

import dagster as dg
import pyarrow as pa

from nexgen_assets.io_managers.audit import ContractError
from nexgen_assets.io_managers.catalog import column_lineage, column_schema, verdict_metadata
from nexgen_assets.io_managers.delta_tables import DeltaTables, Published, TableReader
from nexgen_assets.partitions import DayRange, key_range
from nexgen_assets.resources.lake import LakeResource
from nexgen_assets.resources.spark import SparkResource
from nexgen_assets.tables import LANDING_FILES, RAW_SALES, REJECTED_SALES, TABLES, Table
from nexgen_assets.verdicts import Verdict

LOOKBACK = "lookback_days"
MAY_HAVE_GAPS = "lookback_may_have_gaps"


class MissingDaysError(RuntimeError):
    """Days that a lookback needs have never been materialized; the message lists them."""


class DeltaTableIOManager(dg.ConfigurableIOManager):
    """Stores an asset's rows in the Delta table of the same name."""

    lake: LakeResource
    spark: SparkResource

    def handle_output(self, context: dg.OutputContext, obj: Any) -> Iterator[dg.DagsterEvent]:  # pyright: ignore[reportIncompatibleMethodOverride]  # Dagster takes a generator of events as well
        table = _table(context)
        tables = DeltaTables(self.lake.access)
        try:
            verdicts = (
                _write_days(context, tables, table, obj)
                if context.has_asset_partitions
                else _write_all(context, tables, table, obj)
            )
        except ContractError as broken:
            yield from _evaluations(context, broken.verdicts)
            raise
        yield from _evaluations(context, verdicts)

    def load_input(self, context: dg.InputContext) -> Any:
        table = _table(context)
        tables = DeltaTables(self.lake.access)
        days = self._days_to_read(context, table, tables) if context.has_asset_partitions else None
        start, end = (days.start, days.end) if days else (None, None)
        wanted = context.dagster_type.typing_type
        if wanted is pa.Table:
            return tables.read(table, start, end)
        if wanted is pa.RecordBatchReader:
            return tables.stream(table, start, end)
        if wanted is TableReader:
            if start is None or end is None:
                raise TypeError(f"{table.name} is not daily: it has no TableReader")
            return tables.reader(table, start, end)
        if wanted.__module__.startswith("pandas."):
            return tables.read(table, start, end).to_pandas()
        return tables.read_spark(self.spark.spark_session, table, start, end)

    def _days_to_read(self, context: dg.InputContext, table: Table, tables: DeltaTables) -> DayRange:
        run = key_range(context.asset_partition_key_range)
        declared = context.definition_metadata or {}
        window = run.preceded_by(int(declared.get(LOOKBACK, 0)))
        if not declared.get(MAY_HAVE_GAPS):
            _require_days(context, table, tables, window.start, run.start)
        return window


def _table(context: dg.InputContext | dg.OutputContext) -> Table:
    return TABLES[context.asset_key.path[-1]]


def _write_days(context: dg.OutputContext, tables: DeltaTables, table: Table, frame: Any) -> Sequence[Verdict]:
    days = key_range(context.asset_partition_key_range)
    last_key = context.asset_partitions_def.get_last_partition_key()
    began = time.monotonic()
    published = tables.replace_days(
        table,
        frame,
        days.start,
        days.end,
        f"{context.run_id}-{uuid4().hex[:8]}",
        last_day=date.fromisoformat(last_key) if last_key else None,
    )
    _record(context, tables, table, published, time.monotonic() - began)
    return published.verdicts


def _write_all(context: dg.OutputContext, tables: DeltaTables, table: Table, rows: pa.Table) -> Sequence[Verdict]:
    version, verdicts = tables.replace_all(table, rows)
    context.add_output_metadata(
        {
            "dagster/row_count": rows.num_rows,
            "dagster/uri": dg.MetadataValue.url(tables.access.table_uri(table.name)),
            "dagster/column_schema": column_schema(table),
            "table_version": version,
        }
    )
    return verdicts


def _evaluations(context: dg.OutputContext, verdicts: Sequence[Verdict]) -> Iterator[dg.DagsterEvent]:
    """One evaluation per rule, in the run's own log: it stands there even if the step fails right after."""
    for verdict in verdicts:
        evaluation = dg.AssetCheckEvaluation(
            asset_key=context.asset_key,
            check_name=verdict.name,
            passed=verdict.passed,
            description=verdict.reason,
            metadata=verdict_metadata(verdict),
            blocking=True,
        )
        yield dg.DagsterEvent.asset_check_evaluation(context.step_context, evaluation)


def _record(context: dg.OutputContext, tables: DeltaTables, table: Table, published: Published, seconds: float) -> None:
    """Tell Dagster, day by day, what was written; the schema goes with the newest day, which the UI shows first."""
    step = context.step_context
    figures = _figures(tables, table, published)
    shared = {
        "dagster/uri": dg.MetadataValue.url(published.uri),
        "table_version": published.version,
        "bytes_of_run": published.bytes,
    }
    newest = max(published.rows_per_day)
    for day, rows in published.rows_per_day.items():
        metadata = {**shared, "dagster/row_count": rows, "dagster/partition_row_count": rows}
        metadata |= figures.get(day, {})
        if day == newest:
            metadata |= {
                "dagster/column_schema": column_schema(table),
                "dagster/column_lineage": column_lineage(table),
                "write_seconds": seconds,
            }
        step.add_asset_metadata(metadata, asset_key=context.asset_key, partition_key=day.isoformat())


def _figures(tables: DeltaTables, table: Table, published: Published) -> dict[date, dict[str, float]]:
    """What the UI plots over the days: the table's own figures, and the share of lines that were refused."""
    if table is not REJECTED_SALES:
        return published.figures
    lines = tables.rows_per_day(RAW_SALES, min(published.rows_per_day), max(published.rows_per_day))
    return {
        day: {**(found := published.figures.get(day, {})), "rejected_share": found.get("refused_lines", 0.0) / count}
        for day, count in lines.items()
    }


def _require_days(context: dg.InputContext, table: Table, tables: DeltaTables, start: date, before: date) -> None:
    """Refuse to compute from a history with holes: every landed day of start..before must have been materialized.

    A day counts if the table holds rows of it, or, for a day without rows, if Dagster knows its materialization.
    """
    if start == before:
        return
    first = first_landed_day(tables)
    if first is None or before <= first:
        return
    needed = set(DayRange(max(start, first), before)) - {before}
    missing = needed - tables.days_with_rows(table, start, before)
    if missing:
        known = context.instance.get_materialized_partitions(context.asset_key)
        missing -= {date.fromisoformat(key) for key in known}
    if missing:
        listed = ", ".join(day.isoformat() for day in sorted(missing)[:10])
        raise MissingDaysError(
            f"{table.name} lacks {len(missing)} of the days this run looks back on ({listed}"
            f"{', ...' if len(missing) > 10 else ''}): materialize those days first, with the job `history`"
        )


def first_landed_day(tables: DeltaTables) -> date | None:
    """The earliest day any landed sales line belongs to: before it there is no history to look back on."""
    manifest = tables.read(LANDING_FILES, columns=["kind", "status", "days"]).to_pylist()
    days = [day for row in manifest if row["kind"] == "sales" and row["status"] == "current" for day in row["days"]]
    return min(days, default=None)
