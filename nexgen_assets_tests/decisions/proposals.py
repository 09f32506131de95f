"""Published orders to decide on."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from nexgen_assets.decisions.book import DecisionBook, Published, Request, key_of
from nexgen_assets.decisions.rules import Action, LineKey, Person
from nexgen_assets.decisions.schema import Decision
from nexgen_assets.tables import REORDER_RECOMMENDATIONS

DAY = date(2026, 3, 10)
ANNA, BOSS = Person("Anna"), Person("Boss")
NUMBERS = {"int64": 1, "double": 0.0, "bool": False}
MILK, BREAD = LineKey(DAY, "007", "north"), LineKey(DAY, "008", "north")


def proposal(product_id: str, units: float, *, day: date = DAY, revision: str = "r1", **more: Any) -> dict[str, Any]:
    """A row of `reorder_recommendations`."""
    empty = {c.name: None if c.nullable else NUMBERS.get(str(c.type), "") for c in REORDER_RECOMMENDATIONS.columns}
    return empty | {
        "day": day,
        "product_id": product_id,
        "location": "north",
        "product_name": f"Product {product_id}",
        "supplier_id": "S1",
        "order_date": day + timedelta(days=1),
        "receipt_date": day + timedelta(days=3),
        "next_order_date": day + timedelta(days=2),
        "order_units": units,
        "expected_demand_until_receipt": units,
        "pack_size": 6.0,
        "min_order_quantity": 12.0,
        "unit_cost": 1.25,
        "explanation": f"Order {units:.10g}.",
        "revision": revision,
        **more,
    }


def published(*rows: dict[str, Any], day: date = DAY) -> Published:
    return Published(day, {key_of(row): row for row in rows})


TODAY = published(proposal("007", 24.0), proposal("008", 18.0, supplier_id="S2"))


def decide(
    book: DecisionBook,
    action: Action,
    *lines: LineKey,
    by: Person = ANNA,
    of: Published = TODAY,
    reason: str | None = "because",
    **more: Any,
) -> list[Decision]:
    """Decide on the lines as they stand now."""
    return book.decide(action, as_seen(book, lines, **more), by, of, reason)


def as_seen(book: DecisionBook, lines: Sequence[LineKey], **more: Any) -> list[Request]:
    known = book.decisions({line.day for line in lines})
    return [Request(line, known[line].sequence if line in known else 0, **more) for line in lines]


def approve(book: DecisionBook, *lines: LineKey, of: Published = TODAY) -> None:
    """Accept and approve."""
    decide(book, Action.ACCEPT, *lines, of=of)
    decide(book, Action.APPROVE, *lines, by=BOSS, of=of)
