"""Alembic's entry: runs migrations on the connection it is given, or prints their SQL for a dialect."""

from alembic import context

from nexgen_assets.decisions.database import VERSION_TABLE

if context.is_offline_mode():
    context.configure(dialect_name=context.config.attributes["dialect"], version_table=VERSION_TABLE)
else:
    context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
with context.begin_transaction():
    context.run_migrations()
