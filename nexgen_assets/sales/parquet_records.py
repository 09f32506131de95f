"""Rows of a landing Parquet file as the records that a CSV of the same content would give.

What belongs here: typed values to their canonical text. What does not: what a column means.
"""

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nexgen_assets.sales.csv_records import (
    Expansion,
    Header,
    LandingFile,
    LandingFileError,
    Record,
    size_of,
    whole_or_bad,
)

_BATCH_ROWS = 10_000
_BUFFER_BYTES = 1_000_000


def parquet_records(
    stream: BinaryIO, file: LandingFile, header: Callable[[list[str]], Header]
) -> tuple[Header, Iterator[Record]]:
    """The header and the records of a Parquet file; the first row is line 2, as it would be in a CSV.

    Columns that nobody asked for and no CSV could hold are left empty.
    Raises LandingFileError if the file is damaged, or if a column that is asked for holds what no CSV could.
    """
    packed = Expansion(size_of(stream), file)
    with _damage_refused(file):
        # read page by page: a row group may be as large as the file
        parquet = pq.ParquetFile(stream, buffer_size=_BUFFER_BYTES, pre_buffer=False)
        names = parquet.schema_arrow.names
    columns = header(names)
    return columns, _records(parquet, file, columns, packed)


def _records(parquet: pq.ParquetFile, file: LandingFile, header: Header, packed: Expansion) -> Iterator[Record]:
    number, asked_for = 2, set(header.positions.values())
    batches = parquet.iter_batches(_BATCH_ROWS)
    while (batch := _next(batches, file)) is not None:
        columns = [
            _texts(column, batch.schema.names[place], file, is_asked_for=place in asked_for)
            for place, column in enumerate(batch.columns)
        ]
        rows = list(map(list, zip(*columns, strict=True)))
        lines = _lines(rows)
        packed.add(sum(map(len, lines)))
        for fields, line in zip(rows, lines, strict=True):
            yield whole_or_bad(number, line, fields)
            number += 1


def _next(batches: Iterator[pa.RecordBatch], file: LandingFile) -> pa.RecordBatch | None:
    with _damage_refused(file):
        return next(batches, None)


@contextmanager
def _damage_refused(file: LandingFile) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the machine failed, not the file
        raise LandingFileError(f"{file.key}: this is no readable Parquet file; upload it again") from error


def _texts(column: pa.Array, name: str, file: LandingFile, *, is_asked_for: bool) -> list[str]:
    """The texts of a column, empty where a value is missing."""
    try:
        texts = column.cast(options=pc.CastOptions(target_type=pa.string(), allow_invalid_utf8=True))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        if not is_asked_for:
            return [""] * len(column)
        raise LandingFileError(
            f"{file.key}: column {name!r} holds {column.type}; write texts, numbers, dates or booleans and upload the "
            "file again"
        ) from error
    if pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
        return [_without_exponent(text or "") for text in texts.to_pylist()]
    return _decoded(texts)


def _without_exponent(text: str) -> str:
    """Digits alone: `0E-18`, the zero of a wide decimal, is `0.000000000000000000`."""
    return format(Decimal(text), "f") if "e" in text or "E" in text else text


def _decoded(texts: pa.Array) -> list[str]:
    try:
        return [text or "" for text in texts.to_pylist()]
    except UnicodeDecodeError:
        return [(text or b"").decode("utf-8", "surrogateescape") for text in texts.cast(pa.binary()).to_pylist()]


def _lines(rows: list[list[str]]) -> list[str]:
    """Each row as the line of a CSV."""
    lines = _Written()
    csv.writer(lines, lineterminator="").writerows(rows)
    return lines


class _Written(list[str]):
    """What a CSV writer wrote: it calls `write` once for each row."""

    write = list.append
