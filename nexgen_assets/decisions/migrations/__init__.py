"""How an existing database of decisions becomes that of `schema.py`, step by step."""
