"""Forecasts, of one series and of all, how right they were, and the models behind them."""

from typing import Annotated, Literal

from fastapi import Query

from nexgen_assets.dashboard.answers.forecasts import (
    Accuracy,
    Backtest,
    Fan,
    ForecastTotals,
    Frontier,
    Models,
    PastForecasts,
)
from nexgen_assets.dashboard.answers.sales import DemandHistory
from nexgen_assets.dashboard.queries import accuracy, series
from nexgen_assets.dashboard.queries.models import models as models_of
from nexgen_assets.dashboard.roles import Permission
from nexgen_assets.dashboard.routes.access import Door, Tables, router
from nexgen_assets.resources.registry import ModelRegistry
from nexgen_assets.tables import HORIZON_DAYS

routes = router(Permission.READ, "forecasts")
Key = Annotated[str, Query(min_length=1, max_length=500)]
Text = Annotated[str | None, Query(max_length=500)]
DaysBack = Annotated[int, Query(ge=1, le=800)]


@routes.get("/series/demand")
def demand_history(tables: Tables, product_id: Key, location: Key, days: DaysBack = 180) -> DemandHistory:
    """What sold of a product at a location, and what would have sold on days out of stock."""
    return series.demand_history(tables, product_id, location, days)


@routes.get("/series/forecast")
def forecast_fan(door: Door, tables: Tables, product_id: Key, location: Key) -> Fan:
    """The newest forecast with its quantiles, and the stock that it leaves."""
    line = door.desks.now(tables).line(product_id, location)
    return series.fan(tables, product_id, location, line)


@routes.get("/series/past-forecasts")
def past_forecasts(
    tables: Tables,
    product_id: Key,
    location: Key,
    horizon: Annotated[int, Query(ge=1, le=HORIZON_DAYS)] = 7,
    days: DaysBack = 56,
) -> PastForecasts:
    """Earlier forecasts of days that are over, beside what sold."""
    return series.past_forecasts(tables, product_id, location, horizon, days)


@routes.get("/forecasts")
def forecast_totals(
    tables: Tables, days: DaysBack = 28, category: Text = None, location: Text = None
) -> ForecastTotals:
    """Sales against forecast: the last days with the forecast of the day before, and the days to come."""
    return accuracy.forecast_totals(tables, days, category, location)


@routes.get("/forecasts/accuracy")
def forecast_accuracy(tables: Tables, days: DaysBack = 28) -> Accuracy:
    """Error, bias and calibration of the forecasts of the last days that are judged."""
    return accuracy.accuracy(tables, days)


@routes.get("/forecasts/backtest")
def backtest(
    tables: Tables, segment_kind: Literal["all", "abc", "pattern", "category", "location"] = "all"
) -> Backtest:
    """Forecasts from past days against what came, by method and segment."""
    return accuracy.backtest(tables, segment_kind)


@routes.get("/policies/frontier")
def policy_frontier(tables: Tables, segment_kind: Literal["all", "abc", "pattern"] = "all") -> Frontier:
    """Service against stock of every order rule, simulated on past days."""
    return accuracy.frontier(tables, segment_kind)


@routes.get("/models")
def model_versions(door: Door) -> Models:
    """Versions of the forecasting model, which serves, and how it came to that."""
    return models_of(ModelRegistry(door.lake.access))
