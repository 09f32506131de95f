"""What an upgrade of the code has left to do: rows and a champion of an older version, and the runs that mend it.

What belongs here: looking over all tables and the registry, and planning the runs. What does not: what makes a table
outdated (`io_managers/evolution.py`), and how a run is made (`launcher.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.io_managers.evolution import Outdated, of_other_types, without_values
from nexgen_assets.jobs import BACKTESTING, DAILY, HISTORY, INGEST, SIMULATION, TRAINING, job_of
from nexgen_assets.launcher import PlannedRun, training_run
from nexgen_assets.partitions import DayRange, merged
from nexgen_assets.resources.lake import S3Access
from nexgen_assets.resources.registry import Champions
from nexgen_assets.tables import CLEANED_FEATURES, TABLES


@dataclass(frozen=True)
class Leftovers:
    """What this code cannot use: rows of tables, and champions with the reason, as of the newest day of features."""

    tables: tuple[Outdated, ...]
    champions: dict[str, str]
    newest_day: date | None

    @property
    def problems(self) -> list[str]:
        """One sentence each, with what to do."""
        models = [f"champion {version} does not serve: {why}" for version, why in self.champions.items()]
        mended = f", with the job `{TRAINING}`: `nexgen upgrade` does so"
        return [*map(str, self.tables), *(f"{words}{mended}" for words in models)]

    def runs(self) -> list[PlannedRun]:
        """The runs that mend it, each after those that it rests on.

        Days go from old to new, because a day looks back on earlier ones, and those whose forecasts or orders are
        outdated are built up to their orders at once. A champion is trained on what is mended then, and forecasts the
        newest day.
        """
        history, daily = self._days(HISTORY), self._days(DAILY)
        if daily and any(found.at_once for found in self._of(HISTORY)):
            daily |= history  # no run may replace but a part of these days
        ranges = [(days, HISTORY) for days in merged(history - daily)] + [(days, DAILY) for days in merged(daily)]
        runs = [PlannedRun(INGEST)] if self._of(INGEST) else []
        runs += [PlannedRun(job, days) for days, job in sorted(ranges, key=lambda planned: planned[0].start)]
        if self.champions and self.newest_day:
            runs += [training_run(self.newest_day), PlannedRun(DAILY, DayRange(self.newest_day, self.newest_day))]
        return runs + [PlannedRun(job) for job in (BACKTESTING, SIMULATION) if self._of(job)]

    def _days(self, job: str) -> set[date]:
        return {day for found in self._of(job) for days in found.ranges for day in days}

    def _of(self, job: str) -> list[Outdated]:
        return [found for found in self.tables if job_of(found.table.name) == job]


def leftovers(access: S3Access) -> Leftovers:
    """Look over every table and the champions; a second or two after years of daily data."""
    tables = DeltaTables(access)
    newest = tables.last_day(CLEANED_FEATURES)
    return Leftovers(tuple(_outdated(tables)), Champions(access).passed_over(newest or date.max), newest_day=newest)


def _outdated(tables: DeltaTables) -> Iterator[Outdated]:
    for table in TABLES.values():
        source = tables.open(table)
        if source is None:
            continue
        found = of_other_types(table, source, table.names) or without_values(table, source, table.names, None, None)
        if found:
            yield found
