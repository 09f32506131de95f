"""Orders to look at: the worklist, one line, exceptions, and what-if."""

from decimal import Decimal
from typing import Annotated

from fastapi import Depends, HTTPException, Query

from nexgen_assets.dashboard.answers.orders import (
    Exceptions,
    OrderDetail,
    Outcomes,
    Sort,
    Suppliers,
    WhatIf,
    WhatIfAnswer,
    Worklist,
)
from nexgen_assets.dashboard.queries.exceptions import exceptions as exceptions_of
from nexgen_assets.dashboard.queries.order_detail import order_detail as detail_of
from nexgen_assets.dashboard.queries.scenarios import MOST_QUANTITIES
from nexgen_assets.dashboard.queries.scenarios import outcomes as outcomes_of
from nexgen_assets.dashboard.queries.worklist import Filters, supplier_totals
from nexgen_assets.dashboard.queries.worklist import worklist as worklist_of
from nexgen_assets.dashboard.roles import Permission
from nexgen_assets.dashboard.routes.access import NOT_FOUND, Door, Tables, needs, router

routes = router(Permission.READ, "orders")
Key = Annotated[str, Query(min_length=1, max_length=500)]
Text = Annotated[str | None, Query(max_length=500)]
Offset = Annotated[int, Query(ge=0, le=10_000_000)]
Limit = Annotated[int, Query(ge=1, le=500)]
NO_LINE = "no order of this product at this location is proposed or decided on the newest published day"


def filters(  # noqa: PLR0917
    q: Annotated[
        str | None, Query(max_length=200, description="Words in product, location, supplier, category")
    ] = None,
    product_id: Text = None,
    location: Text = None,
    supplier_id: Text = None,
    category: Text = None,
    standing: Text = None,
    exception: Text = None,
    *,
    to_decide: Annotated[bool, Query(description="Only lines that wait for a decision")] = False,
    no_need: Annotated[bool, Query(description="Also lines that need no order")] = False,
) -> Filters:
    return Filters(q, product_id, location, supplier_id, category, standing, exception, to_decide, no_need)


Chosen = Annotated[Filters, Depends(filters)]


@routes.get("/orders")
def worklist(  # noqa: PLR0917
    door: Door,
    tables: Tables,
    chosen: Chosen,
    offset: Offset = 0,
    limit: Limit = 50,
    sort: Annotated[Sort | None, Query(description="The most urgent first if not told; unknown values last")] = None,
    *,
    descending: bool = False,
) -> Worklist:
    """One page of the newest published day's order lines, with sums over all that match."""
    return worklist_of(tables, door.desks.now(tables), chosen, sort, offset, limit, descending=descending)


@routes.get("/orders/suppliers")
def suppliers(door: Door, tables: Tables, chosen: Chosen) -> Suppliers:
    """The same lines summed up by supplier, beside the smallest order each takes."""
    return supplier_totals(tables, door.desks.now(tables), chosen)


@routes.get("/orders/line", responses=NOT_FOUND)
def order_line(door: Door, tables: Tables, product_id: Key, location: Key) -> OrderDetail:
    """One line: the ledger its quantity comes from, its terms, exceptions and history."""
    found = detail_of(tables, door.desks.now(tables), door.book, product_id, location)
    if found is None:
        raise HTTPException(404, NO_LINE)
    return found


@routes.get("/orders/outcomes", dependencies=[Depends(needs(Permission.WHAT_IF))], responses=NOT_FOUND)
def outcomes(
    door: Door,
    tables: Tables,
    product_id: Key,
    location: Key,
    order_units: Annotated[
        list[Annotated[Decimal, Query(ge=0, le=1_000_000_000)]], Query(max_length=MOST_QUANTITIES)
    ] = [],  # noqa: B006  # FastAPI copies it
) -> Outcomes:
    """What each of these quantities would do, beside the proposal and nothing."""
    found = outcomes_of(tables, door.champions, product_id, location, order_units)
    if found is None:
        raise HTTPException(404, NO_LINE)
    return found


@routes.get("/exceptions")
def exceptions(  # noqa: PLR0917
    tables: Tables,
    exception: Text = None,
    supplier_id: Text = None,
    location: Text = None,
    category: Text = None,
    q: Annotated[str | None, Query(max_length=200)] = None,
    offset: Offset = 0,
    limit: Limit = 50,
) -> Exceptions:
    """What somebody should look at, the most money at risk first."""
    return exceptions_of(tables, exception, supplier_id, location, category, q, offset, limit)


@routes.post("/what-if", dependencies=[Depends(needs(Permission.WHAT_IF))])
def what_if(asked: WhatIf, door: Door, tables: Tables) -> WhatIfAnswer:
    """The newest orders under other assumptions, beside the plan, which stays."""
    return door.scenarios.what_if(tables, asked)
