"""What the front door's rooms share: the settings, the lake, the book of decisions, and people.

What belongs here: putting them together for a deployment. What does not: HTTP (`app.py`, `routes/`).
"""

from dataclasses import dataclass

import dagster as dg

from nexgen_assets.dashboard.audit import AuditLog
from nexgen_assets.dashboard.logins import LoginLimits
from nexgen_assets.dashboard.queries.scenarios import Scenarios
from nexgen_assets.dashboard.queries.worklist import Desks
from nexgen_assets.dashboard.reading import Lake
from nexgen_assets.dashboard.sessions import Sessions, session_key
from nexgen_assets.dashboard.tokens import Tokens
from nexgen_assets.dashboard.uploads.desk import UploadDesk
from nexgen_assets.dashboard.uploads.progress import UploadProgress
from nexgen_assets.dashboard.uploads.records import UploadBook
from nexgen_assets.dashboard.uploads.storing import UploadStore
from nexgen_assets.dashboard.users import Users
from nexgen_assets.dashboard.worker import Workers
from nexgen_assets.decisions.book import DecisionBook
from nexgen_assets.io_managers.snapshots import Snapshots
from nexgen_assets.landing_zone import LandingZone
from nexgen_assets.launcher import open_instance
from nexgen_assets.resources.decisions import open_book
from nexgen_assets.resources.lake import open_lake
from nexgen_assets.resources.registry import Champions
from nexgen_assets.settings import Settings


@dataclass(frozen=True)
class FrontDoor:
    settings: Settings
    lake: Lake
    book: DecisionBook
    desks: Desks
    scenarios: Scenarios
    champions: Champions
    instance: dg.DagsterInstance
    users: Users
    sessions: Sessions
    tokens: Tokens
    audit: AuditLog
    limits: LoginLimits
    uploads: UploadDesk
    progress: UploadProgress
    workers: Workers

    @classmethod
    def of(
        cls, settings: Settings, instance: dg.DagsterInstance | None = None, workers: Workers | None = None
    ) -> "FrontDoor":
        """Opens the lake, the database and, unless told, the Dagster instance of the deployment.

        Raises LakeError or DatabaseError with what to do.
        """
        book, access = open_book(settings), open_lake(settings)
        database, workers = book.database, workers or Workers()
        opened, lake = instance or open_instance(settings), Lake(access)
        return cls(
            settings=settings,
            lake=lake,
            book=book,
            desks=Desks(book),
            scenarios=Scenarios(settings, workers.scenarios),
            champions=Champions(access),
            instance=opened,
            users=Users(database),
            sessions=Sessions(database, session_key(settings.home_path / "dashboard")),
            tokens=Tokens(database),
            audit=AuditLog(database),
            limits=LoginLimits(),
            uploads=UploadDesk(settings, UploadStore(access), UploadBook(database), workers.checks),
            progress=UploadProgress(settings, LandingZone(access, settings), Snapshots(lake.tables), opened),
            workers=workers,
        )

    def close(self) -> None:
        """End the processes that work beside this one."""
        self.workers.stop()
