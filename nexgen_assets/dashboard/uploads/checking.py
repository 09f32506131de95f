"""The dry run of an upload: what the pipeline would make of it, by the pipeline's own functions.

What belongs here: the report, and master data's part of it; it runs in the worker process. What does not: sales
(`sales_check.py`), rules and parsers (`sales/`), and keeping the report (`records.py`). A report holds no value of a
`customer_*` column and no text of a line.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, BinaryIO

from nexgen_assets.dashboard.uploads.lines import MOST_LINES, line, shown
from nexgen_assets.dashboard.uploads.storing import UploadStore
from nexgen_assets.landing_zone import LandingZone
from nexgen_assets.resources.lake import open_lake
from nexgen_assets.sales.csv_records import LandingFile, LandingFileError
from nexgen_assets.sales.masterdata import UPLOADS, RefusedLinesError, read_upload
from nexgen_assets.settings import Settings

VERSION_DIGITS = 32  # of a content's hash, as the manifest has them
# where a line of master data stands and when it came says nothing about what it tells
_NOT_CONTENT = ("file_key", "line_number", "arrived_at", "effective_date")

Key = tuple[Any, ...]


@dataclass(frozen=True)
class Candidate:
    """An upload that waits for its check: where it would land, its content's hash, and when it came (aware)."""

    upload_id: str
    kind: str
    landing_key: str
    content_hash: str
    arrived_at: datetime


def check(settings: Settings, candidate: Candidate) -> dict[str, Any]:
    """The report, as plain JSON; its `problem` says why the file cannot be used at all.

    Raises LandingZoneError if a landed file changes meanwhile.
    """
    access = open_lake(settings)
    store, zone = UploadStore(access), LandingZone(access, settings)
    present = store.landed(candidate.landing_key)
    report: dict[str, Any] = {
        "problem": None,
        "landing_key": candidate.landing_key,
        "present_etag": present.etag if present else None,
        "waiting_files": len(zone.waiting().files),
        "lines": None,
        "unknown_columns": [],
        "dialect": None,
        "refused": [],
        "refused_lines": 0,
        "as_additional": None,
        "as_replacement": None,
        "changes": None,
    }
    with store.open(candidate.upload_id) as content:
        return report | _found(settings, zone, store, candidate, content, is_present=present is not None)


def _found(
    settings: Settings,
    zone: LandingZone,
    store: UploadStore,
    candidate: Candidate,
    content: BinaryIO,
    *,
    is_present: bool,
) -> dict[str, Any]:
    file = LandingFile(candidate.landing_key, candidate.content_hash[:VERSION_DIGITS], candidate.arrived_at)
    try:
        if candidate.kind == "sales":
            from nexgen_assets.dashboard.uploads.sales_check import check_sales

            return check_sales(settings, zone, store, candidate.upload_id, file, content, is_present=is_present)
        return _master_data(settings, zone, candidate.kind, file, content)
    except RefusedLinesError as refusal:
        lines = [line(p.line_number, p.column, p.value, None, p.advice) for p in refusal.problems[:MOST_LINES]]
        summary = str(refusal).partition("\n")[0]
        return {"problem": shown(summary), "refused": lines, "refused_lines": len(refusal.problems)}
    except LandingFileError as refusal:
        return {"problem": shown(str(refusal))}


def _master_data(
    settings: Settings, zone: LandingZone, kind: str, file: LandingFile, content: BinaryIO
) -> dict[str, Any]:
    local = LandingFile(file.key, file.version, file.arrived_at.astimezone(settings.zone))
    upload = read_upload(UPLOADS[kind], content, local)
    before, after = zone.master_data(kind), upload.lines
    changes = _changes(kind, before.to_pylist(), after.to_pylist(), file.key)
    return {"lines": after.num_rows, "unknown_columns": list(map(shown, upload.unknown_columns)), "changes": changes}


def _changes(kind: str, before: Iterable[dict[str, Any]], after: Iterable[dict[str, Any]], key: str) -> dict[str, int]:
    """How many of the things an upload tells are new, told otherwise, or told the same so far.

    Of several landed lines about one thing the one in effect last counts, the later file's where two begin alike.
    `dropped` are those that only the file which it would replace tells.
    """
    told: dict[Key, Any] = {}
    tellers: dict[Key, set[str]] = {}
    for row in sorted(before, key=lambda row: row.get("effective_date") or date.min):
        told[_about(kind, row)] = _content(row)
        tellers.setdefault(_about(kind, row), set()).add(row["file_key"])
    new = changed = same = 0
    seen: set[Key] = set()
    for row in after:
        about = _about(kind, row)
        seen.add(about)
        new += about not in told
        changed += about in told and told[about] != _content(row)
        same += about in told and told[about] == _content(row)
    dropped = sum(files == {key} and about not in seen for about, files in tellers.items())
    return {"new": new, "changed": changed, "same": same, "dropped": dropped}


def _about(kind: str, row: dict[str, Any]) -> Key:
    """What a line speaks of: its kind's key, or all it says where a kind has none."""
    names = [name for name in UPLOADS[kind].unique if name != "effective_date"]
    return tuple(row[name] for name in names) if names else _content(row)


def _content(row: dict[str, Any]) -> Key:
    return tuple(value for name, value in row.items() if name not in _NOT_CONTENT)
