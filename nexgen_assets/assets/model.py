"""The forecasting model: trained in a job of its own, never in a daily run or a backfill."""

from datetime import date
from typing import Any

import dagster as dg
from pydantic import Field

from nexgen_assets.assets.common import OWNERS
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.resources.lake import LakeResource
from nexgen_assets.resources.spark import SparkResource
from nexgen_assets.settings import Settings
from nexgen_assets.tables import CALENDAR, CLEANED_FEATURES, DAILY_DEMAND

GROUP = "model"


class TrainingConfig(dg.Config):
    """What one training may see."""

    as_of: str | None = Field(None, description="Last day of sales that the model may see; the newest if not told")


def model_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    @dg.asset(
        deps=["cleaned_features", "daily_demand", "calendar"],
        io_manager_key="models",
        group_name=GROUP,
        kinds={"xgboost", "s3"},
        owners=OWNERS,
        code_version="2",
    )
    def trained_model(
        context: dg.AssetExecutionContext, config: TrainingConfig, lake: LakeResource, spark: SparkResource
    ) -> Any:
        """One global model of demand at horizons 1 to 28, with its hold-out scores and the spread of its errors.

        Sees no sale after `as_of`. It is fitted twice: up to 28 days before, to be scored beside the seasonal naive
        and a moving average on days it had not seen, then up to `as_of`, to serve. It becomes champion only if it
        beats the seasonal naive.
        """
        from nexgen_assets.forecasting.frame import PlannedPromotions
        from nexgen_assets.forecasting.training import train

        tables, session = DeltaTables(lake.access), spark.spark_session
        as_of = date.fromisoformat(config.as_of) if config.as_of else tables.last_day(CLEANED_FEATURES)
        if as_of is None:
            raise dg.Failure("there are no features to train on yet: run the job `history` first")
        model = train(
            tables.read_spark(session, CLEANED_FEATURES, end=as_of),
            tables.read_spark(session, DAILY_DEMAND, end=as_of),
            as_of,
            PlannedPromotions(tables.read(CALENDAR)),
            settings.training_rows,
            settings.country,
            settings.threads,
        )
        scores = {f"{method}_{name}": value for method, found in model.metrics.items() for name, value in found.items()}
        context.add_output_metadata({"training_rows": model.rows, **scores})
        return model

    return [trained_model]
