"""What somebody should look at today, the most money at risk first."""

from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from nexgen_assets.dashboard.answers.orders import Exceptions
from nexgen_assets.dashboard.queries.order_detail import exception_of
from nexgen_assets.dashboard.reading import View
from nexgen_assets.replenishment.exceptions import DATA_ASSUMED, LOST_SALES
from nexgen_assets.tables import ORDER_EXCEPTIONS, REORDER_RECOMMENDATIONS

_COLUMNS = tuple(name for name in ORDER_EXCEPTIONS.names if name not in ("day", "revision"))
_LINE = ("product_id", "location")
_NETWORK = ("supplied_by", "supplied_locations")


def exceptions(  # noqa: PLR0917
    view: View,
    exception: str | None,
    supplier_id: str | None,
    location: str | None,
    category: str | None,
    q: str | None,
    offset: int,
    limit: int,
) -> Exceptions:
    """One page of the newest published day's exceptions, with counts by kind."""
    day = view.last_day(REORDER_RECOMMENDATIONS)
    rows = ORDER_EXCEPTIONS.arrow_schema.empty_table().select(_COLUMNS)
    if day is not None:
        rows = view.rows(ORDER_EXCEPTIONS, day, day, _COLUMNS)
    for name, wanted in {"supplier_id": supplier_id, "location": location, "category": category}.items():
        if wanted is not None:
            rows = rows.filter(pc.call_function("equal", [rows[name], pa.scalar(wanted)]))
    rows = _with_words(rows, q)
    counts = rows.group_by("exception").aggregate([("exception", "count")]).to_pylist()
    money = _counted_once(view, day, rows) if day is not None else rows
    sums = money.group_by("exception").aggregate([("money_at_risk", "sum")]).to_pylist()
    if exception is not None:
        rows = rows.filter(pc.call_function("equal", [rows["exception"], pa.scalar(exception)]))
    page = rows.sort_by("exception_rank").slice(offset, limit)
    return Exceptions(
        snapshot_id=view.snapshot_id,
        day=day,
        total=rows.num_rows,
        offset=offset,
        limit=limit,
        counts={row["exception"]: row["exception_count"] for row in counts},
        money_at_risk={
            **dict.fromkeys((row["exception"] for row in counts), 0.0),
            **{row["exception"]: row["money_at_risk_sum"] or 0.0 for row in sums},
        },
        exceptions=[exception_of(row) for row in page.to_pylist()],
    )


def _counted_once(view: View, day: date, rows: pa.Table) -> pa.Table:
    """The rows whose money may be added up, where centres supply locations.

    What a centre lacks its locations lose, and what it sends it has bought.
    """
    orders = view.rows(REORDER_RECOMMENDATIONS, day, day, (*_LINE, *_NETWORK))
    is_sent, is_centre = (orders[name].is_valid() for name in _NETWORK)
    for lines, kinds in ((orders.filter(is_centre), LOST_SALES), (orders.filter(is_sent), (DATA_ASSUMED,))):
        twice = rows.filter(pc.call_function("is_in", [rows["exception"]], pc.SetLookupOptions(pa.array(kinds))))
        twice = twice.join(lines.select(_LINE), list(_LINE), join_type="left semi")
        rows = rows.join(twice.select([*_LINE, "exception"]), [*_LINE, "exception"], join_type="left anti")
    return rows


def _with_words(rows: pa.Table, q: str | None) -> pa.Table:
    """The rows that hold every word in product or location."""
    for word in (q or "").split():
        texts = [
            pc.match_substring(rows[name], word, ignore_case=True).fill_null(False)  # pyright: ignore[reportAttributeAccessIssue]
            for name in ("product_id", "product_name", "location")
        ]
        rows = rows.filter(pc.call_function("or", [pc.call_function("or", texts[:2]), texts[2]]))
    return rows
