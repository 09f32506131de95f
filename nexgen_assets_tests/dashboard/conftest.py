"""The front door of a small retailer: one lake for all tests, which only read it, and a database of each test's own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import httpx2 as httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from nexgen_assets.dashboard.app import create_app
from nexgen_assets.dashboard.door import FrontDoor
from nexgen_assets.dashboard.roles import Role
from nexgen_assets.dashboard.worker import Workers
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.resources.lake import S3Access, open_lake
from nexgen_assets.settings import Settings
from nexgen_assets_tests.conftest import BUCKET, unique_prefix
from nexgen_assets_tests.dashboard.shop import fill

HOST = "https://nexgen.example"
PASSWORD = "correct horse battery"
AS = Callable[[Role], httpx.Client]


@pytest.fixture(scope="session")
def shop(seaweed: S3Access, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A deployment whose tables are filled."""
    settings = Settings(
        deployment=unique_prefix(),
        deployment_id="tests",
        home=tmp_path_factory.mktemp("shop"),
        bucket=BUCKET,
        s3_endpoint=seaweed.endpoint,
    )
    fill(DeltaTables(open_lake(settings)), settings)
    return settings


@pytest.fixture(scope="session")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    """Dagster's records, in files; the front door only reads them."""
    with dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("instance"))) as made:
        yield made


@pytest.fixture(scope="session")
def workers() -> Iterator[Workers]:
    """The processes beside the front door, which take seconds to start."""
    made = Workers()
    yield made
    made.stop()


@pytest.fixture
def door(shop: Settings, tmp_path: Path, instance: dg.DagsterInstance, workers: Workers) -> FrontDoor:
    return FrontDoor.of(shop.model_copy(update={"home": tmp_path}), instance, workers)


@pytest.fixture
def app(door: FrontDoor) -> FastAPI:
    return create_app(door.settings, door)


@pytest.fixture
def anonymous(app: FastAPI) -> Iterator[TestClient]:
    """A browser in which nobody is logged in."""
    with TestClient(app, base_url=HOST, headers={"Origin": HOST}) as client:
        yield client


@pytest.fixture
def as_role(app: FastAPI, door: FrontDoor) -> AS:
    """A browser in which a user of that role, and of its name, is logged in."""

    def log_in(role: Role) -> httpx.Client:
        if door.users.find(role.value) is None:
            door.users.add(role.value, role, PASSWORD, "tests")
        user = door.users.find(role.value)
        assert user
        client = TestClient(app, base_url=HOST, headers={"Origin": HOST})
        client.cookies.set("nexgen_session", door.sessions.start(user))
        return client

    return log_in
