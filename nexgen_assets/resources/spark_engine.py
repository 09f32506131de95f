"""The Spark engine, reached through Spark Connect only, so that one code runs on every engine.

Embedded by default: Sail, a Rust engine that speaks Spark Connect, in this process, without a JVM. `SPARK_REMOTE`
names another one: `local[*]` for Apache Spark on this machine's JVM, `sc://host:port` for a cluster.

What belongs here: starting an engine, connecting to it and staying connected, without Dagster. What does not: which
engine serves a process (`spark.py`).
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import SparkSession

if TYPE_CHECKING:
    from nexgen_assets.resources.lake import S3Access

SESSION_SETTINGS = {"spark.sql.session.timeZone": "UTC", "spark.sql.ansi.enabled": "true"}
# PySpark looks for the calling line, and tries to import IPython, whenever a column is named: far slower than naming it
NO_CALL_SITES = {"spark.python.sql.dataFrameDebugging.enabled": "false"}
# an engine of our own forgets no session: a model may train for hours between two queries, a server wait for days
IDLE_DAYS = 365
CONNECT_SECONDS = 15
RETRIES = 3  # of a lost call, 0.05 + 0.2 + 0.8 s apart: a dead engine is an error within seconds, not a hang

# Delta and S3A for Apache Spark 4.2; hadoop-aws must equal the Hadoop client that PySpark bundles.
JVM_PACKAGES = "io.delta:delta-spark_4.2_2.13:4.4.0,org.apache.hadoop:hadoop-aws:3.5.0"
# What Spark already carries. A second copy of any of these on the class path is a version conflict waiting to happen.
JVM_EXCLUDES = ",".join(
    [
        "org.apache.hadoop:hadoop-client-api",
        "org.apache.hadoop:hadoop-client-runtime",
        "org.apache.parquet:*",
        "com.fasterxml.jackson.core:*",
        "com.fasterxml.jackson.datatype:*",
        "com.fasterxml.jackson.module:*",
        "org.slf4j:*",
        "org.apache.logging.log4j:*",
        "org.scala-lang:scala-library",
        "org.xerial.snappy:snappy-java",
        "com.github.luben:zstd-jni",
        "commons-logging:commons-logging",
        "org.roaringbitmap:*",
        "com.google.code.findbugs:jsr305",
        "io.airlift:aircompressor",
        "org.locationtech.jts:*",
    ]
)
JVM_SETTINGS = {
    **NO_CALL_SITES,
    "spark.jars.packages": JVM_PACKAGES,
    "spark.jars.excludes": JVM_EXCLUDES,
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.connect.session.manager.defaultSessionTimeout": f"{IDLE_DAYS}d",
    # the defaults (200 and 50) are for clusters: on one machine a small commit would take 20 s instead of 3 s
    "spark.sql.shuffle.partitions": "4",
    "spark.databricks.delta.snapshotPartitions": "2",
}


def spark_remote() -> str | None:
    """The engine `SPARK_REMOTE` names, or None for the embedded one."""
    return os.environ.get("SPARK_REMOTE") or None


class SparkEngineError(RuntimeError):
    """The Spark engine cannot be reached or has died; the message says which and what to do."""


@contextmanager
def embedded_engine() -> Iterator[str]:
    """Run Sail in this process and yield its Spark Connect address; it stops when the block ends."""
    os.environ.setdefault("RUST_LOG", "error")
    # more partitions than cores: a scan of many small files on S3 is mostly waiting
    os.environ.setdefault("SAIL_EXECUTION__DEFAULT_PARALLELISM", "8")
    # our joins name the small side first, the one that is kept in memory; the optimizer guesses, and kept 12.5 M rows
    os.environ.setdefault("SAIL_OPTIMIZER__ENABLE_JOIN_SWAP", "false")
    # Sail drops a session that was idle for 15 minutes, and every later query of it fails
    os.environ.setdefault("SAIL_SPARK__SESSION_TIMEOUT_SECS", str(IDLE_DAYS * 24 * 3600))
    from pysail.spark import SparkConnectServer

    # the server lives as long as this reference: without it the client would wait minutes on a closed port
    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    try:
        address = server.listening_address
        if address is None:
            raise SparkEngineError("the embedded Spark engine (Sail) did not start listening")
        yield f"sc://127.0.0.1:{address[1]}"
    finally:
        server.stop()


def _await_server(remote: str) -> None:
    import grpc

    address = urlsplit(remote.split(";", maxsplit=1)[0])
    target = f"{address.hostname}:{address.port or 15002}"
    with grpc.insecure_channel(target) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=CONNECT_SECONDS)
        except grpc.FutureTimeoutError:
            raise SparkEngineError(
                f"no Spark Connect server answers at {target} within {CONNECT_SECONDS} s: "
                "check SPARK_REMOTE, or unset it to use the embedded engine"
            ) from None


def connect(remote: str, conf: Mapping[str, str] | None = None) -> SparkSession:
    """A session on a Spark Connect server, with few retries so that a dead engine is an error and not a hang.

    `local[*]` starts Apache Spark on this machine's JVM with `conf`; `sc://` addresses an engine that already runs.
    Raises SparkEngineError if nothing answers, or if a JVM is asked for beside another engine's session.
    """
    from pyspark.sql.connect.client.retries import DefaultPolicy

    if remote.startswith("sc://"):
        if "use_ssl=true" not in remote:
            _await_server(remote)
        session = SparkSession.builder.remote(remote).create()
        with suppress(AnalysisException):  # a cluster of Apache Spark does as it was started
            _set(session, NO_CALL_SITES)
    else:
        if SparkSession.getActiveSession() is not None:
            # PySpark would start the JVM and then hand back the session of the other engine
            raise SparkEngineError(f"this process already has a Spark session: stop it before you start {remote}")
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        builder = SparkSession.builder.remote(remote)
        for key, value in {**JVM_SETTINGS, **(conf or {})}.items():
            builder = builder.config(key, value)
        session = builder.getOrCreate()
    session.client.set_retry_policies([DefaultPolicy(max_retries=RETRIES)])  # pyright: ignore[reportAttributeAccessIssue]
    _set(session, SESSION_SETTINGS)
    return session


def _set(session: SparkSession, settings: Mapping[str, str]) -> None:
    for key, value in settings.items():
        session.conf.set(key, value)


class KeptEngine:
    """An engine that is opened when it is first needed and kept until `stop`, by any thread of a process.

    `remote` as `SPARK_REMOTE` names it, None for the embedded one; `access` is what it reads and writes.
    """

    def __init__(self, remote: str | None, access: "S3Access") -> None:
        self.remote = remote
        self.access = access
        self._lock = Lock()
        self._open = ExitStack()
        self._address: str | None = None
        self._session: SparkSession | None = None

    def session(self) -> SparkSession:
        """A session that answers: a new one where the engine has dropped the last, as clusters do with idle ones.

        Raises SparkEngineError if the engine itself does not answer.
        """
        with self._lock:
            if self._session is not None and not _answers(self._session):
                self._stop_session()
            if self._session is None:
                self._session = connect(self._started(), self.access.spark_conf)
            return self._session

    def _started(self) -> str:
        if self._address is None:
            if self.remote is None:
                os.environ.update(self.access.environment)
            self._address = self.remote or self._open.enter_context(embedded_engine())
        return self._address

    def stop(self) -> None:
        """End the session, and the engine if it is this process's; the next use starts a new one."""
        with self._lock:
            self._stop_session()
            self._open.close()
            self._address = None

    def _stop_session(self) -> None:
        if self._session is not None:
            self._session.stop()
            self._session = None


def _answers(session: SparkSession) -> bool:
    try:
        session.conf.get("spark.sql.session.timeZone")
    except PySparkException:
        return False
    return True
