"""What is on order at the close of each day: the lines decided here, and those that inventory files tell of.

What belongs here: which lines count on a day, and from when on they are assumed received. What does not: how lines
become firm (`decisions/`), what they do to stock (`positions.py`), and reading or writing tables.
"""

from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812  # its name everywhere

from nexgen_assets.tables import FIRM_LINES, OPEN_ORDERS, spark_type

DECISION, INVENTORY = "decision", "inventory"
SERIES = ("product_id", "location")


def open_orders(
    firm_lines: pa.Table, counts: DataFrame, demand: DataFrame, start: date, end: date, *, active_days: int = 90
) -> DataFrame:
    """Rows of `tables.OPEN_ORDERS` for the days `start`..`end`; a range equals its single days.

    `firm_lines` holds `tables.FIRM_LINES`, `counts` `tables.INVENTORY_COUNTS`, `demand` the rows of
    `tables.DAILY_DEMAND` of `start`..`end`; what is later than a day does not count on it.

    - A firm line counts from its order date on, whenever it was approved. A count that tells what is on order replaces
      the lines ordered up to its day; one that does not tell it leaves them as they are.
    - Units on order of a count stay until the next count that tells them. Without a due date, or already overdue when
      counted, they stay until the next count of any kind: nobody knows when they come.
    - On its due date a line is assumed received. A count or stock level of that day or later holds its units, so it is
      a line no more. Without one it is forgotten `active_days` after it was due, as a stock figure of that age is.
    """
    lines = _counted_lines(counts, start, end, active_days).unionByName(_firm_lines(firm_lines, counts, active_days))
    known = _with_counts(_per_day(lines, start, end), _relevant_counts(counts, firm_lines, start, end, active_days))
    kept = _with_stock_levels(known, demand, start, end).where(~_is_replaced() & ~_is_in_stock())
    is_assumed_received = F.coalesce(F.col("held_from") <= F.col("day"), F.lit(False))
    columns = kept.withColumn("is_assumed_received", is_assumed_received)
    return columns.select(*(F.col(c.name).cast(spark_type(c.type)).alias(c.name) for c in OPEN_ORDERS.columns))


# Lines have, besides the columns of the contract: `first_day` and `last_day`, outside of which they cannot count;
# `replaced_from`, the first day whose count, if it tells what is on order, replaces them; `held_from`, the first day
# whose stock figure holds their units, empty if nobody knows.


def _counted_lines(counts: DataFrame, start: date, end: date, active_days: int) -> DataFrame:
    """What counts tell to be on order, each from its day to the day before the count that replaces it."""
    recent = counts.where(F.col("count_date").between(F.lit(start - timedelta(days=active_days - 1)), F.lit(end)))
    later = Window.partitionBy(*SERIES).orderBy("count_date").rowsBetween(1, Window.unboundedFollowing)
    # overdue when counted: the count itself says that they have not come
    is_dated = F.coalesce(F.col("on_order_due_date") > F.col("count_date"), F.lit(False))
    next_told = F.min(F.when(F.col("on_order_units").isNotNull(), F.col("count_date"))).over(later)
    next_count = F.min("count_date").over(later)
    forgotten = F.date_add("count_date", active_days)
    # `least` skips nulls: without a later count the line stays until it is forgotten
    until = F.least(F.when(is_dated, next_told).otherwise(next_count), forgotten)
    return (
        recent.withColumn("until", until)
        .where(F.col("on_order_units") > 0)
        .select(
            *SERIES,
            F.lit(INVENTORY).alias("order_source"),
            F.col("count_date").alias("ordered_as_of"),
            F.col("on_order_due_date").alias("due_date"),
            F.col("on_order_units").alias("order_units"),
            F.col("count_date").alias("first_day"),
            F.date_sub("until", 1).alias("last_day"),
            F.date_add("count_date", 1).alias("replaced_from"),
            F.when(is_dated, F.col("on_order_due_date")).alias("held_from"),
        )
    )


def _firm_lines(firm_lines: pa.Table, counts: DataFrame, active_days: int) -> DataFrame:
    lines = counts.sparkSession.createDataFrame(firm_lines, FIRM_LINES.spark_ddl)
    return lines.where(F.col("order_units") > 0).select(
        *SERIES,
        F.lit(DECISION).alias("order_source"),
        F.col("order_date").alias("ordered_as_of"),
        "due_date",
        "order_units",
        F.col("order_date").alias("first_day"),
        F.date_add("due_date", active_days - 1).alias("last_day"),
        F.col("order_date").alias("replaced_from"),
        F.col("due_date").alias("held_from"),
    )


def _per_day(lines: DataFrame, start: date, end: date) -> DataFrame:
    """Each line on every day of `start`..`end` on which it may count."""
    first, last = F.greatest("first_day", F.lit(start)), F.least("last_day", F.lit(end))
    bounded = lines.withColumns({"first_day": first, "last_day": last}).where(F.col("first_day") <= F.col("last_day"))
    return bounded.withColumn("day", F.explode(F.sequence("first_day", "last_day"))).drop("first_day", "last_day")


def _relevant_counts(counts: DataFrame, firm_lines: pa.Table, start: date, end: date, active_days: int) -> DataFrame:
    """Counts that may replace or hold a line of `start`..`end`."""
    ordered = pc.min(firm_lines["order_date"]).as_py()  # pyright: ignore[reportAttributeAccessIssue]
    earliest = min(start - timedelta(days=active_days - 1), ordered or date.max)
    return counts.where(F.col("count_date").between(F.lit(earliest), F.lit(end)))


def _with_counts(lines: DataFrame, counts: DataFrame) -> DataFrame:
    """Adds the series' latest count up to the day, and the latest that tells what is on order."""
    told = counts.select(
        F.col("count_date").alias("day"),
        *SERIES,
        "count_date",
        F.when(F.col("on_order_units").isNotNull(), F.col("count_date")).alias("told_date"),
        F.lit(False).alias("is_line"),
    )
    # lines and counts below each other: one shuffle serves both, where a join by ranges would cost more
    events = lines.withColumn("is_line", F.lit(True)).unionByName(told, allowMissingColumns=True)
    to_date = Window.partitionBy(*SERIES).orderBy("day").rangeBetween(Window.unboundedPreceding, Window.currentRow)
    latest = {name: F.max(name).over(to_date) for name in ("count_date", "told_date")}
    return events.withColumns(latest).where("is_line")


def _with_stock_levels(lines: DataFrame, demand: DataFrame, start: date, end: date) -> DataFrame:
    """Adds the day of the latest stock level on the sales lines, as the day's own demand tells it."""
    levels = demand.where(F.col("day").between(F.lit(start), F.lit(end))).select("day", *SERIES, "stock_level_as_of")
    # the small side first: the embedded engine keeps the left side of a join in memory
    return levels.join(lines, ["day", *SERIES], "right")


def _is_replaced() -> Column:
    return F.coalesce(F.col("told_date") >= F.col("replaced_from"), F.lit(False))


def _is_in_stock() -> Column:
    # `greatest` skips nulls: the day of the only stock figure there is
    stock_date = F.greatest("count_date", "stock_level_as_of")
    return F.coalesce(stock_date >= F.col("held_from"), F.lit(False))
