"""The state of the system: the published snapshot and runs."""

from typing import Annotated

from fastapi import Query

from nexgen_assets.dashboard.answers.system import Runs, SnapshotAnswer
from nexgen_assets.dashboard.queries.freshness import freshness
from nexgen_assets.dashboard.queries.runs import runs as runs_of
from nexgen_assets.dashboard.roles import Permission
from nexgen_assets.dashboard.routes.access import Door, Tables, router

routes = router(Permission.READ, "system")


@routes.get("/snapshot")
def snapshot(door: Door, tables: Tables) -> SnapshotAnswer:
    """Which state of the tables is published, and how fresh it is."""
    return freshness(tables, door.lake.newest(), door.settings.last_complete_day())


@routes.get("/runs")
def runs(door: Door, last: Annotated[int, Query(ge=1, le=200)] = 20) -> Runs:
    """The last runs, and whether the daemon works."""
    return runs_of(door.instance, last)
