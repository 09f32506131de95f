"""Contract and storage: what a table that an older version wrote lacks of its contract, and how it catches up.

What belongs here: comparing the stored schema and the stored rows with the contract, and saying in words what has to be
built anew. What does not: reading and writing (`delta_tables`), and starting the runs (`upgrade.py`).

Storage catches up with the write of any day: new columns are added, and hold nothing on the days written before. No
column is ever removed. Where the contract requires a value that a day does not hold, or the type of a column changed,
whoever asks for that column gets an error, never a guess.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

import pyarrow as pa
from deltalake import DeltaTable, Field, QueryBuilder, Schema

from nexgen_assets.io_managers.audit import SCAN_SETTINGS, rows_per_day, where
from nexgen_assets.jobs import job_of
from nexgen_assets.partitions import DayRange, merged
from nexgen_assets.tables import DAY, Column, Table, spark_type

RANGES_SHOWN = 3


@dataclass(frozen=True)
class Outdated:
    """What of a table an older version wrote such that the contract cannot be read from it, and what mends it.

    `days` are to be built anew, all in one run if `at_once`; a table that is not daily has none, and is replaced whole.
    """

    table: Table
    problem: str
    days: tuple[date, ...] = ()
    at_once: bool = False

    @property
    def ranges(self) -> list[DayRange]:
        """The days to build anew as runs: each without a gap, or one of all."""
        if self.at_once and self.days:
            return [DayRange(min(self.days), max(self.days))]
        return merged(self.days, gap_days=0)

    def __str__(self) -> str:
        days = ", ".join(map(str, self.ranges[:RANGES_SHOWN]))
        if (hidden := len(self.ranges) - RANGES_SHOWN) > 0:
            days += f" and {hidden} more ranges"
        what = f"its days {days}" if days else "it"
        once = " in one run" if self.at_once else ""
        job = job_of(self.table.name)
        how = f" by the job `{job}`: `nexgen upgrade` does so" if job else ""
        return f"{self.table.name}: {self.problem}; build {what} anew{once}{how}"


class OutdatedTableError(RuntimeError):
    """Stored rows do not fit the contract; the message says of which table, columns and days, and what to run."""

    def __init__(self, found: Outdated) -> None:
        super().__init__(str(found))
        self.found = found


# ---- the stored schema


def storage_schema(table: Table) -> Schema:
    """The contract as it is stored: nullability is audited, not declared, because engines differ in writing it."""
    return Schema.from_arrow(pa.schema([pa.field(c.name, c.type) for c in table.columns]))


def evolved(table: Table, source: DeltaTable, start: date, end: date) -> Schema:
    """The stored schema once days start..end are replaced: all stored columns, then those that the contract gained.

    A column of another type takes the contract's if no day keeps rows of the old one; otherwise OutdatedTableError.
    """
    stored, wanted = source.schema(), _fields(storage_schema(table))
    if changed := _retyped_columns(stored, wanted):
        days = rows_per_day(source, date.min, date.max)
        if any(not start <= day <= end for day in days):
            raise OutdatedTableError(_retyped(table, source, changed))
    fields = [wanted[field.name] if field.name in changed else field for field in stored.fields]
    known = {field.name for field in fields}
    fields += [field for name, field in wanted.items() if name not in known]
    return Schema(fields) if fields != stored.fields else stored


def absent_columns(table: Table, source: DeltaTable) -> list[Column]:
    """Columns of the contract that no write has stored yet."""
    stored = {field.name for field in source.schema().fields}
    return [column for column in table.columns if column.name not in stored]


def null_of(column: Column) -> str:
    """SQL of the value that a row has in a column which is not stored."""
    return "NULL" if column.type.num_fields else f"CAST(NULL AS {spark_type(column.type)})"


def _fields(schema: Schema) -> dict[str, Field]:
    return {field.name: field for field in schema.fields}


def _retyped_columns(stored: Schema, wanted: dict[str, Field]) -> list[str]:
    return [f.name for f in stored.fields if f.name in wanted and f.type != wanted[f.name].type]


# ---- what readers cannot be given


def require_readable(
    table: Table, source: DeltaTable, names: Sequence[str], start: date | None, end: date | None
) -> None:
    """Raise OutdatedTableError unless these columns of days start..end have the contract's types and required values.

    Reads no value: the log, and where it tells nothing of a column the footers of files, say that there is no null.
    """
    require_types(table, source, names)
    if found := without_values(table, source, names, start, end):
        raise OutdatedTableError(found)


def require_types(table: Table, source: DeltaTable, names: Sequence[str]) -> None:
    """Raise OutdatedTableError if one of these columns is stored under another type than the contract's."""
    if found := of_other_types(table, source, names):
        raise OutdatedTableError(found)


def of_other_types(table: Table, source: DeltaTable, names: Sequence[str]) -> Outdated | None:
    """Which of these columns are stored under another type; nothing but building all days anew mends that."""
    changed = _retyped_columns(source.schema(), _fields(storage_schema(table)))
    asked = [name for name in changed if name in names]
    return _retyped(table, source, asked) if asked else None


def _retyped(table: Table, source: DeltaTable, names: Sequence[str]) -> Outdated:
    stored, wanted = _fields(source.schema()), _fields(storage_schema(table))
    differences = [f"{name} is stored as {_words(stored[name])}, not {_words(wanted[name])}" for name in names]
    days = tuple(sorted(rows_per_day(source, date.min, date.max))) if table.is_daily else ()
    return Outdated(table, "; ".join(differences), days, at_once=table.is_daily)


def _words(field: Field) -> str:
    return str(getattr(field.type, "type", field.type))


def without_values(
    table: Table, source: DeltaTable, names: Sequence[str], start: date | None, end: date | None
) -> Outdated | None:
    """Which of these columns have no value, on which of days start..end, though the contract requires one.

    The audit lets no such row through: an older version wrote it, before the contract required the value.
    """
    absent = {column.name for column in absent_columns(table, source)}
    tests = {name: "true" if name in absent else f'"{name}" IS NULL' for name in names if _is_required(table, name)}
    if not tests:
        return None
    key = f'"{DAY}"' if table.is_daily else "''"
    lacking = ", ".join(f'bool_or({test}) AS "without_{name}"' for name, test in tests.items())
    rows = f"SELECT * FROM stored{where(start, end)}"  # noqa: S608  # names are the contract's
    condition = " OR ".join(tests.values())
    query = f"SELECT {key} AS key, {lacking} FROM ({rows}) WHERE {condition} GROUP BY 1"  # noqa: S608
    answer = QueryBuilder(SCAN_SETTINGS).register("stored", source).execute(query)
    found = pa.table(cast("Any", answer.read_all())).to_pylist()
    if not found:
        return None
    columns = [name for name in tests if any(row[f"without_{name}"] for row in found)]
    days = tuple(sorted(row["key"] for row in found)) if table.is_daily else ()
    return Outdated(table, f"an older version wrote rows without {', '.join(columns)}", days)


def _is_required(table: Table, name: str) -> bool:
    return name != DAY and not table.by_name[name].nullable


def complete(
    table: Table, source: DeltaTable, batches: Iterator[pa.RecordBatch], start: date | None, end: date | None
) -> Iterator[pa.RecordBatch]:
    """The same batches; raises OutdatedTableError at a null that the contract does not allow.

    Costs a reader nothing: a column knows its nulls.
    """
    for batch in batches:
        empty = [name for name in batch.schema.names if _is_required(table, name) and batch.column(name).null_count]
        if empty and (found := without_values(table, source, empty, start, end)):
            raise OutdatedTableError(found)
        yield batch
