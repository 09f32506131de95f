"""The Spark engine of a process, as Dagster's runs use it.

What belongs here: the one engine that all steps and runs of a process share, and its Dagster resource. What does not:
starting an engine (`spark_engine.py`).
"""

import atexit
import os
from contextlib import ExitStack
from typing import Any

from dagster_pyspark import LazyPySparkResource
from pyspark.sql import SparkSession

from nexgen_assets.resources.lake import LakeResource, S3Access
from nexgen_assets.resources.spark_engine import SparkEngineError, connect, embedded_engine


class _SharedEngine:
    """The engine of this process: opened once, by whoever needs it first, and closed at exit."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._session: SparkSession | None = None
        self._key: object = None

    def session(self, remote: str | None, access: S3Access) -> SparkSession:
        key = (remote, access)
        if self._session is not None and key != self._key:
            raise SparkEngineError("this process already runs a Spark engine with other settings: stop it first")
        if self._session is None:
            self._session, self._key = self._start(remote, access), key
        return self._session

    def _start(self, remote: str | None, access: S3Access) -> SparkSession:
        if remote is None:
            os.environ.update(access.environment)
            remote = self._open.enter_context(embedded_engine())
        session = connect(remote, access.spark_conf)
        self._open.callback(session.stop)
        return session

    def stop(self) -> None:
        self._open.close()
        self._session = self._key = None


_engine = _SharedEngine()
atexit.register(_engine.stop)


def stop_engine() -> None:
    """Stop this process's engine, if it runs; the next use starts a new one."""
    _engine.stop()


class SparkResource(LazyPySparkResource):
    """dagster-pyspark's lazy resource over Spark Connect: started on first use, stopped when the process ends.

    One engine serves all steps and runs of a process; starting one costs seconds.
    """

    lake: LakeResource
    remote: str | None = None
    spark_config: dict[str, Any] = {}  # noqa: RUF012  # pydantic copies defaults

    @property
    def spark_session(self) -> SparkSession:
        return _engine.session(self.remote, self.lake.access)
