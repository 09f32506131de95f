"""Databases of decisions: SQLite in a file, and a real PostgreSQL server of the tests' own."""

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa

from nexgen_assets.decisions.book import DecisionBook
from nexgen_assets.decisions.database import DecisionDatabase

OWNER = ("shop", "tests")


def postgres_programs() -> Path | None:
    """The folder of PostgreSQL's programs, the newest on this machine."""
    on_path = shutil.which("initdb")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    return Path(on_path).parent if on_path else next(reversed(found), None)


@pytest.fixture(scope="session")
def postgres() -> Iterator[sa.URL]:
    """A PostgreSQL server on a free port of loopback."""
    programs = postgres_programs()
    if programs is None:
        if os.environ.get("CI"):
            pytest.fail("PostgreSQL is missing")
        pytest.skip("PostgreSQL is not installed")
    # not below pytest's own folders: only their owner may enter them
    with TemporaryDirectory(prefix="nexgen-postgres-") as folder:
        yield from served(programs, Path(folder))


def served(programs: Path, folder: Path) -> Iterator[sa.URL]:
    """The address of a server whose data is below `folder`, until it is no longer asked for."""
    user, data = run_as(folder), folder / "data"
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", "nexgen", "--auth=trust", "--no-sync"],
        check=True,
        stdout=subprocess.DEVNULL,
        **user,
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = f"-h 127.0.0.1 -p {port} -k {folder} -F"
    control = [programs / "pg_ctl", "-D", data, "-s", "-w", "-t", "180", "-l", folder / "log"]
    subprocess.run([*control, "-o", options, "start"], check=True, **user)
    yield sa.URL.create("postgresql", "nexgen", "secret", "127.0.0.1", port, "postgres")
    subprocess.run([*control, "-m", "immediate", "stop"], check=True, **user)


def run_as(folder: Path) -> dict[str, str]:
    """How a program is started that refuses to run as root: as the user `postgres`, who gets the folder."""
    if os.geteuid():
        return {}
    owner = pwd.getpwnam("postgres")
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    return {"user": "postgres", "cwd": str(folder)}


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> sa.URL:
    """An empty database of its own, of each kind."""
    if request.param == "sqlite":
        return sa.URL.create("sqlite", database=str(tmp_path / "decisions.db"))
    server: sa.URL = request.getfixturevalue("postgres")
    name = f"test_{uuid4().hex}"
    address = server.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # pyright: ignore[reportArgumentType]
    return server.set(database=name)


@pytest.fixture
def database(url: sa.URL) -> DecisionDatabase:
    return DecisionDatabase(url, *OWNER)


@pytest.fixture
def book(database: DecisionDatabase) -> DecisionBook:
    return DecisionBook(database)


@pytest.fixture
def connect(url: sa.URL, database: DecisionDatabase) -> Iterator[Callable[[], sa.Connection]]:  # noqa: ARG001
    """Plain connections to that database, for what goes behind the book's back."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    yield engine.connect
    engine.dispose()
