"""What a row of daily_demand says, against SQL over plain lines, and that a range of days equals its days."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from nexgen_assets.sales.assortment import Told
from nexgen_assets.sales.demand import daily_demand
from nexgen_assets.sales.opening import USUAL_LINES
from nexgen_assets.tables import CALENDAR, CLEANED_SALES, DAILY_DEMAND, ITEM_LOCATIONS, PRODUCTS, Table

FIRST = date(2024, 1, 1)
ACTIVE_DAYS = 4

ZONE = "Pacific/Auckland"

# Each row of day d is computed anew from the lines of the last ACTIVE_DAYS days and the master data that d knows: no
# window functions, no carrying. The last of several lines is the one with the largest (date, arrival, file, line).
ORACLE = f"""
with days as (select unnest(generate_series(date '{{start}}', date '{{end}}', interval 1 day))::date as day),
seen as (
    select d.day, l.product_id, l.location, l.day as line_day, (l.file_key, l.line_number) as place, l.*
    exclude (day, product_id, location)
    from days d join lines l on l.day between d.day - {ACTIVE_DAYS - 1} and d.day
),
prices as (
    select day, product_id, location, line_day,
        coalesce(
            (sum(amount) filter (amount >= 0))::double / (sum(quantity) filter (amount >= 0))::double,
            avg(unit_price)::double
        ) as price
    from seen where not is_return group by all
),
latest_price as (
    select day, product_id, location, max_by(price, line_day) filter (price is not null) as unit_price_,
        max(line_day) filter (price is not null) as unit_price_as_of_
    from prices group by all
),
latest_promotion as (
    select day, product_id, location, max(line_day) as told_promotion
    from seen where not is_return and is_promotion is not null group by all
),
latest_stock as (
    select day, product_id, location,
        max(line_day) filter (stock_level is not null) as stock_day,
        max(line_day) filter (not is_return) as sale_day,
        max_by(stock_level, (line_day, place)) filter (stock_level is not null) as stock
    from seen group by all
),
told as (
    select d.day, i.product_id, i.location, i.effective_date, i.is_active, i.effective_date > d.day as is_plan,
        not exists (
            from item_locations o where o.product_id = i.product_id and o.location = i.location
            and o.effective_date = i.effective_date
            and (o.effective_date <= d.day or (o.arrived_at at time zone '{ZONE}')::date <= d.day + 1)
            and (o.arrived_at, o.file_key, o.line_number) > (i.arrived_at, i.file_key, i.line_number)
        ) as is_last
    from days d join item_locations i
    on i.effective_date <= d.day or (i.arrived_at at time zone '{ZONE}')::date <= d.day + 1
),
in_force as (
    select day, product_id, location, arg_max(coalesce(is_active::int, -1), effective_date) as listed,
        max(effective_date) as since
    from told where is_last and not is_plan group by all
),
plans as (
    select day, product_id, location, min(effective_date) as planned
    from told where is_last and is_plan and not is_active group by all
),
described as (
    select d.day, p.product_id, arg_max(coalesce(p.product_name, ''), (p.effective_date, p.arrived_at)) as told_name,
        arg_max(coalesce(p.category, ''), (p.effective_date, p.arrived_at)) as told_category
    from days d join products p on p.effective_date <= d.day group by all
),
grid as (
    select day, product_id, location from in_force where listed = 1
    union
    select day, product_id, location from seen left join in_force using (day, product_id, location)
    group by all
    having bool_or(line_day = day) or (bool_or(not is_return) and coalesce(any_value(listed), -1) = -1)
)
select day, product_id, location,
    coalesce(
        max_by(product_name, (line_day, place)) filter (product_name is not null), nullif(any_value(told_name), '')
    ) as product_name,
    coalesce(
        max_by(category, (line_day, place)) filter (category is not null), nullif(any_value(told_category), '')
    ) as category,
    coalesce(any_value(listed), -1) = 1 and not coalesce(bool_or(not is_return), false) as is_unsold,
    case when any_value(listed) = 0 then any_value(since) else any_value(planned) end as delisted_on,
    coalesce(sum(quantity) filter (line_day = day and not is_return), 0)::decimal(18,3) as demand_units,
    coalesce(-sum(quantity) filter (line_day = day and is_return), 0)::decimal(18,3) as returned_units,
    coalesce(sum(amount) filter (line_day = day), 0)::decimal(18,4) as revenue,
    count(*) filter (line_day = day and not is_return) as sales_lines,
    any_value(unit_price_) as unit_price,
    any_value(unit_price_as_of_) as unit_price_as_of,
    bool_or(is_promotion) filter (not is_return and line_day = told_promotion) as is_promotion,
    any_value(told_promotion) as is_promotion_as_of,
    true as is_open, true as is_open_inferred,
    coalesce(day - max(line_day) filter (not is_return), {ACTIVE_DAYS}) as days_since_sale,
    max_by(stock_level, (line_day, place)) filter (stock_level is not null) as stock_level,
    max(line_day) filter (stock_level is not null) as stock_level_as_of,
    max_by(stock_level, place) filter (stock_level is not null and line_day = day) <= 0 as is_stockout,
    coalesce(any_value(stock_day < day and stock <= 0 and coalesce(sale_day <= stock_day, true)), false)
        as is_stockout_assumed,
    max_by(lead_time_days, (line_day, place)) filter (lead_time_days is not null) as lead_time_days,
    max_by(supplier_delay_days, (line_day, place)) filter (supplier_delay_days is not null) as supplier_delay_days,
    max_by(shelf_life_days, (line_day, place)) filter (shelf_life_days is not null) as shelf_life_days
from grid
left join in_force using (day, product_id, location)
left join plans using (day, product_id, location)
left join described using (day, product_id)
left join seen using (day, product_id, location)
left join latest_price using (day, product_id, location)
left join latest_promotion using (day, product_id, location)
left join latest_stock using (day, product_id, location)
group by day, product_id, location
order by all
"""


def lines_of(*lines: dict) -> pa.Table:
    """Cleaned lines from the columns that matter to a test."""
    defaults = {
        "day": FIRST,
        "file_key": "sales.csv",
        "file_version": "1",
        "product_id": "A",
        "location": "S",
        "quantity": Decimal(1),
        "is_near_duplicate": False,
    }
    rows = []
    for number, line in enumerate(lines, start=2):
        row = defaults | {"line_number": number} | line
        rows.append(row | {"is_return": row["quantity"] < 0})
    return pa.Table.from_pylist(rows, CLEANED_SALES.arrow_schema)


def uploaded(table: Table, *lines: dict) -> pa.Table:
    """Lines of an upload from the columns that matter to a test; without an arrival, landed on the day they hold."""
    rows = []
    for number, line in enumerate(lines, start=2):
        effective_date = line.get("effective_date", FIRST)
        arrived_at = datetime.combine(effective_date, datetime.min.time(), UTC)
        defaults = {"effective_date": effective_date, "arrived_at": arrived_at, "file_key": "a.csv"}
        rows.append({"product_id": "A", "location": "S", **defaults, "line_number": number} | line)
    return pa.Table.from_pylist(rows, schema=table.arrow_schema)


NO_LISTINGS, NO_PRODUCTS = uploaded(ITEM_LOCATIONS), uploaded(PRODUCTS)


def demand_of(  # noqa: PLR0917
    spark: SparkSession,
    lines: pa.Table,
    start: date,
    end: date,
    active_days: int = ACTIVE_DAYS,
    listings: pa.Table = NO_LISTINGS,
    products: pa.Table = NO_PRODUCTS,
) -> DataFrame:
    def frame(table: Table, rows: pa.Table) -> DataFrame:
        return spark.createDataFrame(rows, table.spark_ddl)

    nothing_planned = frame(CALENDAR, CALENDAR.arrow_schema.empty_table())
    told = Told(frame(PRODUCTS, products), frame(ITEM_LOCATIONS, listings), ZONE)
    return daily_demand(frame(CLEANED_SALES, lines), nothing_planned, told, start, end, active_days)


def demand(  # noqa: PLR0917
    spark: SparkSession,
    lines: pa.Table,
    start: date,
    end: date,
    active_days: int = ACTIVE_DAYS,
    listings: pa.Table = NO_LISTINGS,
    products: pa.Table = NO_PRODUCTS,
) -> list[dict]:
    rows = demand_of(spark, lines, start, end, active_days, listings, products).toArrow().to_pylist()
    return sorted(rows, key=lambda row: (row["day"], row["product_id"], row["location"]))


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


maybe_units = st.none() | st.integers(-2, 5).map(Decimal)
maybe_days = st.none() | st.sampled_from([1.0, 7.5])
sales_lines = st.builds(
    dict,
    day=st.integers(0, 11).map(day),
    file_key=st.sampled_from(["a.csv", "b.csv"]),
    product_id=st.sampled_from(["A", "B"]),
    location=st.sampled_from(["S", "T"]),
    quantity=st.sampled_from([Decimal(-1), Decimal(1), Decimal("2.5"), Decimal(4)]),
    unit_price=st.none() | st.sampled_from([Decimal("2.5"), Decimal("3.25")]),
    is_promotion=st.none() | st.booleans(),
    product_name=st.none() | st.sampled_from(["Milk", "Fresh milk"]),
    category=st.none() | st.just("Dairy"),
    stock_level=maybe_units,
    lead_time_days=maybe_days,
    supplier_delay_days=maybe_days,
    shelf_life_days=maybe_days,
).flatmap(
    lambda line: st.sampled_from([None, Decimal(0), Decimal(3), Decimal("7.5")]).map(
        lambda amount: line | {"amount": -amount if amount is not None and line["quantity"] < 0 else amount}
    )
)
histories = st.lists(sales_lines, min_size=1, max_size=14).map(lambda lines: lines_of(*lines))
listed_lines = st.builds(
    dict,
    product_id=st.sampled_from(["A", "B", "C"]),
    location=st.sampled_from(["S", "U"]),
    is_active=st.sampled_from([True, True, False, None]),
    effective_date=st.integers(-3, 12).map(day),
    arrived_at=st.integers(-4 * 24, 12 * 24).map(lambda hour: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=hour)),
    file_key=st.sampled_from(["a.csv", "b.csv"]),
)
assortments = st.lists(listed_lines, max_size=8).map(lambda lines: uploaded(ITEM_LOCATIONS, *lines))
described_lines = st.builds(
    dict,
    product_id=st.sampled_from(["A", "B", "C"]),
    product_name=st.none() | st.just("Soy milk"),
    category=st.none() | st.just("Vegan"),
    effective_date=st.integers(-3, 9).map(day),
)
catalogues = st.lists(
    described_lines, max_size=4, unique_by=lambda line: (line["product_id"], line["effective_date"])
).map(lambda lines: uploaded(PRODUCTS, *lines))
some_examples = settings(
    max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def test_the_table_keeps_the_contract(spark: SparkSession) -> None:
    table = demand_of(spark, lines_of({}), FIRST, FIRST).toArrow()
    assert table.schema.names == DAILY_DEMAND.names
    assert table.schema.types == DAILY_DEMAND.arrow_schema.types


@some_examples
@given(lines=histories, listings=assortments, products=catalogues)
def test_each_row_says_what_sql_says_of_its_own_window(
    spark: SparkSession, lines: pa.Table, listings: pa.Table, products: pa.Table
) -> None:
    start, end = day(3), day(9)
    with duckdb.connect() as sql:
        for name, rows in {"lines": lines, "item_locations": listings, "products": products}.items():
            sql.register(name, rows)
        expected = sql.sql(ORACLE.format(start=start, end=end)).to_arrow_table().to_pylist()

    rows = demand(spark, lines, start, end, ACTIVE_DAYS, listings, products)

    prices = [row.pop("unit_price") for row in rows]
    expected_prices = [row.pop("unit_price") for row in expected]
    assert rows == expected
    assert [price and float(price) for price in prices] == pytest.approx(expected_prices, abs=5.1e-5)


@some_examples
@given(lines=histories, listings=assortments, products=catalogues)
def test_a_range_of_days_equals_its_days_one_by_one(
    spark: SparkSession, lines: pa.Table, listings: pa.Table, products: pa.Table
) -> None:
    days = [day(number) for number in range(3, 10)]
    told = (ACTIVE_DAYS, listings, products)
    one_by_one = demand_of(spark, lines, days[0], days[0], *told)
    for single in days[1:]:
        one_by_one = one_by_one.unionByName(demand_of(spark, lines, single, single, *told))
    at_once = demand_of(spark, lines, days[0], days[-1], *told)
    order = ("day", "product_id", "location")
    assert at_once.orderBy(*order).toArrow() == one_by_one.orderBy(*order).toArrow()


@some_examples
@given(lines=histories)
def test_units_and_money_are_conserved(spark: SparkSession, lines: pa.Table) -> None:
    rows = demand(spark, lines, day(0), day(11))
    sold = [(line["quantity"], line["amount"] or Decimal(0)) for line in lines.to_pylist()]
    assert sum(row["demand_units"] - row["returned_units"] for row in rows) == sum(units for units, _ in sold)
    assert sum(row["revenue"] for row in rows) == sum(amount for _, amount in sold)
    assert sum(row["sales_lines"] for row in rows) == sum(units > 0 for units, _ in sold)


def test_a_product_has_zero_days_until_it_counts_as_inactive(spark: SparkSession) -> None:
    rows = demand(spark, lines_of({}), day(0), day(9), active_days=4)
    assert [(row["day"], row["demand_units"], row["days_since_sale"]) for row in rows] == [
        (day(0), 1, 0),
        (day(1), 0, 1),
        (day(2), 0, 2),
        (day(3), 0, 3),
    ]


def test_a_product_does_not_exist_before_its_first_sale(spark: SparkSession) -> None:
    assert demand(spark, lines_of({"day": day(5)}), day(0), day(4)) == []


def test_a_listed_product_has_zero_days_before_its_first_sale_and_long_after_its_last(spark: SparkSession) -> None:
    listings = uploaded(ITEM_LOCATIONS, {"effective_date": day(1), "is_active": True})
    rows = demand(spark, lines_of({"day": day(3)}), day(0), day(8), 4, listings)
    assert [(row["day"], row["demand_units"], row["is_unsold"]) for row in rows] == [
        *((day(n), 0, True) for n in (1, 2)),
        (day(3), 1, False),
        *((day(n), 0, False) for n in (4, 5, 6)),
        *((day(n), 0, True) for n in (7, 8)),
    ]


def test_a_listed_product_is_described_by_the_product_upload_until_a_line_tells_more(spark: SparkSession) -> None:
    listings = uploaded(ITEM_LOCATIONS, {"is_active": True})
    products = uploaded(PRODUCTS, {"product_name": "Soy milk", "category": "Vegan"})
    rows = demand(spark, lines_of({"day": day(1), "category": "Dairy"}), day(0), day(1), 4, listings, products)
    assert [(row["product_name"], row["category"]) for row in rows] == [("Soy milk", "Vegan"), ("Soy milk", "Dairy")]


def test_the_first_product_of_a_new_location_is_open_for_sale(spark: SparkSession) -> None:
    listings = uploaded(ITEM_LOCATIONS, {"location": "new", "is_active": True})
    [row] = demand(spark, lines_of(), day(0), day(0), 4, listings)
    assert (row["location"], row["is_open"], row["is_open_inferred"], row["stock_level"]) == ("new", True, True, None)


def test_a_delisted_product_has_rows_only_on_days_on_which_it_is_sold_off(spark: SparkSession) -> None:
    listings = uploaded(ITEM_LOCATIONS, {"effective_date": day(2), "is_active": False})
    lines = lines_of({}, {"day": day(4), "quantity": Decimal(3)})
    rows = demand(spark, lines, day(0), day(7), 90, listings)
    assert [(row["day"], row["demand_units"]) for row in rows] == [(day(0), 1), (day(1), 0), (day(4), 3)]
    assert rows[-1]["delisted_on"] == day(2)


def test_a_line_that_does_not_tell_leaves_the_rule_of_the_active_days(spark: SparkSession) -> None:
    told = [{"is_active": True}, {"effective_date": day(5), "is_active": None, "max_stock": 4.0}]
    rows = demand(spark, lines_of({"day": day(2)}), day(0), day(9), 5, uploaded(ITEM_LOCATIONS, *told))
    assert [row["day"] for row in rows] == [day(n) for n in range(7)]


def test_a_delisting_ahead_is_known_from_the_day_before_its_file_arrives(spark: SparkSession) -> None:
    """The orders of a day are placed on the next one; in Auckland that began at noon (UTC) of the 3rd."""
    plan = {"effective_date": day(9), "is_active": False, "arrived_at": datetime(2024, 1, 3, 12, tzinfo=UTC)}
    rows = demand(spark, lines_of({}), day(0), day(4), 90, uploaded(ITEM_LOCATIONS, plan))
    assert [row["delisted_on"] for row in rows] == [None, None, day(9), day(9), day(9)]


def test_a_plan_is_withdrawn_by_a_later_file_for_the_same_day(spark: SparkSession) -> None:
    arrivals = [datetime(2024, 1, n, tzinfo=UTC) for n in (1, 4)]
    plans = [{"effective_date": day(9), "is_active": n == 1, "arrived_at": at} for n, at in enumerate(arrivals)]
    rows = demand(spark, lines_of({}), day(0), day(4), 90, uploaded(ITEM_LOCATIONS, *plans))
    assert [row["delisted_on"] for row in rows] == [day(9), day(9), None, None, None]


def test_a_return_long_after_the_sale_has_a_row_on_its_day_only(spark: SparkSession) -> None:
    back = {"day": day(6), "quantity": Decimal(-2), "amount": Decimal(-5)}
    rows = demand(spark, lines_of({}, back), day(4), day(9), active_days=4)
    assert [(r["day"], r["demand_units"], r["returned_units"], r["revenue"], r["days_since_sale"]) for r in rows] == [
        (day(6), 0, 2, -5, 4)
    ]


def test_a_return_does_not_prolong_activity(spark: SparkSession) -> None:
    rows = demand(spark, lines_of({}, {"day": day(2), "quantity": Decimal(-1)}), day(0), day(9), active_days=4)
    assert [row["day"] for row in rows] == [day(0), day(1), day(2), day(3)]


def test_a_stock_level_older_than_the_window_is_unknown(spark: SparkSession) -> None:
    lines = lines_of({"stock_level": Decimal(9)}, {"day": day(3)})
    rows = demand(spark, lines, day(3), day(4), active_days=4)
    assert [(row["stock_level"], row["stock_level_as_of"]) for row in rows] == [(9, day(0)), (None, None)]


@pytest.mark.parametrize(("stock", "is_stockout"), [(Decimal(0), True), (Decimal(-1), True), (Decimal(3), False)])
def test_a_stockout_is_known_only_for_the_day_of_the_stock_level(
    spark: SparkSession, stock: Decimal, is_stockout: bool
) -> None:
    rows = demand(spark, lines_of({"stock_level": stock}), day(0), day(1))
    assert [row["is_stockout"] for row in rows] == [is_stockout, None]


def test_the_stock_level_of_a_day_is_that_of_its_last_line(spark: SparkSession) -> None:
    lines = lines_of(
        {"line_number": 10, "stock_level": Decimal(7)},
        {"line_number": 9, "stock_level": Decimal(8)},
        {"line_number": 11},
    )
    assert demand(spark, lines, day(0), day(0))[0]["stock_level"] == 7


def test_the_price_is_the_revenue_weighted_mean_of_the_latest_day_sold(spark: SparkSession) -> None:
    lines = lines_of(
        {"quantity": Decimal(1), "amount": Decimal(10)},
        {"quantity": Decimal(3), "amount": Decimal(24)},
        {"unit_price": Decimal(99)},
    )
    assert [row["unit_price"] for row in demand(spark, lines, day(0), day(1))] == [Decimal("8.5"), Decimal("8.5")]


def test_the_price_is_the_mean_of_the_prices_told_where_no_amount_is(spark: SparkSession) -> None:
    lines = lines_of({"unit_price": Decimal(2)}, {"unit_price": Decimal("2.5")})
    assert demand(spark, lines, day(0), day(0))[0]["unit_price"] == Decimal("2.25")


def test_an_amount_in_another_unit_does_not_make_the_price(spark: SparkSession) -> None:
    lines = lines_of(
        {"amount": Decimal(250), "unit_price": Decimal("2.5"), "is_amount_implausible": True},
        {"amount": Decimal(3), "unit_price": Decimal(3)},
    )
    assert demand(spark, lines, day(0), day(0))[0]["unit_price"] == Decimal(3)


def test_price_and_promotion_are_carried_with_the_day_that_told_them(spark: SparkSession) -> None:
    lines = lines_of(
        {"is_promotion": True, "unit_price": Decimal(2)},
        {"is_promotion": False},
        {"day": day(2), "quantity": Decimal(-1), "is_promotion": False, "unit_price": Decimal(9)},
    )
    rows = demand(spark, lines, day(0), day(2))
    assert [(row["is_promotion"], row["is_promotion_as_of"]) for row in rows] == [(True, day(0))] * 3
    assert [(row["unit_price"], row["unit_price_as_of"]) for row in rows] == [(2, day(0))] * 3


def test_a_stockout_is_assumed_until_the_next_sale_or_stock_level(spark: SparkSession) -> None:
    lines = lines_of(
        {"stock_level": Decimal(0)},
        {"day": day(2)},
        {"day": day(4), "stock_level": Decimal(-1)},
        {"day": day(6), "quantity": Decimal(-1), "stock_level": Decimal(1)},
    )
    rows = demand(spark, lines, day(0), day(7), active_days=9)
    assert [row["is_stockout_assumed"] for row in rows] == [False, True, False, False, False, True, False, False]


def test_a_closed_day_is_marked_and_still_has_its_rows(spark: SparkSession) -> None:
    busy = [{"product_id": str(product)} for product in range(USUAL_LINES)]
    rows = demand(spark, lines_of(*busy), day(0), day(1))
    assert {(row["day"], row["is_open"], row["is_open_inferred"]) for row in rows} == {
        (day(0), True, True),
        (day(1), False, True),
    }
