"""What was sold: trends and breakdowns."""

from datetime import date
from typing import Annotated

from fastapi import Query

from nexgen_assets.dashboard.answers.sales import Breakdown, Dimension, Period, Trend
from nexgen_assets.dashboard.queries.periods import chosen_days
from nexgen_assets.dashboard.queries.sales import breakdown as breakdown_of
from nexgen_assets.dashboard.queries.sales import trend as trend_of
from nexgen_assets.dashboard.roles import Permission
from nexgen_assets.dashboard.routes.access import Tables, router

routes = router(Permission.READ, "sales", "/sales")
Text = Annotated[str | None, Query(max_length=500)]
Day = Annotated[date | None, Query()]
DEFAULT_DAYS = {"day": 91, "week": 364, "month": 728}
BREAKDOWN_DAYS = 28


@routes.get("/trend")
def sales_trend(  # noqa: PLR0917
    tables: Tables,
    by: Period = "week",
    start: Day = None,
    end: Day = None,
    category: Text = None,
    location: Text = None,
    product_id: Text = None,
) -> Trend:
    """Revenue and units over time; periods at the ends may be incomplete."""
    days = chosen_days(tables, start, end, DEFAULT_DAYS[by])
    return trend_of(tables, days, by, category, location, product_id)


@routes.get("/breakdown")
def sales_breakdown(
    tables: Tables,
    by: Dimension = "category",
    start: Day = None,
    end: Day = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Breakdown:
    """Revenue and units by category, location, product or customer segment, the most revenue first."""
    return breakdown_of(tables, chosen_days(tables, start, end, BREAKDOWN_DAYS), by, limit)
