"""What may be done to an order line, by whom, and what follows: the one table of states.

What belongs here: states, actions, roles, and the checks of a quantity and a reason, all without a database. What does
not: keeping decisions (`book.py`).

    proposed --accept--> accepted --approve--> approved --export--> exported
       |                  |    ^                  |                    |
       +----change----> changed                   +------cancel--------+----> cancelled

A line nobody has decided on is `proposed`. Accepted and changed lines may be accepted or changed again. Approved and
exported lines are firm: they count as on order from their order date on, and nothing but `cancel` changes them.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

LONGEST_REASON = 500
UNIT_STEP = Decimal("0.001")


class DecisionError(ValueError):
    """A decision that cannot be taken; the message names the line and says what to do."""


class ConflictError(DecisionError):
    """Somebody else decided on the line first."""


class LineKey(NamedTuple):
    """The order of a product at a location, proposed at the close of a day."""

    day: date
    product_id: str
    location: str

    def __str__(self) -> str:
        return f"product {self.product_id} at {self.location}, proposed at the close of {self.day}"


class State(StrEnum):
    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    CHANGED = "changed"
    APPROVED = "approved"
    EXPORTED = "exported"
    CANCELLED = "cancelled"


class Action(StrEnum):
    ACCEPT = "accept"
    CHANGE = "change"
    APPROVE = "approve"
    EXPORT = "export"
    CANCEL = "cancel"


class Role(StrEnum):
    PLANNER = "planner"
    APPROVER = "approver"


@dataclass(frozen=True)
class Rule:
    """From which states an action leads where, who may take it, and what it asks for.

    `on_newest_day`: only lines of the newest published day, as the order would be late for any other.
    `on_present_row`: only if the published row is still the one that was decided on.
    """

    sources: frozenset[State]
    target: State
    role: Role
    needs_reason: bool = False
    on_newest_day: bool = False
    on_present_row: bool = False


_OPEN = frozenset({State.PROPOSED, State.ACCEPTED, State.CHANGED})
_DECIDED = frozenset({State.ACCEPTED, State.CHANGED})
FIRM = frozenset({State.APPROVED, State.EXPORTED})

RULES: dict[Action, Rule] = {
    Action.ACCEPT: Rule(_OPEN, State.ACCEPTED, Role.PLANNER, on_newest_day=True),
    Action.CHANGE: Rule(_OPEN, State.CHANGED, Role.PLANNER, needs_reason=True, on_newest_day=True),
    Action.APPROVE: Rule(_DECIDED, State.APPROVED, Role.APPROVER, on_newest_day=True, on_present_row=True),
    Action.EXPORT: Rule(frozenset({State.APPROVED}), State.EXPORTED, Role.APPROVER),
    Action.CANCEL: Rule(FIRM, State.CANCELLED, Role.APPROVER, needs_reason=True),
}


@dataclass(frozen=True)
class Person:
    """Who decides, and in which roles."""

    name: str
    roles: frozenset[Role] = frozenset(Role)

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise DecisionError("nobody decides: say who you are")


def person(name: str, approvers: frozenset[str]) -> Person:
    """Everybody plans; the `approvers` approve, or everybody if none are named."""
    may_approve = not approvers or name in approvers
    return Person(name, frozenset(Role) if may_approve else frozenset({Role.PLANNER}))


def require_role(action: Action, by: Person) -> None:
    """Raises DecisionError if the person may not take the action."""
    role = RULES[action].role
    if role not in by.roles:
        raise DecisionError(f"{by.name} may not {action} orders: ask an {role}, one of NEXGEN_APPROVERS")


def require_state(action: Action, line: LineKey, state: State) -> None:
    """Raises DecisionError if the action does not lead on from the line's state."""
    sources = RULES[action].sources
    if state not in sources:
        possible = ", ".join(sorted(sources))
        raise DecisionError(f"cannot {action} {line}: it is {state}; only these can be: {possible}")


def require_reason(action: Action, reason: str | None) -> str | None:
    """The reason without spaces around it; raises DecisionError where one is needed and missing, or too long."""
    told = (reason or "").strip()
    if RULES[action].needs_reason and not told:
        raise DecisionError(f"to {action} an order needs a reason: say why")
    if len(told) > LONGEST_REASON:
        raise DecisionError(f"the reason has {len(told)} characters: {LONGEST_REASON} are the most")
    return told or None


def require_units(
    line: LineKey, units: Decimal, pack_size: Decimal, min_order_quantity: Decimal, *, is_override: bool
) -> Decimal:
    """The units of a changed order: 0, or full packs of at least the MOQ, unless the person overrides that.

    Raises DecisionError for what cannot be ordered at all: no number, negative, or finer than a thousandth.
    """
    if not units.is_finite() or units < 0 or units != units.quantize(UNIT_STEP):
        raise DecisionError(f"cannot order {units} of {line}: say 0 or more units, to thousandths at the finest")
    if is_override or units == 0:
        return units
    if units % pack_size:
        raise DecisionError(
            f"{units:f} of {line} are no full packs of {pack_size.normalize():f}: order packs, or override"
        )
    if units < min_order_quantity:
        least = f"{min_order_quantity.normalize():f}"
        raise DecisionError(f"{units:f} of {line} are less than the smallest order of {least}: order more, or override")
    return units
