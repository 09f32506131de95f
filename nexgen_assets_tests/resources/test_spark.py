"""A Spark engine that is not there is an error within seconds and never a hang; a session it dropped is replaced."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812

from nexgen_assets.resources import spark_engine as module
from nexgen_assets.resources.lake import S3Access
from nexgen_assets.resources.spark_engine import KeptEngine, SparkEngineError, connect

A_WEEK = 7 * 24 * 3600
IDLE_SECONDS = "SAIL_SPARK__SESSION_TIMEOUT_SECS"
LAKE = S3Access("nexgen", "", "us-east-1", "http://127.0.0.1:1")  # nothing is read or written there
ENGINE = """
import threading
from nexgen_assets.resources.spark_engine import embedded_engine
with embedded_engine() as address:
    print(address, flush=True)
    threading.Event().wait()
"""


@contextmanager
def running_engine(environment: dict[str, str] | None = None) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address of an engine in a process of its own, and that process."""
    with subprocess.Popen(
        [sys.executable, "-c", ENGINE], stdout=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})}
    ) as engine:
        assert engine.stdout
        try:
            yield engine.stdout.readline().strip(), engine
        finally:
            engine.kill()


def await_drop(session: SparkSession) -> None:
    """Wait until the engine has dropped this session."""
    began = time.monotonic()
    while time.monotonic() - began < 60:
        time.sleep(2)  # a question is a sign of life
        try:
            session.range(1).count()
        except PySparkException:
            return
    pytest.fail("the engine did not drop an idle session")


def test_an_engine_that_does_not_answer_is_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONNECT_SECONDS", 1)
    with socket.socket() as taken:  # bound and not listening: nobody else can answer there
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(SparkEngineError, match=rf"127\.0\.0\.1:{port} within 1 s: check SPARK_REMOTE"):
            connect(f"sc://127.0.0.1:{port}")


# the client warns that it gives up before it raises
@pytest.mark.filterwarnings("ignore:.*RETRIES_EXCEEDED:UserWarning")
def test_an_engine_that_is_killed_is_an_error_within_30_seconds() -> None:
    with running_engine() as (address, engine):
        session = connect(address)
        assert session.range(3).count() == 3
        os.kill(engine.pid, signal.SIGKILL)
        engine.wait()
    began = time.monotonic()
    with pytest.raises(PySparkException):
        session.range(3).count()
    assert time.monotonic() - began < 30
    session.stop()  # or PySpark would ask it again, as the session of this process


def test_a_session_that_the_engine_dropped_is_replaced_by_the_next_use() -> None:
    with running_engine({IDLE_SECONDS: "1"}) as (address, _):
        kept = KeptEngine(address, LAKE)
        await_drop(kept.session())
        assert kept.session().range(3).count() == 3
        kept.stop()


def test_one_session_is_kept_as_long_as_it_answers(engine_address: str) -> None:
    kept = KeptEngine(engine_address, LAKE)
    assert kept.session() is kept.session()
    kept.stop()


@pytest.mark.usefixtures("engine_address")
def test_the_embedded_engine_drops_no_session_that_waits_for_a_training() -> None:
    assert int(os.environ[IDLE_SECONDS]) > A_WEEK


@pytest.mark.usefixtures("spark")
def test_a_column_that_is_named_does_not_look_for_who_named_it() -> None:
    assert F.col("price")._expr.origin is None  # pyright: ignore[reportAttributeAccessIssue]
