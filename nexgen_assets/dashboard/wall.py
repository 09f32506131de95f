"""The wall around everything that needs a login: who asks, and whether their browser meant to.

What belongs here: recognising the person behind a request or websocket, and refusing those without. What does not:
what a role may do (`routes/access.py`). It stands around the whole application, so that a route cannot forget it.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from anyio import to_thread
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from nexgen_assets.dashboard.door import FrontDoor
from nexgen_assets.dashboard.roles import Role
from nexgen_assets.decisions.database import DatabaseError

COOKIE = "nexgen_session"
# the login page and what it is made of hold no data; everything else is below one of these
GUARDED = ("/api", "/dagster")
OPEN = frozenset({"/api/health", "/api/login"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
NO_LOGIN, WRONG_ORIGIN = 4401, 4403  # close codes of websockets


@dataclass(frozen=True)
class Identity:
    """Who asks. A program with a token has no cookie that another site could make its browser send."""

    name: str
    role: Role
    is_token: bool = False


class Wall:
    def __init__(self, app: ASGIApp, door: FrontDoor) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        try:
            refused = await self._refused(scope)
        except DatabaseError as error:
            refused = 503, str(error)
        if refused is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": NO_LOGIN if refused[0] == 401 else WRONG_ORIGIN})
        else:
            await _answer(*refused)(scope, receive, send)

    async def _refused(self, scope: Scope) -> tuple[int, str] | None:
        """Status and words for whoever may not pass; notes who asks for those who may."""
        is_guarded = is_below(scope["path"], *GUARDED) and scope["path"] not in OPEN
        identity = await to_thread.run_sync(self._identity, HTTPConnection(scope)) if is_guarded else None
        if is_guarded and identity is None:
            return 401, "log in first"
        is_unsafe = scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS
        if is_unsafe and not (identity and identity.is_token) and not is_same_origin(Headers(scope=scope)):
            return 403, "this request comes from another site: its Origin is not this host"
        scope.setdefault("state", {})["identity"] = identity
        return None

    def _identity(self, connection: HTTPConnection[Any]) -> Identity | None:
        kind, _, token = connection.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            bearer = self._door.tokens.bearer(token.strip())
            return Identity(bearer.name, bearer.role, is_token=True) if bearer else None
        cookie = connection.cookies.get(COOKIE)
        user = self._door.sessions.user_of(cookie) if cookie else None
        return Identity(user.name, Role(user.role)) if user else None


def is_below(path: str, *prefixes: str) -> bool:
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in prefixes)


def is_same_origin(headers: Headers) -> bool:
    """Whether `Origin` names the host that was asked; a browser always sends it with what is not a plain GET."""
    origin = headers.get("origin", "")
    return bool(origin) and urlsplit(origin).netloc.lower() == headers.get("host", "").lower() != ""


def _answer(status: int, words: str) -> JSONResponse:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return JSONResponse({"detail": words}, status, headers)
