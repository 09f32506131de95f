"""The record of uploads in the database of decisions: whose file it is, what the check found, where it went.

What belongs here: the table and the changes of state that are allowed. What does not: the files themselves
(`storing.py`), and what becomes of a committed file in runs, which is never stored (`progress.py`).
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, defer, mapped_column

from nexgen_assets.dashboard.audit import add_entry
from nexgen_assets.decisions.book import Clock, now
from nexgen_assets.decisions.database import DecisionDatabase
from nexgen_assets.decisions.rules import ConflictError
from nexgen_assets.decisions.schema import Base, Instant


class State(StrEnum):
    """What was done with an upload here; a refused file cannot be used, of a failed check nothing is known."""

    RECEIVED = "received"
    CHECKED = "checked"
    REFUSED = "refused"
    FAILED = "failed"
    COMMITTING = "committing"
    COMMITTED = "committed"


# a person may still commit, check again or discard these
OPEN = (State.RECEIVED, State.CHECKED, State.REFUSED, State.FAILED)


class UploadRow(Base):
    """One file that somebody uploaded. `landing_key` is its key below `landing/` once somebody committed it."""

    __tablename__ = "uploads"
    __table_args__ = (
        sa.Index("uploads_of_user", "uploaded_by", "uploaded_at"),
        # two commits to one key would not see each other's file
        sa.Index(
            "uploads_one_commit",
            "landing_key",
            unique=True,
            sqlite_where=sa.text("state = 'committing'"),
            postgresql_where=sa.text("state = 'committing'"),
        ),
    )

    upload_id: Mapped[str] = mapped_column(sa.String, primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String)
    name: Mapped[str] = mapped_column(sa.String)
    uploaded_by: Mapped[str] = mapped_column(sa.String)
    uploaded_at: Mapped[datetime] = mapped_column(Instant)
    bytes: Mapped[int] = mapped_column(sa.BigInteger)
    content_hash: Mapped[str] = mapped_column(sa.String)
    state: Mapped[str] = mapped_column(sa.String)
    problem: Mapped[str | None] = mapped_column(sa.String)
    checked_at: Mapped[datetime | None] = mapped_column(Instant)
    report: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    landing_key: Mapped[str | None] = mapped_column(sa.String)
    committed_at: Mapped[datetime | None] = mapped_column(Instant)


class UploadBook:
    """Every change names the states that it may start from: of two people who try, one succeeds."""

    def __init__(self, database: DecisionDatabase, clock: Clock = now) -> None:
        self._database = database
        self._clock = clock

    def add(self, row: UploadRow, address: str | None) -> None:
        row.uploaded_at, row.state = self._clock(), State.RECEIVED.value
        with self._database.session() as session:
            session.add(row)
            about = f"{row.upload_id} {row.kind} {row.name}"
            add_entry(session, row.uploaded_at, row.uploaded_by, "file uploaded", about, address)

    def find(self, upload_id: str) -> UploadRow | None:
        with self._database.session() as session:
            return session.get(UploadRow, upload_id)

    def last(self, count: int, of: str | None = None) -> list[UploadRow]:
        """The last uploads, newest first; of one user if told. Without reports, which may be large."""
        query = sa.select(UploadRow).options(defer(UploadRow.report, raiseload=True))
        if of is not None:
            query = query.where(UploadRow.uploaded_by == of)
        query = query.order_by(UploadRow.uploaded_at.desc(), UploadRow.upload_id).limit(count)
        with self._database.session() as session:
            return list(session.scalars(query).all())

    def open_before(self, moment: datetime) -> list[str]:
        """Uploads from before that moment that nobody committed."""
        query = sa.select(UploadRow.upload_id).where(
            UploadRow.uploaded_at < moment, UploadRow.state.in_([state.value for state in OPEN])
        )
        with self._database.session() as session:
            return list(session.scalars(query).all())

    def not_committed(self) -> set[str]:
        """Uploads whose file may still be needed."""
        query = sa.select(UploadRow.upload_id).where(UploadRow.state != State.COMMITTED.value)
        with self._database.session() as session:
            return set(session.scalars(query).all())

    def check_again(self, upload_id: str) -> bool:
        """The upload waits for a check once more."""
        changes = {"state": State.RECEIVED.value, "report": None, "problem": None, "checked_at": None}
        return self._change(upload_id, OPEN, changes)

    def checked(self, upload_id: str, report: dict[str, Any]) -> bool:
        """Keep what the check found, whether the file can be used or not."""
        state = State.REFUSED if report["problem"] else State.CHECKED
        changes = {"state": state.value, "report": report, "problem": report["problem"], "checked_at": self._clock()}
        return self._change(upload_id, (State.RECEIVED,), changes)

    def check_failed(self, upload_id: str, why: str) -> bool:
        changes = {"state": State.FAILED.value, "problem": why, "checked_at": self._clock()}
        return self._change(upload_id, (State.RECEIVED,), changes)

    def claim(self, upload_id: str, landing_key: str) -> None:
        """Take the key for this upload until it is committed or released.

        Raises ConflictError if the upload cannot be committed now, or another one is being committed to the key.
        """
        changes = {"state": State.COMMITTING.value, "landing_key": landing_key}
        try:
            is_claimed = self._change(upload_id, (State.CHECKED,), changes)
        except IntegrityError:
            raise ConflictError(f"another file is being committed as {landing_key}: try again in a moment") from None
        if not is_claimed:
            raise ConflictError("somebody else has committed, checked or discarded this upload: look again")

    def release(self, upload_id: str) -> None:
        """Give the key back: nothing was committed."""
        self._change(upload_id, (State.COMMITTING,), {"state": State.CHECKED.value, "landing_key": None})

    def committed(self, upload_id: str, who: str, what: str, address: str | None) -> None:
        """The file has landed; the audit log gets its entry once, whoever finishes the commit."""
        moment = self._clock()
        changes = {"state": State.COMMITTED.value, "committed_at": moment}
        with self._database.session() as session:
            if _changed(session, upload_id, (State.COMMITTING,), changes):
                add_entry(session, moment, who, "upload committed", f"{upload_id} {what}", address)

    def discard(self, upload_id: str, who: str, address: str | None = None) -> bool:
        """Forget an upload that nobody committed; False if there is none any more."""
        with self._database.session() as session:
            statement = sa.delete(UploadRow).where(*_is(upload_id, OPEN)).returning(UploadRow.upload_id)
            is_gone = session.scalar(statement) is not None
            if is_gone:
                add_entry(session, self._clock(), who, "upload discarded", upload_id, address)
            return is_gone

    def _change(self, upload_id: str, states: Sequence[State], changes: dict[str, Any]) -> bool:
        with self._database.session() as session:
            return _changed(session, upload_id, states, changes)


def _changed(session: Session, upload_id: str, states: Sequence[State], changes: dict[str, Any]) -> bool:
    statement = sa.update(UploadRow).where(*_is(upload_id, states)).values(changes).returning(UploadRow.upload_id)
    return session.scalar(statement) is not None


def _is(upload_id: str, states: Sequence[State]) -> tuple[sa.ColumnElement[bool], ...]:
    return UploadRow.upload_id == upload_id, UploadRow.state.in_([state.value for state in states])
