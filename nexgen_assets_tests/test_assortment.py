"""The assortment through the whole graph: what is listed is ordered before it has sold, what is delisted is not."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg
import pytest

from nexgen_assets.automation import LANDING, SPINE_TO_FEATURES, SPINE_TO_ORDERS
from nexgen_assets.definitions import build_defs
from nexgen_assets.io_managers.delta import DeltaTableIOManager
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.landing_zone import LandingZone
from nexgen_assets.resources.lake import LakeResource, S3Access
from nexgen_assets.resources.spark import SparkResource, stop_engine
from nexgen_assets.settings import Settings
from nexgen_assets.tables import DAILY_DEMAND, FORECASTS, HORIZON_DAYS, REORDER_RECOMMENDATIONS, Table
from nexgen_assets_tests.conftest import BUCKET, unique_prefix

pytestmark = pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated:DeprecationWarning")

FIRST, LISTED_ON, LAST = date(2024, 2, 10), date(2024, 3, 5), date(2024, 3, 10)
RANGE = {f"dagster/asset_partition_range_{end}": day.isoformat() for end, day in {"start": FIRST, "end": LAST}.items()}
UNITS_A_DAY = 4
SALES = "product_id,location,date_of_purchase,quantity\n" + "".join(
    f"01,north,{FIRST + timedelta(days=n)},{UNITS_A_DAY}\n" for n in range((LAST - FIRST).days + 1)
)
PRODUCTS = "product_id,product_name,category,effective_date\n01,Milk,Dairy,2024-01-01\n02,Oat milk,Dairy,2024-01-01\n"
Rows = dict[str, list[dict[str, Any]]]
LISTINGS = "product_id,location,is_active,effective_date\n"


class Shop:
    """A deployment whose landing zone takes files, and whose days FIRST..LAST are rebuilt after each of them."""

    def __init__(self, settings: Settings, lake: LakeResource, graph: dg.Definitions, folder: Path) -> None:
        self._zone, self._tables = LandingZone(lake.access, settings), DeltaTables(lake.access)
        self._graph, self._folder = graph, folder

    def land(self, kind: str, name: str, text: str) -> None:
        path = self._folder / name
        path.write_text(text)
        self._zone.put(kind, path)

    def rebuilt(self) -> Rows:
        """The rows of LAST in each table, after all that has landed is computed."""
        self._materialize(*LANDING)
        self._materialize(*SPINE_TO_FEATURES, *SPINE_TO_ORDERS, tags=RANGE)
        tables = (DAILY_DEMAND, FORECASTS, REORDER_RECOMMENDATIONS)
        return {table.name: self._tables.read(table, LAST, LAST).to_pylist() for table in tables}

    def _materialize(self, *names: str, tags: dict[str, str] | None = None) -> None:
        job = self._graph.resolve_implicit_global_asset_job_def()
        assert job.execute_in_process(asset_selection=[dg.AssetKey(name) for name in names], tags=tags).success


class States(NamedTuple):
    """What the tables say of LAST, by table: before anything is listed, with the listings, and with delistings."""

    before: Rows
    listed: Rows
    delisted: Rows


@pytest.fixture(scope="module")
def states(seaweed: S3Access, engine_address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[States]:
    home = tmp_path_factory.mktemp("shop")
    settings = Settings(
        deployment=unique_prefix(),
        deployment_id="tests",
        home=home,
        bucket=BUCKET,
        s3_endpoint=seaweed.endpoint,
        calendar_start=FIRST,
    )
    lake = LakeResource.from_settings(settings)
    spark = SparkResource(lake=lake, remote=engine_address)
    graph = build_defs(settings, {"spark": spark, "tables": DeltaTableIOManager(lake=lake, spark=spark)})
    shop = Shop(settings, lake, graph, home)
    shop.land("sales", "sales.csv", SALES)
    shop.land("products", "products.csv", PRODUCTS)
    shop.land("inventory", "stock.csv", f"date,product_id,location,on_hand\n{LAST},01,north,5\n")
    before = shop.rebuilt()
    plan = f"01,north,false,{LAST + timedelta(days=3)}\n"
    shop.land("item_locations", "listed.csv", f"{LISTINGS}02,north,true,{LISTED_ON}\n{plan}")
    listed = shop.rebuilt()
    shop.land("item_locations", "delisted.csv", f"{LISTINGS}01,north,false,{LAST}\n02,north,false,{LAST}\n")
    yield States(before, listed, shop.rebuilt())
    stop_engine()


def of(product: str, rows: Rows, table: Table) -> list[dict[str, Any]]:
    return [row for row in rows[table.name] if row["product_id"] == product]


def test_what_is_neither_listed_nor_sold_is_not_there(states: States) -> None:
    assert of("02", states.before, DAILY_DEMAND) == of("02", states.before, REORDER_RECOMMENDATIONS) == []


def test_a_listed_product_is_forecast_and_ordered_before_it_has_sold(states: States) -> None:
    [demand], [order] = (of("02", states.listed, table) for table in (DAILY_DEMAND, REORDER_RECOMMENDATIONS))
    assert (demand["demand_units"], demand["is_unsold"]) == (0, True)
    assert [row["mean"] for row in of("02", states.listed, FORECASTS)] == [UNITS_A_DAY] * HORIZON_DAYS
    assert order["expected_demand"] == UNITS_A_DAY * order["protection_interval_days"]
    assert order["order_units"] > order["expected_demand"]
    assert "new_item" in order["assumptions"].split(",")


def test_a_rebuilt_day_does_not_know_a_delisting_that_was_told_long_after_it(states: States) -> None:
    [order] = of("01", states.before, REORDER_RECOMMENDATIONS)
    assert order["order_units"] > 0
    assert of("01", states.listed, REORDER_RECOMMENDATIONS) == [order]


def test_a_delisted_product_without_sales_is_not_there_any_more(states: States) -> None:
    assert of("02", states.delisted, DAILY_DEMAND) == of("02", states.delisted, REORDER_RECOMMENDATIONS) == []


def test_a_delisted_product_that_is_sold_off_is_not_ordered_and_the_order_says_why(states: States) -> None:
    [demand], [order] = (of("01", states.delisted, table) for table in (DAILY_DEMAND, REORDER_RECOMMENDATIONS))
    assert demand["demand_units"] == UNITS_A_DAY
    assert {row["q99"] for row in of("01", states.delisted, FORECASTS)} == {0}
    assert order["order_units"] == 0
    assert order["explanation"].startswith(f"No order: delisted from {LAST} on")
