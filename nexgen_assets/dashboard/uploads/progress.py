"""What becomes of a committed file, derived each time from the manifest, Dagster's records and the published snapshot.

What belongs here: that derivation. What does not: what a change needs (`backlog.py`), and states before the commit
(`records.py`). Nothing of this is stored, so that it cannot be out of date.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from threading import Lock
from typing import Any

import dagster as dg

from nexgen_assets.backlog import Backlog, take_stock
from nexgen_assets.dashboard.answers.uploads import UploadState
from nexgen_assets.dashboard.queries.runs import ACTIVE, days_of, runs
from nexgen_assets.dashboard.uploads.checking import VERSION_DIGITS
from nexgen_assets.dashboard.uploads.lines import shown
from nexgen_assets.dashboard.uploads.records import State, UploadRow
from nexgen_assets.io_managers.snapshots import Snapshot, Snapshots
from nexgen_assets.jobs import DAILY, HISTORY, INGEST, LANDING_SENSOR
from nexgen_assets.landing_zone import CURRENT, DELETED, REFUSED, LandingZone
from nexgen_assets.settings import Settings

FACTS_SECONDS = 3.0
LAST_RUNS = 200
WAITING = frozenset({dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED})
FAILED = frozenset({dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED})
# the tables that hold what a sales file brings, and the orders made of it
SALES_TABLE, ORDERS_TABLE = "cleaned_features", "reorder_recommendations"


@dataclass(frozen=True)
class Standing:
    """Where a committed file stands; the run that works on it or has failed, and what keeps it from going on."""

    state: UploadState
    run_id: str | None = None
    problem: str | None = None
    hint: str | None = None


@dataclass(frozen=True)
class Facts:
    """What is known at a moment; `versions` tells the table's version that a materialization wrote."""

    files: Mapping[tuple[str, str], Mapping[str, Any]]
    backlog: Backlog
    runs: list[dg.RunRecord]
    published: Snapshot
    version_of: Callable[[str, int], int | None]
    error_of: Callable[[str], str]
    hint: str | None


class UploadProgress:
    """Of one deployment; looked up every few seconds at most."""

    def __init__(
        self, settings: Settings, zone: LandingZone, snapshots: Snapshots, instance: dg.DagsterInstance
    ) -> None:
        self._settings, self._zone, self._snapshots, self._instance = settings, zone, snapshots, instance
        self._lock = Lock()
        self._known: tuple[float, Facts] | None = None

    def standings(self, rows: Iterable[UploadRow]) -> dict[str, Standing]:
        """Of those that are committed, by id."""
        committed = [row for row in rows if row.state == State.COMMITTED]
        if not committed:
            return {}
        facts = self._facts()
        return {row.upload_id: standing(row, facts, self._settings.origins) for row in committed}

    def _facts(self) -> Facts:
        with self._lock:
            if self._known is None or time.monotonic() - self._known[0] > FACTS_SECONDS:
                self._known = time.monotonic(), self._look()
            return self._known[1]

    def _look(self) -> Facts:
        instance, manifest = self._instance, self._zone.manifest()
        jobs = [INGEST, HISTORY, DAILY]
        found = [
            record for job in jobs for record in instance.get_run_records(dg.RunsFilter(job_name=job), limit=LAST_RUNS)
        ]
        return Facts(
            files={(row["file_key"], row["file_version"]): row for row in manifest},
            backlog=take_stock(instance, manifest),
            runs=sorted(found, key=lambda record: record.create_timestamp, reverse=True),
            published=self._snapshots.current() or Snapshot(),
            version_of=self._version_of,
            error_of=self._error_of,
            hint=_hint(instance),
        )

    def _version_of(self, asset: str, storage_id: int) -> int | None:
        wanted = dg.AssetRecordsFilter(dg.AssetKey(asset), storage_ids=[storage_id])
        for record in self._instance.fetch_materializations(wanted, limit=1).records:
            made = record.asset_materialization
            told = made.metadata.get("table_version") if made else None
            if told is not None:
                return int(str(told.value))
        return None

    def _error_of(self, run_id: str) -> str:
        """The first line of what went wrong in the first step that failed."""
        events = self._instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.STEP_FAILURE, limit=1).records
        event = events[0].event_log_entry.dagster_event if events else None
        if event is None:
            return "the run ended before any step"
        error = event.step_failure_data.error
        while error is not None and error.cause is not None:
            error = error.cause
        line = error.message.strip().partition("\n")[0] if error else "unknown error"
        # Dagster puts the error's class before its words
        message = line.partition(f"{error.cls_name}: ")[2] or line if error else line
        return shown(f"{event.step_key}: {message}", 500)


def standing(row: UploadRow, facts: Facts, origins: int) -> Standing:
    """Where a committed file stands."""
    entry = facts.files.get((str(row.landing_key), row.content_hash[:VERSION_DIGITS]))
    if entry is None:
        return _on_its_way(facts, [run for run in facts.runs if run.dagster_run.job_name == INGEST], row.committed_at)
    if entry["status"] == REFUSED:
        return Standing(UploadState.FAILED, problem=shown(entry["problem"]))
    if entry["status"] != CURRENT:
        return Standing(UploadState.DELETED if entry["status"] == DELETED else UploadState.REPLACED)
    newest = facts.backlog.newest_day
    days = set(entry["days"]) or ({newest} if newest else set())
    if _is_built(days, facts, origins) and _is_published(days, facts):
        return Standing(UploadState.IN)
    covering = [run for run in facts.runs if run.dagster_run.job_name != INGEST and _covers(run, days)]
    return _on_its_way(facts, covering, entry["changed_at"])


def _on_its_way(facts: Facts, of_these: list[dg.RunRecord], since: datetime | None) -> Standing:
    """By the newest of these runs: it works on the file, has failed, or another must follow."""
    newest = next((run for run in of_these if since is None or run.create_timestamp >= since), None)
    active = next((run for run in of_these if run.dagster_run.status in ACTIVE), None)
    if active is not None:
        is_waiting = active.dagster_run.status in WAITING
        state = UploadState.QUEUED if is_waiting else UploadState.RUNNING
        return Standing(state, active.dagster_run.run_id, hint=facts.hint if is_waiting else None)
    if newest is not None and newest.dagster_run.status in FAILED:
        run_id = newest.dagster_run.run_id
        problem = f"the run that takes it up has failed. {facts.error_of(run_id)}. See the run in the Dagster UI"
        return Standing(UploadState.FAILED, run_id, problem)
    return Standing(UploadState.COMMITTED, hint=facts.hint)


def _is_built(days: set[date], facts: Facts, origins: int) -> bool:
    return not facts.backlog.stale_days() & days and not facts.backlog.days_without_orders(origins)


def _is_published(days: set[date], facts: Facts) -> bool:
    """Whether the snapshot holds the newest state of those days, and the newest orders."""
    made = {
        SALES_TABLE: max((facts.backlog.features.get(day, 0) for day in days), default=0),
        ORDERS_TABLE: max(facts.backlog.orders.values(), default=0),
    }
    for table, storage_id in made.items():
        version = facts.version_of(table, storage_id) if storage_id else None
        if version is not None and facts.published.versions.get(table, -1) < version:
            return False
    return True


def _covers(run: dg.RunRecord, days: set[date]) -> bool:
    covered = days_of(run.dagster_run)
    return covered is not None and any(covered.start <= day <= covered.end for day in days)


def _hint(instance: dg.DagsterInstance) -> str | None:
    """What keeps a landed file from being taken up, and what to do."""
    found = runs(instance, 1)
    if LANDING_SENSOR in found.stopped_sensors:
        return f"The sensor `{LANDING_SENSOR}` is switched off: switch it on in the Dagster UI, below Automation."
    if not found.daemon_is_alive:
        return "The Dagster daemon does not run, so that nobody looks at what lands: start it with `nexgen up`."
    return None
