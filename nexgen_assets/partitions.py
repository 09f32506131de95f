"""The one calendar of daily partitions, and which days a change touches.

Partitions are days and only days; product and location are columns. A day is a date in the deployment's time zone.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import dagster as dg

from nexgen_assets.settings import Settings

RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"
MERGED_GAP_DAYS = 7


@dataclass(frozen=True)
class DayRange:
    """Days start..end, both included."""

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError(f"a range of days cannot end ({self.end}) before it starts ({self.start})")

    def __len__(self) -> int:
        return (self.end - self.start).days + 1

    def __iter__(self) -> Iterator[date]:
        return (self.start + timedelta(days=i) for i in range(len(self)))

    def __str__(self) -> str:
        return f"{self.start}" if self.start == self.end else f"{self.start}..{self.end}"

    @property
    def tags(self) -> dict[str, str]:
        """The run tags that make one run of the whole range."""
        return {RANGE_START_TAG: self.start.isoformat(), RANGE_END_TAG: self.end.isoformat()}

    def last(self, days: int) -> "DayRange":
        return DayRange(max(self.start, self.end - timedelta(days=days - 1)), self.end)

    def preceded_by(self, days: int) -> "DayRange":
        """The range with the `days` before it: what a lookback reads."""
        return DayRange(self.start - timedelta(days=days), self.end)


def daily_partitions(settings: Settings) -> dg.DailyPartitionsDefinition:
    """Every day since the calendar's start; a day becomes a partition when it has closed at local midnight."""
    return dg.DailyPartitionsDefinition(start_date=settings.calendar_start.isoformat(), timezone=settings.timezone)


def key_range(keys: dg.PartitionKeyRange) -> DayRange:
    return DayRange(date.fromisoformat(keys.start), date.fromisoformat(keys.end))


def affected_days(day: date, lookback_days: int, last_day: date) -> DayRange:
    """Days whose rows may change when `day` changes: the day itself and those that look back on it."""
    return DayRange(day, min(day + timedelta(days=lookback_days - 1), max(day, last_day)))


def merged(days: Iterable[date], gap_days: int = MERGED_GAP_DAYS) -> list[DayRange]:
    """The days as few ranges: gaps of at most `gap_days` are filled, because a run costs more than a week of days."""
    ranges: list[DayRange] = []
    for day in sorted(set(days)):
        if ranges and (day - ranges[-1].end).days <= gap_days + 1:
            ranges[-1] = DayRange(ranges[-1].start, day)
        else:
            ranges.append(DayRange(day, day))
    return ranges
