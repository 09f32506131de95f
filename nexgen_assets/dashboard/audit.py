"""The audit log: who did what to users, sessions and orders, and from where.

What belongs here: writing and reading entries. What does not: the history of order lines (`decisions/book.py`).
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from nexgen_assets.dashboard.accounts import AuditRow
from nexgen_assets.decisions.book import Clock, now
from nexgen_assets.decisions.database import DecisionDatabase

LONGEST = 500


class AuditLog:
    def __init__(self, database: DecisionDatabase, clock: Clock = now) -> None:
        self._database = database
        self._clock = clock

    def add(self, who: str, what: str, about: str | None = None, address: str | None = None) -> None:
        with self._database.session() as session:
            add_entry(session, self._clock(), who, what, about, address)

    def entries(self, last: int = 100) -> list[AuditRow]:
        """The last entries, newest first."""
        query = sa.select(AuditRow).order_by(AuditRow.entry_id.desc()).limit(last)
        with self._database.session() as session:
            return list(session.scalars(query).all())


def add_entry(  # noqa: PLR0917
    session: Session, at: datetime, who: str, what: str, about: str | None = None, address: str | None = None
) -> None:
    """The same within a transaction, so that the entry stands if and only if what it tells of happened."""
    about = about[:LONGEST] if about else None
    session.add(AuditRow(at=at, who=who[:LONGEST], what=what, about=about, address=address))
