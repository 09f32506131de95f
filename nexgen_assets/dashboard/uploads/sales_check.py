"""What the pipeline would make of uploaded sales, beside what has landed for the days they touch.

What belongs here: running `sales.cleaning` on these lines, once for each way the file may land. What does not: the
rules. The lines go through a scratch table on S3, as the pipeline's do, so that a large file needs no memory here.
"""

import atexit
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import cache
from itertools import chain, count
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812  # its name everywhere

from nexgen_assets.dashboard.uploads.lines import MOST_LINES, line, shown
from nexgen_assets.dashboard.uploads.names import numbered
from nexgen_assets.dashboard.uploads.storing import UploadStore
from nexgen_assets.landing_zone import CURRENT, LandingZone
from nexgen_assets.partitions import DayRange, merged
from nexgen_assets.resources.lake import S3Access
from nexgen_assets.resources.spark_engine import KeptEngine, spark_remote
from nexgen_assets.sales.cleaning import cleaned, rejected
from nexgen_assets.sales.csv_records import LandingFile
from nexgen_assets.sales.landing import SalesSurvey, sales_lines, survey_sales_file
from nexgen_assets.sales.overlaps import OverlappingFiles
from nexgen_assets.settings import Settings
from nexgen_assets.tables import DAY, PRODUCTS, RAW_SALES

SCRATCH = "scratch"
REFUSED_AT_ONCE = 1_000_000

Row = dict[str, Any]
Totals = Mapping[date, Row]


def check_sales(  # noqa: PLR0917
    settings: Settings,
    zone: LandingZone,
    store: UploadStore,
    upload_id: str,
    file: LandingFile,
    content: BinaryIO,
    *,
    is_present: bool,
) -> Row:
    """The report's part on sales. Raises LandingFileError if the file cannot be used."""
    manifest = [row for row in zone.manifest() if row["kind"] == "sales"]
    mine = _as_it_will_arrive(file, manifest)
    usable = settings.calendar_start, settings.last_complete_day(mine.arrived_at)
    survey = survey_sales_file(content, mine, usable)
    content.seek(0)
    # a file that stays beside another of its name gets a name of its own
    beside = replace(mine, key=_free_key(mine.key, manifest)) if is_present else mine
    landed = _readable(zone, manifest)
    days = sorted({*survey.days, *(day for row in landed if row["file_key"] == mine.key for day in row["days"])})
    store.delete(f"{upload_id}/{SCRATCH}")  # of a check that was killed
    scratch = _Scratch(store, f"{upload_id}/{SCRATCH}")
    try:
        batches = chain(_landed(zone, landed, days), sales_lines(content, beside, survey, usable))
        products = scratch.spark.createDataFrame(zone.master_data("products").to_pylist(), PRODUCTS.spark_ddl)
        dry_run = _DryRun(settings, scratch, scratch.lines(batches), products, beside)
        has_landed = any(day in row["days"] for row in landed for day in days)
        return _report(dry_run, survey, days, mine.key if is_present else None, has_landed=has_landed)
    finally:
        store.delete(f"{upload_id}/{SCRATCH}")


def _report(
    dry_run: "_DryRun", survey: SalesSurvey, days: list[date], replaces: str | None, *, has_landed: bool
) -> Row:
    before = dry_run.before() if has_landed else {}
    ways = [dry_run.beside()] if replaces is None else [dry_run.beside(), dry_run.in_place_of(replaces)]
    outcomes = [_outcome(way, survey.lines, days, before) for way in ways]
    # who uploads a name again mostly means the same file, corrected
    likely, outcome = ways[-1], outcomes[-1]
    return {
        "lines": survey.lines,
        "unknown_columns": list(map(shown, survey.unknown_columns)),
        "dialect": asdict(survey.dialect),
        "refused": likely.refused(),
        "refused_lines": outcome["rejected"] + outcome["duplicates"],
        "as_additional": outcomes[0],
        "as_replacement": outcomes[1] if replaces is not None else None,
    }


def _outcome(way: "_Cleaning", lines: int, days: list[date], before: Totals) -> Row:
    rules, after = way.rules(), way.totals()
    rejected_lines = sum(rule["lines"] for rule in rules if not rule["is_duplicate"])
    duplicates = sum(rule["lines"] for rule in rules if rule["is_duplicate"])
    nothing = {"lines": 0, "units": 0.0}
    told = [
        {
            "day": day.isoformat(),
            "lines_before": before.get(day, nothing)["lines"],
            "lines_after": after.get(day, nothing)["lines"],
            "units_before": before.get(day, nothing)["units"],
            "units_after": after.get(day, nothing)["units"],
        }
        for day in days
    ]
    return {
        "accepted": lines - rejected_lines - duplicates,
        "rejected": rejected_lines,
        "duplicates": duplicates,
        "rules": [rule for rule in rules if not rule["is_duplicate"]],
        "units_before": sum(day["units_before"] for day in told),
        "units_after": sum(day["units_after"] for day in told),
        "days": told,
    }


class _Scratch:
    """Tables on S3 that a check writes once and reads several times."""

    def __init__(self, store: UploadStore, folder: str) -> None:
        self._store, self._folder = store, folder
        self.spark = _engine(store.access).session()

    def lines(self, batches: Iterator[pa.RecordBatch]) -> DataFrame:
        """Lines of RAW_SALES without their text, which no rule reads."""
        from deltalake import write_deltalake

        place = RAW_SALES.arrow_schema.get_field_index("raw_text")
        field = RAW_SALES.arrow_schema.field(place)
        bare = (batch.set_column(place, field, pa.repeat("", batch.num_rows)) for batch in batches)
        reader = pa.RecordBatchReader.from_batches(RAW_SALES.arrow_schema, bare)
        uri = self._uri("lines")
        write_deltalake(uri, reader, storage_options=self._store.access.storage_options)
        return self.spark.read.format("delta").load(uri)

    def kept(self, frame: DataFrame, name: str) -> DataFrame:
        """The frame, computed once."""
        frame.write.format("delta").save(self._uri(name))
        return self.spark.read.format("delta").load(self._uri(name))

    def _uri(self, name: str) -> str:
        return self._store.scratch_uri(self._folder, name)


@dataclass(frozen=True)
class _DryRun:
    """Lines of RAW_SALES, landed ones and those of the upload, which stand under `file`."""

    settings: Settings
    scratch: _Scratch
    lines: DataFrame
    products: DataFrame
    file: LandingFile

    def before(self) -> Totals:
        return self._cleaning(self.lines.where(~self._is_uploaded()), self.file.key, "landed").totals()

    def beside(self) -> "_Cleaning":
        """With the upload as one more file."""
        return self._cleaning(self.lines, self.file.key, "additional")

    def in_place_of(self, key: str) -> "_Cleaning":
        """With the upload under that key, without what is there now."""
        kept = self.lines.where(self._is_uploaded() | (F.col("file_key") != key))
        moved = F.when(self._is_uploaded(), F.lit(key)).otherwise(F.col("file_key"))
        return self._cleaning(kept.withColumn("file_key", moved), key, "replacement")

    def _cleaning(self, raw: DataFrame, key: str, name: str) -> "_Cleaning":
        overlapping = self.settings.overlapping_files
        refused = rejected(raw, self.products, self.settings.calendar_start, overlapping)
        bad = self.scratch.kept(refused, name)
        is_mine = (F.col("file_key") == key) & (F.col("file_version") == self.file.version)
        return _Cleaning(raw, bad, is_mine, overlapping)

    def _is_uploaded(self) -> Column:
        return (F.col("file_key") == self.file.key) & (F.col("file_version") == self.file.version)


@dataclass(frozen=True)
class _Cleaning:
    """All lines, those that the rules refuse, and which are the upload's."""

    raw: DataFrame
    bad: DataFrame
    is_mine: Column
    overlapping: OverlappingFiles

    def totals(self) -> Totals:
        """Day -> lines kept of all files, and the units they sold; returns are no sales."""
        sold = F.sum(F.when(~F.col("is_return"), F.col("quantity")))
        found: dict[date, Row] = {}
        for is_now in self._some_days():
            good = cleaned(self.raw.where(is_now), self.bad.where(is_now), self.overlapping)
            rows = good.groupBy(DAY).agg(F.count("*").alias("lines"), sold.alias("units")).collect()
            found |= {row[DAY]: {"lines": row["lines"], "units": float(row["units"] or 0)} for row in rows}
        return found

    def _some_days(self) -> Iterator[Column]:
        """Every day once, as few at a time as the memory holds refused lines of: a join keeps all of them there."""
        is_later, lines = F.lit(True), 0  # of every day so far
        for row in self.bad.groupBy(DAY).agg(F.count("*").alias("lines")).orderBy(DAY).collect():
            if lines and lines + row["lines"] > REFUSED_AT_ONCE:
                yield is_later & (F.col(DAY) < row[DAY])
                is_later, lines = F.col(DAY) >= row[DAY], 0
            lines += row["lines"]
        yield is_later

    def rules(self) -> list[Row]:
        """The upload's lines that are not kept, counted by rule, the most frequent first."""
        by_rule = self.bad.where(self.is_mine).groupBy("rule", "column_name", "is_duplicate")
        rows = by_rule.agg(F.count("*").alias("lines"), F.min("reason").alias("reason")).collect()
        told = [
            {"rule": r["rule"], "column": r["column_name"], "reason": shown(r["reason"]), "lines": r["lines"]}
            | {"is_duplicate": r["is_duplicate"]}
            for r in rows
        ]
        return sorted(told, key=lambda rule: (-rule["lines"], rule["rule"]))

    def refused(self) -> list[Row]:
        """The first of these lines; what somebody should mend before what is only told twice."""
        names = ("line_number", "column_name", "value", "rule", "reason", "is_duplicate")
        rows = self.bad.where(self.is_mine).select(*names).orderBy("is_duplicate", "line_number").limit(MOST_LINES)
        return [line(*row[:5], is_duplicate=row[5]) for row in rows.collect()]


def _as_it_will_arrive(file: LandingFile, manifest: Iterable[Row]) -> LandingFile:
    """A version that was there before keeps the moment when it first came, which decides what was in the future."""
    known = (row for row in manifest if (row["file_key"], row["file_version"]) == (file.key, file.version))
    return replace(file, arrived_at=min((row["arrived_at"] for row in known), default=file.arrived_at))


def _free_key(key: str, manifest: Iterable[Row]) -> str:
    taken = {row["file_key"] for row in manifest}
    return next(found for number in count(2) if (found := numbered(key, number)) not in taken)


def _readable(zone: LandingZone, manifest: Iterable[Row]) -> list[Row]:
    """Current files but those that have changed and are not read again yet."""
    waiting = zone.waiting()
    changed = {*(file.key for file in waiting.files), *waiting.gone}
    return [row for row in manifest if row["status"] == CURRENT and row["file_key"] not in changed]


def _landed(zone: LandingZone, files: list[Row], days: list[date]) -> Iterator[pa.RecordBatch]:
    """Landed lines of those days and no others."""
    wanted = pa.array(days, pa.date32())
    for days_range in merged(days):
        for batch in zone.sales(DayRange(days_range.start, days_range.end), files):
            yield batch.filter(pc.is_in(batch[DAY], wanted))  # pyright: ignore[reportAttributeAccessIssue]


@cache
def _engine(access: S3Access) -> KeptEngine:
    """The engine of this process, started once."""
    engine = KeptEngine(spark_remote(), access)
    atexit.register(engine.stop)
    return engine
