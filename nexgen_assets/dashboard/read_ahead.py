"""Reading what the first pages show before anybody asks: when the server starts, and when a snapshot is published.

What belongs here: when, and which pages. What does not: reading (`reading.py`), and what a page shows (`queries/`).
Requests are answered meanwhile; what is read is kept where they look for it, within the same bounds.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from nexgen_assets.dashboard.door import FrontDoor
from nexgen_assets.dashboard.queries import accuracy, series
from nexgen_assets.dashboard.queries.exceptions import exceptions
from nexgen_assets.dashboard.queries.kpis import kpis
from nexgen_assets.dashboard.queries.worklist import Filters, worklist

FIRST_LOOK_SECONDS = 1.0  # until the server answers
LOOK_SECONDS = 15.0
KPI_DAYS, FORECAST_DAYS = 28, 56  # of the first page, as the front end asks
logger = logging.getLogger(__name__)


@contextmanager
def reading_ahead(door: FrontDoor) -> Iterator[None]:
    """As long as the block lasts."""
    over = Event()
    thread = Thread(target=_look_again, args=(door, over), name="read-ahead pages", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()


def read_ahead(door: FrontDoor, known: str | None = None) -> str | None:
    """Read for the first pages of the published snapshot, unless it is the one that is known. Returns which it is."""
    view = door.lake.view()
    if view.snapshot_id != known:
        page = worklist(view, door.desks.now(view), Filters(), None, 0, 1, descending=False)
        exceptions(view, None, None, None, None, None, 0, 1)
        kpis(view, KPI_DAYS, page.totals)
        accuracy.forecast_totals(view, FORECAST_DAYS, None, None)
        series.read_ahead(view)
    return view.snapshot_id


def _look_again(door: FrontDoor, over: Event) -> None:
    known: str | None = None
    seconds = FIRST_LOOK_SECONDS
    while not over.wait(seconds):
        seconds = LOOK_SECONDS
        try:
            known = read_ahead(door, known)
        except Exception:
            # whoever opens a page is told; the next look tries again
            logger.exception("pages cannot be read ahead")
