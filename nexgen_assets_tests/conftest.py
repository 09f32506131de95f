"""Fixtures every test may use: a clean environment and the real engines."""

from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from nexgen_assets.resources.spark import connect, embedded_engine


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """The embedded Spark engine (Sail)."""
    with embedded_engine() as remote:
        session = connect(remote)
        yield session
        session.stop()
