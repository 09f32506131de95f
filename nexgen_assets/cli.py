"""`nexgen ...`: the commands, each a few lines over the rooms that do the work."""

import logging
import os
import sys
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from nexgen_assets import cli_orders, cli_users
from nexgen_assets.settings import Settings, SettingsError, load_settings

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Retail sales in, purchase orders out.",
)
model_app = typer.Typer(no_args_is_help=True, help="The versions of the forecasting model.")
app.add_typer(model_app, name="model")
app.add_typer(cli_orders.app, name="orders")
app.add_typer(cli_users.app, name="users")
console = Console()


class Data(StrEnum):
    sample = "sample"
    complete_journey = "complete-journey"


class Kind(StrEnum):
    sales = "sales"
    inventory = "inventory"
    calendar = "calendar"
    products = "products"
    suppliers = "suppliers"
    item_locations = "item_locations"
    order_policies = "order_policies"
    network = "network"


@app.command()
def demo(
    data: Annotated[Data, typer.Option(help="An invented retailer, or real sales of a grocery chain")] = Data.sample,
    days: Annotated[int, typer.Option(min=150, help="Days of the invented retailer")] = 730,
    products: Annotated[int, typer.Option(min=2, help="Products of the invented retailer")] = 40,
    locations: Annotated[int, typer.Option(min=1, help="Locations of the invented retailer")] = 5,
) -> None:
    """Land sales, run the whole graph, and show what to order."""
    from nexgen_assets.commands.demo import SampleSize, run_demo

    run_demo(_settings_for(data), data.value, SampleSize(days, products, locations), console)


@app.command()
def land(
    files: Annotated[list[Path], typer.Argument(help="CSV files", exists=True, dir_okay=False)],
    kind: Annotated[Kind, typer.Option(help="What the files hold")] = Kind.sales,
) -> None:
    """Put files into the landing zone."""
    from nexgen_assets.landing_zone import LandingZone
    from nexgen_assets.resources.lake import open_lake

    settings = load_settings()
    zone = LandingZone(open_lake(settings), settings)
    for file in files:
        console.print(f"landed [bold]{zone.put(kind.value, file)}[/]")
    console.print("Next: [bold]nexgen run[/]")


@app.command()
def template(
    kind: Annotated[Kind, typer.Argument(metavar="NAME", help="sales, inventory, calendar, products, ...")],
    output: Annotated[Path | None, typer.Option(help="File to write; the screen if not told", dir_okay=False)] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if there is one")] = False,
) -> None:
    """Write an example of a landing file: its header and a few lines."""
    from nexgen_assets.commands.template import example_csv, write_example

    if output is None:
        typer.echo(example_csv(kind.value), nl=False)
        return
    try:
        write_example(kind.value, output, replace=force)
    except FileExistsError:
        raise typer.BadParameter(f"{output} is there already: name another file, or add --force") from None
    except OSError as error:
        raise typer.BadParameter(f"{output} cannot be written: {error.strerror}") from None
    # not wrapped: the second line is there to be copied
    console.print(f"wrote [bold]{escape(str(output))}[/]", soft_wrap=True)
    console.print(
        f"Next: fill it in, then [bold]nexgen land {escape(str(output))} --kind {kind.value}[/]", soft_wrap=True
    )


@app.command()
def run(
    start: Annotated[str | None, typer.Option(help="First day (YYYY-MM-DD); the first landed day if not told")] = None,
    end: Annotated[str | None, typer.Option(help="Last day (YYYY-MM-DD); the last landed day if not told")] = None,
) -> None:
    """Compute everything that has landed: sales, features, model, forecasts, orders."""
    from nexgen_assets.commands.pipeline import run_pipeline

    run_pipeline(load_settings(), console, _day(start, "--start"), _day(end, "--end"))


@app.command()
def upgrade(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what is outdated and which runs mend it")
    ] = False,
) -> None:
    """After an upgrade of the code: build anew what an older version left and this one cannot read."""
    from nexgen_assets.commands.upgrade import upgrade

    raise typer.Exit(0 if upgrade(load_settings(), console, dry_run=dry_run) else 1)


@app.command()
def up(
    port: Annotated[int, typer.Option(help="Port of dashboard, API and Dagster UI", min=1, max=65535)] = 3000,
    host: Annotated[
        str, typer.Option(help="Address to listen on; for others than this machine, behind a proxy with TLS")
    ] = "127.0.0.1",
) -> None:
    """Serve dashboard, API and Dagster UI behind one login, Dagster's daemon and (if none is configured) S3."""
    from nexgen_assets.commands.allocator import giving_back

    with giving_back():
        from nexgen_assets.commands.server import serve

    serve(load_settings(), host, port, console)


@app.command()
def dashboard(
    port: Annotated[int, typer.Option(help="Port of the dashboard and its API", min=1, max=65535)] = 8000,
) -> None:
    """Serve only the dashboard and its API, where Dagster runs elsewhere, until Ctrl-C."""
    from nexgen_assets.commands.allocator import giving_back

    with giving_back():
        from nexgen_assets.commands.dashboard import serve_dashboard

    serve_dashboard(load_settings(), port, console)


@app.command(name="what-if")
def what_if(
    service_level: Annotated[
        float | None, typer.Option(min=0.5, max=0.9991, help="Target of every line, in place of its own")
    ] = None,
    lead_time: Annotated[int, typer.Option(min=-90, max=90, help="Days by which every delivery takes longer")] = 0,
    demand: Annotated[float, typer.Option(min=0.01, max=100, help="Factor of all expected demand")] = 1.0,
    budget: Annotated[float | None, typer.Option(min=0, help="Money that the orders of the day may cost")] = None,
    out: Annotated[Path | None, typer.Option(help="CSV file of the orders as they would be", dir_okay=False)] = None,
) -> None:
    """Show what the newest orders would be under other assumptions; the plan stays as it is."""
    from nexgen_assets.commands.what_if import what_if
    from nexgen_assets.replenishment.what_if import Change

    what_if(load_settings(), Change(service_level, lead_time, demand, budget), out, console)


@app.command()
def backtest(  # noqa: PLR0917  (a command has as many options as it has)
    panel: Annotated[Path, typer.Argument(help="Parquet file: product_id, location, date, quantity", exists=True)],
    origins: Annotated[str, typer.Option(help="Last days of known sales: 2026-01-04,2026-02-01")],
    out: Annotated[Path, typer.Option(help="Parquet file of the forecasts", dir_okay=False)],
    horizon: Annotated[int, typer.Option(min=1, max=28, help="Days to forecast")] = 28,
    known: Annotated[str, typer.Option(help="Columns known ahead, separated by commas")] = "",
    static: Annotated[str, typer.Option(help="Columns that never change for a series, the main category first")] = "",
    stockout: Annotated[str | None, typer.Option(help="Column above 0 on days whose sales were cut short")] = None,
    intervals: Annotated[str, typer.Option(help="Lengths in days of summed demand: 7,14")] = "",
) -> None:
    """Forecast a panel of daily sales from past days, as the assets would have."""
    from nexgen_assets.commands.backtest import run_backtest
    from nexgen_assets.forecasting.backtest import BacktestError
    from nexgen_assets.forecasting.panel import PanelColumns, PanelError
    from nexgen_assets.forecasting.sampling import TrainingError

    columns = PanelColumns(_names(known), _names(static), stockout)
    days = [day for text in _names(origins) if (day := _day(text, "--origins"))]
    try:
        lengths = [int(text) for text in _names(intervals)]
    except ValueError:
        raise typer.BadParameter(f"{intervals!r} is not a list such as 7,14", param_hint="--intervals") from None
    try:
        run_backtest(panel, columns, days, horizon, lengths, out, load_settings(), console)
    except (PanelError, BacktestError, TrainingError) as error:
        raise typer.BadParameter(str(error)) from None


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


@model_app.command(name="list")
def list_models() -> None:
    """Show every model version: its recipe, its scores, whether it serves, and why."""
    from nexgen_assets.commands.model import list_models

    list_models(load_settings(), console)


@model_app.command()
def rollback(
    version: Annotated[
        str | None, typer.Argument(help="Version to take out of service; the champion if not told")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, for the history")] = "not told",
) -> None:
    """Take a model version out of service for good; the champion before it serves again."""
    from nexgen_assets.commands.model import roll_back

    roll_back(load_settings(), version, reason, console)


@app.command()
def doctor() -> None:
    """Check settings, S3, engines, Dagster, lake and database of decisions; say what to do about each failure."""
    from nexgen_assets.commands.doctor import examine

    raise typer.Exit(0 if examine(console) else 1)


def _settings_for(data: Data) -> Settings:
    """Each demo is a deployment of its own, so that two sets of sales never mix."""
    if data is Data.complete_journey:
        os.environ.setdefault("NEXGEN_DEPLOYMENT", "complete-journey")
    return load_settings()


def _day(text: str | None, option: str) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a date such as 2026-03-01", param_hint=option) from None


def main() -> None:
    """Entry point: known errors are one line for a person, everything else is a traceback for a developer."""
    from nexgen_assets.dashboard.users import UserError
    from nexgen_assets.decisions.database import DatabaseError
    from nexgen_assets.decisions.exports import DeliveryError
    from nexgen_assets.decisions.rules import DecisionError
    from nexgen_assets.io_managers.evolution import OutdatedTableError
    from nexgen_assets.launcher import RunFailedError
    from nexgen_assets.resources.embedded_s3 import EmbeddedS3Error
    from nexgen_assets.resources.lake import LakeError
    from nexgen_assets.resources.registry import RegistryError
    from nexgen_assets.resources.spark_engine import SparkEngineError
    from nexgen_assets.sample_data import SampleDataError

    known = (
        *(SettingsError, LakeError, SparkEngineError, EmbeddedS3Error, SampleDataError),
        *(RunFailedError, OutdatedTableError, RegistryError),
        *(DatabaseError, DecisionError, DeliveryError, UserError),
    )
    logging.getLogger("dagster").setLevel(logging.WARNING)
    try:
        app()
    except known as error:
        Console(stderr=True).print(f"[red]nexgen:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(1)
