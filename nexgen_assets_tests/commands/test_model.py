"""`nexgen model`: the versions and why they are what they are; a rollback that holds through the next run."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.launcher import ROLLBACK
from nexgen_assets.resources.aliases import ROLLED_BACK, Aliases
from nexgen_assets.resources.embedded_s3 import embedded_s3
from nexgen_assets.resources.lake import S3Access
from nexgen_assets.resources.registry import ModelRegistry
from nexgen_assets.tables import FORECASTS
from nexgen_assets_tests.test_demo import SMALL, environment, finish, instance_of, start

__all__ = ["environment"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a demo, with its two champions: as of four weeks ago, and as of its last day."""
    folder = tmp_path_factory.mktemp("models")
    finish(start(folder, *SMALL))
    return folder


@pytest.fixture(scope="module")
def before(home: Path) -> Aliases:
    with lake_of(home) as access:
        return ModelRegistry(access).aliases()


@pytest.fixture(scope="module")
def rolled_back(home: Path, before: Aliases) -> str:  # noqa: ARG001  # the aliases are looked at first
    return finish(start(home, "model", "rollback", "--reason", "orders doubled"))


@pytest.fixture(scope="module")
def after(home: Path, rolled_back: str) -> Aliases:  # noqa: ARG001
    with lake_of(home) as access:
        return ModelRegistry(access).aliases()


class lake_of:  # noqa: N801
    pass
