"""From settings to the book of decisions.

What belongs here: which database a deployment uses. What does not: what stands in it (`decisions/`).
"""

import sqlalchemy as sa

from nexgen_assets.decisions.book import DecisionBook
from nexgen_assets.decisions.database import DecisionDatabase
from nexgen_assets.decisions.destinations import PREFIX, StoreFolder
from nexgen_assets.resources.lake import S3Access, deployment_id
from nexgen_assets.settings import Settings


def open_book(settings: Settings) -> DecisionBook:
    """The deployment's book of decisions, its database made or brought up to date if need be.

    Raises DatabaseError with what to do.
    """
    return DecisionBook(DecisionDatabase(_url(settings), settings.deployment, deployment_id(settings)))


def export_folder(access: S3Access) -> StoreFolder:
    """Where exports go unless another folder is told: below the lake's prefix."""
    return StoreFolder(access.store(PREFIX), f"{access.root}/{PREFIX}")


def _url(settings: Settings) -> sa.URL | str:
    if settings.database_url and settings.database_url.get_secret_value():
        return settings.database_url.get_secret_value()
    file = settings.home_path / "decisions" / f"{settings.deployment}.db"
    return sa.URL.create("sqlite", database=str(file))
