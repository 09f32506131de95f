"""The Spark engine of a process, as Dagster's runs use it.

What belongs here: the one engine that all steps and runs of a process share, and its Dagster resource. What does not:
starting an engine and staying connected (`spark_engine.py`).
"""

import atexit
from typing import Any

from dagster_pyspark import LazyPySparkResource
from pyspark.sql import SparkSession

from nexgen_assets.resources.lake import LakeResource, S3Access
from nexgen_assets.resources.spark_engine import KeptEngine, SparkEngineError

_running: list[KeptEngine] = []  # this process's engine, once a step has asked for it


def _engine(remote: str | None, access: S3Access) -> KeptEngine:
    if not _running:
        _running.append(KeptEngine(remote, access))
    if (_running[0].remote, _running[0].access) != (remote, access):
        raise SparkEngineError("this process already runs a Spark engine with other settings: stop it first")
    return _running[0]


@atexit.register
def stop_engine() -> None:
    """Stop this process's engine, if it runs; the next use starts a new one."""
    while _running:
        _running.pop().stop()


class SparkResource(LazyPySparkResource):
    """dagster-pyspark's lazy resource over Spark Connect: started on first use, stopped when the process ends.

    One engine serves all steps and runs of a process; starting one costs seconds.
    """

    lake: LakeResource
    remote: str | None = None
    spark_config: dict[str, Any] = {}  # noqa: RUF012  # pydantic copies defaults

    @property
    def spark_session(self) -> SparkSession:
        return _engine(self.remote, self.lake.access).session()
