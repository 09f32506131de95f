"""A Spark engine that is not there, or no longer there, is an error within seconds and never a hang."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest
from pyspark.errors import PySparkException

from nexgen_assets.resources import spark_engine as module
from nexgen_assets.resources.spark_engine import SparkEngineError, connect

ENGINE = """
import threading
from nexgen_assets.resources.spark_engine import embedded_engine
with embedded_engine() as address:
    print(address, flush=True)
    threading.Event().wait()
"""


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
    with subprocess.Popen([sys.executable, "-c", ENGINE], stdout=subprocess.PIPE, text=True) as engine:
        assert engine.stdout
        session = connect(engine.stdout.readline().strip())
        assert session.range(3).count() == 3
        os.kill(engine.pid, signal.SIGKILL)
        engine.wait()
    began = time.monotonic()
    with pytest.raises(PySparkException):
        session.range(3).count()
    assert time.monotonic() - began < 30
    session.stop()  # or PySpark would ask it again, as the session of this process
