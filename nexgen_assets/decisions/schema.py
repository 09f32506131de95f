"""The database of decisions: its tables as classes, with exact units and money on every database.

What belongs here: columns and keys as the newest migration leaves them. What does not: changing an existing database
(`migrations/`), and what may be written (`rules.py`).

`order_events` is the truth: one row per thing done to an order line, only ever added to. The state of a line is its
last event; the view `order_decisions` shows it.
"""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator, TypeEngine

TEXT_DECIMAL_LENGTH = 24


class Exact(TypeDecorator[Decimal]):
    """A decimal with a fixed number of places: NUMERIC, or text where the database (SQLite) has none."""

    impl = sa.Numeric
    cache_ok = True

    def __init__(self, scale: int) -> None:
        super().__init__(18, scale)
        self.step = Decimal(1).scaleb(-scale)

    def load_dialect_impl(self, dialect: sa.Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.String(TEXT_DECIMAL_LENGTH))
        return super().load_dialect_impl(dialect)

    def process_bind_param(self, value: Decimal | None, dialect: sa.Dialect) -> Any:
        if value is None:
            return None
        exact = value.quantize(self.step)
        return f"{exact:f}" if dialect.name == "sqlite" else exact

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Decimal | None:  # noqa: ARG002
        return None if value is None else Decimal(value).quantize(self.step)


class Instant(TypeDecorator[datetime]):
    """A moment in UTC; SQLite forgets the zone, which is UTC always."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        if value is not None and value.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


UNITS, MONEY = Exact(3), Exact(4)
# SQLite counts up in INTEGER columns only
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


class Base(DeclarativeBase):
    """The tables of this room."""


class Owner(Base):
    """One row: the deployment whose decisions these are."""

    __tablename__ = "decisions_owner"

    deployment: Mapped[str] = mapped_column(sa.String, primary_key=True)
    deployment_id: Mapped[str] = mapped_column(sa.String)


class DecidedRow(Base):
    """The row of `reorder_recommendations` that somebody decided on, whole, as it was then."""

    __tablename__ = "decided_rows"

    day: Mapped[date] = mapped_column(primary_key=True)
    product_id: Mapped[str] = mapped_column(sa.String, primary_key=True)
    location: Mapped[str] = mapped_column(sa.String, primary_key=True)
    revision: Mapped[str] = mapped_column(sa.String, primary_key=True)
    order_date: Mapped[date]
    receipt_date: Mapped[date]
    supplier_id: Mapped[str | None] = mapped_column(sa.String)
    proposed_units: Mapped[Decimal] = mapped_column(UNITS)
    order_row: Mapped[dict[str, Any]] = mapped_column(sa.JSON)

    __table_args__ = (sa.Index("decided_rows_by_order_date", "order_date"),)


class OrderEvent(Base):
    """One thing done to an order line; the n-th of a line has `sequence` n, so that only one person can be n-th."""

    __tablename__ = "order_events"

    event_id: Mapped[int] = mapped_column(SERIAL, primary_key=True)
    day: Mapped[date]
    product_id: Mapped[str] = mapped_column(sa.String)
    location: Mapped[str] = mapped_column(sa.String)
    sequence: Mapped[int]
    action: Mapped[str] = mapped_column(sa.String)
    from_state: Mapped[str] = mapped_column(sa.String)
    to_state: Mapped[str] = mapped_column(sa.String)
    revision: Mapped[str] = mapped_column(sa.String)
    order_units: Mapped[Decimal] = mapped_column(UNITS)
    is_override: Mapped[bool]
    reason: Mapped[str | None] = mapped_column(sa.String)
    decided_by: Mapped[str] = mapped_column(sa.String)
    decided_at: Mapped[datetime] = mapped_column(Instant)
    export_id: Mapped[str | None] = mapped_column(sa.ForeignKey("order_exports.export_id"))

    __table_args__ = (
        sa.UniqueConstraint("day", "product_id", "location", "sequence", name="order_events_one_nth"),
        sa.ForeignKeyConstraint(
            ["day", "product_id", "location", "revision"],
            ["decided_rows.day", "decided_rows.product_id", "decided_rows.location", "decided_rows.revision"],
            name="order_events_row",
        ),
    )


class OrderExport(Base):
    """One hand-over of orders: which content, when, by whom, and where its files are once they are written."""

    __tablename__ = "order_exports"

    export_id: Mapped[str] = mapped_column(sa.String, primary_key=True)
    key: Mapped[str] = mapped_column(sa.String, unique=True)
    content_hash: Mapped[str] = mapped_column(sa.String)
    copy_of: Mapped[str | None] = mapped_column(sa.ForeignKey("order_exports.export_id"))
    exported_by: Mapped[str] = mapped_column(sa.String)
    exported_at: Mapped[datetime] = mapped_column(Instant)
    reason: Mapped[str | None] = mapped_column(sa.String)
    written_to: Mapped[str | None] = mapped_column(sa.String)
    written_at: Mapped[datetime | None] = mapped_column(Instant)


class OrderExportLine(Base):
    """A line of an export. Only one export that is no copy can hold a line."""

    __tablename__ = "order_export_lines"

    export_id: Mapped[str] = mapped_column(sa.ForeignKey("order_exports.export_id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    product_id: Mapped[str] = mapped_column(sa.String, primary_key=True)
    location: Mapped[str] = mapped_column(sa.String, primary_key=True)
    revision: Mapped[str] = mapped_column(sa.String)
    order_units: Mapped[Decimal] = mapped_column(UNITS)
    is_copy: Mapped[bool]

    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["day", "product_id", "location", "revision"],
            ["decided_rows.day", "decided_rows.product_id", "decided_rows.location", "decided_rows.revision"],
            name="order_export_lines_row",
        ),
        sa.Index(
            "order_export_lines_once",
            "day",
            "product_id",
            "location",
            unique=True,
            sqlite_where=sa.text("NOT is_copy"),
            postgresql_where=sa.text("NOT is_copy"),
        ),
    )


class Decision(Base):
    """The view `order_decisions`: the last event of each line, with the row it was taken on."""

    __tablename__ = "order_decisions"
    __table_args__ = {"info": {"is_view": True}}  # noqa: RUF012  # SQLAlchemy reads it once

    day: Mapped[date] = mapped_column(primary_key=True)
    product_id: Mapped[str] = mapped_column(sa.String, primary_key=True)
    location: Mapped[str] = mapped_column(sa.String, primary_key=True)
    sequence: Mapped[int]
    state: Mapped[str] = mapped_column(sa.String)
    order_units: Mapped[Decimal] = mapped_column(UNITS)
    proposed_units: Mapped[Decimal] = mapped_column(UNITS)
    is_override: Mapped[bool]
    revision: Mapped[str] = mapped_column(sa.String)
    reason: Mapped[str | None] = mapped_column(sa.String)
    decided_by: Mapped[str] = mapped_column(sa.String)
    decided_at: Mapped[datetime] = mapped_column(Instant)
    export_id: Mapped[str | None] = mapped_column(sa.String)
    order_date: Mapped[date]
    receipt_date: Mapped[date]
    supplier_id: Mapped[str | None] = mapped_column(sa.String)
    order_row: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
