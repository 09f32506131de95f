"""API tokens: what a program shows in place of a login, with a role and an end.

What belongs here: making, recognising and ending tokens. What does not: the header they come in (`wall.py`). The
database holds a hash of the secret, which is random and long: a fast hash is enough.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

import sqlalchemy as sa

from nexgen_assets.dashboard.accounts import ApiToken, User
from nexgen_assets.dashboard.audit import add_entry
from nexgen_assets.dashboard.roles import Role
from nexgen_assets.dashboard.users import UserError
from nexgen_assets.decisions.book import Clock, now
from nexgen_assets.decisions.database import DecisionDatabase

PREFIX = "nxg"


@dataclass(frozen=True)
class Bearer:
    """Who a token speaks for, in the lesser of its role and theirs."""

    name: str
    role: Role


class Tokens:
    def __init__(self, database: DecisionDatabase, clock: Clock = now) -> None:
        self._database = database
        self._clock = clock

    def make(  # noqa: PLR0917
        self, name: str, label: str, role: Role, days: int, by: str, address: str | None = None
    ) -> tuple[str, ApiToken]:
        """The token, which nobody can read again, and what is kept of it.

        Raises UserError if there is no such user, they are disabled, or have a lesser role.
        """
        token_id, secret, at = secrets.token_hex(8), secrets.token_urlsafe(32), self._clock()
        with self._database.session() as session:
            user = session.get(User, name)
            if user is None or user.is_disabled:
                raise UserError(f"there is no user {name} who is not disabled: `nexgen users list` shows them")
            if role.rank > Role(user.role).rank:
                raise UserError(f"{name} is {user.role}: a token of theirs cannot be {role}")
            made = ApiToken(
                token_id=token_id,
                user_name=name,
                label=label,
                role=role.value,
                secret_hash=_hash(secret),
                created_at=at,
                expires_at=at + timedelta(days=days),
            )
            session.add(made)
            add_entry(session, at, by, "token made", f"{token_id} of {name} as {role}: {label}", address)
        return f"{PREFIX}_{token_id}_{secret}", made

    def of(self, name: str) -> list[ApiToken]:
        """The tokens of a user, newest first."""
        query = sa.select(ApiToken).where(ApiToken.user_name == name).order_by(ApiToken.created_at.desc())
        with self._database.session() as session:
            return list(session.scalars(query).all())

    def bearer(self, token: str) -> Bearer | None:
        """Who shows the token; None if it is none, is over, or its user is disabled."""
        prefix, _, rest = token.partition("_")
        token_id, _, secret = rest.partition("_")
        if prefix != PREFIX or not secret:
            return None
        with self._database.session() as session:
            found = session.get(ApiToken, token_id)
            user = session.get(User, found.user_name) if found else None
        if found is None or user is None or not hmac.compare_digest(found.secret_hash, _hash(secret)):
            return None
        if user.is_disabled or found.ended_at is not None or found.expires_at <= self._clock():
            return None
        return Bearer(user.name, min(Role(found.role), Role(user.role), key=lambda role: role.rank))

    def end(self, name: str, token_id: str, by: str, address: str | None = None) -> None:
        """Raises UserError if the user has no such token."""
        with self._database.session() as session:
            found = session.get(ApiToken, token_id)
            if found is None or found.user_name != name:
                raise UserError(f"{name} has no token {token_id}")
            if found.ended_at is None:
                found.ended_at = at = self._clock()
                add_entry(session, at, by, "token ended", f"{token_id} of {name}", address)


def _hash(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
