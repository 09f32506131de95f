"""Rows of a landing Parquet file as the records that a CSV of the same content would give.

What belongs here: typed values to their canonical text. What does not: what a column means.
"""

import csv
import io
from collections.abc import Callable, Iterator
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from nexgen_assets.sales.csv_records import Header, LandingFile, LandingFileError, Record

_BATCH_ROWS = 10_000


def parquet_records(
    stream: BinaryIO, file: LandingFile, header: Callable[[list[str]], Header]
) -> tuple[Header, Iterator[Record]]:
    """The header and the records of a Parquet file; the first row is line 2, as it would be in a CSV.

    Raises LandingFileError if the file is damaged, or if a column holds values that a CSV could not.
    """
    try:
        parquet = pq.ParquetFile(stream)
    except pa.ArrowException as error:
        raise LandingFileError(f"{file.key}: this is no readable Parquet file; upload it again") from error
    return header(parquet.schema_arrow.names), _records(parquet, file)


def _records(parquet: pq.ParquetFile, file: LandingFile) -> Iterator[Record]:
    number = 2
    batches = parquet.iter_batches(_BATCH_ROWS)
    while (batch := _next(batches, file)) is not None:
        columns = [_texts(column, field.name, file) for column, field in zip(batch.columns, batch.schema, strict=True)]
        for fields in map(list, zip(*columns, strict=True)):
            yield Record(number, _line(fields), fields, None)
            number += 1


def _next(batches: Iterator[pa.RecordBatch], file: LandingFile) -> pa.RecordBatch | None:
    try:
        return next(batches, None)
    except (pa.ArrowException, OSError) as error:
        raise LandingFileError(f"{file.key}: the Parquet file is damaged ({error}); upload it again") from error


def _texts(column: pa.Array, name: str, file: LandingFile) -> list[str]:
    try:
        return ["" if text is None else text for text in column.cast(pa.string()).to_pylist()]
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise LandingFileError(
            f"{file.key}: column {name!r} holds {column.type}; write texts, numbers, dates or booleans and upload the "
            "file again"
        ) from error


def _line(fields: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(fields)
    return line.getvalue()
