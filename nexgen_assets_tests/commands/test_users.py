"""`nexgen users`: from nobody to a user who can log in, and out again."""

from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from nexgen_assets.cli import app
from nexgen_assets.commands.demo import say_how_to_log_in
from nexgen_assets.dashboard.tokens import Tokens
from nexgen_assets.dashboard.users import UserError, Users
from nexgen_assets.decisions.database import DecisionDatabase
from nexgen_assets.resources.decisions import open_book
from nexgen_assets.settings import load_settings

Nexgen = Callable[..., str]
PASSWORD = "correct horse battery"


@pytest.fixture
def nexgen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Nexgen:
    """Runs `nexgen users ...` with a password piped in, and returns what it prints; raises what it raises."""
    monkeypatch.setenv("NEXGEN_HOME", str(tmp_path))

    def run(*arguments: str, password: str | None = PASSWORD) -> str:
        result = CliRunner().invoke(app, ["users", *arguments], input=f"{password}\n" if password else None)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.output

    return run


@pytest.fixture
def database(nexgen: Nexgen) -> DecisionDatabase:  # noqa: ARG001  # which sets the home folder
    return open_book(load_settings()).database


def test_a_user_who_was_added_can_log_in(nexgen: Nexgen, database: DecisionDatabase) -> None:
    printed = nexgen("add", "anna", "--role", "approver")

    assert PASSWORD not in printed
    user = Users(database).with_password("anna", PASSWORD)
    assert user
    assert user.role == "approver"


def test_the_list_shows_roles_and_who_is_disabled(nexgen: Nexgen) -> None:
    assert "no users yet" in nexgen("list")
    nexgen("add", "anna", "--role", "planner")
    nexgen("add", "bert")
    nexgen("disable", "bert")
    nexgen("role", "anna", "store")

    rows = [line.split() for line in nexgen("list").splitlines()]
    assert ["anna", "store", "never"] in rows
    assert ["bert", "viewer", "disabled", "never"] in rows


def test_disabling_can_be_undone(nexgen: Nexgen, database: DecisionDatabase) -> None:
    nexgen("add", "anna")
    nexgen("disable", "anna")
    assert Users(database).with_password("anna", PASSWORD) is None

    nexgen("disable", "anna", "--undo")
    assert Users(database).with_password("anna", PASSWORD)


def test_a_new_password_replaces_the_old_one(nexgen: Nexgen, database: DecisionDatabase) -> None:
    nexgen("add", "anna")

    nexgen("password", "anna", password="another good password")

    assert Users(database).with_password("anna", PASSWORD) is None
    assert Users(database).with_password("anna", "another good password")


def test_the_token_that_is_printed_is_one(nexgen: Nexgen, database: DecisionDatabase) -> None:
    nexgen("add", "anna", "--role", "planner")

    token = nexgen("token", "anna", "--label", "nightly", "--role", "viewer").splitlines()[-1]

    bearer = Tokens(database).bearer(token)
    assert bearer
    assert (bearer.name, bearer.role) == ("anna", "viewer")


@pytest.mark.parametrize(
    ("arguments", "password", "why"),
    [
        (("add", "anna"), "too short", "12 to 1024 characters"),
        (("add", "anna"), None, "no password was told"),
        (("disable", "nobody"), None, "no user nobody"),
        (("token", "nobody", "--label", "x"), None, "no user nobody"),
    ],
)
def test_what_cannot_be_done_is_said(
    nexgen: Nexgen, arguments: tuple[str, ...], password: str | None, why: str
) -> None:
    with pytest.raises(UserError, match=why):
        nexgen(*arguments, password=password)


def test_the_demo_makes_no_user_where_there_is_somebody(nexgen: Nexgen, database: DecisionDatabase) -> None:
    nexgen("add", "anna", "--role", "admin")
    console = Console()
    with console.capture() as told:
        say_how_to_log_in(Users(database), console)

    assert told.get() == ""
    assert [user.name for user in Users(database).all()] == ["anna"]
