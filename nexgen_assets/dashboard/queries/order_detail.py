"""One order line in full: the ledger its quantity comes from, its terms, exceptions and history."""

from typing import Any

from nexgen_assets.dashboard.answers.orders import Event, LedgerEntry, OrderDetail, OrderException
from nexgen_assets.dashboard.queries.worklist import Desk, published_lines
from nexgen_assets.dashboard.reading import View
from nexgen_assets.decisions.book import DecisionBook
from nexgen_assets.decisions.rules import LineKey
from nexgen_assets.tables import ORDER_EXCEPTIONS, ORDER_LEDGER, REORDER_RECOMMENDATIONS

DECIMALS = 3
LAST_EVENTS = 100
_EXCEPTION = tuple(name for name in ORDER_EXCEPTIONS.names if name not in ("day", "revision"))


def order_detail(view: View, desk: Desk, book: DecisionBook, product_id: str, location: str) -> OrderDetail | None:
    """The line of the newest published day; None if nothing is proposed or decided for it."""
    line = desk.line(product_id, location)
    if line is None:
        return None
    key = LineKey(line.day, product_id, location)
    row = published_lines(view, [key]).rows.get(key)
    found = view.series(ORDER_EXCEPTIONS, product_id, location, key.day, key.day, _EXCEPTION)
    events = book.history(product_id, location, last=LAST_EVENTS)
    return OrderDetail(
        snapshot_id=view.snapshot_id,
        line=line,
        explanation=row["explanation"] if row else None,
        ledger=ledger(row) if row else [],
        terms=dict(row) if row else {},
        columns={column.name: column.description for column in REORDER_RECOMMENDATIONS.columns},
        exceptions=[exception_of(told) for told in found.drop_columns("day").sort_by("exception_rank").to_pylist()],
        history=[Event.model_validate(event, from_attributes=True) for event in events],
    )


# steps whose column's name says too little
_STEPS = {
    "surplus_units": "Surplus, not sent back",
    "display_units": "Display minimum",
    "lot_units": "Full lot",
    "moq_units": "Smallest order of the product",
    "pack_units": "Full packs",
    "max_stock_units": "Room for no more",
    "delisted_units": "Delisting",
    "review_units": "No orders on this day",
    "supplier_minimum_units": "Smallest order of the supplier",
    "allocation_units": "Share of the centre's stock",
    "committed_units": "Promised to somebody",
}


def ledger(row: Any) -> list[LedgerEntry]:
    """The summands of the proposed units, in the order in which they come about."""
    entries, so_far = list[LedgerEntry](), 0.0
    for name, sign in ORDER_LEDGER.items():
        units = sign * row[name] + 0.0  # no minus zero
        so_far = round(so_far + units, DECIMALS) + 0.0
        column = REORDER_RECOMMENDATIONS.by_name[name]
        entries.append(
            LedgerEntry(
                name=name,
                label=_STEPS.get(name) or name.removesuffix("_units").replace("_", " ").capitalize(),
                units=units,
                running_units=so_far,
                description=column.description,
            )
        )
    return entries


def exception_of(row: dict[str, Any]) -> OrderException:
    return OrderException(rank=row.pop("exception_rank"), **row)
