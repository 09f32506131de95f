"""The published snapshot: one version of every table, which belong together.

What belongs here: the small JSON that says which, moved by compare-and-swap, and tables as of it. What does not: when
it is published (`assets/snapshot.py`), and what is read of it. While a run replaces one table after the other, readers
of the snapshot see none of it; when the run is done, they see all of it.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from threading import Lock
from typing import Any, TypeVar

from cachetools import LRUCache
from deltalake import DeltaTable
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.tables import TABLES, Table

KEY = "snapshot.json"
ID_DIGITS = 16
# commits that leave every row as it is
REARRANGING = frozenset({"OPTIMIZE", "SET TBLPROPERTIES", "VACUUM START", "VACUUM END"})
OPEN_TABLES = 256
Changed = TypeVar("Changed", "Snapshot", "Snapshot | None")


@dataclass(frozen=True)
class Snapshot:
    """Delta versions by table; a table that was never written has none. `published_at` is None if no run did it."""

    versions: Mapping[str, int] = field(default_factory=dict)
    published_at: datetime | None = None
    run_id: str | None = None

    @property
    def snapshot_id(self) -> str:
        """The same versions give the same id."""
        return sha256(json.dumps(sorted(self.versions.items())).encode()).hexdigest()[:ID_DIGITS]

    def to_json(self) -> dict[str, Any]:
        return {
            "snapshot_id": self.snapshot_id,
            "published_at": self.published_at.isoformat() if self.published_at else None,
            "run_id": self.run_id,
            "versions": dict(sorted(self.versions.items())),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Snapshot":
        at = content["published_at"]
        return cls(content["versions"], datetime.fromisoformat(at) if at else None, content["run_id"])


class Snapshots:
    """The snapshot of one lake prefix."""

    def __init__(self, tables: DeltaTables) -> None:
        self._tables = tables
        self._store = tables.access.store()

    def current(self) -> Snapshot | None:
        """The snapshot that was published last; None before the first."""
        return self._read()[0]

    def newest(self) -> Snapshot:
        """Every table as it is now, published or not."""
        found = {name: self._tables.version(table) for name, table in TABLES.items()}
        return Snapshot({name: version for name, version in found.items() if version is not None})

    def publish(self, names: Iterable[str], run_id: str | None, at: datetime) -> Snapshot:
        """Publish these tables as they are now; others stay at the version that is published, if they have one.

        So that a run never publishes what another one is in the middle of.
        """
        newest, mine = self.newest().versions, set(names)

        def published(before: Snapshot | None) -> Snapshot:
            kept = {name: version for name, version in (before.versions if before else {}).items() if name not in mine}
            # what nobody has published yet is first seen as it is
            return Snapshot({**newest, **kept}, at, run_id)

        return self._change(published)

    def follow_upkeep(self) -> Snapshot | None:
        """Move on to the newest version of each table whose rows are still those of the snapshot."""

        def followed(before: Snapshot | None) -> Snapshot | None:
            if before is None:
                return None
            moved = {name: self._same_rows(name, version) for name, version in before.versions.items()}
            return Snapshot(moved, before.published_at, before.run_id)

        return self._change(followed)

    def _same_rows(self, name: str, version: int) -> int:
        """The newest version if it has the rows of `version`, else that."""
        found = self._tables.open(TABLES[name]) if name in TABLES else None
        if found is None or found.version() == version:
            return version
        since = [commit for commit in found.history() if commit["version"] > version]
        return found.version() if all(commit.get("operation") in REARRANGING for commit in since) else version

    @retry(
        retry=retry_if_exception_type(ConnectionAbortedError),
        stop=stop_after_attempt(10),
        wait=wait_random_exponential(0.05, 2),
        reraise=True,
    )
    def _change(self, change: Callable[[Snapshot | None], Changed]) -> Changed:
        """Compare-and-swap, repeated on the new content if another change came first."""
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        before, mark = self._read()
        after = change(before)
        if after is None or after == before:
            return after
        try:
            obstore.put(self._store, KEY, json.dumps(after.to_json(), indent=1).encode(), mode=mark or "create")
        except (AlreadyExistsError, PreconditionError) as error:
            raise ConnectionAbortedError(f"another run published {KEY} first") from error
        return after

    def _read(self) -> tuple[Snapshot | None, Any]:
        import obstore

        try:
            answer = obstore.get(self._store, KEY)
        except FileNotFoundError:
            return None, None
        mark = {key: value for key in ("e_tag", "version") if (value := answer.meta.get(key))}
        return Snapshot.from_json(json.loads(bytes(answer.bytes()))), mark


class SnapshotTables(DeltaTables):
    """Tables as of one snapshot: every way of reading reads its versions; writing is refused."""

    def __init__(self, tables: DeltaTables, snapshot: Snapshot, opened: "OpenedTables | None" = None) -> None:
        super().__init__(tables.access)
        self.snapshot = snapshot
        self._opened = opened or OpenedTables(tables)

    def open(self, table: Table, version: int | None = None) -> DeltaTable | None:
        pinned = self.snapshot.versions.get(table.name) if version is None else version
        return None if pinned is None else self._opened.at(table, pinned)

    def replace_days(self, *_: Any, **__: Any) -> Any:
        raise TypeError("a snapshot is only read")

    def replace_all(self, *_: Any, **__: Any) -> Any:
        raise TypeError("a snapshot is only read")


class OpenedTables:
    """Versions of tables that were opened, which never change: their logs are read once."""

    def __init__(self, tables: DeltaTables) -> None:
        self._tables = tables
        self._found: LRUCache[tuple[str, int], DeltaTable] = LRUCache(OPEN_TABLES)
        self._lock = Lock()

    def at(self, table: Table, version: int) -> DeltaTable | None:
        with self._lock:
            known = self._found.get((table.name, version))
        if known is None:
            known = self._tables.open(table, version)
            if known is not None:
                with self._lock:
                    self._found[table.name, version] = known
        return known
