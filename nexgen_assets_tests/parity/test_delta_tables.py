"""One Delta table on S3, two engines: what one publishes the other reads and replaces."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyspark.sql import SparkSession

from nexgen_assets.io_managers.delta_tables import ContractError, DeltaTables
from nexgen_assets.resources.lake import S3Access
from nexgen_assets.tables import DAILY_DEMAND

FIRST = date(2024, 2, 28)
DAYS = [FIRST + timedelta(days=i) for i in range(4)]
PAIRS = pytest.mark.parametrize(("writer", "other"), [("sail", "jvm"), ("jvm", "sail")])


@pytest.fixture
def tables(access: S3Access) -> DeltaTables:
    return DeltaTables(access)


def demand(days: list[date], units: str) -> pa.Table:
    rows = [
        dict.fromkeys(DAILY_DEMAND.names)
        | {
            "day": day,
            "product_id": product,
            "location": "north",
            "demand_units": Decimal(units),
            "returned_units": Decimal(0),
            "revenue": Decimal("12.3456"),
            "sales_lines": 1,
            "is_promotion": product == "007",
            "days_since_sale": 0,
            "is_open": True,
            "is_open_inferred": True,
            "is_stockout_assumed": False,
            "lead_time_days": 2.5,
        }
        for day in days
        for product in ("007", "008")
    ]
    return pa.Table.from_pylist(rows, schema=DAILY_DEMAND.arrow_schema)


def publish(tables: DeltaTables, spark: SparkSession, rows: pa.Table, token: str) -> None:
    days = pc.min_max(rows["day"]).as_py()
    frame = spark.createDataFrame(rows, DAILY_DEMAND.spark_ddl)
    tables.replace_days(DAILY_DEMAND, frame, days["min"], days["max"], token)


def rows_of(table: pa.Table) -> list[dict]:
    assert table.schema.types == DAILY_DEMAND.arrow_schema.types
    return table.sort_by([(name, "ascending") for name in DAILY_DEMAND.grain]).to_pylist()


def assert_all_read(tables: DeltaTables, engines: dict[str, SparkSession], expected: pa.Table) -> None:
    assert rows_of(tables.read(DAILY_DEMAND)) == rows_of(expected)
    for spark in engines.values():
        assert rows_of(tables.read_spark(spark, DAILY_DEMAND).toArrow()) == rows_of(expected)


@PAIRS
def test_what_one_engine_publishes_all_read_alike_and_the_other_replaces(
    tables: DeltaTables, engines: dict[str, SparkSession], writer: str, other: str
) -> None:
    publish(tables, engines[writer], demand(DAYS, "1.125"), "first")
    assert_all_read(tables, engines, demand(DAYS, "1.125"))

    publish(tables, engines[other], demand(DAYS[1:3], "7.5"), "second")
    unchanged = demand([DAYS[0], DAYS[3]], "1.125")
    assert_all_read(tables, engines, pa.concat_tables([unchanged, demand(DAYS[1:3], "7.5")]))


@PAIRS
def test_a_lookback_reads_its_days_only(
    tables: DeltaTables, engines: dict[str, SparkSession], writer: str, other: str
) -> None:
    publish(tables, engines[writer], demand(DAYS, "1"), "first")

    window = tables.read_spark(engines[other], DAILY_DEMAND, DAYS[1], DAYS[2]).toArrow()

    assert rows_of(window) == rows_of(demand(DAYS[1:3], "1"))


@PAIRS
def test_days_of_an_older_contract_all_read_alike(
    tables: DeltaTables, engines: dict[str, SparkSession], writer: str, other: str
) -> None:
    known = tuple(column for column in DAILY_DEMAND.columns if column.name != "lead_time_days")
    older = replace(DAILY_DEMAND, columns=known, figures={})
    rows = engines[writer].createDataFrame(demand(DAYS, "1").select(older.names), older.spark_ddl)
    tables.replace_days(older, rows, DAYS[0], DAYS[-1], "older")
    publish(tables, engines[other], demand(DAYS[1:3], "2"), "newer")

    place = DAILY_DEMAND.names.index("lead_time_days")
    unchanged = demand([DAYS[0], DAYS[3]], "1")
    unknown = unchanged.set_column(
        place, DAILY_DEMAND.arrow_schema.field(place), pa.nulls(unchanged.num_rows, pa.float64())
    )
    assert_all_read(tables, engines, pa.concat_tables([unknown, demand(DAYS[1:3], "2")]))


@pytest.mark.parametrize("engine", ["sail", "jvm"])
def test_rows_outside_the_range_are_refused_whoever_writes(
    tables: DeltaTables, engines: dict[str, SparkSession], engine: str
) -> None:
    publish(tables, engines[engine], demand(DAYS, "1"), "first")
    foreign = engines[engine].createDataFrame(demand(DAYS, "2"), DAILY_DEMAND.spark_ddl)

    with pytest.raises(ContractError, match="lie outside"):
        tables.replace_days(DAILY_DEMAND, foreign, DAYS[0], DAYS[1], "second")

    assert_all_read(tables, engines, demand(DAYS, "1"))


@pytest.mark.parametrize("engine", ["sail", "jvm"])
def test_rows_made_by_python_on_an_engine_all_read_alike(
    tables: DeltaTables, engines: dict[str, SparkSession], engine: str
) -> None:
    rows = engines[engine].createDataFrame(demand(DAYS, "1.125"), DAILY_DEMAND.spark_ddl)

    tables.replace_days(
        DAILY_DEMAND, rows.mapInArrow(lambda batches: batches, DAILY_DEMAND.spark_ddl), DAYS[0], DAYS[-1], "first"
    )

    assert_all_read(tables, engines, demand(DAYS, "1.125"))
