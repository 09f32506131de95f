"""What the orders of a day are made of, read from the lake.

What belongs here: which tables and which model that takes. What does not: making orders (`replenishment/`).
"""

from datetime import date

from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.replenishment.origins import FORECAST_COLUMNS
from nexgen_assets.replenishment.policy import Policy
from nexgen_assets.replenishment.what_if import Inputs
from nexgen_assets.resources.registry import Champions
from nexgen_assets.settings import Settings
from nexgen_assets.tables import CENTRE_STOCK, CLEANED_FEATURES, FORECASTS, INVENTORY_POSITIONS, ORDER_POLICIES


def inputs_of(tables: DeltaTables, day: date, settings: Settings) -> Inputs:
    """What the orders of a day are made of, as the tables hold it."""
    forecasts = tables.read(FORECASTS, day, day, FORECAST_COLUMNS)
    versions = forecasts["model_version"].unique().to_pylist()
    return Inputs(
        tables.read(INVENTORY_POSITIONS, day, day),
        tables.read(CLEANED_FEATURES, day, day),
        forecasts,
        Champions(tables.access).calibration_of(versions),
        Policy.of(settings),
        tables.read(ORDER_POLICIES),
        tables.read(CENTRE_STOCK, day, day),
    )
