"""Whether a location was open on a day: told by the calendar, otherwise inferred from its sales.

What belongs here: that one question, by facts up to the day only. What does not: demand (`demand`), holidays of a
country (`forecasting`).
"""

from datetime import date, timedelta

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812  # its name everywhere

# a location that sells so many lines on a day with sales, and today none, was closed; fewer may well be chance
USUAL_LINES = 10


def opening(  # noqa: PLR0917
    lines: DataFrame,
    calendar: DataFrame,
    start: date,
    end: date,
    lookback_days: int,
    more_locations: DataFrame | None = None,
) -> DataFrame:
    """`location`, `day`, `is_open`, `is_open_inferred`: a row per location of `lines` and day of `start`..`end`.

    `more_locations` (`location`) have rows too, though nothing may ever have sold there. `lines` holds CLEANED_SALES of
    the days `start - lookback_days` to `end`; a day looks back so far and no further. `calendar` is the table CALENDAR:
    a day uses what was known on it; what names the location goes before what holds everywhere, then what became known
    last.
    """
    known = lines.select("location")
    locations = (known.unionByName(more_locations) if more_locations else known).distinct()
    days = _with_sales(lines, locations, start - timedelta(days=lookback_days), end)
    # a frame of no days is not allowed: without a lookback the day itself stands in, which never looks closed
    before = Window.partitionBy("location").orderBy("day").rowsBetween(-lookback_days, -min(lookback_days, 1))
    usual = F.avg(F.when(F.col("sales_lines") > 0, F.col("sales_lines"))).over(before)
    inferred = days.withColumn("usual_lines", usual).where(F.col("day") >= F.lit(start))
    seems_closed = (F.col("sales_lines") == 0) & (F.col("usual_lines") >= USUAL_LINES)
    told = _told(calendar, inferred)
    return told.join(inferred, ["location", "day"], "right").select(
        "location",
        "day",
        F.coalesce("told_open", ~F.coalesce(seems_closed, F.lit(False))).alias("is_open"),
        F.col("told_open").isNull().alias("is_open_inferred"),
    )


def _with_sales(lines: DataFrame, locations: DataFrame, first: date, end: date) -> DataFrame:
    """Sales lines of every location on every day, days without any included."""
    sold = lines.groupBy("location", "day").agg(F.count("*").alias("sales_lines"))
    days = F.sequence(F.lit(first), F.lit(end))
    every = locations.withColumn("day", F.explode(days))
    return sold.join(every, ["location", "day"], "right").withColumn("sales_lines", F.coalesce("sales_lines", F.lit(0)))


def _told(calendar: DataFrame, days: DataFrame) -> DataFrame:
    """`location`, `day`, `told_open` of those days of a location for which the calendar tells it."""
    plans = calendar.where(F.col("is_open").isNotNull()).select(
        F.col("location").alias("where"), "start_date", "end_date", "is_open", "effective_date", _order().alias("order")
    )
    day = F.col("day")
    holds = day.between(F.col("start_date"), F.col("end_date")) & (F.col("effective_date") <= day)
    at = (F.col("where") == "") | (F.col("where") == F.col("location"))
    matching = plans.join(days.select("location", "day"), holds & at)
    return matching.groupBy("location", "day").agg(F.max_by("is_open", "order").alias("told_open"))


def _order() -> Column:
    """Sorts from the weakest plan to the strongest."""
    is_local = F.when(F.col("location") == "", "0").otherwise("1")
    place = F.lpad(F.col("line_number").cast("string"), 12, "0")
    return F.concat(is_local, F.col("effective_date").cast("string"), F.col("file_key"), F.lit("\x01"), place)
