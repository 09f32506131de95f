"""What Dagster's catalog shows of a table, derived from the contract: columns, types, units, constraints."""

import dagster as dg

from nexgen_assets.tables import Table, spark_type


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


def table_metadata(table: Table) -> dict[str, object]:
    """Definition metadata of a table's asset."""
    return {
        "dagster/table_name": table.name,
        "dagster/column_schema": column_schema(table),
        "grain": " x ".join(table.grain),
    }
