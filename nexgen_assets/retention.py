"""Which of Dagster's runs are kept, and how the others go.

What belongs here: what may be forgotten of runs, their events and their logs. Age alone does not decide: all that
Dagster knows of a partition (its status, its latest materialization and metadata) are events of the run that made it,
and they go with that run. So a run stays for as long as it is the latest word on anything.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
import sqlalchemy as sa
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
# the events a partition's status derives from; a plan without a materialization after it is a failed partition
STATUS_EVENTS = [
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    dg.DagsterEventType.ASSET_OBSERVATION,
]
RUNS_PER_REPORT = 100


@dataclass(frozen=True)
class PrunedRuns:
    """How many old runs were removed, and how many stay because they are the latest word on something."""

    removed: int
    needed: int


def prune_runs(
    instance: dg.DagsterInstance, created_before: datetime, report: Callable[[str], None] = lambda _: None
) -> PrunedRuns:
    """Remove finished runs from before that instant, with their events and logs, unless they are still needed."""
    old = instance.get_run_ids(dg.RunsFilter(statuses=FINISHED, created_before=created_before.astimezone(UTC)))
    needed = needed_runs(instance)
    superseded = [run_id for run_id in old if run_id not in needed]
    for number, run_id in enumerate(superseded, 1):
        _remove(instance, run_id)
        if number % RUNS_PER_REPORT == 0:
            report(f"{number} of {len(superseded)} runs removed")
    return PrunedRuns(len(superseded), len(old) - len(superseded))


def needed_runs(instance: dg.DagsterInstance) -> set[str]:
    """Runs with the latest materialization, attempt, observation or check of any partition of any asset."""
    storage = instance.event_log_storage
    if not isinstance(storage, SqlEventLogStorage):
        raise TypeError(f"{type(storage).__name__} is no SQL event log: its runs cannot be pruned")
    events, checks = SqlEventLogStorageTable.c, AssetCheckExecutionsTable.c
    of_assets = sa.and_(
        events.asset_key.is_not(None), events.dagster_event_type.in_([kind.value for kind in STATUS_EVENTS])
    )
    latest_events = (
        sa.select(sa.func.max(events.id))
        .where(of_assets)
        .group_by(events.asset_key, events.dagster_event_type, events.partition)
    )
    latest_checks = sa.select(sa.func.max(checks.id)).group_by(checks.asset_key, checks.check_name, checks.partition)
    with storage.index_connection() as connection:
        return {
            *connection.scalars(sa.select(events.run_id).where(events.id.in_(latest_events)).distinct()),
            *connection.scalars(sa.select(checks.run_id).where(checks.id.in_(latest_checks)).distinct()),
        }


def _remove(instance: dg.DagsterInstance, run_id: str) -> None:
    # the run itself last: killed before that, the next pruning finds it again
    instance.compute_log_manager.delete_logs(prefix=[run_id])
    instance.event_log_storage.delete_events(run_id)
    instance.run_storage.delete_run(run_id)
