"""Texts as SQL.

What belongs here: conditions of what people ask for. What does not: the questions (`queries/`).
"""


def literal(text: str) -> str:
    """A text as SQL, whatever it holds."""
    return "'" + text.replace("'", "''") + "'"


def equals(**wanted: str | None) -> str:
    """SQL: each of these columns has that text; those that are None may have any."""
    told = [f'"{name}" = {literal(text)}' for name, text in wanted.items() if text is not None]
    return " AND ".join(told) or "true"
