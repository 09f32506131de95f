"""A sales file from the landing area, parsed into rows of `raw_sales`.

What belongs here: which day a line belongs to, and the values as written. What does not: judging a value (`cleaning`),
and fetching the file.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import islice
from typing import BinaryIO

import pyarrow as pa

from nexgen_assets.sales.csv_records import Header, LandingFile, Record, open_records
from nexgen_assets.tables import (
    DAY,
    RAW_SALES,
    SALES_FILE_COLUMNS,
    SALES_FILE_IGNORED,
    SALES_FILE_REQUIRED,
)

LINE_COLUMNS = (*SALES_FILE_COLUMNS, "line_id")

# How values are written in landing files. Python, Java and Rust must read the patterns alike: no \d, no \s, no $.
# An ISO date, or an ISO date-time whose date part counts as written.
DATE_PATTERN = r"[ \t]*([0-9]{4}-[0-9]{2}-[0-9]{2})([T ][0-9]{2}:[0-9]{2}[0-9:.,]*(Z|[+-][0-9:]+)?)?[ \t]*"
NUMBER_PATTERN = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)"
TRUE_WORDS = ("true", "t", "yes", "y", "1")
FALSE_WORDS = ("false", "f", "no", "n", "0")

_DATE = re.compile(DATE_PATTERN)
# blocks that fit the processor's cache are transposed five times faster than blocks of 10,000
_BLOCK_RECORDS = 256
_BATCH_BLOCKS = 200
_DISTINCT_DATES = 100_000


@dataclass(frozen=True)
class SalesFile:
    """A parsed sales file: its lines (RAW_SALES), the days they belong to, and the columns nobody knows."""

    lines: pa.Table
    days: list[date]
    unknown_columns: list[str]


def read_sales_file(stream: BinaryIO, file: LandingFile, calendar_start: date, last_day: date) -> SalesFile:
    """Parse a sales CSV; every record becomes one row, a bad one with its `parse_error`.

    `last_day` is the last complete day at the file's first arrival: later dates are in the future. A line without a
    usable date belongs to the latest usable date of the file; with none, to `last_day`.
    Raises LandingFileError if the header cannot be used.
    """
    usable_date = _date_reader(calendar_start, last_day)
    with open_records(stream, file, LINE_COLUMNS, SALES_FILE_REQUIRED, SALES_FILE_IGNORED) as (header, records):
        tables = (_to_table(block, header, file, usable_date) for block in _blocks(records))
        lines = _concat(tables)
    lines = _book_undated_lines(lines, last_day)
    days = sorted(lines[DAY].unique().to_pylist())
    return SalesFile(lines, days, header.unknown_columns)


def read_date(text: str) -> date | None:
    """The date of an ISO date or date-time, None if it is neither."""
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    try:
        return date.fromisoformat(match[1])
    except ValueError:  # a date that no calendar has, such as February 30
        return None


def _date_reader(calendar_start: date, last_day: date) -> Callable[[str], date | None]:
    # a file repeats few dates many times
    @lru_cache(maxsize=_DISTINCT_DATES)
    def usable_date(text: str) -> date | None:
        day = read_date(text)
        return day if day and calendar_start <= day <= last_day else None

    return usable_date


def _blocks(records: Iterator[Record]) -> Iterator[list[Record]]:
    while block := list(islice(records, _BLOCK_RECORDS)):
        yield block


def _concat(tables: Iterator[pa.Table]) -> pa.Table:
    """One table with few chunks, never holding many small ones."""
    batches = [RAW_SALES.arrow_schema.empty_table()]
    while blocks := list(islice(tables, _BATCH_BLOCKS)):
        batches.append(pa.concat_tables(blocks).combine_chunks())
    return pa.concat_tables(batches)


def _to_table(
    records: list[Record], header: Header, file: LandingFile, usable_date: Callable[[str], date | None]
) -> pa.Table:
    no_fields = [""] * header.width
    values = list(zip(*(record.fields or no_fields for record in records), strict=True))
    sales_dates = pa.array(
        [usable_date(text) for text in values[header.positions["date_of_purchase"]]],
        RAW_SALES.by_name["sales_date"].type,
    )
    columns: dict[str, pa.Array] = {
        DAY: sales_dates,
        "file_key": pa.repeat(file.key, len(records)),
        "file_version": pa.repeat(file.version, len(records)),
        "line_number": pa.array([record.line_number for record in records], pa.int64()),
        "arrived_at": pa.repeat(pa.scalar(file.arrived_at, RAW_SALES.by_name["arrived_at"].type), len(records)),
        "sales_date": sales_dates,
        **{name: _text_or_null(values[position]) for name, position in header.positions.items()},
        "parse_error": pa.array([record.problem for record in records], pa.string()),
        "raw_text": pa.array([record.text for record in records], pa.string()),
    }
    absent = pa.nulls(len(records), pa.string())
    return pa.Table.from_arrays([columns.get(name, absent) for name in RAW_SALES.names], schema=RAW_SALES.arrow_schema)


def _text_or_null(values: Iterable[str]) -> pa.Array:
    return pa.array([value or None for value in values], pa.string())


def _book_undated_lines(lines: pa.Table, last_day: date) -> pa.Table:
    file_day = max(lines[DAY].drop_null().unique().to_pylist(), default=last_day)
    return lines.set_column(0, RAW_SALES.arrow_schema.field(DAY), lines[DAY].fill_null(file_day))
