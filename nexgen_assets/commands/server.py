"""`nexgen up`: S3 (if embedded), the front door, a code server and Dagster's daemon, under one Ctrl-C.

What belongs here: starting, watching and stopping them. The front door is this process; it and the daemon ask one code
server for the graph, so that nothing loads it twice. What does not: what the front door serves (`dashboard/app.py`).
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import psutil
from dagster._grpc.client import DagsterGrpcClient
from rich.console import Console
from rich.markup import escape

from nexgen_assets.commands.listening import bound_socket, server_of
from nexgen_assets.commands.upgrade import print_problems
from nexgen_assets.launcher import RunFailedError, fail_dead_runs, open_instance
from nexgen_assets.resources.lake import S3Access, open_lake
from nexgen_assets.resources.registry import RegistryError
from nexgen_assets.settings import Settings
from nexgen_assets.upgrade import leftovers

if TYPE_CHECKING:
    from nexgen_assets.dashboard.users import Users

GRACE_SECONDS = 15
LOADING_SECONDS = 180
LOOPBACK = ("127.0.0.1", "::1", "localhost")
CODE_LOCATION = "nexgen"  # as in workspace.yaml, so that both find the same runs and sensors
SOCKET = "code.sock"
GRAPH = "nexgen_assets.definitions"
Running = dict[str, subprocess.Popen[bytes]]


def serve(settings: Settings, host: str, port: int, console: Console) -> None:
    """Serve until Ctrl-C or SIGTERM; if one process ends by itself, the others are stopped and it is an error."""
    with bound_socket(host, port, "nexgen up --port") as listening:
        access = open_lake(settings)
        instance = open_instance(settings)
        fail_dead_runs(instance)
        with _until_interrupted(), _folder() as folder, _processes() as running:
            with console.status("Loading the graph"):
                workspace = _start_code_server(settings, folder, running)
                # while it loads
                from nexgen_assets.dashboard.app import create_app
                from nexgen_assets.dashboard.dagster_ui import dagster_ui
                from nexgen_assets.dashboard.door import FrontDoor

                door = FrontDoor.of(settings, instance)
                _wait_for_code_server(folder, running)
            _start(settings, "daemon", ["dagster._daemon", "run", "-w", str(workspace)], running)
            with dagster_ui(instance, workspace) as ui:
                server = server_of(create_app(settings, door, dagster=ui), settings, running.values())
                _say_where_things_are(settings, access, settings.public_url or _address(host, port), console)
                _say_who_listens(settings, host, console)
                _say_what_is_missing(access, door.users, console)
                server.run([listening])
            _require_all(running)


def _address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _say_where_things_are(settings: Settings, access: S3Access, address: str, console: Console) -> None:
    console.print(f"Dashboard   [bold]{address}[/]   (Ctrl-C stops everything)", highlight=False)
    console.print(f"API         {address}/api/docs", highlight=False)
    console.print(f"Dagster UI  {address}/dagster", highlight=False)
    console.print(f"Lake        {access.root} at {access.endpoint or 'AWS'}")
    console.print(f"Logs        {settings.home_path / 'logs'}")


def _say_who_listens(settings: Settings, host: str, console: Console) -> None:
    if settings.public_url is None and host not in LOOPBACK:
        console.print(
            "[yellow]Passwords cross the network in clear: put a proxy with TLS in front, and set NEXGEN_PUBLIC_URL.[/]"
        )


def _say_what_is_missing(access: S3Access, users: "Users", console: Console) -> None:
    if not users.all():
        say_that_nobody_may_log_in(console)
    try:
        print_problems(leftovers(access), console)
    except RegistryError as error:
        # the UI is where one looks into it
        console.print(f"[yellow]{escape(str(error))}[/]", highlight=False, soft_wrap=True)


def say_that_nobody_may_log_in(console: Console) -> None:
    console.print("[yellow]Nobody may log in yet:[/] [bold]nexgen users add NAME --role admin[/]", highlight=False)


# ---- processes


@contextmanager
def _folder() -> Iterator[Path]:
    """Of this user alone, as whoever reaches the code server can run code; its path is short enough for a socket's."""
    with tempfile.TemporaryDirectory(prefix="nexgen-") as made:
        yield Path(made)


def _start_code_server(settings: Settings, folder: Path, running: Running) -> Path:
    """Returns the workspace file that names it."""
    socket, workspace = folder / SOCKET, folder / "workspace.yaml"
    # of Dagster's two kinds of code server, the one that can load its code anew
    command = ["dagster", "code-server", "start", "--socket", str(socket), "--module-name", GRAPH]
    options = ["--location-name", CODE_LOCATION, "--use-python-environment-entry-point"]
    _start(settings, "code-server", [*command, *options], running)
    workspace.write_text(f"load_from:\n  - grpc_server: {{socket: {socket}, location_name: {CODE_LOCATION}}}\n")
    return workspace


def _wait_for_code_server(folder: Path, running: Running) -> None:
    """Until it has loaded the graph."""
    client, deadline = DagsterGrpcClient(socket=str(folder / SOCKET)), time.monotonic() + LOADING_SECONDS
    while not _answers(client):
        _require_all(running)
        if time.monotonic() > deadline:
            raise RunFailedError(f"the graph did not load within {LOADING_SECONDS} s: see logs/code-server.log")
        time.sleep(0.1)


def _answers(client: DagsterGrpcClient) -> bool:
    from dagster._core.errors import DagsterUserCodeUnreachableError

    try:
        client.ping("")
    except DagsterUserCodeUnreachableError:
        return False
    return True


def _start(settings: Settings, name: str, command: list[str], running: Running) -> None:
    """A child process of that name, with a log of its own."""
    environment = {
        **os.environ,
        "NEXGEN_HOME": str(settings.home_path),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    logs = settings.home_path / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with (logs / f"{name}.log").open("ab") as log:
        running[name] = subprocess.Popen(
            [sys.executable, "-m", *command], stdout=log, stderr=subprocess.STDOUT, env=environment
        )


@contextmanager
def _processes() -> Iterator[Running]:
    """Child processes to be; all that were started in the block, and theirs, are stopped when it ends."""
    running: Running = {}
    try:
        yield running
    finally:
        # runs too, which a code server would wait for
        family = [member for process in running.values() for member in _with_descendants(process)]
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.terminate()
        _, alive = psutil.wait_procs(family, GRACE_SECONDS)
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        for process in running.values():
            process.wait()


def _with_descendants(process: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    try:
        parent = psutil.Process(process.pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


@contextmanager
def _until_interrupted() -> Iterator[None]:
    """Ctrl-C and SIGTERM end the block, quietly; from before its children start, so that none is left behind."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    # also where the shell that started us in the background made us deaf to Ctrl-C
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    with suppress(KeyboardInterrupt):
        yield


def _require_all(running: Running) -> None:
    for name, process in running.items():
        if process.poll() is not None:
            raise RunFailedError(f"the {name} ended with code {process.returncode}: see its log")
