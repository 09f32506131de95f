"""A sales file from the landing area, parsed into rows of `raw_sales`, in two passes and bounded memory.

The first pass surveys the file: its days, and how it writes numbers and dates. The second makes the rows. What belongs
here: which day a line belongs to, and the values as written (in canonical writing where the file has a dialect of its
own). What does not: judging a value (`cleaning`), and fetching the file.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache, partial
from itertools import islice
from typing import BinaryIO

import pyarrow as pa

from nexgen_assets.sales.csv_records import Header, LandingFile, Record, open_records
from nexgen_assets.sales.dialects import DateEvidence, Dialect, NumberEvidence, read_date
from nexgen_assets.tables import (
    DAY,
    RAW_SALES,
    SALES_FILE_COLUMNS,
    SALES_FILE_IGNORED,
    SALES_FILE_NUMBERS,
    SALES_FILE_REQUIRED,
)

Progress = Callable[[int], None]  # called now and then with the number of records read so far

LINE_COLUMNS = (*SALES_FILE_COLUMNS, "line_id")
DATE_COLUMN = "date_of_purchase"

# blocks that fit the processor's cache are transposed five times faster than blocks of 10,000
_BLOCK_RECORDS = 256
_BATCH_BLOCKS = 200
_DISTINCT_TEXTS = 100_000

# the income is no evidence, since a refusal would show it; translated, it lets files of different dialects merge
_TRANSLATED_NUMBERS = (*SALES_FILE_NUMBERS, "customer_income")


@dataclass(frozen=True)
class SalesSurvey:
    """What a sales file holds: its lines, the days they belong to, the columns nobody knows, how it is written.

    `file_day` is the day of lines without a usable date.
    """

    lines: int
    days: list[date]
    file_day: date
    unknown_columns: list[str]
    dialect: Dialect


def survey_sales_file(
    stream: BinaryIO, file: LandingFile, usable: tuple[date, date], tell: Progress | None = None
) -> SalesSurvey:
    """Look at every line of a sales file, keeping none.

    `usable` are the calendar's first day and the last complete day at the file's first arrival: later dates are in the
    future. A line without a usable date belongs to the latest usable date of the file; with none, to that last day.
    Raises LandingFileError if the file is damaged, its header cannot be used, or its numbers or dates could be read in
    more than one way.
    """
    dates, numbers = DateEvidence(file.key, DATE_COLUMN), NumberEvidence(file.key)
    lines, has_lines_without_fields = 0, False
    with _open_sales(stream, file) as (header, records):
        for block in _blocks(records, tell):
            whole = [record for record in block if record.fields]
            lines += len(block)
            has_lines_without_fields |= len(whole) < len(block)
            _see_dates(whole, header, dates)
            if header.separator != ",":
                _see_numbers(whole, header, numbers)
    dialect = Dialect(header.separator, numbers.decimal_mark(), dates.order())
    written, has_unreadable = dates.days(dialect.date_order)
    first, last = usable
    days = {day for day in written if first <= day <= last}
    file_day = max(days, default=last)
    if has_lines_without_fields or has_unreadable or len(days) < len(written):
        days.add(file_day)
    return SalesSurvey(lines, sorted(days), file_day, header.unknown_columns, dialect)


def sales_lines(  # noqa: PLR0917
    stream: BinaryIO,
    file: LandingFile,
    survey: SalesSurvey,
    usable: tuple[date, date],
    days: tuple[date, date] | None = None,
    tell: Progress | None = None,
) -> Iterator[pa.RecordBatch]:
    """Rows of RAW_SALES, one per record, a bad one with its `parse_error`; only those of first..last of `days` if told.

    `survey` is that of the same content, with the same `usable` dates.
    """
    with _open_sales(stream, file) as (header, records):
        book = _Book(file, header, survey, usable)
        tables = (table for block in _blocks(records, tell) if (table := book.table(block, days)).num_rows)
        while blocks := list(islice(tables, _BATCH_BLOCKS)):
            yield from pa.concat_tables(blocks).combine_chunks().to_batches()


_open_sales = partial(open_records, known=LINE_COLUMNS, required=SALES_FILE_REQUIRED, ignored=SALES_FILE_IGNORED)


def _see_dates(records: list[Record], header: Header, evidence: DateEvidence) -> None:
    for text, line_number in _first_lines(records, header.positions[DATE_COLUMN]):
        evidence.see(text, line_number)


def _see_numbers(records: list[Record], header: Header, evidence: NumberEvidence) -> None:
    for column in SALES_FILE_NUMBERS:
        if column in header.positions:
            for text, line_number in _first_lines(records, header.positions[column]):
                evidence.see(text, line_number, column)


def _first_lines(records: list[Record], place: int) -> Iterable[tuple[str, int]]:
    """Each text of a column once, with the first line that holds it, in the order of these lines."""
    lines: dict[str, int] = {}
    for record in records:
        lines.setdefault(record.fields[place], record.line_number)  # pyright: ignore[reportOptionalSubscript]
    return lines.items()


class _Book:
    """Turns records of one file into rows: each on its day, each value in canonical writing."""

    def __init__(self, file: LandingFile, header: Header, survey: SalesSurvey, usable: tuple[date, date]) -> None:
        self._file = file
        self._header = header
        self._file_day = survey.file_day
        self._usable_date = _date_reader(usable, survey.dialect)
        self._translations = _translations(survey.dialect)

    def table(self, records: list[Record], days: tuple[date, date] | None) -> pa.Table:
        place = self._header.positions[DATE_COLUMN]
        dates = [self._usable_date(record.fields[place]) if record.fields else None for record in records]
        if days:
            first, last = days
            kept = [first <= (day or self._file_day) <= last for day in dates]
            if not any(kept):
                return RAW_SALES.arrow_schema.empty_table()
            records = [record for record, is_kept in zip(records, kept, strict=True) if is_kept]
            dates = [day for day, is_kept in zip(dates, kept, strict=True) if is_kept]
        return self._to_table(records, dates)

    def _to_table(self, records: list[Record], dates: list[date | None]) -> pa.Table:
        no_fields = [""] * self._header.width
        values = list(zip(*(record.fields or no_fields for record in records), strict=True))
        sales_dates = pa.array(dates, RAW_SALES.by_name["sales_date"].type)
        arrived_at = pa.scalar(self._file.arrived_at, RAW_SALES.by_name["arrived_at"].type)
        columns: dict[str, pa.Array] = {
            DAY: sales_dates.fill_null(self._file_day),
            "file_key": pa.repeat(self._file.key, len(records)),
            "file_version": pa.repeat(self._file.version, len(records)),
            "line_number": pa.array([record.line_number for record in records], pa.int64()),
            "arrived_at": pa.repeat(arrived_at, len(records)),
            "sales_date": sales_dates,
            **{name: self._texts(name, values[place]) for name, place in self._header.positions.items()},
            "parse_error": pa.array([record.problem for record in records], pa.string()),
            "raw_text": pa.array([record.text for record in records], pa.string()),
        }
        absent = pa.nulls(len(records), pa.string())
        return pa.Table.from_arrays(
            [columns.get(name, absent) for name in RAW_SALES.names], schema=RAW_SALES.arrow_schema
        )

    def _texts(self, name: str, values: Iterable[str]) -> pa.Array:
        translate = self._translations.get(name)
        if translate:
            values = map(translate, values)
        return pa.array([value or None for value in values], pa.string())


def _translations(dialect: Dialect) -> dict[str, Callable[[str], str]]:
    """Column -> how its values become canonical; nothing for a plain file."""
    found: dict[str, Callable[[str], str]] = {}
    # a file repeats few numbers and dates many times
    if dialect.number:
        found |= dict.fromkeys(_TRANSLATED_NUMBERS, lru_cache(_DISTINCT_TEXTS)(dialect.number))
    if dialect.date:
        found[DATE_COLUMN] = lru_cache(_DISTINCT_TEXTS)(dialect.date)
    return found


def _date_reader(usable: tuple[date, date], dialect: Dialect) -> Callable[[str], date | None]:
    iso, (first, last) = dialect.date, usable

    # a file repeats few dates many times
    @lru_cache(maxsize=_DISTINCT_TEXTS)
    def usable_date(text: str) -> date | None:
        day = read_date(iso(text) if iso else text)
        return day if day and first <= day <= last else None

    return usable_date


def _blocks(records: Iterator[Record], tell: Progress | None) -> Iterator[list[Record]]:
    done = 0
    while block := list(islice(records, _BLOCK_RECORDS)):
        yield block
        done += len(block)
        if tell:
            tell(done)
