"""What if: the orders of one day under other assumptions, beside the orders as they are. Nothing is stored.

What belongs here: changing what orders are made of, making them again, and comparing the two. What does not: making
them (`origins.py`), reading tables, and printing.
"""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nexgen_assets.forecasting.quantiles import Calibration
from nexgen_assets.replenishment.origins import orders_of_origin
from nexgen_assets.replenishment.policy import Policy
from nexgen_assets.tables import CLEANED_FEATURES

Floats = NDArray[np.float64]

TARGETS = ("service_level", "fill_rate")
DEMAND_UNITS = ("units", "units per day")


@dataclass(frozen=True)
class Inputs:
    """What the orders of one day are made of; the fields are the arguments of `origins.orders_of_origin`."""

    positions: pa.Table
    features: pa.Table
    forecasts: pa.Table
    calibration: Calibration | None
    policy: Policy
    order_policies: pa.Table
    centre_stock: pa.Table


@dataclass(frozen=True)
class Change:
    """What is assumed otherwise; what is None stays as it is. Raises ValueError for what cannot be meant.

    `service_level` takes the place of every target, those of the policy uploads included; `more_lead_time_days` are
    added to every lead time, which stays at least 0 (days); `demand_factor` multiplies all expected demand;
    `daily_budget` is money, infinite for none.
    """

    service_level: float | None = None
    more_lead_time_days: int = 0
    demand_factor: float = 1.0
    daily_budget: float | None = None

    def __post_init__(self) -> None:
        if self.service_level is not None and not 0 < self.service_level < 1:
            raise ValueError(f"the service level must lie between 0 and 1, not {self.service_level}")
        if not (0 < self.demand_factor < np.inf):
            raise ValueError(f"the demand factor must be above 0, not {self.demand_factor}")
        if self.daily_budget is not None and not self.daily_budget >= 0:
            raise ValueError(f"the budget must not be negative, not {self.daily_budget}")


@dataclass(frozen=True)
class Totals:
    """Sums over order lines: units, and money where price or cost is known.

    Order units are those of all lines, what centres send included. Order value is what suppliers are paid: without what
    centres send. What is promised and lost is that of customers: without the orders of centres, on which their
    locations rely.

    `promised_fill_rate` is that of all lines together, weighted by the demand that it speaks of: not a number without
    any. Lost money is what is expected to be lost with the orders until those of the next review can be sold.
    """

    order_lines: int
    blocked_lines: int
    order_units: float
    order_value: float
    promised_fill_rate: float
    expected_lost_units: float
    expected_lost_money: float
    expected_waste_units: float


def orders_if(inputs: Inputs, change: Change) -> pa.Table:
    """Rows of `tables.REORDER_RECOMMENDATIONS`, as they would be; of no change, as they are."""
    return orders_of_origin(**vars(changed(inputs, change)))


def changed(inputs: Inputs, change: Change) -> Inputs:
    """The inputs as they would be."""
    policy, uploads = inputs.policy, inputs.order_policies
    if change.service_level is not None:
        policy, uploads = replace(policy, service_level=change.service_level), _without_targets(uploads)
    if change.daily_budget is not None:
        policy = replace(policy, daily_budget=None if np.isinf(change.daily_budget) else change.daily_budget)
    positions, features, forecasts = inputs.positions, inputs.features, inputs.forecasts
    centre_stock = inputs.centre_stock
    if change.more_lead_time_days:
        positions, centre_stock = (_later(of, change.more_lead_time_days) for of in (positions, centre_stock))
    if change.demand_factor != 1:
        forecasts = _times(forecasts, "mean", change.demand_factor)
        for column in CLEANED_FEATURES.columns:
            if column.unit in DEMAND_UNITS:
                features = _times(features, column.name, change.demand_factor)
    return replace(
        inputs,
        positions=positions,
        features=features,
        forecasts=forecasts,
        policy=policy,
        order_policies=uploads,
        centre_stock=centre_stock,
    )


def totals(orders: pa.Table) -> Totals:
    """The sums of `tables.REORDER_RECOMMENDATIONS` of one day."""
    units, demand = _numbers(orders, "order_units"), _numbers(orders, "expected_demand_after_receipt")
    lost, price = _numbers(orders, "expected_lost_units_with_order"), _numbers(orders, "unit_price")
    is_centre, is_paid = (orders[name].is_valid().to_numpy() for name in ("supplied_locations", "supplied_by"))
    lost, value = np.where(is_centre, 0.0, lost), np.where(is_paid, 0.0, _numbers(orders, "order_value"))
    promised = _numbers(orders, "promised_fill_rate")
    told = np.where(np.isnan(promised) | is_centre, 0.0, demand)
    return Totals(
        order_lines=int((units > 0).sum()),
        blocked_lines=orders.num_rows - orders["blocked_reason"].null_count,
        order_units=float(units.sum()),
        order_value=float(np.nansum(value)),
        promised_fill_rate=float(np.nansum(promised * told) / told.sum()) if told.any() else np.nan,
        expected_lost_units=float(lost.sum()),
        expected_lost_money=float(np.nansum(lost * price)),
        expected_waste_units=float(np.nansum(_numbers(orders, "expected_waste_units"))),
    )


def _without_targets(uploads: pa.Table) -> pa.Table:
    for name in TARGETS:
        uploads = _with(uploads, name, pa.nulls(uploads.num_rows))
    return uploads


def _later(table: pa.Table, more_days: int) -> pa.Table:
    days = pc.call_function("add", [table["lead_time_days"], pa.scalar(more_days)])
    return _with(table, "lead_time_days", pc.call_function("max_element_wise", [days, pa.scalar(0)]))


def _times(table: pa.Table, name: str, factor: float) -> pa.Table:
    return _with(table, name, pc.call_function("multiply", [table[name].cast(pa.float64()), pa.scalar(factor)]))


def _with(table: pa.Table, name: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    """The table with other values in one of its columns, which keeps its type."""
    field = table.schema.field(name)
    return table.set_column(table.schema.get_field_index(name), field, values.cast(field.type))


def _numbers(table: pa.Table, name: str) -> Floats:
    return np.array(table[name].cast(pa.float64()).to_numpy(), np.float64)
