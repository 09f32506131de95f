"""A centre's stock: counts, what came in and what went out since, against the rules row by row."""

import random
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from nexgen_assets.replenishment.centres import centre_stock
from nexgen_assets.replenishment.terms import MasterData
from nexgen_assets.tables import (
    CENTRE_STOCK,
    DAILY_DEMAND,
    FIRM_LINES,
    INVENTORY_COUNTS,
    ITEM_LOCATIONS,
    NETWORK,
    OPEN_ORDERS,
    PRODUCTS,
    SUPPLIERS,
)
from nexgen_assets_tests.replenishment.test_positions import (
    DAY,
    NOTHING,
    Uploads,
    counted,
    days_ago,
    frame_of,
    sold,
    told,
)

Line = dict[str, Any]
HUB = {"product_id": "007", "location": "hub"}
LINK = told(days_ago(30), location="north", category="", supplied_by="hub")


def in_hub(day: date, on_hand: float) -> Line:
    return counted(day, on_hand=on_hand) | HUB


def ordered(day: date, units: float, supplier_id: str = "hub") -> Line:
    due = day + timedelta(days=2)
    return {"order_date": day, "product_id": "007", "location": "north", "due_date": due, "order_units": units} | {
        "supplier_id": supplier_id
    }


def received(units: float, *, is_assumed_received: bool = True) -> Line:
    return HUB | {
        "day": DAY,
        "order_source": "inventory",
        "ordered_as_of": days_ago(5),
        "order_units": units,
        "is_assumed_received": is_assumed_received,
    }


def stock_of(  # noqa: PLR0917
    spark: SparkSession,
    counts: list[Line],
    lines: list[Line] | None = None,
    open_orders: list[Line] | None = None,
    demand: list[Line] | None = None,
    network: list[Line] | None = None,
    start: date = DAY,
    end: date = DAY,
    active_days: int = 90,
    uploads: Uploads = NOTHING,
) -> pa.Table:
    found = centre_stock(
        frame_of(spark, INVENTORY_COUNTS, counts),
        frame_of(spark, OPEN_ORDERS, open_orders or []),
        pa.Table.from_pylist(lines or [], schema=FIRM_LINES.arrow_schema),
        frame_of(spark, DAILY_DEMAND, demand or []),
        start,
        end,
        told=MasterData(
            frame_of(spark, PRODUCTS, uploads.products),
            frame_of(spark, SUPPLIERS, uploads.suppliers),
            frame_of(spark, ITEM_LOCATIONS, uploads.item_locations),
            frame_of(spark, NETWORK, [LINK] if network is None else network),
        ),
        default_lead_time_days=7,
        default_margin=0.3,
        active_days=active_days,
    )
    return found.toArrow().sort_by([(name, "ascending") for name in CENTRE_STOCK.grain])


def test_a_centre_has_what_was_counted_and_came_in_less_what_was_sent_and_sold(spark: SparkSession) -> None:
    rows = stock_of(
        spark,
        [in_hub(days_ago(9), 999.0), in_hub(days_ago(3), 100.0)],
        # on the day of the count: sent before it was counted; of tomorrow: not sent yet; of another supplier: not here
        [
            *(ordered(days_ago(3), 500.0), ordered(days_ago(2), 24.0), ordered(DAY, 12.0)),
            *(ordered(days_ago(-1), 500.0), ordered(DAY, 500.0, "S1")),
        ],
        [received(40.0), received(7.0, is_assumed_received=False) | {"order_source": "decision"}],
        [sold(days_ago(3), 500) | HUB, sold(days_ago(1), 3) | HUB, sold(days_ago(1), 500)],
    )

    assert [(f.name, f.type) for f in rows.schema] == [(f.name, f.type) for f in CENTRE_STOCK.arrow_schema]
    terms = ("on_order_units", *CENTRE_STOCK.names[CENTRE_STOCK.names.index("inventory_source") :])
    assert rows["on_order_units"].to_pylist() == [7]
    assert rows.drop_columns(list(dict.fromkeys(terms))).to_pylist() == [
        HUB
        | {
            "day": DAY,
            "on_hand": 101.0,
            "on_hand_as_of": days_ago(3),
            "is_on_hand_estimated": True,
            "counted_units": 100.0,
            "received_units": 40.0,
            "sent_units": 36.0,
            "sold_units": 3.0,
            "committed_units": 0.0,
        }
    ]


@pytest.mark.parametrize(("sold_since", "still_promised"), [(0, 30), (12, 18), (45, 0)])
def test_what_a_centre_has_promised_it_does_not_give(
    spark: SparkSession, sold_since: int, still_promised: float
) -> None:
    count = in_hub(days_ago(3), 100.0) | {"committed_units": 30.0}

    [row] = stock_of(spark, [count], demand=[sold(days_ago(1), sold_since) | HUB]).to_pylist()

    assert row["committed_units"] == still_promised
    assert row["on_hand"] == 100 - max(30, sold_since)


def test_a_centre_has_nothing_rather_than_less(spark: SparkSession) -> None:
    [row] = stock_of(spark, [in_hub(days_ago(1), 10.0)], [ordered(DAY, 24.0)]).to_pylist()

    assert (row["on_hand"], row["sent_units"]) == (0, 24)


@pytest.mark.parametrize(("counted_on", "rows"), [(DAY, 1), (days_ago(89), 1), (days_ago(90), 0), (days_ago(-1), 0)])
def test_a_count_is_known_from_its_day_on_and_forgotten_in_time(
    spark: SparkSession, counted_on: date, rows: int
) -> None:
    assert stock_of(spark, [in_hub(counted_on, 5.0)]).num_rows == rows


@pytest.mark.parametrize(
    ("network", "days"),
    [
        ([], 0),
        ([LINK | {"effective_date": days_ago(1)}], 2),
        ([LINK, told(days_ago(1), location="north", category="", supplied_by=None)], 2),
        ([LINK, told(days_ago(1), location="north", category="dairy", supplied_by="depot")], 4),
    ],
    ids=["no network", "from a day on", "until another line", "another category"],
)
def test_a_location_is_a_centre_as_long_as_it_supplies_something(
    spark: SparkSession, network: list[Line], days: int
) -> None:
    rows = stock_of(spark, [in_hub(days_ago(9), 5.0)], network=network, start=days_ago(3))

    assert rows.num_rows == days


def test_a_centre_has_terms_of_supply_as_any_location_has(spark: SparkSession) -> None:
    """Those of the count go before those of the item location, then the supplier's and the product's."""
    uploads = Uploads(
        products=[told(days_ago(9), product_id="007", unit_cost=Decimal("2.5"), pack_size=24.0, supplier_id="S1")],
        suppliers=[
            told(days_ago(9), supplier_id="S1", lead_time_days=9.0, order_days="mon", min_order_value=Decimal(50))
        ],
        item_locations=[told(days_ago(9), product_id="007", location="hub", max_stock=300.0)],
    )
    count = in_hub(days_ago(3), 10.0) | {"pack_size": 48.0, "lead_time_days": None, "unit_cost": None}

    [row] = stock_of(spark, [count, in_hub(days_ago(1), 9.0)], uploads=uploads).to_pylist()

    assert (row["supplier_id"], row["lead_time_days"], row["order_days"]) == ("S1", 9, "mon")
    assert (row["pack_size"], row["unit_cost"], row["max_stock"], row["min_order_value"]) == (48, 2.5, 300, 50)
    assert (row["is_default_lead_time"], row["is_default_min_order_quantity"]) == (False, True)
    assert (row["inventory_source"], row["supplied_by"]) == ("count", None)


def test_what_nobody_told_of_a_centre_is_assumed_and_its_cost_is_not(spark: SparkSession) -> None:
    untold = dict.fromkeys(("pack_size", "lead_time_days", "unit_cost", "min_order_quantity"))

    [row] = stock_of(spark, [in_hub(DAY, 9.0) | untold]).to_pylist()

    assert (row["lead_time_days"], row["is_default_lead_time"]) == (7, True)
    assert (row["pack_size"], row["is_default_pack_size"]) == (1, True)
    assert (row["unit_cost"], row["is_default_unit_cost"]) == (None, False)


ORACLE = """
with days as (select unnest(generate_series(date '{start}', date '{end}', interval 1 day))::date as day),
centres as (
    select distinct day, supplied_by as location from days, network n
    where supplied_by is not null and effective_date <= day and not exists (
        select 1 from network later where later.location = n.location and later.category = n.category
        and later.effective_date <= day and (later.effective_date, later.file_key) > (n.effective_date, n.file_key))
), known as (
    select c.day, x.product_id, c.location, max(x.count_date) as as_of
    from centres c join counts x on x.location = c.location and x.count_date between c.day - 9 and c.day group by all
)
select day, product_id, location, as_of,
    round(greatest(0, (select on_hand from counts c where c.product_id = k.product_id and c.location = k.location
        and c.count_date = k.as_of)
    + coalesce((select sum(order_units) from orders o where o.product_id = k.product_id and o.location = k.location
        and o.day = k.day and is_assumed_received), 0)
    - coalesce((select sum(order_units) from firm f where f.product_id = k.product_id and f.supplier_id = k.location
        and order_date > as_of and order_date <= k.day), 0)
    - greatest(coalesce((select sum(demand_units)::double from demand d where d.product_id = k.product_id
        and d.location = k.location and d.day > as_of and d.day <= k.day), 0),
        coalesce((select committed_units from counts c where c.product_id = k.product_id
        and c.location = k.location and c.count_date = k.as_of), 0))), 3) as on_hand
from known k order by all
"""


@pytest.mark.parametrize("seed", [1, 2])
def test_stock_equals_the_rules_row_by_row_and_a_range_its_days(spark: SparkSession, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311
    products, hubs, days = ["a", "b"], ["hub", "depot"], [days_ago(n) for n in range(20)]

    def some(n: int, make: Any) -> list[Line]:
        return [make(number) for number in range(n)]

    network = some(
        6,
        lambda n: told(
            rng.choice(days),
            location=rng.choice(["north", "south"]),
            category=rng.choice(["", "dairy"]),
            supplied_by=rng.choice([*hubs, None]),
            file_key=f"{n}.csv",
        ),
    )
    keys = rng.sample([(p, h, d) for p in products for h in hubs for d in days], 12)
    counts = [
        counted(day, on_hand=float(rng.randint(0, 99)), committed_units=rng.choice([None, 0.0, 2.0, 7.0]))
        | {"product_id": p, "location": h}
        for p, h, d in keys
        for day in [d]
    ]
    firm = some(
        30,
        lambda _: (
            ordered(rng.choice(days), float(rng.randint(1, 9)), rng.choice([*hubs, "S1"]))
            | {"product_id": rng.choice(products)}
        ),
    )
    demand = some(
        20, lambda _: sold(rng.choice(days), 1.5) | {"product_id": rng.choice(products), "location": rng.choice(hubs)}
    )
    orders = some(
        20,
        lambda n: (
            received(float(n), is_assumed_received=rng.random() < 0.7)
            | {"day": rng.choice(days), "product_id": rng.choice(products), "location": rng.choice(hubs)}
        ),
    )
    inputs = (counts, firm, orders, demand, network)
    start = days_ago(9)

    rows = stock_of(spark, *inputs, start, DAY, 10)

    connection = duckdb.connect()
    named = {"network": (NETWORK, network), "counts": (INVENTORY_COUNTS, counts), "firm": (FIRM_LINES, firm)}
    named |= {"demand": (DAILY_DEMAND, demand), "orders": (OPEN_ORDERS, orders)}
    for name, (table, lines) in named.items():
        connection.register(name, pa.Table.from_pylist(lines, schema=table.arrow_schema))
    expected = connection.execute(ORACLE.format(start=start, end=DAY)).fetchall()
    assert expected
    assert [
        tuple(row[n] for n in ("day", "product_id", "location", "on_hand_as_of", "on_hand")) for row in rows.to_pylist()
    ] == expected
    single = [stock_of(spark, *inputs, days_ago(n), days_ago(n), 10) for n in range(9, -1, -1)]
    assert pa.concat_tables(single) == rows
