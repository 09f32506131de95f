"""Upkeep of Delta tables: no row changes, no version of the retention is lost, and what nobody needs goes.

Files carry the time at which S3 received them. So the tests either let the clock that is told to `maintain` run ahead,
or ask for no retention or no grace at all. The oracle of reads is what the same version held before.
"""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from deltalake import write_deltalake
from deltalake.exceptions import CommitFailedError
from deltalake.table import TableOptimizer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.io_managers.maintenance import Upkeep, maintain
from nexgen_assets.resources.lake import S3Access
from nexgen_assets.tables import DAY
from nexgen_assets_tests.conftest import unique_prefix
from nexgen_assets_tests.io_managers.test_delta_tables import DAYS, PLANS, SALES, Row, frame, keys_below, rows_of, sale

RETENTION = 30
LATER = timedelta(days=RETENTION + 1)


@pytest.fixture
def tables(access: S3Access) -> DeltaTables:
    return DeltaTables(access)


def replace(tables: DeltaTables, name: str, days: list[date] = DAYS) -> None:
    """Replace the days by one row each, of a product with that name."""
    tables.replace_days(SALES, frame(*(sale(day, name) for day in days)), min(days), max(days), f"run-{name}")


def products(tables: DeltaTables, version: int | None = None) -> list[tuple[date, str]]:
    """Day and product of every row of a version, read in full."""
    rows = tables.stream(SALES, version=version).read_all().to_pylist()
    return sorted((row["day"], row["product_id"]) for row in rows)


def version_of(tables: DeltaTables) -> int:
    found = tables.open(SALES)
    assert found
    return found.version()


def instants(tables: DeltaTables) -> dict[int, datetime]:
    """When each version was committed."""
    found = tables.open(SALES)
    assert found
    return {c["version"]: datetime.fromtimestamp(c["timestamp"] / 1000, UTC) for c in found.history()}


def keep_house(tables: DeltaTables, now: datetime | None = None, grace_hours: int = 0, days: int = RETENTION) -> Upkeep:
    upkeep = maintain(tables, SALES, days, now or datetime.now(UTC), grace_hours)
    assert upkeep
    return upkeep


def data_files(access: S3Access) -> set[str]:
    return {key for key in keys_below(access) if key.endswith(".parquet") and "_delta_log" not in key}


# ---- what stays


def test_every_version_of_the_retention_reads_as_before(tables: DeltaTables) -> None:
    for name in ("a", "b", "c"):
        replace(tables, name)
    before = {version: products(tables, version) for version in range(1, 4)}
    keep_house(tables)
    assert {version: products(tables, version) for version in range(1, 4)} == before
    assert products(tables) == before[3]


def test_the_newest_version_stays_however_old_it_is(tables: DeltaTables) -> None:
    replace(tables, "a")
    written = rows_of(tables)
    keep_house(tables, datetime.now(UTC) + 10 * LATER)
    assert rows_of(tables) == written


def test_the_version_that_was_current_when_the_retention_began_stays(tables: DeltaTables, access: S3Access) -> None:
    for name in ("a", "b", "c"):
        replace(tables, name)
    just_before_c = instants(tables)[3] - timedelta(microseconds=500)
    keep_house(tables, just_before_c + timedelta(days=RETENTION))
    assert products(tables, 2) == [(day, "b") for day in DAYS]
    assert products(tables, 3) == [(day, "c") for day in DAYS]
    assert {key.split("/")[1] for key in data_files(access)} == {"run-b", "run-c"}


def test_a_reader_pinned_to_a_version_of_the_retention_never_loses_a_file(tables: DeltaTables) -> None:
    replace(tables, "a")
    reader = tables.reader(SALES, DAYS[0], DAYS[-1])
    replace(tables, "b")
    keep_house(tables)
    assert [reader.day(day).column("product_id").to_pylist() for day in DAYS] == [["a"]] * len(DAYS)


def test_spark_reads_a_table_from_its_checkpoint(tables: DeltaTables, spark: SparkSession) -> None:
    for name in ("a", "b"):
        replace(tables, name)
    keep_house(tables, days=0)
    read = tables.read_spark(spark, SALES, DAYS[1]).toArrow()
    assert sorted(read.column("day").to_pylist()) == DAYS[1:]
    assert set(read.column("product_id").to_pylist()) == {"b"}


def test_a_table_that_is_replaced_as_a_whole_keeps_its_versions_too(tables: DeltaTables) -> None:
    rows = [PLANS.arrow_schema.empty_table().from_pylist([{"product_id": p}], PLANS.arrow_schema) for p in "ab"]
    versions = [tables.replace_all(PLANS, table)[0] for table in rows]
    assert maintain(tables, PLANS, RETENTION, datetime.now(UTC), 0)
    assert [tables.stream(PLANS, version=v).read_all() for v in versions] == rows
    assert maintain(tables, PLANS, RETENTION, datetime.now(UTC) + LATER, 0)
    assert tables.read(PLANS) == rows[-1]


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ranges=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=5),
    share=st.floats(0, 1, exclude_max=True),
)
def test_whatever_was_written_no_version_since_any_instant_changes(
    moto_access: S3Access, moto_endpoint: str, ranges: list[tuple[int, int]], share: float
) -> None:
    tables = DeltaTables(S3Access(moto_access.bucket, unique_prefix(), "us-east-1", moto_endpoint, "t", "t"))
    for number, (one, other) in enumerate(ranges):
        replace(tables, f"{number}", DAYS[min(one, other) : max(one, other) + 1])
    committed = sorted(instants(tables).items())
    first, since = committed[int(share * len(committed))]
    before = {version: products(tables, version) for version, _ in committed if version >= first}
    keep_house(tables, since + timedelta(days=RETENTION))
    assert {version: products(tables, version) for version in before} == before
    assert products(tables) == before[max(before)]


# ---- what goes


def test_files_past_the_retention_go(tables: DeltaTables, access: S3Access) -> None:
    for name in ("a", "b", "c"):
        replace(tables, name)
    upkeep = keep_house(tables, datetime.now(UTC) + LATER)
    assert {key.split("/")[1] for key in data_files(access)} == {"run-c"}
    assert upkeep.files_removed == 2 * len(DAYS)
    assert upkeep.bytes_removed > 0
    assert products(tables) == [(day, "c") for day in DAYS]


def test_log_entries_past_the_retention_go(tables: DeltaTables, access: S3Access) -> None:
    for name in ("a", "b", "c"):
        replace(tables, name)
    keep_house(tables, days=0)
    version = version_of(tables)
    log = {key.removeprefix("_delta_log/") for key in keys_below(access, "_delta_log/")}
    assert log == {"_last_checkpoint", f"{version:020d}.json", f"{version:020d}.checkpoint.parquet"}
    assert products(tables) == [(day, "c") for day in DAYS]


def test_any_writer_is_told_to_keep_the_log_as_long(tables: DeltaTables) -> None:
    replace(tables, "a")
    keep_house(tables, days=400)
    found = tables.open(SALES)
    assert found
    assert found.metadata().configuration == {
        "delta.logRetentionDuration": "interval 400 days",
        "delta.deletedFileRetentionDuration": "interval 400 days",
    }


def test_a_stage_that_a_killed_write_left_goes_after_a_day_of_grace(tables: DeltaTables, access: S3Access) -> None:
    replace(tables, "a")
    tables._stage(SALES, frame(sale(DAYS[0], "dead")), "commits/dead")
    left = keys_below(access, "commits/dead/")
    assert {"_delta_log" in key for key in left} == {True, False}
    keep_house(tables, grace_hours=24)
    assert keys_below(access, "commits/dead/") == left
    upkeep = keep_house(tables, grace_hours=0)
    assert keys_below(access, "commits/dead/") == set()
    assert upkeep.files_removed == len(left)
    assert products(tables) == [(day, "a") for day in DAYS]


def test_a_write_in_flight_publishes_what_it_staged_before(tables: DeltaTables) -> None:
    replace(tables, "a")
    target = tables.open(SALES)
    assert target
    stage = tables._stage(SALES, frame(sale(DAYS[0], "b")), "commits/slow")
    keep_house(tables, datetime.now(UTC) + LATER, grace_hours=24)
    tables._publish(SALES, target, stage, DAYS[0], DAYS[0])
    assert products(tables) == [(DAYS[0], "b"), *((day, "a") for day in DAYS[1:])]


def test_done_twice_it_changes_nothing(tables: DeltaTables, access: S3Access) -> None:
    for name in ("a", "b"):
        replace(tables, name)
    append(tables, "c")
    now = datetime.now(UTC) + LATER
    keep_house(tables, now)
    keep_house(tables, now)  # removes the files that the first one merged
    version, keys = version_of(tables), keys_below(access)
    again = keep_house(tables, now)
    assert (version_of(tables), keys_below(access)) == (version, keys)
    assert (again.files_merged, again.files_removed, again.bytes_removed) == (0, 0, 0)
    assert again.files_kept == len(keys)


def test_a_table_that_was_never_written_needs_no_upkeep(tables: DeltaTables, access: S3Access) -> None:
    assert maintain(tables, SALES, RETENTION, datetime.now(UTC)) is None
    assert keys_below(access) == set()


# ---- small files


def append(tables: DeltaTables, name: str, days: list[date] = DAYS) -> None:
    """Another writer adds a file to each day."""
    rows = frame(*(sale(day, name) for day in days))
    options = tables.access.storage_options
    write_deltalake(tables.access.table_uri(SALES.name), rows, mode="append", storage_options=options)


def files_per_day(tables: DeltaTables) -> dict[date, int]:
    found = tables.open(SALES)
    assert found
    days = [str(uri).rpartition(f"{DAY}=")[2].partition("/")[0] for uri in found.file_uris()]
    return {date.fromisoformat(day): days.count(day) for day in sorted(set(days))}


def test_several_files_of_a_day_become_one_and_days_stay_apart(tables: DeltaTables) -> None:
    replace(tables, "a")
    append(tables, "b", DAYS[:2])
    append(tables, "c", DAYS[:2])
    written = rows_of(tables)
    upkeep = keep_house(tables)
    assert upkeep.files_merged == 6
    assert files_per_day(tables) == dict.fromkeys(DAYS, 1)
    assert rows_of(tables) == written
    assert tables.read(SALES, DAYS[0], DAYS[0]).num_rows == 3


def test_a_day_that_is_replaced_while_its_files_are_merged_is_the_writers(
    tables: DeltaTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace(tables, "a")
    append(tables, "b")
    original, conflicts = TableOptimizer.compact, list[CommitFailedError]()

    def compact(optimizer: TableOptimizer) -> dict[str, Any]:
        if not conflicts:
            replace(tables, "new", DAYS[:1])  # after the snapshot, before the commit
        try:
            return original(optimizer)
        except CommitFailedError as conflict:
            conflicts.append(conflict)
            raise

    monkeypatch.setattr(TableOptimizer, "compact", compact)
    keep_house(tables)
    assert len(conflicts) == 1
    assert products(tables) == [(DAYS[0], "new"), *((day, name) for day in DAYS[1:] for name in ("a", "b"))]
    assert files_per_day(tables) == dict.fromkeys(DAYS, 1)


def test_nothing_that_is_written_during_the_upkeep_is_lost(tables: DeltaTables) -> None:
    replace(tables, "a")
    append(tables, "b")

    def write() -> list[Row]:
        for number in range(8):
            replace(tables, f"{number}", DAYS[number % 2 : number % 2 + 2])
        return rows_of(tables)

    with ThreadPoolExecutor(1) as thread:
        writing = thread.submit(write)
        while not writing.done():
            maintain(tables, SALES, RETENTION, datetime.now(UTC) + LATER)
    assert rows_of(tables) == writing.result()
    assert products(tables) == [
        (DAYS[0], "6"),
        (DAYS[1], "7"),
        (DAYS[2], "7"),
        (DAYS[3], "a"),
        (DAYS[3], "b"),
    ]
