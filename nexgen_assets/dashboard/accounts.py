"""The tables of people in the database of decisions: users, sessions, tokens, and the audit log.

What belongs here: columns and keys as the newest migration leaves them. What does not: who may do what (`roles.py`),
and changing an existing database (`decisions/migrations/`). Of passwords, sessions and tokens only hashes are kept.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from nexgen_assets.decisions.schema import SERIAL, Base, Instant


class User(Base):
    __tablename__ = "dashboard_users"

    name: Mapped[str] = mapped_column(sa.String, primary_key=True)
    role: Mapped[str] = mapped_column(sa.String)
    password_hash: Mapped[str] = mapped_column(sa.String)
    is_disabled: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(Instant)
    last_login_at: Mapped[datetime | None] = mapped_column(Instant)


class UserSession(Base):
    """One login, until it expires or is ended."""

    __tablename__ = "dashboard_sessions"
    __table_args__ = (sa.Index("dashboard_sessions_of_user", "user_name"),)

    session_hash: Mapped[str] = mapped_column(sa.String, primary_key=True)
    user_name: Mapped[str] = mapped_column(sa.ForeignKey("dashboard_users.name"))
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)


class ApiToken(Base):
    """What a program shows in place of a login, with a role of its own."""

    __tablename__ = "dashboard_tokens"
    __table_args__ = (sa.Index("dashboard_tokens_of_user", "user_name"),)

    token_id: Mapped[str] = mapped_column(sa.String, primary_key=True)
    user_name: Mapped[str] = mapped_column(sa.ForeignKey("dashboard_users.name"))
    label: Mapped[str] = mapped_column(sa.String)
    role: Mapped[str] = mapped_column(sa.String)
    secret_hash: Mapped[str] = mapped_column(sa.String)
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)


class AuditRow(Base):
    """One thing that somebody did or tried; only ever added to."""

    __tablename__ = "dashboard_audit"

    entry_id: Mapped[int] = mapped_column(SERIAL, primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant)
    who: Mapped[str] = mapped_column(sa.String)
    what: Mapped[str] = mapped_column(sa.String)
    about: Mapped[str | None] = mapped_column(sa.String)
    address: Mapped[str | None] = mapped_column(sa.String)
