"""The graph as a whole: what it holds, how it loads, and what its schedules ask for."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from nexgen_assets.definitions import build_defs
from nexgen_assets.event_storage import BatchedSqliteEventLogStorage
from nexgen_assets.jobs import JUDGEMENT, PUBLISHED_SNAPSHOT, SPINE_TO_FEATURES, SPINE_TO_ORDERS
from nexgen_assets.settings import Settings
from nexgen_assets.tables import TABLES, Table

CHECKOUT = Path(__file__).parent.parent
SNAPSHOT = Path(__file__).with_name("graph.json")
LOAD_SECONDS = 60  # a few seconds on an idle machine
NOW = datetime(2024, 5, 6, 3, 15, tzinfo=UTC)
YESTERDAY = NOW.date() - timedelta(days=1)

# Loads the definitions where any connection is an error, and tells what the load left behind.
LOAD_OFFLINE = """
import json, os, socket, sys, time

def refuse(*args):
    raise AssertionError(f"loading opened a connection to {args[1:]}")

socket.socket.connect = socket.socket.connect_ex = refuse
began = time.perf_counter()
from nexgen_assets.definitions import defs
assets = len(defs.resolve_asset_graph().get_all_asset_keys())
from pyspark.sql import SparkSession
print(json.dumps({
    "assets": assets,
    "seconds": time.perf_counter() - began,
    "has_session": SparkSession.getActiveSession() is not None,
    "loaded": [name for name in ("pysail", "xgboost") if name in sys.modules],
    "files": os.listdir(),
}))
"""


@pytest.fixture(scope="module")
def defs() -> dg.Definitions:
    return build_defs(Settings())


@pytest.fixture(scope="module")
def repository(defs: dg.Definitions) -> dg.RepositoryDefinition:
    return defs.get_repository_def()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as found:
        yield found


def graph_of(repository: dg.RepositoryDefinition) -> dict[str, Any]:
    """What an operator sees of the graph, as JSON."""
    graph = repository.asset_graph
    nodes = [graph.get(key) for key in graph.get_all_asset_keys()]
    return {
        "assets": {
            node.key.to_user_string(): {
                "group": node.group_name,
                "kinds": sorted(node.kinds),
                "owners": list(node.owners),
                "partitions": str(node.partitions_def) if node.partitions_def else None,
                "backfill_policy": str(node.backfill_policy.policy_type.value) if node.backfill_policy else None,
                "deps": sorted(key.to_user_string() for key in node.parent_keys),
            }
            for node in nodes
        },
        "checks": {
            node.key.to_user_string(): sorted(
                f"{key.name} (blocking)" if graph.get(key).blocking else key.name for key in node.check_keys
            )
            for node in nodes
        },
        "jobs": {
            job.name: assets_of(job) or checks_of(job)
            for job in repository.get_all_jobs()
            if not job.name.startswith("__")
        },
        "schedules": {
            schedule.name: {
                "cron": schedule.cron_schedule,
                "timezone": schedule.execution_timezone,
                "job": schedule.job_name,
                "starts": schedule.default_status.value,
            }
            for schedule in repository.schedule_defs
        },
    }


def assets_of(job: dg.JobDefinition) -> list[str]:
    return sorted(key.to_user_string() for key in job.asset_layer.executable_asset_keys)


def checks_of(job: dg.JobDefinition) -> list[str]:
    return sorted(f"check {key.to_user_string()}" for key in job.asset_layer.asset_graph.asset_check_keys)


def test_the_graph_is_the_one_in_graph_json(repository: dg.RepositoryDefinition) -> None:
    graph = graph_of(repository)
    if os.environ.get("UPDATE_GRAPH"):
        SNAPSHOT.write_text(json.dumps(graph, indent=2, sort_keys=True) + "\n")
    assert graph == json.loads(SNAPSHOT.read_text()), (
        "the graph differs from graph.json; if it should, run "
        "`UPDATE_GRAPH=1 uv run pytest nexgen_assets_tests/test_definitions.py` and review the difference"
    )


def test_the_spine_runs_from_sales_to_orders(repository: dg.RepositoryDefinition) -> None:
    spine = ["raw_sales", "cleaned_features", "trained_model", "forecasts", "reorder_recommendations"]
    graph = repository.asset_graph
    for upstream, downstream in pairwise(spine):
        assert dg.AssetKey(upstream) in graph.get_ancestor_asset_keys(dg.AssetKey(downstream))


def test_the_daily_job_is_the_spine_without_training(repository: dg.RepositoryDefinition) -> None:
    assert assets_of(repository.get_job("daily")) == sorted(
        (*SPINE_TO_FEATURES, *SPINE_TO_ORDERS, *JUDGEMENT, PUBLISHED_SNAPSHOT)
    )
    assert "trained_model" not in assets_of(repository.get_job("daily"))


def test_every_asset_is_described_owned_and_typed(repository: dg.RepositoryDefinition) -> None:
    graph = repository.asset_graph
    for node in (graph.get(key) for key in graph.get_all_asset_keys()):
        assert node.description, node.key
        assert node.owners, node.key
        assert node.kinds, node.key
        assert node.code_version, node.key


def test_only_days_are_partitions_and_a_range_of_them_is_one_run(repository: dg.RepositoryDefinition) -> None:
    graph = repository.asset_graph
    partitioned = [graph.get(key) for key in graph.get_all_asset_keys() if graph.get(key).is_partitioned]
    assert partitioned
    for node in partitioned:
        assert isinstance(node.partitions_def, dg.DailyPartitionsDefinition)
        assert node.backfill_policy == dg.BackfillPolicy.single_run()


# ---- loading


def test_definitions_load_without_network_engine_credentials_or_files(tmp_path: Path) -> None:
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "NEXGEN_"))}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOAD_OFFLINE],
        cwd=tmp_path,
        env=bare | {"HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["assets"] > 0
    assert not told["has_session"]
    assert not told["loaded"]
    assert told["files"] == []
    assert told["seconds"] < LOAD_SECONDS


def test_the_workspace_loads_from_a_clean_checkout(tmp_path: Path) -> None:
    shutil.copy(CHECKOUT / "workspace.yaml", tmp_path)
    shutil.copytree(
        CHECKOUT / "nexgen_assets", tmp_path / "nexgen_assets", ignore=shutil.ignore_patterns("__pycache__")
    )
    done = subprocess.run(
        [sys.executable, "-m", "dagster", "definitions", "validate", "-w", "workspace.yaml"],
        cwd=tmp_path,
        env=os.environ | {"DAGSTER_HOME": "", "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    assert "Validation successful for code location nexgen" in done.stderr + done.stdout


# ---- the instance


@pytest.fixture
def home(tmp_path: Path) -> Path:
    shutil.copy(CHECKOUT / "dagster.yaml", tmp_path)
    return tmp_path


def test_dagster_yaml_makes_an_instance_that_batches_its_events(home: Path) -> None:
    with dg.DagsterInstance.from_config(str(home)) as found:
        assert isinstance(found.event_log_storage, BatchedSqliteEventLogStorage)
        assert not found.telemetry_enabled
        assert not found.nux_enabled
        assert found.run_monitoring_enabled
        assert found.run_retries_enabled


def test_dagster_yaml_with_a_misspelt_key_would_be_refused(home: Path) -> None:
    config = yaml.safe_load((home / "dagster.yaml").read_text())
    config["run_monitoring"]["start_timeout"] = config["run_monitoring"].pop("start_timeout_seconds")
    (home / "dagster.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(dg.DagsterInvalidConfigError, match="start_timeout"):
        dg.DagsterInstance.from_config(str(home))


# ---- schedules


@pytest.fixture
def scheduled(deployment: Settings) -> dg.RepositoryDefinition:
    """The graph on a lake of its own, where nothing has landed."""
    return build_defs(deployment).get_repository_def()


def requests_of(
    repository: dg.RepositoryDefinition, name: str, instance: dg.DagsterInstance, now: datetime = NOW
) -> list[dg.RunRequest]:
    context = dg.build_schedule_context(instance=instance, scheduled_execution_time=now)
    return list(repository.get_schedule_def(name).evaluate_tick(context).run_requests or [])


def ordered(instance: dg.DagsterInstance, *days_ago: int) -> None:
    """Let the orders of those days, counted back from yesterday, exist."""
    for days in days_ago:
        day = (YESTERDAY - timedelta(days=days)).isoformat()
        instance.report_runless_asset_event(dg.AssetMaterialization("reorder_recommendations", partition=day))


def days_of(request: dg.RunRequest) -> tuple[int, int]:
    """First and last day of a request, counted back from yesterday."""
    tags = request.tags
    ends = [tags[f"dagster/asset_partition_range_{end}"] for end in ("start", "end")]
    first, last = ((YESTERDAY - datetime.fromisoformat(day).date()).days for day in ends)
    return first, last


def test_the_first_day_of_a_deployment_orders_for_yesterday(
    scheduled: dg.RepositoryDefinition, instance: dg.DagsterInstance
) -> None:
    [request] = requests_of(scheduled, "daily_orders", instance)
    assert request.job_name == "daily"
    assert request.partition_key is None
    assert days_of(request) == (0, 0)


def test_missing_days_and_yesterday_are_one_run(
    scheduled: dg.RepositoryDefinition, instance: dg.DagsterInstance
) -> None:
    ordered(instance, 9, 8, 7, 3)
    [request] = requests_of(scheduled, "daily_orders", instance)
    assert days_of(request) == (6, 0)


def test_days_further_apart_than_a_week_are_runs_of_their_own(
    scheduled: dg.RepositoryDefinition, instance: dg.DagsterInstance
) -> None:
    ordered(instance, 12, *range(10, 0, -1))
    assert [days_of(request) for request in requests_of(scheduled, "daily_orders", instance)] == [(11, 11), (0, 0)]


def test_orders_older_than_four_weeks_are_not_caught_up(
    scheduled: dg.RepositoryDefinition, instance: dg.DagsterInstance
) -> None:
    ordered(instance, Settings().catch_up_days + 10, Settings().catch_up_days - 1)
    [request] = requests_of(scheduled, "daily_orders", instance)
    assert days_of(request) == (Settings().catch_up_days - 2, 0)


def test_nothing_is_asked_for_where_nothing_is_missing(
    scheduled: dg.RepositoryDefinition, instance: dg.DagsterInstance
) -> None:
    ordered(instance, 1, 0)
    assert requests_of(scheduled, "daily_orders", instance) == []


def test_a_day_that_a_run_is_working_on_is_not_asked_for_again(
    scheduled: dg.RepositoryDefinition, instance: dg.DagsterInstance
) -> None:
    job = scheduled.get_job("daily")
    day = YESTERDAY.isoformat()
    tags = {"dagster/asset_partition_range_start": day, "dagster/asset_partition_range_end": day}
    instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags=tags)
    assert requests_of(scheduled, "daily_orders", instance) == []


def test_yesterday_is_decided_by_the_deployments_clock(instance: dg.DagsterInstance, deployment: Settings) -> None:
    there = deployment.model_copy(update={"timezone": "Pacific/Auckland"})
    repository = build_defs(there).get_repository_def()
    evening = datetime(2024, 5, 6, 20, 0, tzinfo=UTC)  # May 7 in Auckland
    [request] = requests_of(repository, "daily_orders", instance, evening)
    assert request.tags["dagster/asset_partition_range_end"] == "2024-05-06"


def test_the_weekly_training_sees_sales_up_to_yesterday(
    scheduled: dg.RepositoryDefinition, instance: dg.DagsterInstance
) -> None:
    [request] = requests_of(scheduled, "weekly_training", instance)
    assert request.job_name == "training"
    assert request.run_config == {"ops": {"trained_model": {"config": {"as_of": YESTERDAY.isoformat()}}}}


@pytest.mark.parametrize(("setting", "status"), [("on", "RUNNING"), ("off", "STOPPED")])
def test_the_setting_decides_whether_schedules_start_switched_on(setting: str, status: str) -> None:
    schedules = build_defs(Settings(schedules=setting)).get_repository_def().schedule_defs  # pyright: ignore[reportArgumentType]
    assert {schedule.default_status.value for schedule in schedules} == {status}


# what is decided here, or told by a setting, a clock or a model, and by no column
MADE_HERE = {
    "backtest": {"method", "recipe", "segment_kind", "target", "horizon"},
    "forecasts": {"horizon", "model_version"},
    "policy_simulation": {"rule", "parameter", "segment_kind"},
    "reorder_recommendations": {
        "pack_rounding",
        "max_waste_share",
        "policy_version",
    },
}


@pytest.mark.parametrize("table", [table for table in TABLES.values() if table.made_from], ids=lambda table: table.name)
def test_every_column_says_which_columns_it_comes_from(table: Table) -> None:
    sources = {name: table.sources_of(name, TABLES) for name in table.names}
    assert {name for name, found in sources.items() if not found} == MADE_HERE.get(table.name, set())
    assert [
        (source, name) for found in sources.values() for source, name in found if name not in TABLES[source].names
    ] == []


@pytest.mark.parametrize("table", [table for table in TABLES.values() if table.made_from], ids=lambda table: table.name)
def test_columns_come_from_tables_that_the_asset_depends_on(table: Table) -> None:
    graph = build_defs(Settings()).resolve_asset_graph()
    read = {key.to_user_string() for key in graph.get(dg.AssetKey(table.name)).parent_keys}
    sources = {source for name in table.names for source, _ in table.sources_of(name, TABLES)}
    assert sources <= read
