"""Delta tables on the lake: write = stage, audit, publish; read = one consistent version.

What belongs here: how rows become a published version of a table, without Dagster. A range of days is staged below the
table's root, audited against the contract, and replaced in one atomic commit: bad data is never public, a crash leaves
the old version readable, and a reader never sees half a day.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, QueryBuilder, Schema, write_deltalake
from deltalake.exceptions import CommitFailedError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from nexgen_assets.resources.lake import S3Access
from nexgen_assets.tables import DAY, Table, spark_type

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

ROWS_PER_AUDIT = 3_000_000  # bounds the memory of the uniqueness query
SPARK_WRITERS = 16  # a writer holds its rows until the end: many small ones hold fewer at a time
# a day is a small file: reading is waiting, so many are opened at once
SCAN_SETTINGS = {"datafusion.execution.target_partitions": "16"}
OFFENDERS_SHOWN = 5


class ContractError(ValueError):
    """A frame does not fit its table's contract; nothing was published."""


@dataclass(frozen=True)
class Published:
    """What a write left behind: the table's new version, rows per day, bytes."""

    uri: str
    version: int
    rows_per_day: dict[date, int] = field(repr=False)
    bytes: int

    @property
    def rows(self) -> int:
        return sum(self.rows_per_day.values())


@dataclass(frozen=True)
class _Stage:
    """Files written below a table's root that no version of the table refers to yet."""

    uri: str
    path: str
    adds: tuple[dict[str, Any], ...]

    @property
    def has_rows_without_day(self) -> bool:
        return any(add["partitionValues"][DAY] is None for add in self.adds)

    def rows_per_day(self) -> dict[date, int]:
        rows: dict[date, int] = {}
        for add in self.adds:
            day = date.fromisoformat(add["partitionValues"][DAY])
            rows[day] = rows.get(day, 0) + json.loads(add["stats"])["numRecords"]
        return dict(sorted(rows.items()))


@dataclass(frozen=True)
class TableReader:
    """One version of a daily table over a run's days, read a day at a time so that memory does not grow with them."""

    tables: "DeltaTables"
    table: Table
    version: int | None
    start: date
    end: date

    def days(self) -> list[date]:
        return [self.start + timedelta(days=i) for i in range((self.end - self.start).days + 1)]

    def day(self, day: date, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows of one day, in the contract's types."""
        return self.tables.stream(self.table, day, day, columns, self.version).read_all()


class DeltaTables:
    """The tables of one lake prefix."""

    def __init__(self, access: S3Access) -> None:
        self.access = access

    # ---- read

    def open(self, table: Table, version: int | None = None) -> DeltaTable | None:
        """The table at a version (newest if none), or None where it has never been written."""
        try:
            return DeltaTable(
                self.access.table_uri(table.name), version=version, storage_options=self.access.storage_options
            )
        except TableNotFoundError:
            return None

    def read(
        self, table: Table, start: date | None = None, end: date | None = None, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """Rows of days start..end (all if not told) in the contract's types; an unwritten table has no rows."""
        return self.stream(table, start, end, columns).read_all()

    def stream(
        self,
        table: Table,
        start: date | None = None,
        end: date | None = None,
        columns: Sequence[str] | None = None,
        version: int | None = None,
    ) -> pa.RecordBatchReader:
        """The same, batch by batch, from a version (the newest if none)."""
        names = list(columns or table.names)
        schema = pa.schema([table.arrow_schema.field(name) for name in names])
        found = self.open(table, version)
        if found is None:
            return pa.RecordBatchReader.from_batches(schema, [])
        selected = ", ".join(f'"{name}"' for name in names)
        query = f"SELECT {selected} FROM source{_where(start, end)}"  # noqa: S608  # names are the contract's
        answer = pa.RecordBatchReader.from_stream(QueryBuilder(SCAN_SETTINGS).register("source", found).execute(query))
        return pa.RecordBatchReader.from_batches(schema, _cast_batches(answer, schema))

    def reader(self, table: Table, start: date, end: date) -> TableReader:
        found = self.open(table)
        return TableReader(self, table, None if found is None else found.version(), start, end)

    def read_spark(
        self, spark: "SparkSession", table: Table, start: date | None = None, end: date | None = None
    ) -> "DataFrame":
        """The same as a Spark frame, pinned to the version that is newest now."""
        from pyspark.sql import functions as F  # noqa: N812

        found = self.open(table)
        if found is None:
            return spark.createDataFrame([], table.spark_ddl)
        frame = (
            spark.read.format("delta").option("versionAsOf", found.version()).load(self.access.table_uri(table.name))
        )
        if start is not None:
            frame = frame.where(F.col(DAY) >= F.lit(start))
        if end is not None:
            frame = frame.where(F.col(DAY) <= F.lit(end))
        return frame.select(*table.names)

    def row_count(self, table: Table) -> int:
        """Rows of the newest version, from its log."""
        found = self.open(table)
        if found is None:
            return 0
        adds = pa.table(cast("Any", found.get_add_actions(flatten=True)))
        return sum(adds.column("num_records").to_pylist())

    def last_day(self, table: Table) -> date | None:
        """The newest day that holds rows."""
        return max(self.days_with_rows(table, date.min, date.max), default=None)

    def days_with_rows(self, table: Table, start: date, end: date) -> set[date]:
        """Days of start..end that hold at least one row."""
        found = self.open(table)
        if found is None:
            return set()
        adds = pa.table(cast("Any", found.get_add_actions(flatten=True)))
        days = adds.column(f"partition.{DAY}").to_pylist()
        return {day for day in days if start <= day <= end}

    # ---- write

    def replace_days(self, table: Table, frame: Any, start: date, end: date, token: str) -> Published:
        """Replace days start..end of a daily table by the frame's rows, in one commit.

        `token` names the stage; it must be new. Raises ContractError, with the rows that break it, before anything is
        public; whatever fails, the stage is removed.
        """
        target = self._open_or_create(table)
        stage_path = f"commits/{token}"
        try:
            stage = self._stage(table, frame, stage_path)
            self._audit(table, stage, start, end)
            version = self._publish(target, stage, start, end)
        except BaseException:
            self._delete(table, f"{stage_path}/")
            raise
        self._delete(table, f"{stage_path}/_delta_log/")
        rows = stage.rows_per_day()
        days = [start + timedelta(days=i) for i in range((end - start).days + 1)]
        return Published(
            uri=self.access.table_uri(table.name),
            version=version,
            rows_per_day={day: rows.get(day, 0) for day in days},
            bytes=sum(add["size"] for add in stage.adds),
        )

    def replace_all(self, table: Table, rows: pa.Table) -> int:
        """Replace a whole, small table that is not daily; returns the new version.

        Raises ContractError before anything is public.
        """
        conformed = _conform_arrow(table, rows).read_all()
        _check_rows(table, conformed)
        uri = self.access.table_uri(table.name)
        write_deltalake(
            uri,
            conformed,
            mode="overwrite",
            # a table that is replaced whole follows its contract: a new column needs no migration
            schema_mode="overwrite",
            storage_options=self.access.storage_options,
        )
        return DeltaTable(uri, storage_options=self.access.storage_options).version()

    # two first writers: one creates the table, the other finds it at the second look
    @retry(retry=retry_if_exception_type(CommitFailedError), stop=stop_after_attempt(2), reraise=True)
    def _open_or_create(self, table: Table) -> DeltaTable:
        return self.open(table) or DeltaTable.create(
            self.access.table_uri(table.name),
            schema=Schema.from_arrow(_nullable(table.arrow_schema)),
            mode="ignore",
            partition_by=[DAY],
            description=table.description,
            storage_options=self.access.storage_options,
        )

    def _stage(self, table: Table, frame: Any, path: str) -> _Stage:
        uri = f"{self.access.table_uri(table.name)}/{path}"
        if isinstance(frame, (pa.Table, pa.RecordBatchReader)) or _is_pandas(frame):
            write_deltalake(
                uri,
                _conform_arrow(table, frame),
                partition_by=[DAY],
                mode="error",
                storage_options=self.access.storage_options,
            )
        else:
            # one file per day: with several, a year of small days is thousands of files to open
            _conform_spark(table, frame).repartition(SPARK_WRITERS, DAY).write.format("delta").partitionBy(DAY).mode(
                "error"
            ).save(uri)
        return _Stage(uri, path, tuple(self._stage_adds(table, path)))

    def _stage_adds(self, table: Table, path: str) -> Iterator[dict[str, Any]]:
        """The `add` actions of a stage's log, as the Delta protocol writes them: one JSON object per line."""
        import obstore

        store = self.access.store(f"tables/{table.name}/{path}")
        keys = sorted(item["path"] for batch in obstore.list(store, "_delta_log/") for item in batch)
        for key in keys:
            if key.endswith(".json"):
                actions = (json.loads(line) for line in bytes(obstore.get(store, key).bytes()).splitlines() if line)
                yield from (action["add"] for action in actions if "add" in action)

    def _publish(self, target: DeltaTable, stage: _Stage, start: date, end: date) -> int:
        adds: list[AddAction | RemoveAction] = [
            AddAction(
                path=f"{stage.path}/{add['path']}",
                size=add["size"],
                partition_values=add["partitionValues"],
                modification_time=add["modificationTime"],
                data_change=True,
                stats=add["stats"],
            )
            for add in stage.adds
        ]

        # another writer may commit between our snapshot and our commit: take the new snapshot and try again
        @retry(
            retry=retry_if_exception_type(CommitFailedError),
            stop=stop_after_attempt(8),
            wait=wait_random_exponential(0.1, 5),
            reraise=True,
        )
        def commit() -> int:
            target.update_incremental()
            target.create_write_transaction(
                adds,
                mode="overwrite",
                schema=target.schema(),
                partition_by=[DAY],
                partition_filters=[(DAY, ">=", start.isoformat()), (DAY, "<=", end.isoformat())],
                # no retry below: it would add our files to a day that another writer has just filled
                commit_properties=CommitProperties(custom_metadata={"nexgen.stage": stage.path}, max_commit_retries=0),
            )
            target.update_incremental()
            return target.version()

        return commit()

    def _delete(self, table: Table, path: str) -> None:
        import obstore

        store = self.access.store(f"tables/{table.name}")
        for batch in obstore.list(store, path):
            obstore.delete(store, [item["path"] for item in batch])

    # ---- audit

    def _audit(self, table: Table, stage: _Stage, start: date, end: date) -> None:
        """Every day inside the range, the grain unique, no value missing, too small or not a number."""
        if stage.has_rows_without_day:
            raise ContractError(f"{table.name}: rows without a {DAY}")
        rows = stage.rows_per_day()
        if outside := [day.isoformat() for day in rows if not start <= day <= end]:
            raise ContractError(f"{table.name}: rows of {', '.join(outside)} lie outside {start}..{end}")
        if not rows:
            return
        staged = DeltaTable(stage.uri, storage_options=self.access.storage_options)
        query = QueryBuilder(SCAN_SETTINGS).register("stage", staged)
        for first, last in _chunks(rows):
            self._audit_grain(table, query, first, last, sum(n for day, n in rows.items() if first <= day <= last))
        self._audit_values(table, query, [json.loads(add["stats"]) for add in stage.adds])

    def _audit_grain(self, table: Table, query: QueryBuilder, first: date, last: date, rows: int) -> None:
        grain = ", ".join(f'"{name}"' for name in table.grain)
        groups = f"SELECT {grain}, count(*) AS n FROM stage{_where(first, last)} GROUP BY {grain}"  # noqa: S608
        if _scalar(query, f"SELECT count(*) FROM ({groups})") == rows:  # noqa: S608
            return
        offenders = _rows(query, f"SELECT * FROM ({groups}) WHERE n > 1 LIMIT {OFFENDERS_SHOWN}")  # noqa: S608
        raise ContractError(f"{table.name}: several rows share one {' x '.join(table.grain)}, such as {offenders}")

    def _audit_values(self, table: Table, query: QueryBuilder, stats: list[dict[str, Any]]) -> None:
        broken = [
            f'"{c.name}" IS NULL'
            for c in table.columns
            if not c.nullable and c.name != DAY and not _no_nulls(c.name, stats)
        ] + [
            f'"{c.name}" < {c.minimum}'
            for c in table.columns
            if c.minimum is not None and not _at_least(c.name, c.minimum, stats)
        ]
        # one look at all real numbers: statistics leave NaN out
        reals = [_not_finite(c.name) for c in table.columns if pa.types.is_floating(c.type)]
        if reals and _scalar(query, f"SELECT count(*) FROM stage WHERE {' OR '.join(reals)}"):  # noqa: S608
            broken += reals
        for rule in broken:
            if found := _scalar(query, f"SELECT count(*) FROM stage WHERE {rule}"):  # noqa: S608
                key = ", ".join(f'"{name}"' for name in table.grain)
                rows = _rows(query, f"SELECT {key} FROM stage WHERE {rule} LIMIT {OFFENDERS_SHOWN}")  # noqa: S608
                raise ContractError(f"{table.name}: {found} rows with {rule}, such as {rows}")


def _check_rows(table: Table, rows: pa.Table) -> None:
    """The same audit for rows in memory."""
    import pyarrow.compute as pc

    grain = list(table.grain)
    if rows.group_by(grain).aggregate([]).num_rows != rows.num_rows:
        raise ContractError(f"{table.name}: several rows share one {' x '.join(grain)}")
    for column in table.columns:
        values = rows.column(column.name)
        if not column.nullable and values.null_count:
            raise ContractError(f'{table.name}: {values.null_count} rows with "{column.name}" IS NULL')
        if pa.types.is_floating(column.type) and pc.all(pc.is_finite(values)).as_py() is False:  # pyright: ignore[reportAttributeAccessIssue]
            raise ContractError(f"{table.name}: {_not_finite(column.name)}")
        if column.minimum is None:
            continue
        smallest = pc.min(values).as_py()  # pyright: ignore[reportAttributeAccessIssue]
        if smallest is not None and smallest < column.minimum:
            raise ContractError(f'{table.name}: "{column.name}" < {column.minimum}, such as {smallest}')


def _where(start: date | None, end: date | None) -> str:
    bounds = [f"\"{DAY}\" {op} DATE '{day}'" for op, day in ((">=", start), ("<=", end)) if day is not None]
    return f" WHERE {' AND '.join(bounds)}" if bounds else ""


def _scalar(query: QueryBuilder, sql: str) -> int:
    return pa.table(cast("Any", query.execute(sql).read_all())).column(0)[0].as_py()


def _rows(query: QueryBuilder, sql: str) -> list[dict[str, Any]]:
    return pa.table(cast("Any", query.execute(sql).read_all())).to_pylist()


def _chunks(rows: dict[date, int]) -> Iterator[tuple[date, date]]:
    """Runs of days that together hold at most ROWS_PER_AUDIT rows (or are one day)."""
    first = last = None
    held = 0
    for day, n in rows.items():
        if first is not None and last is not None and held + n > ROWS_PER_AUDIT:
            yield first, last
            first, held = None, 0
        first, last, held = first or day, day, held + n
    if first is not None and last is not None:
        yield first, last


def _no_nulls(name: str, stats: list[dict[str, Any]]) -> bool:
    """True if the files' own statistics prove that the column has no null; False if they do not tell."""
    return all(entry.get("nullCount", {}).get(name) == 0 for entry in stats)


def _at_least(name: str, minimum: float, stats: list[dict[str, Any]]) -> bool:
    found = [entry.get("minValues", {}).get(name) for entry in stats]
    return all(isinstance(value, (int, float)) and value >= minimum for value in found)


def _not_finite(name: str) -> str:
    """True for NaN and the infinities only: subtracted from themselves they are no number."""
    return f'isnan("{name}" - "{name}")'


def _nullable(schema: pa.Schema) -> pa.Schema:
    """The stored schema: nullability is audited, not declared, because engines differ in how they write it."""
    return pa.schema([pa.field(f.name, f.type) for f in schema])


def _is_pandas(frame: Any) -> bool:
    return type(frame).__module__.startswith("pandas.")


def _ahead(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same batches, computed one ahead in a thread of its own.

    The table writer pulls batches from inside its own asynchronous runtime, where computing one may not read a table.
    """
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = thread.submit(next, batches, None)
            yield batch


def _cast_batches(reader: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for batch in reader:
        yield pa.RecordBatch.from_arrays(
            [batch.column(f.name).cast(f.type) for f in schema],
            schema=schema,
        )


def _conform_arrow(table: Table, frame: Any) -> pa.RecordBatchReader:
    schema = _nullable(table.arrow_schema)
    if _is_pandas(frame):
        frame = _from_pandas(table, frame)
    if sorted(frame.schema.names) != sorted(table.names):
        raise ContractError(_difference(table, frame.schema.names))
    found = {f.name: str(f.type) for f in frame.schema}
    _require_types(table, found, {c.name: str(c.type) for c in table.columns})
    batches = frame.to_reader() if isinstance(frame, pa.Table) else _ahead(frame)
    return pa.RecordBatchReader.from_batches(schema, _cast_batches(batches, schema))


def _from_pandas(table: Table, frame: Any) -> pa.Table:
    """pandas knows neither dates nor decimals: its columns are converted, but never text to numbers or back."""
    arrow = pa.Table.from_pandas(frame, preserve_index=False)
    for place, name in enumerate(arrow.column_names):
        column, known = arrow.column(name), table.by_name.get(name)
        if known is None or (_is_text(column.type) != _is_text(known.type) and not pa.types.is_null(column.type)):
            continue
        try:
            arrow = arrow.set_column(place, name, column.cast(known.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise ContractError(f"{table.name}: {name} is no {known.type}: {error}") from error
    return arrow


def _is_text(arrow: pa.DataType) -> bool:
    return pa.types.is_string(arrow) or pa.types.is_large_string(arrow)


def _conform_spark(table: Table, frame: "DataFrame") -> "DataFrame":
    found = {f.name: f.dataType.simpleString() for f in frame.schema.fields}
    if sorted(found) != sorted(table.names):
        raise ContractError(_difference(table, list(found)))
    _require_types(table, found, {c.name: spark_type(c.type) for c in table.columns})
    return frame.select(*table.names)


def _require_types(table: Table, found: dict[str, str], wanted: dict[str, str]) -> None:
    if wrong := [f"{name} is {found[name]}, not {wanted[name]}" for name in wanted if found[name] != wanted[name]]:
        raise ContractError(f"{table.name}: {'; '.join(wrong)}")


def _difference(table: Table, names: list[str]) -> str:
    missing = [name for name in table.names if name not in names]
    unknown = [name for name in names if name not in table.names]
    return f"{table.name}: columns missing {missing}, not in the contract {unknown}"
