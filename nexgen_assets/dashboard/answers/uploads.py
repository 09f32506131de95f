"""Uploads: what somebody handed in, what the check found in it, and what became of it.

What belongs here: requests and answers about uploaded files. What does not: files that landed by other ways.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Literal

from pydantic import Field

from nexgen_assets.dashboard.answers.common import Model, Problem


class Kind(StrEnum):
    """The folders of the landing zone."""

    SALES = "sales"
    INVENTORY = "inventory"
    CALENDAR = "calendar"
    PRODUCTS = "products"
    SUPPLIERS = "suppliers"
    ITEM_LOCATIONS = "item_locations"
    ORDER_POLICIES = "order_policies"
    NETWORK = "network"


class UploadState(StrEnum):
    """The first four before it is committed; the rest follow from the manifest and Dagster's runs."""

    RECEIVED = "received"
    CHECKED = "checked"
    REFUSED = "refused"
    CHECK_FAILED = "check_failed"
    COMMITTED = "committed"
    QUEUED = "queued"
    RUNNING = "running"
    IN = "in"
    FAILED = "failed"
    REPLACED = "replaced"
    DELETED = "deleted"


class RefusedLine(Model):
    """A line that would not be taken. Never a value of one customer, never the line's text."""

    line_number: int
    column: str | None = Field(description="Null if the whole line is at fault")
    value: str | None
    rule: str | None
    reason: str = Field(description="What is wrong, and what to do")
    is_duplicate: bool = Field(description="Another file tells this sale already: nothing is wrong")


class RuleCount(Model):
    rule: str
    column: str | None
    reason: str
    lines: int
    is_duplicate: bool


class DayChange(Model):
    """What a day holds without and with the file, all files together."""

    day: date
    lines_before: int
    lines_after: int
    units_before: float = Field(description="Units sold; returns are not counted")
    units_after: float


class UploadOutcome(Model):
    """What would come of the file."""

    accepted: int
    rejected: int
    duplicates: int = Field(description="Lines that another file tells already")
    rules: list[RuleCount]
    units_before: float
    units_after: float
    days: list[DayChange]


class FileDialect(Model):
    separator: str
    decimal_mark: str
    date_order: str


class Changes(Model):
    """Of the products, suppliers or whatever the file tells of: how many are told otherwise than so far."""

    new: int
    changed: int
    same: int
    dropped: int = Field(description="Told only by the file of the same name, and missing in this one")


class Report(Model):
    """The dry run of a file by the functions that the pipeline uses."""

    problem: str | None = Field(description="Why the file cannot be used at all, and what to do")
    lines: int | None
    refused: list[RefusedLine] = Field(description="The first 1,000 lines that would not be taken")
    refused_lines: int = Field(description="All of them")
    dialect: FileDialect | None = Field(description="How the file writes numbers and dates; for sales")
    unknown_columns: list[str] = Field(description="Columns that are left out")
    is_present: bool = Field(description="Whether a file of this name has landed: it can be replaced")
    waiting_files: int = Field(description="Landed files that are not read yet, and not counted here")
    as_additional: UploadOutcome | None = Field(description="Beside all that has landed; for sales")
    as_replacement: UploadOutcome | None = Field(description="In place of the file of this name, if there is one")
    changes: Changes | None = Field(description="For everything but sales")


class UploadAnswer(Model):
    upload_id: str
    kind: Kind
    name: str
    uploaded_by: str
    uploaded_at: datetime
    bytes: int
    state: UploadState
    problem: str | None = Field(description="What went wrong, and what to do")
    checked_at: datetime | None
    landing_key: str | None = Field(description="Its key below landing/, once it is committed")
    committed_at: datetime | None
    run_id: str | None = Field(description="The run that works on it, or has failed")
    hint: str | None = Field(description="What keeps it from going on, such as a stopped sensor, and what to do")


class UploadDetail(UploadAnswer):
    report: Report | None


class Uploads(Model):
    uploads: list[UploadAnswer] = Field(description="Newest first")
    most_bytes: dict[Kind, int] = Field(description="The largest file of each kind that is taken")


class Commit(Model):
    if_present: Literal["replace", "additional"] | None = Field(
        None, description="What is to become of a file of the same name that has landed"
    )


class AlreadyLanded(Problem):
    """Nothing was committed; for sales, what either choice would come to."""

    as_additional: UploadOutcome | None = None
    as_replacement: UploadOutcome | None = None
