"""Users: names, roles, passwords as argon2 hashes, and disabling them.

What belongs here: what may be done to users. What does not: sessions (`sessions.py`) and tokens (`tokens.py`), which
end with their user.
"""

import re
from functools import cache

import sqlalchemy as sa
from sqlalchemy.orm import Session

from nexgen_assets.dashboard.accounts import ApiToken, User, UserSession
from nexgen_assets.dashboard.audit import add_entry
from nexgen_assets.dashboard.roles import Role
from nexgen_assets.decisions.book import Clock, now
from nexgen_assets.decisions.database import DecisionDatabase

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")
SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 1024


class UserError(ValueError):
    """What is asked of users cannot be done; the message says why and what to do."""


class Users:
    """`by` and `address` of a change stand in the audit log."""

    def __init__(self, database: DecisionDatabase, clock: Clock = now) -> None:
        self._database = database
        self._clock = clock

    def add(self, name: str, role: Role, password: str, by: str, address: str | None = None) -> User:
        """Raises UserError if the name is taken, in whatever case, or cannot be one, or the password is too short."""
        if not NAME.fullmatch(name):
            raise UserError(f"{name!r} cannot be a user's name: up to 64 letters, digits and . _ @ + -")
        require_password(password)
        made = User(name=name, role=role.value, password_hash=hashed(password), is_disabled=False)
        with self._database.session() as session:
            taken = session.scalar(sa.select(User.name).where(sa.func.lower(User.name) == name.lower()))
            if taken is not None:
                raise UserError(f"there is a user {taken} already")
            made.created_at = self._clock()
            session.add(made)
            add_entry(session, made.created_at, by, "user added", f"{name} as {role}", address)
        return made

    def all(self) -> list[User]:
        with self._database.session() as session:
            return list(session.scalars(sa.select(User).order_by(User.name)).all())

    def find(self, name: str) -> User | None:
        with self._database.session() as session:
            return session.get(User, name)

    def with_password(self, name: str, password: str) -> User | None:
        """The user of that name, if the password is theirs and they are not disabled.

        A name that nobody has takes as long as a wrong password: the time does not tell which names there are.
        """
        found = self.find(name)
        is_right = matches(found.password_hash if found else _nobodys_hash(), password)
        return found if is_right and found and not found.is_disabled else None

    def set_role(self, name: str, role: Role, by: str, address: str | None = None) -> User:
        """Raises UserError if it would leave nobody who administers users."""
        with self._database.session() as session:
            user = _required(session, name)
            if role is not Role.ADMIN:
                _require_other_admin(session, user)
            user.role = role.value
            add_entry(session, self._clock(), by, "role changed", f"{name} is {role}", address)
            return user

    def set_disabled(self, name: str, by: str, *, is_disabled: bool, address: str | None = None) -> User:
        """Disabling ends every session and token of the user. Raises UserError as `set_role`."""
        with self._database.session() as session:
            user = _required(session, name)
            if is_disabled:
                _require_other_admin(session, user)
                self._end_all(session, name)
            user.is_disabled = is_disabled
            add_entry(session, self._clock(), by, "user disabled" if is_disabled else "user enabled", name, address)
            return user

    def set_password(self, name: str, password: str, by: str, address: str | None = None) -> User:
        """A new password ends every session of the user. Raises UserError if it is too short."""
        require_password(password)
        with self._database.session() as session:
            user = _required(session, name)
            user.password_hash = hashed(password)
            self._end_sessions(session, name)
            add_entry(session, self._clock(), by, "password changed", name, address)
            return user

    def _end_all(self, session: Session, name: str) -> None:
        self._end_sessions(session, name)
        open_tokens = (ApiToken.user_name == name, ApiToken.ended_at.is_(None))
        session.execute(sa.update(ApiToken).where(*open_tokens).values(ended_at=self._clock()))

    def _end_sessions(self, session: Session, name: str) -> None:
        open_sessions = (UserSession.user_name == name, UserSession.ended_at.is_(None))
        session.execute(sa.update(UserSession).where(*open_sessions).values(ended_at=self._clock()))


def require_password(password: str) -> None:
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise UserError(f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")


def hashed(password: str) -> str:
    """An argon2id hash with the parameters of RFC 9106 for little memory, salt and parameters included."""
    from argon2 import PasswordHasher

    return PasswordHasher().hash(password)


def matches(password_hash: str, password: str) -> bool:
    from argon2 import PasswordHasher
    from argon2.exceptions import VerifyMismatchError

    try:
        return PasswordHasher().verify(password_hash, password)
    except VerifyMismatchError:
        return False


@cache
def _nobodys_hash() -> str:
    return hashed("of no user at all")


def _required(session: Session, name: str) -> User:
    user = session.get(User, name)
    if user is None:
        raise UserError(f"there is no user {name}: `nexgen users list` shows them")
    return user


def _require_other_admin(session: Session, user: User) -> None:
    # locked: two admins who demote each other at the same time would leave nobody
    admins = sa.select(User.name).where(User.role == Role.ADMIN.value, ~User.is_disabled).order_by(User.name)
    if session.scalars(admins.with_for_update()).all() == [user.name]:
        raise UserError(f"{user.name} is the last admin: make somebody else admin first")
