"""How good the data is: lines in, lines refused and why, and what landed.

What belongs here: counts. What does not: the text of any line, which may be personal.
"""

from datetime import date

from nexgen_assets.dashboard.answers.sales import LandedFile, Quality, QualityDay, RejectedReason
from nexgen_assets.dashboard.queries.periods import Days
from nexgen_assets.dashboard.reading import View
from nexgen_assets.tables import CLEANED_SALES, LANDING_FILES, RAW_SALES, REJECTED_SALES, Table

MOST_FILES = 200
# `value` and `raw_text` are not among them
_COLUMNS = ("rule", "reason", "column_name", "is_duplicate")
_FILE = ("file_key", "kind", "status", "problem", "arrived_at", "lines", "bytes", "unknown_columns")


def quality(view: View, days: Days | None) -> Quality:
    """Lines of each day, refused lines by rule, and the files that landed last."""
    return Quality(
        snapshot_id=view.snapshot_id,
        start=days.start if days else None,
        end=days.end if days else None,
        days=_days(view, days) if days else [],
        reasons=_reasons(view, days) if days else [],
        files=_files(view),
    )


def _days(view: View, days: Days) -> list[QualityDay]:
    raw, cleaned, rejected = (_rows(view, table, days) for table in (RAW_SALES, CLEANED_SALES, REJECTED_SALES))
    return [
        QualityDay(
            day=day,
            raw_lines=raw.get(day, 0),
            cleaned_lines=cleaned.get(day, 0),
            rejected_lines=rejected.get(day, 0),
        )
        for day in sorted({*raw, *cleaned, *rejected})
    ]


def _rows(view: View, table: Table, days: Days) -> dict[date, int]:
    return view.rows_per_day(table, days.start, days.end)


def _reasons(view: View, days: Days) -> list[RejectedReason]:
    sql = (
        'SELECT "rule", min("reason") AS reason, "column_name", "is_duplicate", count(*) AS lines FROM source '
        'GROUP BY "rule", "column_name", "is_duplicate" ORDER BY lines DESC, "rule", "column_name"'
    )
    found = view.query(REJECTED_SALES, sql, _COLUMNS, days.start, days.end)
    return [RejectedReason(**row) for row in found]


def _files(view: View) -> list[LandedFile]:
    rows = view.all_rows(LANDING_FILES, _FILE).to_pylist()
    newest = sorted(rows, key=lambda row: (row["arrived_at"], row["file_key"]), reverse=True)[:MOST_FILES]
    return [LandedFile(**row) for row in newest]
