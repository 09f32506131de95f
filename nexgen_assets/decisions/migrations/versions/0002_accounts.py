"""Who may use the dashboard: users, their sessions and tokens, and what was done."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ROLES = ("viewer", "store", "planner", "approver", "admin")
USER = "dashboard_users.name"


def upgrade() -> None:
    op.create_table(
        "dashboard_users",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("role", sa.String, sa.CheckConstraint(f"role IN {ROLES}"), nullable=False),
        sa.Column("password_hash", sa.String, nullable=False),
        sa.Column("is_disabled", sa.Boolean, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("last_login_at", INSTANT),
    )
    op.create_table(
        "dashboard_sessions",
        sa.Column("session_hash", sa.String, primary_key=True),
        sa.Column("user_name", sa.String, sa.ForeignKey(USER), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT),
    )
    op.create_index("dashboard_sessions_of_user", "dashboard_sessions", ["user_name"])
    op.create_table(
        "dashboard_tokens",
        sa.Column("token_id", sa.String, primary_key=True),
        sa.Column("user_name", sa.String, sa.ForeignKey(USER), nullable=False),
        sa.Column("label", sa.String, nullable=False),
        sa.Column("role", sa.String, sa.CheckConstraint(f"role IN {ROLES}"), nullable=False),
        sa.Column("secret_hash", sa.String, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT),
    )
    op.create_index("dashboard_tokens_of_user", "dashboard_tokens", ["user_name"])
    op.create_table(
        "dashboard_audit",
        sa.Column("entry_id", SERIAL, primary_key=True),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("who", sa.String, nullable=False),
        sa.Column("what", sa.String, nullable=False),
        sa.Column("about", sa.String),
        sa.Column("address", sa.String),
    )
    _forbid_changes_of_audit(op.get_context().dialect.name)


def _forbid_changes_of_audit(dialect: str) -> None:
    """What was written of somebody's doings stays: the database itself refuses to change it."""
    if dialect == "sqlite":
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER dashboard_audit_no_{change.lower()} BEFORE {change} ON dashboard_audit "
                "BEGIN SELECT RAISE(ABORT, 'dashboard_audit is only ever added to'); END"
            )
        return
    # the function came with the first migration
    op.execute(
        "CREATE TRIGGER dashboard_audit_only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON dashboard_audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION nexgen_only_added_to()"
    )
