"""From landing files to daily demand."""

from typing import Any

import dagster as dg
import pyarrow as pa
from pyspark.sql import DataFrame

from nexgen_assets.assets.common import PYTHON_KINDS, SPARK_KINDS, daily_table, lookback, small_table, table_asset
from nexgen_assets.backlog import READ_STATE
from nexgen_assets.landing_zone import LandingZone, last_change
from nexgen_assets.partitions import key_range
from nexgen_assets.resources.lake import LakeResource
from nexgen_assets.sales.masterdata import UPLOADS
from nexgen_assets.settings import Settings
from nexgen_assets.tables import (
    CLEANED_SALES,
    DAILY_DEMAND,
    INVENTORY_COUNTS,
    LANDING_FILES,
    RAW_SALES,
    REJECTED_SALES,
)

GROUP = "sales"
LANDING_GROUP = "landing"


def landing_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """The manifest of landed files, and the master data among them."""

    @table_asset(**small_table(LANDING_FILES, group=LANDING_GROUP, code_version="1"))
    def landing_files(context: dg.AssetExecutionContext, lake: LakeResource) -> pa.Table:
        """One row per version of a landing file: the manifest.

        Looks at the landing zone, parses what is new, and says which days each file touches. A file that cannot be
        read at all is `refused` with its problem; nothing of it is used.
        """
        registration = LandingZone(lake.access, settings, context.log.info).register()
        for key, problem in registration.refused.items():
            context.log.warning(f"{key} refused: {problem}")
        for row in registration.manifest.to_pylist():
            if row["unknown_columns"] and row["status"] == "current":
                context.log.info(f"{row['file_key']}: unknown columns {', '.join(row['unknown_columns'])} are left out")
        told = {
            "new_files": registration.new_files,
            "refused_files": len(registration.refused),
            "still_waiting": registration.still_waiting,
            "changed_days": len(registration.changed_days),
        }
        context.add_output_metadata(told, output_name="result")
        return registration.manifest

    @table_asset(deps=["landing_files"], **small_table(INVENTORY_COUNTS, group=LANDING_GROUP, code_version="2"))
    def inventory_counts(lake: LakeResource) -> pa.Table:
        """One row per product x location x counted day, from the inventory uploads."""
        return LandingZone(lake.access, settings).inventory_counts()

    def upload_asset(kind: str) -> dg.AssetsDefinition:
        table = UPLOADS[kind].table
        arguments = small_table(table, group=LANDING_GROUP, code_version="1")

        @table_asset(deps=["landing_files"], description=table.description, **arguments)
        def lines(lake: LakeResource) -> pa.Table:
            return LandingZone(lake.access, settings).master_data(kind)

        return lines

    kinds = ("calendar", "products", "suppliers", "item_locations", "order_policies", "network")
    versioned = [upload_asset(kind) for kind in kinds]
    return [landing_files, inventory_counts, *versioned]


def sales_assets(settings: Settings, days: dg.DailyPartitionsDefinition) -> list[dg.AssetsDefinition]:
    """The road from landed lines to daily demand."""
    spark: dict[str, Any] = {"group": GROUP, "kinds": SPARK_KINDS, "code_version": "1"}

    @table_asset(
        deps=["landing_files"],
        **daily_table(RAW_SALES, days, group=GROUP, kinds=PYTHON_KINDS, code_version="1"),
    )
    def raw_sales(context: dg.AssetExecutionContext, lake: LakeResource) -> pa.RecordBatchReader:
        """One row per line of a landing file, as received.

        A day holds every line that the current version of any file maps to it. Fails if a registered file is gone or
        has changed since `landing_files` was last materialized.
        """
        zone = LandingZone(lake.access, settings, context.log.info)
        manifest = zone.manifest()
        context.add_output_metadata({READ_STATE: str(last_change(manifest))}, output_name="result")
        return zone.sales(key_range(context.partition_key_range), manifest)

    @table_asset(**daily_table(REJECTED_SALES, days, **spark))
    def rejected_sales(raw_sales: DataFrame, products: DataFrame) -> DataFrame:
        """One row per line that was refused or removed as a duplicate, with its reason."""
        from nexgen_assets.sales.cleaning import rejected

        return rejected(raw_sales, products, settings.calendar_start, settings.overlapping_files)

    @table_asset(**daily_table(CLEANED_SALES, days, **spark))
    def cleaned_sales(raw_sales: DataFrame, rejected_sales: DataFrame) -> DataFrame:
        """One row per valid sales line, typed and without the surplus of overlapping files."""
        from nexgen_assets.sales.cleaning import cleaned

        return cleaned(raw_sales, rejected_sales, settings.overlapping_files)

    @table_asset(
        ins={"cleaned_sales": lookback("cleaned_sales", settings.active_days - 1)},
        **daily_table(DAILY_DEMAND, days, group=GROUP, kinds=SPARK_KINDS, code_version="2"),
    )
    def daily_demand(
        context: dg.AssetExecutionContext,
        cleaned_sales: DataFrame,
        calendar: DataFrame,
        products: DataFrame,
        item_locations: DataFrame,
    ) -> DataFrame:
        """One row per product x location x day, days without a sale included.

        A row exists if `item_locations` lists the product (`is_active` true); where that tells nothing, if it sold
        there within the last `NEXGEN_ACTIVE_DAYS` days up to that day, never because it sells again later. A delisted
        product has a row only on days with a line: what is sold off is demand.
        """
        from nexgen_assets.sales.assortment import Told
        from nexgen_assets.sales.demand import daily_demand as demand_of

        run, told = key_range(context.partition_key_range), Told(products, item_locations, settings.timezone)
        return demand_of(cleaned_sales, calendar, told, run.start, run.end, settings.active_days)

    return [raw_sales, rejected_sales, cleaned_sales, daily_demand]
