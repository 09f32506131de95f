"""Decisions through the whole graph: what is approved counts as on order, arrives, and survives a re-run."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from nexgen_assets.decisions.book import DecisionBook, Published, Request
from nexgen_assets.decisions.rules import Action, Person
from nexgen_assets.forecasting.baselines import seasonal_naive_forecast
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.resources.decisions import open_book
from nexgen_assets.resources.lake import S3Access
from nexgen_assets.settings import Settings
from nexgen_assets.tables import (
    CLEANED_FEATURES,
    DAILY_DEMAND,
    FORECASTS,
    INVENTORY_COUNTS,
    INVENTORY_POSITIONS,
    OPEN_ORDERS,
    REORDER_RECOMMENDATIONS,
)
from nexgen_assets_tests.conftest import materialize

pytestmark = pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated:DeprecationWarning")

FIRST = date(2024, 3, 9)
SOLD, ON_HAND, LEAD_TIME_DAYS = 4, 10.0, 2
DAYS = [FIRST + timedelta(days=n) for n in range(4)]  # ordered on the second, due on the last
LAST = DAYS[-1]
SERIES = {"product_id": "01", "location": "north"}
ANNA = Person("Anna")


def demand() -> pa.Table:
    row = (
        dict.fromkeys(DAILY_DEMAND.names)
        | SERIES
        | {
            "demand_units": Decimal(SOLD),
            "returned_units": Decimal(0),
            "revenue": Decimal(8),
            "sales_lines": 1,
            "days_since_sale": 0,
            "lead_time_days": float(LEAD_TIME_DAYS),
            "is_open": True,
            "is_open_inferred": True,
            "is_stockout_assumed": False,
        }
    )
    return pa.Table.from_pylist([row | {"day": day} for day in DAYS], schema=DAILY_DEMAND.arrow_schema)


def features() -> pa.Table:
    """Four units on every day that is remembered."""
    schema = CLEANED_FEATURES.arrow_schema
    sold = {f.name: float(SOLD) for f in schema if f.name.startswith(("demand_lag_", "demand_mean_", "weekday_mean_"))}
    zeros = {f.name: 0.0 for f in schema if not f.nullable and f.name not in CLEANED_FEATURES.grain}
    row = zeros | sold | SERIES | {"demand_sd_28": 2.0, "unit_price": 4.0}
    return pa.Table.from_pylist([row | {"day": day} for day in DAYS], schema=schema)


@pytest.fixture
def tables(access: S3Access) -> DeltaTables:
    """Sales, features and forecasts of DAYS, and a count of the stock at the close of the first."""
    tables, known = DeltaTables(access), features()
    tables.replace_days(DAILY_DEMAND, demand(), FIRST, LAST, "demand")
    tables.replace_days(CLEANED_FEATURES, known, FIRST, LAST, "features")
    tables.replace_days(FORECASTS, seasonal_naive_forecast(known), FIRST, LAST, "forecasts")
    count_stock(tables, FIRST)
    return tables


def count_stock(tables: DeltaTables, *days: date, on_order: float | None = None, on_hand: float = ON_HAND) -> None:
    count = SERIES | {"on_hand": on_hand, "on_order_units": on_order, "source": "count", "file_key": "a.csv"}
    rows = [count | {"count_date": day, "line_number": 2} for day in days]
    tables.replace_all(INVENTORY_COUNTS, pa.Table.from_pylist(rows, schema=INVENTORY_COUNTS.arrow_schema))


@pytest.fixture
def book(deployment: Settings) -> DecisionBook:
    return open_book(deployment)


def build(graph: dg.Definitions, tables: DeltaTables, day: date) -> dict[str, Any]:
    """Open orders, positions and orders of a day; returns its one order."""
    materialize(graph, "open_orders", "inventory_positions", "reorder_recommendations", day=day)
    [order] = tables.read(REORDER_RECOMMENDATIONS, day, day).to_pylist()
    return order


def decide(book: DecisionBook, action: Action, order: dict[str, Any]) -> None:
    published = Published.of(order["day"], pa.Table.from_pylist([order], schema=REORDER_RECOMMENDATIONS.arrow_schema))
    [key] = published.rows
    known = book.decisions([key.day]).get(key)
    book.decide(action, [Request(key, known.sequence if known else 0)], ANNA, published, "because")


def approve(book: DecisionBook, order: dict[str, Any]) -> None:
    decide(book, Action.ACCEPT, order)
    decide(book, Action.APPROVE, order)


def stock(tables: DeltaTables, day: date) -> tuple[float, float]:
    """Units on hand and on order at the close of the day."""
    [row] = tables.read(INVENTORY_POSITIONS, day, day).to_pylist()
    return row["on_hand"], row["on_order_units"]


def test_an_approved_order_is_on_order_until_it_is_due_and_then_on_hand(
    graph: dg.Definitions, tables: DeltaTables, book: DecisionBook
) -> None:
    first = build(graph, tables, DAYS[0])
    undecided = build(graph, tables, DAYS[1])
    units = first["order_units"]
    assert units > 0
    assert (first["order_date"], first["receipt_date"]) == (DAYS[1], DAYS[3])
    assert stock(tables, DAYS[1]) == (ON_HAND - SOLD, 0)  # a proposal never counts

    approve(book, first)
    ordered = [build(graph, tables, day) for day in DAYS[1:]]

    assert [stock(tables, day) for day in DAYS] == [
        (ON_HAND, 0),
        (ON_HAND - SOLD, units),
        (ON_HAND - 2 * SOLD, units),
        (ON_HAND + units - 3 * SOLD, 0),
    ]
    assert ordered[0]["order_units"] == max(0, undecided["order_units"] - units)
    assert f"{units:.10g} on order" in ordered[0]["explanation"]


def test_a_re_run_of_its_day_changes_neither_the_proposal_nor_the_firm_order(
    graph: dg.Definitions, tables: DeltaTables, book: DecisionBook
) -> None:
    first = build(graph, tables, FIRST)
    approve(book, first)

    again = build(graph, tables, FIRST)

    assert again == first
    [decision] = book.decisions([FIRST]).values()
    assert (decision.state, decision.order_units, decision.revision) == (
        "approved",
        first["order_units"],
        first["revision"],
    )


def test_when_it_was_approved_does_not_matter_for_a_rebuilt_day(
    graph: dg.Definitions, tables: DeltaTables, book: DecisionBook
) -> None:
    first = build(graph, tables, FIRST)
    approve(book, first)
    build(graph, tables, DAYS[1])
    before = tables.read(OPEN_ORDERS, DAYS[1], DAYS[1])
    late = DecisionBook(book.database, clock=lambda: book.clock() + timedelta(days=400))
    decide(late, Action.CANCEL, first)
    build(graph, tables, DAYS[1])
    assert tables.read(OPEN_ORDERS, DAYS[1], DAYS[1]).num_rows == 0

    assert before.to_pylist() == [
        {"day": DAYS[1], **SERIES, "order_source": "decision", "ordered_as_of": DAYS[1], "due_date": DAYS[3]}
        | {"order_units": first["order_units"], "is_assumed_received": False}
    ]


@pytest.mark.parametrize(("on_order", "expected"), [(0.0, 0.0), (7.0, 7.0), (None, "ours")])
def test_a_file_that_tells_what_is_on_order_goes_before_our_own_orders(
    graph: dg.Definitions, tables: DeltaTables, book: DecisionBook, on_order: float | None, expected: float | str
) -> None:
    first = build(graph, tables, FIRST)
    approve(book, first)
    count_stock(tables, DAYS[2], on_order=on_order, on_hand=3.0)

    build(graph, tables, DAYS[2])

    assert stock(tables, DAYS[2]) == (3.0, first["order_units"] if expected == "ours" else expected)


def test_a_range_of_days_counts_decisions_as_its_single_days_do(
    graph: dg.Definitions, tables: DeltaTables, book: DecisionBook
) -> None:
    approve(book, build(graph, tables, FIRST))
    single = [build(graph, tables, day) for day in DAYS]
    days = {f"dagster/asset_partition_range_{end}": day.isoformat() for end, day in (("start", FIRST), ("end", LAST))}

    materialize(graph, "open_orders", "inventory_positions", "reorder_recommendations", tags=days)

    rebuilt = tables.read(REORDER_RECOMMENDATIONS).sort_by("day").to_pylist()
    assert rebuilt == single
