"""Times of the dashboard's pages on a day of 100,000 order lines, with two years of history for 10,000 of them.

    uv run python -m benchmarks.dashboard [--home FOLDER] [--lines 100000] [--series 10000] [--requests 500]

The lake is on the embedded S3 server; a folder that is told is kept, and used again. `nexgen up` serves the dashboard
and the Dagster UI, one client asks, no run is active. Prints milliseconds of the first request of each page on a fresh
server and of the later ones, seconds to the first rows in Chromium, and the peak memory of the front door's process:
code servers, daemon and S3 are processes of their own. The first request is sent --after seconds from the start, as the
front door reads ahead; 0 shows what its first visitor sees.
"""

import argparse
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2 as httpx
import numpy as np
from rich.console import Console
from rich.logging import RichHandler
from rich.table import Table as Grid

from benchmarks.dashboard import client, lake
from nexgen_assets.commands.listening import bound_socket
from nexgen_assets.dashboard.door import FrontDoor
from nexgen_assets.dashboard.roles import Role
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.resources.embedded_s3 import embedded_s3
from nexgen_assets.resources.lake import open_lake
from nexgen_assets.settings import Settings

HOST, PORT = "127.0.0.1", 8765
USER, PASSWORD = "benchmark", "only for this benchmark"
BARS = {"worklist, first page": 300, "product x location": 200}
MEMORY_BAR = 1.5  # GB
LONGEST_WARM_UP = 300
READ_AHEAD = 300  # milliseconds of a page of one series that needs no more than a few rows of the lake
ASSETS = "{ assetsOrError { ... on AssetConnection { nodes { assetMaterializations(limit: 1) { runId } } } } }"
logger = logging.getLogger("benchmarks.dashboard")


def main() -> None:
    options = _options()
    console = Console(width=120)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[RichHandler(console=console)])
    logger.setLevel(logging.INFO)
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(options.home or folder).resolve(), options, console)


def measure(home: Path, options: argparse.Namespace, console: Console) -> None:
    with bound_socket(HOST, PORT, "another time"):
        pass  # it is free; the server will take it
    with embedded_s3(home):
        settings = Settings(home=home)
        tables, mark = DeltaTables(open_lake(settings)), home / "lake-is-built"
        if not mark.exists():
            began = time.perf_counter()
            lake.build(tables, options.lines, options.series, options.days, options.origins)
            mark.touch()
            logger.info("built the lake in %.0f s", time.perf_counter() - began)
        with _server(home) as (address, process_id):
            cookie = _logged_in(settings)
            browser = {"base_url": address, "cookies": {"nexgen_session": cookie}, "headers": {"Origin": address}}
            time.sleep(options.after)
            with httpx.Client(**browser, timeout=600) as asking:
                first, _ = client.ask(asking, options.series, client.ROUND, seed=1)
                seconds = _warmed_up(asking, options.series, first)
                later, sent = client.ask(asking, options.series, options.requests, seed=2)
                _look_at_dagster(asking)
            rows = [] if options.no_browser else client.seconds_to_first_rows(address, cookie, 5)
            memory = _peak_gigabytes(process_id)
    console.print(_report(first, later, f"{options.lines:,} order lines, {sent} requests"))
    if rows:
        console.print(f"orders in Chromium, to the first rows: {np.median(rows):.2f} s, at most {max(rows):.2f} s")
    console.print(f"days were read ahead, beside these requests, in {seconds:.0f} s")
    console.print(f"peak memory of the front door: {memory:.2f} GB, bar {MEMORY_BAR}")


def _warmed_up(asking: httpx.Client, series: int, first: dict[str, list[float]]) -> float:
    """Seconds until pages of one series are read from memory, if the first ones were read from the lake, and slow."""
    began, seed = time.perf_counter(), 100
    while time.perf_counter() - began < LONGEST_WARM_UP:
        again, _ = client.ask(asking, series, client.ROUND, seed)
        if all(again[kind][0] < max(first[kind][0] / 3, READ_AHEAD) for kind in client.OF_ONE_SERIES):
            return time.perf_counter() - began
        seed += 1
    raise RuntimeError(f"pages of one series are as slow as the first after {LONGEST_WARM_UP} s")


def _look_at_dagster(asking: httpx.Client) -> None:
    """The page of the Dagster UI, and a question about every asset as it asks."""
    asking.get("/dagster/").raise_for_status()
    asking.post("/dagster/graphql", json={"query": ASSETS}).raise_for_status()


def _report(first: dict[str, list[float]], later: dict[str, list[float]], title: str) -> Grid:
    grid = Grid(title=title)
    for name in ("milliseconds", "pages", "first", "p50", "p95", "bar"):
        grid.add_column(name, justify="left" if name == "milliseconds" else "right")
    for kind, times in later.items():
        p50, p95 = np.percentile(times, [50, 95])
        bar = str(BARS.get(kind, ""))
        grid.add_row(kind, str(len(times)), f"{first[kind][0]:.0f}", f"{p50:.0f}", f"{p95:.0f}", bar)
    return grid


@contextmanager
def _server(home: Path) -> Iterator[tuple[str, int]]:
    """The front door's address and process, ready to answer."""
    command = [sys.executable, "-m", "nexgen_assets", "up", "--port", str(PORT)]
    process = subprocess.Popen(command, env={**os.environ, "NEXGEN_HOME": str(home)}, stdout=subprocess.DEVNULL)
    address = f"http://{HOST}:{PORT}"
    try:
        while True:
            if process.poll() is not None:
                raise RuntimeError(f"the server has ended with {process.returncode}")
            try:
                httpx.get(f"{address}/api/health", timeout=60).raise_for_status()
            except httpx.TransportError:
                time.sleep(0.1)
            else:
                break
        yield address, process.pid
    finally:
        process.terminate()
        process.wait()


def _logged_in(settings: Settings) -> str:
    """The cookie of a user who may see everything."""
    door = FrontDoor.of(settings)
    user = door.users.find(USER) or door.users.add(USER, Role.APPROVER, PASSWORD, "benchmark")
    return door.sessions.start(user)


def _peak_gigabytes(process_id: int) -> float:
    status = dict(line.split(":", 1) for line in Path(f"/proc/{process_id}/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) * 1024 / 1e9


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--home", help="where the lake is kept; a folder that is deleted afterwards if not told")
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--series", type=int, default=10_000, help="how many of the lines have a history")
    parser.add_argument("--days", type=int, default=729, help="days of history before the last day")
    parser.add_argument("--origins", type=int, default=63, help="days before the last with forecasts of these series")
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--after", type=float, default=30, help="seconds from the server's start to the first request")
    parser.add_argument("--no-browser", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
