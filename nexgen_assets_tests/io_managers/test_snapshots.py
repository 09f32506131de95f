"""The published snapshot: readers see a run's tables together, and keep seeing what was published."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import obstore
import pytest

from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.io_managers.maintenance import maintain
from nexgen_assets.io_managers.snapshots import KEY, Snapshot, Snapshots, SnapshotTables
from nexgen_assets.resources.lake import S3Access
from nexgen_assets.tables import DAILY_DEMAND, OPEN_ORDERS, Table
from nexgen_assets_tests.dashboard.shop import rows_of

DAY = date(2026, 3, 10)
NOW = datetime(2026, 3, 11, tzinfo=UTC)
ORDERS, DEMAND = OPEN_ORDERS, DAILY_DEMAND


@pytest.fixture
def tables(access: S3Access) -> DeltaTables:
    return DeltaTables(access)


@pytest.fixture
def snapshots(tables: DeltaTables) -> Snapshots:
    return Snapshots(tables)


def write(tables: DeltaTables, table: Table, product_id: str, days: int = 1) -> None:
    """Replace the days by one row each, of that product."""
    rows = [{"day": DAY + timedelta(days=n), "product_id": product_id, "ordered_as_of": DAY} for n in range(days)]
    told = [{name: value for name, value in row.items() if name in table.by_name} for row in rows]
    tables.replace_days(table, rows_of(table, told), DAY, DAY + timedelta(days=days - 1), f"run-{product_id}")


def seen(tables: DeltaTables, snapshot: Snapshot | None, table: Table = ORDERS) -> set[str]:
    """Products that a reader of the snapshot finds."""
    assert snapshot
    return set(SnapshotTables(tables, snapshot).read(table)["product_id"].to_pylist())


def test_before_the_first_publication_there_is_none(tables: DeltaTables, snapshots: Snapshots) -> None:
    write(tables, ORDERS, "a")

    assert snapshots.current() is None
    assert seen(tables, snapshots.newest()) == {"a"}


def test_what_was_published_is_read_whatever_is_written_after(tables: DeltaTables, snapshots: Snapshots) -> None:
    write(tables, ORDERS, "a")
    snapshots.publish([ORDERS.name], "run", NOW)
    write(tables, ORDERS, "b")

    assert seen(tables, snapshots.current()) == {"a"}
    snapshots.publish([ORDERS.name], "run", NOW)
    assert seen(tables, snapshots.current()) == {"b"}


def test_a_run_does_not_publish_what_another_is_in_the_middle_of(tables: DeltaTables, snapshots: Snapshots) -> None:
    for table in (ORDERS, DEMAND):
        write(tables, table, "a")
    snapshots.publish([ORDERS.name, DEMAND.name], "first", NOW)
    for table in (ORDERS, DEMAND):
        write(tables, table, "b")

    snapshots.publish([DEMAND.name], "second", NOW)

    assert seen(tables, snapshots.current(), DEMAND) == {"b"}
    assert seen(tables, snapshots.current(), ORDERS) == {"a"}


def test_runs_that_publish_at_once_lose_nothing_of_each_other(tables: DeltaTables, snapshots: Snapshots) -> None:
    for table in (ORDERS, DEMAND):
        write(tables, table, "a")
    snapshots.publish([ORDERS.name, DEMAND.name], "first", NOW)
    for table in (ORDERS, DEMAND):
        write(tables, table, "b")

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda table: snapshots.publish([table.name], table.name, NOW), (ORDERS, DEMAND)))

    assert [seen(tables, snapshots.current(), table) for table in (ORDERS, DEMAND)] == [{"b"}, {"b"}]


def test_the_same_versions_have_the_same_id(tables: DeltaTables, snapshots: Snapshots) -> None:
    write(tables, ORDERS, "a")
    first = snapshots.publish([ORDERS.name], "one", NOW)
    again = snapshots.publish([ORDERS.name], "two", NOW + timedelta(days=1))
    write(tables, ORDERS, "b")

    assert first.snapshot_id == again.snapshot_id
    assert snapshots.publish([ORDERS.name], "three", NOW).snapshot_id != first.snapshot_id


def test_the_file_says_it_in_json(tables: DeltaTables, snapshots: Snapshots, access: S3Access) -> None:
    write(tables, ORDERS, "a")
    snapshot = snapshots.publish([ORDERS.name], "run-1", NOW)

    assert json.loads(bytes(obstore.get(access.store(), KEY).bytes())) == {
        "snapshot_id": snapshot.snapshot_id,
        "published_at": "2026-03-11T00:00:00+00:00",
        "run_id": "run-1",
        "versions": {ORDERS.name: 1},
    }


def test_a_snapshot_cannot_be_written_to(tables: DeltaTables, snapshots: Snapshots) -> None:
    view = SnapshotTables(tables, snapshots.newest())

    with pytest.raises(TypeError, match="only read"):
        view.replace_days(ORDERS, None, DAY, DAY, "x")


# ---- upkeep


def test_upkeep_moves_the_snapshot_on_where_no_row_changed(tables: DeltaTables, snapshots: Snapshots) -> None:
    write(tables, ORDERS, "a")
    before = snapshots.publish([ORDERS.name], "run", NOW)
    maintain(tables, ORDERS, 30, datetime.now(UTC), published=before.versions[ORDERS.name])

    after = snapshots.follow_upkeep()

    assert after
    assert after.versions == snapshots.newest().versions
    assert after.published_at == before.published_at


def test_upkeep_publishes_nothing_that_no_run_has(tables: DeltaTables, snapshots: Snapshots) -> None:
    write(tables, ORDERS, "a")
    before = snapshots.publish([ORDERS.name], "run", NOW)
    write(tables, ORDERS, "b")
    maintain(tables, ORDERS, 30, datetime.now(UTC), published=before.versions[ORDERS.name])

    snapshots.follow_upkeep()

    assert seen(tables, snapshots.current()) == {"a"}


def test_the_published_version_stays_readable_past_the_retention(tables: DeltaTables, snapshots: Snapshots) -> None:
    write(tables, ORDERS, "a")
    published = snapshots.publish([ORDERS.name], "run", NOW)
    write(tables, ORDERS, "b")
    write(tables, ORDERS, "c")
    long_after = datetime.now(UTC) + timedelta(days=100)

    maintain(tables, ORDERS, 30, long_after, grace_hours=0, published=published.versions[ORDERS.name])
    assert seen(tables, snapshots.current()) == {"a"}

    snapshots.publish([ORDERS.name], "run", NOW)
    upkeep = maintain(tables, ORDERS, 30, long_after, grace_hours=0, published=snapshots.newest().versions[ORDERS.name])
    assert upkeep
    assert upkeep.files_removed >= 1  # that of a, which nobody reads any more
    assert seen(tables, snapshots.current()) == {"c"}
