"""Order rules on past days: would our orders have needed less stock? Run when somebody wants to know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import dagster as dg
import numpy as np
import pyarrow as pa
from pydantic import Field

from nexgen_assets.assets.common import small_table, table_asset
from nexgen_assets.assets.model import INPUTS, Champion, ModelInputs, champion_of
from nexgen_assets.assets.replenishment import GROUP
from nexgen_assets.io_managers.catalog import plots_metadata
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.resources.lake import LakeResource
from nexgen_assets.resources.registry import ModelRegistry
from nexgen_assets.resources.spark import SparkResource
from nexgen_assets.settings import Settings
from nexgen_assets.tables import CALENDAR, DAILY_DEMAND, DAY, INVENTORY_POSITIONS, POLICY_SIMULATION

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nexgen_assets.forecasting.model import TrainedModel
    from nexgen_assets.forecasting.segments import Segments
    from nexgen_assets.replenishment.comparison import Comparison
    from nexgen_assets.replenishment.comparison_report import Money, Record
    from nexgen_assets.replenishment.forecast_levels import RollingForecasts
    from nexgen_assets.replenishment.past_days import Terms
    from nexgen_assets.replenishment.simulation import Scenario

DEMAND = (DAY, "product_id", "location", "demand_units", "is_stockout")
RECENT_DAYS = 28


class SimulationConfig(dg.Config):
    """Which past days to simulate, and at what cost."""

    days: int = Field(84, ge=7, le=366, description="Days that count, after the warm-up (days)")
    warm_up_days: int = Field(28, ge=0, le=91, description="Simulated days before them (days)")
    as_of: str | None = Field(None, description="Last simulated day; the newest with sales and features if not told")
    series: int = Field(
        2_000, ge=1, description="Most series to simulate; of more, a random sample that stays the same"
    )
    order_cost: float = Field(0.0, ge=0, description="Cost of an order of one series (money)")

    @property
    def simulated_days(self) -> int:
        return self.warm_up_days + self.days


def simulation_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    arguments = small_table(POLICY_SIMULATION, group=GROUP, code_version="2")
    arguments["kinds"] = {"xgboost", "deltalake", "s3"}

    @table_asset(deps=[*(table.name for table in INPUTS), INVENTORY_POSITIONS.name], **arguments)
    def policy_simulation(
        context: dg.AssetExecutionContext, config: SimulationConfig, lake: LakeResource, spark: SparkResource
    ) -> pa.Table:
        """One row per order rule x value of its parameter x segment: service, stock and costs on past days.

        A model of the champion's recipe (this code's without one) is trained on what was known before the first
        simulated day, and forecasts from the close of each later one, as the daily run would have. Its orders meet the
        same demand, deliveries and terms as those of rules without a model. Demand is what was sold, terms are today's;
        all rules start from the same stock. Changes no order.
        """
        from nexgen_assets.replenishment.comparison import compare
        from nexgen_assets.replenishment.comparison_report import comparison_rows

        past = _Past.read(config, settings, DeltaTables(lake.access), spark)
        scenario = past.scenario  # refuses what cannot be simulated before anything is trained
        context.log.info(past.words)
        model = past.trained(champion_of(ModelRegistry(lake.access)))
        context.log.info(f"trained on the days up to {past.cutoff}, recipe {model.recipe.name}")
        forecasts = past.forecasts(model)
        context.log.info(f"forecasts of {config.simulated_days} days are made")
        found = compare(scenario, past.demand, past.terms.lead_times, forecasts)
        segments = past.segments()
        context.add_asset_metadata({"recipe": model.recipe.name, **_metadata(past, found, segments)})
        return comparison_rows(found, segments, past.money, past.cutoff)

    return [policy_simulation]


@dataclass(frozen=True)
class _Past:
    """What the run reads: each table at one version, the series to simulate, and their terms."""

    config: SimulationConfig
    inputs: ModelInputs
    cutoff: date
    active: int
    series: pa.Table  # the rows of the cutoff's features
    demand: "NDArray[np.float64]"  # [series, history + simulated days]
    censored_share: float
    terms: "Terms"

    @classmethod
    def read(cls, config: SimulationConfig, settings: Settings, tables: DeltaTables, spark: SparkResource) -> "_Past":
        from nexgen_assets.replenishment.past_days import (
            censored_share,
            demand_grid,
            first_day,
            sampled_series,
            terms_of,
        )

        inputs = ModelInputs.read(settings, config.as_of, tables, spark)
        cutoff = inputs.as_of - timedelta(days=config.simulated_days)
        known = inputs.features_of(cutoff)
        newest = tables.last_day(INVENTORY_POSITIONS)
        if not known.num_rows:
            raise dg.Failure(
                f"there are no features of {cutoff}, the day before the first simulated one: ask for fewer `days`, for "
                "a later `as_of`, or run the job `history` for the days before"
            )
        if newest is None:
            raise dg.Failure("there are no inventory positions to take terms of supply from: run the job `daily` first")
        series = sampled_series(known, config.series)
        earliest = cutoff - timedelta(days=settings.lookback_days - 1)
        rows = tables.read(DAILY_DEMAND, earliest, inputs.as_of, DEMAND, inputs.versions[DAILY_DEMAND.name])
        first = first_day(rows)
        return cls(
            config,
            inputs,
            cutoff,
            known.num_rows,
            series,
            demand_grid(series, rows, first, (inputs.as_of - first).days + 1),
            censored_share(rows, cutoff),
            terms_of(series, tables.read(INVENTORY_POSITIONS, newest, newest), settings.default_lead_time_days),
        )

    @property
    def words(self) -> str:
        default = int(self.terms.is_default.sum())
        return (
            f"{self.series.num_rows} of {self.active} series on {self.config.warm_up_days} + {self.config.days} days "
            f"after {self.cutoff}; default terms for {default} of them that have no inventory position any more"
        )

    @cached_property
    def scenario(self) -> "Scenario":
        from nexgen_assets.replenishment.past_days import ShortHistoryError, past_scenario

        try:
            return past_scenario(
                self.series,
                self.demand,
                self.terms,
                days=self.config.simulated_days,
                review_period_days=self.inputs.settings.review_period_days,
                warm_up_days=self.config.warm_up_days,
            )
        except ShortHistoryError as error:
            raise dg.Failure(f"{error}. Ask for fewer `days` or a later `as_of`") from error

    def trained(self, champion: Champion | None) -> "TrainedModel":
        """A model that saw nothing after the cutoff, by the recipe that serves, or else by this code's own."""
        from nexgen_assets.forecasting.sampling import TrainingError
        from nexgen_assets.forecasting.training import fit, recipe_of, training_data

        settings = self.inputs.settings
        own = recipe_of(self.inputs.planned, settings.training_rows, settings.country)
        recipe = champion.recipe if champion and champion.can_be_refit else own
        try:
            data = training_data(self.inputs.features, self.inputs.demand, self.cutoff, recipe.sampling_rows)
        except TrainingError as error:
            raise dg.Failure(f"{error}. Ask for fewer `days` or a later `as_of`") from error
        return fit(data, self.inputs.planned, recipe, settings.threads)

    def forecasts(self, model: "TrainedModel") -> "RollingForecasts":
        from nexgen_assets.forecasting.closings import PlannedOpening
        from nexgen_assets.replenishment.past_days import rolling_forecasts

        settings, tables = self.inputs.settings, self.inputs.tables
        return rolling_forecasts(
            model,
            self.inputs.planned,
            PlannedOpening(tables.read(CALENDAR, version=self.inputs.versions[CALENDAR.name])),
            self.series,
            [self.cutoff + timedelta(days=day) for day in range(1, self.config.simulated_days + 1)],
            self.inputs.features_of,
            int(self.terms.lead_times.days.max()) + settings.review_period_days,
            settings.threads,
        )

    def segments(self) -> "Segments":
        """Classes of sales value and patterns of demand, by what was known at the cutoff."""
        from nexgen_assets.forecasting.segments import ABC, ALL, PATTERN, segments_of

        recent = self.demand[:, : -self.config.simulated_days][:, -RECENT_DAYS:].sum(axis=1)
        return segments_of(self.series, recent * np.nan_to_num(self.prices)).of_kinds(ALL, ABC, PATTERN)

    @property
    def prices(self) -> "NDArray[np.float64]":
        return self.series["unit_price"].cast(pa.float64()).to_numpy()

    @property
    def money(self) -> "Money":
        from nexgen_assets.replenishment.comparison_report import Money

        return Money(self.terms.unit_cost, self.prices, self.config.order_cost)


def _metadata(past: _Past, found: "Comparison", segments: "Segments") -> Mapping[str, Any]:
    """Tables and plots first, then the numbers, which the UI plots from run to run."""
    from nexgen_assets.replenishment.comparison_report import (
        difference_records,
        headlines,
        promise_records,
        stock_records,
    )
    from nexgen_assets.replenishment.plots import comparison_plots

    def table(records: "Sequence[Record]") -> dg.MetadataValue:
        return dg.MetadataValue.table([dg.TableRecord(record) for record in records])

    return {
        "simulated": past.words,
        "stock_needed": table(stock_records(found)),
        "stock_of_forecast_beyond_others": table(difference_records(found)),
        "plots": plots_metadata(comparison_plots(found, segments)),
        "promised_and_achieved": table(promise_records(found, segments)),
        "censored_share": past.censored_share,
        **headlines(found),
    }
