"""Records of a landing CSV: exact line numbers, and no good line lost to a bad one.

What belongs here: what a landing file is, its header, and how its bytes split into records; Parquet files look the same
(`parquet_records`). What does not: what a column means, and what becomes of a bad record; `landing` and `masterdata`
decide that.
"""

import csv
import gzip
import io
import re
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice, repeat
from typing import Any, BinaryIO, NamedTuple

RAGGED = "ragged_line"
NOT_UTF8 = "not_utf8"
SEPARATORS = (",", ";", "\t", "|")

# a quoted field may hold line breaks, but a quote that nobody closed must not swallow the file
MAX_RECORD_LINES = 50

# no sales line is longer; a file without line ends must not fill the memory
LONGEST_LINE = 1_000_000

# sales compress ten- to fiftyfold, a file that was made to fill a disk a thousandfold; a small one does no harm
MOST_EXPANSION = 200
HARMLESS_BYTES = 64_000_000

# lines that are split together when nothing is wrong with them; small enough for the processor's cache
_BLOCK_LINES = 256

# `surrogateescape` decodes a byte that is not UTF-8 to one of these
_ESCAPED_BYTE = re.compile("[\udc80-\udcff]")


class LandingFileError(ValueError):
    """A whole landing file is refused; the message names the file, the column and what to do."""


@dataclass(frozen=True)
class LandingFile:
    """One version of one landing file: its key in the bucket, its version, and when it was first seen (aware)."""

    key: str
    version: str
    arrived_at: datetime


@dataclass(frozen=True)
class Header:
    """Where each known column stands in a record, how wide a record is, and which columns nobody asked for."""

    positions: dict[str, int]
    width: int
    unknown_columns: list[str]
    separator: str = ","


class Expansion:
    """Counts what a compressed file of `packed` bytes unpacks to."""

    def __init__(self, packed: int, file: LandingFile) -> None:
        self._most = max(HARMLESS_BYTES, MOST_EXPANSION * packed)
        self._file = file
        self._unpacked = 0

    def add(self, unpacked: int) -> None:
        """Raises LandingFileError once it is more than sales ever make."""
        self._unpacked += unpacked
        if self._unpacked > self._most:
            raise LandingFileError(
                f"{self._file.key}: the file unpacks to more than {self._most / 1e6:,.0f} MB, which no sales file of "
                "its size does; upload it uncompressed, or in parts"
            )


class Record(NamedTuple):
    """One record: the line where it begins (the header is line 1), its text, and its fields unless it has none.

    `problem` is None, RAGGED or NOT_UTF8. Bytes that are not UTF-8 are written as \\xNN in text and fields.
    """

    line_number: int
    text: str
    fields: list[str] | None
    problem: str | None


@contextmanager
def open_records(
    stream: BinaryIO,
    file: LandingFile,
    known: tuple[str, ...],
    required: tuple[str, ...],
    ignored: tuple[str, ...] = (),
) -> Iterator[tuple[Header, Iterator[Record]]]:
    """The header and the records of a landing file: `.csv`, `.csv.gz` or `.parquet`, as its key says.

    A CSV is UTF-8, with an optional byte order mark; its columns are separated by what its header shows, one of
    SEPARATORS. Blank lines are skipped. The stream is left open.
    Raises LandingFileError if the file is empty or damaged, or if its header is unreadable, lacks a required column or
    repeats one.
    """
    columns, name = _Columns(file.key, known, required, ignored), file.key.lower()
    if name.endswith(".parquet"):
        from nexgen_assets.sales.parquet_records import parquet_records

        yield parquet_records(stream, file, columns.header)
    elif name.endswith(".csv.gz"):
        with _damage_refused(file), _Unpacked(stream, file) as unpacked, _csv_text(unpacked) as text:
            yield _csv_records(text, file, columns)
    elif name.endswith(".csv"):
        with _csv_text(stream) as text:
            yield _csv_records(text, file, columns)
    else:
        raise LandingFileError(f"{file.key}: only .csv, .csv.gz and .parquet are read; export the file as one of these")


class _Unpacked(gzip.GzipFile):
    """A gzip stream that does not unpack without end."""

    def __init__(self, stream: BinaryIO, file: LandingFile) -> None:
        super().__init__(fileobj=stream, mode="rb")
        self._expansion = Expansion(size_of(stream), file)

    def read1(self, size: int = -1) -> bytes:
        found = super().read1(size)
        self._expansion.add(len(found))
        return found


def size_of(stream: BinaryIO) -> int:
    """Bytes from where a stream stands to its end; it stays where it stands."""
    place = stream.tell()
    size = stream.seek(0, io.SEEK_END) - place
    stream.seek(place)
    return size


@contextmanager
def _csv_text(stream: Any) -> Iterator[io.TextIOWrapper]:
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        yield text
    finally:
        text.detach()


@contextmanager
def _damage_refused(file: LandingFile) -> Iterator[None]:
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise LandingFileError(f"{file.key}: the compressed file is damaged ({error}); upload it again") from error


def _csv_records(text: io.TextIOWrapper, file: LandingFile, columns: "_Columns") -> tuple[Header, Iterator[Record]]:
    lines = _Lines(_physical_lines(text, file))
    header = _read_header(lines, columns)
    return header, _records(lines, header.width, header.separator)


def _physical_lines(text: io.TextIOWrapper, file: LandingFile) -> Iterator[str]:
    for number, line in enumerate(iter(partial(text.readline, LONGEST_LINE + 1), ""), start=1):
        if len(line) > LONGEST_LINE:
            raise LandingFileError(
                f"{file.key}: line {number} has more than {LONGEST_LINE:,} characters; "
                "end each line with a line break and upload the file again"
            )
        yield line


class _Lines:
    """Physical lines that can be looked at ahead and given back; `taken` holds those the current record used."""

    def __init__(self, text: Iterator[str]) -> None:
        self._text = text
        self._ahead: deque[str] = deque()
        self.taken: list[str] = []
        self.next_number = 1

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self.taken) == MAX_RECORD_LINES:
            raise StopIteration  # an end inside quotes: csv.reader reports it as an error of this record
        line = self._ahead.popleft() if self._ahead else next(self._text)
        self.taken.append(line)
        return line

    def peek(self, count: int) -> list[str]:
        self._ahead.extend(islice(self._text, max(0, count - len(self._ahead))))
        return list(islice(self._ahead, count))

    def skip(self, count: int) -> None:
        for _ in range(count):
            self._ahead.popleft()
        self.next_number += count

    def finish_record(self, used: int) -> tuple[int, str]:
        """Close the current record after its first `used` lines; returns its line number and text."""
        self._ahead.extendleft(reversed(self.taken[used:]))
        number, text = self.next_number, _without_line_end("".join(self.taken[:used]))
        self.next_number += used
        self.taken = []
        return number, text


def _records(lines: _Lines, width: int, separator: str) -> Iterator[Record]:
    while block := lines.peek(_BLOCK_LINES):
        rows = _one_row_a_line(block, width, separator)
        if rows is None:
            yield from _records_one_by_one(lines, width, separator, lines.next_number + len(block))
        else:
            numbers = range(lines.next_number, lines.next_number + len(block))
            lines.skip(len(block))
            yield from map(Record, numbers, map(_without_line_end, block), rows, repeat(None))


def _one_row_a_line(block: list[str], width: int, separator: str) -> list[list[str]] | None:
    """The rows of a block in which every line is a good record, as in nearly all; otherwise None."""
    if _has_escaped_byte("".join(block)):
        return None
    try:
        rows = list(csv.reader(block, delimiter=separator, strict=True))
    except csv.Error:
        return None
    return rows if len(rows) == len(block) and set(map(len, rows)) == {width} else None


def _records_one_by_one(lines: _Lines, width: int, separator: str, end: int) -> Iterator[Record]:
    """Records that begin before line `end`, whatever is wrong with them."""
    for fields in _split(lines, separator):
        is_whole = fields is not None and len(fields) == width and not _swallows_records(lines.taken, width, separator)
        number, text = lines.finish_record(len(lines.taken) if is_whole else 1)
        if is_whole or text.strip():
            yield whole_or_bad(number, text, fields if is_whole else None)
        if lines.next_number >= end:
            return


def _split(lines: Iterator[str], separator: str) -> Iterator[list[str] | None]:
    """Fields of one record after the other, None where quoting is broken; `lines.taken` are the record's lines."""
    reader = csv.reader(lines, delimiter=separator, strict=True)
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield None


def _swallows_records(taken: list[str], width: int, separator: str) -> bool:
    """Whether a line inside a quoted field is itself as wide as a record: then the quote was never meant to span it."""
    return any('"' not in line and line.count(separator) == width - 1 for line in islice(taken, 1, None))


def whole_or_bad(number: int, text: str, fields: list[str] | None) -> Record:
    """A record with its problem; bytes that are not UTF-8 come in as `surrogateescape` decodes them."""
    if _has_escaped_byte(text):
        return Record(number, _visible(text), [_visible(field) for field in fields] if fields else None, NOT_UTF8)
    return Record(number, text, fields, None if fields else RAGGED)


def _has_escaped_byte(text: str) -> bool:
    return not text.isascii() and _ESCAPED_BYTE.search(text) is not None


def _visible(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class _Columns:
    """What is asked of a file's header."""

    file_key: str
    known: tuple[str, ...]
    required: tuple[str, ...]
    ignored: tuple[str, ...]

    def header(self, names: list[str], separator: str = ",") -> Header:
        """The header that those names make; raises LandingFileError if it cannot be used."""
        names = [name.strip().lower() for name in names]
        if repeated := sorted({name for name in names if name and names.count(name) > 1}):
            raise LandingFileError(
                f"{self.file_key}: the header names {_quoted(repeated)} more than once; keep one and upload the file "
                "again"
            )
        if missing := [name for name in self.required if name not in names]:
            raise LandingFileError(
                f"{self.file_key}: the header lacks the required column {_quoted(missing)}; add it to the export"
                f"{self._advice} and upload the file again"
            )
        return Header(
            positions={name: names.index(name) for name in self.known if name in names},
            width=len(names),
            unknown_columns=[
                name or "(unnamed)" for name in names if name not in self.known and name not in self.ignored
            ],
            separator=separator,
        )

    @property
    def _advice(self) -> str:
        if self.file_key.lower().endswith(".parquet"):
            return ""
        return " (first line; its columns are separated by comma, semicolon, tab or |)"

    def separator(self, lines: list[str]) -> str:
        """What separates the columns of a header: by which the most required columns are found."""

        def found(separator: str) -> int:
            names = {name.strip().lower() for name in next(_split(iter(lines), separator), None) or []}
            return len(names.intersection(self.required))

        return max(SEPARATORS, key=found)  # the first of equals: the comma


def _read_header(lines: _Lines, columns: _Columns) -> Header:
    while start := lines.peek(1):
        if start[0].strip():
            break
        lines.skip(1)
    else:
        raise LandingFileError(
            f"{columns.file_key}: the file is empty; upload a CSV file whose first line names its columns"
        )
    separator = columns.separator(lines.peek(MAX_RECORD_LINES))
    fields = next(_split(lines, separator))
    _, text = lines.finish_record(len(lines.taken))
    if _has_escaped_byte(text) or "\0" in text:
        raise LandingFileError(
            f"{columns.file_key}: the header is not UTF-8 text; export the file as UTF-8 and upload it again"
        )
    if fields is None:
        raise LandingFileError(
            f"{columns.file_key}: a quote in the header is not closed; correct the header and upload it again"
        )
    return columns.header(fields, separator)


def _without_line_end(line: str) -> str:
    return line.rstrip("\r\n")


def _quoted(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names)
