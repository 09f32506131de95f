"""Centres: what the locations that supply others have to give at the close of each day, and their terms of supply.

What belongs here: a centre's stock between its counts. What does not: which location a centre supplies and on which
terms (`terms.py`), how what it has is shared out (`fair_share.py`), what is ordered for it (`centre_orders.py`), and
reading or writing tables.
"""

from datetime import date, timedelta

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812  # its name everywhere

from nexgen_assets.replenishment.positions import TOLD_TERMS, terms_of, with_latest_terms
from nexgen_assets.replenishment.terms import MasterData, with_terms
from nexgen_assets.sales.effective import in_force
from nexgen_assets.tables import CENTRE_STOCK, FIRM_LINES, spark_type

GRAIN = ("day", "product_id", "location")
SALES_LINES_TELL = {"category": "string"} | dict.fromkeys(
    ("lead_time_days", "supplier_delay_days", "shelf_life_days", "unit_price"), "double"
)
MOVED = ("received_units", "on_order_units", "sent_units", "sold_units")


def centre_stock(  # noqa: PLR0917  # a table each
    counts: DataFrame,
    open_orders: DataFrame,
    firm_lines: pa.Table,
    demand: DataFrame,
    start: date,
    end: date,
    *,
    told: MasterData,
    default_lead_time_days: int,
    default_margin: float,
    active_days: int = 90,
) -> DataFrame:
    """Rows of `tables.CENTRE_STOCK` for the days `start`..`end`; a range equals its single days.

    `counts` and `firm_lines` hold `tables.INVENTORY_COUNTS` and `FIRM_LINES`, `told` the tables of terms, `open_orders`
    `tables.OPEN_ORDERS` of `start`..`end`, `demand` `tables.DAILY_DEMAND` from `active_days` - 1 days before on.

    A product has a row where the centre counted it within `active_days`: nobody knows the stock of others. On hand =
    max(0, count + assumed receipts - units sent - units sold since - what was promised and not sold yet). A firm line
    leaves the centre on its order date. Terms are those of `tables.INVENTORY_POSITIONS`, as nobody told any on sales
    lines: what one price says of the cost, the locations' rows say better.
    """
    counted = _latest_counts(_centres(told.network, start, end), counts, start, end, active_days)
    lines = counts.sparkSession.createDataFrame(firm_lines, FIRM_LINES.spark_ddl)
    sent = lines.select(
        "product_id", F.col("supplier_id").alias("location"), F.col("order_date").alias("on"), "order_units"
    )
    sold = demand.select("product_id", "location", F.col("day").alias("on"), F.col("demand_units").cast("double"))
    arrived = F.when(F.col("is_assumed_received"), F.col("order_units")).otherwise(0.0)
    received = open_orders.groupBy(*GRAIN).agg(
        F.sum(arrived).alias("received_units"), F.sum(F.col("order_units") - arrived).alias("on_order_units")
    )
    moved = _since_count(counted, sent, "order_units", "sent_units")
    moved = _since_count(moved, sold, "demand_units", "sold_units")
    moved = received.join(moved, [*GRAIN], "right")
    units = {name: F.round(F.coalesce(name, F.lit(0.0)), 3) for name in MOVED}
    promised = F.greatest(F.lit(0.0), F.coalesce("committed_units", F.lit(0.0)) - F.col("sold_units"))
    gone = F.col("sent_units") + F.col("sold_units") + F.col("committed_units")
    left = F.col("counted_units") + F.col("received_units") - gone
    known = moved.withColumns(units).withColumn("committed_units", F.round(promised, 3))
    known = known.withColumns(
        {
            # doubles of exact thousandths: rounding removes the noise of the subtraction, not information
            "on_hand": F.round(F.greatest(F.lit(0.0), left), 3),
            "is_on_hand_estimated": F.col("on_hand_as_of") < F.col("day"),
        }
    )
    no_sales_lines = {name: F.lit(None).cast(type_) for name, type_ in SALES_LINES_TELL.items()}
    known = with_terms(known.withColumns(no_sales_lines), told, start, end)
    terms = terms_of(default_lead_time_days, default_margin) | {"supplied_by": F.lit(None).cast("string")}
    return known.select(
        *(terms.get(c.name, F.col(c.name)).cast(spark_type(c.type)).alias(c.name) for c in CENTRE_STOCK.columns)
    )


def _centres(network: DataFrame, start: date, end: date) -> DataFrame:
    """`day` and `location` of every centre that supplies something on a day of `start`..`end`."""
    held = in_force(network, ("location", "category"), start, end).where(F.col("supplied_by").isNotNull())
    first = F.greatest("effective_date", F.lit(start))
    last = F.least(F.date_sub("holds_until", 1), F.lit(end))  # skips nulls: no later line, no end
    days = held.withColumn("day", F.explode(F.sequence(first, last)))
    return days.select("day", F.col("supplied_by").alias("location")).distinct()


def _latest_counts(centres: DataFrame, counts: DataFrame, start: date, end: date, active_days: int) -> DataFrame:
    """The latest count of each product in a centre up to the day; one of `active_days` ago or earlier is forgotten."""
    earliest = start - timedelta(days=active_days - 1)
    recent = with_latest_terms(counts.where(F.col("count_date").between(F.lit(earliest), F.lit(end))))
    recent = recent.withColumnRenamed("location", "counted_location")
    is_known = (F.col("location") == F.col("counted_location")) & (F.col("count_date") <= F.col("day"))
    known = centres.join(recent, is_known & (F.date_add("count_date", active_days) > F.col("day")))
    counted = [f"counted_{term}" for term in TOLD_TERMS]
    figures = F.struct("count_date", "on_hand", "committed_units", "source", *counted)
    latest = known.groupBy(*GRAIN).agg(F.max(figures).alias("latest"))
    return latest.select(
        *GRAIN,
        F.col("latest.count_date").alias("on_hand_as_of"),
        F.col("latest.on_hand").alias("counted_units"),
        F.col("latest.committed_units").alias("committed_units"),
        F.col("latest.source").alias("inventory_source"),
        *(
            F.when(
                F.date_add(F.col("latest")[name]["count_date"], active_days) > F.col("day"),
                F.col("latest")[name]["value"],
            ).alias(name)
            for name in counted
        ),
    )


def _since_count(counted: DataFrame, moves: DataFrame, units: str, name: str) -> DataFrame:
    """Adds the sum of `units` of the moves (`product_id`, `location`, `on`) after the count, up to the day."""
    of = moves.select(
        F.col("product_id").alias("moved_product"), F.col("location").alias("moved_location"), F.col("on"), units
    )
    is_since = (
        (F.col("product_id") == F.col("moved_product"))
        & (F.col("location") == F.col("moved_location"))
        & (F.col("on") > F.col("on_hand_as_of"))
        & (F.col("on") <= F.col("day"))
    )
    sums = counted.join(of, is_since).groupBy(*GRAIN).agg(F.sum(units).alias(name))
    # the small side first: the embedded engine keeps the left side of a join in memory
    return sums.join(counted, [*GRAIN], "right")
