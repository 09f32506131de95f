"""Which uploaded line holds on a day, against a plain reading of the rule."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from nexgen_assets.replenishment.terms import in_force
from nexgen_assets.tables import ITEM_LOCATIONS

FIRST = date(2024, 1, 1)
DAYS = 6
KEY = ("product_id", "location")


def day_number(n: int) -> date:
    return FIRST + timedelta(days=n)


LINES = st.lists(
    st.fixed_dictionaries(
        {
            "product_id": st.sampled_from(["1", "01"]),
            "location": st.sampled_from(["north", "south"]),
            "effective_date": st.integers(-2, DAYS + 1).map(day_number),
            "arrived_at": st.integers(0, 3).map(lambda hour: datetime(2024, 1, 9, hour, tzinfo=UTC)),
            "file_key": st.sampled_from(["item_locations/a.csv", "item_locations/b.csv", "item_locations/c.csv"]),
        }
    ),
    max_size=12,
    # what one file says of one key and one day stands in it once
    unique_by=lambda line: (line["product_id"], line["location"], line["effective_date"], line["file_key"]),
).map(lambda lines: [line | {"line_number": n + 2} for n, line in enumerate(lines)])


def held(spark: SparkSession, lines: list[dict[str, Any]], start: date, end: date) -> list[dict[str, Any]]:
    rows = pa.Table.from_pylist(lines, schema=ITEM_LOCATIONS.arrow_schema)
    return in_force(spark.createDataFrame(rows, ITEM_LOCATIONS.spark_ddl), KEY, start, end).toArrow().to_pylist()


def on_day(rows: list[dict[str, Any]], day: date) -> dict[tuple[str, str], int]:
    """The line that holds of each key; each key has at most one."""
    found: dict[tuple[str, str], int] = {}
    for row in rows:
        if row["effective_date"] <= day and (row["holds_until"] is None or day < row["holds_until"]):
            key = (row["product_id"], row["location"])
            assert key not in found
            found[key] = row["line_number"]
    return found


def as_the_rule_says(lines: list[dict[str, Any]], day: date) -> dict[tuple[str, str], int]:
    """Of the lines effective by the day the latest; of those the one whose file arrived last."""
    known = [line for line in lines if line["effective_date"] <= day]
    in_turn = sorted(known, key=lambda line: (line["effective_date"], line["arrived_at"], line["file_key"]))
    return {(line["product_id"], line["location"]): line["line_number"] for line in in_turn}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=LINES, first=st.integers(0, DAYS - 1))
def test_on_every_day_of_a_range_the_latest_line_known_by_then_holds(
    spark: SparkSession, lines: list[dict[str, Any]], first: int
) -> None:
    rows = held(spark, lines, day_number(first), day_number(DAYS))

    for n in range(first, DAYS + 1):
        assert on_day(rows, day_number(n)) == as_the_rule_says(lines, day_number(n))


def test_a_single_day_has_at_most_one_line_a_key(spark: SparkSession) -> None:
    lines = [
        {
            "product_id": "1",
            "location": "north",
            "effective_date": day_number(n),
            "arrived_at": datetime(2024, 1, 9, tzinfo=UTC),
            "file_key": "item_locations/a.csv",
            "line_number": n + 2,
        }
        for n in range(DAYS)
    ]

    assert [row["line_number"] for row in held(spark, lines, day_number(3), day_number(3))] == [5]
