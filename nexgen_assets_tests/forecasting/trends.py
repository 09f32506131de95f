"""A panel with something to learn beside the week: half of its series grow, the others shrink."""

from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa

from nexgen_assets.tables import DAILY_DEMAND


def trending_panel(first: date, days: int, series: int = 24, seed: int = 5) -> pa.Table:
    """Rows of `tables.DAILY_DEMAND`: every series sells every day, Saturdays most, and its level drifts."""
    rng = np.random.default_rng(seed)
    day = np.arange(days)
    week = 1 + 0.6 * (day % 7 == 5)
    rows = []
    for number in range(series):
        drift = 0.006 if number % 2 else -0.006
        units = rng.poisson(25 * np.exp(drift * (day - days / 2)) * week)
        rows += [_row(number, first + timedelta(days=int(n)), int(units[n])) for n in day]
    return pa.Table.from_pylist(rows, schema=DAILY_DEMAND.arrow_schema)


def _row(number: int, day: date, units: int) -> dict[str, object]:
    return dict.fromkeys(DAILY_DEMAND.names) | {
        "day": day,
        "product_id": f"{number:03d}",
        "location": "north",
        "product_name": f"Product {number}",
        "category": f"Category {number % 3}",
        "demand_units": Decimal(units),
        "returned_units": Decimal(0),
        "revenue": Decimal(units * 3),
        "sales_lines": units,
        "unit_price": Decimal(3),
        "is_open": True,
        "is_open_inferred": True,
        "is_stockout_assumed": False,
        "days_since_sale": 0,
    }
