"""The audit log: who did what to users, sessions and orders, and from where.

What belongs here: writing and reading entries. What does not: the history of order lines (`decisions/book.py`).
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from nexgen_assets.dashboard.accounts import AuditRow
from nexgen_assets.decisions.book import Clock, now
from nexgen_assets.decisions.database import DecisionDatabase

LONGEST = 500


@dataclass(frozen=True)
class AuditPage:
    """Entries newest first. `older` is the first entry of the next page, None at the end."""

    entries: list[AuditRow]
    older: int | None


class AuditLog:
    def __init__(self, database: DecisionDatabase, clock: Clock = now) -> None:
        self._database = database
        self._clock = clock

    def add(self, who: str, what: str, about: str | None = None, address: str | None = None) -> None:
        with self._database.session() as session:
            add_entry(session, self._clock(), who, what, about, address)

    def entries(self, last: int = 100) -> list[AuditRow]:
        """The last entries, newest first."""
        return self.page(last).entries

    def page(self, size: int, who: str | None = None, what: str | None = None, start: int | None = None) -> AuditPage:
        """Entries of a person (a part of their name will do) and an action, from entry `start` on back in time.

        Pages begin at an entry, not at a count: what is written meanwhile shifts none.
        """
        query = sa.select(AuditRow).order_by(AuditRow.entry_id.desc()).limit(size + 1)
        if who:
            query = query.where(AuditRow.who.icontains(who, autoescape=True))
        if what:
            query = query.where(AuditRow.what == what)
        if start is not None:
            query = query.where(AuditRow.entry_id <= start)
        with self._database.session() as session:
            found = list(session.scalars(query).all())
        return AuditPage(found[:size], found[size].entry_id if len(found) > size else None)

    def actions(self) -> list[str]:
        """Every action that ever stood in the log, by name."""
        with self._database.session() as session:
            return list(session.scalars(sa.select(AuditRow.what).distinct().order_by(AuditRow.what)).all())


def add_entry(  # noqa: PLR0917
    session: Session, at: datetime, who: str, what: str, about: str | None = None, address: str | None = None
) -> None:
    """The same within a transaction, so that the entry stands if and only if what it tells of happened."""
    about = about[:LONGEST] if about else None
    session.add(AuditRow(at=at, who=who[:LONGEST], what=what, about=about, address=address))
