"""Which runs a change of days needs, and how they are started: the one launcher of the spine.

Schedules turn plans into run requests; the command line executes them in its own process, through the same Dagster
instance, so that runs, lineage and metadata stand in the UI afterwards.
"""

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from nexgen_assets.partitions import DayRange, merged
from nexgen_assets.processes import is_dead, process_tags
from nexgen_assets.settings import Settings

INGEST, HISTORY, DAILY, TRAINING, ROLLBACK = "ingest", "history", "daily", "training", "rollback_model"
BACKTESTING = "backtesting"  # a job may not have the name of an asset
SIMULATION = "simulate_policies"
SEARCH = "search_parameters"
ROLL_BACK = "roll_back"  # the op of that job
PACKAGE = Path(__file__).resolve().parent


class RunFailedError(RuntimeError):
    """A run ended without success; the message names the asset and the error."""


class CheckFailedError(RunFailedError):
    """A run ended because a blocking check failed: what it made is there, and nothing uses it."""


@dataclass(frozen=True)
class PlannedRun:
    """One run: a job over a range of days, or an undated job with its configuration."""

    job: str
    days: DayRange | None = None
    run_config: dict[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """What the run covers, for a person."""
        if self.days:
            return str(self.days)
        config = next(iter(self.run_config.get("ops", {}).values()), {}).get("config", {})
        return ", ".join(f"{key} {value}" for key, value in config.items())

    @property
    def tags(self) -> dict[str, str]:
        return self.days.tags if self.days else {}

    def request(self, run_key: str | None = None) -> dg.RunRequest:
        return dg.RunRequest(run_key=run_key, job_name=self.job, run_config=self.run_config, tags=self.tags)


def training_run(as_of: date) -> PlannedRun:
    """A training that sees no sale after `as_of`."""
    return PlannedRun(TRAINING, run_config={"ops": {"trained_model": {"config": {"as_of": as_of.isoformat()}}}})


def rollback_run(version: str | None, reason: str) -> PlannedRun:
    """Takes a model version out of service, the champion if none is told."""
    config = {"reason": reason} | ({"version": version} if version else {})
    return PlannedRun(ROLLBACK, run_config={"ops": {ROLL_BACK: {"config": config}}})


def plan_days(days: Iterable[date], origins: int, busy: Iterable[date] = ()) -> list[PlannedRun]:
    """Few ranges over those days, without the busy ones (queued or running already).

    A range no longer than `origins` is one run of the whole spine. A longer one gets its sales and features first and
    forecasts and orders for its last origins after that.
    """
    runs: list[PlannedRun] = []
    for days_range in merged(set(days) - set(busy)):
        if len(days_range) > origins:
            runs.append(PlannedRun(HISTORY, days_range))
        runs.append(PlannedRun(DAILY, days_range.last(origins)))
    return runs


def plan_everything(days: DayRange, origins: int) -> list[PlannedRun]:
    """A whole history at once: features for all days, two models, then forecasts and orders for the last origins.

    One model saw nothing of the last origins, so that their forecasts are honest; the other saw everything and serves
    the newest. Both come first: made again, the same run finds the same models.
    """
    last = days.last(origins)
    models = [training_run(days.end)]
    if last.start == days.start:
        return [PlannedRun(HISTORY, days), *models, PlannedRun(DAILY, DayRange(days.end, days.end))]
    models.insert(0, training_run(last.start - timedelta(days=1)))
    return [PlannedRun(HISTORY, days), *models, PlannedRun(DAILY, last)]


def busy_days(instance: dg.DagsterInstance) -> set[date]:
    """Days that a run of the spine is working on or waiting for."""
    filters = dg.RunsFilter(
        statuses=[dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
    )
    found: set[date] = set()
    for run in instance.get_runs(filters):
        start = run.tags.get("dagster/asset_partition_range_start") or run.tags.get("dagster/partition")
        end = run.tags.get("dagster/asset_partition_range_end") or start
        if run.job_name in (HISTORY, DAILY) and start and end:
            found |= set(DayRange(date.fromisoformat(start), date.fromisoformat(end)))
    return found


# ---- in this process


def shipped_file(name: str) -> Path:
    """`dagster.yaml` or `workspace.yaml`: in the package when installed, beside it in a checkout."""
    inside = PACKAGE / name
    return inside if inside.exists() else PACKAGE.parent / name


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The deployment's Dagster instance, made on first use from the shipped dagster.yaml."""
    folder = dagster_home(settings)
    os.environ["DAGSTER_HOME"] = str(folder)
    # two processes that create the databases at once leave them with two schema versions, which Dagster never mends
    with (folder / "init.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        config = folder / "dagster.yaml"
        if not config.exists():
            config.write_text(shipped_file("dagster.yaml").read_text())
        instance = dg.DagsterInstance.from_config(str(folder))
        instance.get_runs_count()
        instance.all_instigator_state()
    return instance


def dagster_home(settings: Settings) -> Path:
    """The folder of the instance: one per deployment, because an asset key means one deployment's table."""
    folder = settings.home_path / "dagster" / settings.deployment
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def fail_dead_runs(instance: dg.DagsterInstance) -> int:
    """Mark runs whose NexGen process is gone as failed, and free what they held; returns how many."""
    filters = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED])
    dead = [run for run in instance.get_runs(filters) if is_dead(run.tags)]
    for run in dead:
        instance.report_run_failed(run, "its process was killed")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return len(dead)


def execute(
    instance: dg.DagsterInstance, planned: PlannedRun, on_event: Callable[[dg.DagsterEvent], None] | None = None
) -> dg.DagsterRun:
    """Execute a run here and now, recorded like any run of the deployment.

    Raises RunFailedError if it fails, CheckFailedError if a blocking check did it; what it published before stays, and
    the same run can be made again.
    """
    last_failure: dg.DagsterEvent | None = None
    run, events = _start(instance, planned)
    for event in events:
        if event.is_step_failure:
            last_failure = event
        if on_event:
            on_event(event)
    done = instance.get_run_by_id(run.run_id)
    if done is None or not done.is_success:
        raise _failure(planned, last_failure)
    return done


def _start(instance: dg.DagsterInstance, planned: PlannedRun) -> tuple[dg.DagsterRun, Iterator[dg.DagsterEvent]]:
    from dagster._core.definitions.reconstruct import ReconstructableRepository
    from dagster._core.execution.api import execute_run_iterator
    from dagster._core.remote_origin import RemoteJobOrigin, RemoteRepositoryOrigin
    from dagster._core.workspace.load import location_origins_from_yaml_paths

    repository = ReconstructableRepository.for_module("nexgen_assets.definitions", "defs")
    job = repository.get_reconstructable_job(planned.job)
    definition = job.get_definition()
    # the origin ties the run to its code location, so that the UI lists it under the job and can run it again
    location = location_origins_from_yaml_paths([str(shipped_file("workspace.yaml"))])[0]
    run = instance.create_run_for_job(
        job_def=definition,
        run_config={**planned.run_config, "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        tags={**definition.run_tags, **planned.tags, **process_tags()},
        remote_job_origin=RemoteJobOrigin(RemoteRepositoryOrigin(location, "__repository__"), planned.job),
        job_code_origin=job.get_python_origin(),
    )
    return run, execute_run_iterator(job, run, instance)


def _failure(planned: PlannedRun, event: dg.DagsterEvent | None) -> RunFailedError:
    what = f"job {planned.job}" + (f" over {planned.days}" if planned.days else "")
    if event is None:
        return RunFailedError(f"{what} failed before any asset ran: see its run in the Dagster UI")
    error = event.step_failure_data.error
    while error is not None and error.cause is not None:
        error = error.cause
    kind = CheckFailedError if error and error.cls_name == "DagsterAssetCheckFailedError" else RunFailedError
    return kind(f"{what} failed in {event.step_key}: {error.message.strip() if error else 'unknown error'}")
