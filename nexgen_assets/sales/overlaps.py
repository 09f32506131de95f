"""Which sales lines say again what another file has said.

What belongs here: comparing the lines of files that overlap (a weekly export, a file sent again under another name).
What does not: judging a line by itself (`cleaning`).

Within one file identical lines are sales: a till scans twice. Over files a line counts as often as the file with the
most copies has it. So in the n-th copy of a line the files compete, and the one that arrived first keeps it.
Few lines are shared, and a line is wide: only the few are sorted, and only by what tells them apart.
"""

from typing import Literal

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812  # its name everywhere

from nexgen_assets.tables import DAY, RAW_SALES, SALES_FILE_COLUMNS

OverlappingFiles = Literal["merge", "add"]

# what makes two lines the same sale, however its products, weather or customers are described
_CORE = ("customer_id", "product_id", "location", "date_of_purchase", "quantity", "amount", "unit_price")
_MIDNIGHT = r"[T ]00:00(:00(\.0+)?)?$"


def surplus(lines: DataFrame, overlapping_files: OverlappingFiles) -> DataFrame:
    """The grain of each line that repeats another, with `first_file_key` and `first_line_number` of the one that stays.

    `lines` are those of RAW_SALES with `typed_<column>`, and `broken` where a rule refuses them: those take no part.
    A line with a `line_id` is identified by it, wherever it stands; with "add" no other line repeats one.
    """
    takes_part = F.col("broken").isNull() & (F.lit(overlapping_files == "merge") | _has_line_id())
    by_id = F.concat(F.lit("id:"), F.col("typed_line_id"))
    identity = F.coalesce(by_id, _told(SALES_FILE_COLUMNS))
    return _repeats(lines, F.when(takes_part, identity).otherwise(_only_itself()))


def near_repeats(lines: DataFrame, overlapping_files: OverlappingFiles) -> DataFrame:
    """The same for lines that tell another file's sale in other words: a product renamed, the weather added.

    `lines` are those that are left after `surplus`. With "add" no file tells another's sales.
    """
    takes_part = F.lit(overlapping_files == "merge") & ~_has_line_id()
    return _repeats(lines, F.when(takes_part, _told(_CORE)).otherwise(_only_itself()))


def _repeats(lines: DataFrame, identity: Column) -> DataFrame:
    copies = _meeting_others(lines).select(
        *RAW_SALES.grain, "arrived_at", identity.alias("identity"), _has_line_id().alias("has_line_id")
    )
    in_file = Window.partitionBy(DAY, "identity", "file_key", "file_version").orderBy("line_number")
    ranked = copies.withColumn("rank", F.when(F.col("has_line_id"), F.lit(1)).otherwise(F.row_number().over(in_file)))
    competition = Window.partitionBy(DAY, "identity", "rank").orderBy(
        "arrived_at", "file_key", "file_version", "line_number"
    )
    first = {f"first_{name}": F.first(name).over(competition) for name in ("file_key", "line_number")}
    placed = ranked.withColumns({"place": F.row_number().over(competition), **first})
    return placed.where(F.col("place") > 1).select(*RAW_SALES.grain, *first)


def _meeting_others(lines: DataFrame) -> DataFrame:
    """The lines that another line could repeat: of a `line_id`, or of a product at a location that two files report."""
    file = F.concat_ws(":", "file_version", "file_key")
    meets = (F.min(file) < F.max(file)) | ((F.count("line_id") > 0) & (F.count("*") > 1))
    # asked now: a scan can be pruned by days that are known, and most days are told by one file only
    days = [row[DAY] for row in lines.groupBy(DAY).agg(meets.alias("meets")).where("meets").select(DAY).collect()]
    subject = F.coalesce("typed_line_id", F.concat("typed_product_id", "typed_location"))
    candidates = lines.where(F.col(DAY).isin(days)).withColumn("subject", subject)
    subjects = candidates.groupBy(DAY, "subject").agg(meets.alias("meets")).where("meets").select(DAY, "subject")
    return subjects.join(candidates, [DAY, "subject"])


def _has_line_id() -> Column:
    return F.col("typed_line_id").isNotNull()


def _only_itself() -> Column:
    return F.concat_ws(":", F.lit("line"), "line_number", "file_version", "file_key")


def _told(names: tuple[str, ...]) -> Column:
    """What the columns say, however a file writes it; the length keeps neighbouring values apart."""
    return F.md5(F.concat(*(_sized(_moment() if name == "date_of_purchase" else _value(name)) for name in names)))


def _value(name: str) -> Column:
    return F.col(f"typed_{name}").cast("string")


def _moment() -> Column:
    """Date and time as written; a midnight is a date whose exporter could not leave the time out."""
    return F.translate(F.regexp_replace(F.trim("date_of_purchase"), _MIDNIGHT, ""), "T", " ")


def _sized(value: Column) -> Column:
    return F.coalesce(F.concat(F.length(value).cast("string"), F.lit(":"), value), F.lit("-"))
