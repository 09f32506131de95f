"""Apache Spark on the JVM in a process of its own, for tests.

PySpark keeps one engine per process: with Sail's session open, asking for `local[2]` starts a JVM and then hands back
Sail's session. So the JVM lives in a child process, and the tests reach it through Spark Connect.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

OLDEST_JAVA = 17
START_SECONDS = 900  # the first start downloads 700 MB of jars


class NoJvmEngineError(RuntimeError):
    """Apache Spark did not start; the message ends with its log."""


def java_release() -> int | None:
    """Feature release of the Java that Spark would use, or None without one."""
    home = os.environ.get("JAVA_HOME")
    java = f"{home}/bin/java" if home else shutil.which("java")
    if not java or not Path(java).exists():
        return None
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=True).stderr
    found = re.search(r'version "(?:1\.)?(\d+)', told)
    return int(found[1]) if found else None


@contextmanager
def jvm_engine(conf: Mapping[str, str], log: Path) -> Iterator[str]:
    """Run Apache Spark with `conf` and yield its Spark Connect address; its output goes to `log`.

    Raises NoJvmEngineError if it does not answer in time.
    """
    spawn = get_context("spawn")
    ours, theirs = spawn.Pipe()
    child = spawn.Process(target=_serve, args=(theirs, dict(conf), log), daemon=True)
    child.start()
    theirs.close()
    try:
        yield _address(ours, log)
    finally:
        ours.close()
        child.join(30)
        child.kill()
        child.join()


def _address(pipe: Connection, log: Path) -> str:
    try:
        if pipe.poll(START_SECONDS):
            return pipe.recv()
    except EOFError:
        pass
    tail = log.read_text(errors="replace")[-3000:] if log.exists() else ""
    raise NoJvmEngineError(f"Apache Spark did not start:\n{tail}")


def _serve(pipe: Connection, conf: dict[str, str], log: Path) -> None:
    with log.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    # PySpark's own switch for a free port instead of 15002
    os.environ["SPARK_TESTING"] = "1"
    from nexgen_assets.resources.spark_engine import connect

    session = connect("local[2]", conf)
    builder = session.client._builder
    pipe.send(f"sc://{builder.endpoint}/;token={builder.token}")
    try:
        pipe.recv()
    except EOFError:  # the tests are over, or their process died
        session.stop()
