"""From forecasts and what was sold since to their accuracy."""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache

import dagster as dg
import pyarrow as pa

from nexgen_assets.assets.common import LAST, PYTHON_KINDS, daily_table, lookback, table_asset
from nexgen_assets.io_managers.delta_tables import TableReader
from nexgen_assets.partitions import DayRange, key_range
from nexgen_assets.tables import FORECAST_ACCURACY, HORIZON_DAYS

GROUP = "monitoring"


def monitoring_assets(days: dg.DailyPartitionsDefinition) -> list[dg.AssetsDefinition]:
    @table_asset(
        ins={
            "daily_demand": lookback("daily_demand", HORIZON_DAYS),
            "forecasts": lookback("forecasts", HORIZON_DAYS, may_have_gaps=True),
        },
        op_tags=LAST,
        **daily_table(FORECAST_ACCURACY, days, group=GROUP, kinds=PYTHON_KINDS, code_version="1"),
    )
    def forecast_accuracy(
        context: dg.AssetExecutionContext, daily_demand: TableReader, forecasts: TableReader
    ) -> pa.RecordBatchReader:
        """One row per model version x horizon x volume class: sums of the errors of all forecasts of the day.

        The day is that of the sales; every forecast of it counts, made 1 to 28 days before. From the sums follow WAPE,
        bias, coverage and pinball loss of any days, horizons and classes. A day that nobody had forecast has no row.
        """
        from nexgen_assets.forecasting.accuracy import DEMAND_COLUMNS, FORECAST_COLUMNS, accuracy_of_day, naive_days

        made = forecasts.days_with_rows()
        run = key_range(context.partition_key_range)
        demand = lru_cache(maxsize=HORIZON_DAYS + 1)(lambda day: daily_demand.day(day, DEMAND_COLUMNS))

        def batches() -> Iterator[pa.RecordBatch]:
            for day in (day for day in run if made.intersection(_origins(day))):
                if not demand(day).num_rows:
                    context.log.warning(f"{day} is not judged: daily_demand holds nothing of it; materialize it first")
                    continue
                origins = _origins(day)
                of_day = forecasts.rows(origins.start, origins.end, f"target_date = DATE '{day}'", FORECAST_COLUMNS)
                known = {of: demand(of) for of in (day, *naive_days(day).values())}
                yield from accuracy_of_day(day, of_day, known).to_batches()

        return pa.RecordBatchReader.from_batches(FORECAST_ACCURACY.arrow_schema, batches())

    return [forecast_accuracy]


def _origins(day: date) -> DayRange:
    """The days whose forecasts reach this one."""
    return DayRange(day - timedelta(days=HORIZON_DAYS), day - timedelta(days=1))
