"""The batched event log against the one Dagster ships: the same rows, the same answers, nothing lost.

The oracle is the shipped storage: it receives the very same events, one by one.
"""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import psutil
import pytest
from dagster import (
    AssetCheckKey,
    AssetCheckResult,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    AssetMaterialization,
    AssetObservation,
    AssetRecordsFilter,
    DagsterEvent,
    DagsterEventType,
    DagsterInstance,
    DailyPartitionsDefinition,
    MaterializeResult,
    asset,
    materialize,
)
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationPlanned
from dagster._core.events import (
    AssetMaterializationPlannedData,
    AssetObservationData,
    EngineEventData,
    StepMaterializationData,
)
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy.engine import Connection, Engine

from nexgen_assets import event_storage
from nexgen_assets.event_storage import (
    EVENT_BATCH_SIZE,
    BatchedSqliteEventLogStorage,
    enable_event_batching,
)

RUN = "11111111-2222-4333-8444-555555555555"
TABLES = ["event_logs", "asset_keys", "asset_event_tags", "asset_check_executions", "dynamic_partitions"]
RANGE = {"dagster/asset_partition_range_start": "2024-01-01", "dagster/asset_partition_range_end": "2024-01-05"}
DAYS = [f"2024-01-0{day}" for day in range(1, 6)]
NOW = 1_700_000_000.0
Pair = tuple[Path, SqliteEventLogStorage, SqliteEventLogStorage]


@asset(
    partitions_def=DailyPartitionsDefinition("2024-01-01", end_date="2024-02-01"),
    check_specs=[AssetCheckSpec("sound", asset="sales")],
)
def sales(context: AssetExecutionContext) -> MaterializeResult:
    for day in context.partition_keys:
        context.add_asset_metadata({"rows": int(day[-2:])}, partition_key=day)
    return MaterializeResult(check_results=[AssetCheckResult(passed=True, check_name="sound")])


@asset(deps=[sales], partitions_def=DailyPartitionsDefinition("2024-01-01", end_date="2024-02-01"))
def demand() -> None: ...


@pytest.fixture(scope="module", autouse=True)
def no_waiting_for_the_disk() -> Iterator[None]:
    """Dying processes lose nothing that the system holds; only a power cut would, and no test cuts the power."""

    def relax(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA synchronous=OFF").close()

    sqlalchemy_event.listen(Engine, "connect", relax)
    yield
    sqlalchemy_event.remove(Engine, "connect", relax)


def storage_config(cls: type, folder: Path) -> dict[str, Any]:
    return {"module": cls.__module__, "class": cls.__name__, "config": {"base_dir": str(folder / "events")}}


def instance_with(cls: type, folder: Path) -> DagsterInstance:
    overrides = {"event_log_storage": storage_config(cls, folder), "telemetry": {"enabled": False}}
    return DagsterInstance.local_temp(str(folder), overrides=overrides)


@pytest.fixture
def batched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DagsterInstance]:
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", EVENT_BATCH_SIZE)
    (tmp_path / "batched").mkdir()
    with instance_with(BatchedSqliteEventLogStorage, tmp_path / "batched") as instance:
        yield instance


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[BatchedSqliteEventLogStorage]:
    opened = BatchedSqliteEventLogStorage(str(tmp_path / "storage"))
    yield opened
    opened.dispose()


def rows_of(file: Path) -> Mapping[str, Sequence[tuple[Any, ...]]]:
    """Every row of every table, apart from the moment at which the database wrote it."""
    connection = sqlite3.connect(file)
    connection.row_factory = sqlite3.Row
    tables = {table: connection.execute(f"SELECT * FROM {table} ORDER BY id").fetchall() for table in TABLES}
    connection.close()
    return {
        table: [tuple((name, row[name]) for name in row.keys() if name != "create_timestamp") for row in rows]  # noqa: SIM118
        for table, rows in tables.items()
    }


def empty(file: Path) -> None:
    connection = sqlite3.connect(file)
    for table in TABLES:
        connection.execute(f"DELETE FROM {table}")
    connection.commit()
    connection.close()


def shards_of(folder: Path) -> dict[str, Mapping[str, Sequence[tuple[Any, ...]]]]:
    return {file.stem: rows_of(file) for file in sorted(folder.glob("*.db"))}


def entry(event_type: DagsterEventType, data: Any, run_id: str = RUN, second: int = 0) -> EventLogEntry:
    return EventLogEntry(
        error_info=None,
        level="INFO",
        user_message="",
        run_id=run_id,
        timestamp=NOW + second,
        step_key="step",
        job_name="job",
        dagster_event=DagsterEvent(event_type.value, "job", event_specific_data=data),
    )


def materialized(name: str = "sales", partition: str | None = None, run_id: str = RUN, **tags: str) -> EventLogEntry:
    tags = {"dagster/data_version": tags.get("version", "1")}
    event = AssetMaterialization(AssetKey(name), partition=partition, tags=tags)
    return entry(DagsterEventType.ASSET_MATERIALIZATION, StepMaterializationData(event, []), run_id)


def planned(name: str, partition: str | None) -> EventLogEntry:
    data = AssetMaterializationPlannedData(asset_key=AssetKey(name), partition=partition)
    return entry(DagsterEventType.ASSET_MATERIALIZATION_PLANNED, data)


def observed(name: str, partition: str | None) -> EventLogEntry:
    data = AssetObservationData(AssetObservation(AssetKey(name), partition=partition))
    return entry(DagsterEventType.ASSET_OBSERVATION, data)


def check_planned(name: str, check: str) -> EventLogEntry:
    planned = AssetCheckEvaluationPlanned(asset_key=AssetKey(name), check_name=check, partitions_subset=None)
    return entry(DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED, planned)


# --- the same rows


def test_a_real_run_leaves_the_rows_that_the_shipped_storage_leaves(
    batched: DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[EventLogEntry] = []
    batches: list[int] = []
    store, store_batch = BatchedSqliteEventLogStorage.store_event, BatchedSqliteEventLogStorage.store_event_batch

    def recording_store(self: Any, event: EventLogEntry) -> None:
        events.append(event)
        store(self, event)

    def recording_store_batch(self: Any, batch: Sequence[EventLogEntry]) -> None:
        events.extend(batch)
        batches.append(len(batch))
        store_batch(self, batch)

    monkeypatch.setattr(BatchedSqliteEventLogStorage, "store_event", recording_store)
    monkeypatch.setattr(BatchedSqliteEventLogStorage, "store_event_batch", recording_store_batch)
    materialize([sales, demand], instance=batched, tags=RANGE)
    shipped = SqliteEventLogStorage(str(tmp_path / "shipped"))
    for event in events:
        shipped.store_event(event)

    assert batches == [11, 5, 5]  # planned: 2 assets x 5 days and a check; then each asset's days
    ours, theirs = shards_of(tmp_path / "batched/events"), shards_of(tmp_path / "shipped")
    assert without_checks(ours) == without_checks(theirs)


def without_checks(shards: dict[str, Mapping[str, Sequence[Any]]]) -> dict[str, dict[str, Sequence[Any]]]:
    """All rows but those of checks: over a range of days, ours are fewer on purpose."""
    return {
        shard: {table: rows for table, rows in tables.items() if table != "asset_check_executions"}
        for shard, tables in shards.items()
    }


def test_a_check_of_a_range_of_days_is_planned_once_and_nothing_stays_planned(batched: DagsterInstance) -> None:
    materialize([sales], instance=batched, tags=RANGE)
    history = batched.event_log_storage.get_asset_check_execution_history(
        AssetCheckKey(AssetKey("sales"), "sound"), limit=10
    )
    assert [(record.status.value, record.partition) for record in history] == [("SUCCEEDED", None)]


names, partitions = st.sampled_from(["a", "b", "c"]), st.sampled_from([None, "2024-01-01", "2024-01-02"])
batchable = st.one_of(
    st.builds(materialized, names, partitions),
    st.builds(planned, names, partitions),
    st.builds(observed, names, partitions),
    st.builds(check_planned, names, st.sampled_from(["sound", "fresh"])),
)


@pytest.fixture(scope="module")
def pair(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Path, SqliteEventLogStorage, SqliteEventLogStorage]]:
    """Two storages below one folder: ours and the shipped one."""
    folder = tmp_path_factory.mktemp("pair")
    ours = BatchedSqliteEventLogStorage(str(folder / "ours"))
    yield folder, ours, SqliteEventLogStorage(str(folder / "shipped"))
    ours.dispose()


@settings(max_examples=20)
@given(batches=st.lists(st.lists(batchable, max_size=8), max_size=3))
def test_any_batches_leave_the_rows_that_single_events_leave(pair: Pair, batches: list[list[EventLogEntry]]) -> None:
    folder, ours, shipped = pair
    for file in folder.glob("*/*.db"):
        empty(file)
    events = [event._replace(timestamp=NOW + second) for second, event in enumerate(chain(*batches))]
    for event in events:
        shipped.store_event(event)
    for batch in batches:
        ours.store_event_batch([events.pop(0) for _ in batch])
    assert shards_of(folder / "ours") == shards_of(folder / "shipped")


def test_events_that_need_more_than_a_row_go_one_by_one(storage: BatchedSqliteEventLogStorage) -> None:
    log_line = entry(DagsterEventType.ENGINE_EVENT, EngineEventData())
    storage.store_event_batch([materialized(), log_line])
    assert [record.event_log_entry for record in storage.get_records_for_run(RUN).records] == [materialized(), log_line]


def test_a_batch_over_several_runs_reaches_each_runs_log(storage: BatchedSqliteEventLogStorage) -> None:
    storage.store_event_batch([materialized(run_id="one"), materialized(run_id="two")])
    assert [len(storage.get_logs_for_run(run)) for run in ("one", "two")] == [1, 1]


def test_a_batch_that_fails_half_way_leaves_nothing(
    storage: BatchedSqliteEventLogStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(storage, "_store_asset_event_tags", full_disk)
    with pytest.raises(sqlite3.OperationalError):
        storage.store_event_batch([materialized(partition=day) for day in DAYS])
    shards = shards_of(tmp_path / "storage")
    assert [shards[name]["event_logs"] for name in (RUN, "index")] == [[], []]


# --- the same answers


def answers(instance: DagsterInstance) -> dict[str, Any]:
    """What the web pages ask for, without ids of runs and moments."""
    key, (run,) = sales.key, instance.get_runs()
    asset_entry = instance.get_asset_records([key])[0].asset_entry
    latest = instance.get_latest_materialization_event(key)
    assert latest
    fetched = instance.fetch_materializations(AssetRecordsFilter(asset_key=key), limit=100).records
    checks = instance.event_log_storage.get_latest_asset_check_execution_by_key([AssetCheckKey(key, "sound")])
    by_partition = instance.get_latest_storage_id_by_partition(key, DagsterEventType.ASSET_MATERIALIZATION)
    stats = instance.get_run_stats(run.run_id)
    return {
        "all assets": sorted(instance.all_asset_keys()),
        "partitions": instance.get_materialized_partitions(key),
        "latest by partition": by_partition,
        "the asset's record is its latest event": asset_entry.last_materialization == latest,
        "the asset's last run is this one": asset_entry.last_run_id == run.run_id,
        "latest": said_of(latest.asset_materialization),
        "fetched": [(record.storage_id, said_of(record.asset_materialization)) for record in fetched],
        "checks": [execution.status for execution in checks.values()],
        "log": [event.dagster_event_type for event in instance.all_logs(run.run_id)],
        "stats": (stats.steps_succeeded, stats.materializations),
    }


def said_of(materialization: AssetMaterialization | None) -> tuple[Any, ...]:
    assert materialization
    return materialization.asset_key, materialization.partition, materialization.metadata


def test_queries_agree_with_the_shipped_storage(batched: DagsterInstance, tmp_path: Path) -> None:
    materialize([sales, demand], instance=batched, tags=RANGE)
    (tmp_path / "shipped").mkdir()
    with instance_with(SqliteEventLogStorage, tmp_path / "shipped") as shipped:
        materialize([sales, demand], instance=shipped, tags=RANGE)
        assert answers(batched) == answers(shipped)
    assert answers(batched)["partitions"] == set(DAYS)


def test_a_reader_in_another_process_sees_each_batch_at_once(
    storage: BatchedSqliteEventLogStorage, tmp_path: Path
) -> None:
    storage.store_event_batch([materialized(partition=day) for day in DAYS[:2]])
    code = (
        "import sys; from dagster import AssetKey; from nexgen_assets.event_storage import *;"
        "print(sorted(BatchedSqliteEventLogStorage(sys.argv[1]).get_materialized_partitions(AssetKey('sales'))))"
    )
    seen = subprocess.check_output([sys.executable, "-c", code, str(tmp_path / "storage")], text=True)
    assert seen.strip() == str(DAYS[:2])


def test_a_watcher_hears_every_event_while_the_writer_keeps_its_database_open(
    storage: BatchedSqliteEventLogStorage, tmp_path: Path
) -> None:
    storage.store_event(materialized())
    watcher = BatchedSqliteEventLogStorage(str(tmp_path / "storage"))
    heard: list[str | None] = []
    is_complete = threading.Event()

    def hear(event: EventLogEntry, _cursor: str) -> None:
        heard.append(event.get_dagster_event().partition)
        if len(heard) == 4:
            is_complete.set()

    watcher.watch(RUN, storage.get_records_for_run(RUN).cursor, hear)
    storage.store_event(materialized(partition=DAYS[0]))
    storage.store_event_batch([materialized(partition=day) for day in DAYS[1:4]])
    assert is_complete.wait(10)
    watcher.end_watch(RUN, hear)
    watcher.dispose()
    assert heard == DAYS[:4]


# --- deleting


def test_a_deleted_run_is_gone_and_the_next_one_is_stored(batched: DagsterInstance) -> None:
    first = materialize([demand], instance=batched, tags=RANGE, selection=[demand])
    batched.delete_run(first.run_id)
    assert batched.get_materialized_partitions(demand.key) == set()
    materialize([demand], instance=batched, tags=RANGE)
    assert batched.get_materialized_partitions(demand.key) == set(DAYS)


def test_deleting_a_run_leaves_the_index_that_the_shipped_storage_leaves_and_no_file(pair: Pair) -> None:
    folder, ours, shipped = pair
    for file in folder.glob("*/*.db"):
        empty(file)
    for storage in (ours, shipped):
        for run in ("gone", "kept"):
            storage.store_event_batch([materialized(partition=day, run_id=run) for day in DAYS])
        storage.delete_events("gone")
    assert shards_of(folder / "ours")["index"] == shards_of(folder / "shipped")["index"]
    assert list((folder / "ours").glob("gone*")) == []
    assert len(ours.get_logs_for_run("kept")) == len(DAYS)


@pytest.mark.parametrize("is_other_process", [False, True])
def test_after_its_events_were_deleted_the_same_run_can_be_written_again(
    storage: BatchedSqliteEventLogStorage, tmp_path: Path, is_other_process: bool
) -> None:
    storage.store_event_batch([materialized(), materialized()])
    deleter = BatchedSqliteEventLogStorage(str(tmp_path / "storage")) if is_other_process else storage
    deleter.delete_events(RUN)
    storage.store_event_batch([materialized(partition=DAYS[0])])
    deleter.dispose()
    assert len(storage.get_logs_for_run(RUN)) == 1
    assert storage.get_materialized_partitions(AssetKey("sales")) == {DAYS[0]}


def test_a_wiped_asset_is_gone_and_its_next_materialization_is_stored(batched: DagsterInstance) -> None:
    materialize([demand], instance=batched, tags=RANGE)
    batched.wipe_assets([demand.key])
    assert batched.get_materialized_partitions(demand.key) == set()
    materialize([demand], instance=batched, tags=RANGE)
    assert batched.get_materialized_partitions(demand.key) == set(DAYS)


@pytest.mark.parametrize("is_other_process", [False, True])
def test_after_a_wipe_the_same_run_can_be_written_again(
    storage: BatchedSqliteEventLogStorage, tmp_path: Path, is_other_process: bool
) -> None:
    storage.store_event_batch([materialized(), materialized()])
    wiper = BatchedSqliteEventLogStorage(str(tmp_path / "storage")) if is_other_process else storage
    wiper.wipe()
    storage.store_event_batch([materialized(partition=DAYS[0]), materialized(partition=DAYS[1])])
    wiper.dispose()
    assert len(storage.get_logs_for_run(RUN)) == 2
    assert storage.get_materialized_partitions(AssetKey("sales")) == set(DAYS[:2])


def test_an_upgrade_leaves_the_storage_usable(
    storage: BatchedSqliteEventLogStorage, capsys: pytest.CaptureFixture[str]
) -> None:
    storage.store_event_batch([materialized(partition=DAYS[0]), materialized(partition=DAYS[1])])
    storage.upgrade()
    storage.store_event_batch([materialized(partition=DAYS[2]), materialized(partition=DAYS[3])])
    assert "Updating event log storage for 1 runs" in capsys.readouterr().out
    assert storage.get_materialized_partitions(AssetKey("sales")) == set(DAYS[:4])


# --- processes, threads, files


def test_kill_9_in_mid_run_leaves_a_readable_log_and_the_next_run_works(tmp_path: Path) -> None:
    code = """
import sys, time
from pathlib import Path
from dagster import materialize, asset
from nexgen_assets_tests.test_event_storage import *
enable_event_batching(os.environ)

@asset(deps=[sales], partitions_def=sales.partitions_def)
def endless():
    print("in the middle", flush=True)
    time.sleep(600)

materialize([sales, endless], instance=instance_with(BatchedSqliteEventLogStorage, Path(sys.argv[1])), tags=RANGE)
"""
    writer = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert writer.stdout
    with writer.stdout:
        assert writer.stdout.readline() == "in the middle\n"
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    with instance_with(BatchedSqliteEventLogStorage, tmp_path) as instance:
        assert instance.get_materialized_partitions(sales.key) == set(DAYS)
        killed = instance.get_runs()[0].run_id
        assert DagsterEventType.STEP_SUCCESS in [event.dagster_event_type for event in instance.all_logs(killed)]
        assert materialize([demand], instance=instance, tags=RANGE).success
        assert instance.get_materialized_partitions(demand.key) == set(DAYS)
    for file in (tmp_path / "events").glob("*.db"):
        with sqlite3.connect(file) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()


def test_two_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    code = """
import sys
from nexgen_assets_tests.test_event_storage import *
storage = BatchedSqliteEventLogStorage(sys.argv[1])
name = sys.argv[2]
for batch in range(5):
    storage.store_event_batch([materialized(partition=f"{name}-{batch}-{n}", run_id=name) for n in range(25)])
    storage.store_event(materialized(partition=f"{name}-{batch}-single", run_id="shared"))
"""
    writers = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), name]) for name in ("left", "right")]
    assert [writer.wait(120) for writer in writers] == [0, 0]
    storage = BatchedSqliteEventLogStorage(str(tmp_path))
    logs = [len(storage.get_logs_for_run(run)) for run in ("left", "right", "shared")]
    found = storage.get_materialized_partitions(AssetKey("sales"))
    storage.dispose()
    assert logs == [125, 125, 10]
    assert len(found) == 2 * 5 * 26


def test_threads_share_one_storage(storage: BatchedSqliteEventLogStorage) -> None:
    def write(name: str) -> None:
        for number in range(10):
            storage.store_event_batch([materialized(partition=f"{name}{number}{n}", run_id=name) for n in "ab"])

    threads = [threading.Thread(target=write, args=[name]) for name in "xyz"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(storage.get_materialized_partitions(AssetKey("sales"))) == 60


def test_a_forked_child_writes_through_connections_of_its_own(storage: BatchedSqliteEventLogStorage) -> None:
    storage.store_event_batch([materialized(partition="before"), materialized(partition="before")])
    with storage.index_connection():  # the parent's lock is taken while the child is born
        child = os.fork()
        if child == 0:
            try:
                storage.store_event(materialized(partition="child", run_id="child"))
            finally:
                os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    storage.store_event(materialized(partition="after"))
    assert storage.get_materialized_partitions(AssetKey("sales")) == {"before", "child", "after"}


def test_the_number_of_open_databases_is_bounded(
    storage: BatchedSqliteEventLogStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_storage, "MAX_OPEN_SHARDS", 3)
    for run in range(5):
        storage.store_event(materialized(partition=str(run), run_id=f"run-{run}"))
    open_files = {Path(file.path) for file in psutil.Process().open_files()}
    open_shards = {file.stem for file in open_files if file.parent == tmp_path / "storage" and file.suffix == ".db"}
    assert open_shards == {"run-3", "run-4", "index"}
    assert len(storage.get_materialized_partitions(AssetKey("sales"))) == 5


def test_a_batch_is_written_in_as_many_transactions_as_one_event(storage: BatchedSqliteEventLogStorage) -> None:
    storage.store_event(materialized(partition="warm"))
    with counted_commits() as single:
        storage.store_event(materialized(partition="one"))
    with counted_commits() as batch:
        storage.store_event_batch([materialized(partition=str(number)) for number in range(1000)])
    assert 0 < len(batch) <= len(single)


@contextmanager
def counted_commits() -> Iterator[list[Connection]]:
    """The commits of any database meanwhile."""
    commits: list[Connection] = []

    def count(connection: Connection) -> None:
        commits.append(connection)

    sqlalchemy_event.listen(Engine, "commit", count)
    try:
        yield commits
    finally:
        sqlalchemy_event.remove(Engine, "commit", count)


# --- configuration


def test_batching_is_a_default_that_an_operator_can_override() -> None:
    env: dict[str, str] = {}
    enable_event_batching(env)
    assert env == {"DAGSTER_EVENT_BATCH_SIZE": "1000"}
    chosen = {"DAGSTER_EVENT_BATCH_SIZE": "0"}
    enable_event_batching(chosen)
    assert chosen == {"DAGSTER_EVENT_BATCH_SIZE": "0"}


def test_dagster_yaml_alone_selects_the_storage_and_switches_batches_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "for monkeypatch to restore")
    monkeypatch.delenv("DAGSTER_EVENT_BATCH_SIZE")
    with instance_with(BatchedSqliteEventLogStorage, tmp_path) as instance:
        assert isinstance(instance.event_log_storage, BatchedSqliteEventLogStorage)
        assert os.environ["DAGSTER_EVENT_BATCH_SIZE"] == EVENT_BATCH_SIZE


def test_a_folder_written_by_the_shipped_storage_goes_on(tmp_path: Path) -> None:
    SqliteEventLogStorage(str(tmp_path)).store_event(materialized(partition=DAYS[0]))
    storage = BatchedSqliteEventLogStorage(str(tmp_path))
    storage.store_event_batch([materialized(partition=day) for day in DAYS[1:3]])
    storage.dispose()
    assert SqliteEventLogStorage(str(tmp_path)).get_materialized_partitions(AssetKey("sales")) == set(DAYS[:3])
