"""`nexgen up`: S3 (if embedded), the front door, a code server and Dagster's daemon, under one Ctrl-C.

What belongs here: which processes there are, in which order they start, and what is printed. The front door is this
process; it and the daemon ask one code server for the graph, so that nothing loads it twice. What does not: what the
front door serves (`dashboard/app.py`).
"""

import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from dagster._grpc.client import DagsterGrpcClient
from rich.console import Console
from rich.markup import escape

from nexgen_assets.commands.children import Children, children
from nexgen_assets.commands.listening import bound_socket, server_of
from nexgen_assets.commands.upgrade import print_problems
from nexgen_assets.launcher import RunFailedError, fail_dead_runs, open_instance
from nexgen_assets.resources.lake import S3Access, open_lake
from nexgen_assets.resources.registry import RegistryError
from nexgen_assets.settings import Settings
from nexgen_assets.upgrade import leftovers

if TYPE_CHECKING:
    from nexgen_assets.dashboard.users import Users

LOADING_SECONDS = 180
LOOPBACK = ("127.0.0.1", "::1", "localhost")
CODE_LOCATION = "nexgen"  # as in workspace.yaml, so that both find the same runs and sensors
SOCKET = "code.sock"
GRAPH = "nexgen_assets.definitions"


def serve(settings: Settings, host: str, port: int, console: Console) -> None:
    """Serve until Ctrl-C or SIGTERM; if one process ends by itself, the others are stopped and it is an error."""
    with bound_socket(host, port, "nexgen up --port") as listening:
        access = open_lake(settings)
        instance = open_instance(settings)
        fail_dead_runs(instance)
        with _until_interrupted(), _folder() as folder, children(settings) as started:
            with console.status("Loading the graph"):
                workspace = _start_code_server(folder, started)
                # while it loads
                from nexgen_assets.dashboard.app import create_app
                from nexgen_assets.dashboard.dagster_ui import dagster_ui
                from nexgen_assets.dashboard.door import FrontDoor
                from nexgen_assets.dashboard.read_ahead import reading_ahead

                door = FrontDoor.of(settings, instance)
                _say_what_is_missing(access, door.users, console)
                _wait_for_code_server(folder, started)
            started.start("daemon", ["dagster._daemon", "run", "-w", str(workspace)])
            with dagster_ui(instance, workspace, door.audit) as ui, reading_ahead(door):
                server = server_of(create_app(settings, door, dagster=ui), settings, started.is_complete)
                _say_where_things_are(settings, access, settings.public_url or _address(host, port), console)
                _say_who_listens(settings, host, console)
                server.run([listening])
            started.require_all()


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


@contextmanager
def _folder() -> Iterator[Path]:
    """Of this user alone, as whoever reaches the code server can run code; its path is short enough for a socket's."""
    with tempfile.TemporaryDirectory(prefix="nexgen-") as made:
        yield Path(made)


def _start_code_server(folder: Path, started: Children) -> Path:
    """Returns the workspace file that names it."""
    socket, workspace = folder / SOCKET, folder / "workspace.yaml"
    # of Dagster's two kinds of code server, the one that can load its code anew
    command = ["dagster", "code-server", "start", "--socket", str(socket), "--module-name", GRAPH]
    options = ["--location-name", CODE_LOCATION, "--use-python-environment-entry-point"]
    started.start("code-server", [*command, *options])
    workspace.write_text(f"load_from:\n  - grpc_server: {{socket: {socket}, location_name: {CODE_LOCATION}}}\n")
    return workspace


def _wait_for_code_server(folder: Path, started: Children) -> None:
    """Until it has loaded the graph."""
    client, deadline = DagsterGrpcClient(socket=str(folder / SOCKET)), time.monotonic() + LOADING_SECONDS
    while not _answers(client):
        started.require_all()
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


@contextmanager
def _until_interrupted() -> Iterator[None]:
    """Ctrl-C and SIGTERM end the block, quietly; from before its children start, so that none is left behind."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # impatience would leave children behind
        raise KeyboardInterrupt

    # also where the shell that started us in the background made us deaf to Ctrl-C
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    with suppress(KeyboardInterrupt):
        yield
