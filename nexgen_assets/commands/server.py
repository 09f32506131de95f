"""`nexgen up`: S3 (if embedded), the Dagster webserver and its daemon, under one Ctrl-C."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from rich.console import Console
from rich.markup import escape

from nexgen_assets.commands.upgrade import print_problems
from nexgen_assets.launcher import RunFailedError, fail_dead_runs, open_instance, shipped_file
from nexgen_assets.resources.lake import S3Access, open_lake
from nexgen_assets.resources.registry import RegistryError
from nexgen_assets.settings import Settings
from nexgen_assets.upgrade import leftovers

GRACE_SECONDS = 15


def serve(settings: Settings, host: str, port: int, console: Console) -> None:
    """Serve until Ctrl-C or SIGTERM; if one process ends by itself, the others are stopped and it is an error."""
    require_free(host, port, "nexgen up --port")
    access = open_lake(settings)
    with open_instance(settings) as instance:
        fail_dead_runs(instance)
    workspace = str(shipped_file("workspace.yaml"))
    commands = {
        "webserver": ["dagster_webserver", "-w", workspace, "-h", host, "-p", str(port)],
        "daemon": ["dagster._daemon", "run", "-w", workspace],
    }
    with _until_interrupted(), _processes(settings, commands) as running:
        console.print(f"Dagster UI  [bold]http://{host}:{port}[/]   (Ctrl-C stops everything)")
        console.print(f"Lake        {access.root} at {access.endpoint or 'AWS'}")
        console.print(f"Logs        {settings.home_path / 'logs'}")
        _say_what_is_outdated(access, console)
        _wait(running)


def _say_what_is_outdated(access: S3Access, console: Console) -> None:
    try:
        print_problems(leftovers(access), console)
    except RegistryError as error:
        # the UI is where one looks into it
        console.print(f"[yellow]{escape(str(error))}[/]", highlight=False, soft_wrap=True)


def require_free(host: str, port: int, instead: str) -> None:
    """Raises RunFailedError if something listens there already; `instead` is how to choose another port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise RunFailedError(f"cannot listen on {host}:{port} ({error.strerror}): try `{instead}`") from None


@contextmanager
def _processes(settings: Settings, commands: dict[str, list[str]]) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """The commands as child processes, each with its log; all are stopped when the block ends."""
    logs = settings.home_path / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "NEXGEN_HOME": str(settings.home_path),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    running: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, command in commands.items():
            with (logs / f"{name}.log").open("ab") as log:
                running[name] = subprocess.Popen(
                    [sys.executable, "-m", *command], stdout=log, stderr=subprocess.STDOUT, env=environment
                )
        yield running
    finally:
        for process in running.values():
            process.terminate()
        deadline = time.monotonic() + GRACE_SECONDS
        for process in running.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


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


def _wait(running: dict[str, subprocess.Popen[bytes]]) -> None:
    while True:
        for name, process in running.items():
            if process.poll() is not None:
                raise RunFailedError(f"the {name} ended with code {process.returncode}: see its log")
        time.sleep(0.5)
