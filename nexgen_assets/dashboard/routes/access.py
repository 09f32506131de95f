"""What routes are given: the front door, who asks, and one view of the tables; and the permission a route needs.

What belongs here: FastAPI dependencies. What does not: recognising people (`wall.py`).
"""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request

from nexgen_assets.dashboard.answers.common import Problem
from nexgen_assets.dashboard.door import FrontDoor
from nexgen_assets.dashboard.reading import View
from nexgen_assets.dashboard.roles import LEAST_ROLE, Permission, is_allowed
from nexgen_assets.dashboard.wall import Identity

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": what}
    for status, what in {
        401: "Nobody is logged in",
        403: "Not with this role, or from another site",
        422: "Not understood, or against the rules",
        503: "A store cannot be reached, or a table needs an upgrade",
    }.items()
}
CONFLICT: dict[int | str, dict[str, Any]] = {409: {"model": Problem, "description": "Somebody decided first"}}
NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "There is none"}}


def front_door(request: Request) -> FrontDoor:
    return request.app.state.door


def identity(request: Request) -> Identity:
    """Who passed the wall; there is somebody behind every guarded route."""
    found: Identity | None = request.state.identity
    if found is None:
        raise HTTPException(401, "log in first")
    return found


def address(request: Request) -> str | None:
    return request.client.host if request.client else None


Door = Annotated[FrontDoor, Depends(front_door)]
Who = Annotated[Identity, Depends(identity)]
Address = Annotated[str | None, Depends(address)]


def view(door: Door) -> View:
    return door.lake.view()


Tables = Annotated[View, Depends(view)]


def needs(permission: Permission) -> Callable[[Identity], None]:
    """A dependency that refuses whoever lacks the permission."""

    def check(who: Who) -> None:
        if not is_allowed(who.role, permission):
            raise HTTPException(403, f"this needs the role {LEAST_ROLE[permission]}; you are {who.role}")

    return check


def router(permission: Permission, tag: str, prefix: str = "") -> APIRouter:
    """Routes that all need one permission."""
    return APIRouter(prefix=f"/api{prefix}", tags=[tag], dependencies=[Depends(needs(permission))], responses=PROBLEMS)
