"""How right forecasts were, in sums over all products x locations; backtests; the policy frontier.

What belongs here: questions to the tables that judge. What does not: judging (`forecasting/`, `replenishment/`).
"""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from nexgen_assets.dashboard.answers.forecasts import (
    Accuracy,
    AccuracyRow,
    Backtest,
    BacktestRow,
    ForecastDay,
    ForecastTotals,
    Frontier,
    FrontierPoint,
)
from nexgen_assets.dashboard.queries.periods import Days, last_days
from nexgen_assets.dashboard.reading import View
from nexgen_assets.dashboard.sql import equals, literal
from nexgen_assets.tables import (
    BACKTEST,
    DAILY_DEMAND,
    FORECAST_ACCURACY,
    FORECASTS,
    JUDGED_QUANTILES,
    POLICY_SIMULATION,
    QUANTILES,
)

EXPECTED_ABOVE = {name: round(1 - QUANTILES[name], 3) for name in JUDGED_QUANTILES}
_SUMMED = (
    *("series_days", "demand_units", "forecast_units", "absolute_error_units", "seasonal_naive_absolute_error_units"),
    *(f"above_{name}" for name in JUDGED_QUANTILES),
)
# what accuracy is told by -> SQL of its key, and of their order
_GROUPS = {
    "by_day": ('"day"', '"day"'),
    "by_horizon": ('"horizon"', '"horizon"'),
    "by_volume_class": ('"volume_class"', '"volume_class"'),
    "by_model_version": ('"model_version"', '"model_version"'),
}


def accuracy(view: View, days: int) -> Accuracy:
    """Of forecasts of the last days that are judged."""
    asked = last_days(view, days, FORECAST_ACCURACY)
    if asked is None:
        nothing: dict[str, list[AccuracyRow]] = {name: [] for name in _GROUPS}
        return Accuracy(snapshot_id=view.snapshot_id, start=None, end=None, overall=None, **nothing)
    groups = {name: _accuracy_by(view, asked, *sql) for name, sql in _GROUPS.items()}
    overall = _accuracy_by(view, asked, "'all'", "1")
    return Accuracy(
        snapshot_id=view.snapshot_id,
        start=asked.start,
        end=asked.end,
        overall=overall[0] if overall else None,
        **groups,
    )


def judged(view: View, days: Days) -> AccuracyRow | None:
    """Of all forecasts of these days together; None if none is judged."""
    found = _accuracy_by(view, days, "'all'", "1")
    return found[0] if found else None


def _accuracy_by(view: View, days: Days, key: str, order: str) -> list[AccuracyRow]:
    sums = ", ".join(f'CAST(sum("{name}") AS DOUBLE) AS "{name}"' for name in _SUMMED)
    sql = f"SELECT CAST({key} AS VARCHAR) AS key, {sums} FROM source GROUP BY {key} ORDER BY {order}"  # noqa: S608
    columns = ("day", "horizon", "volume_class", "model_version", *_SUMMED)
    rows = view.query(FORECAST_ACCURACY, sql, columns, days.start, days.end)
    return [_accuracy_row(row) for row in rows]


def _accuracy_row(row: dict[str, Any]) -> AccuracyRow:
    demand, judged_days = row["demand_units"], row["series_days"]
    return AccuracyRow(
        key=row["key"],
        series_days=int(judged_days),
        demand_units=demand,
        wape=_ratio(row["absolute_error_units"], demand),
        seasonal_naive_wape=_ratio(row["seasonal_naive_absolute_error_units"], demand),
        bias=_ratio(row["forecast_units"] - demand, demand),
        share_above={name: _ratio(row[f"above_{name}"], judged_days) for name in JUDGED_QUANTILES},
        expected_above=EXPECTED_ABOVE,
    )


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None


def forecast_totals(view: View, days: int, category: str | None, location: str | None) -> ForecastTotals:
    """Demand of all products x locations that match: what sold with the forecast of the day before, and what comes."""
    asked, origin = last_days(view, days), view.last_day(FORECASTS)
    told = dict[date, ForecastDay]()
    if asked:
        where, products = equals(category=category, location=location), _products_of(view, asked.end, category)
        sql = f'SELECT "day", CAST(sum("demand_units") AS DOUBLE) AS units FROM source WHERE {where} GROUP BY 1'  # noqa: S608
        columns = ("day", "demand_units", "category", "location")
        sold = {row["day"]: row["units"] for row in view.query(DAILY_DEMAND, sql, columns, asked.start, asked.end)}
        is_wanted = equals(location=location) + _among("product_id", products)
        yesterday = timedelta(days=1)
        past = _forecast(view, asked.start - yesterday, asked.end - yesterday, f'{is_wanted} AND "horizon" = 1')
        coming = _forecast(view, origin, origin, is_wanted) if origin else {}
        for day in sorted({*sold, *past, *coming}):
            mean, of = coming.get(day) or past.get(day) or (None, None)
            told[day] = ForecastDay(target_date=day, mean=mean, origin=of, demand_units=sold.get(day))
    return ForecastTotals(snapshot_id=view.snapshot_id, origin=origin, days=list(told.values()))


def _forecast(view: View, start: date, end: date, where: str) -> dict[date, tuple[float, date]]:
    """Mean and origin by target day, of the origins start..end; of several origins the newest."""
    sql = (
        'SELECT "target_date", "day", CAST(sum(CAST("mean" AS DOUBLE)) AS DOUBLE) AS mean FROM source '  # noqa: S608
        f"WHERE {where} GROUP BY 1, 2 ORDER BY 2"
    )
    columns = ("day", "target_date", "horizon", "mean", "product_id", "location")
    rows = view.query(FORECASTS, sql, columns, start, end)
    return {row["target_date"]: (row["mean"], row["day"]) for row in rows}


def _products_of(view: View, day: date, category: str | None) -> list[str] | None:
    """Products of a category on a day; forecasts do not hold the category. None for all."""
    if category is None:
        return None
    sql = f'SELECT DISTINCT "product_id" FROM source WHERE {equals(category=category)} ORDER BY 1'  # noqa: S608
    found = view.query(DAILY_DEMAND, sql, ("product_id", "category"), day, day)
    return [row["product_id"] for row in found]


def _among(name: str, values: Iterable[str] | None) -> str:
    """SQL: and the column has one of these values, if there are any to choose from."""
    if values is None:
        return ""
    listed = ", ".join(map(literal, values))
    return f' AND "{name}" IN ({listed})' if listed else " AND false"


def backtest(view: View, segment_kind: str) -> Backtest:
    """Every day up to the horizon, by method, origin and segment."""
    names = tuple(name for name in BacktestRow.model_fields if name != "coverage")
    coverage = {name: f"coverage_{name}" for name in QUANTILES}
    rows = view.all_rows(BACKTEST, (*names, "target", *coverage.values())).to_pylist()
    wanted = [row for row in rows if row["segment_kind"] == segment_kind and row["target"] == "all_days"]
    told = [
        BacktestRow(
            **{name: row[name] for name in names}, coverage={name: row[column] for name, column in coverage.items()}
        )
        for row in sorted(wanted, key=lambda row: (row["origin_date"], row["method"], row["segment"]))
    ]
    return Backtest(snapshot_id=view.snapshot_id, rows=told)


def frontier(view: View, segment_kind: str) -> Frontier:
    """Service against stock of every order rule, on past days."""
    rows = view.all_rows(POLICY_SIMULATION, tuple(FrontierPoint.model_fields)).to_pylist()
    wanted = [row for row in rows if row["segment_kind"] == segment_kind]
    ordered = sorted(wanted, key=lambda row: (row["segment"], row["rule"], row["parameter"]))
    return Frontier(snapshot_id=view.snapshot_id, points=[FrontierPoint(**row) for row in ordered])
