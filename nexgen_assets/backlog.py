"""What the tables lack of what has landed, and the one run that is needed next.

The state decides, not a list of events: a day is stale if a file that touches it changed after its `raw_sales` was
read, or if a later stage is older than an earlier one. So nothing is lost over restarts, and nothing is done twice.
What belongs here: comparing the manifest with Dagster's records. What does not: reading files (`landing_zone.py`),
when to look (`automation.py`), and how a run is made (`launcher.py`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg

from nexgen_assets.jobs import DAILY, HISTORY
from nexgen_assets.launcher import PlannedRun
from nexgen_assets.partitions import MERGED_GAP_DAYS, DayRange, affected_days

READ_STATE = "landing_files_changed_at"  # metadata of `raw_sales`: the manifest's last change when it was read
_NEVER = datetime.min.replace(tzinfo=UTC)
_RECORDS_AT_ONCE = 1_000


@dataclass(frozen=True)
class Backlog:
    """For each day: when its files last changed, which of that was read, and in which order stages were built.

    The orders of `features`, `raw` and `orders` are Dagster's storage ids, which grow with time.
    """

    landed: Mapping[date, datetime]
    read: Mapping[date, datetime]
    raw: Mapping[date, int]
    features: Mapping[date, int]
    orders: Mapping[date, int]

    @property
    def newest_day(self) -> date | None:
        """The last day that has landed or was built."""
        return max((*self.landed, *self.features), default=None)

    def stale_days(self) -> set[date]:
        """Days whose features are not those of what has landed, and days never built between those that have."""
        changed = {day for day, changed_at in self.landed.items() if changed_at > self.read.get(day, _NEVER)}
        outdated = {day for day, built in self.raw.items() if built > self.features.get(day, 0)}
        never = {day for day in _span(self.landed) if day not in self.features}
        return changed | outdated | never

    def days_without_orders(self, origins: int) -> set[date]:
        """Of the last `origins` days those whose orders are missing, or older than their features."""
        if self.newest_day is None:
            return set()
        window = DayRange(self.newest_day, self.newest_day).preceded_by(origins - 1)
        return {day for day in window if self.features.get(day, 0) > self.orders.get(day, 0)}


def next_run(backlog: Backlog, origins: int, lookback_days: int) -> PlannedRun | None:
    """The run that is needed now, None if nothing is: one at a time, because the next may look back on its days.

    Stale days come first, oldest first, with every later day that looks back on them. A range that is longer than
    `origins`, or ends before the last `origins` days, is built up to its features; the orders of those last days follow
    as a run of their own.
    """
    newest = backlog.newest_day
    if newest is None:
        return None
    if stale := backlog.stale_days():
        days = affected_ranges(stale, lookback_days, newest)[0]
        is_recent = days.end > newest - timedelta(days=origins)
        return PlannedRun(DAILY if is_recent and len(days) <= origins else HISTORY, days)
    if without := backlog.days_without_orders(origins):
        return PlannedRun(DAILY, DayRange(min(without), max(without)))
    return None


def affected_ranges(stale: Iterable[date], lookback_days: int, newest: date) -> list[DayRange]:
    """The stale days and all days that look back on them, as few ranges, oldest first.

    A later range does not depend on an earlier one: if its days looked back there, they would be one range.
    """
    ranges: list[DayRange] = []
    for day in sorted(stale):
        found = affected_days(day, lookback_days, newest)
        if ranges and (found.start - ranges[-1].end).days <= MERGED_GAP_DAYS + 1:
            found = DayRange(ranges.pop().start, found.end)
        ranges.append(found)
    return ranges


def take_stock(instance: dg.DagsterInstance, manifest: Iterable[Mapping[str, Any]]) -> Backlog:
    """Compare the rows of `landing_files` with the materializations that the instance knows."""
    rows = list(manifest)
    raw = _newest_materializations(instance, "raw_sales")
    features = _newest_materializations(instance, "cleaned_features")
    return Backlog(
        landed=_landed(rows, newest_built=max(features, default=None)),
        read=_read_states(instance, raw.values()),
        raw=raw,
        features=features,
        orders=_newest_materializations(instance, "reorder_recommendations"),
    )


def _landed(rows: Iterable[Mapping[str, Any]], newest_built: date | None) -> dict[date, datetime]:
    """Day -> last change of a sales file that touches it; master data touches the newest day, whose orders count."""
    landed: dict[date, datetime] = {}
    told = [(row, row["days"]) for row in rows if row["kind"] == "sales"]
    newest = max((*(day for _, days in told for day in days), *([newest_built] if newest_built else [])), default=None)
    told += [(row, [newest]) for row in rows if row["kind"] != "sales" and newest]
    for row, days in told:
        for day in days:
            landed[day] = max(landed.get(day, _NEVER), row["changed_at"])
    return landed


def _newest_materializations(instance: dg.DagsterInstance, asset: str) -> dict[date, int]:
    found = instance.event_log_storage.get_latest_storage_id_by_partition(
        dg.AssetKey(asset), dg.DagsterEventType.ASSET_MATERIALIZATION
    )
    return {date.fromisoformat(key): storage_id for key, storage_id in found.items()}


def _read_states(instance: dg.DagsterInstance, storage_ids: Iterable[int]) -> dict[date, datetime]:
    """Day -> the state of the manifest that its `raw_sales` was read from."""
    ids = sorted(storage_ids)
    states: dict[date, datetime] = {}
    for start in range(0, len(ids), _RECORDS_AT_ONCE):
        some = ids[start : start + _RECORDS_AT_ONCE]
        records = instance.fetch_materializations(
            dg.AssetRecordsFilter(dg.AssetKey("raw_sales"), storage_ids=some), limit=len(some)
        ).records
        for record in records:
            told = record.asset_materialization.metadata.get(READ_STATE) if record.asset_materialization else None
            if told is not None and record.partition_key:
                states[date.fromisoformat(record.partition_key)] = datetime.fromisoformat(str(told.value))
    return states


def _span(days: Iterable[date]) -> Iterable[date]:
    known = list(days)
    return DayRange(min(known), max(known)) if known else []
