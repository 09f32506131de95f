"""The forecasting model: trained in a job of its own, never in a daily run or a backfill."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg
import pyarrow as pa
from pydantic import Field

from nexgen_assets.assets.common import OWNERS
from nexgen_assets.forecasting import promotion
from nexgen_assets.io_managers.catalog import plots_metadata, verdict_metadata
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.io_managers.models import Candidate
from nexgen_assets.resources.aliases import ROLLED_BACK
from nexgen_assets.resources.lake import LakeResource
from nexgen_assets.resources.registry import ModelRegistry, version_name
from nexgen_assets.resources.spark import SparkResource
from nexgen_assets.settings import Settings
from nexgen_assets.tables import CALENDAR, CLEANED_FEATURES, DAILY_DEMAND, FORECASTS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from nexgen_assets.forecasting.model import TrainedModel
    from nexgen_assets.forecasting.plans import Plans
    from nexgen_assets.forecasting.recipes import Recipe
    from nexgen_assets.forecasting.training import TrainingData

GROUP = "model"
INPUTS = (CLEANED_FEATURES, DAILY_DEMAND, CALENDAR)


class TrainingConfig(dg.Config):
    """What one training may see, and by which recipe."""

    as_of: str | None = Field(None, description="Last day of sales that the model may see; the newest if not told")
    parameters: dict[str, float] | None = Field(
        None,
        description="Parameters instead of the code's own, `rounds` (the most) among them, such as {max_depth: 6}. "
        "If not told, those that the champion was told; {} for the code's own",
    )


def model_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    @dg.asset(
        deps=[table.name for table in INPUTS],
        io_manager_key="models",
        group_name=GROUP,
        kinds={"xgboost", "s3"},
        owners=OWNERS,
        code_version="3",
        check_specs=[
            dg.AssetCheckSpec(promotion.FIT_TO_SERVE, asset="trained_model", description=promotion.RULE, blocking=True)
        ],
    )
    def trained_model(
        context: dg.AssetExecutionContext, config: TrainingConfig, lake: LakeResource, spark: SparkResource
    ) -> Iterator[Any]:
        """One global model of demand at horizons 1 to 28, with its hold-out scores and the spread of its errors.

        Sees no sale after `as_of`. It is fitted twice: up to 28 days before, to be scored beside the seasonal naive
        and a moving average on days it had not learnt from, then up to `as_of`, to serve. It becomes champion if it
        passes the check `fit_to_serve`: otherwise it stays challenger, and whatever served before goes on.
        """
        from nexgen_assets.forecasting.report import model_plots
        from nexgen_assets.forecasting.training import fit

        registry = ModelRegistry(lake.access)
        inputs, champion = (
            ModelInputs.read(settings, config.as_of, DeltaTables(lake.access), spark),
            champion_of(registry),
        )
        recipe = _recipe(config, inputs, champion)
        data = inputs.training_data(recipe)
        model = fit(data, inputs.planned, recipe, settings.threads)
        verdict = promotion.fit_to_serve(
            model.metrics,
            _first_forecasts(model, inputs),
            _opponent(recipe, champion, data, inputs),
            _objection(model, registry),
        )
        context.log.info(f"recipe {recipe.name}, trained up to {inputs.as_of}: {verdict.reason}")
        scores = {f"{method}_{name}": value for method, found in model.metrics.items() for name, value in found.items()}
        plots = model_plots(model, inputs.features_of(inputs.as_of), inputs.planned)
        yield dg.Output(
            Candidate(model, verdict, _facts(model, inputs), {plot.name: plot.png for plot in plots}),
            metadata={
                "plots": plots_metadata(plots),
                "training_rows": model.rows,
                "boosting_rounds": model.mean_model.rounds,
                "recipe": recipe.name,
                **scores,
            },
        )
        yield dg.AssetCheckResult(
            check_name=verdict.name,
            passed=verdict.passed,
            description=verdict.reason,
            metadata=verdict_metadata(verdict),
        )

    return [trained_model]


@dataclass(frozen=True)
class ModelInputs:
    """What a training reads: each table at one version, so that the version's entry tells what it was made of."""

    settings: Settings
    tables: DeltaTables
    as_of: date
    versions: dict[str, int | None]
    features: "DataFrame"
    demand: "DataFrame"
    planned: "Plans"

    @classmethod
    def read(cls, settings: Settings, as_of: str | None, tables: DeltaTables, spark: SparkResource) -> "ModelInputs":
        from nexgen_assets.forecasting.plans import Plans

        last = date.fromisoformat(as_of) if as_of else tables.last_day(CLEANED_FEATURES)
        if last is None:
            raise dg.Failure("there are no features to train on yet: run the job `history` first")
        versions = {table.name: tables.version(table) for table in INPUTS}
        features, demand = (
            tables.read_spark(spark.spark_session, table, end=last, version=versions[table.name])
            for table in (CLEANED_FEATURES, DAILY_DEMAND)
        )
        planned = Plans(tables.read(CALENDAR, version=versions[CALENDAR.name]))
        return cls(settings, tables, last, versions, features, demand, planned)

    def training_data(self, recipe: "Recipe") -> "TrainingData":
        from nexgen_assets.forecasting.training import training_data

        return training_data(self.features, self.demand, self.as_of, recipe.sampling_rows)

    def features_of(self, day: date) -> pa.Table:
        """The rows of one origin; those of `as_of` are what a model will be asked about first."""
        return self.tables.read(CLEANED_FEATURES, day, day, version=self.versions[CLEANED_FEATURES.name])


@dataclass(frozen=True)
class Champion:
    version: str
    recipe: "Recipe"

    @property
    def can_be_refit(self) -> bool:
        from nexgen_assets.forecasting.model import CODE_VERSION, STORED_FEATURES

        return self.recipe.can_be_refit(CODE_VERSION, STORED_FEATURES)


def champion_of(registry: ModelRegistry) -> Champion | None:
    from nexgen_assets.forecasting.model import TrainedModel

    found = registry.aliases().champion
    return Champion(found.version, TrainedModel.stored_recipe(registry.load(found.version))) if found else None


def _recipe(config: TrainingConfig, inputs: ModelInputs, champion: Champion | None) -> "Recipe":
    """This code's recipe, with the parameters told, or those that the champion was told."""
    from nexgen_assets.forecasting.training import recipe_of

    inherited = champion.recipe.overrides if champion and champion.can_be_refit else {}
    overrides = inherited if config.parameters is None else config.parameters
    return recipe_of(inputs.planned, inputs.settings.training_rows, inputs.settings.country, overrides)


def _first_forecasts(model: "TrainedModel", inputs: ModelInputs) -> promotion.FirstForecasts:
    from nexgen_assets.forecasting.frame import level_of

    rows = inputs.features_of(inputs.as_of)
    return promotion.FirstForecasts.of(
        model.mean_model.means(rows, inputs.planned, inputs.settings.threads), level_of(rows)
    )


def _opponent(
    recipe: "Recipe", champion: Champion | None, data: "TrainingData", inputs: ModelInputs
) -> promotion.Opponent:
    """Whom the model has to beat beside the baselines: no one that has seen the days they are judged on.

    The champion's recipe, refit by this code. If this code cannot, the forecasts that were published at the hold-out's
    origin: what made them had seen nothing later.
    """
    from nexgen_assets.forecasting.rows import SERIES
    from nexgen_assets.forecasting.training import published_scores, refit_scores

    if champion is None:
        return promotion.Opponent("there is no champion to compare it with")
    if champion.recipe == recipe:
        return promotion.Opponent(f"a refresh of the recipe of champion {champion.version} needs no comparison")
    origin = data.holdout_origin
    if champion.can_be_refit:
        same_sample = champion.recipe.sampling_rows == recipe.sampling_rows
        theirs = data if same_sample else inputs.training_data(champion.recipe)
        scores = refit_scores(theirs, inputs.planned, champion.recipe, inputs.settings.threads)
        words = f"recipe {champion.recipe.name} of champion {champion.version}, refit up to {origin}"
        return promotion.Opponent(words, scores)
    published = inputs.tables.read(FORECASTS, origin, origin, [*SERIES, "horizon", "mean"])
    if scores := published_scores(data, published):
        return promotion.Opponent(f"the forecasts published on {origin} (this code cannot refit the champion)", scores)
    return promotion.Opponent(
        f"not compared with champion {champion.version}: this code cannot refit it, and not all series have forecasts "
        f"of {origin}"
    )


def _objection(model: "TrainedModel", registry: ModelRegistry) -> str | None:
    """A rolled-back version stays so, however often the same inputs give it again."""
    version = version_name(model.to_files(), model.training_cutoff)
    rolled_back = registry.aliases().last_move(version, ROLLED_BACK)
    return f"it was rolled back on {rolled_back.at}: {rolled_back.why}" if rolled_back else None


def _facts(model: "TrainedModel", inputs: ModelInputs) -> dict[str, Any]:
    """What stands in the version's entry and not in its content: it may differ where the model does not."""
    names = ("country", "training_rows", "timezone", "active_days", "lookback_days")
    return {
        "recipe": model.recipe.name,
        "boosting_rounds": model.mean_model.rounds,
        "code_version": model.recipe.code_version,
        "data_versions": inputs.versions,
        "settings": {name: getattr(inputs.settings, name) for name in names},
        "scores": model.metrics,
    }
