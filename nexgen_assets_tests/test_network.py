"""A network through the whole graph: a centre's stock, fair shares, transfers, and nothing of it without one."""

from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from nexgen_assets.forecasting.baselines import seasonal_naive_forecast
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.jobs import LANDING
from nexgen_assets.landing_zone import LandingZone
from nexgen_assets.resources.decisions import open_book
from nexgen_assets.resources.lake import S3Access
from nexgen_assets.settings import Settings
from nexgen_assets.tables import (
    CENTRE_STOCK,
    CLEANED_FEATURES,
    DAILY_DEMAND,
    FORECASTS,
    INVENTORY_POSITIONS,
    OPEN_ORDERS,
    ORDER_EXCEPTIONS,
    REORDER_RECOMMENDATIONS,
    TRANSFER_SUGGESTIONS,
    Table,
)
from nexgen_assets_tests.conftest import materialize
from nexgen_assets_tests.test_decided_orders import approve
from nexgen_assets_tests.test_master_data import FIRST, LAST, RANGE, demand, features, land

pytestmark = pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated:DeprecationWarning")

STORES = ("east", "north", "west")
MADE = (INVENTORY_POSITIONS, OPEN_ORDERS, CENTRE_STOCK, REORDER_RECOMMENDATIONS, ORDER_EXCEPTIONS, TRANSFER_SUGGESTIONS)
Rows = list[dict[str, Any]]


def everywhere(table: pa.Table, contract: Table) -> pa.Table:
    """The rows of one location in all of them."""
    rows = [row | {"location": location} for location in STORES for row in table.to_pylist()]
    return pa.Table.from_pylist(rows, schema=contract.arrow_schema)


@pytest.fixture
def zone(access: S3Access, deployment: Settings, tmp_path: Path) -> LandingZone:
    """Three stores that sell 5 units a day: west has plenty, north some, east nothing. The hub has 21 units."""
    zone, tables = LandingZone(access, deployment), DeltaTables(access)
    products = "product_id,pack_size,unit_cost,supplier_id,effective_date\n01,2,1.25,S1,2024-03-01\n"
    land(zone, tmp_path, "products/products.csv", products)
    land(zone, tmp_path, "suppliers/suppliers.csv", "supplier_id,lead_time_days,effective_date\nS1,3,2024-03-01\n")
    stock = {"east": 0, "north": 10, "west": 400, "hub": 21}
    counts = "".join(f"{LAST},01,{location},{units}\n" for location, units in stock.items())
    land(zone, tmp_path, "inventory/stock.csv", f"date,product_id,location,on_hand\n{counts}")
    known = everywhere(features(), CLEANED_FEATURES)
    tables.replace_days(DAILY_DEMAND, everywhere(demand(), DAILY_DEMAND), FIRST, LAST, "test")
    tables.replace_days(CLEANED_FEATURES, known, FIRST, LAST, "test")
    tables.replace_days(FORECASTS, seasonal_naive_forecast(known), FIRST, LAST, "test")
    return zone


def made(graph: dg.Definitions, access: S3Access) -> dict[str, Rows]:
    """The rows of LAST in each table, after all that has landed is computed."""
    materialize(graph, *LANDING)
    materialize(graph, *(table.name for table in MADE), tags=RANGE)
    order = {table.name: [(name, "ascending") for name in table.grain] for table in MADE}
    read = {table.name: DeltaTables(access).read(table, LAST, LAST) for table in MADE}
    return {name: rows.sort_by(order[name]).to_pylist() for name, rows in read.items()}


def column(rows: Rows, name: str) -> list[Any]:
    return [row[name] for row in rows]


def test_a_network_of_other_locations_changes_nothing(
    graph: dg.Definitions, access: S3Access, zone: LandingZone, tmp_path: Path
) -> None:
    without = made(graph, access)
    land(zone, tmp_path, "network/others.csv", "location,supplied_by,effective_date\nsouth,hub2,2024-03-01\n")

    assert made(graph, access) == without
    assert without["centre_stock"] == without["transfer_suggestions"] == []
    orders = without["reorder_recommendations"]
    assert column(orders, "supplier_id") == ["S1"] * 3
    assert column(orders, "allocation_units") == [0] * 3
    assert column(orders, "supplied_by") == column(orders, "centre_on_hand") == [None] * 3


def test_a_landed_network_makes_stores_order_at_the_centre_and_share_what_it_has(
    graph: dg.Definitions, access: S3Access, zone: LandingZone, tmp_path: Path
) -> None:
    lines = "".join(f"{store},hub,2,2024-03-01\n" for store in STORES)
    land(zone, tmp_path, "network/network.csv", f"location,supplied_by,lead_time_days,effective_date\n{lines}")

    tables = made(graph, access)

    assert column(tables["centre_stock"], "on_hand") == [21]
    [hub] = [row for row in tables["reorder_recommendations"] if row["location"] == "hub"]
    orders = [row for row in tables["reorder_recommendations"] if row != hub]
    assert column(orders, "supplied_by") == column(orders, "supplier_id") == ["hub"] * 3
    assert column(orders, "lead_time_days") == [2, 2, 2]
    assert sum(column(orders, "order_units")) == 20  # of the 21, in packs of 2
    assert sum(column(orders, "order_units")) - sum(column(orders, "allocation_units")) > 21
    east, north, west = orders
    assert abs(east["order_units"] - (10 + north["order_units"])) <= 2  # both reach the same position, but for a pack
    assert west["order_units"] == 0
    assert east["explanation"].endswith("to its share of the 21 that hub has.")
    # what the stores lack is ordered for the hub, on the terms of its supplier
    assert (hub["supplied_locations"], hub["supplier_id"], hub["supplied_by"]) == (3, "S1", None)
    assert (hub["on_hand"], hub["lead_time_days"], hub["order_units"] % 2) == (21, 3, 0)
    assert hub["order_units"] > sum(column(orders, "order_units")) - sum(column(orders, "allocation_units")) - 21
    cut = [row["location"] for row in tables["order_exceptions"] if row["exception"] == "order_cut"]
    assert "east" in cut

    moved = tables["transfer_suggestions"]
    assert {(row["from_location"], row["to_location"]) for row in moved} >= {("west", "east")}
    assert all(row["transfer_units"] % 2 == 0 and row["expected_saved_units"] > 0 for row in moved)


def test_what_is_approved_has_left_the_centre(
    graph: dg.Definitions, access: S3Access, deployment: Settings, zone: LandingZone, tmp_path: Path
) -> None:
    counted = "".join(f"{FIRST},01,{location},{units}\n" for location, units in {"east": 0, "hub": 100}.items())
    land(zone, tmp_path, "inventory/stock.csv", f"date,product_id,location,on_hand\n{counted}")
    network = "location,supplied_by,lead_time_days,effective_date\neast,hub,2,2024-03-01\n"
    land(zone, tmp_path, "network/network.csv", network)
    [proposed] = made(graph, access)["centre_stock"]

    first = DeltaTables(access).read(REORDER_RECOMMENDATIONS, FIRST, FIRST).to_pylist()
    approve(open_book(deployment), next(row for row in first if row["location"] == "east"))
    [approved] = made(graph, access)["centre_stock"]

    units = approved["sent_units"]
    assert units > 0
    assert (proposed["on_hand"], approved["on_hand"]) == (100, 100 - units)  # a proposal never counts


def test_an_approved_order_of_a_centre_is_on_order_there(
    graph: dg.Definitions, access: S3Access, deployment: Settings, zone: LandingZone, tmp_path: Path
) -> None:
    counted = "".join(f"{FIRST},01,{location},0\n" for location in ("east", "hub"))
    land(zone, tmp_path, "inventory/stock.csv", f"date,product_id,location,on_hand\n{counted}")
    network = "location,supplied_by,lead_time_days,effective_date\neast,hub,2,2024-03-01\n"
    land(zone, tmp_path, "network/network.csv", network)
    made(graph, access)

    first = DeltaTables(access).read(REORDER_RECOMMENDATIONS, FIRST, FIRST).to_pylist()
    hub = next(row for row in first if row["location"] == "hub")
    approve(open_book(deployment), hub)
    tables = made(graph, access)

    [stock] = tables["centre_stock"]
    ordered = hub["order_units"]
    assert ordered > 0
    assert stock["on_order_units"] + stock["received_units"] == ordered
    [later] = [row for row in tables["reorder_recommendations"] if row["location"] == "hub"]
    assert later["on_hand"] + later["on_order_units"] == ordered
