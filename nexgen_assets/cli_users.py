"""`nexgen users ...`: who may use the dashboard, each command a line over `commands/users.py`."""

from typing import Annotated

import typer
from rich.console import Console

from nexgen_assets.dashboard.roles import Role
from nexgen_assets.settings import load_settings

app = typer.Typer(no_args_is_help=True, help="Who may use the dashboard, and as what.")
console = Console()

Name = Annotated[str, typer.Argument(help="Name to log in with")]


@app.command()
def add(
    name: Name,
    role: Annotated[Role, typer.Option(help="viewer reads; each further role may do more")] = Role.VIEWER,
) -> None:
    """Add a user; asks for the password, or reads it from standard input if that is no terminal."""
    from nexgen_assets.commands.users import add

    add(load_settings(), name, role, console)


@app.command(name="list")
def list_users() -> None:
    """Show all users, their roles, and when they last logged in."""
    from nexgen_assets.commands.users import list_users

    list_users(load_settings(), console)


@app.command()
def disable(
    name: Name,
    undo: Annotated[bool, typer.Option("--undo", help="Let the user in again")] = False,
) -> None:
    """Keep a user out: their sessions and tokens end at once."""
    from nexgen_assets.commands.users import disable

    disable(load_settings(), name, console, is_disabled=not undo)


@app.command()
def role(name: Name, role: Annotated[Role, typer.Argument(help="The user's new role")]) -> None:
    """Give a user another role, at once."""
    from nexgen_assets.commands.users import set_role

    set_role(load_settings(), name, role, console)


@app.command()
def password(name: Name) -> None:
    """Give a user another password; their sessions end at once."""
    from nexgen_assets.commands.users import set_password

    set_password(load_settings(), name, console)


@app.command()
def token(
    name: Name,
    label: Annotated[str, typer.Option(help="What it is for")],
    role: Annotated[Role, typer.Option(help="No more than the user's own")] = Role.VIEWER,
    days: Annotated[int, typer.Option(min=1, max=366, help="Days until it expires")] = 90,
) -> None:
    """Make an API token for a program; it is shown this once."""
    from nexgen_assets.commands.users import make_token

    make_token(load_settings(), name, label, role, days, console)
