"""The sensor of the landing zone: whatever lands in whatever order, the tables end as if built from scratch."""

import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import obstore
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nexgen_assets.automation import look_at_landing_zone
from nexgen_assets.definitions import build_defs
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.jobs import HISTORY, INGEST
from nexgen_assets.landing_zone import LandingZone
from nexgen_assets.launcher import PlannedRun
from nexgen_assets.partitions import DayRange
from nexgen_assets.resources.lake import S3Access, open_lake
from nexgen_assets.resources.spark import stop_engine
from nexgen_assets.sample_data.generator import generate_sample
from nexgen_assets.settings import Settings
from nexgen_assets.tables import (
    CLEANED_FEATURES,
    CLEANED_SALES,
    DAILY_DEMAND,
    FORECAST_ACCURACY,
    RAW_SALES,
    REJECTED_SALES,
    Table,
)

HEADER = "product_id,location,date_of_purchase,quantity,amount"
FIRST = date(2024, 3, 1)
LATER = datetime(2100, 1, 1, tzinfo=UTC)  # long after anything landed: it is quiet
BUILT = (DAILY_DEMAND, CLEANED_FEATURES)
TO_FEATURES = (RAW_SALES, REJECTED_SALES, CLEANED_SALES, *BUILT)

Line = tuple[int, int, int]  # day, product, units


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def content(lines: list[Line]) -> bytes:
    rows = [f"{product:02},north,{day(number)},{units},{units * 2}" for number, product, units in lines]
    return "\n".join([HEADER, *rows, ""]).encode()


@dataclass
class Daemon:
    """What Dagster's daemon does with the sensor: ticks, runs what it asks for, never a run key twice."""

    deployment: Settings
    instance: dg.DagsterInstance
    cursor: str | None = None
    runs: list[tuple[str, str]] = field(default_factory=list)

    @property
    def access(self) -> S3Access:
        return open_lake(self.deployment)

    def land(self, name: str, lines: list[Line]) -> None:
        obstore.put(self.access.store("landing"), f"sales/{name}", content(lines))

    def delete(self, name: str) -> None:
        obstore.delete(self.access.store("landing"), f"sales/{name}")

    def tick(self) -> list[dg.RunRequest]:
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor)
        answer = look_at_landing_zone(context, self.deployment, LATER)
        if isinstance(answer, dg.SkipReason):
            return []
        self.cursor = answer.cursor or self.cursor
        return list(answer.run_requests or [])

    def execute(self, request: dg.RunRequest, *, is_retry: bool = False) -> bool:
        """Run a request as the daemon would, unless its key has run; returns whether it ran and succeeded."""
        if not is_retry and self.has_run(request):
            return False
        self.runs.append((str(request.job_name), request.tags.get("dagster/asset_partition_range_start", "")))
        stop_engine()  # its session is of one lake; a daemon's runs are processes of their own
        job = build_defs(self.deployment).get_repository_def().get_job(str(request.job_name))
        return job.execute_in_process(
            instance=self.instance, tags={**request.tags, **run_key_of(request)}, raise_on_error=False
        ).success

    def has_run(self, request: dg.RunRequest) -> bool:
        return bool(self.instance.get_runs(dg.RunsFilter(tags=run_key_of(request))))

    def settle(self) -> list[tuple[str, str]]:
        """Tick until nothing is asked for; returns the runs that it took."""
        before = len(self.runs)
        while requests := self.tick():
            [request] = requests
            assert not self.has_run(request), f"asked twice for one cause: {request.run_key}"
            assert self.execute(request), request.run_key
        return self.runs[before:]

    def rows(self, name: str) -> pa.Table:
        table = next(table for table in (*BUILT, RAW_SALES, CLEANED_SALES, REJECTED_SALES) if table.name == name)
        return DeltaTables(self.access).read(table).sort_by([(column, "ascending") for column in table.grain])


def instance_in(folder: Path) -> dg.DagsterInstance:
    """With the event storage of dagster.yaml; the one that comes with Dagster takes a quarter longer for these runs."""
    storage = {
        "module": "nexgen_assets.event_storage",
        "class": "BatchedSqliteEventLogStorage",
        "config": {"base_dir": str(folder / "history" / "runs")},
    }
    return dg.DagsterInstance.local_temp(
        str(folder), overrides={"telemetry": {"enabled": False}, "event_log_storage": storage}
    )


def run_key_of(request: dg.RunRequest) -> dict[str, str]:
    return {"dagster/run_key": str(request.run_key)}


@pytest.fixture
def start(
    seaweed: S3Access, engine_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], Daemon]]:
    """A new deployment by name, on the shared engine."""
    monkeypatch.setenv("SPARK_REMOTE", engine_address)
    opened: list[dg.DagsterInstance] = []

    def start(name: str) -> Daemon:
        deployment = Settings(
            deployment=f"{name}-{secrets.token_hex(6)}",  # not `random`: hypothesis seeds it
            deployment_id="tests",
            home=tmp_path,
            bucket=seaweed.bucket,
            s3_endpoint=seaweed.endpoint,
            origins=2,
            calendar_start=FIRST,
        )
        (tmp_path / deployment.deployment).mkdir()
        opened.append(instance_in(tmp_path / deployment.deployment))
        return Daemon(deployment, opened[-1])

    yield start
    stop_engine()
    for instance in opened:
        instance.dispose()


def assert_as_if_built_from_scratch(
    daemon: Daemon, files: dict[str, list[Line]], start: Callable[[str], Daemon]
) -> None:
    scratch = start("scratch")
    for name, lines in files.items():
        scratch.land(name, lines)
    scratch.settle()
    for table in BUILT:
        found, expected = daemon.rows(table.name), scratch.rows(table.name)
        # days that only a deleted or corrected file ever touched stay as days without sales
        assert within(found, expected).equals(expected), table.name
    assert sales_of(daemon) == sales_of(scratch)


def within(found: pa.Table, expected: pa.Table) -> pa.Table:
    days = set(expected["day"].to_pylist())
    return found.filter(pa.array([d in days for d in found["day"].to_pylist()], pa.bool_())).combine_chunks()


def sales_of(daemon: Daemon) -> Counter[tuple[Any, ...]]:
    told = daemon.rows("cleaned_sales").select(["day", "product_id", "quantity", "amount"]).to_pylist()
    return Counter(tuple(row.values()) for row in told)


def assert_no_line_is_lost(daemon: Daemon) -> None:
    """Lines in = cleaned + rejected (duplicates removed are rejected with their rule), per file version and per day."""
    raw, cleaned, rejected = (daemon.rows(name) for name in ("raw_sales", "cleaned_sales", "rejected_sales"))

    def counts(*tables: pa.Table) -> Counter[tuple[Any, ...]]:
        columns = ["day", "file_key", "file_version"]
        return Counter(tuple(row.values()) for table in tables for row in table.select(columns).to_pylist())

    assert counts(raw) == counts(cleaned, rejected)
    in_raw = Counter(zip(raw["file_key"].to_pylist(), raw["file_version"].to_pylist(), strict=True))
    for row in LandingZone(daemon.access, daemon.deployment).manifest():
        expected = row["lines"] if row["status"] == "current" else 0
        assert in_raw[row["file_key"], row["file_version"]] == expected


# ---- scenarios


def test_what_lands_is_registered_built_and_ordered_and_then_nothing_is_done(start: Callable[[str], Daemon]) -> None:
    daemon = start("shop")
    daemon.land("a.csv", [(number, 1, 2) for number in range(5)])
    assert daemon.settle() == [("ingest", ""), ("history", "2024-03-01"), ("daily", "2024-03-04")]
    assert daemon.settle() == []
    daemon.cursor = None  # a daemon that forgot everything
    assert daemon.settle() == []
    assert_no_line_is_lost(daemon)


def test_a_new_day_is_one_run_of_the_daily_job(start: Callable[[str], Daemon]) -> None:
    daemon = start("shop")
    daemon.land("a.csv", [(number, 1, 2) for number in range(5)])
    daemon.settle()
    daemon.land("b.csv", [(5, 1, 3)])
    assert daemon.settle() == [("ingest", ""), ("daily", "2024-03-06")]


def test_a_content_that_comes_back_is_a_change_again(start: Callable[[str], Daemon]) -> None:
    daemon = start("shop")
    first, second = [(0, 1, 2)], [(0, 1, 5)]
    for lines in (first, second, first):
        daemon.land("a.csv", lines)
        assert daemon.settle()[0] == ("ingest", "")
    assert daemon.rows("daily_demand")["demand_units"].to_pylist() == [2]


def test_late_corrected_duplicate_and_deleted_files_end_as_a_rebuild_from_scratch(
    start: Callable[[str], Daemon],
) -> None:
    daemon = start("shop")
    files = {"a.csv": [(0, 1, 2), (3, 2, 1)], "b.csv": [(6, 1, 4), (7, 2, 2)], "c.csv": [(4, 3, 9)]}
    for name, lines in files.items():
        daemon.land(name, lines)
    daemon.settle()

    files["late.csv"] = [(1, 2, 5)]
    files["b.csv"] = [(6, 1, 5), (5, 2, 2)]  # a correction that also moves a line to another day
    files["copy.csv"] = files["a.csv"]
    for name in ("late.csv", "b.csv", "copy.csv"):
        daemon.land(name, files[name])
    daemon.delete("c.csv")
    del files["c.csv"]
    daemon.settle()

    assert_no_line_is_lost(daemon)
    assert_as_if_built_from_scratch(daemon, files, start)
    assert daemon.settle() == []


def test_a_run_that_dies_between_two_tables_is_made_up_for(
    start: Callable[[str], Daemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = start("shop")
    daemon.land("a.csv", [(number, 1, 2) for number in range(4)])
    daemon.settle()
    daemon.land("late.csv", [(1, 1, 5)])
    with monkeypatch.context() as patch:
        patch.setattr(DeltaTables, "replace_days", dies_at(DeltaTables.replace_days, "daily_demand"))
        [ingest] = daemon.tick()
        assert daemon.execute(ingest)
        [history] = daemon.tick()
        assert not daemon.execute(history)
    assert not daemon.execute(history), "the same cause is not started again by the sensor itself"
    assert daemon.execute(history, is_retry=True)
    daemon.settle()
    assert_as_if_built_from_scratch(daemon, {"a.csv": [(n, 1, 2) for n in range(4)], "late.csv": [(1, 1, 5)]}, start)


def dies_at(replace_days: Callable[..., Any], name: str) -> Callable[..., Any]:
    def dying(tables: DeltaTables, table: Any, *arguments: Any) -> Any:
        if table.name == name:
            raise RuntimeError("killed")
        return replace_days(tables, table, *arguments)

    return dying


def test_nothing_is_started_while_a_run_is_unfinished(start: Callable[[str], Daemon]) -> None:
    daemon = start("shop")
    daemon.land("a.csv", [(0, 1, 2)])
    job = build_defs(daemon.deployment).get_repository_def().get_job("training")
    daemon.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    assert daemon.tick() == []


def test_files_that_are_still_landing_are_waited_for(start: Callable[[str], Daemon]) -> None:
    daemon = start("shop")
    daemon.land("a.csv", [(0, 1, 2)])
    context = dg.build_sensor_context(instance=daemon.instance)
    answer = look_at_landing_zone(context, daemon.deployment, datetime.now(UTC))
    assert isinstance(answer, dg.SkipReason)
    assert answer.skip_message == "1 files are landing: waiting until it is quiet"


def test_a_large_backlog_takes_several_registrations(
    start: Callable[[str], Daemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nexgen_assets.landing_zone.FILES_AT_ONCE", 2)
    daemon = start("shop")
    for number in range(5):
        daemon.land(f"{number}.csv", [(number, 1, 2)])
    assert [job for job, _ in daemon.settle()] == ["ingest", "ingest", "ingest", "history", "daily"]


def test_an_upload_of_stock_orders_anew_for_the_newest_day(start: Callable[[str], Daemon]) -> None:
    daemon = start("shop")
    daemon.land("a.csv", [(number, 1, 2) for number in range(5)])
    daemon.settle()
    obstore.put(
        daemon.access.store("landing"),
        "inventory/stock.csv",
        b"date,product_id,location,on_hand\n2024-03-05,01,north,7\n",
    )
    assert daemon.settle() == [("ingest", ""), ("daily", "2024-03-05")]


# ---- how right forecasts were


def absolute_errors(daemon: Daemon) -> dict[tuple[int, int], float]:
    """(number of the day, horizon) -> absolute error, of one product."""
    found = DeltaTables(daemon.access).read(FORECAST_ACCURACY).to_pylist()
    return {((row["day"] - FIRST).days, row["horizon"]): row["absolute_error_units"] for row in found}


def test_forecasts_are_judged_when_their_day_is_known(start: Callable[[str], Daemon]) -> None:
    """Orders are made for two origins at most; without a model each forecast repeats the last week."""
    daemon = start("shop")
    daemon.land("a.csv", [(number, 1, 2) for number in range(14)])
    daemon.settle()
    assert absolute_errors(daemon) == {(13, 1): 0}  # origin 12 had forecast it; that of 13 are for days to come
    daemon.land("b.csv", [(14, 1, 5)])
    daemon.settle()
    assert absolute_errors(daemon) == {(13, 1): 0, (14, 1): 3, (14, 2): 3}


def test_a_correction_corrects_what_earlier_forecasts_are_judged_by(start: Callable[[str], Daemon]) -> None:
    """Also of days whose orders are not made again: they are rebuilt by the job `history`."""
    daemon = start("shop")
    daemon.land("a.csv", [(number, 1, 2) for number in range(14)])
    daemon.settle()
    daemon.land("b.csv", [(14, 1, 2)])
    daemon.land("c.csv", [(number, 1, 2) for number in range(15, 18)])
    daemon.settle()
    assert absolute_errors(daemon)[14, 1] == 0
    daemon.land("b.csv", [(14, 1, 9)])
    assert ("history", str(day(14))) in daemon.settle()
    found = absolute_errors(daemon)
    assert {horizon: error for (number, horizon), error in found.items() if number == 14} == {1: 7, 2: 7}


def test_orders_do_not_wait_for_what_judges_forecasts(start: Callable[[str], Daemon]) -> None:
    daemon = start("shop")
    daemon.land("a.csv", [(number, 1, 2) for number in range(3)])
    daemon.settle()
    [run] = daemon.instance.get_runs(dg.RunsFilter(job_name="daily"))
    began = {stats.step_key: stats.start_time or 0.0 for stats in daemon.instance.get_run_step_stats(run.run_id)}
    judging = ("forecast_accuracy", "forecast_quality", "model_inputs", "training_need")
    assert began["reorder_recommendations"] < min(began[step] for step in judging)
    assert began["forecast_accuracy"] < began["training_need"]


# ---- any order of events

lines = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 2), st.integers(1, 4)), max_size=6)
names = st.sampled_from(["a.csv", "b.csv", "c.csv"])
events = st.one_of(
    st.tuples(st.just("land"), names, lines),
    st.tuples(st.just("delete"), names, st.just([])),
    st.tuples(st.just("settle"), st.just(""), st.just([])),
    st.tuples(st.sampled_from(["die at raw_sales", "die at cleaned_features"]), st.just(""), st.just([])),
)


@pytest.mark.slow
@given(schedule=st.lists(events, min_size=3, max_size=10))
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_schedule_of_landings_and_restarts_ends_as_a_rebuild_from_scratch(
    schedule: list[tuple[str, str, list[Line]]], start: Callable[[str], Daemon]
) -> None:
    daemon, files = start("shop"), dict[str, list[Line]]()
    for what, name, some in [*schedule, ("land", "last.csv", [(9, 1, 1)])]:
        if what == "land":
            daemon.land(name, some)
            files[name] = some
        elif what == "delete" and name in files:
            daemon.delete(name)
            del files[name]
        elif what == "settle":
            daemon.settle()
            daemon.cursor = None
        elif what.startswith("die"):
            restart(daemon, what.removeprefix("die at "))
    daemon.settle()
    assert_no_line_is_lost(daemon)
    assert_as_if_built_from_scratch(daemon, files, start)


def restart(daemon: Daemon, stage: str) -> None:
    """A run that dies at a stage, and Dagster's one retry of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DeltaTables, "replace_days", dies_at(DeltaTables.replace_days, stage))
        requests = daemon.tick()
        failed = [request for request in requests if not daemon.execute(request)]
    for request in failed:
        assert daemon.execute(request, is_retry=True)


@pytest.mark.slow
def test_a_year_in_one_run_is_one_commit_per_table_and_equals_its_days_one_by_one(
    start: Callable[[str], Daemon], tmp_path: Path
) -> None:
    """16 products x locations, with bad lines, returns, overlapping files and promotions."""
    year = DayRange(FIRST, day(364))
    daemon = start("year")
    generate_sample(tmp_path / "sample", last_day=year.end, days=len(year), products=8, locations=2)
    zone = LandingZone(daemon.access, daemon.deployment)
    for kind in ("sales", "calendar"):
        for path in sorted((tmp_path / "sample" / kind).glob("*.csv")):
            zone.put(kind, path)
    jobs = build_defs(daemon.deployment).get_repository_def()
    tables = DeltaTables(daemon.access)

    def run(planned: PlannedRun) -> None:
        job = jobs.get_job(planned.job)
        assert job.execute_in_process(instance=daemon.instance, tags=planned.tags).success

    def rows() -> dict[str, pa.Table]:
        return {t.name: tables.read(t).sort_by([(column, "ascending") for column in t.grain]) for t in TO_FEATURES}

    run(PlannedRun(INGEST))
    run(PlannedRun(HISTORY, year))
    at_once = rows()
    assert {table.name: commits_of(tables, table) for table in TO_FEATURES} == dict.fromkeys(at_once, 1)
    assert set(at_once["daily_demand"]["day"].to_pylist()) == set(year)
    assert at_once["rejected_sales"].num_rows > 0

    for single in year:
        run(PlannedRun(HISTORY, DayRange(single, single)))

    assert {table.name: commits_of(tables, table) for table in TO_FEATURES} == dict.fromkeys(at_once, 1 + len(year))
    for name, expected in rows().items():
        assert at_once[name].equals(expected), name


def commits_of(tables: DeltaTables, table: Table) -> int:
    """Commits that wrote rows."""
    opened = tables.open(table)
    assert opened
    return sum(commit["operation"] == "WRITE" for commit in opened.history())
