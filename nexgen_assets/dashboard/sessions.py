"""Sessions: a login as a signed cookie, until it expires or is ended.

What belongs here: starting, recognising and ending sessions. What does not: cookies as headers (`routes/login.py`), and
checking passwords (`users.py`). The database holds hashes of sessions: who reads it cannot take one over.
"""

import os
import secrets
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import sqlalchemy as sa
from itsdangerous import BadSignature, URLSafeSerializer

from nexgen_assets.dashboard.accounts import User, UserSession
from nexgen_assets.dashboard.audit import add_entry
from nexgen_assets.decisions.book import Clock, now
from nexgen_assets.decisions.database import DecisionDatabase

LIFETIME = timedelta(hours=12)
_ID_BYTES = 32


class Sessions:
    def __init__(self, database: DecisionDatabase, key: str, clock: Clock = now) -> None:
        """`key` signs cookies; with another key, every cookie is refused."""
        self._database = database
        self._signer = URLSafeSerializer(key, salt="nexgen-session")
        self._clock = clock

    def start(self, user: User, address: str | None = None) -> str:
        """The cookie of a new session."""
        session_id, at = secrets.token_urlsafe(_ID_BYTES), self._clock()
        with self._database.session() as session:
            session.add(
                UserSession(
                    session_hash=_hash(session_id), user_name=user.name, created_at=at, expires_at=at + LIFETIME
                )
            )
            session.execute(sa.update(User).where(User.name == user.name).values(last_login_at=at))
            add_entry(session, at, user.name, "login", None, address)
        return str(self._signer.dumps(session_id))

    def user_of(self, cookie: str) -> User | None:
        """Whose session it is; None if it is none, is over, or its user is disabled."""
        session_id = self._opened(cookie)
        if session_id is None:
            return None
        query = (
            sa.select(User)
            .join(UserSession, UserSession.user_name == User.name)
            .where(
                UserSession.session_hash == _hash(session_id),
                UserSession.ended_at.is_(None),
                UserSession.expires_at > self._clock(),
                ~User.is_disabled,
            )
        )
        with self._database.session() as session:
            return session.scalar(query)

    def end(self, cookie: str) -> None:
        """End it for good: the cookie is of no use to anybody who kept it."""
        session_id = self._opened(cookie)
        if session_id is None:
            return
        with self._database.session() as session:
            found, at = session.get(UserSession, _hash(session_id)), self._clock()
            if found is not None and found.ended_at is None:
                found.ended_at = at
                add_entry(session, at, found.user_name, "logout")

    def _opened(self, cookie: str) -> str | None:
        try:
            return str(self._signer.loads(cookie))
        except BadSignature:
            return None


def session_key(folder: Path) -> str:
    """The key that signs cookies, made once and kept in a file that only its owner reads."""
    path = folder / "session_key"
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".session_key.{secrets.token_hex(8)}"
    if not path.exists():
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
        # a link appears with its content or not at all, and never in place of another process's key
        try:
            path.hardlink_to(partial)
        except FileExistsError:
            pass
        finally:
            partial.unlink()
    return path.read_text().strip()


def _hash(session_id: str) -> str:
    return sha256(session_id.encode()).hexdigest()
