"""Users and the audit log, for admins."""

from typing import Annotated

from fastapi import HTTPException, Query

from nexgen_assets.dashboard.answers.people import Audit, AuditEntry, ChangedUser, NewUser, UserAnswer
from nexgen_assets.dashboard.roles import Permission
from nexgen_assets.dashboard.routes.access import NOT_FOUND, Address, Door, Who, router

routes = router(Permission.ADMINISTER, "people")
MOST_ENTRIES = 2**63 - 1  # what an entry's number can be in the database


@routes.get("/users")
def users(door: Door) -> list[UserAnswer]:
    """All users, by name."""
    return [UserAnswer.model_validate(user, from_attributes=True) for user in door.users.all()]


@routes.post("/users", status_code=201)
def add_user(asked: NewUser, door: Door, who: Who, origin: Address) -> UserAnswer:
    """A new user, who should change the password they are told."""
    made = door.users.add(asked.name, asked.role, asked.password.get_secret_value(), who.name, origin)
    return UserAnswer.model_validate(made, from_attributes=True)


@routes.patch("/users/{name}", responses=NOT_FOUND)
def change_user(name: str, asked: ChangedUser, door: Door, who: Who, origin: Address) -> UserAnswer:
    """Another role or password; disabling ends the user's sessions and tokens."""
    if door.users.find(name) is None:
        raise HTTPException(404, f"there is no user {name}")
    if asked.role is not None:
        door.users.set_role(name, asked.role, who.name, origin)
    if asked.password is not None:
        door.users.set_password(name, asked.password.get_secret_value(), who.name, origin)
    if asked.is_disabled is not None:
        door.users.set_disabled(name, who.name, is_disabled=asked.is_disabled, address=origin)
    return UserAnswer.model_validate(door.users.find(name), from_attributes=True)


@routes.get("/audit")
def audit(
    door: Door,
    who: Annotated[str | None, Query(max_length=500, description="A name, or a part of one")] = None,
    what: Annotated[str | None, Query(max_length=500, description="An action")] = None,
    start: Annotated[int | None, Query(ge=1, le=MOST_ENTRIES, description="The entry to begin with")] = None,
    last: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Audit:
    """Who did what, newest first."""
    page = door.audit.page(last, who, what, start)
    return Audit(
        entries=[AuditEntry.model_validate(entry, from_attributes=True) for entry in page.entries],
        older=page.older,
        actions=door.audit.actions(),
    )
