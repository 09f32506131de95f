"""Pages that nobody has asked for yet are read ahead: the first person does not wait for the lake."""

from collections.abc import Callable
from typing import Any

import httpx2 as httpx
import pytest

from nexgen_assets.dashboard.door import FrontDoor
from nexgen_assets.dashboard.read_ahead import FORECAST_DAYS, KPI_DAYS, read_ahead
from nexgen_assets.dashboard.roles import Role
from nexgen_assets.io_managers.delta_tables import DeltaTables, TableReader
from nexgen_assets.io_managers.snapshots import SnapshotTables
from nexgen_assets.resources.lake import LakeError
from nexgen_assets_tests.dashboard.conftest import AS

PAGES: dict[str, dict[str, Any]] = {
    "/api/orders": {"limit": 200},
    "/api/exceptions": {},
    "/api/kpis": {"days": KPI_DAYS},
    "/api/forecasts": {"days": FORECAST_DAYS},
    "/api/series/demand": {"product_id": "001", "location": "north", "days": 730},
    "/api/series/past-forecasts": {"product_id": "001", "location": "north", "horizon": 7, "days": 56},
}


@pytest.fixture
def no_lake(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From then on, whoever reads rows of the lake fails."""

    def unreachable(*_: Any, **__: Any) -> Any:
        raise LakeError("rows of the lake are read")

    def begin() -> None:
        monkeypatch.setattr(TableReader, "rows", unreachable)
        monkeypatch.setattr(DeltaTables, "stream", unreachable)
        monkeypatch.setattr(DeltaTables, "query", unreachable)
        monkeypatch.setattr(SnapshotTables, "read", unreachable)
        monkeypatch.setattr(SnapshotTables, "query", unreachable)

    return begin


def statuses(viewer: httpx.Client) -> dict[str, int]:
    return {path: viewer.get(path, params=query).status_code for path, query in PAGES.items()}


def test_first_pages_need_no_rows_of_the_lake_once_they_were_read_ahead(
    door: FrontDoor, as_role: AS, no_lake: Callable[[], None]
) -> None:
    read_ahead(door)
    no_lake()
    assert statuses(as_role(Role.VIEWER)) == dict.fromkeys(PAGES, 200)


def test_first_pages_are_read_by_whoever_asks_where_nothing_was_read_ahead(
    as_role: AS, no_lake: Callable[[], None]
) -> None:
    no_lake()
    assert statuses(as_role(Role.VIEWER)) == dict.fromkeys(PAGES, 503)


def test_a_snapshot_is_read_ahead_once(door: FrontDoor, no_lake: Callable[[], None]) -> None:
    no_lake()
    known = door.lake.view().snapshot_id
    assert read_ahead(door, known) == known
    with pytest.raises(LakeError):
        read_ahead(door, "another")
