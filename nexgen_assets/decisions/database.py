"""The database of decisions: reaching it, bringing it up to date, and whose it is.

What belongs here: URLs, connections and migrations of SQLite and PostgreSQL. What does not: what is kept there
(`schema.py`, `book.py`).
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from nexgen_assets.decisions.schema import Owner

VERSION_TABLE = "nexgen_decisions_version"
MIGRATIONS = Path(__file__).with_name("migrations")
LOCK_SECONDS = 30
_MIGRATION_LOCK = 7_326_394  # PostgreSQL's advisory locks are numbers: any, but always the same
_DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


class DatabaseError(RuntimeError):
    """The database of decisions cannot be used; the message says which, without its password, and what to do."""


class DecisionDatabase:
    """A database that is up to date and belongs to one deployment. Holds no connection between two uses."""

    def __init__(self, url: str | sa.URL, deployment: str, deployment_id: str) -> None:
        """Creates and migrates what is missing. Raises DatabaseError if it cannot be used, or is somebody else's."""
        self._engine = _engine(url)
        with self._connected() as connection:
            _lock_migrations(connection)
            _migrate(connection, self.name)
            with Session(connection) as session:
                _claim(session, self.name, deployment, deployment_id)
                session.commit()
            connection.commit()

    @property
    def name(self) -> str:
        """The URL without its password."""
        return self._engine.url.render_as_string(hide_password=True)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """One transaction: all of it is kept, or nothing if it ends in an error."""
        with self._connected() as connection, Session(connection, expire_on_commit=False) as session:
            yield session
            session.commit()
            connection.commit()

    @contextmanager
    def _connected(self) -> Iterator[sa.Connection]:
        with ExitStack() as opened:
            try:
                connection = opened.enter_context(self._engine.connect())
                connection.begin()
            except OperationalError as error:
                raise DatabaseError(
                    f"the database of decisions {self.name} cannot be used: {_first_line(error)}. "
                    "Check NEXGEN_DATABASE_URL and that the database runs"
                ) from None
            yield connection


def _first_line(error: OperationalError) -> str:
    """What the driver says, without its guesses on further lines."""
    return str(error.orig).strip().partition("\n")[0]


def _engine(text: str | sa.URL) -> sa.Engine:
    url = _url(text)
    if url.get_backend_name() == "postgresql":
        return sa.create_engine(url, poolclass=NullPool)
    Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(url, poolclass=NullPool, connect_args={"timeout": LOCK_SECONDS})
    event.listen(engine, "connect", _prepare_sqlite)
    # the writer's lock from the start: a reader that turns writer would fail at once if another had written meanwhile
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def _url(text: str | sa.URL) -> sa.URL:
    try:
        url = sa.make_url(text)
        url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
        url.get_dialect()
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError):
        url = None
    if url is None or url.get_backend_name() not in ("sqlite", "postgresql"):
        raise DatabaseError(
            "NEXGEN_DATABASE_URL must look like postgresql://user:password@host:5432/name or sqlite:////folder/file.db"
        )
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise DatabaseError("NEXGEN_DATABASE_URL names no file: decisions in memory would be lost")
    try:
        url.get_dialect().import_dbapi()
    except ModuleNotFoundError:
        raise DatabaseError(
            "PostgreSQL needs a driver: uv sync --extra postgres, or pip install psycopg[binary]"
        ) from None
    return url


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # SQLAlchemy begins transactions, not Python's driver
    connection.execute("PRAGMA foreign_keys = ON")


def _lock_migrations(connection: sa.Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))


def _migrate(connection: sa.Connection, name: str) -> None:
    from alembic import command
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = alembic_config()
    config.attributes["connection"] = connection
    found = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise DatabaseError(
            f"the database of decisions {name} was made by a newer NexGen (its version is {found}): update NexGen"
        )
    command.upgrade(config, "head")


def alembic_config() -> Any:
    """Alembic's configuration: where the migrations are."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def _claim(session: Session, name: str, deployment: str, deployment_id: str) -> None:
    """Decisions of two deployments must not mix: one would order what the other decided."""
    owner = session.scalar(sa.select(Owner))
    if owner is None:
        session.add(Owner(deployment=deployment, deployment_id=deployment_id))
    elif (owner.deployment, owner.deployment_id) != (deployment, deployment_id):
        raise DatabaseError(
            f"the database {name} holds the decisions of the deployment {owner.deployment!r} "
            f"(NEXGEN_DEPLOYMENT_ID {owner.deployment_id}), not of {deployment!r}: set NEXGEN_DATABASE_URL to another "
            "database, or NEXGEN_DEPLOYMENT_ID if this is the same deployment on another machine"
        )
