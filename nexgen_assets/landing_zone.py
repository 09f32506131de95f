"""The landing zone: files that people and systems drop on S3, and the manifest of what they hold.

    landing/sales/...  landing/inventory/...  landing/calendar/...
    landing/products/...  landing/suppliers/...  landing/item_locations/...
    landing/order_policies/...  landing/network/...

A file is known by its key and its version (the hash of its content). The manifest, table `landing_files`, says which
days each version touches; a rebuild of a day reads the current version of every file mapped to it. What belongs here:
finding, registering and reading files. What a line means is decided in `sales/`; which runs a change needs, in
`backlog.py`.
"""

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.compute as pc

from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.partitions import DayRange
from nexgen_assets.resources.lake import S3Access
from nexgen_assets.sales.csv_records import LandingFile, LandingFileError
from nexgen_assets.sales.dialects import Dialect
from nexgen_assets.sales.landing import Progress, SalesSurvey, sales_lines, survey_sales_file
from nexgen_assets.sales.masterdata import UPLOADS, Upload, read_upload
from nexgen_assets.settings import Settings
from nexgen_assets.tables import INVENTORY_COUNTS, LANDING_FILES, RAW_SALES

KINDS = ("sales", *UPLOADS)
CURRENT, SUPERSEDED, DELETED, REFUSED = "current", "superseded", "deleted", "refused"
PRESENT = (CURRENT, REFUSED)

FILES_AT_ONCE = 5_000  # a run that is killed loses no more than these
_HASH_DIGITS = 32
_IN_MEMORY_BYTES = 8_000_000
_CHUNK_BYTES = 4_000_000
_LARGE_FILE_BYTES = 50_000_000
_LINES_PER_MESSAGE = 1_000_000

Row = dict[str, Any]
Tell = Callable[[str], None]


class LandingZoneError(RuntimeError):
    """A registered file is gone or has changed; the message says what to do."""


@dataclass(frozen=True)
class FoundFile:
    """An object below `landing/`."""

    key: str
    kind: str
    etag: str
    bytes: int
    modified_at: datetime


@dataclass(frozen=True)
class Waiting:
    """What the manifest does not know yet: new or changed objects, and keys that are gone."""

    files: list[FoundFile]
    gone: list[str]

    def __bool__(self) -> bool:
        return bool(self.files or self.gone)

    @property
    def digest(self) -> str:
        """Equal for the same changes, whoever asks."""
        told = [*(f"{file.key} {file.etag}" for file in self.files), *self.gone]
        return hashlib.sha256("\n".join(sorted(told)).encode()).hexdigest()[:_HASH_DIGITS]

    def is_quiet(self, now: datetime, seconds: float) -> bool:
        """Whether nothing has landed for so long, or somebody has waited ten times as long already."""
        ages = [(now - file.modified_at).total_seconds() for file in self.files]
        return not ages or min(ages) >= seconds or max(ages) >= 10 * seconds


@dataclass(frozen=True)
class Registration:
    """The manifest after looking at the landing zone, and what was new."""

    manifest: pa.Table
    changed_days: list[date]
    new_files: int
    refused: dict[str, str]
    still_waiting: int


def _silent(_text: str) -> None:
    pass


class LandingZone:
    """Files below `landing/` of one deployment; `tell` gets a line of progress now and then."""

    def __init__(self, access: S3Access, settings: Settings, tell: Tell = _silent) -> None:
        self._access = access
        self._settings = settings
        self._tell = tell
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

    def manifest(self) -> list[Row]:
        return self._tables.read(LANDING_FILES).to_pylist()

    def manifest_version(self) -> int:
        """Grows with every registration; -1 before the first."""
        found = self._tables.open(LANDING_FILES)
        return -1 if found is None else found.version()

    def waiting(self) -> Waiting:
        """What a registration would look at now."""
        return self._waiting(_present(self.manifest()))

    def register(self, now: datetime | None = None, at_most: int | None = None) -> Registration:
        """Compare the landing zone with the manifest: parse new versions, mark replaced and deleted ones.

        Looks at `at_most` new files (FILES_AT_ONCE if not told); the next call goes on. The returned manifest is not
        stored here: the asset `landing_files` does, in one commit.
        """
        at_most = at_most or FILES_AT_ONCE
        rows = {(row["file_key"], row["file_version"]): row for row in self.manifest()}
        present = _present(rows.values())
        waiting = self._waiting(present)
        moment = _after(now or datetime.now(UTC), rows.values())
        changed: dict[tuple[str, str], Row] = {}

        def change(row: Row, **news: Any) -> None:
            identity = (row["file_key"], row["file_version"])
            changed[identity] = rows[identity] = row | news

        for key in waiting.gone:
            change(present[key], status=DELETED, changed_at=moment)
        for place, file in enumerate(islice(waiting.files, at_most), start=1):
            self._tell_place(place, len(waiting.files), file)
            row, before = self._describe(file, rows, moment), present.get(file.key)
            if before and before["file_version"] == row["file_version"]:
                # the same content, stored anew: nothing that a table holds has changed
                rows[file.key, row["file_version"]] = before | {"etag": file.etag}
                continue
            if before:
                change(before, status=SUPERSEDED, changed_at=moment)
            change(row)
        return Registration(
            manifest=_manifest(rows.values()),
            changed_days=sorted({day for row in changed.values() for day in row["days"]}),
            new_files=sum(row["status"] in PRESENT for row in changed.values()),
            refused={row["file_key"]: row["problem"] for row in changed.values() if row["status"] == REFUSED},
            still_waiting=max(0, len(waiting.files) - at_most),
        )

    def _waiting(self, present: dict[str, Row]) -> Waiting:
        found = {file.key: file for file in self._list()}
        new = [file for key, file in found.items() if key not in present or present[key]["etag"] != file.etag]
        return Waiting(sorted(new, key=lambda file: file.key), sorted(set(present) - set(found)))

    def _list(self) -> Iterator[FoundFile]:
        import obstore

        for kind in KINDS:
            for batch in obstore.list(self._store, f"{kind}/"):
                for item in batch:
                    if item["size"]:
                        etag = str(item["e_tag"]).strip('"')
                        yield FoundFile(item["path"], kind, etag, item["size"], item["last_modified"])

    def _tell_place(self, place: int, of: int, file: FoundFile) -> None:
        if file.bytes >= _LARGE_FILE_BYTES or place == 1 or place % 500 == 0:
            self._tell(f"{place:,} of {of:,}: {file.key}, {file.bytes / 1e6:,.1f} MB")

    def _tell_lines(self, what: str) -> Progress:
        """A line of progress for each million lines of a file."""
        millions = 0

        def tell(lines: int) -> None:
            nonlocal millions
            if lines // _LINES_PER_MESSAGE > millions:
                millions = lines // _LINES_PER_MESSAGE
                self._tell(f"{what}: {lines:,} lines read")

        return tell

    def _describe(self, file: FoundFile, rows: dict[tuple[str, str], Row], now: datetime) -> Row:
        """The manifest's row of a file's present content; a version that was there before is not read again."""
        with _content(self._store, file.key, file.etag) as (content, version):
            news = {"etag": file.etag, "changed_at": now}
            if known := rows.get((file.key, version)):
                return known | news | {"status": REFUSED if known["problem"] else CURRENT}
            row: Row = {
                **news,
                "file_key": file.key,
                "file_version": version,
                "kind": file.kind,
                "arrived_at": now,
                "bytes": file.bytes,
                "lines": 0,
                "days": [],
                "file_day": None,
                **asdict(Dialect()),
                "unknown_columns": [],
                "status": CURRENT,
                "problem": None,
            }
            try:
                return row | self._measure(file, LandingFile(file.key, version, now), content)
            except LandingFileError as problem:
                return row | {"status": REFUSED, "problem": str(problem)}

    def _measure(self, found: FoundFile, file: LandingFile, content: BinaryIO) -> Row:
        """What the manifest says of a file that can be used; raises LandingFileError."""
        if found.kind != "sales":
            upload = _read_upload(self._access, found.kind, self._on_local_clock(file), found.etag)
            return {"lines": upload.lines.num_rows, "unknown_columns": upload.unknown_columns}
        survey = survey_sales_file(content, file, self._usable(file), self._tell_lines(file.key))
        told = {name: getattr(survey, name) for name in ("lines", "days", "file_day", "unknown_columns")}
        return told | asdict(survey.dialect)

    # ---- read

    def sales(self, days: DayRange, manifest: Iterable[Row]) -> pa.RecordBatchReader:
        """RAW_SALES of those days: every line of the current version of every file mapped to them, file by file.

        Raises LandingZoneError, while it is read, if a file is no longer the one that was registered.
        """
        files = [
            row
            for row in manifest
            if _is_current(row, "sales") and any(days.start <= day <= days.end for day in row["days"])
        ]
        return pa.RecordBatchReader.from_batches(RAW_SALES.arrow_schema, self._sales_batches(files, days))

    def _sales_batches(self, files: list[Row], days: DayRange) -> Iterator[pa.RecordBatch]:
        for place, row in enumerate(files, start=1):
            if row["bytes"] >= _LARGE_FILE_BYTES or place % 500 == 0:
                self._tell(f"{place:,} of {len(files):,}: {row['file_key']}, {row['lines']:,} lines")
            file = _landed(row)
            with _content(self._store, file.key, row["etag"]) as (content, _):
                wanted = days.start, days.end
                tell = self._tell_lines(f"{file.key}, of {row['lines']:,}")
                yield from sales_lines(content, file, _survey(row), self._usable(file), wanted, tell)

    def master_data(self, kind: str) -> pa.Table:
        """Every line of the current uploads of a kind of `UPLOADS`, in its table's columns, in order of arrival."""
        rows = sorted(self._current(kind), key=lambda row: (row["arrived_at"], row["file_key"]))
        parts = [
            _read_upload(self._access, kind, self._on_local_clock(_landed(row)), row["etag"]).lines for row in rows
        ]
        return pa.concat_tables([UPLOADS[kind].table.arrow_schema.empty_table(), *parts])

    def inventory_counts(self) -> pa.Table:
        """INVENTORY_COUNTS: of several counts of one product, location and day the one that arrived last."""
        counts = self.master_data("inventory")
        grain = list(INVENTORY_COUNTS.grain)
        place = pa.array(range(counts.num_rows), pa.int64())
        latest = counts.append_column("place", place).group_by(grain).aggregate([("place", "max")])["place_max"]
        return counts.take(latest.take(pc.sort_indices(latest)))  # pyright: ignore[reportAttributeAccessIssue]

    def _current(self, kind: str) -> list[Row]:
        return [row for row in self.manifest() if _is_current(row, kind)]

    def _usable(self, file: LandingFile) -> tuple[date, date]:
        """The calendar's first day, and the last that had closed when the file first came: later was in the future."""
        return self._settings.calendar_start, self._settings.last_complete_day(file.arrived_at)

    def _on_local_clock(self, file: LandingFile) -> LandingFile:
        """The file with its arrival in the deployment's time zone, where its day of arrival is a day."""
        return replace(file, arrived_at=file.arrived_at.astimezone(self._settings.zone))


def last_change(manifest: Iterable[Row]) -> datetime | None:
    """When any file last changed, as the manifest knows it: the state that a reading of it stands for."""
    return max((row["changed_at"] for row in manifest), default=None)


def _is_current(row: Row, kind: str) -> bool:
    return row["kind"] == kind and row["status"] == CURRENT


def _present(rows: Iterable[Row]) -> dict[str, Row]:
    """Key -> the row of the version that is there."""
    return {row["file_key"]: row for row in rows if row["status"] in PRESENT}


def _after(now: datetime, rows: Iterable[Row]) -> datetime:
    """Now, or just after the last change where the clock was set back: later changes have later moments."""
    last = last_change(rows)
    return now if last is None else max(now, last + timedelta(microseconds=1))


def _manifest(rows: Iterable[Row]) -> pa.Table:
    ordered = sorted(rows, key=lambda row: (row["file_key"], row["arrived_at"], row["file_version"]))
    return pa.Table.from_pylist(ordered, schema=LANDING_FILES.arrow_schema)


@contextmanager
def _content(store: Any, key: str, etag: str) -> Iterator[tuple[BinaryIO, str]]:
    """That content of a file, and its version; a large one goes through a temporary file, never through memory.

    Raises LandingZoneError if it is no longer there.
    """
    import obstore

    try:
        answer = obstore.get(store, key)
    except FileNotFoundError:
        raise LandingZoneError(f"{key} is gone: materialize `landing_files`, then its days") from None
    if str(answer.meta["e_tag"]).strip('"') != etag:
        raise LandingZoneError(f"{key} has changed: materialize `landing_files`, then its days")
    digest = hashlib.sha256()
    with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as file:
        for chunk in answer.stream(min_chunk_size=_CHUNK_BYTES):
            digest.update(chunk)
            file.write(bytes(chunk))
        file.seek(0)
        yield cast("BinaryIO", file), digest.hexdigest()[:_HASH_DIGITS]


# one run registers a file and reads it again for its table; parsing takes seconds
@lru_cache(maxsize=4)
def _read_upload(access: S3Access, kind: str, file: LandingFile, etag: str) -> Upload:
    with _content(access.store("landing"), file.key, etag) as (content, _):
        return read_upload(UPLOADS[kind], content, file)


def _survey(row: Row) -> SalesSurvey:
    dialect = Dialect(**{field.name: row[field.name] for field in fields(Dialect)})
    return SalesSurvey(row["lines"], row["days"], row["file_day"], row["unknown_columns"], dialect)


def _landed(row: Row) -> LandingFile:
    return LandingFile(row["file_key"], row["file_version"], row["arrived_at"])
