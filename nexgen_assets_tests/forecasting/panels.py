"""Small demand panels with everything that occurs in stores: gaps, zeros, promotions, stockouts, missing facts."""

from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa

from nexgen_assets.tables import DAILY_DEMAND

ACTIVE_DAYS = 90


def demand_panel(first: date, days: int, series: int = 6, seed: int = 7) -> pa.Table:
    """Rows of `tables.DAILY_DEMAND`, as the product makes them: a series pauses 90 days after its last sale."""
    rng = np.random.default_rng(seed)
    rows = [row for number in range(series) for row in _series_rows(rng, number, first, days)]
    return pa.Table.from_pylist(rows, schema=DAILY_DEMAND.arrow_schema)


def _series_rows(rng: np.random.Generator, number: int, first: date, days: int) -> list[dict[str, object]]:
    rate = (0.02, 0.15, 0.6, 2.0, 9.0)[number % 5]
    weekday = 1 + 0.5 * np.sin(np.arange(days) * 2 * np.pi / 7)
    units = rng.poisson(rate * weekday).astype(float)
    units[units > 0] += rng.choice([0, 0.25], size=int((units > 0).sum()))
    if number % 3 == 2:  # off the shelf for longer than the activity rule, then back
        units[days // 3 : days // 3 + 150] = 0
    sold = np.flatnonzero(units > 0)
    price = np.round(2 + number + rng.random(days), 4)
    promoted = rng.random(days) < 0.2
    rows = []
    for day in range(int(sold[0]) if len(sold) else days, days):
        last = int(sold[np.searchsorted(sold, day, side="right") - 1])
        if day - last > ACTIVE_DAYS:
            continue
        has_sale = day == last
        rows.append(
            dict.fromkeys(DAILY_DEMAND.names)
            | {
                "day": first + timedelta(days=day),
                "product_id": f"{number // 2:03d}",  # a product at two locations
                "location": "north" if number % 2 else "south",
                "product_name": f"Product {number}",
                "category": None if number == 4 else f"Category {number % 2}",
                "demand_units": Decimal(str(units[day])),
                "returned_units": Decimal(0),
                "revenue": Decimal(str(round(units[day] * price[last], 4))),
                "sales_lines": int(has_sale),
                "unit_price": None if number == 3 else Decimal(str(price[last])),
                "is_promotion": bool(promoted[last]),
                "is_promotion_as_of": first + timedelta(days=int(last)),
                "is_open": True,
                "is_open_inferred": True,
                "is_stockout_assumed": False,
                "days_since_sale": day - last,
                "is_stockout": None if has_sale else bool(rng.random() < 0.3),
            }
        )
    return rows
