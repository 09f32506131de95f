"""Runs of the deployment's Dagster instance: what is queued, runs, and failed.

What belongs here: reading the instance. What does not: starting runs (`launcher.py`).
"""

from datetime import UTC, date, datetime

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import InstigatorStatus

from nexgen_assets.dashboard.answers.system import Run, Runs
from nexgen_assets.partitions import RANGE_END_TAG, RANGE_START_TAG, DayRange

ACTIVE = frozenset(
    {
        dg.DagsterRunStatus.QUEUED,
        dg.DagsterRunStatus.NOT_STARTED,
        dg.DagsterRunStatus.STARTING,
        dg.DagsterRunStatus.STARTED,
        dg.DagsterRunStatus.CANCELING,
    }
)
MOST_ACTIVE = 1_000
DAEMONS = ("SENSOR", "QUEUED_RUN_COORDINATOR")
MOST_SILENT_SECONDS = 120


def runs(instance: dg.DagsterInstance, last: int) -> Runs:
    """The last runs, and whether the daemon works."""
    found = [_told(record) for record in instance.get_run_records(limit=last)]
    active = instance.get_run_ids(dg.RunsFilter(statuses=list(ACTIVE)), limit=MOST_ACTIVE)
    sensors = instance.all_instigator_state(instigator_type=InstigatorType.SENSOR)
    stopped = sorted({state.instigator_name for state in sensors if state.status == InstigatorStatus.STOPPED})
    return Runs(runs=found, active=len(active), daemon_is_alive=_is_alive(instance), stopped_sensors=stopped)


def _told(record: dg.RunRecord) -> Run:
    run = record.dagster_run
    days = days_of(run)
    return Run(
        run_id=run.run_id,
        job=run.job_name,
        status=run.status.value.lower(),
        days=str(days) if days else None,
        created_at=record.create_timestamp,
        started_at=_instant(record.start_time),
        ended_at=_instant(record.end_time),
        is_active=run.status in ACTIVE,
    )


def days_of(run: dg.DagsterRun) -> DayRange | None:
    """The days that a run builds, None for an undated one."""
    start = run.tags.get(RANGE_START_TAG) or run.tags.get("dagster/partition")
    end = run.tags.get(RANGE_END_TAG) or start
    return DayRange(date.fromisoformat(start), date.fromisoformat(end)) if start and end else None


def _is_alive(instance: dg.DagsterInstance) -> bool:
    from dagster._daemon.controller import get_daemon_statuses

    statuses = get_daemon_statuses(instance, DAEMONS, heartbeat_tolerance_seconds=MOST_SILENT_SECONDS)
    # one that this instance does not need is neither
    return all(status.healthy is not False for status in statuses.values())


def _instant(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
