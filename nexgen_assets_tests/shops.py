"""A small shop on a real S3 server: 200 days of sales and features of series that grow or shrink."""

from datetime import date, timedelta
from pathlib import Path

import dagster as dg
from pyspark.sql import SparkSession

from nexgen_assets.forecasting.features import cleaned_features
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.jobs import PUBLISHED_SNAPSHOT
from nexgen_assets.resources.lake import LakeResource, S3Access
from nexgen_assets.settings import Settings
from nexgen_assets.tables import CLEANED_FEATURES, DAILY_DEMAND
from nexgen_assets_tests.conftest import BUCKET, unique_prefix
from nexgen_assets_tests.forecasting.trends import trending_panel

FIRST = date(2024, 1, 1)
DAYS = 200
LAST = FIRST + timedelta(days=DAYS - 1)


def materialization(done: dg.ExecuteInProcessResult) -> dg.AssetMaterialization:
    """The only one of a run, but for the snapshot that every run ends with."""
    events = done.get_asset_materialization_events()
    [made] = [event.materialization for event in events if event.step_key != PUBLISHED_SNAPSHOT]
    return made


def open_shop(seaweed: S3Access, spark: SparkSession, home: Path) -> Settings:
    """A deployment with the tables that a training reads, and no model."""
    settings = Settings(
        deployment=unique_prefix(),
        deployment_id="tests",
        home=home,
        bucket=BUCKET,
        s3_endpoint=seaweed.endpoint,
        training_rows=1_000,
        threads=1,
    )
    demand = trending_panel(FIRST, DAYS)
    features = cleaned_features(spark.createDataFrame(demand, DAILY_DEMAND.spark_ddl), FIRST, LAST, 400).toArrow()
    tables = DeltaTables(LakeResource.from_settings(settings).access)
    tables.replace_days(DAILY_DEMAND, demand, FIRST, LAST, "demand")
    tables.replace_days(CLEANED_FEATURES, features, FIRST, LAST, "features")
    return settings
