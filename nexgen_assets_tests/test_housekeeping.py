"""The job `housekeeping` as a whole, on a real lake and a real instance: what it does, and what the UI shows of it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from nexgen_assets.assets import housekeeping
from nexgen_assets.definitions import build_defs
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.resources.lake import S3Access
from nexgen_assets.settings import Settings
from nexgen_assets.tables import LANDING_FILES

# Dagster asks its own deprecated attribute when it makes an IO manager of a configurable one
pytestmark = pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated:DeprecationWarning")


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as found:
        yield found


def run_job(settings: Settings, instance: dg.DagsterInstance) -> dict[str, dict[str, Any]]:
    """Run the job; what it told of each asset."""
    done = build_defs(settings).resolve_job_def("housekeeping").execute_in_process(instance=instance)
    events = done.get_asset_materialization_events()
    return {
        str(event.asset_key and event.asset_key.path[-1]): {
            k: v.value for k, v in event.materialization.metadata.items()
        }
        for event in events
    }


def manifest(line: int) -> pa.Table:
    row = dict.fromkeys(LANDING_FILES.names) | {
        "file_key": f"sales/{line}.csv",
        "file_version": "1",
        "kind": "sales",
        "etag": "1",
        "arrived_at": datetime(2024, 3, 1, tzinfo=UTC),
        "changed_at": datetime(2024, 3, 1, tzinfo=UTC),
        "separator": ",",
        "decimal_mark": ".",
        "date_order": "year_first",
        "bytes": 1,
        "lines": 1,
        "days": [],
        "unknown_columns": [],
        "status": "current",
    }
    return pa.Table.from_pylist([row], schema=LANDING_FILES.arrow_schema)


@pytest.fixture
def a_year_later(monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) + timedelta(days=366)

    monkeypatch.setattr(housekeeping, "datetime", Clock)


def test_an_empty_deployment_has_nothing_to_keep(deployment: Settings, instance: dg.DagsterInstance) -> None:
    told = run_job(deployment, instance)
    assert told == {
        "maintained_tables": dict.fromkeys(
            ("files_merged", "files_removed", "bytes_removed", "files_kept", "bytes_kept"), 0
        ),
        "pruned_runs": {"runs_removed": 0, "old_runs_needed": 0},
        "swept_uploads": {"uploads_removed": 0},
    }


def test_the_ui_shows_what_became_of_each_table(
    deployment: Settings, instance: dg.DagsterInstance, access: S3Access
) -> None:
    tables = DeltaTables(access)
    for line in range(3):
        tables.replace_all(LANDING_FILES, manifest(line))
    told = run_job(deployment, instance)["maintained_tables"]
    [row] = [record.data for record in told.pop("tables").records]
    assert row == {"table": "landing_files", **told}
    assert told["files_kept"] > 3
    assert tables.read(LANDING_FILES) == manifest(2)


@pytest.mark.usefixtures("a_year_later")
def test_runs_past_their_retention_go(deployment: Settings, instance: dg.DagsterInstance) -> None:
    for _ in range(3):
        run_job(deployment, instance)
    told = run_job(deployment, instance)["pruned_runs"]
    # each run prunes all before it but the last, which holds what was told last
    assert told == {"runs_removed": 1, "old_runs_needed": 1}
    assert instance.get_runs_count() == 2


def test_housekeeping_is_due_once_after_each_sunday_morning() -> None:
    defs = build_defs(Settings(timezone="Europe/Berlin"))
    selection = dg.AssetSelection.groups("housekeeping")
    saturday = datetime(2024, 5, 4, 12, tzinfo=UTC)
    due_at = datetime(2024, 5, 5, 2, 30, tzinfo=UTC)  # 04:30 in Berlin
    requested: list[int] = []
    with dg.DagsterInstance.ephemeral() as instance:
        cursor = None
        for now in (
            saturday,
            due_at - timedelta(minutes=1),
            due_at + timedelta(minutes=1),
            due_at + timedelta(hours=1),
        ):
            result = dg.evaluate_automation_conditions(
                defs, instance, asset_selection=selection, evaluation_time=now, cursor=cursor
            )
            cursor = result.cursor
            requested.append(result.total_requested)
    assert requested == [0, 0, 3, 0]


def test_no_asset_of_the_spine_has_a_condition_of_its_own() -> None:
    graph = build_defs(Settings()).resolve_asset_graph()
    with_condition = {
        key.to_user_string() for key in graph.materializable_asset_keys if graph.get(key).automation_condition
    }
    assert with_condition == {"maintained_tables", "pruned_runs", "swept_uploads"}
