"""What Dagster's catalog shows of a table, derived from the contract: columns, types, units, constraints, checks."""

from base64 import b64encode
from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from nexgen_assets.io_managers.audit import rules_of
from nexgen_assets.tables import TABLES, Table, spark_type
from nexgen_assets.verdicts import Verdict

if TYPE_CHECKING:
    from nexgen_assets.forecasting.report import Plot

CHART_WIDTH = 20


def column_schema(table: Table) -> dg.TableSchema:
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name,
                type=str(column.type) if column.type.num_fields else spark_type(column.type),
                description=f"{column.description} [{column.unit}]" if column.unit else column.description,
                constraints=dg.TableColumnConstraints(
                    nullable=column.nullable, other=[f">= {column.minimum:g}"] if column.minimum is not None else []
                ),
            )
            for column in table.columns
        ],
        constraints=dg.TableConstraints(other=[f"one row per {' x '.join(table.grain)}"]),
    )


def column_lineage(table: Table) -> dg.TableColumnLineage:
    """Which columns of which assets each column is computed from; those that are made here are left out."""
    sources = {name: table.sources_of(name, TABLES) for name in table.names}
    return dg.TableColumnLineage(
        {
            name: [dg.TableColumnDep(dg.AssetKey(source), column) for source, column in found]
            for name, found in sources.items()
            if found
        }
    )


def table_metadata(table: Table) -> dict[str, object]:
    """Definition metadata of a table's asset."""
    return {
        "dagster/table_name": table.name,
        "dagster/column_schema": column_schema(table),
        "grain": " x ".join(table.grain),
    }


def blocking_checks(table: Table) -> list[dg.AssetCheckSpec]:
    """The rules of the audit as checks of the table's asset: they come with each write, and stop a bad one."""
    return [
        dg.AssetCheckSpec(name, asset=table.name, description=description, blocking=True)
        for name, description in rules_of(table).items()
    ]


def verdict_metadata(verdict: Verdict) -> dict[str, dg.MetadataValue]:
    """The numbers of a verdict, and its chart as a small table."""
    shown = {name: _value(number) for name, number in verdict.numbers.items()}
    if verdict.chart:
        shown["chart"] = dg.MetadataValue.md(_bars(verdict))
    return shown


def plots_metadata(plots: "Sequence[Plot]") -> dg.MetadataValue:
    """Plots with their captions, in the event itself: the UI shows them without reaching the lake.

    Ten or twenty kilobytes each, not more: they stay in Dagster's records as long as the run does.
    """
    return dg.MetadataValue.md("\n\n".join(_figure(plot) for plot in plots))


def _figure(plot: "Plot") -> str:
    content = b64encode(plot.png).decode()
    title = plot.name.replace("_", " ").capitalize()
    return f"**{title}.** {plot.caption}\n\n![{plot.name}](data:image/png;base64,{content})"


def _value(number: float | str) -> dg.MetadataValue:
    if isinstance(number, str):
        return dg.MetadataValue.text(number)
    return dg.MetadataValue.int(number) if isinstance(number, int) else dg.MetadataValue.float(number)


def _bars(verdict: Verdict) -> str:
    most = max(verdict.chart.values()) or 1.0
    lines = [
        f"| {label} | {value:,.4g} | {'█' * round(CHART_WIDTH * value / most)} |"
        for label, value in verdict.chart.items()
    ]
    return "\n".join(["| | | |", "|---|---:|---|", *lines])
