"""Daily demand of every product at every location, days without a sale included.

What belongs here: sums of valid sales lines per day, and what a day without lines inherits from days before. What does
not: judging lines (`cleaning`), whether a location was open (`opening`) or is told to sell a product (`assortment`),
statistics over many days (`forecasting`).

A row of day d says what the lines of the last `active_days` days up to d and the master data known on d say, and
nothing else: so a range of days equals its days computed one by one, whatever else the input holds.
"""

from datetime import date, timedelta

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812  # its name everywhere

from nexgen_assets.sales.assortment import SERIES, Told, assortment
from nexgen_assets.sales.effective import in_force, with_told
from nexgen_assets.sales.opening import opening
from nexgen_assets.tables import DAILY_DEMAND, MONEY, spark_type

# what a later day inherits from the latest line that tells it
_INHERITED = (
    "product_name",
    "category",
    "unit_price",
    "is_promotion",
    "stock_level",
    "lead_time_days",
    "supplier_delay_days",
    "shelf_life_days",
)
# those whose age matters: `<name>_as_of` is the day that told them
_DATED = ("unit_price", "is_promotion", "stock_level")
# one value per day, not that of its last line
_SUMMED_UP = ("unit_price", "is_promotion")
# what happened on a day, and the value of a day on which nothing did
_DAILY = ("demand_units", "returned_units", "revenue", "sales_lines")


def daily_demand(  # noqa: PLR0917
    cleaned: DataFrame, calendar: DataFrame, told: Told, start: date, end: date, active_days: int
) -> DataFrame:
    """DAILY_DEMAND of the days `start` to `end` from CLEANED_SALES of the days `start - (active_days - 1)` to `end`.

    `calendar` is the table CALENDAR; of it and of `told` a day uses what was known on it. A product x location has a
    row on every day on which

    - it is listed: the item-location line in force says that the location sells it; or
    - nothing is told of that, and it sold within the last `active_days` days up to that day; or
    - there is a line of it: a sale, or goods that came back. A delisted product has these rows only: what is sold off
      is demand, and the days between are no days of sale.

    Without a sale within `active_days` days `days_since_sale` is `active_days`.
    """
    lookback_start = start - timedelta(days=active_days - 1)
    lines = cleaned.where(F.col("day").between(F.lit(lookback_start), F.lit(end)))
    listings = assortment(told, start, end)
    rows = _on_every_day(_with_history(_events(lines, listings)), start, end, active_days)
    described = _described(rows, told.products, start, end)
    open_days = opening(lines, calendar, start, end, active_days - 1, listings.select("location"))
    # the small side first: the embedded engine keeps the left side of a join in memory
    with_opening = open_days.join(described, ["day", "location"], "right")
    return with_opening.select(*(F.col(c.name).cast(spark_type(c.type)).alias(c.name) for c in DAILY_DEMAND.columns))


def _described(rows: DataFrame, products: DataFrame, start: date, end: date) -> DataFrame:
    """Name and category of the product upload where no line tells them."""
    names = ("product_name", "category")
    held = in_force(products, ("product_id",), start, end)
    found = with_told(held, rows, {"product_id": "product_id"}, {name: f"told_{name}" for name in names})
    return found.withColumns({name: F.coalesce(name, f"told_{name}") for name in names})


def _events(lines: DataFrame, listings: DataFrame) -> DataFrame:
    """One row per product x location x day with a line; an attribute is that of the day's last line that tells it.

    Days on which the assortment changes are events too, with or without lines.
    """
    is_sale = ~F.col("is_return")
    order = _line_order()
    of_last_line = [name for name in _INHERITED if name not in _SUMMED_UP]
    last = {name: F.max_by(name, F.when(F.col(name).isNotNull(), order)) for name in of_last_line}
    happened = lines.unionByName(listings.withColumn("is_listing", F.lit(True)), allowMissingColumns=True)
    return happened.groupBy(*SERIES, "day").agg(
        F.sum(F.when(is_sale, F.col("quantity")).otherwise(0)).alias("demand_units"),
        F.sum(F.when(F.col("is_return"), -F.col("quantity")).otherwise(0)).alias("returned_units"),
        F.sum(F.coalesce("amount", F.lit(0))).alias("revenue"),
        F.count(F.when(is_sale, F.lit(1))).alias("sales_lines"),
        F.max(F.when(is_sale, F.col("is_promotion"))).alias("is_promotion"),
        _average_price(is_sale).alias("unit_price"),
        *(value.alias(name) for name, value in last.items()),
        F.max(F.col("is_return").isNotNull()).alias("has_lines"),
        *(F.max(name).alias(name) for name in ("is_listing", "is_active", "delisted_on")),
    )


def _line_order() -> Column:
    """Sorts as (file_key, line_number) does; text, because the embedded engine compares structs five times slower."""
    return F.concat("file_key", F.lit("\x01"), F.lpad(F.col("line_number").cast("string"), 12, "0"))


def _average_price(is_sale: Column) -> Column:
    """Money over units where money is known and in the unit of the price, otherwise the mean of the prices told."""
    is_paid = is_sale & (F.col("amount") >= 0) & ~F.coalesce("is_amount_implausible", F.lit(False))
    paid, units = F.sum(F.when(is_paid, F.col("amount"))), F.sum(F.when(is_paid, F.col("quantity")))
    told = F.avg(F.when(is_sale, F.col("unit_price")))
    return F.coalesce((paid / units).cast(spark_type(MONEY)), told.cast(spark_type(MONEY)))


def _with_history(events: DataFrame) -> DataFrame:
    """Adds the day of the last sale, the next event's day, and each inherited value with the day that told it."""
    series = Window.partitionBy(*SERIES).orderBy("day")
    so_far = series.rowsBetween(Window.unboundedPreceding, Window.currentRow)

    def latest(name: str) -> Column:
        told = F.when(F.col(name).isNotNull(), F.struct(F.col("day").alias("day"), F.col(name).alias("value")))
        return F.last(told, ignorenulls=True).over(so_far)

    return events.select(
        *SERIES,
        F.col("day").alias("event_day"),
        "has_lines",
        *_DAILY,
        F.lead("day").over(series).alias("next_event_day"),
        F.max(F.when(F.col("sales_lines") > 0, F.col("day"))).over(so_far).alias("last_sale_day"),
        F.last(F.when(F.col("is_listing"), F.struct("is_active", "delisted_on")), ignorenulls=True)
        .over(so_far)
        .alias("listing"),
        *(latest(name).alias(f"latest_{name}") for name in _INHERITED),
    )


def _on_every_day(events: DataFrame, start: date, end: date, active_days: int) -> DataFrame:
    """Carries each event to the day before the next one, as long as the product is listed or counts as active."""
    day, is_active = F.col("day"), F.col("listing")["is_active"]
    last_active_day = F.date_add("last_sale_day", active_days - 1)
    # least() and greatest() skip what is unknown: no next event, no lines
    until_next = F.least(F.date_sub("next_event_day", 1), F.lit(end))
    until = F.when(is_active, until_next).when(
        is_active.isNull() & last_active_day.isNotNull(), F.least(until_next, last_active_day)
    )
    last_day = F.greatest(until, F.when(F.col("has_lines"), F.col("event_day")))
    spans = events.withColumns({"first_day": F.greatest("event_day", F.lit(start)), "last_day": last_day})
    rows = spans.where(F.col("first_day") <= F.col("last_day")).withColumn(
        "day", F.explode(F.sequence("first_day", "last_day"))
    )

    oldest = F.date_sub("day", active_days - 1)
    is_event = day == F.col("event_day")

    def known(name: str, part: str = "value") -> Column:
        latest = F.col(f"latest_{name}")
        return F.when(latest["day"] >= oldest, latest[part])

    no_sale_since = F.coalesce(F.col("last_sale_day") <= known("stock_level", "day"), F.lit(True))
    return rows.withColumns(
        {
            **{name: F.when(is_event, F.col(name)).otherwise(0) for name in _DAILY},
            "days_since_sale": F.coalesce(
                F.least(F.date_diff("day", "last_sale_day"), F.lit(active_days)), F.lit(active_days)
            ),
            "is_unsold": F.coalesce(is_active, F.lit(False)) & F.coalesce(last_active_day < day, F.lit(True)),
            "delisted_on": F.col("listing")["delisted_on"],
            **{name: known(name) for name in _INHERITED},
            **{f"{name}_as_of": known(name, "day") for name in _DATED},
            "is_stockout": F.when(known("stock_level", "day") == day, known("stock_level") <= 0),
            "is_stockout_assumed": F.coalesce(
                (known("stock_level", "day") < day) & (known("stock_level") <= 0) & no_sale_since, F.lit(False)
            ),
        }
    )
