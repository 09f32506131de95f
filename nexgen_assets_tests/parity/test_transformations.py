"""Every transformation gives the same table on Sail and on Apache Spark: the same rows, the same types."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from nexgen_assets.forecasting.features import cleaned_features
from nexgen_assets.replenishment.centres import centre_stock
from nexgen_assets.replenishment.open_orders import open_orders
from nexgen_assets.replenishment.positions import inventory_positions
from nexgen_assets.replenishment.terms import MasterData
from nexgen_assets.resources.spark_engine import SparkEngineError, connect
from nexgen_assets.sales.assortment import Told
from nexgen_assets.sales.cleaning import DUPLICATE_OF_OTHER_FILE, cleaned, rejected
from nexgen_assets.sales.demand import daily_demand
from nexgen_assets.tables import (
    CALENDAR,
    CLEANED_FEATURES,
    CLEANED_SALES,
    DAILY_DEMAND,
    FIRM_LINES,
    INVENTORY_COUNTS,
    ITEM_LOCATIONS,
    NETWORK,
    OPEN_ORDERS,
    PRODUCTS,
    RAW_SALES,
    REJECTED_SALES,
    SUPPLIERS,
    TABLES,
    Table,
)
from nexgen_assets_tests.forecasting.frames import line, plans_of
from nexgen_assets_tests.forecasting.panels import demand_panel
from nexgen_assets_tests.parity.conftest import CALENDAR_START, LAST_DAY

ACTIVE_DAYS = 30
FIRST_ORIGIN = LAST_DAY - timedelta(days=6)
GRAINS = {name: table.grain for name, table in TABLES.items()}
COUNTS = pa.Table.from_pylist(
    [
        {
            "product_id": product,
            "location": location,
            "count_date": FIRST_ORIGIN + timedelta(days=2),
            "on_hand": 12.5,
            "on_order_units": 6.0,
            "on_order_due_date": LAST_DAY - timedelta(days=2),
            "committed_units": 8.5,
            "lead_time_days": 2.5,
            "pack_size": 6.0,
            "source": "count",
            "file_key": "inventory/counts.csv",
            "line_number": 2,
        }
        for product, location in [("010001", "Springfield"), ("010002", "Springfield"), ("010001", "Central")]
    ],
    schema=INVENTORY_COUNTS.arrow_schema,
)
FIRM = pa.Table.from_pylist(
    [
        {
            "order_date": FIRST_ORIGIN + timedelta(days=n),
            "product_id": product,
            "location": "Springfield",
            "due_date": FIRST_ORIGIN + timedelta(days=n + 2),
            "order_units": 3.5,
            "supplier_id": "Central",
        }
        for product in ("010001", "010003")
        for n in range(5)
    ],
    schema=FIRM_LINES.arrow_schema,
)
CLOSURES = pa.Table.from_pylist(
    [
        {
            "product_id": "",
            "location": "Springfield",
            "start_date": FIRST_ORIGIN,
            "end_date": FIRST_ORIGIN + timedelta(days=1),
            "promotion_share": 0.0,
            "is_open": False,
            "effective_date": FIRST_ORIGIN,
            "file_key": "calendar/plans.csv",
            "line_number": 2,
        }
    ],
    schema=CALENDAR.arrow_schema,
)
UPLOADED = {"arrived_at": datetime(2024, 3, 1, tzinfo=UTC), "file_key": "a.csv", "line_number": 2}
TERMS: dict[str, list[dict]] = {
    PRODUCTS.name: [
        {"product_id": "010001", "effective_date": FIRST_ORIGIN, "pack_size": 4.0, "supplier_id": "S1"},
        {"product_id": "010001", "effective_date": LAST_DAY, "unit_cost": Decimal("1.2500"), "supplier_id": "S1"},
        {"product_id": "010002", "effective_date": FIRST_ORIGIN, "quantity_step": 2.0},
        {"product_id": "010003", "effective_date": FIRST_ORIGIN, "shelf_life_days": 3.0, "supplier_id": "S2"},
        {"product_id": "new", "effective_date": FIRST_ORIGIN, "product_name": "Soy milk", "category": "Dairy"},
    ],
    SUPPLIERS.name: [
        {"supplier_id": "S1", "effective_date": FIRST_ORIGIN, "lead_time_days": 2.5, "lead_time_sd_days": 0.8}
    ],
    ITEM_LOCATIONS.name: [
        {"product_id": "010003", "location": "Springfield", "effective_date": LAST_DAY, "lead_time_days": 4.0},
        {"product_id": "new", "location": "Springfield", "effective_date": FIRST_ORIGIN, "is_active": True},
        {"product_id": "new", "location": "Springfield", "effective_date": LAST_DAY, "is_active": None},
        {"product_id": "010004", "location": "Springfield", "effective_date": FIRST_ORIGIN, "is_active": False},
        {
            "product_id": "010005",
            "location": "Springfield",
            "effective_date": LAST_DAY + timedelta(days=9),
            "is_active": False,
        },
    ],
    NETWORK.name: [
        {"location": "Springfield", "category": "", "supplied_by": "Central", "effective_date": FIRST_ORIGIN},
    ],
}

Tables = dict[str, pa.Table]


def uploaded(table: Table) -> pa.Table:
    return pa.Table.from_pylist([UPLOADED | line for line in TERMS[table.name]], schema=table.arrow_schema)


def transformed(spark: SparkSession, raw_sales: pa.Table) -> Tables:
    """Every table from `raw_sales` on, each made by `spark` from what it made before."""

    def frame(table: Table, rows: pa.Table) -> DataFrame:
        return spark.createDataFrame(rows, table.spark_ddl)

    raw = frame(RAW_SALES, raw_sales)
    refused = rejected(raw, frame(PRODUCTS, uploaded(PRODUCTS)), CALENDAR_START).toArrow()
    sales = cleaned(raw, frame(REJECTED_SALES, refused)).toArrow()
    demand = daily_demand(
        frame(CLEANED_SALES, sales),
        frame(CALENDAR, CLOSURES),
        Told(frame(PRODUCTS, uploaded(PRODUCTS)), frame(ITEM_LOCATIONS, uploaded(ITEM_LOCATIONS)), "America/Chicago"),
        FIRST_ORIGIN - timedelta(days=30),
        LAST_DAY,
        ACTIVE_DAYS,
    ).toArrow()
    known = frame(DAILY_DEMAND, demand)
    features = cleaned_features(known, FIRST_ORIGIN, LAST_DAY, 400)
    counts = frame(INVENTORY_COUNTS, COUNTS)
    orders = open_orders(FIRM, counts, known, FIRST_ORIGIN, LAST_DAY, active_days=ACTIVE_DAYS).toArrow()
    told = MasterData(*(frame(table, uploaded(table)) for table in (PRODUCTS, SUPPLIERS, ITEM_LOCATIONS, NETWORK)))
    positions = inventory_positions(
        known,
        counts,
        frame(OPEN_ORDERS, orders),
        FIRST_ORIGIN,
        LAST_DAY,
        told=told,
        default_lead_time_days=7,
        default_margin=0.3,
        active_days=ACTIVE_DAYS,
    )
    stock = centre_stock(
        counts,
        frame(OPEN_ORDERS, orders),
        FIRM,
        known,
        FIRST_ORIGIN,
        LAST_DAY,
        told=told,
        default_lead_time_days=7,
        default_margin=0.3,
        active_days=ACTIVE_DAYS,
    )
    return {
        "rejected_sales": refused,
        "cleaned_sales": sales,
        "daily_demand": demand,
        "cleaned_features": features.toArrow(),
        "open_orders": orders,
        "inventory_positions": positions.toArrow(),
        "centre_stock": stock.toArrow(),
    }


@pytest.fixture(scope="module")
def by_sail(spark: SparkSession, raw_sales: pa.Table) -> Tables:
    return transformed(spark, raw_sales)


@pytest.fixture(scope="module")
def by_jvm(jvm_spark: SparkSession, raw_sales: pa.Table) -> Tables:
    return transformed(jvm_spark, raw_sales)


def in_order(rows: pa.Table, name: str) -> list[dict]:
    return rows.sort_by([(column, "ascending") for column in GRAINS[name]]).to_pylist()


def test_the_two_engines_are_two(spark: SparkSession, jvm_spark: SparkSession) -> None:
    asked = "select java_method('java.lang.System', 'getProperty', 'java.vm.name') as vm"

    assert "VM" in jvm_spark.sql(asked).toArrow()["vm"][0].as_py()
    with pytest.raises(PySparkException):
        spark.sql(asked).toArrow()


@pytest.mark.usefixtures("spark")
def test_a_jvm_beside_another_engine_is_refused() -> None:
    with pytest.raises(SparkEngineError, match="already has a Spark session"):
        connect("local[2]")


@pytest.mark.parametrize(
    "name",
    [
        *("cleaned_sales", "rejected_sales", "daily_demand", "cleaned_features"),
        *("open_orders", "inventory_positions", "centre_stock"),
    ],
)
def test_both_engines_make_the_same_table(by_sail: Tables, by_jvm: Tables, name: str) -> None:
    assert by_jvm[name].num_rows > 0
    assert by_jvm[name].schema.names == by_sail[name].schema.names
    assert by_jvm[name].schema.types == by_sail[name].schema.types
    assert in_order(by_jvm[name], name) == in_order(by_sail[name], name)


def test_both_engines_learn_the_same_effects_of_promotions(spark: SparkSession, jvm_spark: SparkSession) -> None:
    first, days = date(2024, 1, 1), 200
    last = first + timedelta(days=days - 1)
    demand = demand_panel(first, days)
    share = np.where(np.arange(days) % 10 == 3, 0.5, 0)
    told = [
        line(day, day, product=product, location="", known=first, promotion_share=float(on))
        for product, shift in (("000", 0), ("002", 4))
        for day, on in ((first + timedelta(days=n), share[n - shift]) for n in range(days))
        if on
    ]
    promotions = plans_of(*told).promotions()

    def effects(engine: SparkSession) -> list[dict]:
        frame = engine.createDataFrame(demand, DAILY_DEMAND.spark_ddl)
        rows = cleaned_features(frame, last - timedelta(days=2), last, 400, promotions).toArrow()
        return rows.select([*CLEANED_FEATURES.grain, "planned_promotion_effect"]).to_pylist()

    by_engine = [sorted(effects(engine), key=lambda row: tuple(row.values())) for engine in (spark, jvm_spark)]
    assert by_engine[0] == by_engine[1]
    assert len({row["planned_promotion_effect"] for row in by_engine[0]}) > 3


def test_the_sample_holds_what_engines_could_disagree_on(by_sail: Tables) -> None:
    """Every fault, duplicates, returns and told stock: without them agreement would say little."""
    rules = set(by_sail["rejected_sales"]["rule"].to_pylist())
    broken = {"quantity_not_a_number", "date_unreadable", "ragged_line", "not_utf8", "quantity_not_in_steps"}
    assert rules >= broken | {DUPLICATE_OF_OTHER_FILE}
    assert {True, False} == set(by_sail["daily_demand"]["is_open"].to_pylist())
    assert {True, False} == set(by_sail["daily_demand"]["is_open_inferred"].to_pylist())
    assert any(by_sail["cleaned_sales"]["is_return"].to_pylist())
    assert {True, False} == set(by_sail["daily_demand"]["is_unsold"].to_pylist())
    assert len(set(by_sail["daily_demand"]["delisted_on"].to_pylist())) > 1
    assert any(by_sail["centre_stock"]["sent_units"].to_pylist())
    assert any(by_sail["centre_stock"]["received_units"].to_pylist())
    assert {True, False} == set(by_sail["cleaned_features"]["is_new_item"].to_pylist())
    assert {"sales_lines", "count"} <= set(by_sail["inventory_positions"]["inventory_source"].to_pylist())
