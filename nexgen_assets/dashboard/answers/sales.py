"""What was sold: trends, breakdowns, key figures, quality of the data.

What belongs here: answers about sales, as sums only. What does not: anything of one customer.
"""

from datetime import date, datetime
from typing import Literal

from pydantic import Field

from nexgen_assets.dashboard.answers.common import Answer, Model

Period = Literal["day", "week", "month"]
Dimension = Literal["category", "location", "product", "customer_segment"]


class Sums(Model):
    """Sums over days and products x locations."""

    demand_units: float = Field(description="Units sold, returns not deducted")
    returned_units: float
    revenue: float = Field(description="Money taken, refunds deducted")
    sales_lines: int = Field(description="Sales lines, returns not counted")


class TrendPoint(Sums):
    start: date = Field(description="First day of the period; weeks begin on Monday")
    days: int = Field(description="Days of the period that are in the tables: a period may be incomplete")
    stockout_share: float | None = Field(description="Share of the product x location days known to be out of stock")


class Trend(Answer):
    by: Period
    start: date | None
    end: date | None
    points: list[TrendPoint]


class BreakdownRow(Sums):
    key: str | None = Field(description="Null where nobody told it")
    name: str | None = Field(description="Product's name; null for the others")
    revenue_share: float | None
    previous_revenue: float | None = Field(description="Of as many days before; null where those are not known")


class Breakdown(Answer):
    by: Dimension
    start: date | None
    end: date | None
    total: int = Field(description="Rows before the limit")
    rows: list[BreakdownRow] = Field(description="The most revenue first")


class Kpi(Model):
    """One figure with its change: `value` and `previous` are of periods of the same length."""

    name: str
    label: str
    unit: Literal["units", "money", "share", "days", "lines"]
    value: float | None
    previous: float | None
    is_higher_better: bool | None = Field(description="Null where neither is")
    description: str


class Kpis(Answer):
    start: date | None
    end: date | None
    previous_start: date | None
    previous_end: date | None
    kpis: list[Kpi]


class DemandDay(Model):
    """One day of a product at a location."""

    day: date
    demand_units: float = Field(description="Units sold; less than what was wanted if out of stock")
    estimated_demand_units: float | None = Field(
        description="On stockout days the mean of the last 28 days in stock, at least what was sold; else null"
    )
    returned_units: float
    revenue: float
    unit_price: float | None
    is_promotion: bool | None
    is_open: bool
    is_stockout: bool | None
    is_stockout_assumed: bool
    stock_level: float | None = Field(description="Latest known stock at the close of a day")
    stock_level_as_of: date | None


class DemandHistory(Answer):
    product_id: str
    location: str
    product_name: str | None
    category: str | None
    days: list[DemandDay]


class RejectedReason(Model):
    rule: str
    reason: str = Field(description="The rule in words, and what to do")
    column_name: str | None
    is_duplicate: bool = Field(description="True for the surplus of overlapping files: removed, not wrong")
    lines: int


class QualityDay(Model):
    day: date
    raw_lines: int
    cleaned_lines: int
    rejected_lines: int = Field(description="Duplicates included")


class LandedFile(Model):
    file_key: str
    kind: str
    status: str
    problem: str | None
    arrived_at: datetime
    lines: int
    bytes: int
    unknown_columns: list[str]


class Quality(Answer):
    start: date | None
    end: date | None
    days: list[QualityDay]
    reasons: list[RejectedReason] = Field(description="The most lines first")
    files: list[LandedFile] = Field(description="Newest first")


class Option(Model):
    key: str
    name: str | None


class Choices(Answer):
    """What filters may offer."""

    categories: list[str]
    locations: list[str]
    suppliers: list[Option]


class Products(Answer):
    products: list[Option] = Field(description="Those whose id or name holds the words, by id")
