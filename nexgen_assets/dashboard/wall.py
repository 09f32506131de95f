"""The wall around everything that needs a login: who asks, and whether their browser meant to.

What belongs here: recognising the person behind a request or websocket, and refusing those without. What does not:
what a role may do (`routes/access.py`). It stands around the whole application, so that a route cannot forget it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from anyio import to_thread
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nexgen_assets.dashboard.door import FrontDoor
from nexgen_assets.dashboard.roles import Role
from nexgen_assets.decisions.database import DatabaseError

COOKIE = "nexgen_session"
DAGSTER = "/dagster"
# the login page and what it is made of hold no data; everything else is below one of these
GUARDED = ("/api", DAGSTER)
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
        is_websocket = scope["type"] == "websocket"
        if refused is None and is_websocket:
            watched = WatchedSocket(receive, send, lambda: self._may_stay(scope))
            await self._app(scope, watched.receive, watched.send)
        elif refused is None:
            await self._app(scope, receive, send)
        elif is_websocket:
            await receive()
            await send({"type": "websocket.close", "code": NO_LOGIN if refused[0] == 401 else WRONG_ORIGIN})
        elif refused[0] == 401 and _is_page_of_dagster(scope):
            await RedirectResponse(f"/?{urlencode({'next': scope['path']})}", 303)(scope, receive, send)
        else:
            await _answer(*refused)(scope, receive, send)

    async def _refused(self, scope: Scope) -> tuple[int, str] | None:
        """Status and words for whoever may not pass; notes who asks for those who may."""
        is_guarded = is_below(scope["path"], *GUARDED) and scope["path"] not in OPEN
        identity = await self._asking(scope) if is_guarded else None
        if is_guarded and identity is None:
            return 401, "log in first"
        is_unsafe = scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS
        is_bearer = identity is not None and identity.is_token
        if is_unsafe and not is_bearer and not is_same_origin(Headers(scope=scope), self._door.settings.public_url):
            return 403, "this request comes from another site: its Origin is not this host"
        scope.setdefault("state", {})["identity"] = identity
        return None

    async def _may_stay(self, scope: Scope) -> bool:
        """Whether who opened the websocket is still who they were then, in the same role."""
        try:
            return await self._asking(scope) == scope["state"]["identity"]
        except DatabaseError:
            return False

    async def _asking(self, scope: Scope) -> Identity | None:
        return await to_thread.run_sync(self._identity, HTTPConnection(scope))

    def _identity(self, connection: HTTPConnection[Any]) -> Identity | None:
        kind, _, token = connection.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            bearer = self._door.tokens.bearer(token.strip())
            return Identity(bearer.name, bearer.role, is_token=True) if bearer else None
        cookie = connection.cookies.get(COOKIE)
        user = self._door.sessions.user_of(cookie) if cookie else None
        return Identity(user.name, Role(user.role)) if user else None


class WatchedSocket:
    """A websocket that carries a message, either way, only while its opener may have it, and is closed otherwise."""

    def __init__(self, receive: Receive, send: Send, may_stay: Callable[[], Awaitable[bool]]) -> None:
        self._receive = receive
        self._send = send
        self._may_stay = may_stay
        self._is_closed = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] != "websocket.receive" or await self._may_stay():
            return message
        await self._close()
        return {"type": "websocket.disconnect", "code": NO_LOGIN}

    async def send(self, message: Message) -> None:
        if message["type"] == "websocket.send" and not await self._may_stay():
            await self._close()
        elif not self._is_closed:
            await self._send(message)

    async def _close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            await self._send({"type": "websocket.close", "code": NO_LOGIN})


def is_below(path: str, *prefixes: str) -> bool:
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in prefixes)


def is_same_origin(headers: Headers, public_url: str | None = None) -> bool:
    """Whether `Origin` names the host that was asked, or the address that a proxy serves.

    A browser always sends it with what is not a plain GET.
    """
    origin = headers.get("origin", "").lower()
    return bool(origin) and (origin == public_url or urlsplit(origin).netloc == headers.get("host", "").lower() != "")


def _is_page_of_dagster(scope: Scope) -> bool:
    """Whether a browser asks for a page that a person looks at."""
    is_page = "text/html" in Headers(scope=scope).get("accept", "")
    return is_page and scope["method"] == "GET" and is_below(scope["path"], DAGSTER)


def _answer(status: int, words: str) -> Response:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return JSONResponse({"detail": words}, status, headers)
