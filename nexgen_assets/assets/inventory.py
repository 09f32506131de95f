"""What is in stock and what is on its way, as orders see it."""

import dagster as dg
from pyspark.sql import DataFrame

from nexgen_assets.assets.common import OWNERS, SPARK_KINDS, daily_table, lookback, table_asset
from nexgen_assets.partitions import key_range
from nexgen_assets.resources.decisions import open_book
from nexgen_assets.settings import Settings
from nexgen_assets.tables import CENTRE_STOCK, INVENTORY_POSITIONS, OPEN_ORDERS

GROUP = "replenishment"
ORDER_DECISIONS = "order_decisions"


def order_decisions() -> dg.AssetSpec:
    """The database of decisions, as the lineage shows it: planners write there, no run does."""
    return dg.AssetSpec(
        ORDER_DECISIONS,
        description=(
            "One row per order line that somebody decided on, with its state. It stands in the database of decisions, "
            "not on the lake: `nexgen orders` reads and writes it. Approved and exported lines reach `open_orders`."
        ),
        group_name=GROUP,
        kinds={"python", "sql"},
        owners=OWNERS,
        code_version="1",
    )


def inventory_assets(settings: Settings, days: dg.DailyPartitionsDefinition) -> list[dg.AssetsDefinition]:
    """Orders on their way, positions, and what centres have."""

    @table_asset(
        deps=[ORDER_DECISIONS],
        **daily_table(OPEN_ORDERS, days, group=GROUP, kinds=SPARK_KINDS, code_version="1"),
    )
    def open_orders(
        context: dg.AssetExecutionContext, daily_demand: DataFrame, inventory_counts: DataFrame
    ) -> DataFrame:
        """One row per order line on order at the close of the day, or assumed received since the last stock figure.

        Lines are those approved or exported here with an order date up to the day, and those that inventory files tell;
        a file that tells them replaces all lines ordered up to its day. A proposal never counts.
        """
        from nexgen_assets.replenishment.open_orders import open_orders as orders_of

        run, book = key_range(context.partition_key_range), open_book(settings)
        firm = book.firm_lines(run.start, run.end, settings.active_days)
        context.log.info(f"{firm.num_rows:,} approved or exported lines from {book.database.name}")
        return orders_of(firm, inventory_counts, daily_demand, run.start, run.end, active_days=settings.active_days)

    @table_asset(
        ins={"daily_demand": lookback("daily_demand", settings.active_days - 1)},
        **daily_table(INVENTORY_POSITIONS, days, group=GROUP, kinds=SPARK_KINDS, code_version="7"),
    )
    def inventory_positions(  # noqa: PLR0917  # an input each
        context: dg.AssetExecutionContext,
        daily_demand: DataFrame,
        inventory_counts: DataFrame,
        open_orders: DataFrame,
        products: DataFrame,
        suppliers: DataFrame,
        item_locations: DataFrame,
        network: DataFrame,
    ) -> DataFrame:
        """One row per product x location: stock, what is on order, and the terms of its supply at the close of the day.

        Stock is the newer of the inventory uploads and the stock level on the sales lines; what is on order or assumed
        received comes from `open_orders`; terms come from inventory, item locations, network, products, suppliers and
        sales lines, in this order. What nobody told is assumed, and a column says so.
        """
        from nexgen_assets.replenishment.positions import inventory_positions as positions_of
        from nexgen_assets.replenishment.terms import MasterData

        run = key_range(context.partition_key_range)
        return positions_of(
            daily_demand,
            inventory_counts,
            open_orders,
            run.start,
            run.end,
            told=MasterData(products, suppliers, item_locations, network),
            default_lead_time_days=settings.default_lead_time_days,
            default_margin=settings.default_margin,
            active_days=settings.active_days,
        )

    @table_asset(
        deps=[ORDER_DECISIONS],
        ins={"daily_demand": lookback("daily_demand", settings.active_days - 1)},
        **daily_table(CENTRE_STOCK, days, group=GROUP, kinds=SPARK_KINDS, code_version="2"),
    )
    def centre_stock(  # noqa: PLR0917  # an input each
        context: dg.AssetExecutionContext,
        network: DataFrame,
        products: DataFrame,
        suppliers: DataFrame,
        item_locations: DataFrame,
        inventory_counts: DataFrame,
        open_orders: DataFrame,
        daily_demand: DataFrame,
    ) -> DataFrame:
        """One row per product x centre: what a location that supplies others has to give, and its terms of supply.

        Its last count, what it is assumed to have received since, less what was ordered from it and what it sold.
        Empty as long as no `network` has landed.
        """
        from nexgen_assets.replenishment.centres import centre_stock as stock_of
        from nexgen_assets.replenishment.terms import MasterData

        run = key_range(context.partition_key_range)
        firm = open_book(settings).firm_lines(run.start, run.end, settings.active_days)
        return stock_of(
            inventory_counts,
            open_orders,
            firm,
            daily_demand,
            run.start,
            run.end,
            told=MasterData(products, suppliers, item_locations, network),
            default_lead_time_days=settings.default_lead_time_days,
            default_margin=settings.default_margin,
            active_days=settings.active_days,
        )

    return [open_orders, inventory_positions, centre_stock]
