"""The landing zone: files that people and systems drop on S3, and the manifest of what they hold.

    landing/sales/...  landing/inventory/...  landing/calendar/...
    landing/products/...  landing/suppliers/...  landing/item_locations/...

A file is known by its key and its version (the ETag of its content). The manifest, table `landing_files`, says which
days each version touches; a rebuild of a day reads the current version of every file mapped to it. What belongs here:
finding, registering and reading files. What a line means is decided in `sales/`.
"""

# pyright: reportAttributeAccessIssue=false
# pyarrow makes its compute functions at run time, so a type checker does not see them

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.partitions import DayRange
from nexgen_assets.resources.lake import S3Access
from nexgen_assets.sales.csv_records import LandingFile, LandingFileError
from nexgen_assets.sales.landing import SalesFile, read_sales_file
from nexgen_assets.sales.masterdata import UPLOADS, Upload, read_upload
from nexgen_assets.settings import Settings
from nexgen_assets.tables import DAY, INVENTORY_COUNTS, LANDING_FILES, RAW_SALES

KINDS = ("sales", *UPLOADS)
CURRENT, SUPERSEDED, DELETED, REFUSED = "current", "superseded", "deleted", "refused"


class LandingZoneError(RuntimeError):
    """A registered file is gone or has changed; the message says what to do."""


@dataclass(frozen=True)
class Registration:
    """The manifest after looking at the landing zone, and the days whose sales files changed."""

    manifest: pa.Table
    changed_days: list[date]
    new_files: int
    refused: dict[str, str]


@dataclass(frozen=True)
class _Found:
    key: str
    kind: str
    version: str
    bytes: int


class LandingZone:
    """Files below `landing/` of one deployment."""

    def __init__(self, access: S3Access, settings: Settings) -> None:
        self._access = access
        self._settings = settings
        self._store = access.store("landing")
        self._tables = DeltaTables(access)

    # ---- put files there

    def put(self, kind: str, path: Path, name: str | None = None) -> str:
        """Land a local file; the same content under the same name again is no change. Returns its key."""
        import obstore

        key = f"{kind}/{name or path.name}"
        obstore.put(self._store, key, path)
        return key

    # ---- register

    def manifest(self) -> list[dict[str, Any]]:
        return self._tables.read(LANDING_FILES).to_pylist()

    def register(self, now: datetime | None = None) -> Registration:
        """Compare the landing zone with the manifest: parse new versions, mark replaced and deleted ones.

        The returned manifest is not stored here: the asset `landing_files` does, in one commit.
        """
        known = {(row["file_key"], row["file_version"]): row for row in self.manifest()}
        found = {(file.key, file.version): file for file in self._list()}
        present = {file.key for file in found.values()}
        rows = [
            self._still(row, found=identity in found, replaced=row["file_key"] in present)
            for identity, row in known.items()
        ]
        new = [
            self._describe(file, now or datetime.now(UTC)) for identity, file in found.items() if identity not in known
        ]
        gone = [row for row in rows if row["status"] != known[row["file_key"], row["file_version"]]["status"]]
        changed = {day for row in (*new, *gone) if row["kind"] == "sales" for day in row["days"]}
        return Registration(
            manifest=pa.Table.from_pylist(
                sorted((*rows, *new), key=lambda row: (row["file_key"], row["arrived_at"], row["file_version"])),
                schema=LANDING_FILES.arrow_schema,
            ),
            changed_days=sorted(changed),
            new_files=len(new),
            refused={row["file_key"]: row["problem"] for row in new if row["status"] == REFUSED},
        )

    def _still(self, row: dict[str, Any], *, found: bool, replaced: bool) -> dict[str, Any]:
        """A known version's row: back to current if its content is there (again), else superseded or deleted."""
        if row["status"] == REFUSED:
            return row
        return {**row, "status": CURRENT if found else SUPERSEDED if replaced else DELETED}

    def _list(self) -> Iterator[_Found]:
        import obstore

        for kind in KINDS:
            for batch in obstore.list(self._store, f"{kind}/"):
                for item in batch:
                    if item["size"]:
                        yield _Found(item["path"], kind, str(item["e_tag"]).strip('"'), item["size"])

    def _describe(self, file: _Found, now: datetime) -> dict[str, Any]:
        row: dict[str, Any] = {
            "file_key": file.key,
            "file_version": file.version,
            "kind": file.kind,
            "arrived_at": now,
            "bytes": file.bytes,
            "lines": 0,
            "days": [],
            "unknown_columns": [],
            "status": CURRENT,
            "problem": None,
        }
        landed = LandingFile(file.key, file.version, now)
        try:
            if file.kind == "sales":
                parsed = self._parse_sales(landed)
                return row | {
                    "lines": parsed.lines.num_rows,
                    "days": parsed.days,
                    "unknown_columns": parsed.unknown_columns,
                }
            upload = self._parse_master_data(file.kind, landed)
            return row | {"lines": upload.lines.num_rows, "unknown_columns": upload.unknown_columns}
        except LandingFileError as problem:
            return row | {"status": REFUSED, "problem": str(problem)}

    # ---- read

    def sales(self, days: DayRange) -> pa.Table:
        """RAW_SALES of those days: every line of the current version of every file mapped to them."""
        parts = [RAW_SALES.arrow_schema.empty_table()]
        for row in self._current("sales"):
            if any(days.start <= day <= days.end for day in row["days"]):
                lines = self._parse_sales(_landed(row)).lines
                inside = pc.and_(
                    pc.greater_equal(lines[DAY], pa.scalar(days.start)), pc.less_equal(lines[DAY], pa.scalar(days.end))
                )
                parts.append(lines.filter(inside))
        return pa.concat_tables(parts)

    def master_data(self, kind: str) -> pa.Table:
        """Every line of the current uploads of a kind of `UPLOADS`, in its table's columns, in order of arrival."""
        rows = sorted(self._current(kind), key=lambda row: (row["arrived_at"], row["file_key"]))
        parts = [self._parse_master_data(kind, _landed(row)).lines for row in rows]
        return pa.concat_tables([UPLOADS[kind].table.arrow_schema.empty_table(), *parts])

    def inventory_counts(self) -> pa.Table:
        """INVENTORY_COUNTS: of several counts of one product, location and day the one that arrived last."""
        counts = self.master_data("inventory")
        grain = list(INVENTORY_COUNTS.grain)
        place = pa.array(range(counts.num_rows), pa.int64())
        latest = counts.append_column("place", place).group_by(grain).aggregate([("place", "max")])["place_max"]
        return counts.take(latest.take(pc.sort_indices(latest)))

    def _current(self, kind: str) -> list[dict[str, Any]]:
        return [row for row in self.manifest() if row["kind"] == kind and row["status"] == CURRENT]

    def _parse_sales(self, file: LandingFile) -> SalesFile:
        last_day = self._settings.last_complete_day(file.arrived_at)
        return read_sales_file(_open(self._access, file), file, self._settings.calendar_start, last_day)

    def _parse_master_data(self, kind: str, file: LandingFile) -> Upload:
        # its day of arrival is a day in the deployment's time zone
        local = replace(file, arrived_at=file.arrived_at.astimezone(self._settings.zone))
        return _read_master_data(self._access, kind, local)


def _open(access: S3Access, file: LandingFile) -> BytesIO:
    """That version's content; raises LandingZoneError if it is no longer there."""
    import obstore

    try:
        answer = obstore.get(access.store("landing"), file.key)
    except FileNotFoundError:
        raise LandingZoneError(f"{file.key} is gone: materialize `landing_files`, then its days") from None
    if str(answer.meta["e_tag"]).strip('"') != file.version:
        raise LandingZoneError(f"{file.key} has changed: materialize `landing_files`, then its days")
    return BytesIO(bytes(answer.bytes()))


# one run registers a file and reads it again for its table; parsing takes seconds
@lru_cache(maxsize=4)
def _read_master_data(access: S3Access, kind: str, file: LandingFile) -> Upload:
    return read_upload(UPLOADS[kind], _open(access, file), file)


def _landed(row: dict[str, Any]) -> LandingFile:
    return LandingFile(row["file_key"], row["file_version"], row["arrived_at"])
