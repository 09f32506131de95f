"""The first page: key figures, and what filters offer."""

from typing import Annotated

from fastapi import Query

from nexgen_assets.dashboard.answers.sales import Choices, Kpis, Products, Quality
from nexgen_assets.dashboard.queries.choices import choices as choices_of
from nexgen_assets.dashboard.queries.choices import products as products_of
from nexgen_assets.dashboard.queries.kpis import kpis as kpis_of
from nexgen_assets.dashboard.queries.periods import last_days
from nexgen_assets.dashboard.queries.quality import quality as quality_of
from nexgen_assets.dashboard.queries.worklist import Filters, worklist
from nexgen_assets.dashboard.roles import Permission
from nexgen_assets.dashboard.routes.access import Door, Tables, router
from nexgen_assets.tables import RAW_SALES

routes = router(Permission.READ, "overview")
DaysBack = Annotated[int, Query(ge=1, le=366, description="So many days, up to the newest with sales")]


@routes.get("/kpis")
def kpis(door: Door, tables: Tables, days: DaysBack = 28) -> Kpis:
    """Key figures of the last days, beside those of as many days before."""
    page = worklist(tables, door.desks.now(tables), Filters(no_need=True), None, 0, 1, descending=False)
    return kpis_of(tables, days, page.totals)


@routes.get("/choices")
def choices(tables: Tables) -> Choices:
    """Categories, locations and suppliers to filter by."""
    return choices_of(tables)


@routes.get("/products")
def products(
    tables: Tables,
    q: Annotated[str, Query(max_length=200, description="Words that id or name hold")] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
) -> Products:
    """Products by id or name."""
    return products_of(tables, q, limit)


@routes.get("/quality")
def quality(tables: Tables, days: DaysBack = 28) -> Quality:
    """Lines in, lines refused and why, and what landed."""
    return quality_of(tables, last_days(tables, days, RAW_SALES))
