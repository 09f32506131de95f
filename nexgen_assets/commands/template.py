"""Example files to fill in: the header that the parser reads, and a few believable lines.

What belongs here: writing an example of each kind of landing file. What does not: the columns of uploads and their
examples, which `sales.masterdata` declares beside their parsers.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from nexgen_assets.sales.landing import LINE_COLUMNS
from nexgen_assets.sales.masterdata import UPLOADS

# column of a sales file -> its value on each line
SALES_EXAMPLES: dict[str, tuple[str, str, str]] = {
    "customer_id": ("C00017", "", "C00017"),
    "unit_price": ("3.89", "0.69", "3.89"),
    "is_promotion": ("false", "true", "false"),
    "holiday_name": ("", "", ""),
    "weather_condition": ("rain", "rain", "sun"),
    "customer_segment": ("family", "", "family"),
    "product_id": ("010001", "010002", "010001"),
    "customer_income": ("72000", "", "72000"),
    "competitor_price": ("3.99", "0.75", "3.99"),
    "marketing_spend": ("0", "35.00", "0"),
    "product_name": ("Whole milk 1 gal", "Bananas 1 lb", "Whole milk 1 gal"),
    "lead_time": ("3", "2", "3"),
    "stock_level": ("38", "112.5", "41"),
    "supplier_delay": ("0", "1", "0"),
    "shelf_life": ("14", "7", "14"),
    "category": ("Dairy", "Produce", "Dairy"),
    "date_of_purchase": ("2024-03-10", "2024-03-10", "2024-03-11"),
    "amount": ("7.78", "1.04", "-3.89"),
    "quantity": ("2", "1.5", "-1"),
    "location": ("Springfield", "Springfield", "Springfield"),
    "line_id": ("2024-03-10-0001", "2024-03-10-0002", "2024-03-11-0001"),
}


def example_csv(kind: str) -> str:
    """An example file of a kind: `sales` or a key of `UPLOADS`."""
    if kind == "sales":
        return _csv(LINE_COLUMNS, [SALES_EXAMPLES[column] for column in LINE_COLUMNS])
    fields = UPLOADS[kind].fields
    return _csv([field.name for field in fields], [field.examples for field in fields])


def write_example(kind: str, path: Path, *, replace: bool) -> None:
    """The same into a file; raises FileExistsError unless it may be replaced."""
    with path.open("w" if replace else "x", encoding="utf-8", newline="") as file:
        file.write(example_csv(kind))


def _csv(header: Sequence[str], columns: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(zip(*columns, strict=True))
    return text.getvalue()
