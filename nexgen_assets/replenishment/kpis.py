"""What stock and orders achieved: sums over days, the rates that planners know, and costs.

What belongs here: definitions, as functions of sums or of daily arrays. What does not: where the days come from,
simulated or real, and comparing policies.

A rate whose denominator is 0 is not a number: nothing can be said of it.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DAYS_A_YEAR = 365
DAYS_A_WEEK = 7
# units are known to thousandths: less than half of one is the noise of a sum
NO_STOCK_UNITS = 0.0005


@dataclass(frozen=True)
class Totals:
    """Sums over the same `days` days, one element per series; in units unless the name says otherwise."""

    days: int
    demand: Floats
    sales: Floats
    lost: Floats
    waste: Floats
    received: Floats
    ordered: Floats
    order_lines: Floats  # days on which something was ordered
    on_hand_unit_days: Floats  # on hand at the close of each day
    stockout_days: Floats  # days that closed with nothing on hand
    squared_demand: Floats  # units squared
    squared_orders: Floats  # units squared

    def __add__(self, later: "Totals") -> "Totals":
        """The sums over these days and those of `later`, of the same series."""
        return Totals(**{field.name: getattr(self, field.name) + getattr(later, field.name) for field in fields(self)})

    def rows(self, which: NDArray[np.integer[Any]]) -> "Totals":
        """The same of these series, in this order."""
        picked = {field.name: getattr(self, field.name)[which] for field in fields(self) if field.name != "days"}
        return Totals(days=self.days, **picked)

    @property
    def fill_rate(self) -> Floats:
        """Share of demand that was served from stock."""
        return _ratio(self.sales, self.demand)

    @property
    def in_stock_rate(self) -> Floats:
        """Share of days that closed with stock on hand."""
        return 1 - self.stockout_days / self.days

    @property
    def average_on_hand(self) -> Floats:
        """Units on hand at the close of a day, on average."""
        return self.on_hand_unit_days / self.days

    @property
    def days_of_supply(self) -> Floats:
        """Average on hand over average daily sales."""
        return _ratio(self.on_hand_unit_days, self.sales)

    @property
    def waste_rate(self) -> Floats:
        """Share of the units that left the stock without being sold: waste / (sales + waste)."""
        return _ratio(self.waste, self.sales + self.waste)

    @property
    def orders_a_week(self) -> Floats:
        return DAYS_A_WEEK * self.order_lines / self.days

    @property
    def bullwhip(self) -> Floats:
        """Variance of the units ordered a day over that of demand (Chen et al., Management Science 46, 2000)."""
        return _ratio(
            self._variance(self.squared_orders, self.ordered), self._variance(self.squared_demand, self.demand)
        )

    @property
    def turns_a_year(self) -> Floats:
        """How often a year the average stock is sold: sales at cost over average stock at cost; the cost cancels."""
        return _ratio(DAYS_A_YEAR * self.sales, self.on_hand_unit_days)

    def average_stock_value(self, unit_cost: Floats) -> Floats:
        return self.average_on_hand * unit_cost

    def gross_margin(self, unit_price: Floats, unit_cost: Floats) -> Floats:
        """Money earned on what was sold; waste is not taken off."""
        return self.sales * (unit_price - unit_cost)

    def gmroi_a_year(self, unit_price: Floats, unit_cost: Floats) -> Floats:
        """Gross margin a year over the average stock at cost."""
        a_year = self.gross_margin(unit_price, unit_cost) * DAYS_A_YEAR / self.days
        return _ratio(a_year, self.average_stock_value(unit_cost))

    def _variance(self, squares: Floats, sums: Floats) -> Floats:
        # the difference of two equal sums must not be a variance
        return np.maximum(squares - sums**2 / self.days, 0.0)


def totals_of_days(
    *, demand: Floats, sales: Floats, waste: Floats, received: Floats, ordered: Floats, on_hand: Floats
) -> Totals:
    """Totals of daily arrays [series, days]; `on_hand` is that of each day's close."""
    return Totals(
        days=demand.shape[1],
        demand=demand.sum(axis=1),
        sales=sales.sum(axis=1),
        lost=(demand - sales).sum(axis=1),
        waste=waste.sum(axis=1),
        received=received.sum(axis=1),
        ordered=ordered.sum(axis=1),
        order_lines=(ordered > 0).sum(axis=1).astype(np.float64),
        on_hand_unit_days=on_hand.sum(axis=1),
        stockout_days=(on_hand < NO_STOCK_UNITS).sum(axis=1).astype(np.float64),
        squared_demand=(demand**2).sum(axis=1),
        squared_orders=(ordered**2).sum(axis=1),
    )


@dataclass(frozen=True)
class CostRates:
    """Money per unit on hand and day, per unit of lost demand, per order line, per wasted unit; numbers or [series]."""

    holding: float | Floats
    lost_sale: float | Floats
    order: float | Floats
    waste: float | Floats


@dataclass(frozen=True)
class Costs:
    """Money by cause, one element per series."""

    holding: Floats
    lost_sales: Floats
    orders: Floats
    waste: Floats

    @property
    def total(self) -> Floats:
        return self.holding + self.lost_sales + self.orders + self.waste


def costs(totals: Totals, rates: CostRates) -> Costs:
    return Costs(
        holding=totals.on_hand_unit_days * rates.holding,
        lost_sales=totals.lost * rates.lost_sale,
        orders=totals.order_lines * rates.order,
        waste=totals.waste * rates.waste,
    )


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    return np.divide(numerator, denominator, out=np.full(numerator.shape, np.nan), where=denominator != 0)
