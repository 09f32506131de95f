"""How a file writes its numbers and dates: found out for the whole file, never guessed for a line.

What belongs here: the evidence that values give, what follows from all of it, and the canonical writing of a value
(`1234.5`, `2026-03-01`). What does not: splitting lines (`csv_records`), judging values (`cleaning`).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Literal

from nexgen_assets.sales.csv_records import LandingFileError

DateOrder = Literal["year_first", "day_first", "month_first"]

# How values are written in landing files. Python, Java and Rust must read the patterns alike: no \d, no \s, no $.
# An ISO date, or an ISO date-time whose date part counts as written.
DATE_PATTERN = r"[ \t]*([0-9]{4}-[0-9]{2}-[0-9]{2})([T ][0-9]{2}:[0-9]{2}[0-9:.,]*(Z|[+-][0-9:]+)?)?[ \t]*"
NUMBER_PATTERN = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)"
TRUE_WORDS = ("true", "t", "yes", "y", "1")
FALSE_WORDS = ("false", "f", "no", "n", "0")

_ISO_DATE = re.compile(DATE_PATTERN)
_LOCAL_DATE = re.compile(r"[ \t]*([0-9]{1,2})([./-])([0-9]{1,2})\2([0-9]{4})([T ][0-9]{1,2}:[0-9]{2}[0-9:.]*)?[ \t]*")
_LAST_MONTH = 12
_DISTINCT_TEXTS = 100_000


def _number(decimal: str, thousands: str) -> re.Pattern[str]:
    whole = rf"(?:[0-9]+|[1-9][0-9]{{0,2}}(?:{thousands}[0-9]{{3}})+)"
    # the blanks are those that `cleaning` trims: what it could read must be seen here
    return re.compile(rf"[ \t\r\n]*[+-]?(?:{whole}(?:{decimal}[0-9]*)?|{decimal}[0-9]+)[ \t\r\n]*")


_WITH_POINT, _WITH_COMMA = _number(r"\.", ","), _number(",", r"\.")


# a file repeats few numbers many times
@lru_cache(maxsize=_DISTINCT_TEXTS)
def _marks(text: str) -> str:
    """The decimal marks with which a text is a number: none, one or both of `.` and `,`."""
    return "." * bool(_WITH_POINT.fullmatch(text)) + "," * bool(_WITH_COMMA.fullmatch(text))


@dataclass(frozen=True)
class Dialect:
    """How one file is written; the default is the plain one, which needs no translation."""

    separator: str = ","
    decimal_mark: Literal[".", ","] = "."
    date_order: DateOrder = "year_first"

    @property
    def number(self) -> Callable[[str], str] | None:
        """Translates a number to its canonical writing; None where numbers are canonical already.

        What it cannot read stays as written, and is no number in canonical writing either.
        """
        if self.separator == ",":
            return None  # a comma cannot be more than a separator there
        mark, thousands = (",", ".") if self.decimal_mark == "," else (".", ",")
        return lambda text: text.replace(thousands, "").replace(mark, ".") if mark in _marks(text) else text

    @property
    def date(self) -> Callable[[str], str] | None:
        """Translates a date to its ISO writing, a time behind it stays; None where dates are ISO already."""
        if self.date_order == "year_first":
            return None
        return lambda text: _iso_text(text, self.date_order)


@dataclass(frozen=True)
class Example:
    """A value of a file that tells something, and where it stands."""

    line_number: int
    column: str
    value: str

    def __str__(self) -> str:
        return f"line {self.line_number}, column {self.column!r}, value {self.value!r}"


@dataclass
class DateEvidence:
    """What the dates of a file tell about their order, and which days they may mean."""

    file_key: str
    column: str
    has_unreadable: bool = False
    _iso: set[date] = field(default_factory=set)
    _local: dict[tuple[int, int, int], Example] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)

    def see(self, text: str, line_number: int) -> None:
        if text in self._seen:
            return
        if len(self._seen) >= _DISTINCT_TEXTS:
            self._seen.clear()
        self._seen.add(text)
        if _ISO_DATE.fullmatch(text):
            self._note_iso(text)
        elif match := _LOCAL_DATE.fullmatch(text):
            self._note_local((int(match[1]), int(match[3]), int(match[4])), Example(line_number, self.column, text))
        else:
            self.has_unreadable = True

    def _note_iso(self, text: str) -> None:
        day = read_date(text)
        if day:
            self._iso.add(day)
        else:
            self.has_unreadable = True

    def _note_local(self, parts: tuple[int, int, int], example: Example) -> None:
        # a date that no calendar has, such as 31/31/2024, tells nothing about the others
        if _local_day(parts, "day_first") or _local_day(parts, "month_first"):
            self._local.setdefault(parts, example)
        else:
            self.has_unreadable = True

    def order(self) -> DateOrder:
        """The order of all dates; ISO dates decide it, and so does any day above twelve.

        Raises LandingFileError if the dates contradict each other, or could be read either way.
        """
        if self._iso or not self._local:
            return "year_first"
        day_first, month_first, either = (
            next((example for parts, example in self._local.items() if tells(*parts)), None)
            for tells in (
                lambda first, second, _: first > _LAST_MONTH >= second,
                lambda first, second, _: second > _LAST_MONTH >= first,
                lambda first, second, _: first != second,  # the fifth of May is the same either way
            )
        )
        advice = "write all dates as YYYY-MM-DD and upload the file again"
        if day_first and month_first:
            raise LandingFileError(
                f"{self.file_key}: {day_first} has the day first, but {month_first} the month; {advice}"
            )
        if either and not day_first and not month_first:
            raise LandingFileError(
                f"{self.file_key}: {either} may have the day or the month first, and no date of the file tells which; "
                f"{advice}"
            )
        return "month_first" if month_first else "day_first"

    def days(self, order: DateOrder) -> tuple[set[date], bool]:
        """The days that readable dates mean, and whether any date is unreadable in that order."""
        if order == "year_first":
            return self._iso, self.has_unreadable or bool(self._local)
        read = {_local_day(parts, order) for parts in self._local}
        return {day for day in read if day}, self.has_unreadable or None in read


@dataclass
class NumberEvidence:
    """What the numbers of a file tell about their decimal mark."""

    file_key: str
    _by_marks: dict[str, Example] = field(default_factory=dict)

    def see(self, text: str, line_number: int, column: str) -> None:
        if "," not in text and "." not in text:
            return
        marks = _marks(text)
        if marks and marks not in self._by_marks:
            self._by_marks[marks] = Example(line_number, column, text)

    def decimal_mark(self) -> Literal[".", ","]:
        """The mark of all numbers. Raises LandingFileError if they contradict each other, or none tells."""
        point, comma, either = (self._by_marks.get(marks) for marks in (".", ",", ".,"))
        advice = "write all numbers with a decimal point and without thousands separators, and upload the file again"
        if point and comma:
            raise LandingFileError(f"{self.file_key}: {comma} has a decimal comma, but {point} a point; {advice}")
        if either and not point and not comma:
            raise LandingFileError(
                f"{self.file_key}: {either} may be decimals or thousands, and no number of the file tells which; "
                f"{advice}"
            )
        return "," if comma else "."


def read_date(text: str) -> date | None:
    """The date of an ISO date or date-time, None if it is neither."""
    match = _ISO_DATE.fullmatch(text)
    if match is None:
        return None
    try:
        return date.fromisoformat(match[1])
    except ValueError:  # a date that no calendar has, such as February 30
        return None


def _local_day(parts: tuple[int, int, int], order: DateOrder) -> date | None:
    first, second, year = parts
    day, month = (first, second) if order == "day_first" else (second, first)
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _iso_text(text: str, order: DateOrder) -> str:
    match = _LOCAL_DATE.fullmatch(text)
    day = _local_day((int(match[1]), int(match[3]), int(match[4])), order) if match else None
    if match is None or day is None:
        return text
    hour, colon, minutes = (match[5] or "").partition(":")
    return f"{day}{hour[0]}{hour[1:]:0>2}:{minutes}" if colon else day.isoformat()
