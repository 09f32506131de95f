"""What was sold, as sums: over time, and by category, location, product or customer segment.

What belongs here: questions to `daily_demand` and, for customer segments, `cleaned_sales`. What does not: one product
at one location (`series.py`). A segment is only ever summed up; nothing of one customer is read.
"""

from typing import Any

from nexgen_assets.dashboard.answers.sales import Breakdown, BreakdownRow, Dimension, Period, Trend, TrendPoint
from nexgen_assets.dashboard.queries.periods import Days
from nexgen_assets.dashboard.reading import View
from nexgen_assets.dashboard.sql import equals
from nexgen_assets.tables import CLEANED_SALES, DAILY_DEMAND

_SUMS = (
    'CAST(sum("demand_units") AS DOUBLE) AS demand_units, CAST(sum("returned_units") AS DOUBLE) AS returned_units, '
    'CAST(sum("revenue") AS DOUBLE) AS revenue, sum("sales_lines") AS sales_lines'
)
_SUMMED = ("demand_units", "returned_units", "revenue", "sales_lines")
_KEYS = {"category": "category", "location": "location", "product": "product_id"}
_STOCKOUT = 'avg(CASE WHEN "is_stockout" THEN 1.0 WHEN "is_stockout" IS NULL THEN NULL ELSE 0.0 END) AS stockout_share'
# a line of a return counts with its units below zero
_SEGMENT_SUMS = (
    'CAST(sum(CASE WHEN "is_return" THEN 0 ELSE "quantity" END) AS DOUBLE) AS demand_units, '
    'CAST(sum(CASE WHEN "is_return" THEN -"quantity" ELSE 0 END) AS DOUBLE) AS returned_units, '
    'CAST(coalesce(sum("amount"), 0) AS DOUBLE) AS revenue, '
    'sum(CASE WHEN "is_return" THEN 0 ELSE 1 END) AS sales_lines'
)


def trend(  # noqa: PLR0917
    view: View,
    days: Days | None,
    by: Period,
    category: str | None = None,
    location: str | None = None,
    product_id: str | None = None,
) -> Trend:
    """Sums by day, week (from Monday) or month."""
    if days is None:
        return Trend(snapshot_id=view.snapshot_id, by=by, start=None, end=None, points=[])
    where = equals(category=category, location=location, product_id=product_id)
    sql = (
        f'SELECT CAST(date_trunc(\'{by}\', "day") AS DATE) AS start, count(DISTINCT "day") AS days, {_SUMS}, '  # noqa: S608
        f"{_STOCKOUT} FROM source WHERE {where} GROUP BY 1 ORDER BY 1"
    )
    columns = ("day", "is_stockout", "category", "location", "product_id", *_SUMMED)
    found = view.query(DAILY_DEMAND, sql, columns, days.start, days.end)
    return Trend(
        snapshot_id=view.snapshot_id,
        by=by,
        start=days.start,
        end=days.end,
        points=[TrendPoint(**row) for row in found],
    )


def breakdown(view: View, days: Days | None, by: Dimension, limit: int) -> Breakdown:
    """Sums by one dimension, the most revenue first, with the revenue of as many days before."""
    if days is None:
        return Breakdown(snapshot_id=view.snapshot_id, by=by, start=None, end=None, total=0, rows=[])
    now = _sums_by(view, by, days)
    before = {row["key"]: row["revenue"] for row in _sums_by(view, by, days.before)} if _known(view, days) else None
    total = sum(row["revenue"] for row in now)
    rows = [
        BreakdownRow(
            **row,
            revenue_share=row["revenue"] / total if total > 0 else None,
            previous_revenue=None if before is None else before.get(row["key"], 0.0),
        )
        for row in now[:limit]
    ]
    return Breakdown(snapshot_id=view.snapshot_id, by=by, start=days.start, end=days.end, total=len(now), rows=rows)


def _known(view: View, days: Days) -> bool:
    """Whether every day before is in the tables: otherwise there is nothing to compare with."""
    return len(view.rows_per_day(DAILY_DEMAND, days.before.start, days.before.end)) == len(days)


def _sums_by(view: View, by: Dimension, days: Days) -> list[dict[str, Any]]:
    if by == "customer_segment":
        sql = (
            f'SELECT "customer_segment" AS key, CAST(NULL AS VARCHAR) AS name, {_SEGMENT_SUMS} FROM source '  # noqa: S608
            "GROUP BY 1 ORDER BY revenue DESC, key"
        )
        return view.query(
            CLEANED_SALES, sql, ("customer_segment", "is_return", "quantity", "amount"), days.start, days.end
        )
    key = _KEYS[by]
    name = 'max("product_name")' if by == "product" else "CAST(NULL AS VARCHAR)"
    sql = f'SELECT "{key}" AS key, {name} AS name, {_SUMS} FROM source GROUP BY 1 ORDER BY revenue DESC, key'  # noqa: S608
    columns = (key, "product_name", *_SUMMED) if by == "product" else (key, *_SUMMED)
    return view.query(DAILY_DEMAND, sql, columns, days.start, days.end)
