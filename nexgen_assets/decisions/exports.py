"""Handing approved orders over: one CSV file per supplier and one JSON file for all, never twice unnoticed.

What belongs here: which lines an export holds, and the order of steps that keeps database and files together. What
does not: how a file looks (`order_files.py`), and where files go (a `Destination`).

An export is recorded first, in one transaction with the lines' new state; its files follow, and are a function of the
record alone. Whoever is killed in between leaves an export without files, which the next export writes first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from nexgen_assets.decisions.book import DecisionBook, add_event, follow, in_state, key_of
from nexgen_assets.decisions.order_files import OrderFile, OrderLine, files_of
from nexgen_assets.decisions.rules import Action, ConflictError, DecisionError, Person, State, require_role
from nexgen_assets.decisions.schema import DecidedRow, Decision, OrderExport, OrderExportLine

ID_DIGITS = 10


class DeliveryError(RuntimeError):
    """An export is recorded, but its files are not written; the message says what to do."""


class Destination(Protocol):
    """Where the files of an export go."""

    def write(self, export_id: str, files: Sequence[OrderFile]) -> str:
        """Write the files such that nobody takes half of them for all; the same again is no change. Returns where."""
        ...


@dataclass(frozen=True)
class Exported:
    """What an export did: its record, its lines, and the interrupted exports whose files it wrote first."""

    export: OrderExport
    lines: tuple[OrderLine, ...]
    finished: tuple[str, ...] = ()


def export_orders(
    book: DecisionBook, by: Person, destination: Destination, *, supplier_id: str | None = None, key: str | None = None
) -> Exported:
    """Export every approved line that orders something, of one supplier if told.

    `key` names the request: asked again with it, the answer is the first one's export. Raises DecisionError if nothing
    is approved, ConflictError if somebody else exports at the same moment, DeliveryError if files cannot be written.
    """
    require_role(Action.EXPORT, by)
    finished = _finish(book, destination)
    with book.database.session() as session:
        export = _found(session, key) or _record(session, book, by, supplier_id, key)
    return _deliver(book, export, destination, finished)


def export_again(
    book: DecisionBook, by: Person, destination: Destination, export_id: str, reason: str | None = None
) -> Exported:
    """Export the same lines once more, marked as a copy in every file; lines cancelled since are left out.

    Raises DecisionError if there is no such export, or nothing of it is left.
    """
    require_role(Action.EXPORT, by)
    finished = _finish(book, destination)
    with book.database.session() as session:
        export = _record_copy(session, book, by, export_id, reason)
    return _deliver(book, export, destination, finished)


def exports(book: DecisionBook, last: int = 100) -> list[OrderExport]:
    """The last exports, newest first."""
    query = sa.select(OrderExport).order_by(OrderExport.exported_at.desc(), OrderExport.export_id).limit(last)
    with book.database.session() as session:
        return list(session.scalars(query).all())


def _record(session: Session, book: DecisionBook, by: Person, supplier_id: str | None, key: str | None) -> OrderExport:
    """One transaction: the export, its lines, and an event that makes each of them exported."""
    approved = [line for line in in_state(session, State.APPROVED, supplier_id=supplier_id) if line.order_units > 0]
    if not approved:
        raise DecisionError(_nothing_to_export(session, supplier_id))
    content = _content_hash(approved)
    newest = max(line.order_date for line in approved)
    export = OrderExport(
        export_id=f"{newest}-{content[:ID_DIGITS]}",
        key=key or content,
        content_hash=content,
        exported_by=by.name,
        exported_at=book.clock(),
    )
    _add(session, export, approved)
    for line in approved:
        add_event(session, follow(Action.EXPORT, line, export.export_id), by, None, export.exported_at)
    _flush(session)
    return export


def _record_copy(session: Session, book: DecisionBook, by: Person, export_id: str, reason: str | None) -> OrderExport:
    first = session.get(OrderExport, export_id)
    if first is None:
        raise DecisionError(f"there is no export {export_id}: `nexgen orders exports` lists them")
    first_id = first.copy_of or first.export_id
    lines = [line for line in in_state(session, State.EXPORTED) if line.export_id == first_id]
    if not lines:
        raise DecisionError(f"every order of the export {first_id} was cancelled: nothing is left to copy")
    copies = session.scalar(sa.select(sa.func.count()).where(OrderExport.copy_of == first_id)) or 0
    export = OrderExport(
        export_id=f"{first_id}-copy-{copies + 1}",
        key=f"{first_id}-copy-{copies + 1}",
        content_hash=_content_hash(lines),
        copy_of=first_id,
        exported_by=by.name,
        exported_at=book.clock(),
        reason=(reason or "").strip() or None,
    )
    _add(session, export, lines)
    _flush(session)
    return export


def _add(session: Session, export: OrderExport, lines: Sequence[Decision]) -> None:
    session.add(export)
    _flush(session)
    session.add_all(
        OrderExportLine(
            export_id=export.export_id,
            **key_of(line)._asdict(),
            revision=line.revision,
            order_units=line.order_units,
            is_copy=export.copy_of is not None,
        )
        for line in lines
    )


def _flush(session: Session) -> None:
    try:
        session.flush()
    except IntegrityError:
        raise ConflictError("somebody else exports or cancels the same orders at this moment: look again") from None


def _found(session: Session, key: str | None) -> OrderExport | None:
    return None if key is None else session.scalar(sa.select(OrderExport).where(OrderExport.key == key))


def _content_hash(lines: Sequence[Decision]) -> str:
    told = [f"{key_of(line)!r} {line.revision} {line.order_units}" for line in lines]
    return sha256("\n".join(sorted(told)).encode()).hexdigest()


def _nothing_to_export(session: Session, supplier_id: str | None) -> str:
    whose = "" if supplier_id is None else f" of supplier {supplier_id}"
    last = session.scalar(sa.select(OrderExport).order_by(OrderExport.exported_at.desc()).limit(1))
    again = f"; the last export is {last.export_id}: `--again {last.export_id}` makes a copy of it" if last else ""
    return f"no approved orders{whose} wait to be exported{again}"


def _finish(book: DecisionBook, destination: Destination) -> tuple[str, ...]:
    """Write the files of exports whose writer was killed."""
    with book.database.session() as session:
        query = sa.select(OrderExport).where(OrderExport.written_at.is_(None)).order_by(OrderExport.exported_at)
        left = session.scalars(query).all()
    for export in left:
        _deliver(book, export, destination, ())
    return tuple(export.export_id for export in left)


def _deliver(book: DecisionBook, export: OrderExport, destination: Destination, finished: tuple[str, ...]) -> Exported:
    with book.database.session() as session:
        lines = tuple(_lines(session, export))
    if export.written_at is None:
        try:
            where = destination.write(export.export_id, files_of(export, lines))
        except Exception as error:
            raise DeliveryError(
                f"the export {export.export_id} is recorded, but its files could not be written: {error}. "
                "Export again: what is missing is written first"
            ) from error
        with book.database.session() as session:
            session.add(export)
            export.written_to, export.written_at = where, book.clock()
    return Exported(export, lines, finished)


def _lines(session: Session, export: OrderExport) -> list[OrderLine]:
    """The lines of an export as they were recorded, whatever became of them since."""
    same_row = sa.and_(
        DecidedRow.day == OrderExportLine.day,
        DecidedRow.product_id == OrderExportLine.product_id,
        DecidedRow.location == OrderExportLine.location,
        DecidedRow.revision == OrderExportLine.revision,
    )
    query = sa.select(OrderExportLine.order_units, DecidedRow).join(DecidedRow, same_row)
    found = session.execute(query.where(OrderExportLine.export_id == export.export_id)).all()
    lines = [OrderLine.of(row, units) for units, row in found]
    return sorted(lines, key=lambda line: (line.supplier_id or "", line.order_date, line.product_id, line.location))
