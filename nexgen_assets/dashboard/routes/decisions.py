"""Deciding on orders and handing them over. The rules are those of `decisions/`; who decides is who is logged in."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated

from fastapi import Depends, Query

from nexgen_assets.dashboard.answers.orders import (
    Accept,
    Approve,
    Cancel,
    Change,
    Decided,
    DecidedLine,
    Event,
    ExportAnswer,
    Exports,
    History,
    LineSeen,
    MadeExport,
    NewCopy,
    NewExport,
    ProposalSeen,
)
from nexgen_assets.dashboard.door import FrontDoor
from nexgen_assets.dashboard.queries.worklist import published_lines
from nexgen_assets.dashboard.reading import View
from nexgen_assets.dashboard.roles import Permission, deciding_roles
from nexgen_assets.dashboard.routes.access import CONFLICT, NOT_FOUND, Address, Door, Tables, Who, needs, router
from nexgen_assets.dashboard.wall import Identity
from nexgen_assets.decisions.book import Published, Request
from nexgen_assets.decisions.exports import Exported, export_again, export_orders
from nexgen_assets.decisions.exports import exports as exports_of
from nexgen_assets.decisions.rules import Action, ConflictError, LineKey, Person
from nexgen_assets.decisions.schema import Decision
from nexgen_assets.resources.decisions import export_folder

routes = router(Permission.READ, "decisions")
DECIDE, APPROVE, EXPORT = (
    [Depends(needs(permission))] for permission in (Permission.DECIDE, Permission.APPROVE, Permission.EXPORT)
)
Text = Annotated[str | None, Query(max_length=500)]
Last = Annotated[int, Query(ge=1, le=1000)]


@routes.post("/decisions/accept", dependencies=DECIDE, responses=CONFLICT)
def accept(asked: Accept, door: Door, tables: Tables, who: Who) -> Decided:
    """Accept proposals as they are: all of these lines, or none if one cannot be."""
    published = _published(tables, asked.lines)
    _require_proposals(asked.lines, published)
    requests = [Request(_key(line), line.seen) for line in asked.lines]
    return _decided(door, tables, Action.ACCEPT, requests, who, published, asked.reason)


@routes.post("/decisions/change", dependencies=DECIDE, responses=CONFLICT)
def change(asked: Change, door: Door, tables: Tables, who: Who) -> Decided:
    """Order other units than proposed, and say why."""
    published = _published(tables, [asked.line])
    _require_proposals([asked.line], published)
    request = Request(_key(asked.line), asked.line.seen, asked.order_units, asked.is_override)
    return _decided(door, tables, Action.CHANGE, [request], who, published, asked.reason)


@routes.post("/decisions/approve", dependencies=APPROVE, responses=CONFLICT)
def approve(asked: Approve, door: Door, tables: Tables, who: Who) -> Decided:
    """Make accepted and changed lines firm: all of them, or none if one cannot be."""
    requests = [Request(_key(line), line.seen) for line in asked.lines]
    return _decided(door, tables, Action.APPROVE, requests, who, _published(tables, asked.lines), None)


@routes.post("/decisions/cancel", dependencies=APPROVE, responses=CONFLICT)
def cancel(asked: Cancel, door: Door, tables: Tables, who: Who) -> Decided:
    """Cancel approved or exported lines of any day; they count as on order no more."""
    requests = [Request(_key(line), line.seen) for line in asked.lines]
    return _decided(door, tables, Action.CANCEL, requests, who, _published(tables, asked.lines), asked.reason)


@routes.get("/decisions")
def decision_history(
    door: Door, product_id: Text = None, location: Text = None, day: date | None = None, last: Last = 100
) -> History:
    """What was done to the order lines that match, oldest first."""
    events = door.book.history(product_id, location, day, last)
    return History(events=[Event.model_validate(event, from_attributes=True) for event in events])


@routes.get("/exports")
def exports(door: Door, last: Last = 20) -> Exports:
    """The last exports, newest first."""
    found = exports_of(door.book, last)
    return Exports(exports=[ExportAnswer.model_validate(export, from_attributes=True) for export in found])


@routes.post("/exports", status_code=201, dependencies=EXPORT, responses=CONFLICT)
def export(asked: NewExport, door: Door, who: Who, origin: Address) -> MadeExport:
    """Hand over every approved order, once: a CSV file per supplier and one JSON file below the lake's prefix."""
    folder = export_folder(door.lake.access)
    done = export_orders(door.book, _person(who), folder, supplier_id=asked.supplier_id, key=asked.key)
    door.audit.add(who.name, "orders exported", done.export.export_id, origin)
    return _made(done)


@routes.post("/exports/{export_id}/copies", status_code=201, dependencies=EXPORT, responses=CONFLICT | NOT_FOUND)
def export_copy(export_id: str, asked: NewCopy, door: Door, who: Who, origin: Address) -> MadeExport:
    """Write the same lines once more, marked as a copy; lines cancelled since are left out."""
    done = export_again(door.book, _person(who), export_folder(door.lake.access), export_id, asked.reason)
    door.audit.add(who.name, "orders exported again", done.export.export_id, origin)
    return _made(done)


def _decided(  # noqa: PLR0917
    door: FrontDoor,
    view: View,
    action: Action,
    requests: Sequence[Request],
    who: Identity,
    published: Published,
    reason: str | None,
) -> Decided:
    decisions = door.book.decide(action, requests, _person(who), published, reason)
    return Decided(snapshot_id=view.snapshot_id, action=action, lines=[_line(decision) for decision in decisions])


def _published(view: View, lines: Sequence[LineSeen]) -> Published:
    return published_lines(view, [_key(line) for line in lines])


def _require_proposals(lines: Sequence[ProposalSeen], published: Published) -> None:
    """What is accepted is what was on the screen. Raises ConflictError if a run has published another proposal since.

    Lines that are not published at all are for the rules to refuse.
    """
    for line in lines:
        row = published.rows.get(_key(line))
        if row is not None and row["revision"] != line.revision:
            raise ConflictError(f"the proposal of {_key(line)} has changed since you looked: look again")


def _key(line: LineSeen) -> LineKey:
    return LineKey(line.day, line.product_id, line.location)


def _person(who: Identity) -> Person:
    return Person(who.name, deciding_roles(who.role))


def _line(decision: Decision) -> DecidedLine:
    return DecidedLine(
        day=decision.day,
        product_id=decision.product_id,
        location=decision.location,
        standing=decision.state,
        order_units=float(decision.order_units),
        seen=decision.sequence,
    )


def _made(done: Exported) -> MadeExport:
    export = ExportAnswer.model_validate(done.export, from_attributes=True)
    return MadeExport(
        **export.model_dump(),
        lines=len(done.lines),
        order_units=float(sum(line.order_units for line in done.lines)),
        suppliers=len({line.supplier_id for line in done.lines}),
        finished=list(done.finished),
    )
