"""`nexgen orders ...`: the commands of planners, each a line over `commands/orders.py`."""

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from nexgen_assets.settings import load_settings

app = typer.Typer(no_args_is_help=True, help="What to order: look, decide, approve, hand over.")
console = Console()

Product = Annotated[str | None, typer.Option("--product", help="Only this product")]
Location = Annotated[str | None, typer.Option("--location", help="Only this location")]
Supplier = Annotated[str | None, typer.Option("--supplier", help="Only this supplier")]
Everything = Annotated[bool, typer.Option("--all", help="All of them")]
Reason = Annotated[str | None, typer.Option("--reason", help="Why, for the history")]
User = Annotated[str | None, typer.Option("--user", help="Who decides; your login if not told")]
Day = Annotated[datetime | None, typer.Option("--day", formats=["%Y-%m-%d"], help="Day at whose close it was proposed")]
Last = Annotated[int, typer.Option("--last", min=1, help="How many, the newest")]


@app.command(name="list")
def list_orders(  # noqa: PLR0917  (a command has as many options as it has)
    product: Product = None,
    location: Location = None,
    supplier: Supplier = None,
    state: Annotated[
        str | None, typer.Option(help="Only lines that stand so, such as proposed, blocked or 'review again'")
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="Most lines to show; 0 for all")] = 50,
    no_need: Annotated[bool, typer.Option("--no-need", help="Also lines that need no order")] = False,
    with_exceptions: Annotated[bool, typer.Option("--exceptions", help="Also what is unusual about each line")] = False,
) -> None:
    """Show what is proposed or blocked and how each line stands, the most money at risk first."""
    from nexgen_assets.commands.orders import Choice, list_orders

    choice = Choice(product, location, supplier)
    list_orders(load_settings(), choice, state, limit, console, with_no_need=no_need, with_exceptions=with_exceptions)


@app.command()
def exceptions(
    kind: Annotated[str | None, typer.Option(help="Only this kind, such as stocked_out")] = None,
    product: Product = None,
    location: Location = None,
    supplier: Supplier = None,
    limit: Annotated[int, typer.Option(min=0, help="Most exceptions to show; 0 for all")] = 50,
) -> None:
    """Show what somebody should look at: number, threshold, money at risk, what to do; most money first."""
    from nexgen_assets.commands.orders import Choice, list_exceptions

    list_exceptions(load_settings(), Choice(product, location, supplier), kind, limit, console)


@app.command()
def accept(  # noqa: PLR0917  (a command has as many options as it has)
    product: Product = None,
    location: Location = None,
    supplier: Supplier = None,
    every: Everything = False,
    reason: Reason = None,
    user: User = None,
) -> None:
    """Accept proposals as they are."""
    from nexgen_assets.commands.orders import Choice, accept

    accept(load_settings(), Choice(product, location, supplier, every), _user(user), reason, console)


@app.command()
def change(  # noqa: PLR0917
    product: Annotated[str, typer.Argument(help="Product")],
    location: Annotated[str, typer.Argument(help="Location")],
    units: Annotated[str, typer.Argument(help="Units to order; 0 for none")],
    reason: Annotated[str, typer.Option("--reason", help="Why: it stands in the history")],
    override: Annotated[bool, typer.Option("--override", help="Break packs or the smallest order")] = False,
    user: User = None,
) -> None:
    """Order other units than proposed, and say why."""
    from nexgen_assets.commands.orders import change

    change(load_settings(), product, location, units, _user(user), reason, console, is_override=override)


@app.command()
def approve(  # noqa: PLR0917
    product: Product = None,
    location: Location = None,
    supplier: Supplier = None,
    every: Everything = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False,
    user: User = None,
) -> None:
    """Make accepted and changed orders firm: they count as on order from their order date on."""
    from nexgen_assets.commands.orders import Choice, approve

    approve(load_settings(), Choice(product, location, supplier, every), _user(user), console, is_confirmed=yes)


@app.command()
def cancel(
    product: Annotated[str, typer.Argument(help="Product")],
    location: Annotated[str, typer.Argument(help="Location")],
    reason: Annotated[str, typer.Option("--reason", help="Why: it stands in the history")],
    day: Day = None,
    user: User = None,
) -> None:
    """Cancel an approved or exported order, of the newest day if none is told."""
    from nexgen_assets.commands.orders import cancel

    cancel(load_settings(), product, location, _date(day), _user(user), reason, console)


@app.command()
def export(
    to: Annotated[Path | None, typer.Option("--to", help="Folder; the lake if not told", file_okay=False)] = None,
    supplier: Supplier = None,
    again: Annotated[
        str | None, typer.Option("--again", help="Export once more, as a copy, what that export held")
    ] = None,
    reason: Reason = None,
    user: User = None,
) -> None:
    """Write approved orders as a CSV file per supplier and one JSON file, each order once."""
    from nexgen_assets.commands.orders import export

    export(load_settings(), to, supplier, again, _user(user), reason, console)


@app.command()
def exports(last: Last = 20) -> None:
    """Show what was exported: when, by whom, where its files are."""
    from nexgen_assets.commands.orders import list_exports

    list_exports(load_settings(), last, console)


@app.command()
def history(product: Product = None, location: Location = None, day: Day = None, last: Last = 100) -> None:
    """Show who decided what, when and why."""
    from nexgen_assets.commands.orders import history

    history(load_settings(), product, location, _date(day), last, console)


def _user(told: str | None) -> str:
    import getpass

    if told:
        return told
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise typer.BadParameter("your login has no name: say who decides", param_hint="--user") from None


def _date(day: datetime | None) -> date | None:
    return None if day is None else day.date()
