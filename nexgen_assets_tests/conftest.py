"""Fixtures every test may use: a clean environment and the real engines.

The lake is a real SeaweedFS server, one for all tests; each test has a prefix of its own in it. `moto_access` is the
same on a server in memory, for what needs no Spark.
"""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import pytest
from hypothesis import settings as hypothesis_settings
from pyspark.sql import SparkSession

from nexgen_assets.definitions import build_defs
from nexgen_assets.io_managers.delta import DeltaTableIOManager
from nexgen_assets.resources.embedded_s3 import REGION, embedded_s3
from nexgen_assets.resources.lake import LakeResource, S3Access
from nexgen_assets.resources.registry import ModelRegistry
from nexgen_assets.resources.spark import SparkResource, stop_engine
from nexgen_assets.resources.spark_engine import connect, embedded_engine
from nexgen_assets.settings import Settings

BUCKET = "nexgen"

# no test fails for a busy machine: how long an example takes is no property of the code
hypothesis_settings.register_profile("nexgen", deadline=None)
hypothesis_settings.load_profile("nexgen")

MOTO_SERVER = """
import threading
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
print(f"http://{host}:{port}", flush=True)
threading.Event().wait()
"""


@pytest.fixture(scope="session", autouse=True)
def clean_environment() -> Iterator[None]:
    """No variable or credentials file of the machine decides what a test does."""
    with pytest.MonkeyPatch.context() as environment:
        for name in list(os.environ):
            if name.startswith(("AWS_", "NEXGEN_")) or name in ("SPARK_REMOTE", "DAGSTER_HOME"):
                environment.delenv(name)
        environment.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        environment.setenv("AWS_CONFIG_FILE", os.devnull)
        environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield


@pytest.fixture(scope="session")
def engine_address() -> Iterator[str]:
    """The Spark Connect address of the embedded Spark engine (Sail)."""
    with embedded_engine() as remote:
        yield remote


@pytest.fixture(scope="session")
def spark(engine_address: str) -> Iterator[SparkSession]:
    """A session on the embedded Spark engine; with `access`, it reads and writes the lake."""
    session = connect(engine_address)
    yield session
    session.stop()


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Access]:
    """A real S3 server; the process environment names it, because the embedded Spark engine reads it there."""
    with embedded_s3(tmp_path_factory.mktemp("seaweed")) as server, pytest.MonkeyPatch.context() as environment:
        access = S3Access(BUCKET, "", REGION, server.endpoint, server.access_key, server.secret_key)
        access.s3_resource().get_client().create_bucket(Bucket=BUCKET)
        for name, value in access.environment.items():
            environment.setenv(name, value)
        yield access


def unique_prefix() -> str:
    return f"test-{secrets.token_hex(8)}"


@pytest.fixture
def deployment(seaweed: S3Access, tmp_path: Path) -> Settings:
    """A deployment of its own on the real S3 server."""
    return Settings(
        deployment=unique_prefix(), deployment_id="tests", home=tmp_path, bucket=BUCKET, s3_endpoint=seaweed.endpoint
    )


@pytest.fixture
def lake(deployment: Settings) -> LakeResource:
    """The lake of that deployment."""
    return LakeResource.from_settings(deployment)


@pytest.fixture
def access(lake: LakeResource) -> S3Access:
    """How to reach that lake."""
    return lake.access


@pytest.fixture
def registry(lake: LakeResource) -> ModelRegistry:
    """The models of that lake."""
    return ModelRegistry(lake.access)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """Dagster's records of one test, in memory."""
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture
def graph(deployment: Settings, lake: LakeResource, engine_address: str) -> Iterator[dg.Definitions]:
    """The whole graph of that deployment, on the embedded engine."""
    spark = SparkResource(lake=lake, remote=engine_address)
    yield build_defs(deployment, {"spark": spark, "tables": DeltaTableIOManager(lake=lake, spark=spark)})
    stop_engine()


def materialize(
    graph: dg.Definitions, *names: str, day: date | None = None, tags: dict[str, str] | None = None
) -> None:
    """Run these assets, of a day if one is told."""
    job = graph.resolve_implicit_global_asset_job_def()
    keys = [dg.AssetKey(name) for name in names]
    partition = day.isoformat() if day else None
    assert job.execute_in_process(asset_selection=keys, partition_key=partition, tags=tags).success


@pytest.fixture(scope="session")
def moto_endpoint() -> Iterator[str]:
    """An S3 server in memory, on a free port.

    In a process of its own: delta-rs holds the interpreter's lock while it waits for an answer.
    """
    with subprocess.Popen(
        [sys.executable, "-c", MOTO_SERVER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout
        yield server.stdout.readline().strip()
        server.kill()  # nothing to save, and SIGTERM may be ignored, inherited from the shell


@pytest.fixture
def moto_access(moto_endpoint: str) -> S3Access:
    """A prefix of its own on the S3 server in memory."""
    access = S3Access(BUCKET, unique_prefix(), REGION, moto_endpoint, "testing", "testing")
    access.s3_resource().get_client().create_bucket(Bucket=BUCKET)
    return access
