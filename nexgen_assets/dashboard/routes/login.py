"""Health, logging in and out, and what everybody may do with their own account."""

from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Cookie, HTTPException, Request, Response

from nexgen_assets.dashboard.accounts import ApiToken
from nexgen_assets.dashboard.answers.common import Problem
from nexgen_assets.dashboard.answers.people import Login, MadeToken, Me, NewPassword, NewToken, TokenAnswer
from nexgen_assets.dashboard.answers.system import Health
from nexgen_assets.dashboard.door import FrontDoor
from nexgen_assets.dashboard.roles import Permission, Role, permissions_of
from nexgen_assets.dashboard.routes.access import NOT_FOUND, PROBLEMS, Address, Door, Who, router
from nexgen_assets.dashboard.sessions import LIFETIME
from nexgen_assets.dashboard.users import UserError
from nexgen_assets.dashboard.wall import COOKIE, Identity

open_routes = APIRouter(prefix="/api", tags=["login"])
routes = router(Permission.READ, "login")


@open_routes.get("/health")
def health() -> Health:
    """Whether the front door serves; open to everybody."""
    from importlib.metadata import version

    return Health(status="ok", version=version("nexgen-assets"))


@open_routes.post(
    "/login", responses={**PROBLEMS, 429: {"model": Problem, "description": "Too many attempts: wait a little"}}
)
def login(asked: Login, request: Request, response: Response, door: Door, origin: Address) -> Me:
    """Start a session: the answer sets its cookie."""
    if not door.limits.admits(asked.name, origin or ""):
        door.audit.add(asked.name, "login refused: too many attempts", None, origin)
        raise HTTPException(429, "too many attempts: wait five minutes", {"Retry-After": "300"})
    user = door.users.with_password(asked.name, asked.password.get_secret_value())
    if user is None:
        door.audit.add(asked.name, "login failed", None, origin)
        raise HTTPException(401, "name or password is wrong")
    response.set_cookie(
        COOKIE,
        door.sessions.start(user, origin),
        max_age=int(LIFETIME.total_seconds()),
        httponly=True,
        samesite="lax",
        secure="https" in (request.url.scheme, urlsplit(door.settings.public_url or "").scheme),
    )
    return _me(Identity(user.name, Role(user.role)), door)


@routes.post("/logout", status_code=204)
def logout(
    response: Response, door: Door, session: Annotated[str | None, Cookie(alias=COOKIE, include_in_schema=False)] = None
) -> None:
    """End this session for good."""
    if session:
        door.sessions.end(session)
    response.delete_cookie(COOKIE, httponly=True, samesite="lax")


@routes.get("/me")
def me(who: Who, door: Door) -> Me:
    """Who is logged in, and what they may do."""
    return _me(who, door)


@routes.post("/me/password", status_code=204)
def change_password(asked: NewPassword, door: Door, who: Who, origin: Address) -> None:
    """A new password for oneself; every session ends, this one too."""
    _require_login(who)
    if not door.limits.admits(who.name, origin or ""):
        raise HTTPException(403, "too many attempts: wait five minutes")
    if door.users.with_password(who.name, asked.old.get_secret_value()) is None:
        raise HTTPException(403, "the old password is wrong")
    door.users.set_password(who.name, asked.new.get_secret_value(), who.name, origin)


@routes.get("/me/tokens")
def my_tokens(door: Door, who: Who) -> list[TokenAnswer]:
    """Tokens of one's own, newest first; their secrets are told once only, when they are made."""
    return [TokenAnswer(**_told(token)) for token in door.tokens.of(who.name)]


@routes.post("/me/tokens", status_code=201)
def make_token(asked: NewToken, door: Door, who: Who, origin: Address) -> MadeToken:
    """A token for a program, with a role and an end."""
    _require_login(who)
    token, made = door.tokens.make(who.name, asked.label, asked.role, asked.days, who.name, origin)
    return MadeToken(**_told(made), token=token)


@routes.delete("/me/tokens/{token_id}", status_code=204, responses=NOT_FOUND)
def end_token(token_id: str, door: Door, who: Who, origin: Address) -> None:
    """End a token of one's own."""
    try:
        door.tokens.end(who.name, token_id, who.name, origin)
    except UserError as error:
        raise HTTPException(404, str(error)) from None


def _require_login(who: Identity) -> None:
    """Whoever got hold of a token must not be able to make themselves another one."""
    if who.is_token:
        raise HTTPException(403, "this needs a login, not a token")


def _me(who: Identity, door: FrontDoor) -> Me:
    permissions = permissions_of(who.role)
    return Me(name=who.name, role=who.role, permissions=permissions, currency=door.settings.currency)


def _told(token: ApiToken) -> dict[str, Any]:
    return {
        "token_id": token.token_id,
        "user": token.user_name,
        "label": token.label,
        "role": token.role,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "is_ended": token.ended_at is not None,
    }
