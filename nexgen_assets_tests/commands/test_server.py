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
from pathlib import Path

import psutil
import pytest

ASSETS = {"raw_sales", "cleaned_features", "trained_model", "forecasts", "reorder_recommendations"}
QUERY = "{ assetNodes { assetKey { path } } }"


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(home: Path, port: int) -> "subprocess.Popen[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "NEXGEN_", "SPARK_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "nexgen_assets", "up", "--port", str(port)],
        env={**kept, "NEXGEN_HOME": str(home)},
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
