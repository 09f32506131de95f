"""Terms of supply from the product, supplier, item-location and network uploads, as they were known on each day.

What belongs here: which terms are joined to product x location x day, and by which keys. What does not: which line
holds on a day (`sales.effective`), which source goes before which (`positions`).
"""

from datetime import date
from typing import NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812  # its name everywhere

from nexgen_assets.sales.effective import in_force, with_told

PRODUCT_TERMS = ("unit_cost", "pack_size", "min_order_quantity", "shelf_life_days", "supplier_id")
NETWORK_TERMS = ("supplied_by", "lead_time_days")
ITEM_LOCATION_TERMS = ("lead_time_days", "supplier_id", "display_minimum", "max_stock")
SUPPLIER_TERMS = ("lead_time_days", "lead_time_sd_days", "order_days", "min_order_value")


class MasterData(NamedTuple):
    """The tables of terms, whole: `tables.PRODUCTS`, `SUPPLIERS`, `ITEM_LOCATIONS` and `NETWORK`."""

    products: DataFrame
    suppliers: DataFrame
    item_locations: DataFrame
    network: DataFrame


def with_terms(rows: DataFrame, told: MasterData, start: date, end: date) -> DataFrame:
    """Adds to rows of product x location x `category` x `day`, all within `start`..`end`, what was told for that day.

    The columns are PRODUCT_TERMS, ITEM_LOCATION_TERMS, NETWORK_TERMS and SUPPLIER_TERMS, with the prefixes `product_`,
    `item_location_`, `network_` and `supplier_`. The supplier is the item location's, else the centre that supplies the
    location (`supplied_by`), else the product's. A centre may have terms of its own in SUPPLIERS, under its name.
    """
    product, series, supplier = ("product_id",), ("product_id", "location"), ("supplier_id",)
    rows = _join(in_force(told.products, product, start, end), rows, product, "product", PRODUCT_TERMS)
    rows = _join(in_force(told.item_locations, series, start, end), rows, series, "item_location", ITEM_LOCATION_TERMS)
    rows = _with_network(rows, in_force(told.network, ("location", "category"), start, end))
    rows = rows.withColumn(
        "supplied_by", F.when(F.col("item_location_supplier_id").isNull(), F.col("network_supplied_by"))
    )
    rows = rows.withColumn("supplier_id", F.coalesce("item_location_supplier_id", "supplied_by", "product_supplier_id"))
    return _join(in_force(told.suppliers, supplier, start, end), rows, supplier, "supplier", SUPPLIER_TERMS)


def _with_network(rows: DataFrame, held: DataFrame) -> DataFrame:
    """Adds NETWORK_TERMS: those of the line that names the category, as a whole, else those of the location's other."""
    of_all = _join(held.where(F.col("category") == ""), rows, ("location",), "any_category", NETWORK_TERMS)
    told = _join(held, of_all, ("location", "category"), "own_category", ("line_number", *NETWORK_TERMS))
    is_own = F.col("own_category_line_number").isNotNull()
    terms = {
        f"network_{term}": F.when(is_own, F.col(f"own_category_{term}")).otherwise(F.col(f"any_category_{term}"))
        for term in NETWORK_TERMS
    }
    return told.withColumns(terms)


def _join(lines: DataFrame, rows: DataFrame, key: tuple[str, ...], prefix: str, terms: tuple[str, ...]) -> DataFrame:
    return with_told(lines, rows, {name: name for name in key}, {term: f"{prefix}_{term}" for term in terms})
