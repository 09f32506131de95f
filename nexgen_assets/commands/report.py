"""The summary a person reads after a run: lines, model, urgent orders, times, and what to type next."""

import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.table import Table as Grid

from nexgen_assets.commands.pipeline import PipelineResult, row_counts
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.tables import CLEANED_SALES, RAW_SALES, REJECTED_SALES, REORDER_RECOMMENDATIONS

URGENT_ORDERS = 10


def print_report(result: PipelineResult, console: Console) -> None:
    tables = DeltaTables(result.access)
    _print_lines(result, tables, console)
    _print_model(result, console)
    _print_orders(result, tables, console)
    _print_times(result, console)
    _print_next(result, console)


def _print_lines(result: PipelineResult, tables: DeltaTables, console: Console) -> None:
    counts = row_counts(result.access, [RAW_SALES.name, CLEANED_SALES.name, REJECTED_SALES.name])
    refused = tables.read(REJECTED_SALES, columns=["rule"])["rule"].value_counts().to_pylist()
    grid = Grid(title="Sales lines", title_justify="left", show_header=False, box=None)
    grid.add_column()
    grid.add_column(justify="right")
    grid.add_row("received", f"{counts[RAW_SALES.name]:,}")
    grid.add_row("cleaned", f"{counts[CLEANED_SALES.name]:,}")
    grid.add_row("rejected or removed", f"{counts[REJECTED_SALES.name]:,}")
    for row in sorted(refused, key=lambda row: -row["counts"]):
        grid.add_row(f"  [dim]{row['values']}[/]", f"[dim]{row['counts']:,}[/]")
    console.print(grid)


def _print_model(result: PipelineResult, console: Console) -> None:
    from nexgen_assets.resources.registry import Champions

    champions = Champions(result.access)
    for version, why in champions.passed_over(result.days.end).items():
        console.print(f"[yellow]Champion {version} does not serve: {why}. See nexgen model list[/]", soft_wrap=True)
    serving = champions.serving(result.days.end)
    if serving is None:
        console.print(
            "[yellow]No model is fit to serve yet; forecasts are the seasonal naive's. Why: nexgen model list[/]"
        )
        return
    version, model = serving
    grid = Grid(
        title=f"Model {version} on its hold-out (28 days it had not learnt from)", title_justify="left", box=None
    )
    grid.add_column("")
    for name in ("WRMSSE", "WAPE of 28-day total", "bias"):
        grid.add_column(name, justify="right")
    for method in ("model", "seasonal_naive", "moving_average_28"):
        scores = model.metrics[method]
        grid.add_row(
            method.replace("_", " "), f"{scores['wrmsse']:.3f}", f"{scores['wape_total']:.3f}", f"{scores['bias']:+.1%}"
        )
    console.print(grid)


def _print_orders(result: PipelineResult, tables: DeltaTables, console: Console) -> None:
    from nexgen_assets.replenishment.orders import most_urgent

    orders = tables.read(REORDER_RECOMMENDATIONS, result.days.end, result.days.end)
    to_order = orders.filter(pc.greater(orders["order_units"], 0))  # pyright: ignore[reportAttributeAccessIssue]
    _print_simulated(orders, console)
    grid = Grid(
        title=f"Most urgent of {to_order.num_rows:,} orders to place on {_order_date(orders)}",
        title_justify="left",
        show_lines=False,
        box=None,
    )
    for name, justify in (
        ("product", "left"),
        ("location", "left"),
        ("units", "right"),
        ("at risk", "right"),
        ("why", "left"),
    ):
        grid.add_column(name, justify=justify)  # pyright: ignore[reportArgumentType]
    for row in most_urgent(to_order, URGENT_ORDERS).to_pylist():
        risk = "" if row["money_at_risk"] is None else f"{row['money_at_risk']:,.2f}"
        grid.add_row(
            f"{row['product_id']} {row['product_name'] or ''}",
            row["location"],
            f"{row['order_units']:,.0f}",
            risk,
            f"[dim]{row['explanation']}[/]",
        )
    console.print(grid)


def _print_simulated(orders: pa.Table, console: Console) -> None:
    simulated = pc.sum(pc.equal(orders["inventory_source"], "simulated")).as_py() or 0  # pyright: ignore[reportAttributeAccessIssue]
    if simulated:
        console.print(f"[yellow]Stock and lead times of {simulated:,} rows are simulated: the data has none.[/]")


def _order_date(orders: pa.Table) -> str:
    return str(orders["order_date"][0].as_py()) if orders.num_rows else "(no day)"


def _print_times(result: PipelineResult, console: Console) -> None:
    timings = result.timings
    parts = ", ".join(f"{name} {seconds:.1f}" for name, seconds in sorted(timings.assets.items(), key=lambda i: -i[1]))
    console.print(f"[bold]{timings.total:.1f} s[/] in {timings.runs} runs: {parts}")
    console.print(f"[dim]of which Dagster itself: {timings.orchestration_share:.0%}[/]")


def _print_next(result: PipelineResult, console: Console) -> None:
    name = result.settings.deployment
    prefix = "" if name == "local" else f"NEXGEN_DEPLOYMENT={name} "
    console.print(f"Next: [bold]{prefix}nexgen up[/], then [bold]http://127.0.0.1:3000[/] to look at the orders, and")
    console.print("      to decide; behind `Dagster` stand lineage, runs and tables", highlight=False)
    console.print(f"      [bold]{prefix}nexgen orders list[/] to decide at the prompt")
    console.print(f"      [bold]{prefix}nexgen land FILE.csv[/], then [bold]{prefix}nexgen run[/] for your own sales")
