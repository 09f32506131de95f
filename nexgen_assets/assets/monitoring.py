"""From forecasts and what was sold since to their accuracy."""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from nexgen_assets.assets.common import LAST, PYTHON_KINDS, daily_table, lookback, table_asset
from nexgen_assets.io_managers.delta_tables import TableReader
from nexgen_assets.partitions import DayRange, key_range
from nexgen_assets.tables import FORECAST_ACCURACY, HORIZON_DAYS

GROUP = "monitoring"
ROWS_AT_ONCE = 1_000_000  # of forecasts, in memory


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
        from nexgen_assets.forecasting.accuracy import DEMAND_COLUMNS, accuracy_of_day, naive_days

        demand = lru_cache(maxsize=HORIZON_DAYS + 1)(lambda day: daily_demand.day(day, DEMAND_COLUMNS))

        def batches() -> Iterator[pa.RecordBatch]:
            for day, ahead in _forecasts_by_target(forecasts, key_range(context.partition_key_range)):
                if not demand(day).num_rows:
                    context.log.warning(f"{day} is not judged: daily_demand holds nothing of it; materialize it first")
                    continue
                known = {of: demand(of) for of in (day, *naive_days(day).values())}
                yield from accuracy_of_day(day, ahead, known).to_batches()

        return pa.RecordBatchReader.from_batches(FORECAST_ACCURACY.arrow_schema, batches())

    return [forecast_accuracy]


def _forecasts_by_target(forecasts: TableReader, days: DayRange) -> Iterator[tuple[date, pa.Table]]:
    """The forecasts of each of the days that any origin reaches, read some days at a time."""
    from nexgen_assets.forecasting.accuracy import FORECAST_COLUMNS

    made = forecasts.rows_per_day()
    reached = [day for day in days if any(origin in made for origin in _origins(day, day))]
    # an origin has as many rows as a target: both are series x horizons
    at_once = max(1, ROWS_AT_ONCE // max(made.values(), default=1))
    for some in (reached[i : i + at_once] for i in range(0, len(reached), at_once)):
        origins = _origins(some[0], some[-1])
        targets = f"target_date BETWEEN DATE '{some[0]}' AND DATE '{some[-1]}'"
        rows = forecasts.rows(origins.start, origins.end, ("target_date", *FORECAST_COLUMNS), targets)
        for day in some:
            yield day, rows.filter(pc.field("target_date") == pa.scalar(day))


def _origins(first: date, last: date) -> DayRange:
    """The days whose forecasts reach these."""
    return DayRange(first - timedelta(days=HORIZON_DAYS), last - timedelta(days=1))
