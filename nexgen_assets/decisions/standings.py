"""How the decided lines of a day stand, without the copies of their rows: what a long list of orders needs.

What belongs here: reading many decisions at once. What does not: taking them (`book.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import sqlalchemy as sa

from nexgen_assets.decisions.database import DecisionDatabase
from nexgen_assets.decisions.rules import LineKey
from nexgen_assets.decisions.schema import Decision, OrderEvent


@dataclass(frozen=True)
class Standing:
    """The last decision on a line; the fields are those of `schema.Decision`."""

    sequence: int
    state: str
    order_units: Decimal
    proposed_units: Decimal
    is_override: bool
    revision: str
    reason: str | None
    decided_by: str
    decided_at: datetime
    export_id: str | None
    supplier_id: str | None


_FIELDS = [getattr(Decision, name) for name in Standing.__dataclass_fields__]


def last_event(database: DecisionDatabase) -> int:
    """The number of the newest decision; 0 if there is none. While it is the same, no standing has changed."""
    with database.session() as session:
        return session.scalar(sa.select(sa.func.max(OrderEvent.event_id))) or 0


def standings(database: DecisionDatabase, day: date) -> Mapping[LineKey, Standing]:
    """The decided lines of one day."""
    query = sa.select(Decision.product_id, Decision.location, *_FIELDS).where(Decision.day == day)
    with database.session() as session:
        found = session.execute(query).all()
    return {LineKey(day, product_id, location): Standing(*rest) for product_id, location, *rest in found}
