"""The optional uploads: stock, planned events, products, suppliers, item locations, policies, network: all declared.

What belongs here: columns, defaults, checks and examples of these files. What does not: which line is in effect on a
day (`replenishment`, `forecasting`), and fetching the file.

Unlike sales, an upload is taken whole or refused whole: half a stock count would order the other half again.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, BinaryIO

import pyarrow as pa

from nexgen_assets.sales.csv_records import RAGGED, Header, LandingFile, LandingFileError, Record, open_records
from nexgen_assets.sales.dialects import FALSE_WORDS, NUMBER_PATTERN, TRUE_WORDS, read_date
from nexgen_assets.tables import (
    ABC_CLASSES,
    CALENDAR,
    DEMAND_CLASSES,
    INVENTORY_COUNTS,
    ITEM_LOCATIONS,
    LARGEST_LEAD_TIME_SD_DAYS,
    MONEY,
    NETWORK,
    ORDER_POLICIES,
    ORDER_POLICY_KINDS,
    PRODUCTS,
    SUPPLIERS,
    XYZ_CLASSES,
    Table,
)

PROBLEMS_SHOWN = 20
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_NUMBER = re.compile(NUMBER_PATTERN)
_LARGEST = 1e14  # what the money columns hold
_MONEY_STEP = Decimal(1).scaleb(-MONEY.scale)

Columns = dict[str, list[Any]]


@dataclass(frozen=True)
class Field:
    """One column of an upload: how a value is read, what stands where the file says nothing, and believable examples.

    `target` is the table's name of it, where that is another.
    """

    name: str
    parse: Callable[[str], Any]
    examples: tuple[str, ...]
    target: str = ""
    default: Any = None
    is_required: bool = False

    @property
    def column(self) -> str:
        return self.target or self.name


@dataclass(frozen=True)
class UploadKind:
    """One kind of upload: its columns, the table they fill, and the columns that no two lines of a file may share.

    `finish` checks and completes the parsed columns; where a field has no column in the table, it takes it out.
    """

    table: Table
    fields: tuple[Field, ...]
    unique: tuple[str, ...] = ()
    finish: Callable[["_Lines", Columns], None] = lambda lines, columns: None  # noqa: ARG005

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields if field.is_required)


@dataclass(frozen=True)
class LineProblem:
    """What is wrong on a line of an upload, and what to do; without a column it is the whole line."""

    line_number: int
    column: str | None
    value: str | None
    advice: str

    def __str__(self) -> str:
        where = "" if self.column is None else f"column {self.column!r}, value {self.value!r}: "
        return f"line {self.line_number}: {where}{self.advice}"


class RefusedLinesError(LandingFileError):
    """An upload is refused for some of its lines: `problems` are all of them, the message lists the first."""

    def __init__(self, file: LandingFile, problems: list[LineProblem]) -> None:
        shown = [str(problem) for problem in problems[:PROBLEMS_SHOWN]]
        hidden = len(problems) - len(shown)
        more = [f"and {hidden} more"] if hidden else []
        summary = f"{file.key}: nothing was loaded; correct these lines and upload the whole file again"
        super().__init__("\n".join([summary, *shown, *more]))
        self.problems = problems


@dataclass(frozen=True)
class Upload:
    """A parsed upload: its lines, in its table's columns, and the columns of the file that nobody knows."""

    lines: pa.Table
    unknown_columns: list[str]


def read_upload(kind: UploadKind, stream: BinaryIO, file: LandingFile) -> Upload:
    """Parse a CSV of that kind into rows of its table.

    A line without `effective_date` is known, and holds, from the day of `file.arrived_at`, in the time zone which that
    carries. Raises LandingFileError if the header is unusable, RefusedLinesError if any line is.
    """
    with open_records(stream, file, kind.columns, kind.required) as (header, records):
        lines = _Lines(file, header, list(records))
    columns = {field.column: lines.values(field) for field in kind.fields}
    if "effective_date" in columns:
        columns["effective_date"] = [day or file.arrived_at.date() for day in columns["effective_date"]]
    kind.finish(lines, columns)
    if kind.unique:
        _refuse_repetitions(lines, kind, columns)
    return Upload(lines.table(kind.table, columns), header.unknown_columns)


class _Lines:
    """The lines of an upload, column by column, and everything found wrong with them."""

    def __init__(self, file: LandingFile, header: Header, records: list[Record]) -> None:
        self._file = file
        self._lines = [record for record in records if record.fields and not record.problem]
        self._columns = {
            name: [record.fields[position].strip() for record in self._lines if record.fields]
            for name, position in header.positions.items()
        }
        self._problems = [
            LineProblem(r.line_number, None, None, _whole_line_problem(r.problem)) for r in records if r.problem
        ]

    def values(self, field: Field) -> list[Any]:
        """Parsed values, the default where the file says nothing; an unreadable or missing one is a problem."""
        parsed: dict[str, Any] = {"": field.default}  # few distinct values, many lines
        wrong: dict[str, str] = {"": "is empty; fill it in"} if field.is_required else {}
        values: list[Any] = []
        for index, text in enumerate(self._columns.get(field.name) or [""] * len(self._lines)):
            if text not in parsed:
                try:
                    parsed[text] = field.parse(text)
                except ValueError as advice:
                    parsed[text], wrong[text] = None, str(advice)
            if text in wrong:
                self.refuse(index, field.name, wrong[text])
            values.append(parsed[text])
        return values

    def refuse(self, index: int, column: str, advice: str) -> None:
        values = self._columns.get(column)  # a column that the file does not have is empty
        value = values[index] if values else ""
        self._problems.append(LineProblem(self._lines[index].line_number, column, value, advice))

    def line_number(self, index: int) -> int:
        return self._lines[index].line_number

    def table(self, table: Table, columns: Columns) -> pa.Table:
        """The rows of `table`; raises RefusedLinesError if anything was refused."""
        if self._problems:
            raise RefusedLinesError(
                self._file, sorted(self._problems, key=lambda found: (found.line_number, str(found)))
            )
        count = len(self._lines)
        columns |= {
            "file_key": [self._file.key] * count,
            "line_number": [record.line_number for record in self._lines],
        }
        if "arrived_at" in table.by_name:
            columns["arrived_at"] = [self._file.arrived_at] * count
        return pa.Table.from_pydict(columns, schema=table.arrow_schema)


def _whole_line_problem(problem: str | None) -> str:
    if problem == RAGGED:
        return "does not split into the header's columns; check its separators and quotes"
    return "holds bytes that are not UTF-8; export the file as UTF-8"


def _refuse_repetitions(lines: _Lines, kind: UploadKind, columns: Columns) -> None:
    names = {field.column: field.name for field in kind.fields}
    told, *others = (names[column] for column in kind.unique)
    first_line: dict[tuple[Any, ...], int] = {}
    for index, key in enumerate(zip(*(columns[name] for name in kind.unique), strict=True)):
        line = first_line.setdefault(key, lines.line_number(index))
        if line != lines.line_number(index) and None not in key:
            same = " and ".join(others)
            lines.refuse(index, told, f"stands on line {line} already with the same {same}; keep one")


def _finish_events(lines: _Lines, columns: Columns) -> None:
    """An event lasts one day unless told, and a promotion runs everywhere unless a share is told."""
    starts = columns["start_date"]
    columns["end_date"] = [end or start for start, end in zip(starts, columns["end_date"], strict=True)]
    for index, (start, end) in enumerate(zip(starts, columns["end_date"], strict=True)):
        if start and end and end < start:
            lines.refuse(index, "end_date", f"is before the event's first day, {start}; correct one of them")
    promotions, shares = columns.pop("is_promotion"), columns["promotion_share"]
    for index, (is_promotion, share) in enumerate(zip(promotions, shares, strict=True)):
        if is_promotion is False and share:
            lines.refuse(index, "promotion_share", "contradicts is_promotion, which is false; correct one of them")
        elif share is None:
            shares[index] = float(bool(is_promotion))
    for index, (product, is_open) in enumerate(zip(columns["product_id"], columns["is_open"], strict=True)):
        if product and is_open is not None:
            lines.refuse(index, "is_open", "speaks of the whole location; leave product_id empty on a line of its own")


def _finish_policies(lines: _Lines, columns: Columns) -> None:
    """A line has one target, and numbers only for what its policy makes use of."""
    told = zip(*(columns[name] for name in _POLICY), strict=True)
    for index, (kind, service_level, fill_rate, lot_days, salvage_share) in enumerate(told):
        if service_level is not None and fill_rate is not None:
            lines.refuse(index, "fill_rate", "is a second target beside service_level; leave one of them empty")
        if kind == "newsvendor" and fill_rate is not None:
            lines.refuse(
                index,
                "fill_rate",
                "is no target of newsvendor: price and cost make it one; leave it empty",
            )
        if kind in {"order_up_to", "newsvendor"} and lot_days is not None:
            lines.refuse(index, "lot_days", f"means nothing to {kind}, which has no lots; leave it empty")
        if kind not in {"newsvendor", None} and salvage_share is not None:
            lines.refuse(index, "salvage_share", f"means nothing to {kind}; leave it empty")


def _finish_network(lines: _Lines, columns: Columns) -> None:
    """A network has two levels: who supplies others is supplied by suppliers."""
    supplied: dict[str, int] = {}
    for index, (location, centre) in enumerate(zip(columns["location"], columns["supplied_by"], strict=True)):
        if centre:
            supplied.setdefault(location, index)
    for index, (location, centre) in enumerate(zip(columns["location"], columns["supplied_by"], strict=True)):
        if centre and centre == location:
            lines.refuse(index, "supplied_by", "is the location itself; name the one that supplies it")
        elif centre in supplied:
            above = supplied[centre]
            line, next_centre = lines.line_number(above), columns["supplied_by"][above]
            lines.refuse(
                index,
                "supplied_by",
                f"is itself supplied by {next_centre!r} on line {line}; of two levels the upper one has no supplied_by",
            )


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


def _lead_time_sd(text: str) -> float:
    number = _not_negative(text)
    if number > LARGEST_LEAD_TIME_SD_DAYS:
        raise ValueError(f"is above {LARGEST_LEAD_TIME_SD_DAYS:.10g} days; correct it or leave it empty")
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


def _service_level(text: str) -> float:
    number = _real(text)
    if not 0.5 < number < 0.9991:
        raise ValueError("is not a service level; write a number above 0.5 and up to 0.999, such as 0.95")
    return number


def _days(text: str) -> int:
    number = _real(text)
    if number != int(number) or not 1 <= number <= 28:
        raise ValueError("is not a number of days; write a whole number from 1 to 28")
    return int(number)


def _one_of(*words: str) -> Callable[[str], str]:
    """Reads one of some words, in their own spelling whatever the case."""
    known = {word.lower(): word for word in words}

    def parse(text: str) -> str:
        if text.lower() not in known:
            raise ValueError(f"is none of {', '.join(words)}; write one of them or leave it empty")
        return known[text.lower()]

    return parse


def _money(text: str) -> Decimal:
    _not_negative(text)
    return Decimal(text).quantize(_MONEY_STEP, ROUND_HALF_UP)


def _boolean(text: str) -> bool:
    word = text.lower()
    if word not in TRUE_WORDS and word not in FALSE_WORDS:
        raise ValueError("is neither true nor false; write true or false, or leave it empty")
    return word in TRUE_WORDS


def _weekdays(text: str) -> str:
    """The days in the order of the week, separated by one space."""
    told = set(re.split(r"[ ,;]+", text.lower().strip(" ,;")))
    if not told <= set(WEEKDAYS):
        raise ValueError("is not a list of weekdays; write them as in `mon thu`")
    return " ".join(day for day in WEEKDAYS if day in told)


_PRODUCT = Field("product_id", str, ("010001", "010002", "010003"), is_required=True)
_LOCATION = Field("location", str, ("Springfield", "Springfield", "Riverside"), is_required=True)
_SUPPLIER = Field("supplier_id", str, ("S01", "S01", "S02"))
_UNIT_COST = Field("unit_cost", _money, ("2.45", "0.38", "1.60"))
_PACK_SIZE = Field("pack_size", _positive, ("12", "40", "6"))
_MIN_ORDER = Field("min_order_quantity", _not_negative, ("24", "", "12"))
_POLICY = ("policy", "service_level", "fill_rate", "lot_days", "salvage_share")
_EFFECTIVE = Field("effective_date", _date, ("2024-01-01", "2024-01-01", "2024-03-01"))

UPLOADS: dict[str, UploadKind] = {
    "inventory": UploadKind(
        INVENTORY_COUNTS,
        (
            Field("date", _date, ("2024-03-10", "2024-03-10", "2024-03-10"), target="count_date", is_required=True),
            _PRODUCT,
            _LOCATION,
            Field("on_hand", _real, ("38", "112.5", "0"), is_required=True),
            Field("on_order", _not_negative, ("24", "", "12"), target="on_order_units"),
            Field("on_order_due_date", _date, ("2024-03-13", "", "2024-03-12")),
            Field("committed", _not_negative, ("6", "", "0"), target="committed_units"),
            Field("lead_time", _not_negative, ("3", "", "2"), target="lead_time_days"),
            _UNIT_COST,
            _PACK_SIZE,
            _MIN_ORDER,
            Field("source", str, ("count", "count", "count"), default="count"),
        ),
        unique=("product_id", "location", "count_date"),
    ),
    "calendar": UploadKind(
        CALENDAR,
        (
            Field("date", _date, ("2024-12-25", "2024-07-01", "2024-07-08"), target="start_date", is_required=True),
            Field("end_date", _date, ("", "2024-07-07", "")),
            Field("product_id", str, ("", "010001", "010002"), default=""),
            Field("location", str, ("", "", "Springfield"), default=""),
            Field("is_promotion", _boolean, ("", "true", "")),
            Field("promotion_share", _share, ("", "0.5", "")),
            Field("is_open", _boolean, ("false", "", "")),
            Field("holiday_name", str, ("Christmas Day", "", "")),
            Field("unit_price", _money, ("", "3.49", "0.79")),
            Field("effective_date", _date, ("2024-01-01", "2024-05-27", "2024-06-03")),
        ),
        finish=_finish_events,
    ),
    "products": UploadKind(
        PRODUCTS,
        (
            _PRODUCT,
            Field("product_name", str, ("Whole milk 1 gal", "Bananas 1 lb", "White bread 20 oz")),
            Field("category", str, ("Dairy", "Produce", "Bakery")),
            _UNIT_COST,
            Field("shelf_life_days", _not_negative, ("14", "7", "4")),
            _PACK_SIZE,
            _MIN_ORDER,
            Field("quantity_step", _positive, ("1", "0.001", "1")),
            _SUPPLIER,
            _EFFECTIVE,
        ),
        unique=("product_id", "effective_date"),
    ),
    "suppliers": UploadKind(
        SUPPLIERS,
        (
            Field("supplier_id", str, ("S01", "S02", "S03"), is_required=True),
            Field("supplier_name", str, ("Valley Fresh", "Corner Bakery", "Grain and Mill")),
            Field("lead_time_days", _not_negative, ("3", "1", "5")),
            Field("lead_time_sd_days", _lead_time_sd, ("0.8", "", "1.5")),
            Field("order_days", _weekdays, ("mon thu", "mon tue wed thu fri sat", "")),
            Field("min_order_value", _money, ("250.00", "", "400.00")),
            _EFFECTIVE,
        ),
        unique=("supplier_id", "effective_date"),
    ),
    "item_locations": UploadKind(
        ITEM_LOCATIONS,
        (
            _PRODUCT,
            _LOCATION,
            Field("is_active", _boolean, ("true", "true", "false")),
            Field("max_stock", _not_negative, ("120", "200", "")),
            Field("display_minimum", _not_negative, ("6", "", "")),
            Field("supplier_id", str, ("", "", "S03")),
            Field("lead_time_days", _not_negative, ("", "2", "")),
            _EFFECTIVE,
        ),
        unique=("product_id", "location", "effective_date"),
    ),
    "order_policies": UploadKind(
        ORDER_POLICIES,
        (
            Field("product_id", str, ("", "", "010003"), default=""),
            Field("location", str, ("", "", "Riverside"), default=""),
            Field("supplier_id", str, ("", "S02", ""), default=""),
            Field("category", str, ("", "Bakery", ""), default=""),
            Field("demand_class", _one_of(*DEMAND_CLASSES), ("smooth", "", ""), default=""),
            Field("xyz_class", _one_of(*XYZ_CLASSES), ("X", "", ""), default=""),
            Field("abc_class", _one_of(*ABC_CLASSES), ("A", "", ""), default=""),
            Field("policy", _one_of(*ORDER_POLICY_KINDS), ("", "newsvendor", "min_max")),
            Field("service_level", _service_level, ("0.98", "", "")),
            Field("fill_rate", _service_level, ("", "", "0.97")),
            Field("review_period_days", _days, ("", "", "7")),
            Field("lot_days", _positive, ("", "", "14")),
            Field("salvage_share", _share, ("", "0.2", "")),
            _EFFECTIVE,
        ),
        unique=(
            *("product_id", "location", "supplier_id", "category", "demand_class", "xyz_class", "abc_class"),
            "effective_date",
        ),
        finish=_finish_policies,
    ),
    "network": UploadKind(
        NETWORK,
        (
            Field("location", str, ("Springfield", "Riverside", "Riverside"), is_required=True),
            Field("supplied_by", str, ("Central", "Central", "Fresh Depot")),
            Field("category", str, ("", "", "Dairy"), default=""),
            Field("lead_time_days", _not_negative, ("1", "2", "1")),
            Field("minimum_transfer_value", _money, ("", "40.00", "")),
            _EFFECTIVE,
        ),
        unique=("location", "category", "effective_date"),
        finish=_finish_network,
    ),
}
