"""What planners decide on orders, kept in a database with its history. No Dagster, no lake: orders come in as rows."""
