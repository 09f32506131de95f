"""`nexgen orders`: a planner's day without a dashboard: look at proposals, decide, approve, hand orders over.

What belongs here: choosing lines and printing them. What does not: the rules of decisions (`decisions/`).
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from nexgen_assets.decisions.book import DecisionBook, Published, Request, Row, exact
from nexgen_assets.decisions.destinations import LocalFolder
from nexgen_assets.decisions.exports import Destination, Exported, export_again, export_orders, exports
from nexgen_assets.decisions.rules import Action, DecisionError, LineKey, Person, State, person
from nexgen_assets.decisions.schema import Decision
from nexgen_assets.decisions.worklist import BLOCKED, REVIEW_AGAIN, WorkLine, worklist
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.replenishment.exceptions import DEFINITIONS
from nexgen_assets.resources.decisions import export_folder, open_book
from nexgen_assets.resources.lake import open_lake
from nexgen_assets.settings import Settings
from nexgen_assets.tables import ORDER_EXCEPTIONS, REORDER_RECOMMENDATIONS

WIDTH = 150
_STYLES = {REVIEW_AGAIN: "yellow", BLOCKED: "red", "approved": "green", "exported": "green", "cancelled": "red"}


@dataclass(frozen=True)
class Choice:
    """Which lines are meant: those that match everything that is told."""

    product_id: str | None = None
    location: str | None = None
    supplier_id: str | None = None
    is_all: bool = False

    @property
    def is_told(self) -> bool:
        return self.is_all or any((self.product_id, self.location, self.supplier_id))

    @property
    def is_one(self) -> bool:
        return self.product_id is not None and self.location is not None

    def matches(self, line: WorkLine) -> bool:
        return self.means(line.key.product_id, line.key.location, line.supplier_id)

    def means(self, product_id: str, location: str, supplier_id: str | None) -> bool:
        return (
            self.product_id in (None, product_id)
            and self.location in (None, location)
            and self.supplier_id in (None, supplier_id)
        )


@dataclass(frozen=True)
class Desk:
    """What is published and decided now."""

    settings: Settings
    book: DecisionBook
    published: Published
    lines: Sequence[WorkLine]
    tables: DeltaTables

    @classmethod
    def of(cls, settings: Settings) -> "Desk":
        """Raises DecisionError if no orders are published yet."""
        tables = DeltaTables(open_lake(settings))
        day = tables.last_day(REORDER_RECOMMENDATIONS)
        if day is None:
            raise DecisionError("no orders are published yet: `nexgen run` makes them")
        published = Published.of(day, tables.read(REORDER_RECOMMENDATIONS, day, day))
        book = open_book(settings)
        return cls(settings, book, published, worklist(published, book.decisions([day])), tables)

    def person(self, name: str) -> Person:
        return person(name, self.settings.approver_names)

    def exceptions(self) -> list[Row]:
        """Rows of `tables.ORDER_EXCEPTIONS` of the published day, by rank.

        Raises DecisionError if none of any day were ever computed.
        """
        if self.tables.version(ORDER_EXCEPTIONS) is None:
            raise DecisionError("no exceptions are published yet: `nexgen run` makes them")
        day = self.published.day
        return self.tables.read(ORDER_EXCEPTIONS, day, day).sort_by("exception_rank").to_pylist()

    def line(self, product_id: str, location: str) -> WorkLine:
        """Raises DecisionError if nothing is proposed or decided for it."""
        found = [line for line in self.lines if line.key[1:] == (product_id, location)]
        if not found:
            raise DecisionError(f"no order of product {product_id} at {location} is proposed on {self.published.day}")
        return found[0]


def list_orders(
    settings: Settings,
    choice: Choice,
    state: str | None,
    limit: int,
    console: Console,
    *,
    with_no_need: bool,
    with_exceptions: bool = False,
) -> None:
    """The lines of the newest published day that need an order, blocked ones too, the most money at risk first."""
    desk = Desk.of(settings)
    found = [
        line
        for line in desk.lines
        if choice.matches(line)
        and state in (None, line.standing)
        and (with_no_need or line.decision is not None or line.order_units > 0 or line.blocked_reason)
    ]
    shown = found[:limit] if limit else found
    console.print(f"[bold]Orders proposed at the close of {desk.published.day}[/]")
    _print_lines(shown, console, desk.exceptions() if with_exceptions else None)
    counts = Counter(line.standing for line in found)
    told = ", ".join(f"{count:,} {name}" for name, count in counts.most_common())
    console.print(f"{len(shown):,} of {len(found):,} lines shown ({told or 'none match'})", highlight=False)
    earlier = [line for line in desk.book.in_state(State.APPROVED) if line.day != desk.published.day]
    if waiting := sum(line.order_units > 0 for line in earlier):
        console.print(f"[yellow]{waiting:,} approved orders of earlier days wait to be exported.[/]")


def list_exceptions(settings: Settings, choice: Choice, kind: str | None, limit: int, console: Console) -> None:
    """The exceptions of the newest published day, the most money at risk first."""
    if kind not in (None, *DEFINITIONS):
        raise DecisionError(f"{kind!r} is no kind of exception; the kinds are {', '.join(DEFINITIONS)}")
    desk = Desk.of(settings)
    found = [
        row
        for row in desk.exceptions()
        if kind in (None, row["exception"]) and choice.means(row["product_id"], row["location"], row["supplier_id"])
    ]
    shown = found[:limit] if limit else found
    console.print(f"[bold]Exceptions of the orders proposed at the close of {desk.published.day}[/]")
    grid = _grid("rank", "exception", "product", "location", "supplier", "number", "threshold", "at risk", "action")
    for name in (0, 5, 6, 7):
        grid.columns[name].justify = "right"
    for row in shown:
        number, threshold, money = _measured(row)
        reason = f"{row['blocked_reason']}: " if row["blocked_reason"] else ""
        who = f"{row['product_id']} {row['product_name'] or ''}".strip()
        told = (who, row["location"], row["supplier_id"] or "", number, threshold, money, reason + row["action"])
        grid.add_row(str(row["exception_rank"]), row["exception"], *map(escape, told))
    _print_wide(grid, console)
    counts = Counter(row["exception"] for row in found)
    kinds = ", ".join(f"{count:,} {name}" for name, count in counts.most_common())
    console.print(f"{len(shown):,} of {len(found):,} exceptions shown ({kinds or 'none match'})", highlight=False)
    known = {key[1:]: row["revision"] for key, row in desk.published.rows.items()}
    if outdated := sum(row["revision"] != known.get((row["product_id"], row["location"])) for row in found):
        console.print(f"[yellow]{outdated:,} are of orders that have changed since: the job daily makes them anew.[/]")


def accept(settings: Settings, choice: Choice, user: str, reason: str | None, console: Console) -> None:
    """Accept proposals: those nobody has decided on and those to review again, or the one line that is named."""
    desk = Desk.of(settings)
    _require_choice(choice)
    lines = [line for line in desk.lines if choice.matches(line) and (choice.is_one or line.is_to_decide)]
    if not lines:
        raise DecisionError("none of these orders waits for a decision: `nexgen orders list` shows how each stands")
    _decide(desk, Action.ACCEPT, lines, user, reason)
    console.print(f"[bold]{len(lines):,}[/] accepted. Next: [bold]nexgen orders approve[/]")


def change(  # noqa: PLR0917
    settings: Settings,
    product_id: str,
    location: str,
    units: str,
    user: str,
    reason: str | None,
    console: Console,
    *,
    is_override: bool,
) -> None:
    """Order other units than proposed; 0 orders nothing."""
    desk = Desk.of(settings)
    line = desk.line(product_id, location)
    request = Request(line.key, line.seen, _units(units), is_override)
    [decision] = desk.book.decide(Action.CHANGE, [request], desk.person(user), desk.published, reason)
    console.print(
        f"{escape(product_id)} at {escape(location)}: [bold]{_number(decision.order_units)}[/] units instead of "
        f"{_number(decision.proposed_units)}. Next: [bold]nexgen orders approve[/]",
        highlight=False,
    )


def approve(settings: Settings, choice: Choice, user: str, console: Console, *, is_confirmed: bool) -> None:
    """Approve accepted and changed lines: shows them, and asks."""
    desk = Desk.of(settings)
    _require_choice(choice)
    decided = [line for line in desk.lines if choice.matches(line) and line.state in (State.ACCEPTED, State.CHANGED)]
    lines = [line for line in decided if line.standing != REVIEW_AGAIN]
    if len(lines) < len(decided):
        outdated = len(decided) - len(lines)
        console.print(f"[yellow]{outdated:,} left out: their proposal has changed, accept or change them again.[/]")
    if not lines:
        raise DecisionError("none of these orders is accepted or changed and still as it was proposed")
    _print_lines(lines, console)
    console.print(f"{len(lines):,} orders, {_value_of(lines)}", highlight=False)
    if not is_confirmed:
        typer.confirm("Approve them?", abort=True)
    decisions = _decide(desk, Action.APPROVE, lines, user, None)
    console.print(
        f"[bold]{len(decisions):,}[/] approved: on order from {decisions[0].order_date} on. "
        "Next: [bold]nexgen orders export[/]",
        highlight=False,
    )


def cancel(  # noqa: PLR0917
    settings: Settings,
    product_id: str,
    location: str,
    day: date | None,
    user: str,
    reason: str | None,
    console: Console,
) -> None:
    """Cancel an approved or exported line of any day; it counts as on order no more."""
    desk = Desk.of(settings)
    key = LineKey(day or desk.published.day or date.min, product_id, location)
    known = desk.book.decisions([key.day]).get(key)
    request = Request(key, known.sequence if known else 0)
    [decision] = desk.book.decide(Action.CANCEL, [request], desk.person(user), desk.published, reason)
    console.print(f"[bold]{_number(decision.order_units)}[/] units of {escape(str(key))} cancelled.", highlight=False)
    if decision.export_id:
        console.print(f"[yellow]They were exported in {decision.export_id}: tell the supplier.[/]", highlight=False)
    if desk.published.day and decision.order_date <= desk.published.day:
        days = f"{decision.order_date} to {desk.published.day}"
        console.print(f"Days that counted them: the job [bold]daily[/] of {days} builds them again", highlight=False)


def export(  # noqa: PLR0917
    settings: Settings,
    folder: Path | None,
    supplier_id: str | None,
    again: str | None,
    user: str,
    reason: str | None,
    console: Console,
) -> None:
    """Hand approved orders over: files below the lake's prefix `exports/orders`, or in a folder."""
    book, by = open_book(settings), person(user, settings.approver_names)
    destination = _destination(settings, folder)
    if again:
        done = export_again(book, by, destination, again, reason)
    else:
        done = export_orders(book, by, destination, supplier_id=supplier_id)
    for export_id in done.finished:
        console.print(f"[yellow]{export_id} had been interrupted: its files are written now, too.[/]", highlight=False)
    _print_export(done, console)


def list_exports(settings: Settings, last: int, console: Console) -> None:
    """The last exports, newest first."""
    found = exports(open_book(settings), last)
    if not found:
        console.print("Nothing was exported yet.")
        return
    grid = _grid("export", "copy of", "by", "at (UTC)", "files", "reason")
    for one in found:
        at = f"{one.exported_at:%Y-%m-%d %H:%M}"
        where = one.written_to or "not written yet: export again"
        grid.add_row(*map(escape, (one.export_id, one.copy_of or "", one.exported_by, at, where, one.reason or "")))
    _print_wide(grid, console)


def history(  # noqa: PLR0917
    settings: Settings, product_id: str | None, location: str | None, day: date | None, last: int, console: Console
) -> None:
    """What was done to order lines, oldest first."""
    events = open_book(settings).history(product_id, location, day, last)
    if not events:
        console.print("Nobody has decided on these orders yet.")
        return
    grid = _grid("at (UTC)", "by", "day", "product", "location", "what", "units", "revision", "export", "reason")
    for event in events:
        override = " (override)" if event.is_override else ""
        grid.add_row(
            f"{event.decided_at:%Y-%m-%d %H:%M:%S}",
            escape(event.decided_by),
            str(event.day),
            escape(event.product_id),
            escape(event.location),
            f"{event.from_state} → {event.to_state}",
            f"{_number(event.order_units)}{override}",
            event.revision,
            escape(event.export_id or ""),
            escape(event.reason or ""),
        )
    _print_wide(grid, console)


def _require_choice(choice: Choice) -> None:
    if not choice.is_told:
        raise DecisionError("which orders? Name --product, --location or --supplier, or say --all")


def _decide(desk: Desk, action: Action, lines: Sequence[WorkLine], user: str, reason: str | None) -> list[Decision]:
    requests = [Request(line.key, line.seen) for line in lines]
    return desk.book.decide(action, requests, desk.person(user), desk.published, reason)


def _destination(settings: Settings, folder: Path | None) -> Destination:
    if folder is not None:
        return LocalFolder(folder)
    return export_folder(open_lake(settings))


def _units(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise DecisionError(f"{text!r} is no number of units: write 24 or 0.5") from None


def _value_of(lines: Sequence[WorkLine]) -> str:
    """What suppliers are paid where the cost is known, and how many costs are assumed or missing.

    What centres send to their locations they have bought: it counts there.
    """
    decided = [(line.order_units, line.decision.order_row) for line in lines if line.decision]
    rows = [(units, row) for units, row in decided if row.get("supplied_by") is None]
    known = [(units, Decimal(repr(row["unit_cost"])), row) for units, row in rows if row["unit_cost"] is not None]
    assumed = sum("unit_cost" in row["assumptions"].split(",") for *_, row in known)
    told = [f"{sum((units * cost for units, cost, _ in known), Decimal(0)):,.2f} in all"]
    told += [f"{assumed:,} at an assumed cost"] if assumed else []
    told += [f"{len(rows) - len(known):,} without a cost"] if len(known) < len(rows) else []
    told += [f"{len(decided) - len(rows):,} from centres, at no cost of their own"] if len(rows) < len(decided) else []
    return ", ".join(told)


def _measured(row: Row) -> tuple[str, str, str]:
    """Number and threshold with their unit, and money, of an exception; a number that is not told is infinite."""
    unit = row["number_unit"]
    number, money = row["number"], row["money_at_risk"]
    return (
        f"{'∞' if number is None else f'{number:,.4g}'} {unit}",
        f"{row['threshold']:,.4g}",
        "" if money is None else f"{money:,.2f}",
    )


def _print_lines(lines: Sequence[WorkLine], console: Console, exceptions: Sequence[Row] | None = None) -> None:
    """The lines, with their exceptions if there are any to tell."""
    told = () if exceptions is None else ("exceptions",)
    grid = _grid("state", "product", "location", "supplier", "proposed", "order", "at risk", *told, "why")
    of_line: dict[tuple[str, str], list[str]] = defaultdict(list)
    for exception in exceptions or ():
        number, threshold, _ = _measured(exception)
        of_line[exception["product_id"], exception["location"]].append(
            f"{exception['exception']} {number} (threshold {threshold})"
        )
    for name in (4, 5, 6):
        grid.columns[name].justify = "right"
    for line in lines:
        row = line.row or {}
        risk = row.get("money_at_risk")
        style = _STYLES.get(line.standing, "")
        grid.add_row(
            f"[{style}]{line.standing}[/]" if style else line.standing,
            escape(f"{line.key.product_id} {row.get('product_name') or ''}".strip()),
            escape(line.key.location),
            escape(line.supplier_id or ""),
            "" if line.proposed_units is None else _number(line.proposed_units),
            _number(line.order_units) if line.decision else "",
            "" if risk is None else f"{risk:,.2f}",
            *(escape("\n".join(of_line[line.key[1:]])) for _ in told),
            f"[dim]{escape(_why(line))}[/]",
        )
    _print_wide(grid, console)


def _why(line: WorkLine) -> str:
    if line.difference_units is not None:
        return f"The proposal has changed since: {line.difference_units.normalize():+,f} units against this order."
    if line.row is None:
        return "Proposed no more."
    if line.standing == REVIEW_AGAIN and line.decision:
        before = _number(line.decision.proposed_units)
        return f"It was {before} when {line.decision.decided_by} decided. {line.row['explanation']}"
    if line.blocked_reason:
        return f"{line.blocked_reason}: {line.row['explanation']}"
    return str(line.row["explanation"])


def _print_export(done: Exported, console: Console) -> None:
    suppliers = len({line.supplier_id for line in done.lines})
    units = _number(sum((line.order_units for line in done.lines), Decimal(0)))
    copy = f", a copy of {done.export.copy_of}" if done.export.copy_of else ""
    console.print(
        f"[bold]{done.export.export_id}[/]{copy}: {len(done.lines):,} orders, {units} units, "
        f"{suppliers:,} {'supplier' if suppliers == 1 else 'suppliers'}",
        highlight=False,
    )
    console.print(f"Files: [bold]{escape(str(done.export.written_to))}[/]", soft_wrap=True, highlight=False)


def _grid(*names: str) -> Grid:
    grid = Grid(box=None)
    for name in names:
        grid.add_column(name, overflow="fold")
    return grid


def _print_wide(grid: Grid, console: Console) -> None:
    # on a narrow terminal rich would fold every column: longer lines are for the terminal to wrap
    console.width = max(console.width, WIDTH)
    console.print(grid)


def _number(units: Decimal | float) -> str:
    exactly = units if isinstance(units, Decimal) else exact(units)
    return f"{exactly.normalize():,f}"
