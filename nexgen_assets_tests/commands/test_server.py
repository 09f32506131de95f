"""`nexgen up` as a person or a service manager runs it: started, ended, killed."""

import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import obstore
import psutil
import pytest

from nexgen_assets.dashboard.roles import Role
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.resources.embedded_s3 import embedded_s3
from nexgen_assets.resources.lake import S3Access
from nexgen_assets.settings import Settings
from nexgen_assets.tables import LANDING_FILES, RAW_SALES, REORDER_RECOMMENDATIONS
from nexgen_assets_tests.up import Up, add_user, address, browser, descendants, free_port, start, wait_until_it_serves

ASSETS = {"raw_sales", "cleaned_features", "trained_model", "forecasts", "reorder_recommendations"}
QUERY = {"query": "{ assetNodes { assetKey { path } } }"}


@pytest.fixture
def port() -> int:
    return free_port()


def test_serves_the_graph_alone_and_ends_whole_when_told_to(tmp_path: Path, port: int) -> None:
    settings = Settings(home=tmp_path)
    add_user(settings, Role.VIEWER)
    process = start(tmp_path, port)
    try:
        wait_until_it_serves(process, port)
        with browser(port, settings, Role.VIEWER) as viewer:
            nodes = viewer.post("/dagster/graphql", json=QUERY).json()["data"]["assetNodes"]
        assert {node["assetKey"]["path"][-1] for node in nodes} >= ASSETS
        second, _ = start(tmp_path, free_port()).communicate(timeout=60)
        assert "already: stop it first" in second
        children = descendants(process)
        # as a service manager does; what Ctrl-C does is seen where all of `/dagster` is tested
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)
        assert process.returncode == 0, output
        assert f"{address(port)}/dagster" in output
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
def test_a_killed_one_leaves_no_second_daemon(tmp_path: Path, port: int) -> None:
    killed = start(tmp_path, port)
    wait_until_it_serves(killed, port)
    left = descendants(killed)
    killed.kill()
    killed.communicate()
    try:
        output, _ = start(tmp_path, port).communicate(timeout=60)
        assert "already: stop it first (processes" in output
        [daemon] = [process for process in left if "dagster._daemon" in process.cmdline()]
        assert f"{daemon.pid}" in output
    finally:
        for process in left:
            process.kill()


def test_says_who_can_be_made_a_user_where_there_is_nobody_and_which_process_ended(tmp_path: Path, port: int) -> None:
    process = start(tmp_path, port)
    wait_until_it_serves(process, port)
    next(child for child in descendants(process) if "code-server" in child.cmdline()).kill()
    output, _ = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "nexgen users add NAME --role admin" in output
    assert "the code-server ended" in output


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


def until(holds: Callable[[], bool], process: Up, what: str, seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert process.poll() is None, f"nexgen up ended before {what}"
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(1)
