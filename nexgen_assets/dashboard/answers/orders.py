"""Orders as planners see them: the worklist, one line with its ledger, exceptions, decisions, exports, what-if.

What belongs here: requests and answers about orders. What does not: making or deciding them.
Units are units of the product, money is in the deployment's currency, null where it is not known.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field

from nexgen_assets.dashboard.answers.common import Answer, Model, Page
from nexgen_assets.decisions.rules import LONGEST_REASON, Action

Units = Annotated[Decimal, Field(ge=0, max_digits=15, decimal_places=3)]
Reason = Annotated[str, Field(min_length=1, max_length=LONGEST_REASON)]
MOST_LINES = 10_000
Sort = Literal[
    "money_at_risk",
    "product_id",
    "product_name",
    "location",
    "supplier_id",
    "category",
    "standing",
    "on_hand",
    "on_order_units",
    "days_of_cover",
    "expected_demand",
    "proposed_units",
    "order_units",
    "order_value",
    "stockout_probability",
    "receipt_date",
]


class OrderLine(Model):
    """One line of the worklist: a product at a location on the newest published day."""

    day: date = Field(description="Forecast origin of the order")
    product_id: str
    location: str
    product_name: str | None
    category: str | None
    supplier_id: str | None
    abc_class: str | None
    xyz_class: str | None
    order_date: date
    receipt_date: date
    on_hand: float
    on_order_units: float
    days_of_cover: float | None
    expected_demand: float = Field(description="Units, over the protection interval")
    proposed_units: float | None = Field(description="Null if the line is proposed no more")
    order_units: float = Field(description="Units decided on, else proposed")
    order_value: float | None = Field(description="Those at unit cost; null if the cost is not known")
    is_unit_cost_assumed: bool
    pack_size: float
    min_order_quantity: float
    stockout_probability: float
    money_at_risk: float | None = Field(description="Expected lost sales if nothing is ordered")
    promised_fill_rate: float | None = Field(description="With the proposal, at least")
    blocked_reason: str | None
    assumptions: list[str] = Field(description="What nobody told and was assumed")
    exceptions: list[str] = Field(description="Exceptions of the line, the most money at risk first")
    standing: str = Field(description="proposed, accepted, changed, review again, approved, exported, cancelled")
    is_to_decide: bool
    is_override: bool
    difference_units: float | None = Field(description="What the proposal now has more than a firm order")
    seen: int = Field(description="Sent back with a decision: which state of the line was decided on")
    decided_by: str | None
    decided_at: datetime | None
    reason: str | None
    revision: str | None


class OrderTotals(Model):
    """Sums over all lines that match, not over the page."""

    lines: int
    to_order: int = Field(description="Lines with units to order")
    to_decide: int
    blocked: int
    order_units: float
    order_value: float = Field(
        description="Paid to suppliers, of the lines whose cost is known: without what centres send"
    )
    lines_without_cost: int = Field(description="Lines to order whose cost is not known")
    lines_with_assumed_cost: int
    money_at_risk: float = Field(description="Of locations that sell: what a centre lacks, they lose")


class Worklist(Page):
    day: date | None = Field(description="The newest published day; null before the first orders")
    totals: OrderTotals
    standings: dict[str, int] = Field(description="Lines by standing")
    lines: list[OrderLine]


class SupplierTotals(OrderTotals):
    supplier_id: str | None
    min_order_value: float | None = Field(description="Smallest order the supplier takes, money; null if not told")
    is_below_minimum: bool | None = Field(description="Null where either side is not known")


class Suppliers(Answer):
    day: date | None
    suppliers: list[SupplierTotals]


class LedgerEntry(Model):
    """One summand of the order quantity: they add up to the proposed units exactly."""

    name: str
    label: str
    units: float = Field(description="With its sign")
    running_units: float = Field(description="Sum up to here")
    description: str


class Event(Model):
    """One thing done to an order line."""

    event_id: int
    day: date
    product_id: str
    location: str
    sequence: int
    action: str
    from_state: str
    to_state: str
    order_units: float
    is_override: bool
    reason: str | None
    decided_by: str
    decided_at: datetime
    export_id: str | None


class OrderException(Model):
    product_id: str
    location: str
    product_name: str | None
    category: str | None
    supplier_id: str | None
    exception: str
    rank: int = Field(description="1 for the most money at risk of the day")
    number: float | None
    threshold: float
    number_unit: str
    money_at_risk: float | None
    blocked_reason: str | None
    action: str


class Exceptions(Page):
    day: date | None
    counts: dict[str, int] = Field(description="Lines by exception, before the filter `exception`")
    money_at_risk: dict[str, float] = Field(
        description="Known money by exception, before the filter `exception`; a purchase and a customer count once"
    )
    exceptions: list[OrderException]


class OrderDetail(Answer):
    line: OrderLine
    explanation: str | None = Field(description="The order in one sentence")
    ledger: list[LedgerEntry]
    terms: dict[str, Any] = Field(description="Every other column of the order row, by its name")
    columns: dict[str, str] = Field(description="What each of those columns means")
    exceptions: list[OrderException]
    history: list[Event]


class LineSeen(Model):
    """A line, and the state of it that was on the screen."""

    day: date
    product_id: str = Field(min_length=1, max_length=500)
    location: str = Field(min_length=1, max_length=500)
    seen: int = Field(ge=0, le=1_000_000, description="`seen` of the worklist")


class ProposalSeen(LineSeen):
    revision: str = Field(max_length=100, description="`revision` of the worklist: which proposal was on the screen")


class Accept(Model):
    lines: list[ProposalSeen] = Field(min_length=1, max_length=MOST_LINES)
    reason: Reason | None = None


class Change(Model):
    line: ProposalSeen
    order_units: Units
    is_override: bool = Field(False, description="Break packs or the smallest order")
    reason: Reason


class Cancel(Model):
    lines: list[LineSeen] = Field(min_length=1, max_length=MOST_LINES)
    reason: Reason


class Approve(Model):
    lines: list[LineSeen] = Field(min_length=1, max_length=MOST_LINES)


class DecidedLine(Model):
    day: date
    product_id: str
    location: str
    standing: str
    order_units: float
    seen: int


class Decided(Answer):
    action: Action
    lines: list[DecidedLine]


class History(Model):
    events: list[Event] = Field(description="Oldest first")


class NewExport(Model):
    supplier_id: str | None = Field(None, max_length=500, description="Only this supplier; null for all")
    key: str | None = Field(
        None, min_length=8, max_length=100, description="Names the request: the same key gives the same export again"
    )


class NewCopy(Model):
    reason: Reason


class ExportAnswer(Model):
    export_id: str
    copy_of: str | None
    exported_by: str
    exported_at: datetime
    reason: str | None
    written_to: str | None = Field(description="Where its files are; null if they are not written yet")


class Exports(Model):
    exports: list[ExportAnswer] = Field(description="Newest first")


class MadeExport(ExportAnswer):
    lines: int
    order_units: float
    suppliers: int
    finished: list[str] = Field(description="Interrupted exports whose files were written first")


class Outcome(Model):
    """What a quantity is expected to do for one line, until the order of the next review can be sold."""

    order_units: float
    is_proposal: bool
    has_full_packs: bool
    reaches_minimum: bool = Field(description="0 units, or at least the smallest order")
    order_value: float | None
    stockout_probability: float = Field(description="At most")
    promised_cycle_service: float = Field(description="Probability that the position covers the demand")
    promised_fill_rate: float | None = Field(description="At least; null without demand")
    expected_lost_units: float = Field(description="At most")
    expected_lost_money: float | None = Field(description="At most; null if the price is not known")
    expected_waste_units: float | None = Field(description="Null without a shelf life")


class Outcomes(Answer):
    day: date
    product_id: str
    location: str
    outcomes: list[Outcome] = Field(description="Of nothing, the proposal, and what was asked for, by units")


class WhatIf(Model):
    """What is assumed otherwise; null stays as it is."""

    service_level: float | None = Field(None, ge=0.5, le=0.9991)
    more_lead_time_days: int = Field(0, ge=-90, le=90)
    demand_factor: float = Field(1.0, ge=0.01, le=100)
    daily_budget: float | None = Field(None, ge=0, description="Money that the orders of the day may cost")
    lines: int = Field(20, ge=0, le=200, description="So many of the lines that change most are told")


class PlanTotals(Model):
    order_lines: int
    blocked_lines: int
    order_units: float
    order_value: float
    promised_fill_rate: float | None = Field(description="At least")
    expected_lost_units: float = Field(description="At most")
    expected_lost_money: float = Field(description="At most")
    expected_waste_units: float


class WhatIfLine(Model):
    product_id: str
    location: str
    product_name: str | None
    plan_units: float
    what_if_units: float
    difference_value: float | None


class WhatIfAnswer(Answer):
    """Nothing is stored: the plan stays as it is."""

    day: date
    plan: PlanTotals
    what_if: PlanTotals
    is_plan_as_published: bool = Field(description="False if the published orders were made of other data or settings")
    lines: list[WhatIfLine] = Field(description="Those whose order changes most, in money, then in units")
