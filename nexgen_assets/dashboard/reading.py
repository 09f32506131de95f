"""Reading the lake for the dashboard: the published snapshot, without Spark, remembered by version.

What belongs here: which state of the tables an answer speaks of, and reading it once. What does not: what is asked
(`queries/`). A version of a table never changes, so that what was read of it is never out of date.
"""

import time
from collections.abc import Sequence
from datetime import date
from threading import Lock
from typing import Any

import pyarrow as pa
from cachetools import LRUCache

from nexgen_assets.dashboard.by_series import BySeries, DayFiles, Wanted, files_by_day
from nexgen_assets.io_managers.delta_tables import DeltaTables, TableReader
from nexgen_assets.io_managers.snapshots import OpenedTables, Snapshot, Snapshots, SnapshotTables
from nexgen_assets.resources.lake import S3Access
from nexgen_assets.tables import Table

CACHE_BYTES = 400_000_000
FEW_ROWS = 10_000
ROW_BYTES = 400  # of an answer as Python objects, roughly
SNAPSHOT_SECONDS = 2.0
NEWEST_SECONDS = 10.0


class Lake:
    """The lake as the dashboard sees it."""

    def __init__(self, access: S3Access) -> None:
        self.access = access
        self.tables = DeltaTables(access)
        self._snapshots = Snapshots(self.tables)
        self._opened = OpenedTables(self.tables)
        self._cache = Cache()
        self._by_series = BySeries()
        self._lock = Lock()
        self._view: View | None = None
        self._looked_at = float("-inf")
        self._newest: tuple[float, Snapshot] | None = None

    def view(self) -> "View":
        """The tables as of the published snapshot, looked up every two seconds at most.

        If no run has published one yet, as they are now.
        """
        with self._lock:
            if self._view is None or time.monotonic() - self._looked_at > SNAPSHOT_SECONDS:
                snapshot = self._snapshots.current() or self._snapshots.newest()
                if self._view is None or snapshot != self._view.snapshot:
                    self._view = View(SnapshotTables(self.tables, snapshot, self._opened), self._cache, self._by_series)
                self._looked_at = time.monotonic()
            return self._view

    def newest(self) -> Snapshot:
        """Every table as it is now, published or not; ten seconds old at most."""
        known, now = self._newest, time.monotonic()
        if known is None or now - known[0] > NEWEST_SECONDS:
            known = self._newest = now, self._snapshots.newest()
        return known[1]


class View:
    """The tables of one snapshot; every answer is read from one view."""

    def __init__(self, tables: SnapshotTables, cache: "Cache", by_series: BySeries) -> None:
        self.tables = tables
        self._cache = cache
        self._by_series = by_series

    @property
    def snapshot(self) -> Snapshot:
        return self.tables.snapshot

    @property
    def snapshot_id(self) -> str:
        return self.snapshot.snapshot_id

    def last_day(self, table: Table) -> date | None:
        """The newest day that holds rows, None if there is none."""
        return self._cached(table, ("last day",), lambda: self.tables.last_day(table))

    def rows_per_day(self, table: Table, start: date, end: date) -> dict[date, int]:
        """Rows of each day of start..end that holds any."""
        return self._cached(table, ("rows", start, end), lambda: self.tables.rows_per_day(table, start, end))

    def rows(self, table: Table, start: date, end: date, columns: Sequence[str], condition: str = "true") -> pa.Table:
        """Rows of days start..end that meet a condition on the grain (in SQL), in the contract's types."""
        return self._cached(
            table,
            (start, end, tuple(columns), condition),
            lambda: _own(TableReader(table, self.tables.open(table), start, end).rows(start, end, columns, condition)),
        )

    def series(  # noqa: PLR0917
        self,
        table: Table,
        product_id: str,
        location: str,
        start: date,
        end: date,
        columns: Sequence[str],
        condition: str = "true",
    ) -> pa.Table:
        """Rows of one product at one location of days start..end, oldest first, with their day; decimals as float64."""
        reader = TableReader(table, self.tables.open(table), start, end)
        return self._by_series.rows(
            reader, self._files(table, reader), Wanted(tuple(columns), condition), product_id, location
        )

    def read_ahead(self, table: Table, start: date, end: date, columns: Sequence[str], condition: str = "true") -> None:
        """Read what `series` is to find of those days, for every product and location."""
        reader = TableReader(table, self.tables.open(table), start, end)
        self._by_series.read_ahead(reader, self._files(table, reader), Wanted(tuple(columns), condition))

    def _files(self, table: Table, reader: TableReader) -> dict[date, DayFiles]:
        return self._cached(table, ("files",), lambda: files_by_day(reader.source))

    def all_rows(self, table: Table, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows of a small table that is not daily."""
        return self._cached(table, ("all", tuple(columns or ())), lambda: self.tables.read(table, columns=columns))

    def query(
        self, table: Table, sql: str, columns: Sequence[str], start: date | None = None, end: date | None = None
    ) -> list[dict[str, Any]]:
        """The answer to a question about these columns of days start..end, the rows of `source`."""
        return self._cached(
            table, (sql, tuple(columns), start, end), lambda: self.tables.query(table, sql, columns, start, end)
        )

    def remembered(self, table: Table, what: str, make: Any) -> Any:
        """What `make` makes of a table, once for each of its versions."""
        return self._cached(table, ("made", what), make)

    def _cached(self, table: Table, key: tuple[Any, ...], read: Any) -> Any:
        return self._cache.get((table.name, self.snapshot.versions.get(table.name), *key), read)


class Cache:
    """What was read, the least recently used forgotten first; callers must not change what they get."""

    def __init__(self, most_bytes: int = CACHE_BYTES) -> None:
        self._found: LRUCache[tuple[Any, ...], Any] = LRUCache(most_bytes, getsizeof=_size)
        self._lock = Lock()
        self._most_bytes = most_bytes

    def get(self, key: tuple[Any, ...], read: Any) -> Any:
        with self._lock:
            if key in self._found:
                return self._found[key]
        found = read()  # not under the lock: others read meanwhile, at worst the same
        if _size(found) <= self._most_bytes:
            with self._lock:
                self._found[key] = found
        return found


def _own(rows: pa.Table) -> pa.Table:
    """A copy of few rows: as the engine hands them over, they lie in buffers for many."""
    return rows.take(pa.array(range(rows.num_rows), pa.int64())) if rows.num_rows < FEW_ROWS else rows


def _size(found: Any) -> float:
    if isinstance(found, pa.Table):
        return found.nbytes + 1
    return ROW_BYTES * (1 + len(found)) if isinstance(found, list | dict) else ROW_BYTES
