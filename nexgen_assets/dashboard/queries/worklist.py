"""The worklist of the newest published day: proposals and decisions side by side, as one table in memory.

What belongs here: joining, filtering, sorting, paging and summing up order lines. What does not: what a standing means
(`decisions/worklist.py`), and taking decisions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from threading import Lock
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nexgen_assets.dashboard.answers.orders import OrderLine, OrderTotals, Sort, Suppliers, SupplierTotals, Worklist
from nexgen_assets.dashboard.reading import View
from nexgen_assets.decisions.book import DecisionBook, Published
from nexgen_assets.decisions.rules import LineKey
from nexgen_assets.decisions.standings import Standing, last_event, standings
from nexgen_assets.decisions.worklist import WorkLine
from nexgen_assets.forecasting.rows import SERIES, series_key
from nexgen_assets.replenishment.orders import most_urgent
from nexgen_assets.tables import ORDER_EXCEPTIONS, REORDER_RECOMMENDATIONS

COLUMNS = (
    *("day", "product_id", "location", "product_name", "category", "supplier_id", "abc_class", "xyz_class"),
    *("order_date", "receipt_date", "on_hand", "on_order_units", "days_of_cover", "expected_demand", "order_units"),
    *("unit_cost", "pack_size", "min_order_quantity", "min_order_value", "stockout_probability", "money_at_risk"),
    *("promised_fill_rate", "blocked_reason", "assumptions", "revision", "supplied_by", "supplied_locations"),
)
SHOWN = tuple(OrderLine.model_fields)
# what a decision adds to a line: name -> type
DECIDED = {
    "proposed_units": pa.float64(),
    "order_units": pa.float64(),
    "standing": pa.string(),
    "is_to_decide": pa.bool_(),
    "is_override": pa.bool_(),
    "difference_units": pa.float64(),
    "seen": pa.int64(),
    "decided_by": pa.string(),
    "decided_at": pa.timestamp("us", tz="UTC"),
    "reason": pa.string(),
}


@dataclass(frozen=True)
class Filters:
    """Which lines are meant: those that match everything that is told."""

    q: str | None = None
    product_id: str | None = None
    location: str | None = None
    supplier_id: str | None = None
    category: str | None = None
    standing: str | None = None
    exception: str | None = None
    to_decide: bool = False
    no_need: bool = False


@dataclass(frozen=True)
class Desk:
    """The lines of a day, the most urgent first."""

    day: date | None
    lines: pa.Table

    def line(self, product_id: str, location: str) -> OrderLine | None:
        found = _told(_of_series(self.lines, product_id, location))
        return found[0] if found else None


class Desks:
    """The desk as it is now; made anew only when orders are published or somebody decides."""

    def __init__(self, book: DecisionBook) -> None:
        self._book = book
        self._lock = Lock()
        self._known: tuple[Any, Desk] | None = None

    def now(self, view: View) -> Desk:
        day = view.last_day(REORDER_RECOMMENDATIONS)
        state = (view.snapshot_id, day, last_event(self._book.database))
        with self._lock:  # two requests at once would both make it
            if self._known is None or self._known[0] != state:
                self._known = state, _desk(view, day, self._book)
            return self._known[1]


def published_lines(view: View, keys: Sequence[LineKey]) -> Published:
    """The newest published day, with the rows of these lines as far as it has them."""
    day = view.last_day(REORDER_RECOMMENDATIONS)
    if day is None:
        return Published()
    rows = _published_rows(view, day)
    wanted = _series_of([key for key in keys if key.day == day])
    return Published.of(day, rows.filter(_index_in(series_key(rows), wanted).is_valid()))


def published_row(view: View, key: LineKey, columns: Sequence[str]) -> dict[str, Any] | None:
    """Columns of the row that a line was published with; None if its day is not the newest or it has none."""
    if key.day != view.last_day(REORDER_RECOMMENDATIONS):
        return None
    rows = _published_rows(view, key.day).select([*SERIES, *columns])
    found = _of_series(rows, key.product_id, key.location).select(columns).to_pylist()
    return found[0] if found else None


def worklist(  # noqa: PLR0917
    view: View, desk: Desk, filters: Filters, sort: Sort | None, offset: int, limit: int, *, descending: bool
) -> Worklist:
    """One page of the lines that match, with the sums of them all."""
    found = _matching(desk.lines, filters)
    standing = pc.value_counts(found["standing"])  # pyright: ignore[reportAttributeAccessIssue]
    return Worklist(
        snapshot_id=view.snapshot_id,
        day=desk.day,
        total=found.num_rows,
        offset=offset,
        limit=limit,
        totals=OrderTotals(**_totals(found)),
        standings={row["values"]: row["counts"] for row in standing.to_pylist()},
        lines=_told(_sorted(found, sort, descending=descending).slice(offset, limit)),
    )


def supplier_totals(view: View, desk: Desk, filters: Filters) -> Suppliers:
    """The sums of the lines that match by supplier, the most money at risk first."""
    found = _summands(_matching(desk.lines, filters))
    sums = [(name, "sum") for name in OrderTotals.model_fields]
    rows = found.group_by("supplier_id").aggregate([*sums, ("min_order_value", "max")]).to_pylist()
    ranked = sorted(map(_of_supplier, rows), key=lambda s: (-s.money_at_risk, s.supplier_id or ""))
    return Suppliers(snapshot_id=view.snapshot_id, day=desk.day, suppliers=ranked)


def _of_supplier(row: Mapping[str, Any]) -> SupplierTotals:
    totals, least = {name: row[f"{name}_sum"] for name in OrderTotals.model_fields}, row["min_order_value_max"]
    is_known = least is not None and totals["lines_without_cost"] == 0
    return SupplierTotals(
        **totals,
        supplier_id=row["supplier_id"],
        min_order_value=least,
        is_below_minimum=0 < totals["order_value"] < least if is_known else None,
    )


# ---- making a desk


def _published_rows(view: View, day: date) -> pa.Table:
    """All columns of the day's rows, the most urgent first."""

    def read() -> pa.Table:
        # not by `rows`, which would remember them in their other order too
        rows = view.tables.read(REORDER_RECOMMENDATIONS, day, day)
        return most_urgent(rows, rows.num_rows).combine_chunks()

    return view.remembered(REORDER_RECOMMENDATIONS, f"urgent rows {day}", read)


def _places(keys: Sequence[LineKey], rows: pa.Table) -> pa.Array:
    """Where the line of each key stands among the rows of its day; null if it is not there."""
    return _index_in(_series_of(keys), series_key(rows))


def _series_of(keys: Sequence[LineKey]) -> pa.Array:
    return series_key(pa.table({name: pa.array([getattr(key, name) for key in keys], pa.string()) for name in SERIES}))


def _of_series(rows: pa.Table, product_id: str, location: str) -> pa.Table:
    rows = rows.filter(_equal(rows["product_id"], product_id))
    return rows.filter(_equal(rows["location"], location))


def _desk(view: View, day: date | None, book: DecisionBook) -> Desk:
    if day is None:
        empty = REORDER_RECOMMENDATIONS.arrow_schema.empty_table().select(COLUMNS)
        return Desk(None, _with_decisions(empty, 0, {}, pa.array([], pa.string())))
    rows, decided = _published_rows(view, day).select(COLUMNS), standings(book.database, day)
    published, places = rows.num_rows, _places(list(decided), rows).to_pylist()
    if gone := [key for key, place in zip(decided, places, strict=True) if place is None]:
        rows = pa.concat_tables([rows, _rows_decided_on(book, day, gone)]).combine_chunks()
    return Desk(day, _with_decisions(rows, published, decided, _exceptions(view, day, rows)))


def _rows_decided_on(book: DecisionBook, day: date, keys: Sequence[LineKey]) -> pa.Table:
    """The rows of lines that are proposed no more, as they were when somebody decided on them."""
    schema = pa.schema([REORDER_RECOMMENDATIONS.arrow_schema.field(name) for name in COLUMNS])
    known = book.decisions([day])
    rows: list[dict[str, Any]] = [{name: known[key].order_row.get(name) for name in COLUMNS} for key in keys]
    dates = [field.name for field in schema if pa.types.is_date(field.type)]
    told = [row | {name: date.fromisoformat(row[name]) for name in dates} for row in rows]
    return pa.Table.from_pylist(told, schema=schema)


def _exceptions(view: View, day: date, rows: pa.Table) -> pa.Array:
    """The exceptions of each row, the most money at risk first, separated by commas."""
    raised = view.rows(ORDER_EXCEPTIONS, day, day, (*SERIES, "exception", "exception_rank"))
    raised = raised.append_column("place", _index_in(series_key(raised), series_key(rows)))
    raised = raised.filter(raised["place"].is_valid()).sort_by(
        [("place", "ascending"), ("exception_rank", "ascending")]
    )
    ends = np.bincount(raised["place"].to_numpy(), minlength=rows.num_rows).cumsum()
    of_row = pa.ListArray.from_arrays(pa.array([0, *ends], pa.int32()), raised["exception"].combine_chunks())
    return pc.call_function("binary_join", [of_row, pa.scalar(",")])


def _with_decisions(
    rows: pa.Table, published: int, decided: Mapping[LineKey, Standing], exceptions: pa.Array
) -> pa.Table:
    """The rows with how each stands, and what follows of it; the first `published` of them are proposed now."""
    stands = _stands(rows, published, decided)
    base = rows.drop_columns(["order_units"])
    for name in DECIDED:
        base = base.append_column(name, stands[name])
    base = base.append_column("exceptions", exceptions)
    base = base.append_column("order_value", pc.call_function("multiply", [base["order_units"], base["unit_cost"]]))
    base = base.append_column("is_unit_cost_assumed", _has_term(base["assumptions"], "unit_cost"))
    base = base.append_column("place", pa.array(np.arange(rows.num_rows)))
    return base.append_column("words", _words(base))


def _stands(rows: pa.Table, published: int, decided: Mapping[LineKey, Standing]) -> pa.Table:
    """How each row stands: as it is proposed, unless somebody has decided on it."""
    proposals, places = _proposals(rows), _places(list(decided), rows).to_pylist()
    units, revisions = rows["order_units"], rows["revision"]
    told = list[dict[str, Any]]()
    for place, (key, standing) in zip(places, decided.items(), strict=True):
        is_proposed = place < published
        row = {"revision": revisions[place].as_py(), "order_units": units[place].as_py()} if is_proposed else None
        told.append(_of_decision(WorkLine(key, row, cast("Any", standing)), standing))
    taken = np.arange(rows.num_rows)
    taken[places] = rows.num_rows + np.arange(len(places))
    decisions = pa.Table.from_pylist(told, schema=proposals.schema)
    return pa.concat_tables([proposals, decisions]).take(pa.array(taken))


def _proposals(rows: pa.Table) -> pa.Table:
    """How the rows stand where nobody has decided."""
    n, units = rows.num_rows, rows["order_units"]
    known = {
        "proposed_units": units,
        "order_units": units,
        "standing": pa.repeat("proposed", n),
        "is_to_decide": _is_positive(units),
        "is_override": pa.repeat(False, n),
        "seen": pa.repeat(0, n),
    }
    columns = {name: known.get(name, pa.nulls(n, type_)) for name, type_ in DECIDED.items()}
    return pa.table(columns, schema=pa.schema(DECIDED))


def _of_decision(line: WorkLine, standing: Standing) -> dict[str, Any]:
    difference = line.difference_units
    return {
        "proposed_units": None if line.proposed_units is None else float(line.proposed_units),
        "order_units": float(line.order_units),
        "standing": line.standing,
        "is_to_decide": line.is_to_decide,
        "is_override": standing.is_override,
        "difference_units": None if difference is None else float(difference),
        "seen": line.seen,
        "decided_by": standing.decided_by,
        "decided_at": standing.decided_at,
        "reason": standing.reason,
    }


def _words(rows: pa.Table) -> pa.ChunkedArray:
    """What `q` looks in."""
    names = ("product_id", "product_name", "location", "supplier_id", "category")
    texts = [pc.call_function("coalesce", [rows[name], pa.scalar("")]) for name in names]
    joined = pc.call_function("binary_join_element_wise", [*texts, pa.scalar("\n")], pc.JoinOptions())
    return pc.call_function("utf8_lower", [joined])


# ---- asking it


def _matching(lines: pa.Table, filters: Filters) -> pa.Table:
    for name in ("product_id", "location", "supplier_id", "category", "standing"):
        wanted = getattr(filters, name)
        if wanted is not None:
            lines = lines.filter(_equal(lines[name], wanted))
    if filters.exception is not None:
        lines = lines.filter(_has_term(lines["exceptions"], filters.exception))
    for word in (filters.q or "").lower().split():
        has_word = pc.match_substring(lines["words"], word)  # pyright: ignore[reportAttributeAccessIssue]
        lines = lines.filter(has_word)
    if filters.to_decide:
        return lines.filter(lines["is_to_decide"])
    return lines if filters.no_need else lines.filter(_is_of_interest(lines))


def _is_of_interest(lines: pa.Table) -> pa.ChunkedArray:
    """Something to order, decided on, or blocked."""
    is_order = _is_positive(lines["order_units"])
    is_decided = pc.call_function("greater", [lines["seen"], pa.scalar(0)])
    is_blocked = lines["blocked_reason"].is_valid()
    return pc.call_function("or", [pc.call_function("or", [is_order, is_decided]), is_blocked])


def _sorted(lines: pa.Table, sort: Sort | None, *, descending: bool) -> pa.Table:
    """As they come, the most urgent first, unless another order is told; unknown values come last."""
    if sort is None:
        return lines
    keys = [(sort, "descending" if descending else "ascending"), ("place", "ascending")]
    return lines.sort_by(keys)


def _summands(lines: pa.Table) -> pa.Table:
    """What each line adds to the fields of OrderTotals, and whose it is.

    What a centre sends was paid when it was bought, and what a centre lacks its locations lose: each counts once.
    """
    is_bought, is_sold = lines["supplied_by"].is_null(), lines["supplied_locations"].is_null()
    is_order = _is_positive(lines["order_units"])
    value = pc.call_function("if_else", [is_bought, lines["order_value"], pa.scalar(0.0)])
    at_risk = pc.call_function("if_else", [is_sold, lines["money_at_risk"].fill_null(0.0), pa.scalar(0.0)])

    def counted(flags: pa.ChunkedArray) -> pa.ChunkedArray:
        return flags.cast(pa.int64())

    def of_orders(flags: pa.ChunkedArray) -> pa.ChunkedArray:
        return counted(pc.call_function("and", [is_order, flags]))

    return pa.table(
        {
            "supplier_id": lines["supplier_id"],
            "min_order_value": lines["min_order_value"],
            "lines": pa.array(np.ones(lines.num_rows, np.int64)),
            "to_order": counted(is_order),
            "to_decide": counted(lines["is_to_decide"]),
            "blocked": counted(lines["blocked_reason"].is_valid()),
            "order_units": lines["order_units"],
            "order_value": value.fill_null(0.0),
            "lines_without_cost": of_orders(value.is_null()),
            "lines_with_assumed_cost": of_orders(pc.call_function("and", [is_bought, lines["is_unit_cost_assumed"]])),
            "money_at_risk": at_risk,
        }
    )


def _totals(lines: pa.Table) -> dict[str, Any]:
    summands = _summands(lines)
    return {name: _sum(summands[name]) for name in OrderTotals.model_fields}


def _told(lines: pa.Table) -> list[OrderLine]:
    rows = lines.select(SHOWN).to_pylist()
    lists = ("assumptions", "exceptions")
    return [OrderLine(**row | {name: row[name].split(",") if row[name] else [] for name in lists}) for row in rows]


def _sum(values: pa.ChunkedArray) -> Any:
    return pc.sum(values).as_py() or 0  # pyright: ignore[reportAttributeAccessIssue]


def _is_positive(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.call_function("greater", [values, pa.scalar(0.0)])


def _index_in(keys: pa.Array, among: pa.Array) -> pa.Array:
    return pc.index_in(keys, value_set=among)  # pyright: ignore[reportAttributeAccessIssue]


def _equal(values: pa.ChunkedArray, wanted: str) -> pa.ChunkedArray:
    return pc.call_function("equal", [values, pa.scalar(wanted)])


def _has_term(texts: pa.ChunkedArray, term: str) -> pa.ChunkedArray:
    """Whether the term is among those that stand in the text, separated by commas."""
    around = pc.call_function(
        "binary_join_element_wise", [pa.scalar(""), texts, pa.scalar(""), pa.scalar(",")], pc.JoinOptions()
    )
    return pc.match_substring(around, f",{term},")  # pyright: ignore[reportAttributeAccessIssue]
