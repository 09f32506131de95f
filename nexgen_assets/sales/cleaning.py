"""Which sales lines are valid, typed; which are not, and why.

What belongs here: the rules a line must keep. Types, ranges and required columns are those that `tables.py` declares of
`cleaned_sales`. What does not: splitting lines and booking them on days (`landing`), comparing lines of several files
(`overlaps`), sums (`demand`).

Text is trimmed; numbers are plain decimals with a point (`12`, `-3.5`), rounded half up to the digits their type holds:
3 for units, 4 for money and days. A line is refused, or else it is clean: `cleaned` keeps what `rejected` did not name.
"""

from dataclasses import dataclass
from datetime import date

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812  # its name everywhere

from nexgen_assets.sales.csv_records import NOT_UTF8, RAGGED
from nexgen_assets.sales.dialects import DATE_PATTERN, FALSE_WORDS, NUMBER_PATTERN, TRUE_WORDS
from nexgen_assets.sales.effective import in_force, with_told
from nexgen_assets.sales.overlaps import OverlappingFiles, near_repeats, surplus
from nexgen_assets.tables import (
    CLEANED_SALES,
    IMPLAUSIBLE_AMOUNT_FACTOR,
    MONEY,
    RAW_SALES,
    REJECTED_SALES,
    SALES_FILE_COLUMNS,
    SALES_FILE_NUMBERS,
    SALES_FILE_RENAMED,
    UNITS,
    spark_type,
)

DUPLICATE_OF_OTHER_FILE = "duplicate_of_other_file"
DUPLICATE_LINE_ID = "duplicate_line_id"
QUANTITY_STEP = "quantity_step"

_BLANKS = " \t\r\n"
_GRAIN = list(RAW_SALES.grain)
_TARGETS = {name: CLEANED_SALES.by_name[SALES_FILE_RENAMED.get(name, name)] for name in SALES_FILE_NUMBERS}
_NUMBERS = {name: UNITS if column.type == UNITS else MONEY for name, column in _TARGETS.items()}
_NEVER_NEGATIVE = [name for name, column in _TARGETS.items() if column.minimum == 0]


@dataclass(frozen=True)
class Rule:
    """What breaks a line: the column at fault (None: the whole line), the condition, the reason and what to do."""

    name: str
    column: str | None
    is_broken: Column
    reason: str


def rules(calendar_start: date) -> tuple[Rule, ...]:
    """The rules in the order in which they are tried: the first that a line breaks refuses it.

    Conditions speak of raw columns by name, of their typed values by `typed_<name>`, and of `quantity_step`, the
    product's smallest difference between two quantities as known on the day; null if nobody told it.
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
        Rule(
            "quantity_not_in_steps",
            "quantity",
            F.col("typed_quantity") % F.col(QUANTITY_STEP) != 0,
            "not a whole number of the product's quantity_step; correct the quantity, or the step in `products`",
        ),
    )


def rejected(
    raw: DataFrame, products: DataFrame, calendar_start: date, overlapping_files: OverlappingFiles = "merge"
) -> DataFrame:
    """The lines refused, and the surplus of overlapping files, as REJECTED_SALES.

    `raw` holds whole days of RAW_SALES, `products` the table PRODUCTS. `calendar_start` is the one that the lines were
    parsed with. Lazy but for two small queries: which days several files tell, and whether any product has a step.
    """
    judged = _apply_rules(_with_steps(_typed(raw), products, calendar_start), calendar_start)
    lines = _with_repetitions(judged, surplus(judged, overlapping_files))
    return lines.where(F.col("rule").isNotNull()).select(*REJECTED_SALES.names)


def cleaned(raw: DataFrame, rejected: DataFrame, overlapping_files: OverlappingFiles = "merge") -> DataFrame:
    """The lines of RAW_SALES that REJECTED_SALES of the same days does not name, as CLEANED_SALES.

    Lazy but for one small query, which finds the days that several files tell.
    """
    # the small side first: the embedded engine keeps the left side of a join in memory
    refused = rejected.select(*_GRAIN, F.lit(True).alias("is_refused"))
    valid = _typed(refused.join(raw, _GRAIN, "right").where(F.col("is_refused").isNull()))
    repeats = near_repeats(valid, overlapping_files).select(*_GRAIN, F.lit(True).alias("is_repeat"))
    lines = repeats.join(valid, _GRAIN, "right")
    # many tills write -1 where they do not know the stock: that says nothing against the sale
    known_stock = F.when(F.col("typed_stock_level") >= 0, F.col("typed_stock_level"))
    typed = lines.withColumns(
        {
            "is_return": F.col("typed_quantity") < 0,
            "typed_stock_level": known_stock,
            "is_near_duplicate": F.col("is_repeat").isNotNull(),
            "is_amount_implausible": _is_amount_implausible(),
        }
    )
    sources = {SALES_FILE_RENAMED.get(name, name): f"typed_{name}" for name in SALES_FILE_COLUMNS}
    return typed.select(
        *(F.col(sources.get(c.name, c.name)).cast(spark_type(c.type)).alias(c.name) for c in CLEANED_SALES.columns)
    )


def _is_amount_implausible() -> Column:
    """Ten times quantity x price or a tenth of it is another unit, not a discount; a line given away says nothing."""
    amount, value = F.abs("typed_amount"), F.abs(F.col("typed_quantity") * F.col("typed_unit_price"))
    differs = (amount >= value * IMPLAUSIBLE_AMOUNT_FACTOR) | (amount * IMPLAUSIBLE_AMOUNT_FACTOR <= value)
    return F.when((amount > 0) & (value > 0), differs)


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
        **{name: _trimmed(name) for name in (*SALES_FILE_COLUMNS, "line_id")},
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


def _with_steps(typed: DataFrame, products: DataFrame, calendar_start: date) -> DataFrame:
    """Adds `quantity_step`."""
    step_type = spark_type(UNITS)
    told = products.where(F.col(QUANTITY_STEP) > 0)
    if told.isEmpty():  # most shops tell none, and a join of every line is not free
        return typed.withColumn(QUANTITY_STEP, F.lit(None).cast(step_type))
    # finer than a thousandth allows everything that a quantity can be
    step = F.nullif(F.col(QUANTITY_STEP).cast(step_type), F.lit(0).cast(step_type))
    held = in_force(products, ("product_id",), calendar_start, date.max).withColumn(QUANTITY_STEP, step)
    return with_told(held, typed, {"product_id": "typed_product_id"}, {QUANTITY_STEP: QUANTITY_STEP})


def _with_repetitions(judged: DataFrame, repeats: DataFrame) -> DataFrame:
    """The lines, those in `repeats` refused as duplicates."""
    is_duplicate = F.col("first_file_key").isNotNull()
    reason = F.concat(
        F.lit("already counted from "),
        F.col("first_file_key"),
        F.lit(" line "),
        F.col("first_line_number").cast("string"),
        F.lit("; nothing to do"),
    )
    rule = F.when(F.col("typed_line_id").isNotNull(), F.lit(DUPLICATE_LINE_ID))
    # the small side first: the embedded engine keeps the left side of a join in memory
    return repeats.join(judged, _GRAIN, "right").withColumns(
        {
            "is_duplicate": is_duplicate,
            "rule": F.when(is_duplicate, rule.otherwise(F.lit(DUPLICATE_OF_OTHER_FILE))).otherwise(F.col("rule")),
            "reason": F.when(is_duplicate, reason).otherwise(F.col("reason")),
        }
    )
