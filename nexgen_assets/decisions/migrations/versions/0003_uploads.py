"""Files that people upload: what was found in them, and where they went."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
STATES = ("received", "checked", "refused", "failed", "committing", "committed")


def upgrade() -> None:
    op.create_table(
        "uploads",
        sa.Column("upload_id", sa.String, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("uploaded_by", sa.String, nullable=False),
        sa.Column("uploaded_at", INSTANT, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("content_hash", sa.String, nullable=False),
        sa.Column("state", sa.String, sa.CheckConstraint(f"state IN {STATES}"), nullable=False),
        sa.Column("problem", sa.String),
        sa.Column("checked_at", INSTANT),
        sa.Column("report", sa.JSON),
        sa.Column("landing_key", sa.String),
        sa.Column("committed_at", INSTANT),
    )
    op.create_index("uploads_of_user", "uploads", ["uploaded_by", "uploaded_at"])
    op.create_index(
        "uploads_one_commit",
        "uploads",
        ["landing_key"],
        unique=True,
        sqlite_where=sa.text("state = 'committing'"),
        postgresql_where=sa.text("state = 'committing'"),
    )
