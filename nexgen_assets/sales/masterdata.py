"""The optional uploads: stock counts and planned events, parsed into rows of `inventory_counts` and `calendar`.

What belongs here: columns, defaults and checks of these two files. What does not: which count or plan is in effect on
a day (`replenishment`, `forecasting`).

Unlike sales, an upload is taken whole or refused whole: half a stock count would order the other half again.
"""

import re
from collections.abc import Callable
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import BinaryIO, TypeVar

import pyarrow as pa

from nexgen_assets.sales.csv_records import RAGGED, Header, LandingFile, LandingFileError, Record, open_records
from nexgen_assets.sales.dialects import FALSE_WORDS, NUMBER_PATTERN, TRUE_WORDS, read_date
from nexgen_assets.tables import CALENDAR, INVENTORY_COUNTS, MONEY, Table

INVENTORY_FILE_REQUIRED = ("date", "product_id", "location", "on_hand")
INVENTORY_FILE_COLUMNS = (
    *INVENTORY_FILE_REQUIRED,
    "on_order",
    "on_order_due_date",
    "lead_time",
    "unit_cost",
    "pack_size",
    "min_order_quantity",
    "source",
)
CALENDAR_FILE_REQUIRED = ("date",)
CALENDAR_FILE_COLUMNS = (
    *CALENDAR_FILE_REQUIRED,
    "end_date",
    "product_id",
    "location",
    "is_promotion",
    "promotion_share",
    "effective_date",
)

PROBLEMS_SHOWN = 20

_NUMBER = re.compile(NUMBER_PATTERN)
_LARGEST = 1e14  # what the money columns hold
_MONEY_STEP = Decimal(1).scaleb(-MONEY.scale)

Value = TypeVar("Value")


def read_inventory_file(stream: BinaryIO, file: LandingFile) -> pa.Table:
    """Parse an inventory CSV into INVENTORY_COUNTS; nothing on order and source `count` where the file is silent.

    Raises LandingFileError if the header or any line is unusable; it lists the first PROBLEMS_SHOWN problems.
    """
    with open_records(stream, file, INVENTORY_FILE_COLUMNS, INVENTORY_FILE_REQUIRED) as (header, records):
        upload = _Upload(file, header, list(records))
    columns = {
        "product_id": upload.required("product_id", str),
        "location": upload.required("location", str),
        "count_date": upload.required("date", _date),
        "on_hand": upload.required("on_hand", _real),
        "on_order_units": [units or 0.0 for units in upload.optional("on_order", _not_negative)],
        "on_order_due_date": upload.optional("on_order_due_date", _date),
        "lead_time_days": upload.optional("lead_time", _not_negative),
        "unit_cost": upload.optional("unit_cost", _money),
        "pack_size": upload.optional("pack_size", _positive),
        "min_order_quantity": upload.optional("min_order_quantity", _not_negative),
        "source": [source or "count" for source in upload.optional("source", str)],
    }
    _refuse_second_counts(upload, columns["product_id"], columns["location"], columns["count_date"])
    return upload.table(INVENTORY_COUNTS, columns)


def read_calendar_file(stream: BinaryIO, file: LandingFile) -> pa.Table:
    """Parse a calendar CSV into CALENDAR; a line without a product or location holds for every one.

    An event lasts one day unless `end_date` is given. A plan without `effective_date` was known from the day of
    `file.arrived_at`, in the time zone which that carries.
    Raises LandingFileError if the header or any line is unusable; it lists the first PROBLEMS_SHOWN problems.
    """
    with open_records(stream, file, CALENDAR_FILE_COLUMNS, CALENDAR_FILE_REQUIRED) as (header, records):
        upload = _Upload(file, header, list(records))
    starts = upload.required("date", _date)
    ends = [end or start for start, end in zip(starts, upload.optional("end_date", _date), strict=True)]
    _refuse_ends_before_starts(upload, starts, ends)
    arrival_day = file.arrived_at.date()
    return upload.table(
        CALENDAR,
        {
            "product_id": [product or "" for product in upload.optional("product_id", str)],
            "location": [location or "" for location in upload.optional("location", str)],
            "start_date": starts,
            "end_date": ends,
            "promotion_share": _promotion_shares(upload),
            "effective_date": [known or arrival_day for known in upload.optional("effective_date", _date)],
        },
    )


class _Upload:
    """The lines of an upload, column by column, and everything found wrong with them."""

    def __init__(self, file: LandingFile, header: Header, records: list[Record]) -> None:
        self._file = file
        self._lines = [record for record in records if record.fields and not record.problem]
        self._columns = {
            name: [record.fields[position].strip() for record in self._lines if record.fields]
            for name, position in header.positions.items()
        }
        self._problems = [(r.line_number, _whole_line_problem(r.problem)) for r in records if r.problem]

    def required(self, column: str, parse: Callable[[str], Value]) -> list[Value | None]:
        """Parsed values; an empty or unreadable one is a problem and None."""
        values = self.optional(column, parse)
        for index, text in enumerate(self._texts(column)):
            if not text:
                self.refuse(index, column, "is empty; fill it in")
        return values

    def optional(self, column: str, parse: Callable[[str], Value]) -> list[Value | None]:
        """Parsed values, None where the file says nothing; an unreadable one is a problem and None."""
        parsed: dict[str, Value | None] = {"": None}  # few distinct values, many lines
        wrong: dict[str, str] = {}
        values: list[Value | None] = []
        for index, text in enumerate(self._texts(column)):
            if text not in parsed:
                try:
                    parsed[text] = parse(text)
                except ValueError as advice:
                    parsed[text], wrong[text] = None, str(advice)
            if text in wrong:
                self.refuse(index, column, wrong[text])
            values.append(parsed[text])
        return values

    def refuse(self, index: int, column: str, advice: str) -> None:
        value = self._columns[column][index]
        self._problems.append((self._lines[index].line_number, f"column {column!r}, value {value!r}: {advice}"))

    def line_number(self, index: int) -> int:
        return self._lines[index].line_number

    def table(self, table: Table, columns: dict[str, list]) -> pa.Table:
        """The rows of `table`; raises LandingFileError if anything was refused."""
        if self._problems:
            raise LandingFileError(self._refusal())
        sources = {
            "file_key": [self._file.key] * len(self._lines),
            "line_number": [record.line_number for record in self._lines],
        }
        return pa.Table.from_pydict(columns | sources, schema=table.arrow_schema)

    def _texts(self, column: str) -> list[str]:
        return self._columns.get(column) or [""] * len(self._lines)

    def _refusal(self) -> str:
        shown = [f"line {number}: {problem}" for number, problem in sorted(self._problems)[:PROBLEMS_SHOWN]]
        hidden = len(self._problems) - len(shown)
        more = [f"and {hidden} more"] if hidden else []
        summary = f"{self._file.key}: nothing was loaded; correct these lines and upload the whole file again"
        return "\n".join([summary, *shown, *more])


def _whole_line_problem(problem: str | None) -> str:
    if problem == RAGGED:
        return "does not split into the header's columns; check its commas and quotes"
    return "holds bytes that are not UTF-8; export the file as UTF-8"


def _refuse_second_counts(upload: _Upload, *grain: list) -> None:
    first_line: dict[tuple, int] = {}
    for index, key in enumerate(zip(*grain, strict=True)):
        line = first_line.setdefault(key, upload.line_number(index))
        if line != upload.line_number(index) and None not in key:
            upload.refuse(index, "product_id", f"counted on line {line} already for this location and date; keep one")


def _refuse_ends_before_starts(upload: _Upload, starts: list[date | None], ends: list[date | None]) -> None:
    for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
        if start and end and end < start:
            upload.refuse(index, "end_date", f"is before the event's first day, {start}; correct one of them")


def _promotion_shares(upload: _Upload) -> list[float]:
    promotions, told = upload.optional("is_promotion", _boolean), upload.optional("promotion_share", _share)
    for index, (is_promotion, share) in enumerate(zip(promotions, told, strict=True)):
        if is_promotion is False and share:
            upload.refuse(index, "promotion_share", "contradicts is_promotion, which is false; correct one of them")
    return [
        share if share is not None else float(bool(is_promotion))
        for is_promotion, share in zip(promotions, told, strict=True)
    ]


def _date(text: str) -> date:
    day = read_date(text)
    if day is None:
        raise ValueError("is not a date; write it as YYYY-MM-DD")
    return day


def _real(text: str) -> float:
    if not _NUMBER.fullmatch(text) or abs(float(text)) >= _LARGEST:
        raise ValueError("is not a number; write plain digits with a decimal point, such as 12.5")
    return float(text)


def _not_negative(text: str) -> float:
    number = _real(text)
    if number < 0:
        raise ValueError("is below zero; correct it or leave it empty")
    return number


def _positive(text: str) -> float:
    number = _real(text)
    if number <= 0:
        raise ValueError("is not above zero; correct it or leave it empty")
    return number


def _share(text: str) -> float:
    number = _real(text)
    if not 0 <= number <= 1:
        raise ValueError("is not a share; write a number from 0 to 1, such as 0.5")
    return number


def _money(text: str) -> Decimal:
    _not_negative(text)
    return Decimal(text).quantize(_MONEY_STEP, ROUND_HALF_UP)


def _boolean(text: str) -> bool:
    word = text.lower()
    if word not in TRUE_WORDS and word not in FALSE_WORDS:
        raise ValueError("is neither true nor false; write true or false, or leave it empty")
    return word in TRUE_WORDS
