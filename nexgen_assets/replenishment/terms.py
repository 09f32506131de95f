"""Terms of supply from the product, supplier and item-location uploads, as they were known on each day.

What belongs here: which uploaded line holds on a day, and joining those lines to product x location x day. What does
not: which source goes before which (`positions`), parsing uploads (`sales`).

A line holds from its `effective_date` to the day before that of the next line of the same key, which replaces it as a
whole: what the newer line leaves empty is unknown from then on.
"""

from datetime import date
from typing import NamedTuple

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812  # its name everywhere

PRODUCT_TERMS = ("unit_cost", "pack_size", "min_order_quantity", "shelf_life_days", "supplier_id")
ITEM_LOCATION_TERMS = ("lead_time_days", "supplier_id")
SUPPLIER_TERMS = ("lead_time_days",)


class MasterData(NamedTuple):
    """The tables of terms, whole: `tables.PRODUCTS`, `SUPPLIERS` and `ITEM_LOCATIONS`."""

    products: DataFrame
    suppliers: DataFrame
    item_locations: DataFrame


def in_force(lines: DataFrame, key: tuple[str, ...], start: date, end: date) -> DataFrame:
    """The lines of a table of terms that hold on some day of `start`..`end`, with `holds_until`: the first day after.

    `lines` holds `tables.PRODUCTS`, `SUPPLIERS` or `ITEM_LOCATIONS`, `key` its columns of the grain that name the
    thing. Of several lines of one key with one `effective_date` the one that arrived last holds. `holds_until` is
    empty while no later line is known.
    """
    # of lines effective on one day all but the last to arrive hold until that very day: not at all
    in_turn = Window.partitionBy(*key).orderBy("effective_date", "arrived_at", "file_key", "line_number")
    known = lines.where(F.col("effective_date") <= F.lit(end))
    until = F.col("holds_until")
    return known.withColumn("holds_until", F.lead("effective_date").over(in_turn)).where(
        until.isNull() | ((until > F.col("effective_date")) & (until > F.lit(start)))
    )


def with_terms(rows: DataFrame, told: MasterData, start: date, end: date) -> DataFrame:
    """Adds to rows of product x location x `day`, all within `start`..`end`, what was told for that day.

    The columns are PRODUCT_TERMS, ITEM_LOCATION_TERMS and SUPPLIER_TERMS, with the prefixes `product_`,
    `item_location_` and `supplier_`. The supplier is the item location's, else the product's.
    """
    product, series, supplier = ("product_id",), ("product_id", "location"), ("supplier_id",)
    rows = _join(in_force(told.products, product, start, end), rows, product, "product", PRODUCT_TERMS)
    rows = _join(in_force(told.item_locations, series, start, end), rows, series, "item_location", ITEM_LOCATION_TERMS)
    rows = rows.withColumn("supplier_id", F.coalesce("item_location_supplier_id", "product_supplier_id"))
    return _join(in_force(told.suppliers, supplier, start, end), rows, supplier, "supplier", SUPPLIER_TERMS)


def _join(lines: DataFrame, rows: DataFrame, key: tuple[str, ...], prefix: str, terms: tuple[str, ...]) -> DataFrame:
    """Each row with the line of `lines` that holds on its day, if there is one."""
    told = lines.select(
        *(F.col(name).alias(f"told_{name}") for name in key),
        "effective_date",
        "holds_until",
        *(F.col(term).alias(f"{prefix}_{term}") for term in terms),
    )
    begun, ended = F.col("effective_date") <= F.col("day"), F.col("holds_until") <= F.col("day")
    is_told = begun & ~F.coalesce(ended, F.lit(False))
    for name in key:
        is_told &= F.col(f"told_{name}") == F.col(name)
    # the small side first: the embedded engine keeps the left side of a join in memory
    joined = told.join(rows, is_told, "right")
    return joined.drop("effective_date", "holds_until", *(f"told_{name}" for name in key))
