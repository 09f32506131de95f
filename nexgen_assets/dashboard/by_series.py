"""Rows of one product at one location over many days, from days that were read whole and are kept in memory.

What belongs here: reading days, and finding a series in them. What does not: which days and columns a page shows
(`queries/series.py`). A day is a file of all series: one series of two years would open 730 files for a row of each.
Files never change, so what was read of them is never out of date: after a run only its days are read.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import date
from threading import Lock
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from cachetools import LRUCache
from deltalake import DeltaTable
from numpy.typing import NDArray

from nexgen_assets.dashboard.sql import equals
from nexgen_assets.forecasting.rows import SERIES, day_numbers, series_key
from nexgen_assets.io_managers.delta_tables import TableReader
from nexgen_assets.tables import DAY

logger = logging.getLogger(__name__)

MOST_BYTES = 600_000_000
MOST_ROWS = 20_000_000  # days that hold more are not read whole
ROWS_AT_ONCE = 1_000_000  # whoever asks for more does not wait for them
ROWS_PER_READ = 250_000  # bounds what is held beside the days that are kept


@dataclass(frozen=True)
class DayFiles:
    """The files of a day and their rows. The same files hold the same rows for good."""

    paths: tuple[str, ...]
    rows: int


def files_by_day(source: DeltaTable | None) -> dict[date, DayFiles]:
    """Of each day that holds rows, from the log; the oldest day first."""
    if source is None:
        return {}
    adds = pa.table(cast("Any", source.get_add_actions(flatten=True)))
    found: dict[date, DayFiles] = {}
    columns = (adds[name].to_pylist() for name in (f"partition.{DAY}", "path", "num_records"))
    for day, path, rows in sorted(zip(*columns, strict=True)):
        before = found.get(day, DayFiles((), 0))
        found[day] = DayFiles((*before.paths, path), before.rows + rows)
    return {day: files for day, files in found.items() if files.rows}


@dataclass(frozen=True)
class Wanted:
    """Columns of the rows of a table that meet a condition (in SQL)."""

    columns: tuple[str, ...]
    condition: str = "true"


Days = Mapping[date, DayFiles]
Keys = Mapping[date, tuple[Any, ...]]


@dataclass(frozen=True)
class DayRows:
    """The rows of a day by the numbers of their series, which ascend."""

    numbers: NDArray[np.int32]
    rows: pa.RecordBatch

    def of(self, number: int) -> pa.RecordBatch:
        first, end = np.searchsorted(self.numbers, (number, number + 1))
        return self.rows.slice(first, end - first)

    @property
    def bytes(self) -> int:
        return self.numbers.nbytes + self.rows.nbytes


class SeriesNumbers:
    """A number for each product x location that was ever met."""

    def __init__(self) -> None:
        self._known = pa.array([], pa.string())
        self._lock = Lock()

    def of(self, rows: pa.Table) -> NDArray[np.int32]:
        """The number of each row's series; new ones are given to those that are met for the first time."""
        keys = series_key(rows)
        with self._lock:
            met = keys.filter(_places(keys, self._known).is_null()).unique()
            self._known = pa.concat_arrays([self._known, met])
            return _places(keys, self._known).to_numpy()

    def find(self, product_id: str, location: str) -> int | None:
        [key] = series_key(pa.table({SERIES[0]: [product_id], SERIES[1]: [location]}))
        place = self._known.index(key).as_py()
        return None if place < 0 else place


class BySeries:
    """Days that were read, the least recently used forgotten first.

    Where many rows have to be read, that is done in the background: meanwhile a series is read alone.
    """

    def __init__(
        self, most_bytes: int = MOST_BYTES, most_rows: int = MOST_ROWS, rows_at_once: int = ROWS_AT_ONCE
    ) -> None:
        self._days: LRUCache[tuple[Any, ...], DayRows] = LRUCache(most_bytes, getsizeof=lambda day: day.bytes)
        self._numbers = SeriesNumbers()
        self._most_rows = most_rows
        self._rows_at_once = rows_at_once
        self._lock = Lock()
        self._reading = defaultdict[tuple[str, Wanted], Lock](Lock)
        self._background = ThreadPoolExecutor(1, "read-ahead")
        self._running: dict[tuple[Any, ...], Future[None]] = {}

    def rows(self, reader: TableReader, files: Days, wanted: Wanted, product_id: str, location: str) -> pa.Table:
        """The rows of the reader's days that are wanted of one series, oldest first, with their day.

        Decimals are told as float64. If the days hold too many rows to be kept, the series alone is read.
        """
        days, keys = _days_of(reader, files, wanted)
        if self._are_too_many(days):
            return _read_alone(reader, wanted, product_id, location)
        known = self._known(reader, days, wanted, keys)
        if known is None:
            return _read_alone(reader, wanted, product_id, location)
        number = self._numbers.find(product_id, location)
        found = {} if number is None else {day: known[day].of(number) for day in keys}
        return _joined(reader, wanted, found)

    def read_ahead(self, reader: TableReader, files: Days, wanted: Wanted) -> None:
        """Read the reader's days for every series, unless they are kept already or too many to be kept."""
        days, keys = _days_of(reader, files, wanted)
        if not self._are_too_many(days):
            self._read_missing(reader, days, wanted, keys, is_patient=True)

    def _are_too_many(self, days: Days) -> bool:
        return sum(of_day.rows for of_day in days.values()) > self._most_rows

    def _known(self, reader: TableReader, days: Days, wanted: Wanted, keys: Keys) -> Mapping[date, DayRows] | None:
        """Every one of the days; None if they would have to be waited for."""
        kept = self._kept(keys)
        missing = sum(of_day.rows for day, of_day in days.items() if day not in kept)
        if missing > self._rows_at_once:
            self._read_in_background(reader, days, wanted, keys)
            return None
        return self._read_missing(reader, days, wanted, keys, is_patient=False) if missing else kept

    def wait(self) -> None:
        """Until nothing is read in the background."""
        with self._lock:
            running = list(self._running.values())
        wait(running)

    def _read_in_background(self, reader: TableReader, days: Days, wanted: Wanted, keys: Keys) -> None:
        """Once for the same days and columns at a time."""
        what = (reader.table.name, reader.start, reader.end, wanted)

        def read() -> None:
            try:
                self._read_missing(reader, days, wanted, keys, is_patient=True)
            except Exception:
                # the page that asks next reads by itself, and tells its reader
                logger.exception("%s cannot be read ahead", reader.table.name)
            finally:
                with self._lock:
                    self._running.pop(what, None)

        with self._lock:
            if what not in self._running:
                self._running[what] = self._background.submit(read)

    def _read_missing(
        self, reader: TableReader, days: Days, wanted: Wanted, keys: Keys, *, is_patient: bool
    ) -> dict[date, DayRows] | None:
        """Every one of the days; None if another caller is reading them, unless one is patient."""
        with self._lock:
            reading = self._reading[reader.table.name, wanted]
        if not reading.acquire(blocking=is_patient):
            return None
        try:
            known = self._kept(keys)
            for some in _reads(days, known):
                for day, rows in self._read(reader, some, wanted):
                    known[day] = rows
                    self._keep(keys[day], rows)
            return known
        finally:
            reading.release()

    def _kept(self, keys: Keys) -> dict[date, DayRows]:
        with self._lock:
            return {day: self._days[key] for day, key in keys.items() if key in self._days}

    def _keep(self, key: tuple[Any, ...], rows: DayRows) -> None:
        with self._lock:
            if rows.bytes <= self._days.maxsize:
                self._days[key] = rows

    def _read(self, reader: TableReader, days: Sequence[date], wanted: Wanted) -> Iterator[tuple[date, DayRows]]:
        rows = reader.rows(days[0], days[-1], list(dict.fromkeys((DAY, *SERIES, *wanted.columns))), wanted.condition)
        numbers, of_row = self._numbers.of(rows), day_numbers(rows[DAY])
        order, rows = np.lexsort((numbers, of_row)), _plain(rows.select(list(wanted.columns)))
        ends = np.searchsorted(of_row[order], day_numbers(pa.chunked_array([pa.array(days, pa.date32())])), "right")
        of_day = np.array([], np.int32)
        for day, first, end in zip(days, (0, *ends), ends, strict=False):
            place = order[first:end]
            # days of the same series share their numbers
            of_day = of_day if np.array_equal(of_day, numbers[place]) else numbers[place]
            # a copy: a part of what was read would keep all of it
            yield day, DayRows(of_day, _batch(rows.take(pa.array(place))))


def _days_of(reader: TableReader, files: Days, wanted: Wanted) -> tuple[Days, Keys]:
    """The reader's days that hold rows, and the key by which each is kept."""
    days = {day: of_day for day, of_day in files.items() if reader.start <= day <= reader.end}
    return days, {day: (reader.table.name, of_day.paths, wanted) for day, of_day in days.items()}


def _reads(days: Days, known: Mapping[date, DayRows]) -> Iterator[list[date]]:
    """The days that are not known, in runs without a known one between, of ROWS_PER_READ or one day."""
    run, rows = list[date](), 0
    for day, files in days.items():
        if run and (day in known or rows + files.rows > ROWS_PER_READ):
            yield run
            run, rows = [], 0
        if day not in known:
            run.append(day)
            rows += files.rows
    if run:
        yield run


def _read_alone(reader: TableReader, wanted: Wanted, product_id: str, location: str) -> pa.Table:
    condition = f"{equals(product_id=product_id, location=location)} AND ({wanted.condition})"
    rows = reader.rows(reader.start, reader.end, (*wanted.columns, DAY), condition)
    return _plain(rows.sort_by(DAY))


def _joined(reader: TableReader, wanted: Wanted, found: Mapping[date, pa.RecordBatch]) -> pa.Table:
    schema = _plain(reader.table.arrow_schema.empty_table().select(list(wanted.columns))).schema
    rows = pa.Table.from_batches(found.values(), schema)
    days = [day for day, batch in found.items() for _ in range(batch.num_rows)]
    return rows.append_column(DAY, pa.array(days, pa.date32()))


def _plain(rows: pa.Table) -> pa.Table:
    """Decimals as float64, which is how they are told; text, units and money by a dictionary, as a day repeats them."""
    for place, field in enumerate(rows.schema):
        values = rows[field.name]
        if pa.types.is_decimal(field.type):
            values = values.cast(pa.float64())
        if pa.types.is_string(values.type) or pa.types.is_float64(values.type):
            rows = rows.set_column(place, field.name, values.dictionary_encode())
    return rows


def _batch(rows: pa.Table) -> pa.RecordBatch:
    batches: Iterable[pa.RecordBatch] = rows.combine_chunks().to_batches()
    return next(iter(batches), pa.RecordBatch.from_pylist([], rows.schema))


def _places(keys: pa.Array, among: pa.Array) -> pa.Array:
    return pc.index_in(keys, value_set=among)  # pyright: ignore[reportAttributeAccessIssue]
