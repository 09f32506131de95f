"""The Spark engine, reached through Spark Connect only, so that one code runs on every engine.

Embedded by default: Sail, a Rust engine that speaks Spark Connect, in this process, without a JVM. `SPARK_REMOTE`
names another one: `local[*]` for Apache Spark on this machine's JVM, `sc://host:port` for a cluster.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pyspark.sql import SparkSession

SESSION_SETTINGS = {"spark.sql.session.timeZone": "UTC", "spark.sql.ansi.enabled": "true"}
DEAD_ENGINE_SECONDS = 25


class SparkEngineError(RuntimeError):
    """The Spark engine cannot be reached or has died; the message says which and what to do."""


@contextmanager
def embedded_engine() -> Iterator[str]:
    """Run Sail in this process and yield its Spark Connect address; it stops when the block ends."""
    from pysail.spark import SparkConnectServer

    # the server lives as long as this reference: without it the client would wait minutes on a closed port
    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    try:
        _, port = server.listening_address
        yield f"sc://127.0.0.1:{port}"
    finally:
        with suppress(Exception):
            server.stop()


def connect(remote: str) -> SparkSession:
    """A session on a Spark Connect server, with few retries so that a dead engine is an error and not a hang."""
    session = SparkSession.builder.remote(remote).create()
    for key, value in SESSION_SETTINGS.items():
        session.conf.set(key, value)
    return session
