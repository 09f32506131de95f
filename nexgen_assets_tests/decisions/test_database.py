"""The database of decisions: made at first use, one owner, never older than the code, and only ever added to."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

import nexgen_assets.dashboard.accounts
import nexgen_assets.dashboard.uploads.records  # noqa: F401  # their tables stand in the same database
from nexgen_assets.decisions.book import DecisionBook
from nexgen_assets.decisions.database import VERSION_TABLE, DatabaseError, DecisionDatabase, alembic_config
from nexgen_assets.decisions.rules import Action
from nexgen_assets.decisions.schema import Base
from nexgen_assets.resources.decisions import open_book
from nexgen_assets.resources.lake import LakeResource
from nexgen_assets.settings import Settings, SettingsError, load_settings
from nexgen_assets_tests.decisions.conftest import OWNER
from nexgen_assets_tests.decisions.proposals import MILK, approve, decide

Connect = Callable[[], sa.Connection]
SECRET = "hunter2"


def test_the_migrations_make_the_tables_of_the_schema(connect: Connect) -> None:
    with connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": is_ours, "compare_type": False})
        differences = compare_metadata(context, Base.metadata)

    assert differences == []


def is_ours(thing: object, name: str | None, *_: object) -> bool:
    return name != VERSION_TABLE and not getattr(thing, "info", {}).get("is_view")


def test_the_view_has_the_columns_of_a_decision(connect: Connect) -> None:
    with connect() as connection:
        found = {column["name"] for column in sa.inspect(connection).get_columns("order_decisions")}

    assert found == set(Base.metadata.tables["order_decisions"].columns.keys())


def test_a_database_opened_again_keeps_its_decisions(url: sa.URL, book: DecisionBook) -> None:
    approve(book, MILK)

    again = DecisionBook(DecisionDatabase(url, *OWNER))

    assert again.decisions([MILK.day])[MILK].state == "approved"


def test_several_processes_may_make_the_database_at_once(url: sa.URL) -> None:
    failed: list[BaseException] = []

    def open_it() -> None:
        try:
            DecisionDatabase(url, *OWNER)
        except BaseException as error:  # noqa: BLE001
            failed.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []


def test_a_database_of_a_newer_version_is_refused(url: sa.URL, connect: Connect) -> None:
    with connect() as connection:
        connection.execute(sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
        connection.commit()

    with pytest.raises(DatabaseError, match=r"made by a newer NexGen \(its version is 9999\): update NexGen"):
        DecisionDatabase(url, *OWNER)


@pytest.mark.parametrize("owner", [("shop", "somebody else"), ("another shop", "tests")])
def test_decisions_of_another_deployment_are_refused(
    url: sa.URL, database: DecisionDatabase, owner: tuple[str, str]
) -> None:
    assert database.name
    with pytest.raises(DatabaseError, match="holds the decisions of the deployment 'shop'"):
        DecisionDatabase(url, *owner)


@pytest.mark.parametrize("table", ["order_events", "decided_rows"])
@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET location = 'elsewhere'"])
def test_the_database_itself_refuses_to_change_history(
    book: DecisionBook, connect: Connect, table: str, change: str
) -> None:
    decide(book, Action.ACCEPT, MILK)

    with connect() as connection, pytest.raises(sa.exc.DBAPIError, match=f"{table} is only ever added to"):
        connection.execute(sa.text(change.format(table)))


@pytest.mark.parametrize(
    "wrong",
    [
        "mysql://u:hunter2@host/db",
        "nonsense hunter2",
        "sqlite://",
        "sqlite:///:memory:",
        "postgresql+none://u:hunter2@h/d",
    ],
)
def test_a_url_that_cannot_be_used_is_explained_without_its_password(wrong: str) -> None:
    with pytest.raises(DatabaseError, match="NEXGEN_DATABASE_URL") as refusal:
        DecisionDatabase(wrong, *OWNER)

    assert SECRET not in str(refusal.value)


def test_a_server_that_does_not_answer_is_named_without_its_password() -> None:
    with pytest.raises(DatabaseError, match=r"postgresql\+psycopg://u:\*\*\*@127.0.0.1:9/db cannot be used") as refusal:
        DecisionDatabase(f"postgresql://u:{SECRET}@127.0.0.1:9/db", *OWNER)

    assert SECRET not in str(refusal.value)


def test_the_password_is_in_no_setting_that_is_shown_or_handed_around(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXGEN_DATABASE_URL", f"postgresql://u:{SECRET}@host/db")
    settings = load_settings()

    shown = [repr(settings), settings.model_dump_json(), str(LakeResource.from_settings(settings))]

    assert settings.database_url is not None
    assert settings.database_url.get_secret_value().count(SECRET) == 1
    assert [text for text in shown if SECRET in text] == []


def test_a_url_that_is_no_text_is_not_shown() -> None:
    with pytest.raises(SettingsError) as error:
        load_settings(database_url=["postgresql", SECRET])

    assert "NEXGEN_DATABASE_URL" in str(error.value)
    assert SECRET not in str(error.value)


def test_without_a_url_decisions_stand_in_the_home_folder(tmp_path: Path) -> None:
    book = open_book(Settings(home=tmp_path / "a folder, with 100 %", deployment="shop", deployment_id="tests"))

    assert (tmp_path / "a folder, with 100 %" / "decisions" / "shop.db").exists()
    assert book.decisions([MILK.day]) == {}


@pytest.mark.parametrize("dialect", ["postgresql", "sqlite"])
def test_the_migrations_can_be_printed_as_sql(dialect: str, capsys: pytest.CaptureFixture[str]) -> None:
    config = alembic_config()
    config.attributes["dialect"] = dialect
    command.upgrade(config, "head", sql=True)

    assert "CREATE VIEW order_decisions" in capsys.readouterr().out
