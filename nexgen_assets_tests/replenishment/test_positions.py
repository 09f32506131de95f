"""Inventory positions: which stock figure counts, what became of it since, and what nobody told."""

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession

from nexgen_assets import tables
from nexgen_assets.replenishment.open_orders import open_orders
from nexgen_assets.replenishment.positions import inventory_positions
from nexgen_assets.replenishment.terms import MasterData

DAY = date(2026, 3, 10)
SERIES = {"product_id": "007", "location": "north"}
UNSOLD: dict[str, Any] = SERIES | {
    "product_name": "Oat milk",
    "category": "dairy",
    "demand_units": Decimal(0),
    "returned_units": Decimal(0),
    "revenue": Decimal(0),
    "sales_lines": 0,
    "unit_price": Decimal("4.0000"),
    "days_since_sale": 1,
}
UPLOADED: dict[str, Any] = {
    "arrived_at": datetime(2026, 3, 1, tzinfo=UTC),
    "file_key": "a.csv",
    "line_number": 2,
}
COUNT: dict[str, Any] = SERIES | {
    "on_hand": 30.0,
    "on_order_units": 0.0,
    "source": "count",
    "file_key": "inventory/a.csv",
    "line_number": 2,
}


def days_ago(n: int) -> date:
    return DAY - timedelta(days=n)


def sold(day: date, units: float = 0, **more: Any) -> dict[str, Any]:
    return UNSOLD | {"day": day, "demand_units": Decimal(str(units))} | more


def counted(day: date, **more: Any) -> dict[str, Any]:
    return COUNT | {"count_date": day} | more


def told(since: date = DAY, **terms: Any) -> dict[str, Any]:
    """A line of terms in force since a day."""
    return UPLOADED | {"effective_date": since} | terms


@dataclass(frozen=True)
class Uploads:
    """Lines of the product, supplier, item-location and network tables."""

    products: list[dict[str, Any]] = field(default_factory=list)
    suppliers: list[dict[str, Any]] = field(default_factory=list)
    item_locations: list[dict[str, Any]] = field(default_factory=list)
    network: list[dict[str, Any]] = field(default_factory=list)


NOTHING = Uploads()


def frame_of(spark: SparkSession, table: tables.Table, rows: list[dict[str, Any]]) -> DataFrame:
    return spark.createDataFrame(pa.Table.from_pylist(rows, schema=table.arrow_schema), table.spark_ddl)


def positions_of(  # noqa: PLR0917
    spark: SparkSession,
    demand: list[dict[str, Any]],
    counts: list[dict[str, Any]],
    start: date = DAY,
    end: date = DAY,
    active_days: int = 90,
    uploads: Uploads = NOTHING,
) -> pa.Table:
    sales, counted = frame_of(spark, tables.DAILY_DEMAND, demand), frame_of(spark, tables.INVENTORY_COUNTS, counts)
    positions = inventory_positions(
        sales,
        counted,
        open_orders(tables.FIRM_LINES.arrow_schema.empty_table(), counted, sales, start, end, active_days=active_days),
        start,
        end,
        told=MasterData(
            frame_of(spark, tables.PRODUCTS, uploads.products),
            frame_of(spark, tables.SUPPLIERS, uploads.suppliers),
            frame_of(spark, tables.ITEM_LOCATIONS, uploads.item_locations),
            frame_of(spark, tables.NETWORK, uploads.network),
        ),
        default_lead_time_days=7,
        default_margin=0.3,
        active_days=active_days,
    )
    grain = [(name, "ascending") for name in tables.INVENTORY_POSITIONS.grain]
    return positions.toArrow().sort_by(grain)


def position(
    spark: SparkSession, demand: list[dict[str, Any]], counts: list[dict[str, Any]], uploads: Uploads = NOTHING
) -> dict[str, Any]:
    """The one position of DAY."""
    [row] = positions_of(spark, demand, counts, uploads=uploads).to_pylist()
    return row


def stock(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["on_hand"], row["on_hand_as_of"], row["is_on_hand_estimated"], row["inventory_source"]


def test_positions_have_the_columns_of_the_contract(spark: SparkSession) -> None:
    result = positions_of(spark, [sold(DAY)], [counted(DAY)])

    assert [(f.name, f.type) for f in result.schema] == [
        (f.name, f.type) for f in tables.INVENTORY_POSITIONS.arrow_schema
    ]


def test_stock_counted_today_is_the_stock(spark: SparkSession) -> None:
    row = position(spark, [sold(days_ago(1), 4), sold(DAY, 5)], [counted(DAY, on_hand=12.0)])

    assert stock(row) == (12, DAY, False, "count")


def test_sales_since_the_count_are_taken_from_it(spark: SparkSession) -> None:
    sales = [sold(days_ago(3), 9), sold(days_ago(2), 4), sold(days_ago(1), 0.125), sold(DAY, 5)]

    row = position(spark, sales, [counted(days_ago(2), source="simulated")])

    assert stock(row) == (24.875, days_ago(2), True, "simulated")


def test_stock_never_falls_below_zero(spark: SparkSession) -> None:
    assert position(spark, [sold(DAY, 50)], [counted(days_ago(1))])["on_hand"] == 0


def test_the_latest_count_up_to_the_day_wins(spark: SparkSession) -> None:
    counts = [
        counted(days_ago(5), on_hand=50.0),
        counted(days_ago(1), on_hand=8.0),
        counted(days_ago(-1), on_hand=99.0),
    ]

    assert stock(position(spark, [sold(DAY, 3)], counts)) == (5, days_ago(1), True, "count")


def test_a_count_of_another_series_does_not_count(spark: SparkSession) -> None:
    counts = [counted(DAY, location="south"), counted(DAY, product_id="7")]

    assert stock(position(spark, [sold(DAY, 3)], counts)) == (None, None, False, "unknown")


def test_without_a_count_the_stock_level_of_the_sales_lines_is_used(spark: SparkSession) -> None:
    known = {"stock_level": Decimal(20), "stock_level_as_of": days_ago(2)}
    sales = [sold(days_ago(2), 6, **known), sold(days_ago(1), 4, **known), sold(DAY, 5, **known)]

    assert stock(position(spark, sales, [])) == (11, days_ago(2), True, "sales_lines")


def test_a_stock_level_told_by_a_return_alone_is_used(spark: SparkSession) -> None:
    known = {"stock_level": Decimal(20), "stock_level_as_of": days_ago(2)}
    sales = [sold(days_ago(3), 6), sold(days_ago(2), 0, **known), sold(DAY, 5, **known)]

    assert stock(position(spark, sales, [])) == (15, days_ago(2), True, "sales_lines")


def test_a_count_is_preferred_to_a_stock_level_of_the_same_day(spark: SparkSession) -> None:
    sales = [sold(DAY, 5, stock_level=Decimal(20), stock_level_as_of=DAY)]

    assert stock(position(spark, sales, [counted(DAY)])) == (30, DAY, False, "count")


@pytest.mark.parametrize(
    ("counted_on", "expected"),
    [
        (days_ago(4), (13, days_ago(3), True, "sales_lines")),
        (days_ago(3), (23, days_ago(3), True, "count")),
        (days_ago(2), (24, days_ago(2), True, "count")),
    ],
)
def test_the_newer_of_count_and_stock_level_wins(
    spark: SparkSession, counted_on: date, expected: tuple[Any, ...]
) -> None:
    known = {"stock_level": Decimal(20), "stock_level_as_of": days_ago(3)}
    sales = [sold(days_ago(3), 9, **known), sold(days_ago(2), 1, **known), sold(DAY, 6, **known)]

    assert stock(position(spark, sales, [counted(counted_on)])) == expected


@pytest.mark.parametrize(
    ("due", "on_hand", "on_order"),
    [
        (days_ago(-1), 15, 10),  # due tomorrow
        (DAY, 25, 0),
        (days_ago(2), 15, 0),  # due on the day of the stock level, which holds it
        (days_ago(3), 15, 0),
        (None, 15, 10),
    ],
)
def test_units_on_order_at_the_count_stay_known_when_a_stock_level_is_newer(
    spark: SparkSession, due: date | None, on_hand: float, on_order: float
) -> None:
    known = {"stock_level": Decimal(20), "stock_level_as_of": days_ago(2)}
    count = counted(days_ago(4), on_order_units=10.0, on_order_due_date=due)

    row = position(spark, [sold(days_ago(2), 1, **known), sold(DAY, 5, **known)], [count])

    assert (row["on_hand"], row["on_order_units"]) == (on_hand, on_order)


@pytest.mark.parametrize(("age", "source"), [(89, "count"), (90, "unknown")])
def test_a_count_is_forgotten_after_the_active_days(spark: SparkSession, age: int, source: str) -> None:
    row = position(spark, [sold(DAY)], [counted(days_ago(age), pack_size=6.0)])

    assert row["inventory_source"] == source
    assert row["is_default_pack_size"] == (source == "unknown")


@pytest.mark.parametrize(
    ("due", "on_hand", "on_order"),
    [
        (days_ago(-1), 25, 10),  # due tomorrow
        (DAY, 35, 0),  # due today: assumed received
        (days_ago(1), 35, 0),
        (days_ago(2), 25, 10),  # due on the day of the count, which did not see it
        (days_ago(9), 25, 10),  # overdue when counted
        (None, 25, 10),
    ],
)
def test_units_on_order_are_received_on_their_due_date(
    spark: SparkSession, due: date | None, on_hand: float, on_order: float
) -> None:
    count = counted(days_ago(2), on_order_units=10.0, on_order_due_date=due)

    row = position(spark, [sold(DAY, 5)], [count])

    assert (row["on_hand"], row["on_order_units"]) == (on_hand, on_order)


@pytest.mark.parametrize(
    ("counts", "committed"),
    [
        ([counted(DAY)], 0),
        ([counted(DAY, committed_units=6.5)], 6.5),
        ([counted(days_ago(1), committed_units=6.5)], 1.5),  # 5 of them have been sold
        ([counted(days_ago(2), committed_units=6.5)], 0),
        ([counted(DAY, on_hand=2.0, committed_units=6.5)], 6.5),  # more than there is
        ([counted(days_ago(1), committed_units=6.5), counted(DAY)], 0),
        ([counted(days_ago(90), committed_units=6.5)], 0),
    ],
)
def test_promised_units_are_those_of_the_last_count_less_what_was_sold_since(
    spark: SparkSession, counts: list[dict[str, Any]], committed: float
) -> None:
    row = position(spark, [sold(days_ago(1), 2), sold(DAY, 5)], counts)

    assert row["committed_units"] == committed


def test_promised_units_stay_known_when_a_stock_level_is_newer(spark: SparkSession) -> None:
    known = {"stock_level": Decimal(20), "stock_level_as_of": DAY}

    row = position(spark, [sold(DAY, 5, **known)], [counted(days_ago(1), committed_units=8.0)])

    assert (row["on_hand"], row["committed_units"]) == (20, 3)


def test_a_new_count_replaces_what_was_on_order(spark: SparkSession) -> None:
    counts = [counted(days_ago(4), on_order_units=10.0, on_order_due_date=days_ago(2)), counted(days_ago(1))]

    row = position(spark, [sold(DAY, 5)], counts)

    assert (row["on_hand"], row["on_order_units"]) == (25, 0)


@pytest.mark.parametrize(
    ("told", "lead_time_days"),
    [
        ({"lead_time_days": 3.0}, 3),
        ({"lead_time_days": 3.0, "supplier_delay_days": 1.2}, 5),
        ({"lead_time_days": 4.1, "supplier_delay_days": 0.9}, 5),
        ({"lead_time_days": 0.0}, 0),
    ],
)
def test_lead_time_is_told_time_and_delay_in_whole_days(
    spark: SparkSession, told: dict[str, float], lead_time_days: int
) -> None:
    row = position(spark, [sold(DAY, **told)], [])

    assert (row["lead_time_days"], row["is_default_lead_time"]) == (lead_time_days, False)


def test_lead_time_of_the_count_is_preferred_to_the_sales_lines(spark: SparkSession) -> None:
    sales = [sold(DAY, lead_time_days=9.0, supplier_delay_days=1.0)]

    assert position(spark, sales, [counted(DAY, lead_time_days=3.0)])["lead_time_days"] == 4


def test_terms_told_are_used(spark: SparkSession) -> None:
    count = counted(DAY, pack_size=12.0, min_order_quantity=0.0, unit_cost=Decimal("2.5000"))

    row = position(spark, [sold(DAY)], [count])

    assert (row["pack_size"], row["is_default_pack_size"]) == (12, False)
    assert (row["min_order_quantity"], row["is_default_min_order_quantity"]) == (0, False)
    assert (row["unit_cost"], row["is_default_unit_cost"]) == (2.5, False)


def test_terms_not_told_are_defaults_and_say_so(spark: SparkSession) -> None:
    row = position(spark, [sold(DAY)], [])

    assert (row["lead_time_days"], row["is_default_lead_time"]) == (7, True)
    assert (row["pack_size"], row["is_default_pack_size"]) == (1, True)
    assert (row["min_order_quantity"], row["is_default_min_order_quantity"]) == (1, True)
    assert (row["unit_cost"], row["is_default_unit_cost"]) == (pytest.approx(2.8), True)


def test_a_cost_without_any_price_is_unknown_and_not_assumed(spark: SparkSession) -> None:
    row = position(spark, [sold(DAY, unit_price=None)], [])

    assert (row["unit_cost"], row["is_default_unit_cost"]) == (None, False)


def test_a_pack_of_nothing_is_not_told(spark: SparkSession) -> None:
    row = position(spark, [sold(DAY)], [counted(DAY, pack_size=0.0)])

    assert (row["pack_size"], row["is_default_pack_size"]) == (1, True)


def test_terms_stay_told_when_a_later_count_is_silent(spark: SparkSession) -> None:
    counts = [counted(days_ago(8), pack_size=6.0, lead_time_days=2.0), counted(days_ago(1), lead_time_days=4.0)]

    row = position(spark, [sold(DAY)], counts)

    assert (row["pack_size"], row["lead_time_days"]) == (6, 4)


# ---- master data

LEAD_TIMES = [
    ("counted", 1),
    ("item_location", 2),
    ("item_location_supplier", 3),
    ("product_supplier", 4),
    ("sales_lines", 5),
]


@pytest.mark.parametrize("first", range(len(LEAD_TIMES) + 1))
def test_lead_time_comes_from_the_first_source_that_tells_it(spark: SparkSession, first: int) -> None:
    days = {source: float(lead) for source, lead in LEAD_TIMES[first:]}
    uploads = Uploads(
        products=[told(product_id="007", supplier_id="S1")],
        suppliers=[
            told(supplier_id="S1", lead_time_days=days.get("product_supplier")),
            told(supplier_id="S2", lead_time_days=days.get("item_location_supplier")),
        ],
        item_locations=[
            told(
                **SERIES,
                lead_time_days=days.get("item_location"),
                supplier_id="S2" if "item_location_supplier" in days else None,
            )
        ],
    )
    count = counted(DAY, lead_time_days=days.get("counted"))

    row = position(spark, [sold(DAY, lead_time_days=days.get("sales_lines"))], [count], uploads)

    expected = LEAD_TIMES[first][1] if days else 7
    assert (row["lead_time_days"], row["is_default_lead_time"]) == (expected, not days)


NETWORK = [told(location="north", category="", supplied_by="hub", lead_time_days=3.0)]


def test_a_location_that_a_centre_supplies_orders_there_on_its_terms_and_not_on_the_suppliers(
    spark: SparkSession,
) -> None:
    supplier = told(supplier_id="S1", lead_time_days=9.0, order_days="mon", min_order_value=Decimal(50))
    uploads = Uploads([told(product_id="007", supplier_id="S1")], [supplier], network=NETWORK)

    row = position(spark, [sold(DAY)], [], uploads)

    assert (row["supplier_id"], row["supplied_by"], row["lead_time_days"]) == ("hub", "hub", 3)
    assert (row["order_days"], row["min_order_value"]) == (None, None)


def test_a_centre_may_take_orders_on_some_days_only_as_a_supplier_does(spark: SparkSession) -> None:
    uploads = Uploads(suppliers=[told(supplier_id="hub", order_days="tue fri", lead_time_sd_days=0.5)], network=NETWORK)

    row = position(spark, [sold(DAY)], [], uploads)

    assert (row["order_days"], row["lead_time_sd_days"], row["lead_time_days"]) == ("tue fri", 0.5, 3)


@pytest.mark.parametrize("centre", ["depot", None])
def test_a_line_for_the_category_goes_before_that_for_the_location_as_a_whole(
    spark: SparkSession, centre: str | None
) -> None:
    of_dairy = told(location="north", category="dairy", supplied_by=centre)
    uploads = Uploads([told(product_id="007", supplier_id="S1")], network=[*NETWORK, of_dairy])

    row = position(spark, [sold(DAY)], [], uploads)

    assert (row["supplied_by"], row["supplier_id"]) == (centre, centre or "S1")
    assert row["is_default_lead_time"]


def test_an_item_locations_own_supplier_delivers_past_the_centre(spark: SparkSession) -> None:
    uploads = Uploads(item_locations=[told(**SERIES, supplier_id="S2")], network=NETWORK)

    row = position(spark, [sold(DAY)], [], uploads)

    assert (row["supplied_by"], row["supplier_id"], row["is_default_lead_time"]) == (None, "S2", True)


def test_a_supplier_without_lead_time_leaves_it_to_the_sales_lines(spark: SparkSession) -> None:
    uploads = Uploads(
        products=[told(product_id="007", supplier_id="S1")],
        suppliers=[told(supplier_id="S1", lead_time_days=4.0), told(supplier_id="S2")],
        item_locations=[told(**SERIES, supplier_id="S2")],
    )

    assert position(spark, [sold(DAY, lead_time_days=5.0)], [], uploads)["lead_time_days"] == 5


def test_the_delay_seen_is_added_to_a_suppliers_lead_time(spark: SparkSession) -> None:
    uploads = Uploads(
        products=[told(product_id="007", supplier_id="S1")], suppliers=[told(supplier_id="S1", lead_time_days=2.5)]
    )

    assert position(spark, [sold(DAY, supplier_delay_days=1.0)], [], uploads)["lead_time_days"] == 4


@pytest.mark.parametrize(("counted_lead_time", "sd"), [(None, 1.5), (9.0, 1.5), (None, None)])
def test_the_spread_of_the_lead_time_is_the_suppliers_whoever_tells_the_lead_time(
    spark: SparkSession, counted_lead_time: float | None, sd: float | None
) -> None:
    uploads = Uploads(
        products=[told(product_id="007", supplier_id="S1")],
        suppliers=[told(supplier_id="S1", lead_time_days=4.0, lead_time_sd_days=sd)],
        item_locations=[told(product_id="007", location="south", lead_time_days=3.0, supplier_id="S2")],
    )

    row = position(spark, [sold(DAY)], [counted(DAY, lead_time_days=counted_lead_time)], uploads)

    assert (row["lead_time_days"], row["lead_time_sd_days"]) == (counted_lead_time or 4, sd)


PRODUCT = told(
    product_id="007",
    unit_cost=Decimal("1.2500"),
    pack_size=6.0,
    min_order_quantity=12.0,
    shelf_life_days=14.0,
)


def terms(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("unit_cost", "pack_size", "min_order_quantity", "shelf_life_days"))


def assumed(row: dict[str, Any]) -> set[str]:
    return {name for name, value in row.items() if name.startswith("is_default_") and value}


def test_a_product_tells_its_terms(spark: SparkSession) -> None:
    row = position(spark, [sold(DAY, shelf_life_days=9.0)], [], Uploads([PRODUCT]))

    assert terms(row) == (1.25, 6, 12, 14)
    assert assumed(row) == {"is_default_lead_time"}


def test_a_count_is_preferred_to_the_product(spark: SparkSession) -> None:
    count = counted(DAY, unit_cost=Decimal("2.0000"), pack_size=4.0, min_order_quantity=8.0)

    assert terms(position(spark, [sold(DAY)], [count], Uploads([PRODUCT]))) == (2, 4, 8, 14)


def test_what_a_product_does_not_tell_comes_from_the_sales_lines_or_is_a_default(spark: SparkSession) -> None:
    row = position(spark, [sold(DAY, shelf_life_days=9.0)], [], Uploads([told(product_id="007")]))

    assert terms(row) == (pytest.approx(2.8), 1, 1, 9)
    assert assumed(row) == {
        "is_default_lead_time",
        "is_default_pack_size",
        "is_default_min_order_quantity",
        "is_default_unit_cost",
    }


def test_terms_of_another_product_location_or_supplier_do_not_count(spark: SparkSession) -> None:
    uploads = Uploads(
        products=[PRODUCT | {"product_id": "7"}, told(product_id="007", supplier_id="01")],
        suppliers=[told(supplier_id="1", lead_time_days=2.0)],
        item_locations=[told(product_id="007", location="south", lead_time_days=3.0)],
    )

    row = position(spark, [sold(DAY)], [], uploads)

    assert (row["pack_size"], row["lead_time_days"]) == (1, 7)


def test_terms_hold_from_their_effective_date_on(spark: SparkSession) -> None:
    products = [told(days_ago(1), product_id="007", pack_size=6.0), told(DAY, product_id="007", pack_size=8.0)]

    days = positions_of(spark, [sold(days_ago(n)) for n in (2, 1, 0)], [], days_ago(2), DAY, uploads=Uploads(products))

    assert days["pack_size"].to_pylist() == [1, 6, 8]


# a panel of every case: gaps, counts on days without sales, several stock facts per window

ACTIVE_DAYS = 10
PANEL_DAYS = 40


def panel(seed: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Sparse sales of 12 series as `daily_demand` holds them with ACTIVE_DAYS, and their counts."""
    rng = random.Random(seed)  # noqa: S311
    demand, counts = [], []
    for series in range(12):
        ids = {"product_id": f"{series:02d}", "location": rng.choice(["north", "south"])}
        ids["category"] = ["dairy", "bakery", None][series % 3]
        last_sale, facts = -99, {}
        for n in range(PANEL_DAYS):
            day = days_ago(PANEL_DAYS - 1 - n)
            units = 0.0
            if rng.random() < 0.15:
                units, last_sale = rng.randint(1, 9_000) / 1000, n
                if rng.random() < 0.5:
                    facts["stock"] = (n, {"stock_level": Decimal(rng.randint(-1, 30)), "stock_level_as_of": day})
                if rng.random() < 0.5:
                    facts["lead"] = (n, {"lead_time_days": rng.randint(0, 50) / 10})
                if rng.random() < 0.5:
                    facts["delay"] = (n, {"supplier_delay_days": rng.randint(0, 20) / 10})
            if n - last_sale < ACTIVE_DAYS:
                known = [told for at, told in facts.values() if n - at < ACTIVE_DAYS]
                demand.append(sold(day, units) | ids | {k: v for told in known for k, v in told.items()})
            if series % 3 and rng.random() < 0.1:
                place = {name: ids[name] for name in SERIES}
                counts.append(counted(day, on_hand=float(rng.randint(-1, 30))) | place | random_terms(rng, day))
    return demand, counts


def random_terms(rng: random.Random, day: date) -> dict[str, Any]:
    told = {
        "on_order_units": float(rng.randint(0, 12)),
        "on_order_due_date": day + timedelta(days=rng.randint(-2, 8)),
        "lead_time_days": float(rng.randint(0, 9)),
        "unit_cost": Decimal("1.2500"),
        "pack_size": float(rng.randint(0, 6)),
        "min_order_quantity": float(rng.randint(0, 6)),
        "committed_units": rng.randint(0, 20_000) / 1000,
    }
    return {name: value for name, value in told.items() if rng.random() < 0.6}


def panel_uploads(seed: int) -> Uploads:
    """Terms of the panel's series that change over time, some told twice for a day, some withdrawn."""
    rng = random.Random(seed)  # noqa: S311
    products = [f"{n:02d}" for n in range(12)]

    def lines(**values: list[Any]) -> list[dict[str, Any]]:
        return [
            told(
                days_ago(rng.randint(-3, PANEL_DAYS)),
                arrived_at=datetime(2026, 3, rng.randint(1, 9), tzinfo=UTC),
                file_key=f"{n}.csv",
                **{name: rng.choice(choices) for name, choices in values.items()},
            )
            for n in range(40)
        ]

    return Uploads(
        lines(
            product_id=products,
            unit_cost=[None, Decimal("0.7500"), Decimal("1.5000")],
            pack_size=[None, 3.0, 4.0],
            min_order_quantity=[None, 0.0, 8.0],
            shelf_life_days=[None, 5.0],
            supplier_id=[None, "S1", "S2", "S9"],
        ),
        lines(
            supplier_id=["S1", "S2", "S3"],
            lead_time_days=[None, 1.5, 2.0, 6.0],
            lead_time_sd_days=[None, 0.0, 0.8, 2.5],
            order_days=[None, "mon thu"],
            min_order_value=[None, Decimal("250.0000")],
        ),
        lines(
            product_id=products,
            location=["north", "south"],
            lead_time_days=[None, None, 3.5],
            supplier_id=[None, "S2", "S3"],
            display_minimum=[None, 2.0, 4.5],
            max_stock=[None, 30.0],
        ),
        lines(
            location=["north", "south"],
            category=["", "dairy", "bakery"],
            supplied_by=[None, "hub", "S2"],
            lead_time_days=[None, 0.5, 8.0],
        ),
    )


# the rules again, one row at a time; nulls and dates only, no windows and no running totals
ORACLE = """
with known as (
    select d.*,
        (select max(count_date) from counts c where c.product_id = d.product_id and c.location = d.location
            and c.count_date between d.day - {last} and d.day) as counted_on,
        {terms},
        {latest_product} as product,
        {latest_item} as item,
        coalesce({latest_link} and t.category = d.category), {latest_link} and t.category = '')) as link,
    from demand d where d.day between '{start}' and '{end}'
), supplied as (
    select *, coalesce(item.supplier_id, link.supplied_by, product.supplier_id) as supplier_of_row,
        if(item.supplier_id is null, link.supplied_by, null) as centre,
        (select arg_max(s, (s.effective_date, s.arrived_at, s.file_key)) from suppliers s
            where s.supplier_id = coalesce(item.supplier_id, link.supplied_by, product.supplier_id)
            and s.effective_date <= day
        ) as supplier
    from known
), facts as (
    select k.*, c.source, c.on_order_units as ordered, c.committed_units as promised, c.on_order_due_date as due,
        coalesce(due > c.count_date and due <= k.day, false) as is_received,
        counted_on is not null and (stock_level_as_of is null or stock_level_as_of <= counted_on) as is_counted,
        case when is_counted then c.on_hand else stock_level::double end as last_stock,
        case when is_counted then counted_on else stock_level_as_of end as as_of,
        coalesce(told_lead_time_days, item.lead_time_days, if(centre is null, null, link.lead_time_days),
            supplier.lead_time_days, k.lead_time_days) as lead_time,
        coalesce(told_pack_size, product.pack_size) as pack,
        coalesce(told_min_order_quantity, product.min_order_quantity) as moq,
        coalesce(told_unit_cost, product.unit_cost)::double as cost,
    from supplied k left join counts c
        on c.product_id = k.product_id and c.location = k.location and c.count_date = k.counted_on
)
select day, product_id, location,
    round(greatest(last_stock + if(is_received and due > as_of, ordered, 0) - coalesce((
        select sum(s.demand_units) from demand s where s.product_id = f.product_id and s.location = f.location
            and s.day > f.as_of and s.day <= f.day), 0)::double, 0), 3) + if(last_stock is null, null, 0) as on_hand,
    as_of as on_hand_as_of,
    coalesce(as_of < day, false) as is_on_hand_estimated,
    case when is_counted then source when stock_level is null then 'unknown' else 'sales_lines' end as inventory_source,
    coalesce(if(is_received, 0, ordered), 0) as on_order_units,
    round(greatest(coalesce(promised - coalesce((
        select sum(s.demand_units) from demand s where s.product_id = f.product_id and s.location = f.location
            and s.day > f.counted_on and s.day <= f.day), 0)::double, 0), 0), 3) as committed_units,
    coalesce(ceil(lead_time + coalesce(supplier_delay_days, 0)), 7)::bigint as lead_time_days,
    lead_time is null as is_default_lead_time,
    supplier.lead_time_sd_days as lead_time_sd_days,
    coalesce(pack, 1) as pack_size,
    pack is null as is_default_pack_size,
    coalesce(moq, 1) as min_order_quantity,
    moq is null as is_default_min_order_quantity,
    coalesce(cost, unit_price::double * (1 - 0.3)) as unit_cost,
    cost is null as is_default_unit_cost,
    coalesce(product.shelf_life_days, shelf_life_days) as shelf_life_days,
    supplier_of_row as supplier_id,
    supplier.order_days as order_days,
    supplier.min_order_value::double as min_order_value,
    item.display_minimum as display_minimum,
    item.max_stock as max_stock,
    centre as supplied_by
from facts f order by day, product_id, location
"""
ORACLE_LATEST = """(select arg_max(t, (t.effective_date, t.arrived_at, t.file_key)) from {table} t
            where t.product_id = d.product_id {and_location} and t.effective_date <= d.day)"""
ORACLE_LINK = """(select arg_max(t, (t.effective_date, t.arrived_at, t.file_key)) from network t
            where t.location = d.location and t.effective_date <= d.day"""
ORACLE_TERM = """(select arg_max({term}, count_date)
            filter ({term} is not null and ('{term}' <> 'pack_size' or {term} > 0))
            from counts c where c.product_id = d.product_id and c.location = d.location
            and c.count_date between d.day - {last} and d.day) as told_{term}"""


def oracle(
    demand: list[dict[str, Any]], counts: list[dict[str, Any]], uploads: Uploads, start: date, end: date
) -> list[tuple[Any, ...]]:
    last = ACTIVE_DAYS - 1
    terms = ("lead_time_days", "pack_size", "min_order_quantity", "unit_cost")
    columns = ", ".join(ORACLE_TERM.format(term=term, last=last) for term in terms)
    connection = duckdb.connect()
    for name, table, rows in (
        ("demand", tables.DAILY_DEMAND, demand),
        ("counts", tables.INVENTORY_COUNTS, counts),
        ("products", tables.PRODUCTS, uploads.products),
        ("suppliers", tables.SUPPLIERS, uploads.suppliers),
        ("item_locations", tables.ITEM_LOCATIONS, uploads.item_locations),
        ("network", tables.NETWORK, uploads.network),
    ):
        connection.register(name, pa.Table.from_pylist(rows, schema=table.arrow_schema))
    query = ORACLE.format(
        last=last,
        terms=columns,
        latest_product=ORACLE_LATEST.format(table="products", and_location=""),
        latest_item=ORACLE_LATEST.format(table="item_locations", and_location="and t.location = d.location"),
        latest_link=ORACLE_LINK,
        start=start,
        end=end,
    )
    return connection.execute(query).fetchall()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_positions_equal_the_rules_applied_row_by_row(spark: SparkSession, seed: int) -> None:
    (demand, counts), uploads = panel(seed), panel_uploads(seed)
    start = days_ago(PANEL_DAYS - ACTIVE_DAYS)

    result = positions_of(spark, demand, counts, start, DAY, ACTIVE_DAYS, uploads)

    assert [tuple(row.values()) for row in result.to_pylist()] == oracle(demand, counts, uploads, start, DAY)
    assert {"count", "sales_lines", "unknown"} == set(result["inventory_source"].to_pylist())


def test_a_range_equals_its_single_days(spark: SparkSession) -> None:
    (demand, counts), uploads = panel(4), panel_uploads(4)
    days = [days_ago(n) for n in (5, 4, 3, 2, 1, 0)]

    single = [positions_of(spark, demand, counts, day, day, ACTIVE_DAYS, uploads) for day in days]

    assert positions_of(spark, demand, counts, days[0], DAY, ACTIVE_DAYS, uploads) == pa.concat_tables(single)


def test_nothing_beyond_the_lookback_or_after_the_day_changes_a_position(spark: SparkSession) -> None:
    (demand, counts), uploads = panel(5), panel_uploads(5)
    day = days_ago(12)
    window = (day - timedelta(days=ACTIVE_DAYS - 1), day)

    needed_demand = [row for row in demand if window[0] <= row["day"] <= window[1]]
    needed_counts = [row for row in counts if window[0] <= row["count_date"] <= window[1]]
    known = Uploads(*([row for row in lines if row["effective_date"] <= day] for lines in vars(uploads).values()))

    assert len(needed_demand) < len(demand)
    assert positions_of(spark, needed_demand, needed_counts, day, day, ACTIVE_DAYS, known) == positions_of(
        spark, demand, counts, day, day, ACTIVE_DAYS, uploads
    )


def test_every_row_of_demand_has_one_position(spark: SparkSession) -> None:
    demand, counts = panel(6)
    grain = list(tables.INVENTORY_POSITIONS.grain)

    result = positions_of(spark, demand, counts, days_ago(9), DAY, ACTIVE_DAYS, panel_uploads(6))

    expected = sorted((r["day"], r["product_id"], r["location"]) for r in demand if r["day"] >= days_ago(9))
    assert [tuple(row.values()) for row in result.select(grain).to_pylist()] == expected
