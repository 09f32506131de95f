"""From forecasts to orders."""

from collections.abc import Iterator
from datetime import date
from functools import lru_cache

import dagster as dg
import pyarrow as pa

from nexgen_assets.assets.common import PYTHON_KINDS, daily_table, lookback, table_asset
from nexgen_assets.io_managers.delta_tables import TableReader
from nexgen_assets.partitions import key_range
from nexgen_assets.replenishment.recent_sales import JUDGED_DAYS, JUDGED_WEEKS, SILENT_DAYS
from nexgen_assets.resources.lake import LakeResource
from nexgen_assets.resources.registry import Champions, RegistryError
from nexgen_assets.settings import Settings
from nexgen_assets.tables import (
    ORDER_EXCEPTIONS,
    REORDER_RECOMMENDATIONS,
    TRANSFER_SUGGESTIONS,
)

GROUP = "replenishment"


def replenishment_assets(settings: Settings, days: dg.DailyPartitionsDefinition) -> list[dg.AssetsDefinition]:
    """Orders, what somebody should look at in them, and transfers."""

    @table_asset(
        **daily_table(REORDER_RECOMMENDATIONS, days, group=GROUP, kinds=PYTHON_KINDS, code_version="7"),
    )
    def reorder_recommendations(  # noqa: PLR0917  # an input each
        inventory_positions: TableReader,
        cleaned_features: TableReader,
        forecasts: TableReader,
        order_policies: pa.Table,
        centre_stock: TableReader,
        lake: LakeResource,
    ) -> pa.RecordBatchReader:
        """One row per product x location to decide on, with every number its order quantity comes from.

        Demand until the order of the next review can be sold, as uncertain as that and the lead time are, at the target
        of the line's policy, less what is on hand and on order and not promised, in lots if the policy has any, within
        the constraints of supplier and location, each with its effect in units. A row without need, without a review or
        blocked has `order_units` 0.
        """
        from nexgen_assets.replenishment.origins import FORECAST_COLUMNS, orders_of_origin
        from nexgen_assets.replenishment.policy import Policy

        champions, policy = Champions(lake.access), Policy.of(settings)

        def batches() -> Iterator[pa.RecordBatch]:
            for day in inventory_positions.days():
                ahead = forecasts.day(day, FORECAST_COLUMNS)
                calibration = champions.calibration_of(ahead["model_version"].unique().to_pylist())
                yield from orders_of_origin(
                    inventory_positions.day(day),
                    cleaned_features.day(day),
                    ahead,
                    calibration,
                    policy,
                    order_policies,
                    centre_stock.day(day),
                ).to_batches()

        return pa.RecordBatchReader.from_batches(REORDER_RECOMMENDATIONS.arrow_schema, batches())

    @table_asset(
        ins={
            "daily_demand": lookback("daily_demand", SILENT_DAYS - 1),
            "inventory_positions": lookback("inventory_positions", SILENT_DAYS - 1, may_have_gaps=True),
            "cleaned_features": lookback("cleaned_features", JUDGED_DAYS * JUDGED_WEEKS, may_have_gaps=True),
            "forecasts": lookback("forecasts", JUDGED_DAYS * JUDGED_WEEKS, may_have_gaps=True),
        },
        **daily_table(ORDER_EXCEPTIONS, days, group=GROUP, kinds=PYTHON_KINDS, code_version="2"),
    )
    def order_exceptions(  # noqa: PLR0917  # an input each
        context: dg.AssetExecutionContext,
        reorder_recommendations: TableReader,
        open_orders: TableReader,
        daily_demand: TableReader,
        inventory_positions: TableReader,
        cleaned_features: TableReader,
        forecasts: TableReader,
        lake: LakeResource,
    ) -> pa.RecordBatchReader:
        """One row per product x location x exception: what somebody should look at, with the money at risk.

        Stockouts now and before an order can be sold, late suppliers, stock that may not be there, sales far from their
        forecast, blocked, cut and raised orders, surplus and excess stock, expiry, and orders that rest on assumptions:
        each with its number and threshold, most money at risk first. Looks back 28 days on sales and stock, and at what
        was forecast 7 and 14 days ago, if anything was.
        """
        from nexgen_assets.replenishment import recent_sales as recent
        from nexgen_assets.replenishment.exceptions import order_exceptions as exceptions_of
        from nexgen_assets.replenishment.origins import FORECAST_COLUMNS

        champions = Champions(lake.access)
        # a day more than is looked back on: with as many, each next day would drop the one that it asks for first
        sold = lru_cache(SILENT_DAYS + 1)(daily_demand.in_blocks(recent.DEMAND_COLUMNS))
        stock = lru_cache(SILENT_DAYS + 1)(inventory_positions.in_blocks(recent.STOCK_COLUMNS))
        forecast, features = forecasts.in_blocks(FORECAST_COLUMNS), cleaned_features.in_blocks()
        orders_of, lines_of = reorder_recommendations.in_blocks(), open_orders.in_blocks()
        rates = cleaned_features.in_blocks(recent.RATE_COLUMNS)

        @lru_cache(JUDGED_DAYS * JUDGED_WEEKS)  # each is looked at a week and two weeks later
        def outlook(origin: date) -> "recent.Outlook | None":
            """What was forecast on that day; None, with a word in the log, if it cannot be judged."""
            ahead = forecast(origin)
            if not ahead.num_rows:
                context.log.info(f"nothing was forecast on {origin}: the sales since then are beside no forecast")
                return None
            try:
                calibration = champions.calibration_of(ahead["model_version"].unique().to_pylist())
            except (ValueError, RegistryError) as unreadable:
                context.log.warning(f"the sales since {origin} are beside no forecast: {unreadable}")
                return None
            return recent.outlook(features(origin), ahead, calibration)

        def batches() -> Iterator[pa.RecordBatch]:
            for day in key_range(context.partition_key_range):
                orders, known = orders_of(day), rates(day)
                ahead = [outlook(origin) for origin in recent.judged_origins(day)]
                sales = recent.recent_sales(day, orders, demand=sold, positions=stock, features=known, forecasts=ahead)
                yield from exceptions_of(orders, lines_of(day), sales).to_batches()

        return pa.RecordBatchReader.from_batches(ORDER_EXCEPTIONS.arrow_schema, batches())

    @table_asset(
        **daily_table(TRANSFER_SUGGESTIONS, days, group=GROUP, kinds=PYTHON_KINDS, code_version="1"),
    )
    def transfer_suggestions(
        reorder_recommendations: TableReader,
        cleaned_features: TableReader,
        forecasts: TableReader,
        network: pa.Table,
        lake: LakeResource,
    ) -> pa.RecordBatchReader:
        """One row per product to move from a location with a surplus to one that may run out before an order arrives.

        Between locations that one centre supplies; what is moved is worth moving (`NEXGEN_TRANSFER_...`), and nobody
        gives what it needs itself. A suggestion changes no order. Empty as long as no `network` has landed.
        """
        from nexgen_assets.replenishment.origins import FORECAST_COLUMNS
        from nexgen_assets.replenishment.transfers import Guards
        from nexgen_assets.replenishment.transfers import transfer_suggestions as transfers_of

        champions, guards = Champions(lake.access), Guards.of(settings)

        def batches() -> Iterator[pa.RecordBatch]:
            for day in reorder_recommendations.days() if network.num_rows else []:
                ahead = forecasts.day(day, FORECAST_COLUMNS)
                calibration = champions.calibration_of(ahead["model_version"].unique().to_pylist())
                orders, known = reorder_recommendations.day(day), cleaned_features.day(day)
                yield from transfers_of(orders, known, ahead, calibration, network, guards).to_batches()

        return pa.RecordBatchReader.from_batches(TRANSFER_SUGGESTIONS.arrow_schema, batches())

    return [
        reorder_recommendations,
        order_exceptions,
        transfer_suggestions,
    ]
