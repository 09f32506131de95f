"""Key figures of a period beside those of the period before.

What belongs here: which figures, and how each is computed from tables. What does not: simulated figures
(`replenishment/kpis.py`). Fill rate is not among them: nobody writes down what was asked for and not there.
"""

from datetime import date
from typing import Any

from nexgen_assets.dashboard.answers.orders import OrderTotals
from nexgen_assets.dashboard.answers.sales import Kpi, Kpis
from nexgen_assets.dashboard.queries.accuracy import judged
from nexgen_assets.dashboard.queries.periods import Days, last_days
from nexgen_assets.dashboard.reading import View
from nexgen_assets.tables import DAILY_DEMAND, INVENTORY_POSITIONS

_SALES = (
    'SELECT count(DISTINCT "day") AS days, CAST(sum("revenue") AS DOUBLE) AS revenue, '
    'CAST(sum("demand_units") AS DOUBLE) AS units, CAST(sum("returned_units") AS DOUBLE) AS returned, '
    'avg(CASE WHEN "is_stockout" THEN 0.0 WHEN "is_stockout" IS NULL THEN NULL ELSE 1.0 END) AS in_stock '
    "FROM source"
)
_SALES_COLUMNS = ("day", "revenue", "demand_units", "returned_units", "is_stockout")
_STOCK = (
    'SELECT CAST(sum("on_hand" * "unit_cost") AS DOUBLE) AS value, CAST(sum("on_hand") AS DOUBLE) AS units, '
    'sum(CASE WHEN "on_hand" <= 0 THEN 1 ELSE 0 END) AS out, count("on_hand") AS known FROM source'
)
_STOCK_COLUMNS = ("on_hand", "unit_cost")
Figures = dict[str, float | None]


def kpis(view: View, days: int, orders: OrderTotals) -> Kpis:
    """Of the last `days` days with sales, and as many before; `orders` are the totals of the worklist."""
    now = last_days(view, days)
    of_now = _figures(view, now) if now else {}
    of_before = _figures(view, now.before) if now else {}
    return Kpis(
        snapshot_id=view.snapshot_id,
        start=now.start if now else None,
        end=now.end if now else None,
        previous_start=now.before.start if now else None,
        previous_end=now.before.end if now else None,
        kpis=[
            *(Kpi(name=name, value=of_now.get(name), previous=of_before.get(name), **told) for name, told in KPIS),
            *(_of_orders(orders)),
        ],
    )


def _figures(view: View, days: Days) -> Figures:
    return _sales(view, days) | _stock(view, days) | _accuracy(view, days)


def _sales(view: View, days: Days) -> Figures:
    """Nothing for a period of which a day is missing: its sums would compare with nothing."""
    [row] = view.query(DAILY_DEMAND, _SALES, _SALES_COLUMNS, days.start, days.end) or [{}]
    if row.get("days") != len(days):
        return {}
    units = row["units"]
    return {
        "revenue": row["revenue"],
        "demand_units": units,
        "return_rate": row["returned"] / units if units else None,
        "in_stock_rate": row["in_stock"],
    }


def _stock(view: View, days: Days) -> Figures:
    """Stock at the close of the last day."""
    row = _stock_of(view, days.end)
    if not row.get("known"):
        return {}
    sold = _sales(view, days).get("demand_units")
    return {
        "stock_value": row["value"],
        "days_of_supply": row["units"] * len(days) / sold if sold else None,
        "lines_without_stock": float(row["out"]),
    }


def _stock_of(view: View, day: date) -> dict[str, Any]:
    found = view.query(INVENTORY_POSITIONS, _STOCK, _STOCK_COLUMNS, day, day)
    return found[0] if found else {}


def _accuracy(view: View, days: Days) -> Figures:
    row = judged(view, days)
    return {"wape": row.wape, "forecast_bias": row.bias} if row else {}


def _kpi(label: str, unit: str, description: str, *, is_higher_better: bool | None) -> dict[str, Any]:
    return {"label": label, "unit": unit, "is_higher_better": is_higher_better, "description": description}


KPIS = (
    ("revenue", _kpi("Revenue", "money", "Money taken, refunds deducted", is_higher_better=True)),
    ("demand_units", _kpi("Units sold", "units", "Returns not deducted", is_higher_better=True)),
    (
        "in_stock_rate",
        _kpi(
            "In stock",
            "share",
            "Share of the product x location days of known stock that closed with some",
            is_higher_better=True,
        ),
    ),
    (
        "lines_without_stock",
        _kpi(
            "Out of stock now", "lines", "Products x locations with no stock at the last close", is_higher_better=False
        ),
    ),
    (
        "stock_value",
        _kpi(
            "Stock value",
            "money",
            "Stock at the last close at unit cost, assumed costs included; without unknown stock or cost",
            is_higher_better=None,
        ),
    ),
    (
        "days_of_supply",
        _kpi(
            "Days of supply",
            "days",
            "Stock at the last close over the mean daily units of the period",
            is_higher_better=None,
        ),
    ),
    ("return_rate", _kpi("Returns", "share", "Units brought back over units sold", is_higher_better=False)),
    (
        "wape",
        _kpi(
            "Forecast error (WAPE)",
            "share",
            "Sum of absolute errors over demand, of all forecasts of the days; days out of stock left out",
            is_higher_better=False,
        ),
    ),
    (
        "forecast_bias",
        _kpi("Forecast bias", "share", "Forecast less demand, over demand: above 0 is too high", is_higher_better=None),
    ),
)


def _of_orders(orders: OrderTotals) -> list[Kpi]:
    """Figures of the newest published day; there is nothing before it to compare with."""
    told = {
        "lines_to_decide": (
            float(orders.to_decide),
            _kpi("To decide", "lines", "Orders that wait for a decision", is_higher_better=None),
        ),
        "order_value": (
            orders.order_value,
            _kpi("Orders", "money", "Orders of the day at unit cost, as decided or proposed", is_higher_better=None),
        ),
        "money_at_risk": (
            orders.money_at_risk,
            _kpi("At risk", "money", "Expected lost sales if nothing is ordered", is_higher_better=False),
        ),
        "blocked_lines": (
            float(orders.blocked),
            _kpi("Blocked", "lines", "Orders that data keeps from being placed", is_higher_better=False),
        ),
    }
    return [Kpi(name=name, value=value, previous=None, **about) for name, (value, about) in told.items()]
