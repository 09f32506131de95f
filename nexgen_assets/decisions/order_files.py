"""How exported orders look as files: CSV for people and their spreadsheets, JSON for programs.

What belongs here: the content of the files, made from the record of an export. What does not: choosing lines and
keeping records (`exports.py`), and where files go (`destinations.py`).

Units and money are exact decimals. A cost that nobody told is left empty: the supplier knows it better. In CSV a text
that a spreadsheet would take for a formula gets an apostrophe before it; JSON holds every text as it is.
"""

import csv
import io
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date
from decimal import Decimal
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from nexgen_assets.decisions.schema import MONEY, UNITS, DecidedRow, OrderExport

ALL_ORDERS = "orders.json"
NO_SUPPLIER = "no-supplier.csv"
LONGEST_NAME = 100
HASH_DIGITS = 16
CENTS = Decimal("0.01")
# what spreadsheets take for a formula, at the start of a text or of what another separator would make a cell
_FORMULA = re.compile(r"(^|[;\t\r\n])(?=[\s'\"]*[=+\-@\uff1d\uff0b\uff0d\uff20])|^(?=[\t\r\n])")


@dataclass(frozen=True)
class OrderFile:
    name: str
    content: bytes


@dataclass(frozen=True)
class OrderLine:
    """One line of a purchase order; `unit_cost` and `order_value` are empty if nobody told the cost."""

    order_date: date
    receipt_date: date
    supplier_id: str | None
    product_id: str
    product_name: str | None
    location: str
    order_units: Decimal
    pack_size: Decimal
    unit_cost: Decimal | None
    order_value: Decimal | None

    @classmethod
    def of(cls, row: DecidedRow, units: Decimal) -> "OrderLine":
        """The units that were decided, on the terms of the row they were decided on."""
        told = row.order_row
        is_assumed = "unit_cost" in told["assumptions"].split(",")
        cost = None if is_assumed or told["unit_cost"] is None else _exact(told["unit_cost"], MONEY.step)
        return cls(
            order_date=row.order_date,
            receipt_date=row.receipt_date,
            supplier_id=row.supplier_id,
            product_id=row.product_id,
            product_name=told["product_name"],
            location=row.location,
            order_units=units,
            pack_size=_exact(told["pack_size"], UNITS.step),
            unit_cost=cost,
            order_value=None if cost is None else units * cost,
        )


COLUMNS = ("export_id", "copy_of", *(field.name for field in fields(OrderLine)))


def files_of(export: OrderExport, lines: Sequence[OrderLine]) -> list[OrderFile]:
    """A CSV file per supplier, then one JSON file that names them: who finds it finds the others complete."""
    by_supplier: dict[str | None, list[OrderLine]] = defaultdict(list)
    for line in lines:
        by_supplier[line.supplier_id].append(line)
    names = file_names(by_supplier)
    tables = {supplier: _csv_file(export, names[supplier], found) for supplier, found in by_supplier.items()}
    suppliers = [_summary(supplier, by_supplier[supplier], file) for supplier, file in tables.items()]
    content = {
        "export_id": export.export_id,
        "copy_of": export.copy_of,
        "content_hash": export.content_hash,
        "exported_by": export.exported_by,
        "exported_at": export.exported_at.isoformat(),
        "suppliers": suppliers,
        "lines": [_texts(line) for line in lines],
    }
    document = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    return [*tables.values(), OrderFile(ALL_ORDERS, document.encode())]


def file_names(suppliers: Iterable[str | None]) -> dict[str | None, str]:
    """A name per supplier that any file system takes; no two share one, also where A and a are the same."""
    names = {supplier: _file_name(supplier) for supplier in suppliers}
    times = Counter(name.lower() for name in names.values())
    return {
        supplier: _file_name(supplier, is_marked=times[name.lower()] > 1 or len(name) > LONGEST_NAME)
        for supplier, name in names.items()
    }


def _file_name(supplier_id: str | None, *, is_marked: bool = False) -> str:
    if supplier_id is None:
        return NO_SUPPLIER
    safe = quote(supplier_id, safe="")
    mark = f"-{sha256(supplier_id.encode()).hexdigest()[:HASH_DIGITS]}" if is_marked else ""
    return f"supplier-{safe[:LONGEST_NAME]}{mark}.csv"


def safe_cell(text: str) -> str:
    """The text such that no spreadsheet takes it, or a part of it, for a formula."""
    return _FORMULA.sub(r"\1'", text)


def _csv_file(export: OrderExport, name: str, lines: Sequence[OrderLine]) -> OrderFile:
    told = {"export_id": export.export_id, "copy_of": export.copy_of}
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(
        {column: safe_cell(value or "") for column, value in {**told, **_texts(line)}.items()} for line in lines
    )
    return OrderFile(name, text.getvalue().encode())


def _summary(supplier_id: str | None, lines: Sequence[OrderLine], file: OrderFile) -> dict[str, Any]:
    values = [line.order_value for line in lines if line.order_value is not None]
    return {
        "supplier_id": supplier_id,
        "file": file.name,
        "sha256": sha256(file.content).hexdigest(),
        "lines": len(lines),
        "order_units": _number(sum((line.order_units for line in lines), Decimal(0))),
        "order_value": _money(sum(values, Decimal(0))) if len(values) == len(lines) else None,
    }


def _texts(line: OrderLine) -> dict[str, str | None]:
    """The line's values as text, exact."""
    values: Mapping[str, Any] = asdict(line)
    written = {"order_units": _number, "pack_size": _number, "unit_cost": _money, "order_value": _money}
    return {
        name: None if value is None else written.get(name, str)(value)  # pyright: ignore[reportArgumentType]
        for name, value in values.items()
    }


def _exact(value: float, step: Decimal) -> Decimal:
    return Decimal(repr(float(value))).quantize(step)


def _number(value: Decimal) -> str:
    return f"{value.normalize():f}"


def _money(value: Decimal) -> str:
    """At least two places, and as many as it takes."""
    short = value.normalize()
    return f"{short.quantize(CENTS) if short == short.quantize(CENTS) else short:f}"
