"""Dagster's SQLite event log, made fast for runs that cover many days.

What belongs here: how events reach the same SQLite files that Dagster's own storage writes. What does not: which
events there are, and who reads them. A range of 730 days x 9 assets is 13,140 events; the storage that ships with
Dagster opens a database and commits three times for each. This one keeps its databases open and writes batches.

Select it in dagster.yaml. The files stay those of `SqliteEventLogStorage`: either class can take over from the other.

    event_log_storage:
      module: nexgen_assets.event_storage
      class: BatchedSqliteEventLogStorage
      config: {}  # base_dir, if not the usual $DAGSTER_HOME/history/runs

It rests on internals of one Dagster minor version; the tests compare it with the shipped storage row for row. Only
checks of a range of days leave fewer rows: each is planned once, not once per day.
"""

import fcntl
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from dagster import Field, StringSource
from dagster._config import UserConfigSchema
from dagster._core.event_api import EventHandlerFn
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS, BATCH_WRITABLE_EVENTS
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.schema import AssetEventTagsTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import (
    SqliteEventLogStorage,
    SqliteEventLogStorageWatchdog,
)
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from dagster_shared.record import replace
from sqlalchemy import create_engine, inspect, select
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import QueuePool
from watchdog.events import FileSystemEvent, PatternMatchingEventHandler
from watchdog.observers import Observer

EVENT_BATCH_SIZE = "1000"
EVENT_BATCH_SIZE_VARIABLE = "DAGSTER_EVENT_BATCH_SIZE"
MAX_OPEN_SHARDS = 16
INIT_LOCK_NAME = "init.lock"


def enable_event_batching(env: MutableMapping[str, str]) -> None:
    """Have Dagster hand over events in batches, in the process (or child process) whose environment `env` is.

    A value that is already there stays: "0" switches batches off.
    """
    env.setdefault(EVENT_BATCH_SIZE_VARIABLE, EVENT_BATCH_SIZE)


def default_base_dir() -> str:
    """Where Dagster's own storage would put the files: below DAGSTER_HOME, or NexGen's home folder without one."""
    home = os.environ.get("DAGSTER_HOME") or str(Path(".nexgen/dagster").resolve())
    return str(Path(home) / "history" / "runs")


class _OpenShard(NamedTuple):
    """The open engine of one database file, and which file on disk it was opened on."""

    engine: Engine
    file: tuple[int, int] | None


class BatchedSqliteEventLogStorage(SqliteEventLogStorage):
    """SQLite event log that keeps up to MAX_OPEN_SHARDS databases open and writes a batch in one transaction each.

    A shard is a database file: one per run, and the `index` over all runs. A connection asked for while this thread
    already holds one to the same shard joins its transaction. Safe with threads (one lock, as shipped), with other
    processes (write-ahead log and busy timeout, as shipped) and after a fork (a child opens its own connections).
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._shards: OrderedDict[str, _OpenShard] = OrderedDict()
        self._transactions: dict[str, Connection] = {}
        self._lock = threading.RLock()
        self._pid = os.getpid()
        self._parents_shards: list[OrderedDict[str, _OpenShard]] = []
        super().__init__(base_dir, inst_data)

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        return {"base_dir": Field(StringSource, is_required=False)}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Any
    ) -> "BatchedSqliteEventLogStorage":
        """The storage that dagster.yaml asks for; also switches batches on in this process.

        Every process that writes events (webserver, daemon, run worker, CLI) comes through here, whoever started it.
        """
        enable_event_batching(os.environ)
        return cls(inst_data=inst_data, base_dir=config_value.get("base_dir") or default_base_dir())

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events of one run: all of them in both shards, or, on an error, none.

        Batches of another kind (several runs, types that need more than a row) are stored one by one, as shipped.
        """
        if not _is_batch(events):
            super().store_event_batch(events)
            return
        rows = [self._event_to_row(event) for event in events]
        # leaving the block commits the run's shard first, as shipped: after a crash in between, the run's own log
        # is complete and the index lacks the batch, never the other way round
        with self.index_connection() as index, self.run_connection(events[0].run_id) as run:
            run.execute(SqlEventLogStorageTable.insert(), rows)
            self._mirror(index, events, rows)

    def has_table(self, table_name: str) -> bool:
        """Whether the index shard has this table."""
        with self.index_connection() as connection:
            return inspect(connection).has_table(table_name)

    def watch(self, run_id: str, cursor: str | None, callback: EventHandlerFn) -> None:
        """Call `callback` for each event of the run after `cursor`, whichever process writes it."""
        if not self._obs:
            self._obs = Observer()
            self._obs.start()
        handler = _WriteAheadLogWatchdog(self, run_id, callback, cursor)
        self._watchers[run_id][callback] = (handler, self._obs.schedule(handler, self._base_dir, recursive=True))

    def delete_events(self, run_id: str) -> None:
        """Delete a run's events: its rows in the index, and its file, which the shipped storage leaves behind empty."""
        events = SqlEventLogStorageTable.c
        of_run = events.run_id == run_id
        with self.index_connection() as index:
            # a subquery: a run of ten years has more events than SQLite takes values in one statement
            index.execute(
                AssetEventTagsTable.delete().where(AssetEventTagsTable.c.event_id.in_(select(events.id).where(of_run)))
            )
            index.execute(SqlEventLogStorageTable.delete().where(of_run))
        self._delete_shard(run_id)
        self.free_concurrency_slots_for_run(run_id)

    def wipe(self) -> None:
        """Delete all events: the files of the runs and the rows of the index."""
        self._close_shards()
        super().wipe()

    def dispose(self) -> None:
        """Stop watching and close every database."""
        super().dispose()
        self._close_shards()

    def _store_asset_check_evaluation_planned(self, event: EventLogEntry, event_id: int | None) -> None:
        """Plan a check once per run.

        As shipped, a run over a range of days plans each of its checks once per day, also a check that is not
        partitioned: it is evaluated once, so 729 of 730 rows would stay planned for ever, at 0.1 s for each check.
        """
        super()._store_asset_check_evaluation_planned(_without_partitions(event), event_id)

    def _mirror(self, index: Connection, events: Sequence[EventLogEntry], rows: Sequence[dict[str, Any]]) -> None:
        """Write events into the index shard, and what it derives from them: tags, assets, planned checks."""
        inserted = index.execute(
            SqlEventLogStorageTable.insert().returning(SqlEventLogStorageTable.c.id, sort_by_parameter_order=True),
            rows,
        )
        ids = list(inserted.scalars())
        assets = [(event, event_id) for event, event_id in zip(events, ids, strict=True) if _is_in(event, ASSET_EVENTS)]
        self._store_asset_event_tags(index, [event for event, _ in assets], [event_id for _, event_id in assets])
        for event, event_id in _last_of_each_asset_and_type(assets):
            self._store_asset_event(index, event, event_id)
        for event, event_id in zip(events, ids, strict=True):
            if _is_in(event, ASSET_CHECK_EVENTS):
                self.store_asset_check_event(event, event_id)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        self._forget_parents_shards()
        with self._lock:
            if shard in self._transactions:
                yield self._transactions[shard]
                return
            with self._engine(shard).begin() as connection:
                self._transactions[shard] = connection
                try:
                    yield connection
                finally:
                    del self._transactions[shard]

    def _engine(self, shard: str) -> Engine:
        """The open engine of a shard, opened again where another process deleted or replaced its file (a wipe)."""
        path = self.path_for_shard(shard)
        kept = self._shards.pop(shard, None)
        file = _file_identity(path)
        if file is None or (kept and kept.file != file):
            self._initialized_dbs.discard(shard)
        if kept and kept.file != file:
            kept.engine.dispose()
            kept = None
        engine = kept.engine if kept else self._open_engine(shard)
        if shard not in self._initialized_dbs:
            self._initdb(engine)
            self._initialized_dbs.add(shard)
        self._keep(shard, _OpenShard(engine, _file_identity(path)))
        return engine

    def _keep(self, shard: str, opened: _OpenShard) -> None:
        """Keep a shard open as the most recently used, and close the least recently used beyond the limit."""
        self._shards[shard] = opened
        if len(self._shards) > MAX_OPEN_SHARDS:
            _, least_recent = self._shards.popitem(last=False)
            least_recent.engine.dispose()

    def _initdb(self, engine: Engine, for_index_shard: bool = False) -> None:
        """Create or check a database's tables, one process at a time.

        Two processes that create the same database at once trip over each other's half-made tables and locks.
        """
        with (Path(self._base_dir) / INIT_LOCK_NAME).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            super()._initdb(engine, for_index_shard)

    def _open_engine(self, shard: str) -> Engine:
        return create_engine(
            self.conn_string_for_shard(shard),
            poolclass=QueuePool,
            pool_size=1,
            connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS},
        )

    def _delete_shard(self, shard: str) -> None:
        self._forget_parents_shards()
        with self._lock:
            if kept := self._shards.pop(shard, None):
                kept.engine.dispose()
            self._initialized_dbs.discard(shard)
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self.path_for_shard(shard)}{suffix}").unlink(missing_ok=True)

    def _close_shards(self) -> None:
        self._forget_parents_shards()
        with self._lock:
            while self._shards:
                _, shard = self._shards.popitem()
                shard.engine.dispose()

    def _forget_parents_shards(self) -> None:
        """In a forked child: start anew, with an own lock and own connections."""
        if self._pid == os.getpid():
            return
        # SQLite forbids a child to use, or even to close, a connection of its parent: keep them, untouched
        self._parents_shards.append(self._shards)
        self._shards = OrderedDict()
        self._transactions = {}
        self._lock = threading.RLock()
        self._pid = os.getpid()


class _WriteAheadLogWatchdog(SqliteEventLogStorageWatchdog):
    """Hands a run's new events to a callback.

    The shipped one waits for the database file to change. While the writer keeps its database open, a commit changes
    the write-ahead log beside it and reaches the database file only once a thousand pages later.
    """

    def __init__(
        self, storage: BatchedSqliteEventLogStorage, run_id: str, callback: EventHandlerFn, cursor: str | None
    ) -> None:
        super().__init__(storage, run_id, callback, cursor)
        PatternMatchingEventHandler.__init__(self, patterns=[self._log_path, f"{self._log_path}-wal"])

    def on_modified(self, event: FileSystemEvent) -> None:  # noqa: ARG002  # both files mean the same
        self._process_log()


def _is_in(event: EventLogEntry, types: set[Any]) -> bool:
    return event.dagster_event is not None and event.dagster_event.event_type in types


def _without_partitions(event: EventLogEntry) -> EventLogEntry:
    """The same planned event of a check, for the run as a whole."""
    dagster_event = event.get_dagster_event()
    planned = replace(dagster_event.asset_check_planned_data, partitions_subset=None)
    return event._replace(dagster_event=dagster_event._replace(event_specific_data=planned))


def _is_batch(events: Sequence[EventLogEntry]) -> bool:
    """Whether all events can be written together: at least one, all of one run, all of types that are just rows."""
    one_run = len({event.run_id for event in events}) == 1
    return one_run and all(_is_in(event, BATCH_WRITABLE_EVENTS) for event in events)


def _last_of_each_asset_and_type(events: Sequence[tuple[EventLogEntry, int]]) -> Sequence[tuple[EventLogEntry, int]]:
    """The only events that decide what the assets' rows say at the end, assets in the order they first came.

    A type always writes the same columns, so a later event of the same asset and type overwrites all an earlier wrote.
    """
    last: dict[Any, dict[Any, tuple[EventLogEntry, int]]] = {}
    for event, event_id in events:
        dagster_event = event.get_dagster_event()
        types = last.setdefault(dagster_event.asset_key, {})
        types.pop(dagster_event.event_type, None)
        types[dagster_event.event_type] = event, event_id
    return [event for types in last.values() for event in types.values()]


def _file_identity(path: str) -> tuple[int, int] | None:
    """Device and inode of a file, None when there is none."""
    try:
        status = Path(path).stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
