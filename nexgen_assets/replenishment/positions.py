"""Inventory positions: stock, what is on order and the terms of supply, as known at the close of a day.

What belongs here: turning counts, sales and told terms into one row per product x location x day, with a flag on
everything that nobody told. What does not: forecasts, order policies, and reading or writing tables.
"""

from datetime import date, timedelta

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812  # its name everywhere

from nexgen_assets.replenishment.terms import MasterData, with_terms
from nexgen_assets.tables import INVENTORY_POSITIONS, spark_type

DEFAULT_PACK_SIZE = 1.0
DEFAULT_MIN_ORDER_QUANTITY = 1.0
SERIES = ("product_id", "location")
DEMAND_COLUMNS = (
    "category",
    "demand_units",
    "stock_level",
    "stock_level_as_of",
    "lead_time_days",
    "supplier_delay_days",
    "shelf_life_days",
    "unit_price",
)
TOLD_TERMS = ("lead_time_days", "unit_cost", "pack_size", "min_order_quantity")


def inventory_positions(
    demand: DataFrame,
    counts: DataFrame,
    open_orders: DataFrame,
    start: date,
    end: date,
    *,
    told: MasterData,
    default_lead_time_days: int,
    default_margin: float,
    active_days: int = 90,
) -> DataFrame:
    """Rows of `tables.INVENTORY_POSITIONS` for the days `start`..`end`: one per row of `demand` in that range.

    `demand` holds `tables.DAILY_DEMAND` from `active_days` - 1 days before `start` on, `counts` holds
    `tables.INVENTORY_COUNTS`; rows outside that window are ignored. `open_orders` holds `tables.OPEN_ORDERS` of
    `start`..`end`. A row of day d rests on the `active_days` days up to d, on the orders open on d and on the master
    data in force on d alone, so a range equals its single days.

    - Stock: the newer of the latest inventory count and the latest `stock_level` of the sales lines; on the same day
      the count. Since then: on hand = max(0, that + assumed receipts - units sold since).
    - Assumed receipts and units on order are those of `open_orders`, the only source of either.
    - Committed are the units that the latest count tells to be promised, none if it does not; what was sold since then
      counts as promised units first, so that a promise kept is not taken from the stock twice.
    - Each term is that of the first source that tells it, in this order: inventory counts (the latest told value),
      item locations, network, products, suppliers, sales lines, defaults. An item location tells the lead time, so does
      the network of a location that a centre supplies; a product cost, pack, MOQ and shelf life; a supplier (the item
      location's, else the centre, else the product's) the lead time; the sales lines lead time and shelf life. Lead
      time = told lead time + delay seen on the sales lines, rounded up to whole days. Display minimum and maximum stock
      are the item location's, order days and the smallest order in money the supplier's.
    - The spread of the lead time is the supplier's, whoever tells the lead time: a place near to a supplier waits as
      uncertainly as the others do. Nobody else tells one.
    """
    first = start - timedelta(days=active_days - 1)
    counts = with_latest_terms(_between(counts, "count_date", first, end))
    sold = _with_units_sold(_events(_between(demand, "day", first, end), counts, start))
    known = sold.where(F.col("is_demand") & (F.col("day") >= F.lit(start)))
    counted = _join_counts(known, counts, active_days)
    positions = _stock(_with_orders(with_terms(counted, told, start, end), open_orders))
    terms = terms_of(default_lead_time_days, default_margin)
    return positions.select(
        *(terms.get(c.name, F.col(c.name)).cast(spark_type(c.type)).alias(c.name) for c in INVENTORY_POSITIONS.columns)
    )


def _between(table: DataFrame, day: str, first: date, last: date) -> DataFrame:
    return table.where(F.col(day).between(first, last))


def with_latest_terms(counts: DataFrame) -> DataFrame:
    """Each count with the latest told value of every term as `struct(count_date, value)`, its own or an earlier one."""
    to_date = Window.partitionBy(*SERIES).orderBy("count_date")

    def latest(term: str) -> Column:
        told = F.when(_is_told(term), F.struct("count_date", F.col(term).alias("value")))
        return F.last(told, ignorenulls=True).over(to_date).alias(f"counted_{term}")

    stock = ("count_date", "on_hand", "committed_units", "source")
    return counts.select(*SERIES, *stock, *(latest(term) for term in TOLD_TERMS))


def _is_told(term: str) -> Column:
    # a pack of nothing cannot be ordered: it says that the size is not known
    return F.col(term) > 0 if term == "pack_size" else F.col(term).isNotNull()


def _events(demand: DataFrame, counts: DataFrame, start: date) -> DataFrame:
    """Days of demand and days of counts below each other: one shuffle serves both, where a join would cost two."""
    is_stock_of_the_day = F.coalesce(F.col("stock_level_as_of") == F.col("day"), F.lit(False))
    is_needed = (F.col("day") >= F.lit(start)) | (F.col("demand_units") > 0) | is_stock_of_the_day
    days = demand.where(is_needed).select(
        "day",
        *SERIES,
        F.lit(True).alias("is_demand"),
        is_stock_of_the_day.alias("is_stock_of_the_day"),
        *DEMAND_COLUMNS,
    )
    count_days = counts.select(F.col("count_date").alias("day"), *SERIES, F.lit(False).alias("is_demand"))
    return days.unionByName(count_days, allowMissingColumns=True)


def _with_units_sold(events: DataFrame) -> DataFrame:
    """Running totals per series at the close of each day, the totals at its latest stock facts, and the count's day.

    Days and running totals never fall, so their maximum so far is their latest value.
    """
    to_date = Window.partitionBy(*SERIES).orderBy("day").rangeBetween(Window.unboundedPreceding, Window.currentRow)
    units_sold = events.withColumn("units_sold", F.sum("demand_units").over(to_date))
    total = F.coalesce("units_sold", F.lit(0).cast("decimal(28,3)"))
    return units_sold.withColumns(
        {
            "units_sold": total,
            "count_date": F.max(F.when(~F.col("is_demand"), F.col("day"))).over(to_date),
            "units_sold_at_count": F.max(F.when(~F.col("is_demand"), total)).over(to_date),
            "units_sold_at_stock_level": F.max(F.when(F.col("is_stock_of_the_day"), total)).over(to_date),
        }
    )


def _join_counts(known: DataFrame, counts: DataFrame, active_days: int) -> DataFrame:
    """Rows with their latest count; a count or a term told `active_days` ago or earlier is forgotten."""

    def is_recent(told: Column) -> Column:
        return F.date_add(told, active_days) > F.col("day")

    recent = known.withColumn("count_date", F.when(is_recent(F.col("count_date")), F.col("count_date")))
    # the small side first: the embedded engine keeps the left side of a join in memory
    joined = counts.join(recent, [*SERIES, "count_date"], "right")
    return joined.withColumns(
        {
            f"counted_{term}": F.when(
                is_recent(F.col(f"counted_{term}")["count_date"]), F.col(f"counted_{term}")["value"]
            )
            for term in TOLD_TERMS
        }
    )


def _with_orders(known: DataFrame, open_orders: DataFrame) -> DataFrame:
    """Adds the units on order, and those assumed received since the last stock figure."""
    received = F.when(F.col("is_assumed_received"), F.col("order_units")).otherwise(0.0)
    # sums of doubles of exact thousandths: rounding removes their noise
    sums = open_orders.groupBy("day", *SERIES).agg(
        F.round(F.sum(F.col("order_units") - received), 3).alias("on_order_units"),
        F.round(F.sum(received), 3).alias("received_units"),
    )
    return sums.join(known, ["day", *SERIES], "right")


def _stock(known: DataFrame) -> DataFrame:
    """Adds the stock columns: of the newer of count and stock level, on the same day of the count."""
    day, count_date = F.col("day"), F.col("count_date")
    # `greatest` skips nulls: the day of the only stock there is
    as_of = F.greatest(count_date, F.col("stock_level_as_of"))
    is_counted = F.coalesce(count_date == as_of, F.lit(False))
    receipts = F.coalesce("received_units", F.lit(0.0))
    sold_at_last_stock = F.when(is_counted, F.col("units_sold_at_count")).otherwise(F.col("units_sold_at_stock_level"))
    sold_since = (F.col("units_sold") - sold_at_last_stock).cast("double")
    last_stock = F.when(is_counted, F.col("on_hand")).otherwise(F.col("stock_level").cast("double"))
    left = last_stock + receipts - sold_since
    sold_since_count = (F.col("units_sold") - F.col("units_sold_at_count")).cast("double")
    promised = F.coalesce(F.col("committed_units") - sold_since_count, F.lit(0.0))
    return known.withColumns(
        {
            # doubles of exact thousandths: rounding removes the noise of the subtraction, not information;
            # `greatest` skips nulls, and unknown stock must stay unknown
            "on_hand": F.when(left.isNotNull(), F.round(F.greatest(F.lit(0.0), left), 3)),
            "on_hand_as_of": as_of,
            "is_on_hand_estimated": F.coalesce(as_of < day, F.lit(False)),
            "inventory_source": F.when(is_counted, F.col("source"))
            .when(F.col("stock_level").isNotNull(), "sales_lines")
            .otherwise("unknown"),
            "on_order_units": F.coalesce("on_order_units", F.lit(0.0)),
            "committed_units": F.round(F.greatest(F.lit(0.0), promised), 3),
        }
    )


def terms_of(default_lead_time_days: int, default_margin: float) -> dict[str, Column]:
    """Column name -> what was told or its default, and the flag that says which.

    Of rows with `counted_` TOLD_TERMS, the columns of `terms.with_terms`, and what the sales lines tell.
    """
    of_centre = F.when(F.col("supplied_by").isNotNull(), F.col("network_lead_time_days"))
    lead_time = F.coalesce(
        F.col("counted_lead_time_days"),
        F.col("item_location_lead_time_days"),
        of_centre,
        F.col("supplier_lead_time_days"),
        F.col("lead_time_days"),
    )
    with_delay = lead_time + F.coalesce("supplier_delay_days", F.lit(0.0))
    pack_size = F.coalesce("counted_pack_size", "product_pack_size")
    min_order_quantity = F.coalesce("counted_min_order_quantity", "product_min_order_quantity")
    unit_cost = F.coalesce("counted_unit_cost", "product_unit_cost").cast("double")
    assumed_cost = F.col("unit_price").cast("double") * (1 - default_margin)
    return {
        "lead_time_days": F.coalesce(F.ceil(with_delay), F.lit(default_lead_time_days)),
        "is_default_lead_time": lead_time.isNull(),
        "lead_time_sd_days": F.col("supplier_lead_time_sd_days"),
        "pack_size": F.coalesce(pack_size, F.lit(DEFAULT_PACK_SIZE)),
        "is_default_pack_size": pack_size.isNull(),
        "min_order_quantity": F.coalesce(min_order_quantity, F.lit(DEFAULT_MIN_ORDER_QUANTITY)),
        "is_default_min_order_quantity": min_order_quantity.isNull(),
        "unit_cost": F.coalesce(unit_cost, assumed_cost),
        "is_default_unit_cost": unit_cost.isNull() & assumed_cost.isNotNull(),
        "shelf_life_days": F.coalesce("product_shelf_life_days", "shelf_life_days"),
        "display_minimum": F.col("item_location_display_minimum"),
        "max_stock": F.col("item_location_max_stock"),
        "order_days": F.col("supplier_order_days"),
        "min_order_value": F.col("supplier_min_order_value"),
    }
