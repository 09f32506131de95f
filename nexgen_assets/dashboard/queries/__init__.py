"""What the dashboard asks of the tables: a view of them in, answers out. No HTTP."""
