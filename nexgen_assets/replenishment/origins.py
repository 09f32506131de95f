"""The orders of one forecast origin: stock, features and forecasts of the same series, side by side.

What belongs here: lining the tables of one day up and choosing the distribution of demand that they imply. What does
not: the order's arithmetic (`policy.py`, `orders.py`), reading tables, finding models.
"""

import pyarrow as pa
import pyarrow.compute as pc

from nexgen_assets.forecasting.baselines import naive_interval_demand
from nexgen_assets.forecasting.frame import level_of
from nexgen_assets.forecasting.interval import interval_demand
from nexgen_assets.forecasting.quantiles import Calibration
from nexgen_assets.replenishment.orders import interval_lengths, reorder_recommendations
from nexgen_assets.replenishment.policy import Policy
from nexgen_assets.tables import HORIZON_DAYS, REORDER_RECOMMENDATIONS

SERIES = ["product_id", "location"]
FORECAST_COLUMNS = [*SERIES, "horizon", "mean", "model_version"]


def orders_of_origin(
    positions: pa.Table, features: pa.Table, forecasts: pa.Table, calibration: Calibration | None, policy: Policy
) -> pa.Table:
    """Rows of `tables.REORDER_RECOMMENDATIONS`, one per row of `positions`, in the order of the grain.

    All three tables are of one day: rows of `tables.INVENTORY_POSITIONS`, `tables.CLEANED_FEATURES` and
    `tables.FORECASTS` (FORECAST_COLUMNS suffice). `calibration` is that of the model that made the forecasts, None if
    they are the seasonal naive's. Raises ValueError if the tables are not of the same series.
    """
    stock, known = _sorted(positions, SERIES), _sorted(features, SERIES)
    ahead = _sorted(forecasts, [*SERIES, "horizon"])
    first = ahead.filter(pc.equal(ahead["horizon"], 1))  # pyright: ignore[reportAttributeAccessIssue]
    for name, other in (("features", known), ("forecasts", first)):
        if not all(stock[column].equals(other[column]) for column in SERIES):
            raise ValueError(f"positions and {name} differ in their products: rebuild that day")
    if not stock.num_rows:
        return REORDER_RECOMMENDATIONS.arrow_schema.empty_table()

    rows = stock
    for name, source in (("product_name", known), ("category", known), ("unit_price", known), ("model_version", first)):
        rows = rows.append_column(name, source[name])
    lengths = interval_lengths(rows, policy)
    if calibration is None:
        return reorder_recommendations(rows, naive_interval_demand(known, lengths), policy)
    means = ahead["mean"].to_numpy().reshape(stock.num_rows, HORIZON_DAYS)
    return reorder_recommendations(rows, interval_demand(means, level_of(known), lengths, calibration), policy)


def _sorted(table: pa.Table, names: list[str]) -> pa.Table:
    return table.sort_by([(name, "ascending") for name in names])
