"""Which sales lines are valid, typed; which are not, and why.

What belongs here: the rules a line must keep, and what makes a line the surplus of overlapping files. What does not:
splitting lines and booking them on days (`landing`), sums (`demand`).

Text is trimmed; numbers are plain decimals with a point (`12`, `-3.5`), rounded half up to the digits their type holds:
3 for units, 4 for money and days.
"""

from dataclasses import dataclass
from datetime import date
from typing import Literal

import pyarrow as pa
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812  # its name everywhere

from nexgen_assets.sales.csv_records import NOT_UTF8, RAGGED
from nexgen_assets.sales.dialects import DATE_PATTERN, FALSE_WORDS, NUMBER_PATTERN, TRUE_WORDS
from nexgen_assets.tables import (
    CLEANED_SALES,
    DAY,
    MONEY,
    RAW_SALES,
    REJECTED_SALES,
    SALES_FILE_COLUMNS,
    SALES_FILE_NUMBERS,
    UNITS,
    spark_type,
)

OverlappingFiles = Literal["merge", "add"]

DUPLICATE_OF_OTHER_FILE = "duplicate_of_other_file"
DUPLICATE_LINE_ID = "duplicate_line_id"

_BLANKS = " \t\r\n"
_NUMBERS: dict[str, pa.DataType] = dict.fromkeys(SALES_FILE_NUMBERS, MONEY) | {"quantity": UNITS, "stock_level": UNITS}
_NEVER_NEGATIVE = (
    "unit_price",
    "competitor_price",
    "marketing_spend",
    "lead_time",
    "supplier_delay",
    "shelf_life",
)
_DAYS = {"lead_time_days": "lead_time", "supplier_delay_days": "supplier_delay", "shelf_life_days": "shelf_life"}


@dataclass(frozen=True)
class Rule:
    """What breaks a line: the column at fault (None: the whole line), the condition, the reason and what to do."""

    name: str
    column: str | None
    is_broken: Column
    reason: str


def rules(calendar_start: date) -> tuple[Rule, ...]:
    """The rules in the order in which they are tried: the first that a line breaks refuses it.

    Conditions speak of raw columns by name and of their typed values by `typed_<name>`.
    """
    # `landing` left the sales date empty if it was unusable; a readable one that is not too early was in the future
    unusable, written = F.col("sales_date").isNull(), F.col("typed_date_of_purchase")
    return (
        Rule(NOT_UTF8, None, F.col("parse_error") == NOT_UTF8, "bytes are not UTF-8; export the file as UTF-8"),
        Rule(
            RAGGED,
            None,
            F.col("parse_error") == RAGGED,
            "the line does not split into the header's columns; check its separators and quotes",
        ),
        Rule("missing_product_id", "product_id", _is_missing("product_id"), "no product; fill in product_id"),
        Rule("missing_location", "location", _is_missing("location"), "no location; fill in location"),
        Rule(
            "date_before_calendar",
            "date_of_purchase",
            unusable & (written < F.lit(calendar_start)),
            f"the date is before the calendar's first day, {calendar_start}; correct it or begin the calendar earlier",
        ),
        Rule(
            "date_in_future",
            "date_of_purchase",
            unusable & written.isNotNull(),
            "the date was in the future when the file arrived; correct it",
        ),
        Rule(
            "date_unreadable",
            "date_of_purchase",
            unusable,
            "not a date; write it as YYYY-MM-DD, a time may follow",
        ),
        Rule("missing_quantity", "quantity", _is_missing("quantity"), "no quantity; fill in the units sold"),
        *(_not_a_number(name) for name in _NUMBERS),
        Rule(
            "is_promotion_not_a_boolean",
            "is_promotion",
            ~_is_missing("is_promotion") & F.col("typed_is_promotion").isNull(),
            "neither true nor false; write true or false, or leave it empty",
        ),
        Rule("quantity_zero", "quantity", F.col("typed_quantity") == 0, "nothing was sold; correct or drop the line"),
        Rule(
            "negative_quantity_with_positive_amount",
            "quantity",
            (F.col("typed_quantity") < 0) & (F.col("typed_amount") > 0),
            "units came back yet money was taken; make the quantity positive, or the amount negative for a return",
        ),
        *(_negative(name) for name in _NEVER_NEGATIVE),
    )


def classify(raw: DataFrame, calendar_start: date, overlapping_files: OverlappingFiles = "merge") -> DataFrame:
    """Lines of raw_sales with `typed_<column>`, `rule`, `column_name`, `value`, `reason` and `is_duplicate`.

    Lazy but for one small query, which finds the days on which files overlap.
    A line is valid where `rule` is null. `calendar_start` is the one that the lines were parsed with.
    """
    return _mark_duplicates(_apply_rules(_typed(raw), calendar_start), overlapping_files)


def cleaned(raw: DataFrame, calendar_start: date, overlapping_files: OverlappingFiles = "merge") -> DataFrame:
    """The valid lines, as CLEANED_SALES."""
    valid = classify(raw, calendar_start, overlapping_files).where(F.col("rule").isNull())
    sources = {
        **{name: f"typed_{name}" for name in SALES_FILE_COLUMNS},
        **{days: f"typed_{name}" for days, name in _DAYS.items()},
    }
    # many tills write -1 where they do not know the stock: that says nothing against the sale
    known_stock = F.when(F.col("typed_stock_level") >= 0, F.col("typed_stock_level"))
    typed = valid.withColumns({"is_return": F.col("typed_quantity") < 0, "typed_stock_level": known_stock})
    return typed.select(
        *(F.col(sources.get(c.name, c.name)).cast(spark_type(c.type)).alias(c.name) for c in CLEANED_SALES.columns)
    )


def rejected(raw: DataFrame, calendar_start: date, overlapping_files: OverlappingFiles = "merge") -> DataFrame:
    """The lines refused, and the surplus of overlapping files, as REJECTED_SALES."""
    lines = classify(raw, calendar_start, overlapping_files)
    return lines.where(F.col("rule").isNotNull()).select(*REJECTED_SALES.names)


def _is_missing(name: str) -> Column:
    return _trimmed(name).isNull()


def _not_a_number(name: str) -> Rule:
    return Rule(
        f"{name}_not_a_number",
        name,
        ~_is_missing(name) & F.col(f"typed_{name}").isNull(),
        "not a number; write plain digits with a decimal point, such as 12.5",
    )


def _negative(name: str) -> Rule:
    return Rule(
        f"negative_{name}", name, F.col(f"typed_{name}") < 0, f"{name} is below zero; correct it or leave it empty"
    )


def _typed(raw: DataFrame) -> DataFrame:
    readers = {
        **{name: _trimmed(name) for name in SALES_FILE_COLUMNS},
        **{name: _number(name, arrow) for name, arrow in _NUMBERS.items()},
        "is_promotion": _boolean("is_promotion"),
        "date_of_purchase": _date("date_of_purchase"),
    }
    return raw.withColumns({f"typed_{name}": value for name, value in readers.items()})


def _trimmed(name: str) -> Column:
    return F.nullif(F.trim(F.col(name), F.lit(_BLANKS)), F.lit(""))


def _number(name: str, arrow: pa.DataType) -> Column:
    # casts of the engines disagree on exponents, other scripts' digits and suffixes: only plain decimals reach them
    plain = F.regexp_extract(F.trim(F.col(name), F.lit(_BLANKS)), rf"^{NUMBER_PATTERN}\z", 0)
    return F.nullif(plain, F.lit("")).try_cast(spark_type(arrow))


def _boolean(name: str) -> Column:
    word = F.lower(_trimmed(name))
    return F.when(word.isin(*TRUE_WORDS), F.lit(True)).when(word.isin(*FALSE_WORDS), F.lit(False))


def _date(name: str) -> Column:
    written = F.regexp_extract(F.col(name), rf"^{DATE_PATTERN}\z", 1)
    return F.nullif(written, F.lit("")).try_cast("date")


def _apply_rules(typed: DataFrame, calendar_start: date) -> DataFrame:
    tried = rules(calendar_start)
    judged = typed.withColumn(
        "broken", F.coalesce(*(F.when(rule.is_broken, F.lit(place)) for place, rule in enumerate(tried)))
    )
    return judged.withColumns(
        {
            "rule": _of_broken([F.lit(rule.name) for rule in tried]),
            "column_name": _of_broken([F.lit(rule.column).cast("string") for rule in tried]),
            "value": _of_broken([F.col(rule.column) if rule.column else F.lit(None).cast("string") for rule in tried]),
            "reason": _of_broken([F.lit(rule.reason) for rule in tried]),
        }
    )


def _of_broken(values: list[Column]) -> Column:
    """The value that stands at the place of the broken rule, null if none is broken."""
    return F.get(F.array(*values), F.col("broken"))


def _mark_duplicates(judged: DataFrame, overlapping_files: OverlappingFiles) -> DataFrame:
    """Refuse the surplus of lines that several files share; lines that broke a rule take no part.

    Few lines are shared, and a line is wide: only the few are sorted, and only by what tells them apart.
    """
    # the small side first: the embedded engine keeps the left side of a join in memory
    marked = _surplus(_meeting_others(judged), overlapping_files).join(judged, list(RAW_SALES.grain), "right")
    is_duplicate = F.col("first_file_key").isNotNull()
    reason = F.concat(
        F.lit("already counted from "),
        F.col("first_file_key"),
        F.lit(" line "),
        F.col("first_line_number").cast("string"),
        F.lit("; nothing to do"),
    )
    rule = F.when(_has_line_id(), F.lit(DUPLICATE_LINE_ID)).otherwise(F.lit(DUPLICATE_OF_OTHER_FILE))
    return marked.withColumns(
        {
            "is_duplicate": is_duplicate,
            "rule": F.when(is_duplicate, rule).otherwise(F.col("rule")),
            "reason": F.when(is_duplicate, reason).otherwise(F.col("reason")),
        }
    ).drop("first_file_key", "first_line_number")


def _meeting_others(judged: DataFrame) -> DataFrame:
    """The lines that another line could repeat: of a `line_id`, or of a product at a location that two files report."""
    subject = F.coalesce(_trimmed("line_id"), F.concat(_trimmed("product_id"), _trimmed("location")))
    lines = judged.withColumn("subject", subject)
    # asked now: a scan can be pruned by days that are known, and most days are told by one file only
    days = [row[DAY] for row in _subjects_met_twice(lines).select(DAY).distinct().collect()]
    on_these_days = lines.where(F.col(DAY).isin(days))
    return _subjects_met_twice(on_these_days).join(on_these_days, [DAY, "subject"])


def _subjects_met_twice(lines: DataFrame) -> DataFrame:
    file = F.concat_ws(":", "file_version", "file_key")
    meets = (F.min(file) < F.max(file)) | ((F.count("line_id") > 0) & (F.count("*") > 1))
    return lines.groupBy(DAY, "subject").agg(meets.alias("meets")).where("meets").select(DAY, "subject")


def _surplus(lines: DataFrame, overlapping_files: OverlappingFiles) -> DataFrame:
    """The grain of each line that repeats another, with `first_file_key` and `first_line_number` of the one that stays.

    In the rank-th copy of a line, the files compete: the one that arrived first keeps it. So a line's count is its
    maximum over the files. A `line_id` has one copy only, wherever it stands.
    """
    takes_part = F.col("broken").isNull() & (F.lit(overlapping_files == "merge") | _has_line_id())
    copies = lines.select(
        *RAW_SALES.grain,
        "arrived_at",
        F.when(takes_part, _identity()).otherwise(_only_itself()).alias("identity"),
        _has_line_id().alias("has_line_id"),
    )
    in_file = Window.partitionBy(DAY, "identity", "file_key", "file_version").orderBy("line_number")
    ranked = copies.withColumn("rank", F.when(F.col("has_line_id"), F.lit(1)).otherwise(F.row_number().over(in_file)))
    competition = Window.partitionBy(DAY, "identity", "rank").orderBy(
        "arrived_at", "file_key", "file_version", "line_number"
    )
    first = {f"first_{name}": F.first(name).over(competition) for name in ("file_key", "line_number")}
    placed = ranked.withColumns({"place": F.row_number().over(competition), **first})
    return placed.where(F.col("place") > 1).select(*RAW_SALES.grain, *first)


def _has_line_id() -> Column:
    return _trimmed("line_id").isNotNull()


def _identity() -> Column:
    """What makes two lines the same: `line_id`, or every column of the contract; the length keeps values apart."""
    contents = [_sized(_trimmed(name)) for name in SALES_FILE_COLUMNS]
    return F.coalesce(F.concat(F.lit("id:"), _trimmed("line_id")), F.md5(F.concat(*contents)))


def _only_itself() -> Column:
    return F.concat_ws(":", F.lit("line"), "line_number", "file_version", "file_key")


def _sized(value: Column) -> Column:
    return F.coalesce(F.concat(F.length(value).cast("string"), F.lit(":"), value), F.lit("-"))
