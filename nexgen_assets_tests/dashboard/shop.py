"""A small retailer's tables, with figures that can be added up in the head.

Three products in the north, ordered daily, and one of them in the south. Each sells the same every day: 2, 5 and 11
units in the north, 2 in the south, at 4 money a unit and 1 of cost. What is asked of them is computed by the real
functions; what no test looks at is zero.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from nexgen_assets.forecasting.accuracy import accuracy_of_day
from nexgen_assets.forecasting.baselines import seasonal_naive_forecast
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.replenishment.exceptions import order_exceptions
from nexgen_assets.replenishment.origins import orders_of_origin
from nexgen_assets.replenishment.policy import Policy
from nexgen_assets.settings import Settings
from nexgen_assets.tables import (
    CLEANED_FEATURES,
    CLEANED_SALES,
    DAILY_DEMAND,
    FORECAST_ACCURACY,
    FORECASTS,
    INVENTORY_POSITIONS,
    LANDING_FILES,
    OPEN_ORDERS,
    ORDER_EXCEPTIONS,
    RAW_SALES,
    REJECTED_SALES,
    REORDER_RECOMMENDATIONS,
    SUPPLIERS,
    Table,
)

DAY = date(2026, 3, 10)
FIRST_DAY = date(2026, 1, 1)
FORECAST_DAYS = 8
PRICE = 4
SELLS = {("001", "north"): 2, ("002", "north"): 5, ("003", "north"): 11, ("001", "south"): 2}
CATEGORY = {"001": "dairy", "002": "dairy", "003": "bread"}
SUPPLIER = {"001": "S1", "002": "S1", "003": "S2"}
# out of stock on that day: sold less than it would have
OUT = (DAY - timedelta(days=2), "002", "north")
SECRET = "Ms. Secret, 12 Hidden Lane"
ZERO = {"decimal128(18, 3)": Decimal(0), "decimal128(18, 4)": Decimal(0), "bool": False, "string": "", "list": []}


def rows_of(table: Table, rows: list[dict[str, Any]]) -> pa.Table:
    """The rows, with zeros where the contract wants a value that is not told."""
    nothing = {c.name: None if c.nullable else ZERO.get(str(c.type), 0) for c in table.columns}
    return pa.Table.from_pylist([nothing | row for row in rows], schema=table.arrow_schema)


def keys() -> Iterator[dict[str, Any]]:
    for product_id, location in SELLS:
        yield {
            "product_id": product_id,
            "location": location,
            "product_name": f"Product {product_id}",
            "category": CATEGORY[product_id],
        }


def sold(day: date, key: dict[str, Any]) -> int:
    units = SELLS[key["product_id"], key["location"]]
    return 1 if (day, key["product_id"], key["location"]) == OUT else units


def demand(day: date) -> pa.Table:
    rows = [
        {
            **key,
            "day": day,
            "demand_units": Decimal(sold(day, key)),
            "revenue": Decimal(sold(day, key) * PRICE),
            "sales_lines": 1,
            "unit_price": Decimal(PRICE),
            "is_open": True,
            "is_stockout": (day, key["product_id"], key["location"]) == OUT,
            "stock_level": Decimal(3),
            "stock_level_as_of": day,
        }
        for key in keys()
    ]
    return rows_of(DAILY_DEMAND, rows)


def features(day: date) -> pa.Table:
    steady = [c.name for c in CLEANED_FEATURES.columns if c.unit in ("units", "units per day")]
    rows = [
        {
            **key,
            "day": day,
            **dict.fromkeys(steady, float(SELLS[key["product_id"], key["location"]])),
            "demand_sd_28": 1.0,
            "demand_sd_91": 1.0,
            "zero_share_91": 0.0,
            "unit_price": float(PRICE),
        }
        for key in keys()
    ]
    return rows_of(CLEANED_FEATURES, rows)


def positions(day: date) -> pa.Table:
    rows = [
        {
            "day": day,
            "product_id": key["product_id"],
            "location": key["location"],
            "on_hand": 3.0,
            "on_hand_as_of": day,
            "inventory_source": "count",
            "lead_time_days": 3,
            "pack_size": 6.0,
            "min_order_quantity": 12.0,
            "unit_cost": 1.0,
            "supplier_id": SUPPLIER[key["product_id"]],
            "min_order_value": 100.0 if SUPPLIER[key["product_id"]] == "S2" else None,
        }
        for key in keys()
    ]
    return rows_of(INVENTORY_POSITIONS, rows)


def policy(settings: Settings) -> Policy:
    return Policy.of(settings)


def sales_lines(day: date) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Raw, cleaned and rejected lines of a day: a line per product x location, one of them refused."""
    source = {"day": day, "file_key": f"landing/sales/{day}.csv", "file_version": "1"}
    raw = [
        {**source, "line_number": n, "arrived_at": datetime(2026, 3, 11, tzinfo=UTC), "raw_text": SECRET}
        for n in range(2, 7)
    ]
    cleaned = [
        {
            **source,
            **key,
            "line_number": n,
            "quantity": Decimal(sold(day, key)),
            "amount": Decimal(sold(day, key) * PRICE),
            "customer_segment": "regular" if key["location"] == "north" else None,
        }
        for n, key in enumerate(keys(), start=2)
    ]
    rejected = [
        {
            **source,
            "line_number": 6,
            "rule": "quantity_not_a_number",
            "column_name": "quantity",
            "value": SECRET,
            "reason": "the quantity is not a number; correct it",
            "raw_text": SECRET,
        }
    ]
    return rows_of(RAW_SALES, raw), rows_of(CLEANED_SALES, cleaned), rows_of(REJECTED_SALES, rejected)


def fill(tables: DeltaTables, settings: Settings) -> None:
    """Write the tables, as the runs of a deployment would."""
    days = [FIRST_DAY + timedelta(days=n) for n in range((DAY - FIRST_DAY).days + 1)]
    last = days[-FORECAST_DAYS:]
    _write(tables, DAILY_DEMAND, [demand(day) for day in days], days)
    _write(tables, CLEANED_FEATURES, [features(day) for day in days], days)
    lines = [sales_lines(day) for day in last]
    for place, table in ((0, RAW_SALES), (2, REJECTED_SALES), (1, CLEANED_SALES)):
        _write(tables, table, [of_day[place] for of_day in lines], last)
    forecasts = {day: seasonal_naive_forecast(features(day)) for day in last}
    stock = {day: positions(day) for day in last}
    _write(tables, INVENTORY_POSITIONS, list(stock.values()), last)
    _write(tables, OPEN_ORDERS, [open_orders(day) for day in last], last)
    _write(tables, FORECASTS, list(forecasts.values()), last)
    orders = [orders_of_origin(stock[day], features(day), forecasts[day], None, policy(settings)) for day in last]
    _write(tables, REORDER_RECOMMENDATIONS, orders, last)
    _write(tables, ORDER_EXCEPTIONS, [order_exceptions(of_day) for of_day in orders], last)
    known = {day: demand(day) for day in days}
    earlier = last[1:]
    judged = [accuracy_of_day(day, _forecasts_of(day, forecasts), known) for day in earlier]
    _write(tables, FORECAST_ACCURACY, judged, earlier)
    landed = [
        {
            "file_key": f"landing/sales/{day}.csv",
            "file_version": "1",
            "kind": "sales",
            "arrived_at": datetime(2026, 3, 11, tzinfo=UTC),
            "changed_at": datetime(2026, 3, 11, tzinfo=UTC),
            "lines": 5,
            "bytes": 500,
            "days": [day],
            "unknown_columns": [],
            "status": "current",
        }
        for day in last
    ]
    tables.replace_all(LANDING_FILES, rows_of(LANDING_FILES, landed))
    supplier = {"supplier_id": "S1", "supplier_name": "Meadow", "effective_date": FIRST_DAY}
    at = {"arrived_at": datetime(2026, 1, 1, tzinfo=UTC), "file_key": "landing/suppliers/1.csv", "line_number": 2}
    tables.replace_all(SUPPLIERS, rows_of(SUPPLIERS, [supplier | at]))


def open_orders(day: date) -> pa.Table:
    """Six units of product 001 in the north are due the day after tomorrow."""
    row = {
        "day": day,
        "product_id": "001",
        "location": "north",
        "order_source": "inventory",
        "ordered_as_of": day,
        "due_date": day + timedelta(days=2),
        "order_units": 6.0,
    }
    return rows_of(OPEN_ORDERS, [row])


def _forecasts_of(day: date, forecasts: dict[date, pa.Table]) -> pa.Table:
    """All forecasts that were made of a day."""
    made = pa.concat_tables([rows for origin, rows in forecasts.items() if origin < day])
    is_of_day = pa.array([target == day for target in made["target_date"].to_pylist()])
    return made.filter(is_of_day)


def _write(tables: DeltaTables, table: Table, rows: list[pa.Table], days: list[date]) -> None:
    tables.replace_days(table, pa.concat_tables(rows), days[0], days[-1], "shop")
