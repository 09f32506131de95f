"""How a report tells of one line: nothing personal, nothing endless, nothing that a screen cannot show."""

import re
from typing import Any

MOST_LINES = 1_000
LONGEST_VALUE = 100
LONGEST_TEXT = 2_000
_PERSONAL = "customer_"
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def line(
    number: int, column: str | None, value: str | None, rule: str | None, reason: str, *, is_duplicate: bool = False
) -> dict[str, Any]:
    """A line that was refused or removed: where, what, and what to do."""
    is_told = value is not None and column is not None and not column.startswith(_PERSONAL)
    return {
        "line_number": number,
        "column": column,
        "value": shown(value, LONGEST_VALUE) if is_told and value is not None else None,
        "rule": rule,
        "reason": shown(reason),
        "is_duplicate": is_duplicate,
    }


def shown(text: str, most: int = LONGEST_TEXT) -> str:
    """The text with what no screen shows written out, and cut where it is endless."""
    cut = text if len(text) <= most else f"{text[:most]}…"
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", cut)
