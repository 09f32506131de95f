"""Master data through the whole graph: landed files, their tables, and the positions of the days that knew them."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from nexgen_assets.forecasting.baselines import seasonal_naive_forecast
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.jobs import LANDING
from nexgen_assets.landing_zone import LandingZone
from nexgen_assets.resources.lake import S3Access
from nexgen_assets.settings import Settings
from nexgen_assets.tables import (
    CLEANED_FEATURES,
    DAILY_DEMAND,
    FORECASTS,
    INVENTORY_POSITIONS,
    ITEM_LOCATIONS,
    PRODUCTS,
    REORDER_RECOMMENDATIONS,
    SUPPLIERS,
)
from nexgen_assets_tests.conftest import materialize

pytestmark = pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated:DeprecationWarning")

FIRST, LAST = date(2024, 3, 9), date(2024, 3, 10)
RANGE = {f"dagster/asset_partition_range_{end}": day.isoformat() for end, day in {"start": FIRST, "end": LAST}.items()}
LANDED = {
    "products": "product_id,pack_size,unit_cost,supplier_id,effective_date\n01,6,1.25,S1,2024-03-01\n",
    "suppliers": (
        "supplier_id,lead_time_days,lead_time_sd_days,order_days,effective_date\nS1,3,0.8,mon thu,2024-03-01\n"
    ),
    "item_locations": "product_id,location,lead_time_days,max_stock,effective_date\n01,north,2,40,2024-03-10\n",
}


def land(zone: LandingZone, folder: Path, key: str, text: str) -> None:
    kind, name = key.split("/")
    path = folder / name
    path.write_text(text)
    zone.put(kind, path)


def positions(graph: dg.Definitions, access: S3Access) -> dict[date, dict[str, Any]]:
    """The positions of FIRST..LAST, made in one run."""
    materialize(graph, "open_orders", "inventory_positions", tags=RANGE)
    return {row["day"]: row for row in DeltaTables(access).read(INVENTORY_POSITIONS).to_pylist()}


def demand() -> pa.Table:
    row = dict.fromkeys(DAILY_DEMAND.names) | {
        "product_id": "01",
        "location": "north",
        "demand_units": Decimal(1),
        "returned_units": Decimal(0),
        "revenue": Decimal(2),
        "sales_lines": 1,
        "days_since_sale": 0,
        "is_open": True,
        "is_open_inferred": True,
        "is_stockout_assumed": False,
    }
    return pa.Table.from_pylist([row | {"day": day} for day in (FIRST, LAST)], schema=DAILY_DEMAND.arrow_schema)


@pytest.fixture
def landed(graph: dg.Definitions, access: S3Access, deployment: Settings, tmp_path: Path) -> None:
    for kind, text in LANDED.items():
        land(LandingZone(access, deployment), tmp_path, f"{kind}/{kind}.csv", text)
    materialize(graph, *LANDING)
    DeltaTables(access).replace_days(DAILY_DEMAND, demand(), FIRST, LAST, "test")


@pytest.mark.usefixtures("landed")
def test_landed_terms_reach_the_positions_of_the_days_that_know_them(graph: dg.Definitions, access: S3Access) -> None:
    tables = DeltaTables(access)
    assert tables.read(PRODUCTS)["unit_cost"].to_pylist() == [Decimal("1.2500")]
    assert tables.read(SUPPLIERS)["order_days"].to_pylist() == ["mon thu"]
    assert tables.read(ITEM_LOCATIONS)["max_stock"].to_pylist() == [40.0]

    rows = positions(graph, access)

    assert [rows[day]["pack_size"] for day in (FIRST, LAST)] == [6, 6]
    assert [rows[day]["unit_cost"] for day in (FIRST, LAST)] == [1.25, 1.25]
    assert [rows[day]["lead_time_days"] for day in (FIRST, LAST)] == [3, 2]
    assert [rows[day]["max_stock"] for day in (FIRST, LAST)] == [None, 40]
    assert [rows[day]["supplier_id"] for day in (FIRST, LAST)] == ["S1", "S1"]
    assert [rows[day]["lead_time_sd_days"] for day in (FIRST, LAST)] == [0.8, 0.8]
    assert not rows[FIRST]["is_default_lead_time"]
    assert rows[FIRST]["is_default_min_order_quantity"]


def features() -> pa.Table:
    """Five units on every day that is remembered."""
    schema = CLEANED_FEATURES.arrow_schema
    sold = {f.name: 5.0 for f in schema if f.name.startswith(("demand_lag_", "demand_mean_", "weekday_mean_"))}
    zeros = {f.name: 0.0 for f in schema if not f.nullable and f.name not in CLEANED_FEATURES.grain}
    row = zeros | sold | {"product_id": "01", "location": "north", "demand_sd_28": 2.0, "unit_price": 4.0}
    return pa.Table.from_pylist([row | {"day": day} for day in (FIRST, LAST)], schema=schema)


def order(graph: dg.Definitions, access: S3Access) -> dict[str, Any]:
    """The order of LAST, from the terms that have landed."""
    positions(graph, access)
    materialize(graph, "reorder_recommendations", tags=RANGE)
    return DeltaTables(access).read(REORDER_RECOMMENDATIONS, LAST, LAST).to_pylist()[0]


@pytest.mark.usefixtures("landed")
def test_the_spread_of_a_suppliers_lead_time_reaches_the_order(
    graph: dg.Definitions, access: S3Access, deployment: Settings, tmp_path: Path
) -> None:
    known, tables = features(), DeltaTables(access)
    tables.replace_days(CLEANED_FEATURES, known, FIRST, LAST, "test")
    tables.replace_days(FORECASTS, seasonal_naive_forecast(known), FIRST, LAST, "test")

    uncertain = order(graph, access)
    corrected = LANDED["suppliers"].replace("S1,3,0.8,", "S1,3,,")
    land(LandingZone(access, deployment), tmp_path, "suppliers/suppliers.csv", corrected)
    materialize(graph, *LANDING)
    certain = order(graph, access)

    added = uncertain["order_up_to_level"] - certain["order_up_to_level"]
    assert added > 0
    assert (uncertain["lead_time_sd_days"], uncertain["safety_stock_for_lead_time"]) == (0.8, added)
    assert f"{added:.10g} for the lead time" in uncertain["explanation"]
    assert (certain["lead_time_sd_days"], certain["safety_stock_for_lead_time"]) == (None, 0)
    assert "lead_time_sd" in certain["assumptions"].split(",")
    assert "lead_time_sd" not in uncertain["assumptions"].split(",")


@pytest.mark.usefixtures("landed")
def test_landed_stock_and_limits_reach_the_order(
    graph: dg.Definitions, access: S3Access, deployment: Settings, tmp_path: Path
) -> None:
    known, tables, zone = features(), DeltaTables(access), LandingZone(access, deployment)
    tables.replace_days(CLEANED_FEATURES, known, FIRST, LAST, "test")
    tables.replace_days(FORECASTS, seasonal_naive_forecast(known), FIRST, LAST, "test")

    blocked = order(graph, access)
    land(zone, tmp_path, "inventory/stock.csv", f"date,product_id,location,on_hand\n{LAST},01,north,3\n")
    limited = LANDED["item_locations"].replace("max_stock", "max_stock,display_minimum").replace(",40,", ",12,10,")
    land(zone, tmp_path, "item_locations/item_locations.csv", limited)
    materialize(graph, *LANDING)
    counted = order(graph, access)

    assert (blocked["order_units"], blocked["blocked_reason"]) == (0, "stock_unknown")
    assert (counted["max_stock"], counted["display_minimum"], counted["blocked_reason"]) == (12, 10, None)
    assert counted["order_units"] == 6  # one pack of 6 fits above the 3 on hand
    assert counted["max_stock_units"] < 0


@pytest.mark.usefixtures("landed")
def test_a_landed_policy_and_order_days_reach_the_order(
    graph: dg.Definitions, access: S3Access, deployment: Settings, tmp_path: Path
) -> None:
    known, tables, zone = features(), DeltaTables(access), LandingZone(access, deployment)
    tables.replace_days(CLEANED_FEATURES, known, FIRST, LAST, "test")
    tables.replace_days(FORECASTS, seasonal_naive_forecast(known), FIRST, LAST, "test")

    before = order(graph, access)
    policies = "product_id,location,fill_rate,effective_date\n01,,0.9,2024-01-01\n,north,0.99,2024-01-01\n"
    land(zone, tmp_path, "order_policies/policies.csv", policies)
    supplied = LANDED["suppliers"].replace("mon thu", "wed")
    land(zone, tmp_path, "suppliers/suppliers.csv", supplied)
    materialize(graph, *LANDING)
    after = order(graph, access)

    assert (before["policy_source"], before["target_fill_rate"], before["is_review"]) == (None, None, True)
    assert before["next_order_date"] == LAST + timedelta(days=4)  # ordered on monday, and again on thursday
    assert (after["policy_source"], after["target_fill_rate"]) == ("order_policies/policies.csv:2", 0.9)
    assert (after["is_review"], after["order_units"]) == (False, 0)
    assert after["next_order_date"] == LAST + timedelta(days=3)


@pytest.mark.usefixtures("landed")
def test_a_rebuilt_day_uses_what_was_known_on_it(
    graph: dg.Definitions, access: S3Access, deployment: Settings, tmp_path: Path
) -> None:
    before = positions(graph, access)
    later = "product_id,pack_size\n01,12\n"  # without a date: known from the day of its arrival
    land(LandingZone(access, deployment), tmp_path, "products/later.csv", later)
    materialize(graph, *LANDING)

    assert DeltaTables(access).row_count(PRODUCTS) == 2
    assert positions(graph, access) == before


@pytest.mark.usefixtures("landed")
def test_a_corrected_file_replaces_its_lines_and_a_deleted_one_takes_them_away(
    graph: dg.Definitions, access: S3Access, deployment: Settings, tmp_path: Path
) -> None:
    import obstore

    corrected = LANDED["products"].replace("01,6,", "01,8,")
    land(LandingZone(access, deployment), tmp_path, "products/products.csv", corrected)
    obstore.delete(access.store("landing"), "suppliers/suppliers.csv")
    materialize(graph, *LANDING)

    rows = positions(graph, access)

    assert rows[FIRST]["pack_size"] == 8
    assert (rows[FIRST]["lead_time_days"], rows[FIRST]["is_default_lead_time"]) == (7, True)


@pytest.mark.usefixtures("landed")
def test_a_wrong_file_is_refused_and_the_terms_stay(
    graph: dg.Definitions, access: S3Access, deployment: Settings, tmp_path: Path
) -> None:
    land(LandingZone(access, deployment), tmp_path, "products/wrong.csv", "product_id,pack_size\n01,six\n")
    materialize(graph, *LANDING)

    [refused] = [row for row in LandingZone(access, deployment).manifest() if row["status"] == "refused"]

    assert refused["problem"] == (
        "products/wrong.csv: nothing was loaded; correct these lines and upload the whole file again\n"
        "line 2: column 'pack_size', value 'six': "
        "is not a number; write plain digits with a decimal point, such as 12.5"
    )
    assert positions(graph, access)[LAST]["pack_size"] == 6
