"""A lake that an older version wrote: what its tables lack of today's contract, on writing and on reading.

The older contract is today's without some columns. Arrow runs against S3 in memory, Spark against the real server; the
oracle of what is stored is delta-rs on its own.
"""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import obstore
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from nexgen_assets.io_managers import delta_tables
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.io_managers.evolution import OutdatedTableError
from nexgen_assets.io_managers.maintenance import maintain
from nexgen_assets.resources.lake import S3Access
from nexgen_assets.tables import DAILY_DEMAND, PRODUCTS, TEXT, WHOLE, Column, Table

REQUIRED, OPTIONAL = "is_open", "lead_time_days"
FIRST = date(2024, 1, 1)
DAYS = [FIRST + timedelta(days=i) for i in range(6)]
GRAIN = [(name, "ascending") for name in DAILY_DEMAND.grain]


def without(table: Table, *names: str) -> Table:
    """The contract before it had these columns."""
    return replace(table, columns=tuple(c for c in table.columns if c.name not in names), figures={})


def retyped(table: Table, name: str, kind: pa.DataType) -> Table:
    """The contract when this column had another type."""
    return replace(table, columns=tuple(replace(c, type=kind) if c.name == name else c for c in table.columns))


BEFORE = without(DAILY_DEMAND, REQUIRED, OPTIONAL)
BEFORE_OPTIONAL = without(DAILY_DEMAND, OPTIONAL)


def demand(*days: date, units: str = "1", **told: Any) -> pa.Table:
    row = dict.fromkeys(DAILY_DEMAND.names) | {
        "product_id": "007",
        "location": "north",
        "demand_units": Decimal(units),
        "returned_units": Decimal(0),
        "revenue": Decimal("12.3456"),
        "sales_lines": 1,
        "days_since_sale": 0,
        "is_open": True,
        "is_open_inferred": True,
        "is_stockout_assumed": False,
        "lead_time_days": 2.5,
        **told,
    }
    return pa.Table.from_pylist([row | {"day": day} for day in days], schema=DAILY_DEMAND.arrow_schema)


def write(tables: DeltaTables, table: Table, rows: pa.Table, start: date, end: date) -> None:
    tables.replace_days(table, rows.select(table.names), start, end, f"{start}-{end}-{tables.version(table)}")


def column(rows: pa.Table, name: str) -> list[Any]:
    return rows.sort_by(GRAIN)[name].to_pylist()


def stored(tables: DeltaTables, table: Table = DAILY_DEMAND) -> DeltaTable:
    return DeltaTable(tables.access.table_uri(table.name), storage_options=tables.access.storage_options)


def stored_types(tables: DeltaTables) -> dict[str, str]:
    return {field.name: field.type.type for field in stored(tables).schema().fields}  # pyright: ignore[reportAttributeAccessIssue]


def newest_commit(tables: DeltaTables) -> list[str]:
    """The kinds of action in the newest entry of the table's log."""
    key = f"_delta_log/{stored(tables).version():020d}.json"
    log = bytes(obstore.get(tables.access.store(f"tables/{DAILY_DEMAND.name}"), key).bytes())
    return [kind for line in log.splitlines() for kind in json.loads(line)]


@pytest.fixture
def tables(moto_access: S3Access) -> DeltaTables:
    return DeltaTables(moto_access)


@pytest.fixture
def older(tables: DeltaTables) -> DeltaTables:
    """Three days, written before the contract had the two columns."""
    write(tables, BEFORE, demand(*DAYS[:3]), DAYS[0], DAYS[2])
    return tables


# ---- writing


def test_the_columns_that_the_contract_gained_are_stored_with_the_first_write(older: DeltaTables) -> None:
    write(older, DAILY_DEMAND, demand(DAYS[3]), DAYS[3], DAYS[3])
    assert stored_types(older) == {**stored_types(older), REQUIRED: "boolean", OPTIONAL: "double"}
    assert older.read(DAILY_DEMAND, DAYS[3], DAYS[3]).to_pylist() == demand(DAYS[3]).to_pylist()


def test_schema_and_rows_change_in_one_commit(older: DeltaTables) -> None:
    before = stored(older).version()
    write(older, DAILY_DEMAND, demand(DAYS[3]), DAYS[3], DAYS[3])
    assert stored(older).version() == before + 1
    assert {"metaData", "add"} <= set(newest_commit(older))


def test_an_ordinary_write_leaves_the_schema_alone(older: DeltaTables) -> None:
    for day in DAYS[3:5]:
        write(older, DAILY_DEMAND, demand(day), day, day)
    assert "metaData" not in newest_commit(older)


def test_a_write_that_is_refused_leaves_the_schema_as_it_was(older: DeltaTables) -> None:
    before = stored_types(older)
    with pytest.raises(ValueError, match='"demand_units" < 0'):
        write(older, DAILY_DEMAND, demand(DAYS[3], units="-1"), DAYS[3], DAYS[3])
    assert stored_types(older) == before


def test_the_properties_of_a_table_survive_its_new_schema(older: DeltaTables) -> None:
    stored(older).alter.set_table_properties({"delta.logRetentionDuration": "interval 9 days"})
    write(older, DAILY_DEMAND, demand(DAYS[3]), DAYS[3], DAYS[3])
    assert stored(older).metadata().configuration == {"delta.logRetentionDuration": "interval 9 days"}
    assert stored(older).metadata().description == DAILY_DEMAND.description


def test_an_earlier_version_of_the_table_stays_readable_as_it_was(older: DeltaTables) -> None:
    before = older.version(DAILY_DEMAND)
    write(older, DAILY_DEMAND, demand(DAYS[0], units="9"), DAYS[0], DAYS[0])
    assert column(older.read(BEFORE, version=before), "demand_units") == [Decimal("1.000")] * 3


def test_a_column_that_the_contract_lost_is_not_read_and_stays_stored(tables: DeltaTables) -> None:
    write(tables, DAILY_DEMAND, demand(DAYS[0]), DAYS[0], DAYS[0])
    write(tables, BEFORE, demand(DAYS[1]), DAYS[1], DAYS[1])
    assert tables.read(BEFORE).schema.names == BEFORE.names
    assert stored(tables).to_pyarrow_table(columns=[OPTIONAL])[OPTIONAL].to_pylist().count(2.5) == 1


def test_a_writer_of_another_day_and_the_new_schema_both_land(
    older: DeltaTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older version still runs, and commits between our snapshot and our commit."""
    refresh, overtaken = DeltaTable.update_incremental, []

    def refresh_and_be_overtaken(table: DeltaTable) -> None:
        refresh(table)
        if not overtaken:
            overtaken.append(True)
            write(older, BEFORE, demand(DAYS[4]), DAYS[4], DAYS[4])

    monkeypatch.setattr(DeltaTable, "update_incremental", refresh_and_be_overtaken)
    write(older, DAILY_DEMAND, demand(DAYS[3]), DAYS[3], DAYS[3])
    assert set(older.rows_per_day(DAILY_DEMAND, DAYS[0], DAYS[5])) == set(DAYS[:5])
    assert column(older.read(DAILY_DEMAND, DAYS[3], DAYS[4], columns=[*DAILY_DEMAND.grain, OPTIONAL]), OPTIONAL) == [
        2.5,
        None,
    ]


def test_a_writer_overtaken_by_the_new_schema_keeps_it(older: DeltaTables, monkeypatch: pytest.MonkeyPatch) -> None:
    refresh, overtaken = DeltaTable.update_incremental, []

    def refresh_and_be_overtaken(table: DeltaTable) -> None:
        refresh(table)
        if not overtaken:
            overtaken.append(True)
            write(older, DAILY_DEMAND, demand(DAYS[3]), DAYS[3], DAYS[3])

    monkeypatch.setattr(DeltaTable, "update_incremental", refresh_and_be_overtaken)
    write(older, BEFORE, demand(DAYS[4]), DAYS[4], DAYS[4])
    assert older.read(DAILY_DEMAND, DAYS[3], DAYS[3]).to_pylist() == demand(DAYS[3]).to_pylist()
    assert DAYS[4] in older.rows_per_day(DAILY_DEMAND, DAYS[0], DAYS[5])


def test_writers_of_old_and_new_contract_at_once_all_land(access: S3Access) -> None:
    tables = DeltaTables(access)
    write(tables, BEFORE, demand(DAYS[0]), DAYS[0], DAYS[0])

    def write_one(day: date) -> None:
        table = BEFORE if day == DAYS[1] else DAILY_DEMAND
        tables.replace_days(table, demand(day).select(table.names), day, day, day.isoformat())

    with ThreadPoolExecutor(4) as writers:
        list(writers.map(write_one, DAYS[1:5]))
    assert column(tables.read(DAILY_DEMAND, columns=[*DAILY_DEMAND.grain, OPTIONAL]), OPTIONAL) == [
        *(None, None),
        *(2.5, 2.5, 2.5),
    ]


def test_housekeeping_makes_up_no_value_where_it_merges_files_of_an_older_contract(
    older: DeltaTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delta_tables, "ROWS_PER_WRITE", 1)
    two = pa.concat_tables([demand(DAYS[0]), demand(DAYS[0], product_id="008")])
    reader = two.select(BEFORE.names).to_reader(max_chunksize=1)
    older.replace_days(BEFORE, reader, DAYS[0], DAYS[0], "pieces")
    write(older, DAILY_DEMAND, demand(DAYS[3]), DAYS[3], DAYS[3])

    upkeep = maintain(older, DAILY_DEMAND, retention_days=30, now=datetime.now(UTC))

    assert upkeep
    assert upkeep.files_merged == 2
    assert older.read(DAILY_DEMAND, DAYS[0], DAYS[0], columns=[OPTIONAL])[OPTIONAL].to_pylist() == [None, None]
    with pytest.raises(OutdatedTableError, match=r"rows without is_open; build its days 2024-01-01\.\.2024-01-03 anew"):
        older.read(DAILY_DEMAND)


# ---- reading


def test_a_column_that_may_be_empty_is_null_on_days_written_before_it(tables: DeltaTables) -> None:
    write(tables, BEFORE_OPTIONAL, demand(*DAYS[:2]), DAYS[0], DAYS[1])
    assert column(tables.read(DAILY_DEMAND), OPTIONAL) == [None, None], "not stored yet"
    write(tables, DAILY_DEMAND, demand(DAYS[2]), DAYS[2], DAYS[2])
    assert column(tables.read(DAILY_DEMAND), OPTIONAL) == [None, None, 2.5]
    assert tables.read(DAILY_DEMAND).schema.equals(DAILY_DEMAND.arrow_schema)


READERS: dict[str, Callable[[DeltaTables], object]] = {
    "table": lambda tables: tables.read(DAILY_DEMAND),
    "stream": lambda tables: tables.stream(DAILY_DEMAND).read_all(),
    "day by day": lambda tables: tables.reader(DAILY_DEMAND, DAYS[0], DAYS[5]).day(DAYS[1]),
    "columns": lambda tables: tables.read(DAILY_DEMAND, columns=[REQUIRED]),
    "question": lambda tables: tables.query(DAILY_DEMAND, f"SELECT count(*) FROM source WHERE {REQUIRED}", [REQUIRED]),
}


@pytest.mark.parametrize("is_stored", [False, True], ids=["never stored", "stored since"])
@pytest.mark.parametrize("reader", READERS)
def test_a_value_that_the_contract_requires_and_a_day_lacks_is_an_error(
    reader: str, *, is_stored: bool, older: DeltaTables
) -> None:
    if is_stored:
        write(older, DAILY_DEMAND, demand(DAYS[3]), DAYS[3], DAYS[3])
    with pytest.raises(OutdatedTableError, match="rows without is_open"):
        READERS[reader](older)


def test_the_error_names_table_column_days_and_what_to_run(older: DeltaTables) -> None:
    write(older, DAILY_DEMAND, demand(DAYS[1]), DAYS[1], DAYS[1])
    with pytest.raises(OutdatedTableError) as raised:
        older.read(DAILY_DEMAND)
    assert str(raised.value) == (
        "daily_demand: an older version wrote rows without is_open; build its days 2024-01-01, 2024-01-03 anew by the "
        "job `history`: `nexgen upgrade` does so"
    )


def test_days_that_have_the_value_can_be_read(older: DeltaTables) -> None:
    write(older, DAILY_DEMAND, demand(DAYS[3]), DAYS[3], DAYS[3])
    assert older.read(DAILY_DEMAND, DAYS[3], DAYS[5]).to_pylist() == demand(DAYS[3]).to_pylist()
    assert older.query(DAILY_DEMAND, "SELECT * FROM source", [REQUIRED], DAYS[3], DAYS[4]) == [{REQUIRED: True}]


def test_days_built_anew_can_be_read(older: DeltaTables) -> None:
    write(older, DAILY_DEMAND, demand(*DAYS[:3]), DAYS[0], DAYS[2])
    assert older.read(DAILY_DEMAND).sort_by(GRAIN).to_pylist() == demand(*DAYS[:3]).to_pylist()


def test_whoever_does_not_ask_for_the_column_reads_on(older: DeltaTables) -> None:
    names = ["day", "demand_units", OPTIONAL]
    assert older.read(DAILY_DEMAND, columns=names).num_rows == 3
    assert older.query(DAILY_DEMAND, f"SELECT count({OPTIONAL}) AS n FROM source", [OPTIONAL]) == [{"n": 0}]


def test_a_value_that_has_become_required_is_an_error_where_it_is_null(tables: DeltaTables) -> None:
    lax = replace(
        DAILY_DEMAND,
        columns=tuple(replace(c, nullable=True) if c.name == REQUIRED else c for c in DAILY_DEMAND.columns),
    )
    write(tables, lax, demand(DAYS[0], is_open=None), DAYS[0], DAYS[0])
    with pytest.raises(OutdatedTableError, match="rows without is_open; build its days 2024-01-01 anew"):
        tables.read(DAILY_DEMAND)


# ---- another type

AS_WHOLE = retyped(DAILY_DEMAND, OPTIONAL, WHOLE)


def whole(*days: date) -> pa.Table:
    rows = demand(*days)
    place = rows.column_names.index(OPTIONAL)
    return rows.set_column(place, OPTIONAL, pa.array([2] * rows.num_rows, WHOLE))


@pytest.fixture
def as_whole(tables: DeltaTables) -> DeltaTables:
    """Three days, written when a column had another type."""
    write(tables, AS_WHOLE, whole(*DAYS[:3]), DAYS[0], DAYS[2])
    return tables


@pytest.mark.parametrize(
    "use",
    [
        lambda tables: tables.read(DAILY_DEMAND),
        lambda tables: tables.query(DAILY_DEMAND, "SELECT * FROM source", [OPTIONAL]),
        lambda tables: write(tables, DAILY_DEMAND, demand(DAYS[3]), DAYS[3], DAYS[3]),
        lambda tables: write(tables, DAILY_DEMAND, demand(*DAYS[:2]), DAYS[0], DAYS[1]),
    ],
    ids=["read", "question", "another day", "some of its days"],
)
def test_a_column_of_another_type_is_an_error_that_says_what_to_run(
    use: Callable[[DeltaTables], object], as_whole: DeltaTables
) -> None:
    with pytest.raises(OutdatedTableError) as raised:
        use(as_whole)
    assert str(raised.value) == (
        "daily_demand: lead_time_days is stored as long, not double; build its days 2024-01-01..2024-01-03 anew in one "
        "run by the job `history`: `nexgen upgrade` does so"
    )
    assert as_whole.read(AS_WHOLE).num_rows == 3


def test_whoever_does_not_ask_for_a_column_of_another_type_reads_on(as_whole: DeltaTables) -> None:
    assert as_whole.read(DAILY_DEMAND, columns=["demand_units"]).num_rows == 3


def test_a_write_of_all_days_changes_the_type(as_whole: DeltaTables) -> None:
    write(as_whole, DAILY_DEMAND, demand(*DAYS[:4]), DAYS[0], DAYS[3])
    assert stored_types(as_whole)[OPTIONAL] == "double"
    assert as_whole.read(DAILY_DEMAND).sort_by(GRAIN).to_pylist() == demand(*DAYS[:4]).to_pylist()


# ---- tables that are replaced whole


def products(table: Table) -> pa.Table:
    row = dict.fromkeys(PRODUCTS.names) | {
        "product_id": "007",
        "file_key": "products/a.csv",
        "file_version": "1",
        "line_number": 2,
        "effective_date": FIRST,
        "arrived_at": datetime(2024, 1, 1, tzinfo=UTC),
    }
    return pa.Table.from_pylist([row], schema=PRODUCTS.arrow_schema).select(table.names)


def test_a_small_table_lacks_an_optional_column_until_it_is_replaced(tables: DeltaTables) -> None:
    before = without(PRODUCTS, "category")
    tables.replace_all(before, products(before))
    assert tables.read(PRODUCTS)["category"].to_pylist() == [None]
    tables.replace_all(PRODUCTS, products(PRODUCTS))
    assert tables.read(PRODUCTS).equals(products(PRODUCTS))


def test_a_small_table_without_a_required_value_is_an_error_that_names_its_job(tables: DeltaTables) -> None:
    before = without(PRODUCTS, "line_number")
    tables.replace_all(before, products(before))
    with pytest.raises(OutdatedTableError) as raised:
        tables.read(PRODUCTS)
    assert str(raised.value) == (
        "products: an older version wrote rows without line_number; build it anew by the job `ingest`: "
        "`nexgen upgrade` does so"
    )


def test_a_list_that_is_not_stored_yet_is_null(tables: DeltaTables) -> None:
    before = Table("tagged", "Tags of a product.", ("product_id",), (Column("product_id", TEXT, ""),), is_daily=False)
    tables.replace_all(before, pa.table({"product_id": ["007"]}))
    gained = replace(before, columns=(*before.columns, Column("tags", pa.list_(TEXT), "Tags")))
    assert tables.read(gained).to_pylist() == [{"product_id": "007", "tags": None}]


# ---- Spark


def spark_write(tables: DeltaTables, spark: SparkSession, table: Table, *days: date) -> None:
    frame = spark.createDataFrame(demand(*days).select(table.names).to_pandas(), table.spark_ddl)
    tables.replace_days(table, frame, days[0], days[-1], f"{days[0]}-{tables.version(table)}")


def test_spark_writes_and_reads_days_of_two_contracts(spark: SparkSession, access: S3Access) -> None:
    tables = DeltaTables(access)
    spark_write(tables, spark, BEFORE_OPTIONAL, *DAYS[:2])
    assert column(tables.read_spark(spark, DAILY_DEMAND).toArrow(), OPTIONAL) == [None, None], "not stored yet"
    spark_write(tables, spark, DAILY_DEMAND, DAYS[2])
    read = tables.read_spark(spark, DAILY_DEMAND).toArrow()
    assert column(read, OPTIONAL) == [None, None, 2.5]
    assert read.schema.types == DAILY_DEMAND.arrow_schema.types
    assert column(tables.read(DAILY_DEMAND), OPTIONAL) == [None, None, 2.5]


@pytest.mark.parametrize("is_stored", [False, True], ids=["never stored", "stored since"])
def test_spark_is_not_handed_a_day_without_a_required_value(
    *, is_stored: bool, spark: SparkSession, access: S3Access
) -> None:
    tables = DeltaTables(access)
    spark_write(tables, spark, BEFORE, *DAYS[:3])
    if is_stored:
        spark_write(tables, spark, DAILY_DEMAND, DAYS[3])
        assert column(tables.read_spark(spark, DAILY_DEMAND, DAYS[3]).toArrow(), REQUIRED) == [True]
    with pytest.raises(OutdatedTableError, match=r"rows without is_open; build its days 2024-01-02\.\.2024-01-03"):
        tables.read_spark(spark, DAILY_DEMAND, DAYS[1])
    asked = tables.read_spark(spark, DAILY_DEMAND, columns=["day", "demand_units", OPTIONAL]).toArrow()
    assert asked.num_rows == 3 + is_stored


def test_spark_is_not_handed_a_column_of_another_type(spark: SparkSession, access: S3Access) -> None:
    tables = DeltaTables(access)
    write(tables, AS_WHOLE, whole(*DAYS[:3]), DAYS[0], DAYS[2])
    with pytest.raises(OutdatedTableError, match="lead_time_days is stored as long, not double"):
        tables.read_spark(spark, DAILY_DEMAND)
