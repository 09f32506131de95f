"""The refused lines of a report as a CSV file in which no spreadsheet finds a formula."""

import csv
import io
from collections.abc import Sequence

from nexgen_assets.dashboard.answers.uploads import RefusedLine
from nexgen_assets.decisions.order_files import safe_cell

COLUMNS = ("line_number", "column", "value", "rule", "reason")


def refused_csv(lines: Sequence[RefusedLine]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for line in lines:
        values = (getattr(line, name) for name in COLUMNS)
        writer.writerow(["" if value is None else safe_cell(str(value)) for value in values])
    return text.getvalue()
