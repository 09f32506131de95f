"""From features to forecasts: mean and quantiles of the next 28 days, for each origin."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg
import pyarrow as pa

from nexgen_assets.assets.common import daily_table, table_asset
from nexgen_assets.io_managers.delta_tables import TableReader
from nexgen_assets.jobs import TRAINING
from nexgen_assets.resources.lake import LakeResource
from nexgen_assets.resources.registry import Champions
from nexgen_assets.settings import Settings
from nexgen_assets.tables import FORECASTS

if TYPE_CHECKING:
    from nexgen_assets.forecasting.model import TrainedModel
    from nexgen_assets.forecasting.plans import Plans

GROUP = "forecasts"
SERIES_AT_ONCE = 20_000


def forecast_assets(settings: Settings, days: dg.DailyPartitionsDefinition) -> list[dg.AssetsDefinition]:
    @table_asset(
        deps=["trained_model"],
        **daily_table(FORECASTS, days, group=GROUP, kinds={"xgboost", "deltalake", "s3"}, code_version="4"),
    )
    def forecasts(
        context: dg.AssetExecutionContext, cleaned_features: TableReader, calendar: pa.Table, lake: LakeResource
    ) -> pa.RecordBatchReader:
        """One row per product x location x horizon day: mean and quantiles of demand.

        An origin is forecast by the newest champion whose training saw nothing later and which this code can load,
        without one by the seasonal naive; `model_version` says which. Days on which the calendar closes the location
        have 0.
        """
        from nexgen_assets.forecasting.baselines import SEASONAL_NAIVE
        from nexgen_assets.forecasting.closings import PlannedOpening, without_closed_days
        from nexgen_assets.forecasting.plans import Plans

        champions, planned, opening = Champions(lake.access), Plans(calendar), PlannedOpening(calendar)
        serving = {day: champions.serving(day) for day in cleaned_features.days()}
        context.log.info(f"served by {sorted({found[0] if found else SEASONAL_NAIVE for found in serving.values()})}")
        passed_over = {version: why for day in serving for version, why in champions.passed_over(day).items()}
        for version, why in passed_over.items():
            context.log.warning(f"champion {version} does not serve: {why}, with the job `{TRAINING}`")

        def batches() -> Iterator[pa.RecordBatch]:
            for day, found in serving.items():
                rows = cleaned_features.day(day)
                for start in range(0, rows.num_rows, SERIES_AT_ONCE):
                    part = rows.slice(start, SERIES_AT_ONCE)
                    forecast = _forecast(part, found, planned, settings.threads)
                    yield from without_closed_days(forecast, opening).to_batches()

        return pa.RecordBatchReader.from_batches(FORECASTS.arrow_schema, batches())

    return [forecasts]


def _forecast(features: pa.Table, found: "tuple[str, TrainedModel] | None", planned: "Plans", threads: int) -> pa.Table:
    from nexgen_assets.forecasting.baselines import seasonal_naive_forecast

    if found is None:
        return seasonal_naive_forecast(features)
    version, model = found
    return model.predict(features, planned, model_version=version, threads=threads)
