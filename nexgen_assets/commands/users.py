"""`nexgen users`: asking for passwords, and printing.

What belongs here: the conversation. What does not: what may be done to users (`dashboard/users.py`).
"""

import getpass
import sys

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from nexgen_assets.dashboard.roles import Role
from nexgen_assets.dashboard.tokens import Tokens
from nexgen_assets.dashboard.users import UserError, Users
from nexgen_assets.resources.decisions import open_book
from nexgen_assets.settings import Settings


def add(settings: Settings, name: str, role: Role, console: Console) -> None:
    """Raises UserError with what to do."""
    users = _users(settings)
    users.add(name, role, _asked_password(), _by())
    console.print(f"[bold]{escape(name)}[/] may log in as {role}. Next: [bold]nexgen up[/]", highlight=False)


def list_users(settings: Settings, console: Console) -> None:
    """By name."""
    found = _users(settings).all()
    if not found:
        console.print("There are no users yet: [bold]nexgen users add NAME --role admin[/]")
        return
    grid = Grid(box=None)
    for name in ("name", "role", "state", "last login (UTC)"):
        grid.add_column(name, overflow="fold")
    for user in found:
        last = f"{user.last_login_at:%Y-%m-%d %H:%M}" if user.last_login_at else "never"
        grid.add_row(escape(user.name), user.role, "disabled" if user.is_disabled else "", last)
    console.print(grid)


def disable(settings: Settings, name: str, console: Console, *, is_disabled: bool) -> None:
    """Raises UserError with what to do."""
    _users(settings).set_disabled(name, _by(), is_disabled=is_disabled)
    what = "disabled: sessions and tokens have ended" if is_disabled else "may log in again"
    console.print(f"[bold]{escape(name)}[/] {what}.", highlight=False)


def set_role(settings: Settings, name: str, role: Role, console: Console) -> None:
    """Raises UserError with what to do."""
    _users(settings).set_role(name, role, _by())
    console.print(f"[bold]{escape(name)}[/] is {role} now.", highlight=False)


def set_password(settings: Settings, name: str, console: Console) -> None:
    """Raises UserError with what to do."""
    _users(settings).set_password(name, _asked_password(), _by())
    console.print(f"[bold]{escape(name)}[/] has another password: sessions have ended.", highlight=False)


def make_token(  # noqa: PLR0917
    settings: Settings, name: str, label: str, role: Role, days: int, console: Console
) -> None:
    """Raises UserError with what to do."""
    token, made = Tokens(open_book(settings).database).make(name, label, role, days, _by())
    console.print(f"Token of {escape(name)} as {role}, until {made.expires_at:%Y-%m-%d %H:%M} UTC.", highlight=False)
    console.print("Send it as `Authorization: Bearer ...`; it is shown this once:", highlight=False)
    typer.echo(token)


def _users(settings: Settings) -> Users:
    return Users(open_book(settings).database)


def _by() -> str:
    """Who stands in the audit log: whoever sits at this machine."""
    try:
        return f"{getpass.getuser()} (command line)"
    except (KeyError, OSError):
        return "command line"


def _asked_password() -> str:
    """Twice from a terminal, or one line from a pipe; never from an argument, which everybody on the machine sees."""
    if sys.stdin.isatty():
        return typer.prompt("Password (12 characters or more)", hide_input=True, confirmation_prompt=True)
    told = sys.stdin.readline().rstrip("\r\n")
    if not told:
        raise UserError("no password was told: type it at a terminal, or pipe one line into the command")
    return told
