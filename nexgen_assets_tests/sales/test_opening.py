"""A location is open as the calendar known on the day says, otherwise as its sales suggest."""

from datetime import date, timedelta

import duckdb
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from nexgen_assets.forecasting.closings import PlannedOpening
from nexgen_assets.sales.opening import USUAL_LINES, opening
from nexgen_assets.tables import CALENDAR

FIRST = date(2024, 1, 1)
LOOKBACK = 3
SALES = "location string, day date"

# each day by itself, from the lines and plans that it may know
ORACLE = f"""
with days as (select unnest(generate_series(date '{{start}}', date '{{end}}', interval 1 day))::date as day),
counts as (select location, day, count(*) as n from lines group by all),
rows as (
    select l.location, d.day,
        coalesce((select n from counts c where c.location = l.location and c.day = d.day), 0) as today,
        (select avg(n) from counts c where c.location = l.location
            and c.day between d.day - {LOOKBACK} and d.day - 1) as usual,
        (select p.is_open from plans p where p.is_open is not null and p.location in ('', l.location)
            and d.day between p.start_date and p.end_date and p.effective_date <= d.day
            order by p.location <> '' desc, p.effective_date desc, p.file_key desc, p.line_number desc limit 1) as told
    from days d, (select distinct location from lines) l
)
select location, day, coalesce(told, not coalesce(today = 0 and usual >= {USUAL_LINES}, false)) as is_open,
    told is null as is_open_inferred
from rows order by all
"""


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def sold(*told: tuple[str, int, int]) -> pa.Table:
    """Lines of (location, day, how many)."""
    rows = [{"location": location, "day": day(number)} for location, number, count in told for _ in range(count)]
    return pa.Table.from_pylist(rows, pa.schema([("location", pa.string()), ("day", pa.date32())]))


def plans(*told: dict) -> pa.Table:
    defaults = {"product_id": "", "location": "", "promotion_share": 0.0, "file_key": "a.csv", "effective_date": FIRST}
    rows = [defaults | {"line_number": number} | plan for number, plan in enumerate(told, start=2)]
    return pa.Table.from_pylist(
        [row | {"end_date": row.get("end_date", row["start_date"])} for row in rows], CALENDAR.arrow_schema
    )


def opening_of(spark: SparkSession, lines: pa.Table, calendar: pa.Table, start: int, end: int) -> list[dict]:
    rows = opening(
        spark.createDataFrame(lines, SALES),
        spark.createDataFrame(calendar, CALENDAR.spark_ddl),
        day(start),
        day(end),
        LOOKBACK,
    )
    return sorted(rows.toArrow().to_pylist(), key=lambda row: (row["location"], row["day"]))


def closed(rows: list[dict]) -> list[tuple[str, date, bool]]:
    return [(row["location"], row["day"], row["is_open_inferred"]) for row in rows if not row["is_open"]]


def test_a_day_without_a_line_seems_closed_where_many_are_usual(spark: SparkSession) -> None:
    lines = sold(("busy", 0, USUAL_LINES), ("busy", 2, USUAL_LINES), ("quiet", 0, USUAL_LINES - 1), ("quiet", 2, 1))
    assert closed(opening_of(spark, lines, plans(), 0, 2)) == [("busy", day(1), True)]


def test_a_location_closed_for_long_stays_closed_as_far_as_a_day_looks_back(spark: SparkSession) -> None:
    lines = sold(("S", 0, USUAL_LINES))
    assert [at for _, at, _ in closed(opening_of(spark, lines, plans(), 0, 9))] == [day(1), day(2), day(3)]


def test_without_a_lookback_no_day_seems_closed(spark: SparkSession) -> None:
    lines = spark.createDataFrame(sold(("S", 0, USUAL_LINES)), SALES)
    no_plans = spark.createDataFrame(plans(), CALENDAR.spark_ddl)
    assert closed(opening(lines, no_plans, day(0), day(2), 0).toArrow().to_pylist()) == []


def test_the_calendar_goes_before_what_sales_suggest(spark: SparkSession) -> None:
    lines = sold(("S", 0, USUAL_LINES), ("S", 2, 1))
    told = plans({"start_date": day(1), "is_open": True}, {"start_date": day(2), "is_open": False})
    rows = opening_of(spark, lines, told, 1, 2)
    assert [(row["is_open"], row["is_open_inferred"]) for row in rows] == [(True, False), (False, False)]


def test_a_plan_of_the_location_goes_before_one_for_all(spark: SparkSession) -> None:
    told = plans(
        {"start_date": day(0), "is_open": True, "location": "S"},
        {"start_date": day(0), "is_open": False, "effective_date": day(0)},
    )
    assert closed(opening_of(spark, sold(("S", 0, 1), ("T", 0, 1)), told, 0, 0)) == [("T", day(0), False)]


def test_a_plan_that_was_not_known_on_the_day_says_nothing(spark: SparkSession) -> None:
    told = plans({"start_date": day(0), "end_date": day(1), "is_open": False, "effective_date": day(1)})
    assert closed(opening_of(spark, sold(("S", 0, 1)), told, 0, 1)) == [("S", day(1), False)]


places = st.sampled_from(["S", "T"])
some_lines = st.lists(
    st.tuples(places, st.integers(0, 9), st.sampled_from([1, USUAL_LINES, 2 * USUAL_LINES])), min_size=1, max_size=8
)
some_plans = st.lists(
    st.fixed_dictionaries(
        {
            "location": places | st.just(""),
            "start_date": st.integers(0, 9).map(day),
            "is_open": st.none() | st.booleans(),
            "effective_date": st.integers(0, 9).map(day),
        }
    ).flatmap(lambda plan: st.integers(0, 3).map(lambda n: plan | {"end_date": plan["start_date"] + timedelta(n)})),
    max_size=5,
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=some_lines, planned=some_plans)
def test_a_range_agrees_with_each_day_by_itself(spark: SparkSession, told: list, planned: list) -> None:
    lines, calendar = sold(*told), plans(*planned)
    with duckdb.connect() as sql:
        sql.register("lines", lines)
        sql.register("plans", calendar)
        expected = sql.sql(ORACLE.format(start=day(3), end=day(9))).to_arrow_table().to_pylist()
    assert opening_of(spark, lines, calendar, 3, 9) == expected


def test_forecasts_take_the_same_plan_for_a_day_ahead_as_the_day_itself_does(spark: SparkSession) -> None:
    told = [
        {
            "location": ("", "a", "b")[number % 3],
            "start_date": day(number % 7),
            "end_date": day(number % 7 + number % 4),
            "effective_date": day(-number % 5 - 5),
            "file_key": ("a.csv", "b.csv")[number // 3 % 2],
            "is_open": number % 2 == 0,
        }
        for number in range(24)
    ]
    calendar = plans(*told)
    lines = sold(*((location, number, 1) for location in ("a", "b") for number in range(10)))
    on_the_day = opening_of(spark, lines, calendar, 0, 9)
    ahead = PlannedOpening(calendar).ahead(["a", "b"], (day(-1) - date(1970, 1, 1)).days)[:, :10]
    assert [row["is_open"] for row in on_the_day] == ahead.ravel().tolist()
    assert 0 < ahead.sum() < ahead.size
