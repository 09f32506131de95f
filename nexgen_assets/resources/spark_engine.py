"""The Spark engine, reached through Spark Connect only, so that one code runs on every engine.

Embedded by default: Sail, a Rust engine that speaks Spark Connect, in this process, without a JVM. `SPARK_REMOTE`
names another one: `local[*]` for Apache Spark on this machine's JVM, `sc://host:port` for a cluster.

What belongs here: starting an engine and connecting to it, without Dagster. What does not: which engine serves a
process (`spark.py`).
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

from pyspark.sql import SparkSession

SESSION_SETTINGS = {"spark.sql.session.timeZone": "UTC", "spark.sql.ansi.enabled": "true"}
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
    "spark.jars.packages": JVM_PACKAGES,
    "spark.jars.excludes": JVM_EXCLUDES,
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": "false",
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
    for key, value in SESSION_SETTINGS.items():
        session.conf.set(key, value)
    return session
