"""What filters offer: the categories, locations, suppliers and products of the newest day."""

from typing import Any

from nexgen_assets.dashboard.answers.sales import Choices, Option, Products
from nexgen_assets.dashboard.reading import View
from nexgen_assets.tables import DAILY_DEMAND, REORDER_RECOMMENDATIONS, SUPPLIERS


def choices(view: View) -> Choices:
    """Those that the newest day has, in order."""
    suppliers = _distinct(view, "supplier_id", orders=True)
    rows = view.all_rows(SUPPLIERS, ["supplier_id", "supplier_name", "effective_date", "arrived_at"]).to_pylist()
    # the latest line that tells a name
    told = sorted((row for row in rows if row["supplier_name"]), key=lambda r: (r["effective_date"], r["arrived_at"]))
    names = {row["supplier_id"]: row["supplier_name"] for row in told}
    return Choices(
        snapshot_id=view.snapshot_id,
        categories=_distinct(view, "category"),
        locations=_distinct(view, "location"),
        suppliers=[Option(key=supplier, name=names.get(supplier)) for supplier in suppliers],
    )


def products(view: View, words: str, limit: int) -> Products:
    """Products whose id or name holds every word."""
    wanted = words.casefold().split()
    found = [
        Option(key=row["product_id"], name=row["product_name"])
        for row in _products(view)
        if all(word in f"{row['product_id']} {row['product_name'] or ''}".casefold() for word in wanted)
    ]
    return Products(snapshot_id=view.snapshot_id, products=found[:limit])


def _products(view: View) -> list[dict[str, Any]]:
    day = view.last_day(DAILY_DEMAND)
    if day is None:
        return []
    sql = 'SELECT "product_id", max("product_name") AS product_name FROM source GROUP BY 1 ORDER BY 1'
    return view.query(DAILY_DEMAND, sql, ("product_id", "product_name"), day, day)


def _distinct(view: View, name: str, *, orders: bool = False) -> list[str]:
    table = REORDER_RECOMMENDATIONS if orders else DAILY_DEMAND
    day = view.last_day(table)
    if day is None:
        return []
    sql = f'SELECT DISTINCT "{name}" AS name FROM source WHERE "{name}" IS NOT NULL ORDER BY 1'  # noqa: S608
    return [row["name"] for row in view.query(table, sql, (name,), day, day)]
