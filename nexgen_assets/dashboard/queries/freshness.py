"""How fresh the tables of a snapshot are."""

from datetime import date

from nexgen_assets.dashboard.answers.system import SnapshotAnswer, TableState
from nexgen_assets.dashboard.reading import View
from nexgen_assets.io_managers.snapshots import Snapshot
from nexgen_assets.tables import DAILY_DEMAND, FORECASTS, REORDER_RECOMMENDATIONS, TABLES


def freshness(view: View, newest: Snapshot, last_complete_day: date) -> SnapshotAnswer:
    """What is published, and how it compares with the tables as they are now and with yesterday."""
    sales_day, orders_day = view.last_day(DAILY_DEMAND), view.last_day(REORDER_RECOMMENDATIONS)
    tables = [
        TableState(
            name=name,
            version=view.snapshot.versions.get(name),
            newest_day=view.last_day(table) if table.is_daily else None,
            is_behind=view.snapshot.versions.get(name) != newest.versions.get(name),
        )
        for name, table in TABLES.items()
    ]
    return SnapshotAnswer(
        snapshot_id=view.snapshot_id,
        published_at=view.snapshot.published_at,
        run_id=view.snapshot.run_id,
        sales_day=sales_day,
        orders_day=orders_day,
        forecast_origin=view.last_day(FORECASTS),
        last_complete_day=last_complete_day,
        days_behind=(last_complete_day - sales_day).days if sales_day else None,
        is_fresh=orders_day is not None and orders_day >= last_complete_day,
        tables=tables,
    )
