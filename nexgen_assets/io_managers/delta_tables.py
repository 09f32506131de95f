"""Delta tables on the lake: write = stage, audit, publish; read = one consistent version.

What belongs here: how rows become a published version of a table, without Dagster. A range of days is staged below the
table's root, audited against the contract, and replaced in one atomic commit: bad data is never public, a crash leaves
the old version readable, and a reader never sees half a day. What an older contract left behind is `evolution`'s.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, cast

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, QueryBuilder, write_deltalake
from deltalake.exceptions import CommitFailedError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from nexgen_assets.io_managers.audit import (
    SCAN_SETTINGS,
    ContractError,
    Figures,
    Staged,
    audit,
    audit_rows,
    require,
    rows_per_day,
    where,
)
from nexgen_assets.io_managers.evolution import (
    absent_columns,
    complete,
    evolved,
    null_of,
    require_readable,
    require_types,
    storage_schema,
)
from nexgen_assets.resources.lake import S3Access
from nexgen_assets.tables import DAY, TABLES, TEXT, Table, spark_type
from nexgen_assets.verdicts import Verdict

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

ROWS_PER_WRITE = 1_000_000  # of an Arrow stream: what the writer may hold in memory
ROWS_PER_BLOCK = 200_000  # of several days read together
SPARK_WRITERS = 16  # a writer holds its rows until the end: many small ones hold fewer at a time


@dataclass(frozen=True)
class Published:
    """What a write left behind: the table's new version, rows per day, bytes, and what its audit found."""

    uri: str
    version: int
    rows_per_day: dict[date, int] = field(repr=False)
    bytes: int
    verdicts: tuple[Verdict, ...] = ()
    figures: Figures = field(default_factory=dict, repr=False)

    @property
    def rows(self) -> int:
        return sum(self.rows_per_day.values())


@dataclass(frozen=True)
class _Stage:
    """Files written below a table's root that no version of the table refers to yet."""

    uri: str
    path: str
    adds: tuple[dict[str, Any], ...]

    def staged(self, start: date, end: date, storage_options: dict[str, str]) -> Staged:
        """What an audit looks at."""
        stats = [json.loads(add["stats"]) for add in self.adds]
        rows: dict[date | None, int] = {}
        for add, entry in zip(self.adds, stats, strict=True):
            text = add["partitionValues"][DAY]
            day = None if text is None else date.fromisoformat(text)
            rows[day] = rows.get(day, 0) + entry["numRecords"]
        return Staged(
            start=start,
            end=end,
            rows_without_day=rows.pop(None, 0),
            rows_per_day={day: rows[day] for day in sorted(filter(None, rows))},
            stats=stats,
            open=lambda: DeltaTable(self.uri, storage_options=storage_options),
        )


@dataclass(frozen=True)
class TableReader:
    """One version of a daily table over a run's days, read a day at a time so that memory does not grow with them.

    The version is opened once; a table that has never been written has none.
    """

    table: Table
    source: DeltaTable | None
    start: date
    end: date

    def days(self) -> list[date]:
        return [self.start + timedelta(days=i) for i in range((self.end - self.start).days + 1)]

    def rows_per_day(self) -> dict[date, int]:
        """Rows of each day that holds any, from the log."""
        return rows_per_day(self.source, self.start, self.end)

    def day(self, day: date, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows of one day, in the contract's types."""
        return self.rows(day, day, columns)

    def in_blocks(self, columns: Sequence[str] | None = None) -> Callable[[date], pa.Table]:
        """What `day` answers, from queries of several days at once: of small days, a query costs more than its rows.

        A block has ROWS_PER_BLOCK rows at most, or one day; the two that were asked for last stay in memory. A day
        without rows, or outside of the reader's, has none.
        """
        names = list(columns or self.table.names)
        blocks = _blocks(self.rows_per_day())
        block_of = {day: number for number, days in enumerate(blocks) for day in days}

        @lru_cache(2)
        def block(number: int) -> dict[date, pa.Table]:
            days = blocks[number]
            found = self.rows(days[0], days[-1], [DAY, *(name for name in names if name != DAY)])
            return {day: found.filter(pc.field(DAY) == pa.scalar(day)).select(names) for day in days}

        empty = pa.schema([self.table.arrow_schema.field(name) for name in names]).empty_table()
        return lambda day: block(block_of[day])[day] if day in block_of else empty

    def rows(self, start: date, end: date, columns: Sequence[str] | None = None, condition: str = "true") -> pa.Table:
        """The rows of start..end, few of them, that meet a condition on the grain (in SQL), in the contract's types."""
        return _stream(self.table, self.source, start, end, columns, condition).read_all()


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

    def version(self, table: Table) -> int | None:
        """The newest version, or None where the table has never been written."""
        found = self.open(table)
        return None if found is None else found.version()

    def read(
        self,
        table: Table,
        start: date | None = None,
        end: date | None = None,
        columns: Sequence[str] | None = None,
        version: int | None = None,
    ) -> pa.Table:
        """Rows of days start..end (all if not told) in the contract's types; an unwritten table has no rows.

        A column that the days were written without is null; OutdatedTableError if the contract requires its value.
        """
        return self.stream(table, start, end, columns, version).read_all()

    def stream(
        self,
        table: Table,
        start: date | None = None,
        end: date | None = None,
        columns: Sequence[str] | None = None,
        version: int | None = None,
    ) -> pa.RecordBatchReader:
        """The same, batch by batch, from a version (the newest if none)."""
        return _stream(table, self.open(table, version), start, end, columns)

    def reader(self, table: Table, start: date, end: date) -> TableReader:
        return TableReader(table, self.open(table), start, end)

    def read_spark(  # noqa: PLR0917  # as `read`
        self,
        spark: "SparkSession",
        table: Table,
        start: date | None = None,
        end: date | None = None,
        columns: Sequence[str] | None = None,
        version: int | None = None,
    ) -> "DataFrame":
        """The same as a Spark frame, pinned to a version (the one that is newest now if none)."""
        from pyspark.sql import functions as F  # noqa: N812

        found, names = self.open(table, version), list(columns or table.names)
        if found is None:
            return spark.createDataFrame([], table.spark_ddl).select(*names)
        require_readable(table, found, names, start, end)
        absent = {column.name: column for column in absent_columns(table, found)}
        frame = (
            spark.read.format("delta").option("versionAsOf", found.version()).load(self.access.table_uri(table.name))
        )
        if start is not None:
            frame = frame.where(F.col(DAY) >= F.lit(start))
        if end is not None:
            frame = frame.where(F.col(DAY) <= F.lit(end))
        return frame.select(
            *(F.lit(None).cast(spark_type(absent[name].type)).alias(name) if name in absent else name for name in names)
        )

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
        return set(self.rows_per_day(table, start, end))

    def rows_per_day(self, table: Table, start: date, end: date) -> dict[date, int]:
        """Rows of each day of start..end that holds any, from the log."""
        return rows_per_day(self.open(table), start, end)

    def query(
        self, table: Table, sql: str, columns: Sequence[str], start: date | None = None, end: date | None = None
    ) -> list[dict[str, Any]]:
        """The answer to a small question about these columns of days start..end, the rows of `source`.

        A table that was never written answers nothing. Raises OutdatedTableError as `read` does.
        """
        found = self.open(table)
        if found is None:
            return []
        require_readable(table, found, columns, start, end)
        rows = f"SELECT {_quoted(columns)} FROM ({_stored(table, found, start, end)})"  # noqa: S608
        question = f"WITH source AS ({rows}) {sql}"
        answer = QueryBuilder(SCAN_SETTINGS).register("stored", found).execute(question)
        return pa.table(cast("Any", answer.read_all())).to_pylist()

    # ---- write

    def replace_days(
        self, table: Table, frame: Any, start: date, end: date, token: str, *, last_day: date | None = None
    ) -> Published:
        """Replace days start..end of a daily table by the frame's rows, in one commit.

        `token` names the stage; it must be new. `last_day` is the last day that may hold rows, if not told the range's.
        Raises ContractError, with the rows that break it, before anything is public; whatever fails, the stage is
        removed.
        """
        target = self._open_or_create(table)
        evolved(table, target, start, end)  # a type that cannot be stored is an error before anything is computed
        stage_path = f"commits/{token}"
        try:
            stage = self._stage(table, frame, stage_path)
            staged = stage.staged(start, end, self.access.storage_options)
            found = audit(table, staged, lambda name: self.open(TABLES[name]), last_day)
            require(found.verdicts)
            version = self._publish(table, target, stage, start, end)
        except BaseException:
            self._delete(table, f"{stage_path}/")
            raise
        self._delete(table, f"{stage_path}/_delta_log/")
        days = [start + timedelta(days=i) for i in range((end - start).days + 1)]
        return Published(
            uri=self.access.table_uri(table.name),
            version=version,
            rows_per_day={day: staged.rows_per_day.get(day, 0) for day in days},
            bytes=sum(add["size"] for add in stage.adds),
            verdicts=found.verdicts,
            figures=found.figures,
        )

    def replace_all(self, table: Table, rows: pa.Table) -> tuple[int, tuple[Verdict, ...]]:
        """Replace a whole, small table that is not daily; returns the new version and what the audit found.

        Raises ContractError before anything is public.
        """
        conformed = _conform_arrow(table, rows).read_all()
        verdicts = audit_rows(table, conformed)
        require(verdicts)
        uri = self.access.table_uri(table.name)
        write_deltalake(
            uri,
            conformed,
            mode="overwrite",
            # a table that is replaced whole follows its contract: a new column needs no migration
            schema_mode="overwrite",
            storage_options=self.access.storage_options,
        )
        return DeltaTable(uri, storage_options=self.access.storage_options).version(), verdicts

    # two first writers: one creates the table, the other finds it at the second look
    @retry(retry=retry_if_exception_type(CommitFailedError), stop=stop_after_attempt(2), reraise=True)
    def _open_or_create(self, table: Table) -> DeltaTable:
        return self.open(table) or DeltaTable.create(
            self.access.table_uri(table.name),
            schema=storage_schema(table),
            mode="ignore",
            partition_by=[DAY],
            description=table.description,
            storage_options=self.access.storage_options,
        )

    def _stage(self, table: Table, frame: Any, path: str) -> _Stage:
        uri = f"{self.access.table_uri(table.name)}/{path}"
        if isinstance(frame, (pa.Table, pa.RecordBatchReader)) or _is_pandas(frame):
            self._write_in_pieces(uri, _conform_arrow(table, frame))
        else:
            # one file per day: with several, a year of small days is thousands of files to open
            _conform_spark(table, frame).repartition(SPARK_WRITERS, DAY).write.format("delta").partitionBy(DAY).mode(
                "error"
            ).save(uri)
        return _Stage(uri, path, tuple(self._stage_adds(table, path)))

    def _write_in_pieces(self, uri: str, rows: pa.RecordBatchReader) -> None:
        """Write a partitioned table in commits of ROWS_PER_WRITE: the writer holds all that it has not committed."""
        batches = iter(rows)
        head = next(batches, None)

        def piece() -> Iterator[pa.RecordBatch]:
            nonlocal head
            taken = 0
            while head is not None and taken < ROWS_PER_WRITE:
                taken += head.num_rows
                yield head
                head = next(batches, None)

        mode: Literal["error", "append"] = "error"
        while head is not None or mode == "error":
            stream = pa.RecordBatchReader.from_batches(rows.schema, piece())
            write_deltalake(uri, stream, partition_by=[DAY], mode=mode, storage_options=self.access.storage_options)
            mode = "append"

    def _stage_adds(self, table: Table, path: str) -> Iterator[dict[str, Any]]:
        """The `add` actions of a stage's log, as the Delta protocol writes them: one JSON object per line."""
        import obstore

        store = self.access.store(f"tables/{table.name}/{path}")
        keys = sorted(item["path"] for batch in obstore.list(store, "_delta_log/") for item in batch)
        for key in keys:
            if key.endswith(".json"):
                actions = (json.loads(line) for line in bytes(obstore.get(store, key).bytes()).splitlines() if line)
                yield from (action["add"] for action in actions if "add" in action)

    def _publish(self, table: Table, target: DeltaTable, stage: _Stage, start: date, end: date) -> int:
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
                schema=evolved(table, target, start, end),  # of the snapshot that the commit rests on
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


def _blocks(rows_per_day: Mapping[date, int]) -> list[list[date]]:
    """The days that hold rows, those of a block together."""
    blocks, rows = list[list[date]](), 0
    for day, count in sorted(rows_per_day.items()):
        if not blocks or rows + count > ROWS_PER_BLOCK:
            blocks.append([])
            rows = 0
        blocks[-1].append(day)
        rows += count
    return blocks


def _stream(  # noqa: PLR0917
    table: Table,
    source: DeltaTable | None,
    start: date | None,
    end: date | None,
    columns: Sequence[str] | None,
    condition: str = "true",
) -> pa.RecordBatchReader:
    names = list(columns or table.names)
    schema = pa.schema([table.arrow_schema.field(name) for name in names])
    if source is None:
        return pa.RecordBatchReader.from_batches(schema, [])
    require_types(table, source, names)
    days = _stored(table, source, start, end)
    query = f"SELECT {_quoted(names)} FROM ({days}) WHERE {condition}"  # noqa: S608  # names are the contract's
    answer = pa.RecordBatchReader.from_stream(QueryBuilder(SCAN_SETTINGS).register("stored", source).execute(query))
    batches = complete(table, source, _cast_batches(answer, schema), start, end)
    return pa.RecordBatchReader.from_batches(schema, batches)


def _stored(table: Table, source: DeltaTable, start: date | None, end: date | None) -> str:
    """SQL of the rows of days start..end of the registered table `stored`, with every column of the contract."""
    absent = "".join(f', {null_of(column)} AS "{column.name}"' for column in absent_columns(table, source))
    return f"SELECT *{absent} FROM stored{where(start, end)}"  # noqa: S608


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _nullable(schema: pa.Schema) -> pa.Schema:
    """The schema of what is staged: nullability is audited, not declared."""
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
    # Apache Spark writes text that came out of `mapInArrow` as "string collate UTF8_BINARY", which other readers of
    # Delta tables refuse; the cast changes nothing else
    return frame.select(
        *(_plain_text(frame[c.name]).alias(c.name) if c.type == TEXT else c.name for c in table.columns)
    )


def _plain_text(column: "Column") -> "Column":
    return column.cast("string")


def _require_types(table: Table, found: dict[str, str], wanted: dict[str, str]) -> None:
    if wrong := [f"{name} is {found[name]}, not {wanted[name]}" for name in wanted if found[name] != wanted[name]]:
        raise ContractError(f"{table.name}: {'; '.join(wrong)}")


def _difference(table: Table, names: list[str]) -> str:
    missing = [name for name in table.names if name not in names]
    unknown = [name for name in names if name not in table.names]
    return f"{table.name}: columns missing {missing}, not in the contract {unknown}"
