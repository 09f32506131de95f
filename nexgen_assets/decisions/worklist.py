"""Proposals and decisions of a day side by side: what a planner looks at.

What belongs here: how each line stands now. What does not: taking decisions (`book.py`), and printing (`commands/`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from nexgen_assets.decisions.book import Published, Row, exact
from nexgen_assets.decisions.rules import FIRM, LineKey, State
from nexgen_assets.decisions.schema import Decision

REVIEW_AGAIN, BLOCKED = "review again", "blocked"


@dataclass(frozen=True)
class WorkLine:
    """One order line: `row` as it is published now (None if it is no more), `decision` if there is one."""

    key: LineKey
    row: Row | None
    decision: Decision | None

    @property
    def state(self) -> State:
        return State(self.decision.state) if self.decision else State.PROPOSED

    @property
    def is_outdated(self) -> bool:
        """Whether the published row is no longer the one that was decided on."""
        return self.decision is not None and (self.row is None or self.row["revision"] != self.decision.revision)

    @property
    def standing(self) -> str:
        """The state; "review again" for what was accepted or changed on a row that has changed since.

        "blocked" for what nobody has decided on, and what is not proposed before data is told or a limit changed. Firm
        lines stay what they are.
        """
        if self.state is State.PROPOSED and self.blocked_reason:
            return BLOCKED
        is_open = self.state in (State.ACCEPTED, State.CHANGED)
        return REVIEW_AGAIN if is_open and self.is_outdated else self.state.value

    @property
    def blocked_reason(self) -> str | None:
        return (self.row or {}).get("blocked_reason")

    @property
    def seen(self) -> int:
        """What a request about this line says it has seen."""
        return self.decision.sequence if self.decision else 0

    @property
    def proposed_units(self) -> Decimal | None:
        """The proposal as it is now; None if there is none any more."""
        return None if self.row is None else exact(self.row["order_units"])

    @property
    def order_units(self) -> Decimal:
        """The units decided on, else those proposed."""
        return self.decision.order_units if self.decision else self.proposed_units or Decimal(0)

    @property
    def difference_units(self) -> Decimal | None:
        """What the proposal now has more than a firm order; None where the order rests on the proposal as it is."""
        if self.state not in FIRM or not self.is_outdated:
            return None
        return (self.proposed_units or Decimal(0)) - self.order_units

    @property
    def supplier_id(self) -> str | None:
        return self.decision.supplier_id if self.decision else (self.row or {}).get("supplier_id")

    @property
    def is_to_decide(self) -> bool:
        """Whether a planner has something to do: an order nobody has decided on, or one to review again."""
        return self.standing == REVIEW_AGAIN or (self.state is State.PROPOSED and self.order_units > 0)


def worklist(published: Published, decisions: Mapping[LineKey, Decision]) -> list[WorkLine]:
    """The lines of the published day, the most money at risk first; decided lines without a row come last."""
    keys = {**dict.fromkeys(published.rows), **dict.fromkeys(decisions)}
    lines = [WorkLine(key, published.rows.get(key), decisions.get(key)) for key in keys]
    return sorted(lines, key=_urgency)


def _urgency(line: WorkLine) -> tuple[bool, bool, float, float, LineKey]:
    """As `replenishment.orders.most_urgent` sorts: unknown prices follow, by expected lost units."""
    row = line.row or {}
    risk = row.get("money_at_risk")
    return line.row is None, risk is None, -(risk or 0.0), -row.get("expected_lost_units", 0.0), line.key
