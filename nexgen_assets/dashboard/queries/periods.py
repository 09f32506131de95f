"""Days that a question is about.

What belongs here: from what was asked to a first and last day. What does not: the questions.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from nexgen_assets.dashboard.reading import View
from nexgen_assets.decisions.rules import DecisionError
from nexgen_assets.tables import DAILY_DEMAND, Table

MOST_DAYS = 5_000


@dataclass(frozen=True)
class Days:
    """`start`..`end`, both included."""

    start: date
    end: date

    def __len__(self) -> int:
        return (self.end - self.start).days + 1

    @property
    def before(self) -> "Days":
        """As many days, up to the day before the first."""
        last = self.start - timedelta(days=1)
        return Days(last - timedelta(days=len(self) - 1), last)


class PeriodError(DecisionError):
    """Days that cannot be asked about; the message says why."""


def last_days(view: View, days: int, table: Table = DAILY_DEMAND) -> Days | None:
    """The last so many days of a table; None if it has none."""
    end = view.last_day(table)
    return None if end is None else Days(end - timedelta(days=days - 1), end)


def chosen_days(view: View, start: date | None, end: date | None, default: int) -> Days | None:
    """The days that were asked for; where not told, up to the newest day with sales, and `default` of them at most."""
    known = view.rows_per_day(DAILY_DEMAND, date.min, date.max)
    if not known:
        return None
    newest = max(known)
    last = min(end or newest, newest)
    first = start or max(last - timedelta(days=default - 1), min(known))
    if first > last:
        raise PeriodError(f"no day between {first} and {last}: sales are known up to {newest}")
    if (last - first).days >= MOST_DAYS:
        raise PeriodError(f"{first} to {last} are more than {MOST_DAYS:,} days")
    return Days(first, last)
