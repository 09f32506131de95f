"""Delta tables: what a write leaves behind, what it refuses, and what a crash or a second writer cannot break.

Arrow writes run against S3 in memory, Spark writes against the real server. The oracle of reads is delta-rs on its own.
"""

import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import obstore
import pandas as pd
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from nexgen_assets.io_managers import audit, delta_tables
from nexgen_assets.io_managers.delta_tables import ContractError, DeltaTables
from nexgen_assets.resources.lake import S3Access
from nexgen_assets.tables import DATE, DAY, FLAG, INSTANT, REAL32, TEXT, UNITS, WHOLE, Column, Table

SALES = Table(
    "test_sales",
    "Sales of a product on a day.",
    ("day", "product_id"),
    (
        Column(DAY, DATE, "The day", nullable=False),
        Column("product_id", TEXT, "Product", nullable=False),
        Column("units", UNITS, "Units sold", "units", nullable=False, minimum=0),
        Column("lines", WHOLE, "Lines", minimum=1),
        Column("mean", REAL32, "Mean"),
        Column("is_promotion", FLAG, "Promotion"),
        Column("seen_at", INSTANT, "Seen"),
    ),
)
PLANS = Table(
    "test_plans",
    "Plans, replaced as a whole.",
    ("product_id",),
    (
        Column("product_id", TEXT, "Product", nullable=False),
        Column("units", WHOLE, "Units", minimum=0),
        Column("weight", REAL32, "Weight"),
        Column("note", TEXT, "Note"),
    ),
    is_daily=False,
)
FIRST = date(2024, 2, 28)
DAYS = [FIRST + timedelta(days=i) for i in range(4)]
Row = dict[str, Any]


def sale(day: date | None, product: str | None = "01", units: str | None = "1.5", **more: Any) -> Row:
    return {
        "day": day,
        "product_id": product,
        "units": None if units is None else Decimal(units),
        "lines": 1,
        "mean": 0.25,
        "is_promotion": None,
        "seen_at": pd.Timestamp("2024-02-28T12:00:00.000001Z"),
        **more,
    }


def frame(*rows: Row) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=pa.schema([(c.name, c.type) for c in SALES.columns]))


def rows_of(tables: DeltaTables, start: date | None = None, end: date | None = None) -> list[Row]:
    return sorted(tables.read(SALES, start, end).to_pylist(), key=lambda row: (row["day"], row["product_id"]))


def keys_below(access: S3Access, path: str = "") -> set[str]:
    return {item["path"] for batch in obstore.list(access.store(f"tables/{SALES.name}"), path) for item in batch}


@pytest.fixture
def tables(moto_access: S3Access) -> DeltaTables:
    return DeltaTables(moto_access)


# ---- what a write leaves behind


def test_a_day_reads_back_as_written_in_the_types_of_the_contract(tables: DeltaTables) -> None:
    written = frame(sale(FIRST, "007"), sale(FIRST, "7", "0.001", lines=None, is_promotion=True))
    published = tables.replace_days(SALES, written, FIRST, FIRST, "one")
    assert tables.read(SALES).schema == SALES.arrow_schema
    assert rows_of(tables) == written.to_pylist()
    assert (published.version, published.rows, published.rows_per_day) == (1, 2, {FIRST: 2})


def test_a_table_that_was_never_written_has_no_rows_and_the_types_of_the_contract(tables: DeltaTables) -> None:
    assert tables.read(SALES).equals(SALES.arrow_schema.empty_table())
    assert (tables.row_count(SALES), tables.last_day(SALES)) == (0, None)
    assert tables.days_with_rows(SALES, date.min, date.max) == set()


def test_a_range_is_one_commit_that_equals_single_days_row_for_row(tables: DeltaTables, moto_endpoint: str) -> None:
    written = [sale(day, product) for day in DAYS[:3] for product in ("01", "02")]
    published = tables.replace_days(SALES, frame(*written), DAYS[0], DAYS[2], "range")
    one_by_one = DeltaTables(S3Access("nexgen", f"{tables.access.prefix}-single", "us-east-1", moto_endpoint, "t", "t"))
    for day in DAYS[:3]:
        one_by_one.replace_days(SALES, frame(*(row for row in written if row["day"] == day)), day, day, day.isoformat())
    assert published.version == 1
    assert published.rows_per_day == dict.fromkeys(DAYS[:3], 2)
    assert rows_of(tables) == rows_of(one_by_one) == written


def test_a_day_without_rows_is_reported_as_zero_rows(tables: DeltaTables) -> None:
    published = tables.replace_days(SALES, frame(sale(DAYS[0]), sale(DAYS[2])), DAYS[0], DAYS[2], "gap")
    assert published.rows_per_day == {DAYS[0]: 1, DAYS[1]: 0, DAYS[2]: 1}
    assert tables.days_with_rows(SALES, DAYS[0], DAYS[3]) == {DAYS[0], DAYS[2]}
    assert tables.last_day(SALES) == DAYS[2]


def test_a_day_that_lost_its_rows_is_emptied(tables: DeltaTables) -> None:
    tables.replace_days(SALES, frame(sale(DAYS[0]), sale(DAYS[1])), DAYS[0], DAYS[1], "full")
    tables.replace_days(SALES, frame(), DAYS[1], DAYS[1], "empty")
    assert rows_of(tables) == [sale(DAYS[0])]


def test_running_again_changes_no_row(tables: DeltaTables) -> None:
    written = frame(*(sale(day) for day in DAYS))
    for token in ("first", "again"):
        tables.replace_days(SALES, written, DAYS[0], DAYS[3], token)
    assert rows_of(tables) == written.to_pylist()
    assert tables.row_count(SALES) == 4


def test_a_write_touches_no_day_outside_its_range(tables: DeltaTables) -> None:
    tables.replace_days(SALES, frame(*(sale(day) for day in DAYS)), DAYS[0], DAYS[3], "all")
    tables.replace_days(SALES, frame(sale(DAYS[1], units="9")), DAYS[1], DAYS[2], "middle")
    assert rows_of(tables) == [sale(DAYS[0]), sale(DAYS[1], units="9"), sale(DAYS[3])]


def test_reading_is_bounded_by_both_days_and_to_the_asked_columns(tables: DeltaTables) -> None:
    tables.replace_days(SALES, frame(*(sale(day) for day in DAYS)), DAYS[0], DAYS[3], "all")
    assert [row["day"] for row in rows_of(tables, DAYS[1], DAYS[2])] == DAYS[1:3]
    assert [row["day"] for row in rows_of(tables, end=DAYS[1])] == DAYS[:2]
    assert tables.read(SALES, DAYS[3], columns=["units", "day"]).to_pylist() == [
        {"units": Decimal("1.500"), "day": DAYS[3]}
    ]


def test_a_reader_keeps_its_version_while_the_table_moves_on(tables: DeltaTables) -> None:
    tables.replace_days(SALES, frame(sale(FIRST)), FIRST, FIRST, "old")
    reader = tables.reader(SALES, FIRST, DAYS[1])
    tables.replace_days(SALES, frame(sale(FIRST, units="9")), FIRST, FIRST, "new")
    assert reader.days() == DAYS[:2]
    assert reader.day(FIRST).to_pylist() == [sale(FIRST)]
    assert reader.day(DAYS[1]).num_rows == 0


@pytest.mark.parametrize("rows_per_block", [1, 3, 100])
def test_days_read_in_blocks_are_the_days(
    tables: DeltaTables, monkeypatch: pytest.MonkeyPatch, rows_per_block: int
) -> None:
    monkeypatch.setattr(delta_tables, "ROWS_PER_BLOCK", rows_per_block)
    known = frame(sale(DAYS[0]), sale(DAYS[0], "02"), sale(DAYS[1]), sale(DAYS[3]))
    tables.replace_days(SALES, known, DAYS[0], DAYS[3], "all")
    reader = tables.reader(SALES, DAYS[0], DAYS[3])

    of_day = reader.in_blocks(["units", "product_id"])

    for day in (*reversed(DAYS), *DAYS):
        expected = reader.day(day, ["units", "product_id"])
        assert of_day(day).sort_by("product_id").equals(expected.sort_by("product_id"))
    assert of_day(DAYS[2]).num_rows == of_day(DAYS[3] + timedelta(days=9)).num_rows == 0


def test_of_the_stage_nothing_but_the_published_files_is_left(tables: DeltaTables) -> None:
    published = tables.replace_days(SALES, frame(sale(DAYS[0]), sale(DAYS[1])), DAYS[0], DAYS[1], "one")
    stored = DeltaTable(published.uri, storage_options=tables.access.storage_options)
    files = {uri.removeprefix(f"{published.uri}/") for uri in stored.file_uris()}
    log = {f"_delta_log/{version:020d}.json" for version in (0, 1)}
    assert keys_below(tables.access) == files | log
    assert all(file.startswith("commits/one/day=2024-02-2") for file in files)


# ---- what may be written


def arrow_table(rows: pa.Table) -> pa.Table:
    return rows


def arrow_reader(rows: pa.Table) -> pa.RecordBatchReader:
    return rows.to_reader(max_chunksize=1)


def pandas_frame(rows: pa.Table) -> pd.DataFrame:
    return rows.to_pandas()


def other_column_order(rows: pa.Table) -> pa.Table:
    return rows.select(rows.column_names[::-1])


@pytest.mark.parametrize("form", [arrow_table, arrow_reader, pandas_frame, other_column_order])
def test_rows_may_come_as(form: Callable[[pa.Table], Any], tables: DeltaTables) -> None:
    written = frame(sale(DAYS[0]), sale(DAYS[0], "02", is_promotion=True), sale(DAYS[1]))
    tables.replace_days(SALES, form(written), DAYS[0], DAYS[1], "one")
    assert rows_of(tables) == written.to_pylist()


def test_a_stream_written_in_pieces_is_one_commit_of_the_table(
    tables: DeltaTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delta_tables, "ROWS_PER_WRITE", 2)
    rows = [frame(sale(day, product)) for product in ("01", "02") for day in DAYS]
    batches = (batch for part in rows for batch in part.to_batches())
    published = tables.replace_days(
        SALES, pa.RecordBatchReader.from_batches(rows[0].schema, batches), DAYS[0], DAYS[-1], "pieces"
    )
    assert published.rows_per_day == dict.fromkeys(DAYS, 2)
    assert tables.row_count(SALES) == 8
    opened = tables.open(SALES)
    assert opened
    assert [commit["operation"] for commit in opened.history()] == ["WRITE", "CREATE TABLE"]


def test_a_reader_may_read_the_lake_while_it_is_written(tables: DeltaTables) -> None:
    tables.replace_days(SALES, frame(*(sale(day) for day in DAYS)), DAYS[0], DAYS[3], "source")

    def doubled() -> Iterator[pa.RecordBatch]:
        for day in DAYS:
            yield from frame(*({**row, "units": row["units"] * 2} for row in rows_of(tables, day, day))).to_batches()

    reader = pa.RecordBatchReader.from_batches(frame().schema, doubled())
    tables.replace_days(SALES, reader, DAYS[0], DAYS[3], "doubled")
    assert rows_of(tables) == [sale(day, units="3") for day in DAYS]


def test_a_spark_frame_is_written_and_read_back_on_real_s3(spark: SparkSession, access: S3Access) -> None:
    tables = DeltaTables(access)
    written = frame(sale(DAYS[0]), sale(DAYS[0], "02", is_promotion=True), sale(DAYS[2], lines=None))
    made = spark.createDataFrame(written.to_pandas(), SALES.spark_ddl)
    published = tables.replace_days(SALES, made, DAYS[0], DAYS[2], "spark")
    assert published.rows_per_day == {DAYS[0]: 2, DAYS[1]: 0, DAYS[2]: 1}
    assert rows_of(tables) == written.to_pylist()
    assert tables.read_spark(spark, SALES, DAYS[1], DAYS[2]).toArrow().to_pylist() == [sale(DAYS[2], lines=None)]
    stored = DeltaTable(published.uri, storage_options=access.storage_options)
    assert len(stored.file_uris()) == 2, "one file per day"
    assert not [key for key in keys_below(access, "commits/") if "_delta_log" in key]


# ---- what is refused

REFUSED = {
    "a row of another day": (frame(sale(DAYS[1]), sale(DAYS[3])), r"2024-03-02 lie outside"),
    "a row without a day": (frame(sale(DAYS[1]), sale(None)), "without a day"),
    "two rows of one grain": (frame(sale(DAYS[1]), sale(DAYS[1], units="2")), r"share one day x product_id.*'n': 2"),
    "no product": (frame(sale(DAYS[1], None)), r'"product_id" IS NULL'),
    "no units": (frame(sale(DAYS[1]), sale(DAYS[1], "02", None)), r'1 rows with "units" IS NULL.*02'),
    "a decimal below its minimum": (frame(sale(DAYS[1], units="-0.001")), r'"units" < 0'),
    "a count below its minimum": (frame(sale(DAYS[1], lines=0)), r'"lines" < 1'),
    "no number": (frame(sale(DAYS[1], mean=math.nan)), r'1 rows with isnan\("mean".*01'),
    "an infinite number": (frame(sale(DAYS[1], mean=-math.inf)), r'1 rows with isnan\("mean".*01'),
    "a column too few": (frame(sale(DAYS[1])).drop_columns(["mean"]), r"missing \['mean'\]"),
    "a column too many": (frame(sale(DAYS[1])).append_column("extra", pa.array([1])), r"contract \['extra'\]"),
    "text for numbers": (
        frame(sale(DAYS[1])).set_column(3, "lines", pa.array(["1"])),
        r"lines is string, not int64",
    ),
    "text for numbers in pandas": (frame(sale(DAYS[1])).to_pandas().assign(lines="1"), "lines is string, not int64"),
    "numbers for ids in pandas": (frame(sale(DAYS[1])).to_pandas().assign(product_id=1), "product_id is int64"),
    "parts of a line in pandas": (frame(sale(DAYS[1])).to_pandas().assign(lines=1.5), "lines is no int64"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_anything_is_public(case: str, tables: DeltaTables) -> None:
    wrong, message = REFUSED[case]
    tables.replace_days(SALES, frame(sale(DAYS[0]), sale(DAYS[1])), DAYS[0], DAYS[1], "good")
    before = keys_below(tables.access)
    with pytest.raises(ContractError, match=message):
        tables.replace_days(SALES, wrong, DAYS[0], DAYS[2], "bad")
    assert rows_of(tables) == [sale(DAYS[0]), sale(DAYS[1])]
    assert keys_below(tables.access) == before, "the stage is gone"


@pytest.mark.parametrize(
    "case",
    ["a row of another day", "two rows of one grain", "no units", "a count below its minimum", "an infinite number"],
)
def test_refused_from_spark_too(case: str, spark: SparkSession, access: S3Access) -> None:
    wrong, message = REFUSED[case]
    tables = DeltaTables(access)
    with pytest.raises(ContractError, match=message):
        tables.replace_days(SALES, spark.createDataFrame(wrong.to_pandas(), SALES.spark_ddl), DAYS[0], DAYS[2], "bad")
    assert rows_of(tables) == []
    assert not keys_below(access, "commits/")


def test_a_spark_column_of_another_type_is_refused(spark: SparkSession, access: S3Access) -> None:
    made = spark.createDataFrame(
        frame(sale(FIRST)).to_pandas(), SALES.spark_ddl.replace("`mean` float", "`mean` double")
    )
    with pytest.raises(ContractError, match="mean is double, not float"):
        DeltaTables(access).replace_days(SALES, made, FIRST, FIRST, "bad")


def test_an_audit_in_parts_sees_a_duplicate_in_any_part(tables: DeltaTables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "ROWS_PER_AUDIT", 1)
    for doubled in DAYS:
        with pytest.raises(ContractError, match="share one"):
            tables.replace_days(SALES, frame(*(map(sale, DAYS)), sale(doubled)), DAYS[0], DAYS[3], f"bad-{doubled}")


# ---- small tables


def plans(**columns: list[Any]) -> pa.Table:
    values = {"product_id": ["01", "02"], "units": [1, None], "weight": [0.5, None], "note": [None, "x"]} | columns
    return pa.table(values, schema=pa.schema([(c.name, c.type) for c in PLANS.columns]))


def test_a_small_table_is_replaced_as_a_whole(tables: DeltaTables) -> None:
    assert tables.replace_all(PLANS, plans(product_id=["03", "04"]))[0] == 0
    assert tables.replace_all(PLANS, plans())[0] == 1
    assert tables.read(PLANS).equals(plans().cast(PLANS.arrow_schema))


def test_a_small_table_whose_contract_gained_a_column_has_it_once_replaced(tables: DeltaTables) -> None:
    before = replace(PLANS, columns=PLANS.columns[:-1])
    tables.replace_all(before, plans().drop_columns(["note"]))

    tables.replace_all(PLANS, plans())

    assert tables.read(PLANS).equals(plans().cast(PLANS.arrow_schema))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (plans(product_id=["01", "01"]), "share one product_id"),
        (plans(product_id=["01", None]), '"product_id" IS NULL'),
        (plans(units=[1, -1]), '"units" < 0'),
        (plans(weight=[None, math.nan]), r'isnan\("weight"'),
        (plans().drop_columns(["note"]), "missing"),
        (plans().set_column(1, "units", pa.array(["1", "2"])), "units is string, not int64"),
    ],
    ids=["duplicate", "null", "below minimum", "no number", "column", "type"],
)
def test_a_small_table_is_held_to_its_contract_too(wrong: pa.Table, message: str, tables: DeltaTables) -> None:
    tables.replace_all(PLANS, plans())
    with pytest.raises(ContractError, match=message):
        tables.replace_all(PLANS, wrong)
    assert tables.read(PLANS).equals(plans().cast(PLANS.arrow_schema))


# ---- crashes


def test_a_write_that_fails_before_its_commit_leaves_the_old_version_and_no_stage(
    tables: DeltaTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables.replace_days(SALES, frame(sale(FIRST)), FIRST, FIRST, "old")
    before = keys_below(tables.access)
    with monkeypatch.context() as broken:
        broken.setattr(DeltaTable, "create_write_transaction", _fail)
        with pytest.raises(ConnectionError, match="the line went dead"):
            tables.replace_days(SALES, frame(sale(FIRST, units="9")), FIRST, FIRST, "new")
    assert rows_of(tables) == [sale(FIRST)]
    assert keys_below(tables.access) == before
    tables.replace_days(SALES, frame(sale(FIRST, units="9")), FIRST, FIRST, "again")
    assert rows_of(tables) == [sale(FIRST, units="9")]


def _fail(*_: object, **__: object) -> None:
    raise ConnectionError("the line went dead")


KILLED_WRITER = """
import os, signal, sys
from deltalake import DeltaTable
from nexgen_assets.resources.lake import S3Access
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets_tests.io_managers.test_delta_tables import FIRST, SALES, frame, sale

DeltaTable.create_write_transaction = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
access = S3Access(*sys.argv[1:])
DeltaTables(access).replace_days(SALES, frame(sale(FIRST, units="9")), FIRST, FIRST, "killed")
"""


def test_a_writer_killed_between_stage_and_commit_leaves_the_old_version_and_nothing_in_the_way(
    access: S3Access,
) -> None:
    tables = DeltaTables(access)
    tables.replace_days(SALES, frame(sale(FIRST)), FIRST, FIRST, "old")
    where = (access.bucket, access.prefix, access.region, access.endpoint, access.access_key, access.secret_key)
    killed = subprocess.run([sys.executable, "-c", KILLED_WRITER, *map(str, where)], check=False)
    assert killed.returncode == -9
    assert keys_below(access, "commits/killed/"), "it died after staging"
    assert rows_of(tables) == [sale(FIRST)]
    tables.replace_days(SALES, frame(sale(FIRST, units="7")), FIRST, FIRST, "later")
    assert rows_of(tables) == [sale(FIRST, units="7")]


# ---- two writers


def test_concurrent_writers_of_different_days_all_land(access: S3Access) -> None:
    def write(day: date) -> None:
        DeltaTables(access).replace_days(SALES, frame(sale(day)), day, day, day.isoformat())

    with ThreadPoolExecutor(len(DAYS)) as writers:
        list(writers.map(write, DAYS))
    assert rows_of(DeltaTables(access)) == [sale(day) for day in DAYS]


@pytest.mark.parametrize("day_exists", [True, False])
def test_of_two_writers_of_one_day_the_later_commit_replaces_the_earlier(
    *, day_exists: bool, tables: DeltaTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables.replace_days(SALES, frame(sale(FIRST)) if day_exists else frame(), FIRST, FIRST, "old")
    refresh, overtaken = DeltaTable.update_incremental, []

    def refresh_and_be_overtaken(table: DeltaTable) -> None:
        refresh(table)
        if not overtaken:
            overtaken.append(True)
            tables.replace_days(SALES, frame(sale(FIRST, "earlier")), FIRST, FIRST, "earlier")

    monkeypatch.setattr(DeltaTable, "update_incremental", refresh_and_be_overtaken)
    tables.replace_days(SALES, frame(sale(FIRST, "later")), FIRST, FIRST, "later")
    assert rows_of(tables) == [sale(FIRST, "later")]
