"""The assortment: which products a location sells, by the item-location uploads, as it was known on each day.

What belongs here: listings and delistings, those planned ahead included. What does not: what a listing means for
demand (`demand`) or forecasts (`forecasting/listing`), other terms of an item location (`replenishment/terms`).
"""

from datetime import date
from typing import NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812  # its name everywhere

SERIES = ("product_id", "location")


class Told(NamedTuple):
    """What was told of products beside their sales: the tables PRODUCTS and ITEM_LOCATIONS, whole.

    `timezone` is the one in which a file's arrival has a day.
    """

    products: DataFrame
    item_locations: DataFrame
    timezone: str


def assortment(told: Told, start: date, end: date) -> DataFrame:
    """`product_id`, `location`, `day`, `is_active`, `delisted_on`: a row for each day on which what is known changes.

    It holds from its `day` (`start` to `end`) to the next row of the series. `is_active` is that of the line in force,
    empty if not told. `delisted_on` is the day from which the location no longer sells the product: that of the line in
    force if it says so, otherwise the first one planned, otherwise empty.

    A line dated ahead is a plan. A day knows it if its file arrived by the day after, on which its orders are placed;
    of lines of one `effective_date` the last to arrive counts, of those known.
    """
    lines = _lines(told)
    changes = F.array(F.lit(start), F.greatest(F.lit(start), "known_on"), F.greatest(F.lit(start), "effective_date"))
    days = lines.select(*SERIES, F.explode(changes).alias("day")).where(F.col("day") <= F.lit(end)).distinct()
    known = lines.join(days, [*SERIES]).where(F.col("known_on") <= F.col("day"))
    standing = known.groupBy(*SERIES, "day", "effective_date").agg(F.max_by("is_active", "arrival").alias("is_active"))
    begun = F.when(F.col("effective_date") <= F.col("day"), F.col("effective_date"))
    planned = F.when((F.col("effective_date") > F.col("day")) & ~F.col("is_active"), F.col("effective_date"))
    state = standing.groupBy(*SERIES, "day").agg(
        F.max_by("is_active", begun).alias("is_active"), F.max(begun).alias("since"), F.min(planned).alias("planned")
    )
    delisted_on = F.when(~F.col("is_active"), F.col("since")).otherwise(F.col("planned"))
    return state.select(*SERIES, "day", "is_active", delisted_on.alias("delisted_on"))


def _lines(told: Told) -> DataFrame:
    """The lines with the first day that knows them, and their order of arrival as text that sorts as they came."""
    arrived_on = F.to_date(F.from_utc_timestamp("arrived_at", told.timezone))
    place = F.lpad(F.col("line_number").cast("string"), 12, "0")
    arrival = F.concat(F.date_format("arrived_at", "yyyyMMddHHmmssSSSSSS"), F.col("file_key"), F.lit("\x01"), place)
    return told.item_locations.select(
        *SERIES,
        "effective_date",
        "is_active",
        F.least("effective_date", F.date_sub(arrived_on, 1)).alias("known_on"),
        arrival.alias("arrival"),
    )
