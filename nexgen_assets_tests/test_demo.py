"""The demo on a small sample, as a person runs it: one command, real S3, real engines, the real Dagster instance."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from nexgen_assets.dashboard.users import Users
from nexgen_assets.definitions import defs
from nexgen_assets.forecasting.promotion import FIT_TO_SERVE
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.landing_zone import LandingZone
from nexgen_assets.launcher import open_instance
from nexgen_assets.resources.decisions import open_book
from nexgen_assets.resources.embedded_s3 import embedded_s3
from nexgen_assets.resources.lake import S3Access
from nexgen_assets.sales.quality import FRESH
from nexgen_assets.settings import Settings
from nexgen_assets.tables import BACKTEST, ORDER_LEDGER, POLICY_SIMULATION, TABLES, Table

SMALL = ["demo", "--days", "260", "--products", "6", "--locations", "2"]
DAILY = [table for table in TABLES.values() if table.is_daily]
STAGES = [
    "landing_files",
    "raw_sales",
    "daily_demand",
    "cleaned_features",
    "trained_model",
    "forecasts",
    "reorder_recommendations",
]


def start(home: Path, *arguments: str, **settings: str) -> "subprocess.Popen[str]":
    # a newcomer's environment: nothing configured, whatever other tests set for their own servers
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "NEXGEN_", "SPARK_"))}
    environment = {**kept, **settings, "NEXGEN_HOME": str(home), "COLUMNS": "150"}
    command = [sys.executable, "-m", "nexgen_assets", *arguments]
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def finish(process: "subprocess.Popen[str]") -> str:
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return output


def instance_of(home: Path) -> dg.DagsterInstance:
    return open_instance(Settings(home=home))


def snapshot(home: Path) -> dict[str, pa.Table]:
    """Every daily table in full, sorted by its grain."""
    with embedded_s3(home) as server:
        access = S3Access("nexgen", "local", "us-east-1", server.endpoint, server.access_key, server.secret_key)
        return {table.name: sorted_rows(DeltaTables(access), table) for table in DAILY}


def sorted_rows(tables: DeltaTables, table: Table) -> pa.Table:
    return tables.read(table).sort_by([(name, "ascending") for name in table.grain]).combine_chunks()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def printed(home: Path) -> str:
    return finish(start(home, *SMALL))


@pytest.fixture(scope="module")
def tables(home: Path, printed: str) -> dict[str, pa.Table]:  # noqa: ARG001
    return snapshot(home)


@pytest.fixture
def environment() -> Iterator[None]:
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def test_the_summary_says_what_a_person_wants_to_know(printed: str) -> None:
    for words in ("received", "quantity_zero", "seasonal naive", "Most urgent of", "s in 5 runs", "nexgen up"):
        assert words in printed


def test_the_first_demo_makes_an_admin_and_only_shows_the_password(home: Path, printed: str) -> None:
    [password] = re.findall("Log in as demo with the password ([^ \\n]+)\n", printed)
    user = Users(open_book(Settings(home=home)).database).with_password("demo", password)
    assert user
    assert user.role == "admin"
    kept = [file for file in home.rglob("*") if file.is_file() and password.encode() in file.read_bytes()]
    assert kept == []


def test_no_line_is_lost(tables: dict[str, pa.Table]) -> None:
    assert tables["raw_sales"].num_rows == tables["cleaned_sales"].num_rows + tables["rejected_sales"].num_rows


def test_units_and_money_are_the_same_in_sales_and_in_demand(tables: dict[str, pa.Table]) -> None:
    sales, demand = tables["cleaned_sales"], tables["daily_demand"]
    sold = sales.filter(pc.invert(sales["is_return"]))
    assert pc.sum(demand["demand_units"]).as_py() == pc.sum(sold["quantity"]).as_py()
    assert pc.sum(demand["revenue"]).as_py() == pc.sum(sales["amount"]).as_py()


def test_every_product_of_an_origin_has_a_position_28_forecasts_and_a_decision(tables: dict[str, pa.Table]) -> None:
    last = pc.max(tables["cleaned_features"]["day"])

    def rows(name: str) -> int:
        return tables[name].filter(pc.equal(tables[name]["day"], last)).num_rows

    assert rows("cleaned_features") > 0
    assert rows("inventory_positions") == rows("reorder_recommendations") == rows("cleaned_features")
    assert rows("forecasts") == 28 * rows("cleaned_features")


def test_no_forecast_comes_from_a_model_that_saw_its_future(tables: dict[str, pa.Table]) -> None:
    served = tables["forecasts"].group_by(["day", "model_version"]).aggregate([]).to_pylist()
    cutoffs = {
        row["day"]: datetime.strptime(row["model_version"][:8], "%Y%m%d").date()  # noqa: DTZ007
        for row in served
        if row["model_version"] != "seasonal_naive"
    }
    assert cutoffs
    assert all(cutoff <= day for day, cutoff in cutoffs.items())


def test_every_order_can_be_recomputed_from_its_row(tables: dict[str, pa.Table]) -> None:
    for row in tables["reorder_recommendations"].to_pylist():
        parts = {name: round(value * 1000) for name, value in row.items() if isinstance(value, float)}
        assert parts["order_up_to_level"] == parts["expected_demand"] + parts["safety_stock"]
        assert parts["inventory_position"] == (parts["on_hand"] + parts["on_order_units"] - parts["committed_units"])
        assert parts["net_requirement"] == max(0, parts["order_up_to_level"] - parts["inventory_position"])
        assert parts["order_units"] == sum(sign * parts[name] for name, sign in ORDER_LEDGER.items())
        assert row["order_units"] % row["pack_size"] == 0
        assert row["order_units"] == 0 or row["order_units"] >= row["min_order_quantity"]
        assert row["protection_interval_days"] == row["review_period_days"] + row["lead_time_days"]


@pytest.mark.usefixtures("environment")
def test_each_day_is_materialized_with_its_row_count(home: Path, tables: dict[str, pa.Table]) -> None:
    last = pc.max(tables["daily_demand"]["day"]).as_py()
    with instance_of(home) as instance:
        record = instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=dg.AssetKey("daily_demand"), asset_partitions=[last.isoformat()]), limit=1
        ).records[0]
    metadata: dict[str, Any] = dict(record.asset_materialization.metadata)
    demand = tables["daily_demand"]
    assert metadata["dagster/row_count"].value == demand.filter(pc.equal(demand["day"], last)).num_rows
    assert metadata["dagster/column_schema"].schema.columns[0].name == "day"


@pytest.mark.usefixtures("environment", "printed")
def test_every_check_ends_in_a_verdict_and_no_blocking_one_has_failed(home: Path) -> None:
    graph = defs.resolve_asset_graph()
    # no demo makes a backtest or a simulation: somebody has to ask for it
    asked_for = {dg.AssetKey(table.name) for table in (BACKTEST, POLICY_SIMULATION)}
    keys = [key for key in graph.asset_check_keys if key.name != FRESH and key.asset_key not in asked_for]
    with instance_of(home) as instance:
        history = instance.event_log_storage.get_asset_check_execution_history
        ended = {key: {record.status.value for record in history(key, limit=2000)} for key in keys}
    assert {key for key, found in ended.items() if not found or not found <= {"SUCCEEDED", "FAILED"}} == set()
    # whether a model of so small a sample beats the seasonal naive is chance, and no failure
    judged = {key: found for key, found in ended.items() if key.name != FIT_TO_SERVE}
    assert {key for key, found in judged.items() if graph.get(key).blocking and "FAILED" in found} == set()


def test_a_second_demo_changes_no_row(home: Path, tables: dict[str, pa.Table]) -> None:
    output = finish(start(home, *SMALL))
    again = snapshot(home)
    assert [name for name in tables if not tables[name].equals(again[name])] == []
    # nor the user's password, which is not known any more
    assert "with the password" not in output
    assert "nexgen users password demo" in output


def test_the_day_after_nothing_has_changed(home: Path, tables: dict[str, pa.Table]) -> None:  # noqa: ARG001
    with embedded_s3(home) as server:
        access = S3Access("nexgen", "local", "us-east-1", server.endpoint, server.access_key, server.secret_key)
        settings = Settings(home=home)
        tomorrow = LandingZone(access, settings).register(datetime.now(settings.zone) + timedelta(days=1))
    assert tomorrow.new_files == 0
    assert tomorrow.changed_days == []


@pytest.mark.slow
@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("stage", STAGES)
def test_a_demo_killed_in_any_stage_ends_in_the_same_tables(
    stage: str, tables: dict[str, pa.Table], tmp_path: Path
) -> None:
    killed = start(tmp_path, *SMALL)
    wait_for_stage(tmp_path, stage, killed)
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=30)

    output = finish(start(tmp_path, *SMALL))

    assert "marked as failed" in output
    ended = snapshot(tmp_path)
    assert [name for name in tables if not without_arrival(ended[name]).equals(without_arrival(tables[name]))] == []


def without_arrival(rows: pa.Table) -> pa.Table:
    """The rows without when their file arrived, which differs between two demos."""
    return rows.drop_columns(["arrived_at"]) if "arrived_at" in rows.column_names else rows


def wait_for_stage(home: Path, stage: str, process: "subprocess.Popen[str]") -> None:
    """Until the demo has begun the stage, as its own event log tells."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, "the demo ended before it could be killed"
        if began(home, stage):
            return
        time.sleep(0.2)
    pytest.fail(f"{stage} did not begin")


def began(home: Path, stage: str) -> bool:
    with instance_of(home) as instance:
        return any(
            event.dagster_event is not None and event.dagster_event.step_key == stage
            for run in instance.get_runs()
            for event in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_START)
        )


def test_the_sample_ends_on_the_day_that_was_agreed_first(home: Path, tables: dict[str, pa.Table]) -> None:
    last = pc.max(tables["raw_sales"]["day"]).as_py()
    assert isinstance(last, date)
    assert last <= Settings(home=home).last_complete_day()
