"""From daily demand to the features of each forecast origin."""

import dagster as dg
import pyarrow as pa
from pyspark.sql import DataFrame

from nexgen_assets.assets.common import SPARK_KINDS, daily_table, lookback, table_asset
from nexgen_assets.partitions import key_range
from nexgen_assets.settings import Settings
from nexgen_assets.tables import CLEANED_FEATURES

GROUP = "features"


def feature_assets(settings: Settings, days: dg.DailyPartitionsDefinition) -> list[dg.AssetsDefinition]:
    @table_asset(
        ins={"daily_demand": lookback("daily_demand", settings.lookback_days - 1)},
        **daily_table(CLEANED_FEATURES, days, group=GROUP, kinds=SPARK_KINDS, code_version="6"),
    )
    def cleaned_features(context: dg.AssetExecutionContext, daily_demand: DataFrame, calendar: pa.Table) -> DataFrame:
        """One row per product x location: all that is known at the close of that day.

        No feature looks further back than `NEXGEN_LOOKBACK_DAYS`, and none sees a later day.
        """
        from nexgen_assets.forecasting.features import cleaned_features as features_of
        from nexgen_assets.forecasting.plans import Plans

        run, promotions = key_range(context.partition_key_range), Plans(calendar).promotions()
        return features_of(daily_demand, run.start, run.end, settings.lookback_days, promotions)

    return [cleaned_features]
