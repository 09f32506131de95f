"""The state of the system: health, the published snapshot, runs.

What belongs here: answers about the machinery. What does not: business figures.
"""

from datetime import date, datetime

from pydantic import Field

from nexgen_assets.dashboard.answers.common import Answer, Model


class Health(Model):
    status: str
    version: str


class TableState(Model):
    name: str
    version: int | None = Field(description="Delta version that is read; null where it was never written")
    newest_day: date | None = Field(description="Null for tables that are not daily")
    is_behind: bool = Field(description="True if the table has changed since the snapshot was published")


class SnapshotAnswer(Answer):
    published_at: datetime | None = Field(description="Null if no run has published yet: the newest versions are read")
    run_id: str | None
    sales_day: date | None = Field(description="Newest day with sales")
    orders_day: date | None
    forecast_origin: date | None
    last_complete_day: date = Field(description="Yesterday by the deployment's clock")
    days_behind: int | None = Field(description="Days from the newest sales day to that")
    is_fresh: bool = Field(description="Whether orders of the last complete day are published")
    tables: list[TableState]


class Run(Model):
    run_id: str
    job: str
    status: str
    days: str | None = Field(description="Days it builds, such as 2026-03-01..2026-03-28")
    created_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    is_active: bool


class Runs(Model):
    runs: list[Run] = Field(description="Newest first")
    active: int
    daemon_is_alive: bool = Field(description="Whether something takes runs off the queue and watches what lands")
    stopped_sensors: list[str] = Field(description="Sensors that somebody switched off")
