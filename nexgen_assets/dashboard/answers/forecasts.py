"""Forecasts, how right they were, and the models behind them.

What belongs here: answers about forecasts and models. What does not: orders.
"""

from datetime import date
from typing import Any

from pydantic import Field

from nexgen_assets.dashboard.answers.common import Answer, Model


class FanDay(Model):
    """Forecast of one day: mean and quantiles of demand, units. `q80` is not exceeded with probability 0.8."""

    target_date: date
    horizon: int
    mean: float
    q05: float
    q10: float
    q25: float
    q50: float
    q60: float
    q70: float
    q80: float
    q90: float
    q95: float
    q975: float
    q99: float


class StockDay(Model):
    """Projected stock at the close of a day, units."""

    target_date: date
    without_order: float = Field(description="On hand and what is on order, less expected demand, at least 0")
    with_order: float = Field(description="The same with the order as decided, else as proposed")
    receipts: float = Field(description="Units due that day, this order not counted")


class Fan(Answer):
    product_id: str
    location: str
    origin: date | None = Field(description="Last day whose sales are known")
    model_version: str | None
    days: list[FanDay]
    stock: list[StockDay] = Field(description="Empty where no order row tells the stock")
    policy: str | None = Field(description="How an order of the line is placed")
    order_up_to_level: float | None = Field(
        description="What an order raises the inventory position to; null where lots decide"
    )
    reorder_level: float | None = Field(description="Below this inventory position an order is placed")
    undated_on_order_units: float = Field(description="On order with no due date: in no day of the projected stock")


class PastForecast(Model):
    """A forecast of a day that is over, made `horizon` days before."""

    target_date: date
    origin: date
    mean: float
    q10: float
    q90: float
    demand_units: float | None
    is_stockout: bool | None
    model_version: str


class PastForecasts(Answer):
    product_id: str
    location: str
    horizon: int
    days: list[PastForecast]


class ForecastDay(Model):
    """Demand of one day over all products x locations that match, units."""

    target_date: date
    mean: float | None = Field(description="Forecast of the newest origin before the day; null where there is none")
    origin: date | None
    demand_units: float | None = Field(description="What was sold; null for days to come")


class ForecastTotals(Answer):
    origin: date | None
    days: list[ForecastDay]


class AccuracyRow(Model):
    """How right a group of forecasts was. Stockout days are left out: what was sold is less than what was wanted."""

    key: str
    series_days: int
    demand_units: float
    wape: float | None = Field(description="Sum of absolute errors over demand")
    seasonal_naive_wape: float | None = Field(description="The same of the last same weekday")
    bias: float | None = Field(description="Forecast less demand, over demand")
    share_above: dict[str, float | None] = Field(description="Share of demands above a quantile, by its name")
    expected_above: dict[str, float] = Field(description="What that share should be")


class Accuracy(Answer):
    start: date | None
    end: date | None
    overall: AccuracyRow | None
    by_day: list[AccuracyRow]
    by_horizon: list[AccuracyRow]
    by_volume_class: list[AccuracyRow]
    by_model_version: list[AccuracyRow]


class BacktestRow(Model):
    method: str
    origin_date: date
    segment_kind: str
    segment: str
    horizon: int
    series: int
    demand_units: float
    wape: float | None
    bias: float | None
    rmsse: float | None
    wql: float | None
    coverage: dict[str, float | None] = Field(description="Share of demands at or below a quantile, by its name")


class Backtest(Answer):
    rows: list[BacktestRow] = Field(description="Of `all_days`: every day up to the horizon")


class ModelVersion(Model):
    version: str
    training_cutoff: date = Field(description="Last day that its training saw")
    alias: str | None = Field(
        description="champion, challenger or rolled_back; former_champion (it serves origins before the next one's "
        "training cutoff), former_challenger; null for none"
    )
    facts: dict[str, Any] = Field(description="What it was made of and how it was judged")


class ModelMove(Model):
    version: str
    alias: str
    at: str | None
    why: str
    numbers: dict[str, float | str]


class Models(Model):
    champion: str | None
    challenger: str | None
    versions: list[ModelVersion] = Field(description="Newest training cutoff first")
    history: list[ModelMove] = Field(description="Newest first")


class FrontierPoint(Model):
    """One order rule at one value of its parameter, on past days."""

    rule: str
    parameter: float
    segment_kind: str
    segment: str
    first_day: date
    last_day: date
    series: int
    fill_rate: float | None
    mean_fill_rate: float | None
    promised_fill_rate: float | None
    cycle_service_level: float | None
    average_on_hand_units: float
    lost_units: float
    waste_units: float
    stockout_days: float
    order_lines: float
    holding_cost: float
    lost_margin: float
    order_cost: float
    waste_cost: float


class Frontier(Answer):
    points: list[FrontierPoint]
