"""`nexgen up` as a person runs it: in a terminal, ended by Ctrl-C."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import obstore
import psutil
import pytest

from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.resources.embedded_s3 import embedded_s3
from nexgen_assets.resources.lake import S3Access
from nexgen_assets.tables import LANDING_FILES, RAW_SALES, REORDER_RECOMMENDATIONS

ASSETS = {"raw_sales", "cleaned_features", "trained_model", "forecasts", "reorder_recommendations"}
QUERY = "{ assetNodes { assetKey { path } } }"


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(home: Path, port: int, **settings: str) -> "subprocess.Popen[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "NEXGEN_", "SPARK_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "nexgen_assets", "up", "--port", str(port)],
        env={**kept, **settings, "NEXGEN_HOME": str(home)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # a process group of its own, like a terminal's foreground job
    )


def asset_names(port: int, seconds: float = 90) -> set[str]:
    """The assets that the webserver lists, once it answers."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql",
        json.dumps({"query": QUERY}).encode(),
        {"Content-Type": "application/json"},
    )
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # our own server
                nodes = json.load(answer)["data"]["assetNodes"]
            return {node["assetKey"]["path"][-1] for node in nodes}
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.5)
    raise AssertionError(f"the webserver did not answer within {seconds} s")


def descendants(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_serves_the_graph_and_ends_whole_at_ctrl_c(tmp_path: Path, port: int, stop: signal.Signals) -> None:
    process = start(tmp_path, port)
    try:
        assert asset_names(port) >= ASSETS
        children = descendants(process)
        if stop == signal.SIGINT:
            os.killpg(process.pid, stop)  # the terminal sends Ctrl-C to the whole group
        else:
            process.send_signal(stop)
        output, _ = process.communicate(timeout=30)
        assert process.returncode == 0, output
        assert f"http://127.0.0.1:{port}" in output
        _, alive = psutil.wait_procs(children, timeout=10)
        assert not alive
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def test_says_so_when_the_port_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = start(tmp_path, taken.getsockname()[1])
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "--port" in output


FILES, LINES = 10_000, 10


@pytest.mark.slow
def test_ten_thousand_waiting_files_are_built_once_each_though_the_daemon_is_killed(tmp_path: Path, port: int) -> None:
    with embedded_s3(tmp_path) as server:
        access = S3Access("nexgen", "local", "us-east-1", server.endpoint, server.access_key, server.secret_key)
        access.s3_resource().get_client().create_bucket(Bucket=access.bucket)
        tables = DeltaTables(access)
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda number: land_small_file(access, number), range(FILES)))

        first = start(tmp_path, port, NEXGEN_LANDING_QUIET_SECONDS="1")
        until(lambda: tables.row_count(LANDING_FILES) > 0, first, "the first files are registered")
        daemon = next(child for child in descendants(first) if "dagster._daemon" in child.cmdline())
        daemon.kill()
        output, _ = first.communicate(timeout=60)
        assert (first.returncode, "the daemon ended" in output) == (1, True), output
        assert tables.row_count(LANDING_FILES) < FILES

        second = start(tmp_path, port, NEXGEN_LANDING_QUIET_SECONDS="1")
        try:
            until(lambda: tables.row_count(REORDER_RECOMMENDATIONS) > 0, second, "everything is ordered", 500)
        finally:
            second.send_signal(signal.SIGTERM)
            second.communicate(timeout=60)

        manifest = tables.read(LANDING_FILES).to_pylist()
        assert len({row["file_key"] for row in manifest}) == len(manifest) == FILES
        lines = Counter(tables.read(RAW_SALES, columns=["file_key"])["file_key"].to_pylist())
        assert set(lines.values()) == {LINES}
        assert len(lines) == FILES


def land_small_file(access: S3Access, number: int) -> None:
    """A store's day: ten products."""
    day, store = date(2025, 1, 1) + timedelta(days=number % 365), number // 365
    rows = [f"{product:02},store {store},{day},{product}" for product in range(1, LINES + 1)]
    content = "\n".join(["product_id,location,date_of_purchase,quantity", *rows, ""])
    obstore.put(access.store("landing"), f"sales/{number:05}.csv", content.encode())


def until(holds: Callable[[], bool], process: "subprocess.Popen[str]", what: str, seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert process.poll() is None, f"nexgen up ended before {what}"
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(1)
