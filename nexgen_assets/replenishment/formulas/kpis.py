"""What stock achieved: service, cover and return of one series over a range of days.

What belongs here: the figures of one series from its days. What does not: how each is defined (`../kpis.py`, for many
series at once), what a policy is expected to achieve (`fill_rates.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nexgen_assets.replenishment.formulas.arguments import Floats, require_finite, require_not_negative
from nexgen_assets.replenishment.kpis import totals_of_days


@dataclass(frozen=True)
class StockKpis:
    """Key figures of stock over a range of days; NaN where the range cannot tell (nothing demanded, nothing held).

    `units_demanded` = sold + lost. `fill_rate` = sold / demanded. `stockout_days` closed with nothing on hand, and
    `in_stock_rate` is the share of days that did not. `average_on_hand` in units and `average_inventory_value` in money
    at cost, at the close. `days_of_supply` = average on hand / average daily sales. `annualised_turns` = cost of goods
    sold in a year / average inventory value. `gross_margin` = sold x (price - cost) in money; `annualised_gmroi` =
    gross margin of a year / average inventory value. `waste_rate` = wasted / (sold + wasted).
    """

    units_demanded: float
    fill_rate: float
    stockout_days: int
    in_stock_rate: float
    average_on_hand: float
    average_inventory_value: float
    days_of_supply: float
    annualised_turns: float
    gross_margin: float
    annualised_gmroi: float
    waste_rate: float


def stock_kpis(
    *,
    daily_sales_units: Sequence[float] | Floats,
    daily_lost_units: Sequence[float] | Floats,
    end_of_day_on_hand: Sequence[float] | Floats,
    unit_cost: float,
    unit_price: float,
    waste_units: float = 0.0,
) -> StockKpis:
    """Key figures of one series. The three sequences are in units, one value per day; cost and price in money per unit.

    (Silver, Pyke & Thomas 4e (2017), chapter 2; lost units are an estimate.)
    """
    sold, lost, on_hand = (
        np.asarray(values, np.float64) for values in (daily_sales_units, daily_lost_units, end_of_day_on_hand)
    )
    if not len(sold) == len(lost) == len(on_hand) > 0:
        raise ValueError(
            f"each day needs its sales, lost units and stock, not {len(sold)}, {len(lost)}, {len(on_hand)}"
        )
    require_not_negative(daily_sales_units=sold, daily_lost_units=lost, end_of_day_on_hand=on_hand)
    require_not_negative(unit_cost=unit_cost, unit_price=unit_price, waste_units=waste_units)
    require_finite(sold=sold, lost=lost, on_hand=on_hand, unit_cost=unit_cost, unit_price=unit_price)
    nothing = np.zeros_like(sold)[None]
    waste = np.zeros_like(nothing)
    waste[0, -1] = waste_units
    daily = {"demand": (sold + lost)[None], "sales": sold[None], "on_hand": on_hand[None]}
    totals = totals_of_days(**daily, waste=waste, received=nothing, ordered=nothing)
    return StockKpis(
        units_demanded=float(totals.demand[0]),
        fill_rate=float(totals.fill_rate[0]),
        stockout_days=int(totals.stockout_days[0]),
        in_stock_rate=float(totals.in_stock_rate[0]),
        average_on_hand=float(totals.average_on_hand[0]),
        average_inventory_value=float(totals.average_on_hand[0] * unit_cost),
        days_of_supply=float(totals.days_of_supply[0]),
        annualised_turns=float(totals.turns_a_year[0]),
        gross_margin=float(totals.gross_margin(np.array(unit_price), np.array(unit_cost))[0]),
        annualised_gmroi=float(totals.gmroi_a_year(np.array(unit_price), np.array(unit_cost))[0]),
        waste_rate=float(totals.waste_rate[0]),
    )
