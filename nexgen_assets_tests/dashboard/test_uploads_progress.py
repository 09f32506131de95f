"""What a committed file's state says, from its landing to the orders made of it: real runs on a real lake."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import obstore
import pytest

from nexgen_assets.backlog import next_run, take_stock
from nexgen_assets.dashboard.uploads.progress import UploadProgress
from nexgen_assets.dashboard.uploads.records import State, UploadRow
from nexgen_assets.decisions.book import now
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.io_managers.snapshots import Snapshots
from nexgen_assets.jobs import INGEST
from nexgen_assets.landing_zone import LandingZone
from nexgen_assets.resources.lake import S3Access
from nexgen_assets.settings import Settings

# Dagster asks its own deprecated attribute when it makes an IO manager of a configurable one
pytestmark = pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated:DeprecationWarning")

KEY = "sales/anna/march.csv"
CONTENT = b"product_id,location,date_of_purchase,quantity,amount\n001,north,2026-03-01,2,8.00\n"


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as found:
        yield found


@pytest.fixture
def run(graph: dg.Definitions, instance: dg.DagsterInstance) -> Callable[..., dg.ExecuteInProcessResult]:
    def execute(job: str, tags: dict[str, str] | None = None) -> dg.ExecuteInProcessResult:
        return graph.resolve_job_def(job).execute_in_process(instance=instance, tags=tags, raise_on_error=False)

    return execute


def committed(content: bytes = CONTENT) -> UploadRow:
    from hashlib import sha256

    return UploadRow(
        upload_id="1",
        landing_key=KEY,
        content_hash=sha256(content).hexdigest(),
        state=State.COMMITTED,
        committed_at=now(),
    )


def test_a_file_is_followed_from_its_landing_to_its_orders(
    graph: dg.Definitions, run: Callable, instance: dg.DagsterInstance, access: S3Access, deployment: Settings
) -> None:
    zone, upload = LandingZone(access, deployment), committed()

    def told() -> Any:
        progress = UploadProgress(deployment, zone, Snapshots(DeltaTables(access)), instance)
        return progress.standings([upload])["1"]

    obstore.put(access.store("landing"), KEY, CONTENT)
    landed = told()
    assert (landed.state, landed.run_id) == ("committed", None)
    assert "start it with `nexgen up`" in landed.hint

    queued = instance.create_run_for_job(graph.resolve_job_def(INGEST), status=dg.DagsterRunStatus.NOT_STARTED)
    assert (told().state, told().run_id) == ("queued", queued.run_id)
    instance.delete_run(queued.run_id)

    assert run(INGEST).success
    assert told().state == "committed"

    needed = next_run(take_stock(instance, zone.manifest()), deployment.origins, deployment.reach_days)
    assert needed is not None
    obstore.delete(access.store("landing"), KEY)
    broken = run(needed.job, needed.tags)
    failed = told()
    assert (failed.state, failed.run_id) == ("failed", broken.run_id)
    assert f"raw_sales: {KEY} is gone" in failed.problem

    obstore.put(access.store("landing"), KEY, CONTENT)
    working = instance.create_run_for_job(
        graph.resolve_job_def(needed.job), status=dg.DagsterRunStatus.STARTED, tags=needed.tags
    )
    assert (told().state, told().run_id) == ("running", working.run_id)
    instance.delete_run(working.run_id)

    assert run(needed.job, needed.tags).success
    assert (told().state, told().hint) == ("in", None)


def test_a_stopped_sensor_is_named(instance: dg.DagsterInstance, access: S3Access, deployment: Settings) -> None:
    from dagster._core.definitions.run_request import InstigatorType
    from dagster._core.remote_origin import (
        ManagedGrpcPythonEnvCodeLocationOrigin,
        RemoteInstigatorOrigin,
        RemoteRepositoryOrigin,
    )
    from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus
    from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

    location = ManagedGrpcPythonEnvCodeLocationOrigin(LoadableTargetOrigin(module_name="nexgen_assets.definitions"))
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "__repository__"), "landing_zone")
    instance.add_instigator_state(InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.STOPPED))

    progress = UploadProgress(deployment, LandingZone(access, deployment), Snapshots(DeltaTables(access)), instance)
    assert "`landing_zone` is switched off" in str(progress.standings([committed()])["1"].hint)


def test_a_file_that_a_later_one_replaced_says_so(
    run: Callable, instance: dg.DagsterInstance, access: S3Access, deployment: Settings
) -> None:
    for content in (CONTENT, CONTENT.replace(b",2,8.00", b",3,12.00")):
        obstore.put(access.store("landing"), KEY, content)
        assert run(INGEST).success

    progress = UploadProgress(deployment, LandingZone(access, deployment), Snapshots(DeltaTables(access)), instance)
    assert progress.standings([committed()])["1"].state == "replaced"
