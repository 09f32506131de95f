"""Upkeep of a Delta table: small files merged, files and log entries that nobody needs removed.

What belongs here: which files of a table may go, without Dagster. Every version of the retention stays readable, row
for row: time travel works, and a reader pinned to such a version never loses a file. Rows never change here.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.tables import Table

# A file that no version refers to may be the stage of a write in flight. No run lasts longer than two hours
# (`run_monitoring` in dagster.yaml); a stage a day old was left by a process that was killed.
GRACE_HOURS = 24


@dataclass(frozen=True)
class Upkeep:
    """What the upkeep of one table did, and what the table holds now; files of its log included."""

    table: str
    files_merged: int
    files_removed: int
    bytes_removed: int
    files_kept: int
    bytes_kept: int


def maintain(  # noqa: PLR0917
    tables: DeltaTables,
    table: Table,
    retention_days: int,
    now: datetime,
    grace_hours: int = GRACE_HOURS,
    published: int | None = None,
) -> Upkeep | None:
    """Merge, clean up and checkpoint one table; None where it has never been written. Done twice, it changes nothing.

    Kept are the files of every version that was current within the last `retention_days` before `now`, those of the
    version that is `published`, and any file younger than `grace_hours`.
    """
    found = tables.open(table)
    if found is None:
        return None
    before = _sizes(tables, table)
    _declare_retention(found, retention_days)
    merged = _merge_small_files(found)
    kept = _versions_since(found, now - timedelta(days=retention_days))
    is_log_needed = published is not None and published < min(kept)
    unneeded = _unneeded_files(found, [published, *kept] if published is not None else kept, grace_hours)
    _delete(tables, table, before.keys() & set(unneeded))
    if not is_log_needed:
        _shorten_log(found, before)
    after = _sizes(tables, table)
    removed = [size for path, size in before.items() if path not in after]
    return Upkeep(table.name, merged, len(removed), sum(removed), len(after), sum(after.values()))


def _sizes(tables: DeltaTables, table: Table) -> dict[str, int]:
    """Bytes of every object below the table's root."""
    import obstore

    store = tables.access.store(f"tables/{table.name}")
    return {item["path"]: item["size"] for batch in obstore.list(store) for item in batch}


def _declare_retention(found: DeltaTable, days: int) -> None:
    """Tell every engine how long the log is kept: any writer shortens it now and then, by default after 30 days."""
    wanted = {
        "delta.logRetentionDuration": f"interval {days} days",
        "delta.deletedFileRetentionDuration": f"interval {days} days",
    }
    declared = found.metadata().configuration
    if any(declared.get(name) != value for name, value in wanted.items()):
        found.alter.set_table_properties(wanted)


# a day that is replaced while its files are merged: the writer wins, and its day needs no merging
@retry(
    retry=retry_if_exception_type(CommitFailedError),
    stop=stop_after_attempt(5),
    wait=wait_random_exponential(0.5, 20),
    reraise=True,
)
def _merge_small_files(found: DeltaTable) -> int:
    """Merge the files of each day that has several; returns how many were replaced. A file never holds two days."""
    found.update_incremental()
    return found.optimize.compact()["numFilesRemoved"]


def _versions_since(found: DeltaTable, since: datetime) -> list[int]:
    """The version that was current at `since`, and all after it."""
    versions: list[int] = []
    for commit in found.history():  # newest first
        versions.append(commit["version"])
        if commit["timestamp"] <= since.timestamp() * 1000:
            break
    return versions


def _unneeded_files(found: DeltaTable, versions: list[int], grace_hours: int) -> list[str]:
    """Files that none of the versions refers to: superseded ones, and stages of writes that were killed.

    Files that are long gone are among them for as long as the log remembers them.
    """
    return found.vacuum(
        # the versions decide what is kept; the hours only protect files that no version refers to yet
        keep_versions=sorted(set(versions)),
        retention_hours=grace_hours,
        enforce_retention_duration=False,
        full=True,
        dry_run=True,
    )


def _delete(tables: DeltaTables, table: Table, paths: set[str]) -> None:
    # not by `vacuum`, which makes two commits each time, even if all it deletes is long gone
    import obstore

    if paths:
        obstore.delete(tables.access.store(f"tables/{table.name}"), sorted(paths))


def _shorten_log(found: DeltaTable, known: dict[str, int]) -> None:
    """Sum the log up in a checkpoint, unless the newest version has one, and remove entries past the retention."""
    found.update_incremental()
    checkpoint = f"_delta_log/{found.version():020d}.checkpoint"
    if not any(path.startswith(checkpoint) for path in known):
        found.create_checkpoint()
    found.cleanup_metadata()
