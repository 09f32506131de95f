"""Open orders: which lines count on a day, until when, and from when on they are assumed received."""

import random
from datetime import date, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from nexgen_assets.replenishment.open_orders import open_orders
from nexgen_assets.tables import DAILY_DEMAND, FIRM_LINES, INVENTORY_COUNTS, OPEN_ORDERS
from nexgen_assets_tests.replenishment.test_positions import DAY, SERIES, counted, days_ago, frame_of, sold

Line = dict[str, Any]


def firm(ordered: date, due: date, units: float = 24.0, **more: Any) -> Line:
    return SERIES | {"order_date": ordered, "due_date": due, "order_units": units} | more


def orders_of(  # noqa: PLR0917
    spark: SparkSession,
    lines: list[Line],
    counts: list[Line] | None = None,
    demand: list[Line] | None = None,
    start: date = DAY,
    end: date = DAY,
    active_days: int = 90,
) -> pa.Table:
    found = open_orders(
        pa.Table.from_pylist(lines, schema=FIRM_LINES.arrow_schema),
        frame_of(spark, INVENTORY_COUNTS, counts or []),
        frame_of(spark, DAILY_DEMAND, demand or []),
        start,
        end,
        active_days=active_days,
    )
    return found.toArrow().sort_by([(name, "ascending") for name in OPEN_ORDERS.grain])


def told(rows: pa.Table) -> list[tuple[Any, ...]]:
    """Who told of each line, its units, and whether they are assumed received."""
    return [(row["order_source"], row["order_units"], row["is_assumed_received"]) for row in rows.to_pylist()]


def test_open_orders_have_the_columns_of_the_contract(spark: SparkSession) -> None:
    rows = orders_of(spark, [firm(DAY, days_ago(-2))])

    assert [(f.name, f.type) for f in rows.schema] == [(f.name, f.type) for f in OPEN_ORDERS.arrow_schema]
    assert rows.to_pylist() == [
        SERIES
        | {
            "day": DAY,
            "order_source": "decision",
            "ordered_as_of": DAY,
            "due_date": days_ago(-2),
            "order_units": 24.0,
            "is_assumed_received": False,
        }
    ]


@pytest.mark.parametrize(
    ("ordered", "due", "expected"),
    [
        (days_ago(-1), days_ago(-3), []),  # ordered tomorrow
        (DAY, days_ago(-3), [("decision", 24, False)]),
        (days_ago(3), days_ago(-1), [("decision", 24, False)]),
        (days_ago(3), DAY, [("decision", 24, True)]),
        (DAY, DAY, [("decision", 24, True)]),
        (days_ago(92), days_ago(89), [("decision", 24, True)]),
        (days_ago(93), days_ago(90), []),  # no stock figure is that old
    ],
)
def test_a_firm_line_counts_from_its_order_date_and_is_received_when_due(
    spark: SparkSession, ordered: date, due: date, expected: list[tuple[Any, ...]]
) -> None:
    assert told(orders_of(spark, [firm(ordered, due)])) == expected


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (counted(days_ago(6), on_order_units=5.0), [("inventory", 5, False), ("decision", 24, False)]),
        (counted(days_ago(5), on_order_units=5.0), [("inventory", 5, False)]),  # the day of the order
        (counted(days_ago(5), on_order_units=0.0), []),
        (counted(days_ago(5), on_order_units=None), [("decision", 24, False)]),
        (counted(days_ago(-1), on_order_units=0.0), [("decision", 24, False)]),  # tomorrow's
        (counted(DAY, on_order_units=0.0, location="south"), [("decision", 24, False)]),
    ],
)
def test_a_count_that_tells_what_is_on_order_replaces_the_lines_ordered_up_to_its_day(
    spark: SparkSession, count: Line, expected: list[tuple[Any, ...]]
) -> None:
    rows = orders_of(spark, [firm(days_ago(5), days_ago(-1))], [count])

    assert sorted(told(rows), key=str) == sorted(expected, key=str)


def test_what_a_count_has_replaced_does_not_return_when_the_count_is_forgotten(spark: SparkSession) -> None:
    line, count = firm(days_ago(200), days_ago(-50)), counted(days_ago(150), on_order_units=0.0)

    assert told(orders_of(spark, [line], [count])) == []


@pytest.mark.parametrize(
    ("counted_on", "expected"), [(days_ago(3), [("decision", 24, True)]), (days_ago(2), []), (DAY, [])]
)
def test_a_count_since_the_due_date_holds_the_units_whether_it_tells_orders_or_not(
    spark: SparkSession, counted_on: date, expected: list[tuple[Any, ...]]
) -> None:
    rows = orders_of(spark, [firm(days_ago(5), days_ago(2))], [counted(counted_on, on_order_units=None)])

    assert told(rows) == expected


@pytest.mark.parametrize(("as_of", "is_open"), [(days_ago(3), True), (days_ago(2), False), (days_ago(1), False)])
def test_a_stock_level_since_the_due_date_holds_the_units(spark: SparkSession, as_of: date, is_open: bool) -> None:
    demand = [sold(DAY, 1, stock_level=5, stock_level_as_of=as_of)]

    assert bool(told(orders_of(spark, [firm(days_ago(5), days_ago(2))], [], demand))) == is_open


def test_a_stock_level_before_the_due_date_leaves_the_line_open(spark: SparkSession) -> None:
    demand = [sold(DAY, 1, stock_level=5, stock_level_as_of=DAY)]

    assert told(orders_of(spark, [firm(days_ago(1), days_ago(-1))], [], demand)) == [("decision", 24, False)]


@pytest.mark.parametrize("later", [counted(days_ago(1), on_order_units=None), None])
def test_counted_units_with_a_due_date_outlast_a_count_that_tells_no_orders(
    spark: SparkSession, later: Line | None
) -> None:
    count = counted(days_ago(4), on_order_units=10.0, on_order_due_date=days_ago(-1))

    rows = orders_of(spark, [], [count, *([later] if later else [])])

    assert told(rows) == [("inventory", 10, False)]


@pytest.mark.parametrize("due", [None, days_ago(4), days_ago(9)])
def test_counted_units_that_nobody_knows_the_due_date_of_end_with_the_next_count(
    spark: SparkSession, due: date | None
) -> None:
    count = counted(days_ago(4), on_order_units=10.0, on_order_due_date=due)
    assert told(orders_of(spark, [], [count])) == [("inventory", 10, False)]

    assert told(orders_of(spark, [], [count, counted(days_ago(1), on_order_units=None)])) == []


def test_several_orders_of_one_product_are_lines_of_their_own(spark: SparkSession) -> None:
    lines = [firm(days_ago(n), days_ago(n - 2), 6.0 * n) for n in (1, 2, 3)]

    assert told(orders_of(spark, lines)) == [("decision", 18, True), ("decision", 12, True), ("decision", 6, False)]


# any panel: the rules again, one line and day at a time

ACTIVE_DAYS = 12
ORACLE = """
with days as (select unnest(generate_series(date '{start}', date '{end}', interval 1 day))::date as day),
lines as (
    select product_id, location, 'decision' as source, order_date as since, due_date as due, order_units as units,
        order_date as replaced_by_count_from, due_date as known_due
    from firm
    union all
    select product_id, location, 'inventory', count_date, on_order_due_date, on_order_units, count_date + 1,
        if(on_order_due_date > count_date, on_order_due_date, null)
    from counts where on_order_units > 0
)
select day, l.product_id, l.location, source, since, due, units, coalesce(known_due <= day, false)
from days, lines l
where since <= day
    and case when source = 'decision' then due > day - {active} else since > day - {active} end
    and not exists (select 1 from counts c where c.product_id = l.product_id and c.location = l.location
        and c.count_date <= day and c.count_date >= replaced_by_count_from
        and (c.on_order_units is not null or known_due is null))
    and not exists (select 1 from counts c where c.product_id = l.product_id and c.location = l.location
        and c.count_date <= day and c.count_date >= known_due)
    and not exists (select 1 from demand d where d.product_id = l.product_id and d.location = l.location
        and d.day = days.day and d.stock_level_as_of >= known_due)
order by 1, 2, 3, 4, 5
"""


def panel(seed: int) -> tuple[list[Line], list[Line], list[Line]]:
    rng = random.Random(seed)  # noqa: S311
    lines, counts, demand = [], [], []
    for series in range(10):
        ids = {"product_id": f"{series:02d}", "location": rng.choice(["north", "south"])}
        level = None
        for n in range(30, -3, -1):
            day = days_ago(n)
            if rng.random() < 0.3:
                lines.append(firm(day, day + timedelta(days=rng.randint(0, 9)), float(rng.randint(1, 40))) | ids)
            if series % 2 and rng.random() < 0.2:
                due = rng.choice([None, day + timedelta(days=rng.randint(-2, 8))])
                units = rng.choice([None, 0.0, float(rng.randint(1, 20))])
                counts.append(counted(day, on_order_units=units, on_order_due_date=due) | ids)
            if series % 3 == 0 and rng.random() < 0.2:
                level = day
            if rng.random() < 0.8:
                demand.append(sold(day, 1, stock_level_as_of=level) | ids)
    return lines, counts, demand


def oracle(lines: list[Line], counts: list[Line], demand: list[Line], start: date, end: date) -> list[tuple[Any, ...]]:
    connection = duckdb.connect()
    for name, table, rows in (
        ("firm", FIRM_LINES, lines),
        ("counts", INVENTORY_COUNTS, counts),
        ("demand", DAILY_DEMAND, demand),
    ):
        connection.register(name, pa.Table.from_pylist(rows, schema=table.arrow_schema))
    return connection.execute(ORACLE.format(start=start, end=end, active=ACTIVE_DAYS)).fetchall()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_open_orders_equal_the_rules_applied_line_by_line(spark: SparkSession, seed: int) -> None:
    lines, counts, demand = panel(seed)

    rows = orders_of(spark, lines, counts, demand, days_ago(20), DAY, ACTIVE_DAYS)

    assert [tuple(row.values()) for row in rows.to_pylist()] == oracle(lines, counts, demand, days_ago(20), DAY)
    assert {("decision", True), ("decision", False), ("inventory", True), ("inventory", False)} == {
        (row[0], row[2]) for row in told(rows)
    }


def test_a_range_equals_its_single_days(spark: SparkSession) -> None:
    lines, counts, demand = panel(4)
    days = [days_ago(n) for n in range(6, -1, -1)]

    single = [orders_of(spark, lines, counts, demand, day, day, ACTIVE_DAYS) for day in days]

    assert orders_of(spark, lines, counts, demand, days[0], DAY, ACTIVE_DAYS) == pa.concat_tables(single)
