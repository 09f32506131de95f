"""Jobs, schedules and sensors: what runs together, and when.

Whoever starts runs of the spine asks `backlog.py` what is needed; nothing here decides it anew.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from pydantic import Field

from nexgen_assets.backlog import affected_ranges, next_run, take_stock
from nexgen_assets.checks import freshness_selection, quality_checks, selection_of
from nexgen_assets.forecasting.retraining import NO_RETRAINING_DUE
from nexgen_assets.jobs import (
    BACKTESTING,
    DAILY,
    HISTORY,
    INGEST,
    JUDGEMENT,
    LANDING,
    LANDING_SENSOR,
    PUBLISHED_SNAPSHOT,
    ROLL_BACK,
    ROLLBACK,
    SEARCH,
    SIMULATION,
    SPINE_TO_FEATURES,
    SPINE_TO_ORDERS,
    TRAINING,
)
from nexgen_assets.landing_zone import LandingZone, last_change
from nexgen_assets.launcher import PlannedRun, busy_days, fail_dead_runs, plan_days, training_run
from nexgen_assets.monitoring import TRAINED_MODEL, monitoring_checks
from nexgen_assets.partitions import DayRange
from nexgen_assets.resources.lake import LakeResource, open_lake
from nexgen_assets.resources.mlflow_mirror import MlflowMirror
from nexgen_assets.resources.registry import ModelRegistry
from nexgen_assets.settings import Settings
from nexgen_assets.tables import BACKTEST, POLICY_SIMULATION

SENSOR_SECONDS = 30
CONDITION_SECONDS = 300
# `dagster.yaml` lets one run with this tag run at a time, in the order of their requests
ONE_AT_A_TIME = {"nexgen/spine": "days"}
# finished; every other status of a run means that it may still read and write
_ENDED = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}
HOUSEKEEPING = "housekeeping"
RETRAINING_REASON = "nexgen/retraining_reason"


def jobs(settings: Settings) -> list[UnresolvedAssetJobDefinition]:
    monitoring = selection_of(monitoring_checks(settings))
    return [
        dg.define_asset_job(
            INGEST,
            dg.AssetSelection.assets(*LANDING, PUBLISHED_SNAPSHOT),
            description="Look at the landing zone: register new and changed files, read master data.",
        ),
        dg.define_asset_job(
            HISTORY,
            dg.AssetSelection.assets(*SPINE_TO_FEATURES, *JUDGEMENT, PUBLISHED_SNAPSHOT)
            - freshness_selection()
            - selection_of(quality_checks())
            - monitoring,
            description="Sales to features for a range of days, and how right earlier forecasts of them were.",
            tags=ONE_AT_A_TIME,
        ),
        dg.define_asset_job(
            DAILY,
            (
                dg.AssetSelection.assets(*SPINE_TO_FEATURES, *SPINE_TO_ORDERS, *JUDGEMENT, PUBLISHED_SNAPSHOT)
                | monitoring
            )
            - freshness_selection(),
            description="A day from landed sales to orders: the spine without training; then how right forecasts were.",
            tags=ONE_AT_A_TIME,
        ),
        dg.define_asset_job(
            TRAINING,
            dg.AssetSelection.assets("trained_model"),
            description="Train a model that sees no sale after `as_of`; it serves if it passes `fit_to_serve`.",
        ),
        dg.define_asset_job(
            BACKTESTING,
            dg.AssetSelection.assets(BACKTEST.name, PUBLISHED_SNAPSHOT),
            description="Forecast from past days and compare with what came; changes nothing that serves.",
        ),
        dg.define_asset_job(
            SIMULATION,
            dg.AssetSelection.assets(POLICY_SIMULATION.name, PUBLISHED_SNAPSHOT),
            description="Order by several rules on past days and compare stock and service; changes no order.",
        ),
        dg.define_asset_job(
            SEARCH,
            dg.AssetSelection.assets("parameter_search"),
            description="Try other parameters of the model on past days; needs the extra `search`, promotes nothing.",
        ),
        dg.define_asset_job(
            HOUSEKEEPING,
            dg.AssetSelection.groups(HOUSEKEEPING),
            description="Remove files and runs past their retention; `housekeeping_conditions` asks for it weekly.",
        ),
    ]


class RollbackConfig(dg.Config):
    """Which model version serves no more, and why."""

    version: str | None = Field(None, description="Version to take out of service; the champion if not told")
    reason: str = Field("not told", description="Why, for the history")


def rollback_job(mlflow_uri: str | None = None) -> dg.JobDefinition:
    """The job behind `nexgen model rollback`: in the UI, one click and its configuration."""

    @dg.op(name=ROLL_BACK, out={})
    def roll_back(context: dg.OpExecutionContext, config: RollbackConfig, lake: LakeResource) -> Iterator[Any]:
        version, champion = ModelRegistry(lake.access).roll_back(config.version, config.reason, context.run_id)
        serving = champion.version if champion else "the seasonal naive"
        context.log.info(f"model {version} serves no more: {config.reason}; champion is now {serving}")
        yield dg.AssetObservation(
            "trained_model", metadata={"rolled_back": version, "why": config.reason, "champion": serving}
        )
        if mlflow_uri:
            try:
                MlflowMirror(mlflow_uri, lake.access.prefix).move_aliases(ModelRegistry(lake.access).aliases())
            except Exception as error:  # noqa: BLE001  # the version serves no more, whatever MLflow says of it
                context.log.warning(f"MLflow still has the aliases from before the rollback: {error}")

    @dg.job(name=ROLLBACK, description="Take a model version out of service for good, the champion if none is told.")
    def rollback() -> None:
        roll_back()

    return rollback


def schedules(settings: Settings, days: dg.DailyPartitionsDefinition) -> list[dg.ScheduleDefinition]:
    status = dg.DefaultScheduleStatus.RUNNING if settings.schedules == "on" else dg.DefaultScheduleStatus.STOPPED

    @dg.schedule(
        cron_schedule="0 3 * * *",
        execution_timezone=settings.timezone,
        job_name=INGEST,
        default_status=status,
        description="03:00: look at the landing zone before the daily run.",
    )
    def nightly_ingest(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:  # noqa: ARG001
        return dg.RunRequest(job_name=INGEST)

    @dg.schedule(
        cron_schedule="15 3 * * *",
        execution_timezone=settings.timezone,
        job_name=DAILY,
        default_status=status,
        description="03:15: yesterday, and any recent day that was missed or has changed, as few runs.",
    )
    def daily_orders(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest]:
        yesterday = settings.last_complete_day(context.scheduled_execution_time)
        window = DayRange(yesterday, yesterday).preceded_by(min(settings.catch_up_days, settings.origins) - 1)
        backlog = take_stock(context.instance, LandingZone(open_lake(settings), settings).manifest())
        # days before the first order are history, which nobody asked this schedule to build
        begun = min((day for day in window if day in backlog.orders), default=yesterday)
        needed = {day for day in window if day >= begun and day not in backlog.orders}
        needed |= backlog.days_without_orders(settings.origins)
        for affected in affected_ranges(backlog.stale_days(), settings.reach_days, backlog.newest_day or yesterday):
            needed |= set(affected)
        known = {day for day in needed if days.has_partition_key(day.isoformat())}
        runs = plan_days(known, settings.origins, busy_days(context.instance))
        # Dagster wants a key, new within the tick, of each of several requests
        return [run.request(run_key=f"{run.job} {run.label}") for run in runs]

    @dg.schedule(
        cron_schedule="0 5 * * 1",
        execution_timezone=settings.timezone,
        job_name=TRAINING,
        default_status=status,
        description="Monday 05:00: train on everything up to yesterday.",
    )
    def weekly_training(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        return training_run(settings.last_complete_day(context.scheduled_execution_time)).request()

    return [nightly_ingest, daily_orders, weekly_training]


def housekeeping_sensor(settings: Settings) -> dg.AutomationConditionSensorDefinition:
    """Evaluates the automation conditions of the assets off the spine; the spine itself has one launcher."""
    return dg.AutomationConditionSensorDefinition(
        "housekeeping_conditions",
        target=dg.AssetSelection.groups(HOUSEKEEPING),
        minimum_interval_seconds=CONDITION_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING if settings.schedules == "on" else dg.DefaultSensorStatus.STOPPED,
        description="Looks every few minutes; due on Sundays at 04:30: remove files and runs past their retention.",
    )


def landing_sensor(settings: Settings, known_jobs: list[UnresolvedAssetJobDefinition]) -> dg.SensorDefinition:
    """Watches the landing zone: registers what has landed, then builds what it changed, one run at a time."""

    @dg.sensor(
        name=LANDING_SENSOR,
        jobs=[job for job in known_jobs if job.name in (INGEST, HISTORY, DAILY)],
        minimum_interval_seconds=SENSOR_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Registers landed files, then rebuilds the days they change and those that look back on them.",
    )
    def watch(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        return look_at_landing_zone(context, settings)

    return watch


def look_at_landing_zone(
    context: dg.SensorEvaluationContext, settings: Settings, now: datetime | None = None
) -> dg.SensorResult | dg.SkipReason:
    """One tick. Its cursor holds the state of the manifest that was found to be built in full."""
    fail_dead_runs(context.instance)
    if busy := _unfinished(context.instance):
        return dg.SkipReason(f"waiting for run {busy.run_id} of job {busy.job_name}: what it builds may be enough")
    zone = LandingZone(open_lake(settings), settings)
    if waiting := zone.waiting():
        if not waiting.is_quiet(now or datetime.now(UTC), settings.landing_quiet_seconds):
            return dg.SkipReason(f"{len(waiting.files):,} files are landing: waiting until it is quiet")
        # the key names the cause, here and below: a run that failed is not started again for the same change
        key = f"{INGEST} {waiting.digest} after {zone.manifest_version()}"
        return dg.SensorResult([PlannedRun(INGEST).request(run_key=key)])
    manifest = zone.manifest()
    state = str(last_change(manifest))
    if context.cursor == state:
        return dg.SkipReason("nothing has landed since everything was built")
    needed = next_run(take_stock(context.instance, manifest), settings.origins, settings.reach_days)
    if needed is None:
        return dg.SensorResult(cursor=state, skip_reason=dg.SkipReason("everything that has landed is built"))
    return dg.SensorResult([needed.request(run_key=f"{needed.job} {needed.label} after {state}")])


def _unfinished(instance: dg.DagsterInstance, job: str | None = None) -> dg.DagsterRun | None:
    waiting = [status for status in dg.DagsterRunStatus if status not in _ENDED]
    return next(iter(instance.get_runs(dg.RunsFilter(statuses=waiting, job_name=job), limit=1)), None)


def retraining_sensor(settings: Settings) -> dg.SensorDefinition:
    """Asks for a training when the newest verdict of `no_retraining_due` says that one is due."""

    @dg.sensor(
        name="retraining",
        job_name=TRAINING,
        minimum_interval_seconds=CONDITION_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING if settings.schedules == "on" else dg.DefaultSensorStatus.STOPPED,
        description="Asks for a training when the check `no_retraining_due` of `trained_model` fails; a tag says why.",
    )
    def watch(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        return look_at_champion(context.instance)

    return watch


def look_at_champion(instance: dg.DagsterInstance) -> dg.SensorResult | dg.SkipReason:
    """One tick. What it acts on is what the UI shows: the check decides, and is evaluated by each run of `daily`."""
    fail_dead_runs(instance)
    found = _newest_verdict(instance, dg.AssetCheckKey(dg.AssetKey(TRAINED_MODEL), NO_RETRAINING_DUE))
    if found is None:
        return dg.SkipReason("no run has looked yet whether a training is due")
    if found.passed:
        return dg.SkipReason(f"no training is due: {found.description}")
    if busy := _unfinished(instance, TRAINING):
        return dg.SkipReason(f"waiting for run {busy.run_id}: it trains already")
    told = {name: str(value.value) for name, value in found.metadata.items()}
    due = training_run(date.fromisoformat(told["day"]))
    # one request for one champion and one newest day: a training that fails is not started again for the same cause
    request = due.request(run_key=f"{TRAINING} after {told['model_version']} up to {told['day']}")
    return dg.SensorResult([request._replace(tags={**request.tags, RETRAINING_REASON: found.description or ""})])


def _newest_verdict(instance: dg.DagsterInstance, check: dg.AssetCheckKey) -> dg.AssetCheckEvaluation | None:
    records = instance.event_log_storage.get_asset_check_execution_history(check, limit=10)
    evaluations = (record.evaluation for record in records)
    return next((found for found in evaluations if isinstance(found, dg.AssetCheckEvaluation)), None)
