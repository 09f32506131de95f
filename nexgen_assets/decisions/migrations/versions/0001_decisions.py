"""Order lines that were decided on, the events of each, and exports. What is told once is never changed."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

UNITS = sa.Numeric(18, 3).with_variant(sa.String(24), "sqlite")
INSTANT = sa.DateTime(timezone=True)
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
LINE = ("day", "product_id", "location")
ROW = (*LINE, "revision")
STATES = ("proposed", "accepted", "changed", "approved", "exported", "cancelled")
APPEND_ONLY = ("decided_rows", "order_events", "order_export_lines")

VIEW = """
CREATE VIEW order_decisions AS
SELECT e.day, e.product_id, e.location, e.sequence, e.to_state AS state, e.order_units, r.proposed_units,
    e.is_override, e.revision, e.reason, e.decided_by, e.decided_at, e.export_id,
    r.order_date, r.receipt_date, r.supplier_id, r.order_row
FROM order_events e
JOIN decided_rows r ON r.day = e.day AND r.product_id = e.product_id AND r.location = e.location
    AND r.revision = e.revision
WHERE NOT EXISTS (
    SELECT 1 FROM order_events later
    WHERE later.day = e.day AND later.product_id = e.product_id AND later.location = e.location
        AND later.sequence > e.sequence
)
"""


def upgrade() -> None:
    op.create_table(
        "decisions_owner",
        sa.Column("deployment", sa.String, primary_key=True),
        sa.Column("deployment_id", sa.String, nullable=False),
    )
    op.create_table(
        "decided_rows",
        *_line(is_key=True),
        sa.Column("revision", sa.String, primary_key=True),
        sa.Column("order_date", sa.Date, nullable=False),
        sa.Column("receipt_date", sa.Date, nullable=False),
        sa.Column("supplier_id", sa.String),
        sa.Column("proposed_units", UNITS, nullable=False),
        sa.Column("order_row", sa.JSON, nullable=False),
    )
    op.create_index("decided_rows_by_order_date", "decided_rows", ["order_date"])
    op.create_table(
        "order_exports",
        sa.Column("export_id", sa.String, primary_key=True),
        sa.Column("key", sa.String, nullable=False, unique=True),
        sa.Column("content_hash", sa.String, nullable=False),
        sa.Column("copy_of", sa.String, sa.ForeignKey("order_exports.export_id")),
        sa.Column("exported_by", sa.String, nullable=False),
        sa.Column("exported_at", INSTANT, nullable=False),
        sa.Column("reason", sa.String),
        sa.Column("written_to", sa.String),
        sa.Column("written_at", INSTANT),
    )
    op.create_table(
        "order_events",
        sa.Column("event_id", SERIAL, primary_key=True),
        *_line(),
        sa.Column("sequence", sa.Integer, sa.CheckConstraint("sequence > 0"), nullable=False),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("from_state", sa.String, nullable=False),
        sa.Column("to_state", sa.String, sa.CheckConstraint(f"to_state IN {STATES}"), nullable=False),
        sa.Column("revision", sa.String, nullable=False),
        sa.Column("order_units", UNITS, nullable=False),
        sa.Column("is_override", sa.Boolean, nullable=False),
        sa.Column("reason", sa.String),
        sa.Column("decided_by", sa.String, nullable=False),
        sa.Column("decided_at", INSTANT, nullable=False),
        sa.Column("export_id", sa.String, sa.ForeignKey("order_exports.export_id")),
        sa.UniqueConstraint(*LINE, "sequence", name="order_events_one_nth"),
        sa.ForeignKeyConstraint(ROW, [f"decided_rows.{name}" for name in ROW], name="order_events_row"),
    )
    op.create_table(
        "order_export_lines",
        sa.Column("export_id", sa.String, sa.ForeignKey("order_exports.export_id"), primary_key=True),
        *_line(is_key=True),
        sa.Column("revision", sa.String, nullable=False),
        sa.Column("order_units", UNITS, nullable=False),
        sa.Column("is_copy", sa.Boolean, nullable=False),
        sa.ForeignKeyConstraint(ROW, [f"decided_rows.{name}" for name in ROW], name="order_export_lines_row"),
    )
    op.create_index(
        "order_export_lines_once",
        "order_export_lines",
        list(LINE),
        unique=True,
        sqlite_where=sa.text("NOT is_copy"),
        postgresql_where=sa.text("NOT is_copy"),
    )
    op.execute(VIEW)
    _forbid_changes(op.get_context().dialect.name)


def _line(*, is_key: bool = False) -> list[sa.Column]:
    kinds = {"day": sa.Date, "product_id": sa.String, "location": sa.String}
    return [sa.Column(name, kind, primary_key=is_key, nullable=False) for name, kind in kinds.items()]


def _forbid_changes(dialect: str) -> None:
    """No statement updates or deletes what was told: the database itself refuses it."""
    if dialect == "sqlite":
        for table in APPEND_ONLY:
            for change in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} is only ever added to'); END"
                )
        return
    op.execute(
        "CREATE FUNCTION nexgen_only_added_to() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is only ever added to', TG_TABLE_NAME; END $$"
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION nexgen_only_added_to()"
        )
