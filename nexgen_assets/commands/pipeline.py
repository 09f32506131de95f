"""Run the graph over everything that has landed, with progress on screen."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date

import dagster as dg
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.jobs import INGEST, TRAINING
from nexgen_assets.landing_zone import CURRENT, LandingZone
from nexgen_assets.launcher import (
    CheckFailedError,
    PlannedRun,
    RunFailedError,
    execute,
    fail_dead_runs,
    open_instance,
    plan_everything,
)
from nexgen_assets.partitions import DayRange
from nexgen_assets.resources.lake import S3Access, open_lake
from nexgen_assets.settings import Settings
from nexgen_assets.tables import TABLES


@dataclass
class Timings:
    """Seconds per asset over all runs, and how many of all seconds were the assets' own work."""

    assets: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    own_work: float = 0.0
    total: float = 0.0
    runs: int = 0

    @property
    def orchestration_share(self) -> float:
        """Share of the wall time that is neither reading, computing nor writing a table: Dagster itself."""
        return max(0.0, 1 - self.own_work / self.total) if self.total else 0.0


@dataclass(frozen=True)
class PipelineResult:
    settings: Settings
    access: S3Access
    days: DayRange
    timings: Timings


class _StepClock:
    """Follows one run's events: when each step began, computed and wrote."""

    def __init__(self, timings: Timings) -> None:
        self._timings = timings
        self._started: dict[str, float] = {}
        self._computed: set[str] = set()

    def see(self, event: dg.DagsterEvent) -> None:
        step, now = event.step_key, time.monotonic()
        if step is None:
            return
        if event.is_step_start:
            self._started[step] = now
        elif event.is_successful_output and step not in self._computed:
            # the outputs that follow the first are marks of checks
            self._computed.add(step)
            self._timings.own_work += now - self._started[step]
        elif event.is_step_materialization:
            seconds = event.materialization.metadata.get("write_seconds")
            self._timings.own_work += float(seconds.value) if seconds else 0.0  # pyright: ignore[reportArgumentType]
        elif event.is_step_success:
            self._timings.assets[step] += now - self._started[step]


def run_pipeline(
    settings: Settings, console: Console, start: date | None = None, end: date | None = None
) -> PipelineResult:
    """Register what landed, then build features for all days and forecasts and orders for the last ones.

    Days default to those that hold landed sales. Raises RunFailedError with the asset and its error.
    """
    access = open_lake(settings)
    timings = Timings()
    with open_instance(settings) as instance:
        if dead := fail_dead_runs(instance):
            console.print(f"[yellow]{dead} unfinished run(s) of a killed process marked as failed[/]")
        run_all(instance, [PlannedRun(INGEST)], console, timings)
        while LandingZone(access, settings).waiting().files:  # a run registers so many files at most
            run_all(instance, [PlannedRun(INGEST)], console, timings)
        days = landed_days(settings, access, start, end)
        console.print(f"Days [bold]{days}[/]: {len(days):,}")
        run_all(instance, plan_everything(days, settings.origins), console, timings)
    return PipelineResult(settings, access, days, timings)


def landed_days(settings: Settings, access: S3Access, start: date | None = None, end: date | None = None) -> DayRange:
    """From the first to the last day that landed sales belong to, or as told."""
    files = [row for row in LandingZone(access, settings).manifest() if row["kind"] == "sales"]
    days = [day for row in files if row["status"] == CURRENT for day in row["days"]]
    if not days:
        problems = [row["problem"] for row in files if row["problem"]]
        raise RunFailedError("no sales have landed yet: `nexgen land FILE.csv`" if not problems else problems[0])
    return DayRange(start or min(days), end or max(days))


def row_counts(access: S3Access, names: Iterable[str]) -> dict[str, int]:
    """Rows of each table, from its log."""
    tables = DeltaTables(access)
    return {name: tables.row_count(TABLES[name]) for name in names}


def run_all(instance: dg.DagsterInstance, plan: list[PlannedRun], console: Console, timings: Timings) -> None:
    """Make the runs one after another, with progress on screen.

    Raises RunFailedError at the first that fails; a model that is not fit to serve is no failure.
    """
    for planned in plan:
        began = time.monotonic()
        clock = _StepClock(timings)
        with _progress(console, planned) as advance:

            def on_event(event: dg.DagsterEvent, clock: _StepClock = clock, advance: "_Advance" = advance) -> None:
                clock.see(event)
                advance.see(event)

            try:
                execute(instance, planned, on_event)
            except CheckFailedError:
                # a model that is not fit to serve stops nothing: the champion, or the seasonal naive, serves on
                if planned.job != TRAINING:
                    raise
        timings.total += time.monotonic() - began
        timings.runs += 1


class _Advance:
    """Moves one run's progress bar with its steps."""

    def __init__(self, progress: Progress, title: str) -> None:
        self._progress = progress
        self._title = title
        self._task = progress.add_task(title, total=None)

    def see(self, event: dg.DagsterEvent) -> None:
        if event.is_step_start:
            self._progress.update(self._task, description=f"{self._title} [cyan]{event.step_key}[/]")
        elif event.is_step_success:
            self._progress.advance(self._task)
            self._progress.console.print(f"  [green]done[/] {event.step_key}") if not self._is_live else None
        elif event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            found = event.asset_check_evaluation_data
            if not found.passed:
                self._progress.console.print(f"  [yellow]{found.check_name}[/] {found.description}")

    def done(self) -> None:
        self._progress.update(self._task, description=self._title, total=1, completed=1)

    @property
    def _is_live(self) -> bool:
        return self._progress.console.is_terminal


@contextmanager
def _progress(console: Console, planned: PlannedRun) -> Iterator[_Advance]:
    title = f"[bold]{planned.job:<9}[/] {planned.label}"
    columns = (SpinnerColumn(finished_text="[green]✓[/]"), TextColumn("{task.description}"), BarColumn(bar_width=12))
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        advance = _Advance(progress, title)
        yield advance
        advance.done()
