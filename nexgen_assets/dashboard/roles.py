"""Who may do what: the one table of roles.

What belongs here: roles, permissions, and which role holds which. What does not: users, sessions, and the rules of
decisions (`decisions/rules.py`).
"""

from enum import StrEnum

from nexgen_assets.decisions import rules


class Role(StrEnum):
    """Each role may do what those before it may."""

    VIEWER = "viewer"
    STORE = "store"
    PLANNER = "planner"
    APPROVER = "approver"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        return list(Role).index(self)


class Permission(StrEnum):
    READ = "read"
    UPLOAD = "upload"
    DECIDE = "decide"
    WHAT_IF = "what_if"
    APPROVE = "approve"
    EXPORT = "export"
    ADMINISTER = "administer"


LEAST_ROLE = {
    Permission.READ: Role.VIEWER,
    Permission.UPLOAD: Role.STORE,
    Permission.DECIDE: Role.PLANNER,
    Permission.WHAT_IF: Role.PLANNER,
    Permission.APPROVE: Role.APPROVER,
    Permission.EXPORT: Role.APPROVER,
    Permission.ADMINISTER: Role.ADMIN,
}


def is_allowed(role: Role, permission: Permission) -> bool:
    return role.rank >= LEAST_ROLE[permission].rank


def permissions_of(role: Role) -> list[Permission]:
    return [permission for permission in Permission if is_allowed(role, permission)]


def deciding_roles(role: Role) -> frozenset[rules.Role]:
    """The same in the words of the book of decisions."""
    held = {Permission.DECIDE: rules.Role.PLANNER, Permission.APPROVE: rules.Role.APPROVER}
    return frozenset(known for permission, known in held.items() if is_allowed(role, permission))
