"""`nexgen what-if`: the newest day's orders under other assumptions, beside the orders as they are.

What belongs here: printing. What does not: making and comparing orders (`replenishment/what_if.py`), and reading what
they are made of (`resources/order_inputs.py`).
"""

from dataclasses import fields
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
from rich.console import Console
from rich.table import Table as Grid

from nexgen_assets.decisions.rules import DecisionError
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.replenishment.what_if import Change, Totals, orders_if, totals
from nexgen_assets.resources.lake import open_lake
from nexgen_assets.resources.order_inputs import inputs_of
from nexgen_assets.settings import Settings
from nexgen_assets.tables import REORDER_RECOMMENDATIONS

_LABELS = {
    "order_lines": "Lines to order",
    "blocked_lines": "Blocked lines",
    "order_units": "Units",
    "order_value": "Money",
    "promised_fill_rate": "Promised fill rate (at least)",
    "expected_lost_units": "Expected lost units (at most)",
    "expected_lost_money": "Expected lost sales, money (at most)",
    "expected_waste_units": "Expected waste, units",
}
_DECIMALS = {"order_lines": 0, "blocked_lines": 0, "promised_fill_rate": 4}


def what_if(settings: Settings, change: Change, out: Path | None, console: Console) -> None:
    """Prints the totals of both, and writes the orders as they would be to `out` (CSV).

    Raises DecisionError if no orders are published yet.
    """
    tables = DeltaTables(open_lake(settings))
    day = tables.last_day(REORDER_RECOMMENDATIONS)
    if day is None:
        raise DecisionError("no orders are published yet: `nexgen run` makes them")
    inputs = inputs_of(tables, day, settings)
    plan, if_changed = orders_if(inputs, Change()), orders_if(inputs, change)
    _show(day, totals(plan), totals(if_changed), console)
    published = tables.read(REORDER_RECOMMENDATIONS, day, day)
    if _revisions(published) != _revisions(plan):
        console.print("[yellow]The published orders were made of other data or settings; `nexgen run` renews them.[/]")
    if out is not None:
        pyarrow.csv.write_csv(if_changed, out)
        console.print(f"wrote [bold]{out}[/]", soft_wrap=True)


def _show(day: date, plan: Totals, if_changed: Totals, console: Console) -> None:
    grid = Grid(title=f"Orders of {day}", caption="Nothing was stored: the plan is as it was.")
    for name in ("", "plan", "what if", "difference"):
        grid.add_column(name, justify="right" if name else "left")
    for name in (field.name for field in fields(Totals)):
        before, after = getattr(plan, name), getattr(if_changed, name)
        decimals = _DECIMALS.get(name, 2)
        shown = (f"{before:,.{decimals}f}", f"{after:,.{decimals}f}", f"{after - before:+,.{decimals}f}")
        grid.add_row(_LABELS[name], *("" if np.isnan(before) or np.isnan(after) else text for text in shown))
    console.print(grid)


def _revisions(orders: pa.Table) -> set[str]:
    return set(orders["revision"].to_pylist())
