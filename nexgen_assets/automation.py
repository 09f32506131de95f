"""Jobs and schedules: what runs together, and when."""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from nexgen_assets.launcher import DAILY, HISTORY, INGEST, TRAINING, busy_days, plan_days, training_run
from nexgen_assets.partitions import DayRange
from nexgen_assets.settings import Settings

CATCH_UP_DAYS = 28
LANDING = ("landing_files", "calendar", "inventory_counts", "products", "suppliers", "item_locations")
SPINE_TO_FEATURES = ("raw_sales", "cleaned_sales", "rejected_sales", "daily_demand", "cleaned_features")
SPINE_TO_ORDERS = ("inventory_positions", "forecasts", "reorder_recommendations")


def jobs() -> list[UnresolvedAssetJobDefinition]:
    return [
        dg.define_asset_job(
            INGEST,
            dg.AssetSelection.assets(*LANDING),
            description="Look at the landing zone: register new and changed files, read master data.",
        ),
        dg.define_asset_job(
            HISTORY,
            dg.AssetSelection.assets(*SPINE_TO_FEATURES),
            description="Sales to features for a range of days.",
        ),
        dg.define_asset_job(
            DAILY,
            dg.AssetSelection.assets(*SPINE_TO_FEATURES, *SPINE_TO_ORDERS),
            description="A day from landed sales to orders: the spine without training.",
        ),
        dg.define_asset_job(
            TRAINING,
            dg.AssetSelection.assets("trained_model"),
            description="Train a model that sees no sale after `as_of`; it becomes champion if it beats the baseline.",
        ),
    ]


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
        description="03:15: yesterday, and any day of the last four weeks that was missed, as few runs.",
    )
    def daily_orders(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest]:
        yesterday = settings.last_complete_day(context.scheduled_execution_time)
        window = DayRange(yesterday, yesterday).preceded_by(min(CATCH_UP_DAYS, settings.origins) - 1)
        done = context.instance.get_materialized_partitions(dg.AssetKey("reorder_recommendations"))
        known = set(days.get_partition_keys())
        # days before the first order are history, which nobody asked this schedule to build
        begun = min((day for day in window if day.isoformat() in done), default=yesterday)
        missing = [day for day in window if day >= begun and day.isoformat() not in done and day.isoformat() in known]
        runs = plan_days(missing, settings.origins, busy_days(context.instance))
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
