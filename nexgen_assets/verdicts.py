"""What a check found: whether it passed, in one sentence with its numbers.

What belongs here: the one form in which domain code and the storage of tables hand a finding on. What does not: how a
finding is judged, and how Dagster shows it (`io_managers/catalog.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

Number = int | float | str


@dataclass(frozen=True)
class Verdict:
    """The finding of the check `name`: one sentence, the numbers behind it, and a small chart of label -> value."""

    name: str
    passed: bool
    reason: str
    numbers: Mapping[str, Number] = field(default_factory=dict)
    chart: Mapping[str, float] = field(default_factory=dict)
