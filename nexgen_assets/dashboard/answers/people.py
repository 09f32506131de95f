"""Who is who: users, tokens and the audit log, as the API tells them.

What belongs here: requests and answers about people. What does not: any secret but those that are told once.
"""

from datetime import datetime

from pydantic import Field, SecretStr

from nexgen_assets.dashboard.answers.common import Model
from nexgen_assets.dashboard.roles import Permission, Role

NAME = r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$"


class Login(Model):
    name: str = Field(min_length=1, max_length=64)
    password: SecretStr = Field(min_length=1, max_length=1024)


class Me(Model):
    """Who is logged in, and what the screen may offer."""

    name: str
    role: Role
    permissions: list[Permission]
    currency: str | None = Field(description="ISO currency of all money; null if not told")


class NewPassword(Model):
    old: SecretStr = Field(min_length=1, max_length=1024)
    new: SecretStr = Field(min_length=12, max_length=1024, description="At least 12 characters")


class NewUser(Model):
    name: str = Field(pattern=NAME)
    role: Role
    password: SecretStr = Field(min_length=12, max_length=1024, description="At least 12 characters")


class UserAnswer(Model):
    name: str
    role: Role
    is_disabled: bool
    created_at: datetime
    last_login_at: datetime | None


class ChangedUser(Model):
    """What is null stays as it is."""

    role: Role | None = None
    is_disabled: bool | None = None
    password: SecretStr | None = Field(None, min_length=12, max_length=1024)


class NewToken(Model):
    label: str = Field(min_length=1, max_length=100, description="What it is for")
    role: Role = Field(description="No more than the user's own")
    days: int = Field(90, ge=1, le=366, description="Days until it expires")


class TokenAnswer(Model):
    token_id: str
    user: str
    label: str
    role: Role
    created_at: datetime
    expires_at: datetime
    is_ended: bool


class MadeToken(TokenAnswer):
    token: str = Field(description="Send it as `Authorization: Bearer ...`; it is shown this once")


class AuditEntry(Model):
    """One thing somebody did, or tried."""

    entry_id: int
    at: datetime
    who: str
    what: str
    about: str | None
    address: str | None = Field(description="Network address it came from; empty for the command line")


class Audit(Model):
    """A page of the audit log, newest first."""

    entries: list[AuditEntry]
    older: int | None = Field(description="Send it as `start` for the page that follows; null at the end")
    actions: list[str] = Field(description="Every action there is in the log, for the filter")
