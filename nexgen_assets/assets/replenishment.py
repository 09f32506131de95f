"""From forecasts to orders."""

from collections.abc import Iterator
from datetime import date

import dagster as dg
import pyarrow as pa
from pyspark.sql import DataFrame

from nexgen_assets.assets.common import PYTHON_KINDS, SPARK_KINDS, daily_table, lookback
from nexgen_assets.assets.forecasts import Champions
from nexgen_assets.io_managers.delta_tables import TableReader
from nexgen_assets.partitions import key_range
from nexgen_assets.resources.lake import LakeResource
from nexgen_assets.settings import Settings
from nexgen_assets.tables import HORIZON_DAYS, INVENTORY_POSITIONS, REORDER_RECOMMENDATIONS

GROUP = "replenishment"
SERIES = ["product_id", "location"]


def replenishment_assets(settings: Settings, days: dg.DailyPartitionsDefinition) -> list[dg.AssetsDefinition]:
    @dg.asset(
        ins={"daily_demand": lookback("daily_demand", settings.active_days - 1)},
        **daily_table(INVENTORY_POSITIONS, days, group=GROUP, kinds=SPARK_KINDS, code_version="1"),
    )
    def inventory_positions(
        context: dg.AssetExecutionContext, daily_demand: DataFrame, inventory_counts: DataFrame
    ) -> DataFrame:
        """One row per product x location: stock, what is on order, and the terms of its supply at the close of the day.

        From inventory uploads where there are any, otherwise from the stock level on the sales lines. What nobody told
        is assumed, and a column says so.
        """
        from nexgen_assets.replenishment.positions import inventory_positions as positions_of

        run = key_range(context.partition_key_range)
        return positions_of(
            daily_demand,
            inventory_counts,
            run.start,
            run.end,
            default_lead_time_days=settings.default_lead_time_days,
            default_margin=settings.default_margin,
            active_days=settings.active_days,
        )

    @dg.asset(
        **daily_table(REORDER_RECOMMENDATIONS, days, group=GROUP, kinds=PYTHON_KINDS, code_version="1"),
    )
    def reorder_recommendations(
        inventory_positions: TableReader, cleaned_features: TableReader, forecasts: TableReader, lake: LakeResource
    ) -> pa.RecordBatchReader:
        """One row per product x location to decide on, with every number its order quantity comes from.

        An order-up-to policy: demand over review period + lead time, at the service level, less what is on hand and on
        order, rounded up to the MOQ and to full packs. A row without need has `order_units` 0.
        """
        champions = Champions(lake.access)

        def batches() -> Iterator[pa.RecordBatch]:
            for day in inventory_positions.days():
                yield from orders_of_day(
                    day, inventory_positions, cleaned_features, forecasts, champions, settings
                ).to_batches()

        return pa.RecordBatchReader.from_batches(REORDER_RECOMMENDATIONS.arrow_schema, batches())

    return [inventory_positions, reorder_recommendations]


def orders_of_day(  # noqa: PLR0917
    day: date,
    positions: TableReader,
    features: TableReader,
    forecasts: TableReader,
    champions: Champions,
    settings: Settings,
) -> pa.Table:
    """The orders of one origin; raises ValueError if positions, features and forecasts are not of the same series."""
    from nexgen_assets.forecasting.baselines import SEASONAL_NAIVE, naive_interval_demand
    from nexgen_assets.forecasting.frame import level_of
    from nexgen_assets.forecasting.quantiles import interval_demand
    from nexgen_assets.replenishment.orders import interval_lengths, reorder_recommendations
    from nexgen_assets.replenishment.policy import Policy

    stock = positions.day(day).sort_by([(name, "ascending") for name in SERIES])
    known = features.day(day).sort_by([(name, "ascending") for name in SERIES])
    ahead = forecasts.day(day, [*SERIES, "horizon", "mean", "model_version"]).sort_by(
        [(name, "ascending") for name in (*SERIES, "horizon")]
    )
    first = ahead.filter(_is_first(ahead))
    for other in (known, first):
        if not stock.select(SERIES).equals(other.select(SERIES)):
            raise ValueError(f"{day}: positions, features and forecasts differ in their products: rebuild that day")
    if not stock.num_rows:
        return REORDER_RECOMMENDATIONS.arrow_schema.empty_table()

    rows = stock.append_column("product_name", known["product_name"]).append_column("category", known["category"])
    rows = rows.append_column("unit_price", known["unit_price"]).append_column("model_version", first["model_version"])
    policy = Policy(service_level=settings.service_level, review_period_days=settings.review_period_days)
    lengths = interval_lengths(rows, policy)
    version = first["model_version"][0].as_py()
    if version == SEASONAL_NAIVE:
        demand = naive_interval_demand(known, lengths)
    else:
        means = ahead["mean"].to_numpy().reshape(stock.num_rows, HORIZON_DAYS)
        demand = interval_demand(means, level_of(known), lengths, champions.version(version).calibration)
    return reorder_recommendations(rows, demand, policy)


def _is_first(ahead: pa.Table) -> pa.ChunkedArray:
    import pyarrow.compute as pc

    return pc.equal(ahead["horizon"], 1)  # pyright: ignore[reportAttributeAccessIssue]
