"""Pruned runs: old ones go with all they left on disk, and nothing that Dagster says of any partition changes.

Runs are real ones, on a real instance with NexGen's event storage. They are made old by a clock that runs ahead.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nexgen_assets.event_storage import BatchedSqliteEventLogStorage
from nexgen_assets.retention import PrunedRuns, prune_runs

CALENDAR = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-02-01")
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
KEYS = [dg.AssetKey(name) for name in ("sales", "orders", "manifest")]
FAILS = "test/fails"


@dg.asset(partitions_def=CALENDAR)
def sales(context: dg.AssetExecutionContext) -> None:
    if FAILS in context.run.tags:
        raise ValueError("asked to fail")
    for day in context.partition_keys:
        context.add_asset_metadata({"rows": 1, "run": context.run.run_id}, partition_key=day)


@dg.asset(
    deps=[sales],
    partitions_def=CALENDAR,
    check_specs=[dg.AssetCheckSpec("sound", asset="orders")],
)
def orders() -> dg.MaterializeResult:
    return dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=True, check_name="sound")])


@dg.asset
def manifest(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    return dg.MaterializeResult(metadata={"run": context.run.run_id})


@dg.asset_check(asset=manifest)
def complete() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


def instance_with(storage: type, folder: Path) -> dg.DagsterInstance:
    base_dir = str(folder / "events")
    config = {"module": storage.__module__, "class": storage.__name__, "config": {"base_dir": base_dir}}
    folder.mkdir(exist_ok=True)
    return dg.DagsterInstance.local_temp(str(folder), overrides={"event_log_storage": config})


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with instance_with(BatchedSqliteEventLogStorage, tmp_path) as found:
        yield found


def run_days(instance: dg.DagsterInstance, first: int, last: int, *, fails: bool = False) -> str:
    """One run of sales and orders over those days of January."""
    tags = {RANGE_START: f"2024-01-{first:02d}", RANGE_END: f"2024-01-{last:02d}"} | ({FAILS: ""} if fails else {})
    return dg.materialize([sales, orders], instance=instance, tags=tags, raise_on_error=not fails).run_id


def run_sales(instance: dg.DagsterInstance, day: int, *, fails: bool = False) -> str:
    """One run of sales alone, which has no check, over one day."""
    tags = {RANGE_START: f"2024-01-{day:02d}", RANGE_END: f"2024-01-{day:02d}"} | ({FAILS: ""} if fails else {})
    return dg.materialize([sales], instance=instance, tags=tags, raise_on_error=not fails).run_id


def run_check(instance: dg.DagsterInstance) -> str:
    """One run of the manifest's check alone."""
    only = dg.AssetSelection.checks_for_assets(manifest)
    return dg.materialize([manifest, complete], instance=instance, selection=only).run_id


def run_manifest(instance: dg.DagsterInstance) -> str:
    return dg.materialize([manifest], instance=instance).run_id


def prune(instance: dg.DagsterInstance, days_ahead: int = 1) -> PrunedRuns:
    """Prune as if it were that many days later and runs were kept for no day."""
    return prune_runs(instance, datetime.now(UTC) + timedelta(days=days_ahead))


def run_ids(instance: dg.DagsterInstance) -> set[str]:
    return set(instance.get_run_ids())


def told(instance: dg.DagsterInstance) -> dict[str, Any]:
    """All that Dagster says of the assets: keys, status of each partition, its latest materialization, checks."""
    keys = instance.all_asset_keys()
    checks = [dg.AssetCheckKey(orders.key, "sound"), dg.AssetCheckKey(manifest.key, "complete")]
    return {
        "assets": {key.to_user_string(): told_of(instance, key) for key in keys},
        "checks": instance.event_log_storage.get_latest_asset_check_execution_by_key(checks),
    }


def told_of(instance: dg.DagsterInstance, key: dg.AssetKey) -> dict[str, Any]:
    def latest_of(day: str) -> dg.EventLogRecord:
        return instance.fetch_materializations(dg.AssetRecordsFilter(key, asset_partitions=[day]), limit=1).records[0]

    events = instance.event_log_storage
    days = None if key.path == ["manifest"] else CALENDAR
    instance.wipe_asset_cached_status([key])  # or it would tell what it told before
    status = get_and_update_asset_status_cache_value(instance, key, days)
    [record] = instance.get_asset_records([key])
    return {
        "materialized": instance.get_materialized_partitions(key),
        "latest": {day: latest_of(day) for day in instance.get_materialized_partitions(key)},
        "newest": instance.get_latest_materialization_event(key),
        "unsuccessful": events.get_latest_asset_partition_materialization_attempts_without_materializations(key),
        "status_of_partitions": status,
        "last_run": record.asset_entry.last_run_id,
    }


# ---- what goes


def test_a_run_whose_days_have_all_been_made_anew_goes(instance: dg.DagsterInstance) -> None:
    superseded, newest = run_days(instance, 1, 3), run_days(instance, 1, 5)
    before = told(instance)
    assert prune(instance) == PrunedRuns(removed=1, needed=1)
    assert run_ids(instance) == {newest}
    assert told(instance) == before
    assert instance.all_logs(superseded) == []


def test_an_old_failure_goes_once_its_days_have_been_made(instance: dg.DagsterInstance) -> None:
    run_days(instance, 1, 2, fails=True)
    made = run_days(instance, 1, 2)
    before = told(instance)
    assert prune(instance).removed == 1
    assert run_ids(instance) == {made}
    assert told(instance) == before


def test_of_an_asset_without_partitions_the_newest_run_stays(instance: dg.DagsterInstance) -> None:
    _, _, newest = (run_manifest(instance) for _ in range(3))
    before = told(instance)
    assert prune(instance) == PrunedRuns(removed=2, needed=1)
    assert run_ids(instance) == {newest}
    assert told(instance) == before


def test_a_run_leaves_no_file_behind(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    superseded, newest = run_manifest(instance), run_manifest(instance)
    assert list(tmp_path.rglob(f"*{superseded}*"))
    prune(instance)
    assert list(tmp_path.rglob(f"*{superseded}*")) == []
    assert list(tmp_path.rglob(f"*{newest}*"))
    assert instance.all_logs(superseded) == []


def test_pruning_that_was_killed_half_way_is_finished_by_the_next(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    superseded, newest = run_manifest(instance), run_manifest(instance)
    before = told(instance)

    def killed(_: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(instance.run_storage, "delete_run", killed)
        with pytest.raises(KeyboardInterrupt):
            prune(instance)
    assert prune(instance).removed == 1
    assert run_ids(instance) == {newest}
    assert list(tmp_path.rglob(f"*{superseded}*")) == []
    assert told(instance) == before


# ---- what stays


def test_a_run_stays_for_as_long_as_one_of_its_days_is_the_newest(instance: dg.DagsterInstance) -> None:
    runs = {run_days(instance, 1, 3), run_days(instance, 2, 5), run_sales(instance, 6), run_sales(instance, 7)}
    assert prune(instance) == PrunedRuns(removed=0, needed=4)
    assert run_ids(instance) == runs


def test_a_young_run_stays(instance: dg.DagsterInstance) -> None:
    runs = {run_manifest(instance), run_manifest(instance)}
    assert prune(instance, days_ahead=-1) == PrunedRuns(removed=0, needed=0)
    assert run_ids(instance) == runs


def test_the_latest_failure_of_a_day_stays_and_so_does_what_was_made_before(instance: dg.DagsterInstance) -> None:
    runs = {run_sales(instance, 1), run_sales(instance, 1, fails=True)}
    before = told(instance)
    prune(instance)
    assert run_ids(instance) == runs
    assert told(instance) == before


def test_of_a_check_that_ran_alone_the_newest_run_stays(instance: dg.DagsterInstance) -> None:
    made = run_manifest(instance)
    _, newest = run_check(instance), run_check(instance)
    before = told(instance)
    assert prune(instance).removed == 1
    assert run_ids(instance) == {made, newest}
    assert told(instance) == before


@pytest.mark.parametrize(
    "status", [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
)
def test_a_run_that_has_not_ended_stays_however_old(instance: dg.DagsterInstance, status: dg.DagsterRunStatus) -> None:
    job = dg.define_asset_job("again", "manifest").resolve(
        asset_graph=dg.Definitions(assets=[manifest]).resolve_asset_graph()
    )
    waiting = instance.create_run_for_job(job, status=status).run_id
    prune(instance, days_ahead=1000)
    assert run_ids(instance) == {waiting}


def test_done_twice_it_removes_nothing_more(instance: dg.DagsterInstance) -> None:
    for _ in range(3):
        run_days(instance, 1, 2)
    assert prune(instance).removed == 2
    assert prune(instance) == PrunedRuns(removed=0, needed=1)


def test_the_event_storage_that_dagster_ships_is_pruned_alike(tmp_path: Path) -> None:
    with instance_with(SqliteEventLogStorage, tmp_path) as instance:
        run_days(instance, 1, 2)
        newest = run_days(instance, 1, 3)
        before = told(instance)
        assert prune(instance) == PrunedRuns(removed=1, needed=1)
        assert run_ids(instance) == {newest}
        assert told(instance) == before


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ranges=st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5), st.booleans()), min_size=1, max_size=6))
def test_whatever_ran_nothing_is_told_differently(
    tmp_path_factory: pytest.TempPathFactory, ranges: Sequence[tuple[int, int, bool]]
) -> None:
    with instance_with(BatchedSqliteEventLogStorage, tmp_path_factory.mktemp("instance")) as instance:
        for one, other, fails in ranges:
            run_days(instance, min(one, other), max(one, other), fails=fails)
            run_manifest(instance)
        before = told(instance)
        prune(instance)
        assert told(instance) == before
        newest = [instance.get_latest_materialization_event(key) for key in KEYS]
        assert {event.run_id for event in newest if event} <= run_ids(instance)
