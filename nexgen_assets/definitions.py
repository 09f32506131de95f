"""Assembly only: settings -> Definitions. Loading does no network, starts no engine and needs no credentials."""

import warnings
from collections.abc import Mapping
from typing import Any

import dagster as dg

from nexgen_assets.assets.backtest import backtest_assets
from nexgen_assets.assets.features import feature_assets
from nexgen_assets.assets.forecasts import forecast_assets
from nexgen_assets.assets.housekeeping import housekeeping_assets
from nexgen_assets.assets.inventory import inventory_assets, order_decisions
from nexgen_assets.assets.model import model_assets
from nexgen_assets.assets.monitoring import monitoring_assets
from nexgen_assets.assets.replenishment import replenishment_assets
from nexgen_assets.assets.sales import landing_assets, sales_assets
from nexgen_assets.assets.search import search_assets
from nexgen_assets.assets.simulation import simulation_assets
from nexgen_assets.assets.snapshot import snapshot_assets
from nexgen_assets.automation import (
    housekeeping_sensor,
    jobs,
    landing_sensor,
    retraining_sensor,
    rollback_job,
    schedules,
)
from nexgen_assets.checks import freshness_checks, freshness_job, freshness_schedule, quality_checks
from nexgen_assets.io_managers.delta import DeltaTableIOManager
from nexgen_assets.io_managers.models import ModelIOManager
from nexgen_assets.monitoring import monitoring_checks
from nexgen_assets.partitions import daily_partitions
from nexgen_assets.resources.lake import LakeResource
from nexgen_assets.resources.spark import SparkResource
from nexgen_assets.resources.spark_engine import spark_remote
from nexgen_assets.settings import Settings, load_settings


def build_resources(settings: Settings) -> dict[str, Any]:
    lake = LakeResource.from_settings(settings)
    spark = SparkResource(lake=lake, remote=spark_remote())
    return {
        "lake": lake,
        "spark": spark,
        "tables": DeltaTableIOManager(lake=lake, spark=spark),
        "models": ModelIOManager(lake=lake, mlflow_uri=settings.mlflow_uri),
    }


def build_assets(settings: Settings, days: dg.DailyPartitionsDefinition) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    with warnings.catch_warnings():
        # `backfill_policy` is a beta parameter; without it a range of days would be a run per day
        warnings.filterwarnings("ignore", message=".*backfill_policy.*", category=dg.BetaWarning)
        return [
            *landing_assets(settings),
            *sales_assets(settings, days),
            *feature_assets(settings, days),
            *model_assets(settings),
            *backtest_assets(settings),
            *search_assets(settings),
            *forecast_assets(settings, days),
            order_decisions(),
            *inventory_assets(settings, days),
            *replenishment_assets(settings, days),
            *simulation_assets(settings),
            *monitoring_assets(days),
            *housekeeping_assets(settings),
            *snapshot_assets(),
        ]


def build_defs(settings: Settings, overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """The deployment that `settings` describe; `overrides` replaces resources by key, for tests."""
    days, known_jobs = daily_partitions(settings), jobs(settings)
    return dg.Definitions(
        assets=build_assets(settings, days),
        asset_checks=[*quality_checks(), *monitoring_checks(settings), *freshness_checks(settings)],
        jobs=[*known_jobs, rollback_job(settings.mlflow_uri), freshness_job()],
        schedules=[*schedules(settings, days), freshness_schedule(settings)],
        sensors=[landing_sensor(settings, known_jobs), housekeeping_sensor(settings), retraining_sensor(settings)],
        resources={**build_resources(settings), **(overrides or {})},
        # one process for all steps of a run: a process per step would cost three seconds of imports each
        executor=dg.in_process_executor,
    )


defs = build_defs(load_settings())
