"""The book of decisions: what was decided on each order line, by whom, and what follows for stock.

What belongs here: taking a decision by the rules, and reading decisions. What does not: the rules themselves
(`rules.py`), handing orders over (`exports.py`), and how proposals and decisions look side by side (`worklist.py`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from nexgen_assets.decisions.database import DecisionDatabase
from nexgen_assets.decisions.rules import (
    FIRM,
    RULES,
    Action,
    ConflictError,
    DecisionError,
    LineKey,
    Person,
    State,
    require_reason,
    require_role,
    require_state,
    require_units,
)
from nexgen_assets.decisions.schema import UNITS, DecidedRow, Decision, OrderEvent
from nexgen_assets.tables import FIRM_LINES

Row = Mapping[str, Any]
Clock = Callable[[], datetime]
_DAYS_AT_ONCE = 500  # SQLite takes so many parameters, and more


@dataclass(frozen=True)
class Published:
    """The newest published day and its rows of `tables.REORDER_RECOMMENDATIONS`; no day if none was published yet."""

    day: date | None = None
    rows: Mapping[LineKey, Row] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, day: date | None, rows: pa.Table) -> "Published":
        """Of the rows of that one day."""
        return cls(day, {key_of(row): row for row in rows.to_pylist()})


@dataclass(frozen=True)
class Request:
    """One line to decide on, and `seen`: the sequence of the decision that the person saw, 0 if there was none.

    `order_units` and `is_override` are for a change: its units, and whether they may break packs and MOQ.
    """

    line: LineKey
    seen: int
    order_units: Decimal | None = None
    is_override: bool = False


def key_of(row: Any) -> LineKey:
    """The key of a row of any kind that has its three columns."""
    if isinstance(row, Mapping):
        return LineKey(row["day"], row["product_id"], row["location"])
    return LineKey(row.day, row.product_id, row.location)


def exact(units: float) -> Decimal:
    """Units of a published row, which holds doubles of thousandths."""
    return Decimal(repr(float(units))).quantize(UNITS.step)


def now() -> datetime:
    return datetime.now(UTC)


class DecisionBook:
    """Takes and tells decisions. Each decision is an event of its line; the last one is the line's state."""

    def __init__(self, database: DecisionDatabase, clock: Clock = now) -> None:
        self.database = database
        self.clock = clock

    # ---- decide

    def decide(
        self, action: Action, requests: Sequence[Request], by: Person, published: Published, reason: str | None = None
    ) -> list[Decision]:
        """Accept, change, approve or cancel lines: all of them, or none if one cannot be.

        Raises DecisionError that names the line; ConflictError if somebody decided on it since it was seen. Exporting
        is `exports.export_orders`.
        """
        if action is Action.EXPORT:
            raise ValueError("orders are exported by `export_orders`, which also writes their files")
        require_role(action, by)
        told = require_reason(action, reason)
        keys = [request.line for request in requests]
        if twice := {key for key in keys if keys.count(key) > 1} if len(set(keys)) < len(keys) else None:
            raise DecisionError(f"{next(iter(twice))} stands twice in one request")
        with self.database.session() as session:
            known = _decisions_of(session, keys)
            _keep_rows(session, [published.rows[key] for key in keys if _takes_row(action) and key in published.rows])
            for request in requests:
                event = self._event(action, request, known.get(request.line), published)
                add_event(session, event, by, told, self.clock())
            _flush(session, keys)
            return [_decisions_of(session, keys)[key] for key in keys]

    def _event(self, action: Action, request: Request, known: Decision | None, published: Published) -> OrderEvent:
        """The event that the request makes of the line, checked by the rules."""
        line, rule, row = request.line, RULES[action], published.rows.get(request.line)
        require_seen(line, request.seen, known)
        state = State(known.state) if known else State.PROPOSED
        require_state(action, line, state)
        if rule.on_newest_day and line.day != published.day:
            raise DecisionError(
                f"cannot {action} {line}: orders of {published.day} are published, those of an earlier day are too late"
            )
        if rule.on_newest_day and row is None:
            raise DecisionError(f"cannot {action} {line}: no such order is proposed")
        if rule.on_present_row and known and row and row["revision"] != known.revision:
            raise DecisionError(
                f"cannot {action} {line}: the proposal has changed since {known.decided_by} decided on it, from "
                f"{known.proposed_units.normalize():f} to {exact(row['order_units']).normalize():f} units: "
                "accept or change it again first"
            )
        if _takes_row(action) and row:
            units = _units(action, request, row)
            return _next(action, line, known, row["revision"], units, is_override=request.is_override)
        assert known  # noqa: S101  # only a decided line is in one of the other actions' states
        return follow(action, known)

    # ---- read

    def decisions(self, days: Iterable[date]) -> dict[LineKey, Decision]:
        """The decided lines of some days, as they stand."""
        with self.database.session() as session:
            return _decisions_of(session, [LineKey(day, "", "") for day in days], whole_days=True)

    def in_state(self, *states: State, supplier_id: str | None = None) -> list[Decision]:
        """All lines in those states, of one supplier if told, oldest first."""
        with self.database.session() as session:
            return in_state(session, *states, supplier_id=supplier_id)

    def history(
        self, product_id: str | None = None, location: str | None = None, day: date | None = None, last: int = 100
    ) -> list[OrderEvent]:
        """The last events of the lines that match, oldest first."""
        query = sa.select(OrderEvent).order_by(OrderEvent.event_id.desc()).limit(last)
        wanted = {OrderEvent.product_id: product_id, OrderEvent.location: location, OrderEvent.day: day}
        for column, value in wanted.items():
            query = query.where(column == value) if value is not None else query
        with self.database.session() as session:
            return list(reversed(session.scalars(query).all()))

    def firm_lines(self, start: date, end: date, active_days: int) -> pa.Table:
        """Rows of `tables.FIRM_LINES` that may count on a day of `start`..`end`.

        Approved and exported lines ordered by then and due not longer ago than `active_days`. When they were approved
        does not count, so that a rebuilt day has the same orders as long as the decisions are the same.
        """
        query = _in_states(*FIRM).where(
            Decision.order_date <= end, Decision.receipt_date > start - timedelta(days=active_days)
        )
        with self.database.session() as session:
            lines = session.scalars(query).all()
        rows = [
            {
                "order_date": line.order_date,
                "product_id": line.product_id,
                "location": line.location,
                "due_date": line.receipt_date,
                "order_units": float(line.order_units),
                "supplier_id": line.supplier_id,
            }
            for line in lines
            if line.order_units > 0
        ]
        return pa.Table.from_pylist(rows, schema=FIRM_LINES.arrow_schema)


def in_state(session: Session, *states: State, supplier_id: str | None = None) -> list[Decision]:
    """The same as the book's method, within a transaction."""
    query = _in_states(*states)
    if supplier_id is not None:
        query = query.where(Decision.supplier_id == supplier_id)
    return list(session.scalars(query).all())


def follow(action: Action, known: Decision, export_id: str | None = None) -> OrderEvent:
    """The event that leaves the line's row and units as they are."""
    event = _next(action, key_of(known), known, known.revision, known.order_units, is_override=known.is_override)
    event.export_id = export_id or known.export_id
    return event


def add_event(session: Session, event: OrderEvent, by: Person, reason: str | None, at: datetime) -> None:
    """Sign an event and add it to the line's history."""
    event.decided_by, event.decided_at, event.reason = by.name.strip(), at, reason
    session.add(event)


def require_seen(line: LineKey, seen: int, known: Decision | None) -> None:
    """Raises ConflictError unless the last decision on the line is the one that was seen."""
    if seen != (known.sequence if known else 0):
        who = (
            f"{known.decided_by} made it {known.state} at {known.decided_at:%Y-%m-%d %H:%M} UTC" if known else "nobody"
        )
        raise ConflictError(f"{line} was decided on since you looked ({who}): look again")


def _next(
    action: Action, line: LineKey, known: Decision | None, revision: str, units: Decimal, *, is_override: bool
) -> OrderEvent:
    return OrderEvent(
        **line._asdict(),
        sequence=known.sequence + 1 if known else 1,
        action=action.value,
        from_state=known.state if known else State.PROPOSED.value,
        to_state=RULES[action].target.value,
        revision=revision,
        order_units=units,
        is_override=is_override,
        export_id=known.export_id if known else None,
    )


def _takes_row(action: Action) -> bool:
    """Whether the action decides on the published row; the others keep the row decided on before."""
    return action in (Action.ACCEPT, Action.CHANGE)


def _units(action: Action, request: Request, row: Row) -> Decimal:
    if action is Action.ACCEPT:
        return exact(row["order_units"])
    if request.order_units is None:
        raise DecisionError(f"how many units of {request.line}?")
    pack_size, least = exact(row["pack_size"]), exact(row["min_order_quantity"])
    return require_units(request.line, request.order_units, pack_size, least, is_override=request.is_override)


def _decisions_of(session: Session, lines: Sequence[LineKey], *, whole_days: bool = False) -> dict[LineKey, Decision]:
    wanted, days, found = set(lines), sorted({line.day for line in lines}), dict[LineKey, Decision]()
    for first in range(0, len(days), _DAYS_AT_ONCE):
        query = sa.select(Decision).where(Decision.day.in_(days[first : first + _DAYS_AT_ONCE]))
        if len(wanted) == 1 and not whole_days:  # the usual click: not the whole day
            [line] = wanted
            query = query.where(Decision.product_id == line.product_id, Decision.location == line.location)
        # a view's rows change when events are added: what the session remembers of them is out of date
        rows = session.scalars(query, execution_options={"populate_existing": True})
        found |= {key_of(row): row for row in rows}
    return found if whole_days else {key: row for key, row in found.items() if key in wanted}


def _in_states(*states: State) -> sa.Select[Decision]:
    return (
        sa.select(Decision)
        .where(Decision.state.in_([state.value for state in states]))
        .order_by(Decision.day, Decision.product_id, Decision.location)
    )


def _keep_rows(session: Session, rows: Sequence[Row]) -> None:
    """Store the published rows that are decided on, each version of a row once."""
    days = sorted({row["day"] for row in rows})
    columns = (DecidedRow.day, DecidedRow.product_id, DecidedRow.location, DecidedRow.revision)
    kept = {tuple(found) for found in session.execute(sa.select(*columns).where(DecidedRow.day.in_(days)))}
    new = [row for row in rows if (*key_of(row), row["revision"]) not in kept]
    session.add_all(
        DecidedRow(
            **key_of(row)._asdict(),
            revision=row["revision"],
            order_date=row["order_date"],
            receipt_date=row["receipt_date"],
            supplier_id=row["supplier_id"],
            proposed_units=exact(row["order_units"]),
            order_row={name: _plain(value) for name, value in row.items()},
        )
        for row in new
    )
    _flush(session, [key_of(row) for row in new])


def _flush(session: Session, lines: Sequence[LineKey]) -> None:
    """Write; of two people who decide at once, the second finds the first one's event in its place."""
    try:
        session.flush()
    except IntegrityError:
        what = str(lines[0]) if len(lines) == 1 else f"one of {len(lines)} orders, such as {lines[0]}"
        raise ConflictError(f"somebody else decided on {what} at the same moment: look again") from None


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
