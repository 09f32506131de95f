"""`nexgen up` as a person starts it, and people who log in to it.

What belongs here: starting it and asking it over HTTP. What does not: tests.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2 as httpx
import psutil

from nexgen_assets.dashboard.roles import Role
from nexgen_assets.dashboard.sessions import Sessions, session_key
from nexgen_assets.dashboard.users import Users
from nexgen_assets.dashboard.wall import COOKIE
from nexgen_assets.resources.decisions import open_book
from nexgen_assets.settings import Settings
from nexgen_assets_tests.dashboard.conftest import PASSWORD

START_SECONDS = 120
Up = subprocess.Popen[str]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(home: Path, port: int, **variables: str) -> Up:
    """In an environment that names nothing but what is told."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "NEXGEN_", "SPARK_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "nexgen_assets", "up", "--port", str(port)],
        env={**kept, "NEXGEN_HOME": str(home), "COLUMNS": "150", **variables},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # a process group of its own, like a terminal's foreground job
    )


def descendants(process: Up) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def address(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def wait_until_it_serves(process: Up, port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[0]
        try:
            # a browser would wait, too: the port is taken before anybody answers
            if httpx.get(f"{address(port)}/api/health", timeout=30).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError(f"nexgen up did not answer within {START_SECONDS} s")


def add_user(settings: Settings, role: Role) -> None:
    """A user of that role, who bears its name."""
    Users(open_book(settings).database).add(role.value, role, PASSWORD, "tests")


@contextmanager
def browser(port: int, settings: Settings | None = None, name: str = "") -> Iterator[httpx.Client]:
    """Sends what a browser would; in a session of that user, if one is told."""
    with httpx.Client(base_url=address(port), headers={"Origin": address(port)}, timeout=60) as client:
        if settings is not None:
            database = open_book(settings).database
            user = Users(database).find(name)
            assert user, f"there is no user {name}"
            sessions = Sessions(database, session_key(settings.home_path / "dashboard"))
            client.cookies.set(COOKIE, sessions.start(user))
        yield client
