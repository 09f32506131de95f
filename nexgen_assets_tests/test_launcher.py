"""The launcher: few runs for many days, none for days that are busy, and no run of a dead process stays."""

import os
import platform
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import psutil
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from hypothesis import given
from hypothesis import strategies as st

from nexgen_assets import launcher
from nexgen_assets.jobs import DAILY, HISTORY, TRAINING
from nexgen_assets.launcher import (
    PlannedRun,
    busy_days,
    dagster_home,
    fail_dead_runs,
    open_instance,
    plan_days,
    plan_everything,
    training_run,
)
from nexgen_assets.partitions import DayRange
from nexgen_assets.processes import BOOT_TAG, HOST_TAG, PID_TAG
from nexgen_assets.settings import Settings

FIRST = date(2024, 1, 1)
STARTED = psutil.Process().create_time() - psutil.boot_time()
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
BOOT = BOOT_ID.read_text().strip() if BOOT_ID.exists() else f"{psutil.boot_time():.0f}"
THIS_PROCESS = {HOST_TAG: platform.node(), PID_TAG: f"{os.getpid()}@{STARTED:.2f}", BOOT_TAG: BOOT}
some_days = st.lists(st.integers(0, 120).map(lambda i: FIRST + timedelta(days=i)), max_size=30)


def days(first: int, last: int) -> DayRange:
    return DayRange(FIRST + timedelta(days=first), FIRST + timedelta(days=last))


def covered(runs: list[PlannedRun]) -> set[date]:
    return {day for run in runs if run.days for day in run.days}


@pytest.fixture
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral(tempdir=str(tmp_path_factory.mktemp("dagster"))) as made:
        yield made


# ---- plans


def test_a_short_range_is_one_run_of_the_whole_spine() -> None:
    assert plan_days(days(0, 27), origins=28) == [PlannedRun(DAILY, days(0, 27))]


def test_a_long_range_gets_its_history_first_and_its_last_origins_after_that() -> None:
    assert plan_days(days(0, 28), origins=28) == [PlannedRun(HISTORY, days(0, 28)), PlannedRun(DAILY, days(1, 28))]


def test_days_far_apart_are_runs_of_their_own() -> None:
    assert plan_days([*days(0, 1), *days(20, 20)], origins=28) == [
        PlannedRun(DAILY, days(0, 1)),
        PlannedRun(DAILY, days(20, 20)),
    ]


def test_nothing_changed_needs_no_run() -> None:
    assert plan_days([], origins=28) == []
    assert plan_days(days(0, 3), origins=28, busy=days(0, 3)) == []


@given(some_days, st.integers(1, 40))
def test_every_changed_day_is_in_a_run(changed: list[date], origins: int) -> None:
    assert set(changed) <= covered(plan_days(changed, origins))


@given(some_days, some_days, st.integers(1, 40))
def test_no_day_that_only_a_busy_run_needs_is_planned_at_an_end(
    changed: list[date], busy: list[date], origins: int
) -> None:
    ends = {end for run in plan_days(changed, origins, busy) if run.days for end in (run.days.start, run.days.end)}
    first_of_spine = {run.days.start for run in plan_days(changed, origins, busy) if run.job == DAILY and run.days}
    assert (ends - first_of_spine) & set(busy) == set()


@given(some_days, st.integers(1, 40))
def test_no_run_of_the_whole_spine_is_longer_than_the_origins(changed: list[date], origins: int) -> None:
    assert all(len(run.days) <= origins for run in plan_days(changed, origins) if run.job == DAILY and run.days)


def test_a_whole_history_trains_a_model_that_saw_none_of_its_origins_and_one_for_the_newest() -> None:
    history, honest, newest, spine = plan_everything(days(0, 99), origins=28)
    assert history == PlannedRun(HISTORY, days(0, 99))
    assert spine == PlannedRun(DAILY, days(72, 99))
    assert honest == training_run(FIRST + timedelta(days=71)), "the day before the first origin"
    assert newest == training_run(FIRST + timedelta(days=99))


def test_a_history_shorter_than_the_origins_is_trained_once_and_ordered_for_its_last_day() -> None:
    assert plan_everything(days(0, 9), origins=28) == [
        PlannedRun(HISTORY, days(0, 9)),
        training_run(FIRST + timedelta(days=9)),
        PlannedRun(DAILY, days(9, 9)),
    ]


def test_a_range_is_requested_as_one_run_without_a_partition_key() -> None:
    request = PlannedRun(DAILY, days(0, 29)).request()
    assert (request.job_name, request.partition_key) == ("daily", None)
    assert request.tags == {
        "dagster/asset_partition_range_start": "2024-01-01",
        "dagster/asset_partition_range_end": "2024-01-30",
    }


def test_a_training_is_requested_with_the_last_day_it_may_see() -> None:
    request = training_run(FIRST).request()
    assert (request.job_name, request.tags) == (TRAINING, {})
    assert request.run_config == {"ops": {"trained_model": {"config": {"as_of": "2024-01-01"}}}}
    assert training_run(FIRST).label == "as_of 2024-01-01"


# ---- busy days


def add_run(
    instance: dg.DagsterInstance,
    job: str,
    tags: dict[str, str],
    status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTED,
) -> dg.DagsterRun:
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("nexgen"), "__repository__"), job)
    return instance.add_run(dg.DagsterRun(job_name=job, tags=tags, status=status, remote_job_origin=origin))


@pytest.mark.parametrize("status", ["QUEUED", "STARTING", "STARTED"])
def test_days_of_an_unfinished_range_run_are_busy(status: str, instance: dg.DagsterInstance) -> None:
    add_run(instance, DAILY, days(3, 5).tags, dg.DagsterRunStatus[status])
    assert busy_days(instance) == set(days(3, 5))


@pytest.mark.parametrize("status", ["SUCCESS", "FAILURE", "CANCELED"])
def test_days_of_a_finished_run_are_free(status: str, instance: dg.DagsterInstance) -> None:
    add_run(instance, DAILY, days(3, 5).tags, dg.DagsterRunStatus[status])
    assert busy_days(instance) == set()


def test_the_day_of_a_run_of_a_single_partition_is_busy(instance: dg.DagsterInstance) -> None:
    add_run(instance, HISTORY, {"dagster/partition": "2024-01-04"})
    assert busy_days(instance) == {date(2024, 1, 4)}


def test_a_training_keeps_no_day_busy(instance: dg.DagsterInstance) -> None:
    add_run(instance, TRAINING, {})
    assert busy_days(instance) == set()


# ---- dead runs


def status_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str:
    found = instance.get_run_by_id(run.run_id)
    assert found
    return found.status.value


def test_a_run_of_a_living_process_is_left_alone(instance: dg.DagsterInstance) -> None:
    run = add_run(instance, DAILY, THIS_PROCESS)
    assert fail_dead_runs(instance) == 0
    assert status_of(instance, run) == "STARTED"


@pytest.mark.parametrize(
    "tags", [{}, THIS_PROCESS | {BOOT_TAG: "1", HOST_TAG: "elsewhere"}], ids=["nobody told", "another machine"]
)
def test_a_run_whose_process_cannot_be_seen_is_left_alone(tags: dict[str, str], instance: dg.DagsterInstance) -> None:
    run = add_run(instance, DAILY, tags)
    assert fail_dead_runs(instance) == 0
    assert status_of(instance, run) == "STARTED"


@pytest.mark.parametrize(
    "tags",
    [
        THIS_PROCESS | {BOOT_TAG: "1"},
        THIS_PROCESS | {PID_TAG: f"{os.getpid()}@1.00"},
    ],
    ids=["before the machine was restarted", "of another process that had the same id"],
)
def test_a_run_is_dead(tags: dict[str, str], instance: dg.DagsterInstance) -> None:
    run = add_run(instance, DAILY, tags)
    assert fail_dead_runs(instance) == 1
    assert status_of(instance, run) == "FAILURE"
    assert fail_dead_runs(instance) == 0


KILLED_RUN = """
import os, signal
from nexgen_assets.jobs import INGEST
from nexgen_assets.launcher import PlannedRun, execute, open_instance
from nexgen_assets.settings import load_settings

def die_in_the_first_step(event):
    if event.is_step_start:
        os.kill(os.getpid(), signal.SIGKILL)

with open_instance(load_settings()) as instance:
    execute(instance, PlannedRun(INGEST), die_in_the_first_step)
"""


def test_a_killed_run_is_failed_at_the_next_start_and_frees_what_it_held(
    deployment: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")  # `open_instance` sets it: put it back afterwards
    for name in ("deployment", "deployment_id", "home", "bucket", "s3_endpoint"):
        monkeypatch.setenv(f"NEXGEN_{name.upper()}", str(getattr(deployment, name)))
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_RUN], check=False, cwd=launcher.PACKAGE.parent, capture_output=True, text=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with open_instance(deployment) as instance:
        (run,) = instance.get_runs()
        assert run.status is dg.DagsterRunStatus.STARTED
        slots = instance.event_log_storage
        slots.set_concurrency_slots("lake", 1)
        slots.claim_concurrency_slot("lake", run.run_id, "landing_files")
        assert slots.get_concurrency_info("lake").active_slot_count == 1

        assert fail_dead_runs(instance) == 1
        assert status_of(instance, run) == "FAILURE"
        assert slots.get_concurrency_info("lake").active_slot_count == 0


# ---- the instance


def test_deployments_of_one_home_keep_apart(deployment: Settings) -> None:
    assert dagster_home(deployment.model_copy(update={"deployment": "other"})) != dagster_home(deployment)


def test_an_edited_configuration_stays(deployment: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")
    config = dagster_home(deployment) / "dagster.yaml"
    config.write_text("telemetry: {enabled: false}\n")
    with open_instance(deployment):
        assert config.read_text() == "telemetry: {enabled: false}\n"


OPENED = """
from nexgen_assets.launcher import open_instance
from nexgen_assets.settings import load_settings

with open_instance(load_settings()) as instance:
    print(instance.get_runs_count(), len(instance.all_instigator_state()))
"""


def test_processes_that_open_a_new_home_at_once_all_can_use_it(
    deployment: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("deployment", "deployment_id", "home", "bucket", "s3_endpoint"):
        monkeypatch.setenv(f"NEXGEN_{name.upper()}", str(getattr(deployment, name)))
    command = [sys.executable, "-W", "error::UserWarning", "-c", OPENED]
    started = [
        subprocess.Popen(
            command, cwd=launcher.PACKAGE.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for process in started:
        told, errors = process.communicate(timeout=120)
        assert (process.returncode, told) == (0, "0 0\n"), errors
    for database in (dagster_home(deployment) / "history").rglob("*.db"):
        with closing(sqlite3.connect(database)) as connection:
            assert len(connection.execute("SELECT version_num FROM alembic_version").fetchall()) == 1, database
