"""What other quantities of one order would do: the risks and waste of each, beside the order as it is.

What belongs here: one line and several quantities. What does not: all lines under other assumptions (`what_if.py`), and
what a risk is (`risk.py`).
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from nexgen_assets.forecasting.quantiles import Calibration
from nexgen_assets.replenishment.ahead import demand_ahead
from nexgen_assets.replenishment.expiry import days_to_sell, expected_waste
from nexgen_assets.replenishment.orders import RISK_DECIMALS, lead_times_of, mean_lead_times
from nexgen_assets.replenishment.origins import DailyForecasts, listed_demand
from nexgen_assets.replenishment.risk import Floats, Risk, risk


@dataclass(frozen=True)
class Outcomes:
    """Of each quantity: its risks, and the units expected to expire, None without a shelf life."""

    risk: Risk
    expected_waste_units: Floats | None


def outcomes_of(
    order: pa.Table, features: pa.Table, forecasts: pa.Table, calibration: Calibration | None, order_units: Floats
) -> Outcomes:
    """What happens with each of `order_units` until the order of the next review can be sold.

    `order` is one row of `tables.REORDER_RECOMMENDATIONS`, `features` the row of `tables.CLEANED_FEATURES` of the same
    series and day, `forecasts` its rows of `tables.FORECASTS`. Raises ValueError if they are not of one series.
    """
    if order.num_rows != 1 or features.num_rows != 1 or not forecasts.num_rows:
        raise ValueError("one order, its features and its forecasts are needed: rebuild that day")
    same = np.zeros(len(order_units), np.int64)
    line, known = order.take(same), features.take(same)
    ahead = DailyForecasts.of(forecasts.sort_by("horizon")).take(same)
    lead_time = mean_lead_times(line)
    demand = demand_ahead(
        lambda few, lengths: listed_demand(known.take(few), ahead.take(few), lengths, calibration),
        lead_times_of(line),
        lead_time,
        np.asarray(line["review_period_days"].to_numpy(), np.int64),
    )
    position = np.asarray(line["inventory_position"].to_numpy(), np.float64)
    waste = None
    if line["shelf_life_days"].null_count == 0:
        days = np.asarray(line["shelf_life_days"].to_numpy(), np.float64)
        sold_within = demand.over(np.arange(len(order_units)), days_to_sell(lead_time, days))
        waste = np.round(expected_waste(sold_within, position + order_units), RISK_DECIMALS)
    return Outcomes(_rounded(risk(demand, position, order_units)), waste)


def _rounded(of: Risk) -> Risk:
    """As order rows are."""
    return Risk(**{name: np.round(values, RISK_DECIMALS) for name, values in vars(of).items()})
