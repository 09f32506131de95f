"""One product at one location: what sold, what is forecast, how its stock will go, and how earlier forecasts did."""

from datetime import date, timedelta
from typing import Any

from nexgen_assets.dashboard.answers.forecasts import Fan, FanDay, PastForecast, PastForecasts, StockDay
from nexgen_assets.dashboard.answers.orders import OrderLine
from nexgen_assets.dashboard.answers.sales import DemandDay, DemandHistory
from nexgen_assets.dashboard.queries.periods import last_days
from nexgen_assets.dashboard.queries.worklist import published_row
from nexgen_assets.dashboard.reading import View
from nexgen_assets.dashboard.sql import equals
from nexgen_assets.decisions.rules import LineKey
from nexgen_assets.tables import (
    CLEANED_FEATURES,
    DAILY_DEMAND,
    FORECASTS,
    OPEN_ORDERS,
    QUANTILES,
)

_SHOWN_DEMAND = tuple(name for name in DemandDay.model_fields if name != "estimated_demand_units")
_KEPT_DEMAND = tuple(name for name in _SHOWN_DEMAND if name != "day")
_NAMES = ("product_name", "category")
_RECEIPTS = ("due_date", "order_units", "is_assumed_received")
# days in stock: what would have sold on a day without
_IN_STOCK_MEAN = "in_stock_mean_28"
_FAN = ("target_date", "horizon", "mean", *QUANTILES, "model_version")
# what the page of a product asks for, at most or at first
_HISTORY_DAYS, _PAST_DAYS, _PAST_HORIZON = 730, 56, 7
_PAST = ("target_date", "mean", "q10", "q90", "model_version")
_TERMS = ("policy", "order_up_to_level", "lot_units", "inventory_source", "on_hand", "committed_units")


def read_ahead(view: View) -> None:
    """Read the days that the page of any product at any location shows."""
    asked, origin = last_days(view, _HISTORY_DAYS), view.last_day(FORECASTS)
    if asked:
        view.read_ahead(DAILY_DEMAND, asked.start, asked.end, _KEPT_DEMAND)
        view.read_ahead(DAILY_DEMAND, asked.end, asked.end, _NAMES)
        view.read_ahead(CLEANED_FEATURES, asked.start, asked.end, (_IN_STOCK_MEAN,))
        first, last = _origins(asked.end - timedelta(days=_PAST_DAYS - 1), asked.end, _PAST_HORIZON)
        view.read_ahead(FORECASTS, first, last, _PAST, _at(_PAST_HORIZON))
    if origin:
        view.read_ahead(OPEN_ORDERS, origin, origin, _RECEIPTS)


def demand_history(view: View, product_id: str, location: str, days: int) -> DemandHistory:
    """The last days, oldest first."""
    asked, found = last_days(view, days), list[dict[str, Any]]()
    usual: dict[date, float | None] = {}
    names: dict[str, Any] = {}
    if asked:
        item = (product_id, location)
        found = view.series(DAILY_DEMAND, *item, asked.start, asked.end, _KEPT_DEMAND).to_pylist()
        if any(map(_is_out, found)):
            means = view.series(CLEANED_FEATURES, *item, asked.start, asked.end, (_IN_STOCK_MEAN,))
            usual = dict(zip(means["day"].to_pylist(), means[_IN_STOCK_MEAN].to_pylist(), strict=True))
        if found:
            last_day = found[-1]["day"]
            [names] = view.series(DAILY_DEMAND, *item, last_day, last_day, _NAMES).to_pylist()
    return DemandHistory(
        snapshot_id=view.snapshot_id,
        product_id=product_id,
        location=location,
        product_name=names.get("product_name"),
        category=names.get("category"),
        days=[_demand_day(row, usual.get(row["day"])) for row in found],
    )


def _is_out(row: dict[str, Any]) -> bool:
    return bool(row["is_stockout"] or row["is_stockout_assumed"])


def _demand_day(row: dict[str, Any], usual: float | None) -> DemandDay:
    sold = float(row["demand_units"])
    estimated = max(sold, usual) if _is_out(row) and usual is not None else None
    return DemandDay(**{name: row[name] for name in _SHOWN_DEMAND}, estimated_demand_units=estimated)


def fan(view: View, product_id: str, location: str, line: OrderLine | None) -> Fan:
    """The newest forecast, and the stock it leaves with the order of the worklist and without it."""
    origin, where = view.last_day(FORECASTS), equals(product_id=product_id, location=location)
    rows = list[dict[str, Any]]()
    if origin:
        rows = view.rows(FORECASTS, origin, origin, _FAN, where).sort_by("horizon").to_pylist()
    terms = published_row(view, LineKey(origin, product_id, location), _TERMS) if origin else None
    receipts, undated = _receipts(view, origin, product_id, location) if origin else ({}, 0.0)
    is_stock_known = terms is not None and terms["inventory_source"] != "unknown"
    return Fan(
        snapshot_id=view.snapshot_id,
        product_id=product_id,
        location=location,
        origin=origin if rows else None,
        model_version=rows[0]["model_version"] if rows else None,
        days=[FanDay(**{name: row[name] for name in FanDay.model_fields}) for row in rows],
        stock=_projected(rows, _available_units(terms), receipts, line) if terms and is_stock_known else [],
        policy=terms["policy"] if terms else None,
        order_up_to_level=_order_up_to(terms) if terms else None,
        reorder_level=terms["order_up_to_level"] if terms else None,
        undated_on_order_units=undated,
    )


def _available_units(terms: dict[str, Any]) -> float:
    return terms["on_hand"] - terms["committed_units"]


def _order_up_to(terms: dict[str, Any]) -> float | None:
    """What an order raises the position to; with lots it is known only where one is ordered."""
    if terms["policy"] in ("order_up_to", "newsvendor"):
        return terms["order_up_to_level"]
    is_lot_known = terms["policy"] == "min_max" and terms["lot_units"] > 0
    return terms["order_up_to_level"] + terms["lot_units"] if is_lot_known else None


def _receipts(view: View, origin: date, product_id: str, location: str) -> tuple[dict[date, float], float]:
    """Units on order by the day on which they are due, and those of no known day."""
    due, undated = dict[date, float](), 0.0
    for row in view.series(OPEN_ORDERS, product_id, location, origin, origin, _RECEIPTS).to_pylist():
        if row["is_assumed_received"]:
            continue
        if row["due_date"] is None:
            undated += row["order_units"]
        else:
            due[row["due_date"]] = due.get(row["due_date"], 0.0) + row["order_units"]
    return due, undated


def _projected(
    rows: list[dict[str, Any]], available_units: float, receipts: dict[date, float], line: OrderLine | None
) -> list[StockDay]:
    """Stock at each close that is promised to nobody.

    Receipts are sellable at opening, expected demand is served as far as the stock goes.
    """
    without = with_order = available_units
    days = list[StockDay]()
    for row in rows:
        day = row["target_date"]
        came = receipts.get(day, 0.0)
        ordered = line.order_units if line and line.receipt_date == day and line.standing != "cancelled" else 0.0
        without = max(0.0, without + came - row["mean"])
        with_order = max(0.0, with_order + came + ordered - row["mean"])
        days.append(StockDay(target_date=day, without_order=without, with_order=with_order, receipts=came))
    return days


def past_forecasts(view: View, product_id: str, location: str, horizon: int, days: int) -> PastForecasts:
    """Forecasts of the last days with sales, made `horizon` days before each, and what sold."""
    asked, item = last_days(view, days), (product_id, location)
    told = list[PastForecast]()
    if asked:
        first, last = _origins(asked.start, asked.end, horizon)
        forecasts = view.series(FORECASTS, *item, first, last, _PAST, _at(horizon))
        sold = view.series(DAILY_DEMAND, *item, asked.start, asked.end, _KEPT_DEMAND).to_pylist()
        told = _compared(forecasts.sort_by("target_date").to_pylist(), {row["day"]: row for row in sold})
    return PastForecasts(
        snapshot_id=view.snapshot_id, product_id=product_id, location=location, horizon=horizon, days=told
    )


def _origins(start: date, end: date, horizon: int) -> tuple[date, date]:
    """First and last day on which forecasts of those days were made."""
    return start - timedelta(days=horizon), end - timedelta(days=horizon)


def _at(horizon: int) -> str:
    return f'"horizon" = {horizon:d}'


def _compared(forecasts: list[dict[str, Any]], sold: dict[date, dict[str, Any]]) -> list[PastForecast]:
    return [
        PastForecast(
            target_date=row["target_date"],
            origin=row["day"],
            mean=row["mean"],
            q10=row["q10"],
            q90=row["q90"],
            model_version=row["model_version"],
            demand_units=sold.get(row["target_date"], {}).get("demand_units"),
            is_stockout=sold.get(row["target_date"], {}).get("is_stockout"),
        )
        for row in forecasts
    ]
